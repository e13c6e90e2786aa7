//! Detects the encoding of a file and converts the file to UTF-8.
//!
//! A byte order mark has precedence over the encoding that the client declared. If there is no byte order mark and no
//! declared encoding, the start of the file decides. If the start is valid UTF-8, the encoding is UTF-8. Otherwise
//! `chardetng` guesses the encoding. The encodings and their labels are those of the WHATWG Encoding Standard, which
//! `encoding_rs` implements.

mod pending;

use self::pending::{MAX_BYTES as MAX_PENDING_BYTES, Pending};
use super::checkpoint::{StateError, StateReader, StateWriter};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, REPLACEMENT, UTF_8};

/// How the encoding of a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingSource {
    /// The file starts with a byte order mark.
    ByteOrderMark,
    /// The client declared the encoding.
    Declared,
    /// The start of the file is valid UTF-8 with a character that is not ASCII, or `chardetng` guessed the encoding
    /// from the start of the file.
    Detected,
    /// The start of the file is ASCII, so UTF-8 is assumed.
    Assumed,
}

impl EncodingSource {
    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byteOrderMark",
            Self::Declared => "declared",
            Self::Detected => "detected",
            Self::Assumed => "assumed",
        }
    }

    pub(super) fn save(self, state: &mut StateWriter) {
        state.byte(match self {
            Self::ByteOrderMark => 0,
            Self::Declared => 1,
            Self::Detected => 2,
            Self::Assumed => 3,
        });
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        match state.byte()? {
            0 => Ok(Self::ByteOrderMark),
            1 => Ok(Self::Declared),
            2 => Ok(Self::Detected),
            3 => Ok(Self::Assumed),
            _ => Err(StateError::Damaged),
        }
    }
}

/// Returns the encoding that `label` names. Accepts the labels of the Encoding Standard and a few other common names.
/// Returns `None` for an unknown label, and for encodings that the standard refuses to decode.
pub fn encoding_for_label(label: &str) -> Option<&'static Encoding> {
    let label = label.trim();
    let known_as = match label.to_ascii_lowercase().replace([' ', '_'], "-").as_str() {
        "mac-roman" | "macroman" | "x-mac-roman" => "macintosh",
        "utf-8-sig" | "utf-8-bom" => "utf-8",
        "utf16" => "utf-16",
        "cp-1252" | "ansi" => "windows-1252",
        "latin-1" => "latin1",
        _ => label,
    };
    Encoding::for_label_no_replacement(known_as.as_bytes())
}

/// The encoding of a file, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) encoding: &'static Encoding,
    pub(super) source: EncodingSource,
    /// Length of the byte order mark in bytes; 0 if the file has none.
    pub(super) bom_bytes: usize,
}

/// Detects the encoding from the first bytes of a file. `whole` is `true` if the sample is the whole file.
pub(super) fn detect(sample: &[u8], whole: bool, declared: Option<&'static Encoding>) -> Detected {
    if let Some((encoding, bom_bytes)) = Encoding::for_bom(sample) {
        return Detected { encoding, source: EncodingSource::ByteOrderMark, bom_bytes };
    }
    let (encoding, source) = match declared {
        Some(encoding) => (encoding, EncodingSource::Declared),
        None if sample.is_ascii() => (UTF_8, EncodingSource::Assumed),
        None if is_utf8(sample, whole) => (UTF_8, EncodingSource::Detected),
        None => (guess(sample, whole), EncodingSource::Detected),
    };
    Detected { encoding, source, bom_bytes: 0 }
}

/// Whether the sample is UTF-8. A sample that is not the whole file may end inside a character.
fn is_utf8(sample: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(sample) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && !whole,
    }
}

fn guess(sample: &[u8], whole: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, whole);
    detector.guess(None, Utf8Detection::Deny)
}

/// Maximum number of bytes of UTF-8 text that one step makes.
const STEP_BYTES: usize = 64 * 1024;
/// Size of the text buffer in addition to [`TEXT_GROWTH`] bytes for each byte of input. For example, the end of the
/// file has no input, but needs room for U+FFFD.
const ROOM_BYTES: usize = 32;
/// Maximum number of bytes of text for one byte of the file. A byte of a single-byte encoding becomes up to three
/// bytes. A byte that cannot be decoded becomes U+FFFD, which has three bytes.
pub(super) const TEXT_GROWTH: u64 = 3;
const REPLACEMENT_CHARACTER: &[u8] = "\u{FFFD}".as_bytes();

/// Converts pieces of a file to UTF-8. Byte sequences that cannot be decoded become U+FFFD and are counted.
pub(super) struct Transcoder {
    decoder: Decoder,
    undecodable: u64,
    pending: Pending,
}

impl Transcoder {
    /// Creates a transcoder for a file in `encoding`. The input of the transcoder starts after the byte order mark.
    /// Returns `None` for UTF-8, because UTF-8 is not converted.
    pub(super) fn from(encoding: &'static Encoding) -> Option<Self> {
        debug_assert_ne!(encoding, REPLACEMENT, "the opener refuses this encoding");
        (encoding != UTF_8).then(|| Self {
            decoder: encoding.new_decoder_without_bom_handling(),
            undecodable: 0,
            pending: Pending::default(),
        })
    }

    /// Saves the state. Returns `false` for ISO-2022-JP, because the state of its decoder depends on more than the last
    /// few bytes. `chardetng` never guesses this encoding, so only files with this declared encoding are affected.
    #[must_use]
    pub(super) fn save(&self, state: &mut StateWriter) -> bool {
        let Some(pending) = self.pending.bytes(&self.decoder) else {
            return false;
        };
        state.number(self.undecodable);
        state.bytes(pending);
        true
    }

    /// Restores the state that [`Transcoder::save`] saved. `self` must be a new transcoder.
    pub(super) fn restored(mut self, state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let undecodable = state.total()?;
        let mut pending = state.bytes()?;
        if pending.len() > MAX_PENDING_BYTES {
            return Err(StateError::Damaged);
        }
        let mut text = Vec::new();
        while !pending.is_empty() {
            pending = &pending[self.step(pending, &mut text)..];
        }
        self.undecodable = undecodable;
        Ok(self)
    }

    /// Returns the number of byte sequences that could not be decoded.
    pub(super) fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// Appends at most 64 KiB of decoded text to `text`. Returns the number of bytes of `input` that were
    /// decoded.
    pub(super) fn step(&mut self, input: &[u8], text: &mut Vec<u8>) -> usize {
        let step_len = Pending::step_len(input, &self.decoder);
        self.decode(&input[..step_len], text, false)
    }

    /// Ends the text: appends U+FFFD if the file ends inside a character. A second call appends nothing.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) {
        self.decode(&[], text, true);
        // A decoder must not be used after its last input, so a new decoder replaces it.
        self.decoder = self.decoder.encoding().new_decoder_without_bom_handling();
        self.pending = Pending::default();
    }

    fn decode(&mut self, input: &[u8], text: &mut Vec<u8>, last: bool) -> usize {
        let before = text.len();
        text.resize(before + STEP_BYTES.min(ROOM_BYTES + TEXT_GROWTH as usize * input.len()), 0);
        let (mut read, mut written) = (0, before);
        // Each pass of the loop needs room for the longest character (four bytes) and for two replacement characters.
        while text.len() - written > 2 * REPLACEMENT_CHARACTER.len() + 4 {
            let room = text.len() - REPLACEMENT_CHARACTER.len();
            let (result, bytes_read, bytes_written) = self.decoder.decode_to_utf8_without_replacement(
                &input[read..],
                &mut text[written..room],
                last,
            );
            read += bytes_read;
            written += bytes_written;
            match result {
                DecoderResult::Malformed(..) => {
                    text[written..written + REPLACEMENT_CHARACTER.len()]
                        .copy_from_slice(REPLACEMENT_CHARACTER);
                    written += REPLACEMENT_CHARACTER.len();
                    self.undecodable += 1;
                }
                DecoderResult::InputEmpty | DecoderResult::OutputFull => break,
            }
        }
        text.truncate(written);
        if !last {
            self.pending.record(&input[..read], &self.decoder);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{MACINTOSH, UTF_16BE, UTF_16LE, WINDOWS_1252};

    #[test]
    fn labels_of_the_standard_and_other_common_names_are_known() {
        for (label, encoding) in [
            ("utf-8", UTF_8),
            (" UTF-8-SIG ", UTF_8),
            ("latin1", WINDOWS_1252),
            ("Latin-1", WINDOWS_1252),
            ("iso-8859-1", WINDOWS_1252),
            ("CP1252", WINDOWS_1252),
            ("Mac Roman", MACINTOSH),
            ("mac_roman", MACINTOSH),
            ("x-mac-roman", MACINTOSH),
            ("utf-16", UTF_16LE),
            ("UTF16", UTF_16LE),
            ("utf-16be", UTF_16BE),
        ] {
            assert_eq!(encoding_for_label(label), Some(encoding), "{label}");
        }
        assert_eq!(encoding_for_label("klingon"), None);
        assert_eq!(encoding_for_label("iso-2022-kr"), None, "the standard refuses to decode this encoding");
    }

    #[test]
    fn a_byte_order_mark_has_precedence_over_the_declared_encoding() {
        let detected = detect(b"\xFE\xFF\0a", true, Some(WINDOWS_1252));
        assert_eq!((detected.encoding, detected.bom_bytes), (UTF_16BE, 2));
        assert_eq!(detected.source, EncodingSource::ByteOrderMark);
    }

    #[test]
    fn utf8_is_detected_even_if_the_sample_ends_inside_a_character() {
        assert_eq!(detect("name;Zo\u{eb}".as_bytes().split_at(8).0, false, None).encoding, UTF_8);
        assert_ne!(detect(b"caf\xE9", true, None).encoding, UTF_8);
    }

    #[test]
    fn an_input_longer_than_one_step_is_decoded_completely() {
        let input: Vec<u8> = (0..200_000u32).map(|i| 0x80 | (i % 128) as u8).collect();
        let mut transcoder = Transcoder::from(MACINTOSH).unwrap_or_else(|| unreachable!());
        let (mut text, mut read) = (Vec::new(), 0);
        while read < input.len() {
            read += transcoder.step(&input[read..], &mut text);
        }
        transcoder.finish(&mut text);
        assert_eq!(String::from_utf8(text).ok(), Some(MACINTOSH.decode(&input).0.into_owned()));
    }
}
