//! Detects the encoding of a file and converts the file to UTF-8.
//!
//! A byte order mark has precedence over the encoding that the client declared. If there is no byte order mark and no
//! declared encoding, [`detect`] finds the encoding from the first bytes of the file. The encodings are those of the
//! WHATWG Encoding Standard, which `encoding_rs` implements, and some code pages of DOS ([`FileEncoding`]). Only a client
//! can choose a code page of DOS: it is never detected.

mod detection;
mod file_encoding;
mod guess;
mod labels;
mod pending;
mod source;
mod undecodable;
mod utf16;
mod utf8;

pub(super) use self::detection::detect;
use self::file_encoding::CodePage;
pub use self::file_encoding::FileEncoding;
pub use self::labels::encoding_for_label;
use self::pending::{MAX_BYTES as MAX_PENDING_BYTES, Pending};
pub use self::source::EncodingSource;
pub(super) use self::undecodable::{BadSequences, Utf8Check};
pub use self::undecodable::{MAX_UNDECODABLE_PLACES, Undecodable, UndecodablePlace};
pub use self::utf16::utf16_without_mark;
use super::checkpoint::{StateError, StateReader, StateWriter};
use encoding_rs::{Decoder, DecoderResult, REPLACEMENT, UTF_8};

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
    decoding: Decoding,
    /// Number of bytes of text made so far.
    text_bytes: u64,
    pub(super) bad: BadSequences,
}

enum Decoding {
    Standard(Decoder, Pending),
    CodePage(&'static CodePage),
}

impl Decoding {
    /// Returns `None` for UTF-8.
    fn new(encoding: FileEncoding) -> Option<Self> {
        match encoding {
            FileEncoding::Standard(encoding) if encoding == UTF_8 => None,
            FileEncoding::Standard(encoding) => {
                debug_assert_ne!(encoding, REPLACEMENT, "the opener refuses this encoding");
                Some(Self::Standard(encoding.new_decoder_without_bom_handling(), Pending::default()))
            }
            FileEncoding::CodePage(page) => Some(Self::CodePage(page)),
        }
    }
}

impl Transcoder {
    /// Creates a transcoder for a file in `encoding`. The input of the transcoder starts after the byte order mark.
    /// Returns `None` for UTF-8, because UTF-8 is not converted.
    pub(super) fn from(encoding: FileEncoding) -> Option<Self> {
        let decoding = Decoding::new(encoding)?;
        Some(Self { decoding, text_bytes: 0, bad: BadSequences::default() })
    }

    /// Saves the state. Returns `false` for ISO-2022-JP, because the state of its decoder depends on more than the last
    /// few bytes.
    #[must_use]
    pub(super) fn save(&self, state: &mut StateWriter) -> bool {
        let pending = match &self.decoding {
            Decoding::Standard(decoder, pending) => pending.bytes(decoder),
            Decoding::CodePage(_) => Some(&[][..]),
        };
        let Some(pending) = pending else { return false };
        state.number(self.text_bytes);
        self.bad.save(state);
        state.bytes(pending);
        true
    }

    /// Restores the state that [`Transcoder::save`] saved. `self` must be a new transcoder.
    pub(super) fn restored(mut self, state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let text_bytes = state.total()?;
        let bad = BadSequences::restore(state)?;
        let mut pending = state.bytes()?;
        if pending.len() > MAX_PENDING_BYTES {
            return Err(StateError::Damaged);
        }
        let mut text = Vec::new();
        while !pending.is_empty() {
            pending = &pending[self.step(pending, &mut text)..];
        }
        Ok(Self { text_bytes, bad, ..self })
    }

    /// Appends at most 64 KiB of decoded text to `text`. Returns the number of bytes of `input` that were
    /// decoded.
    pub(super) fn step(&mut self, input: &[u8], text: &mut Vec<u8>) -> usize {
        match &self.decoding {
            Decoding::Standard(decoder, _) => {
                let step_len = Pending::step_len(input, decoder);
                self.decode(&input[..step_len], text, false)
            }
            Decoding::CodePage(page) => {
                let input = &input[..input.len().min(STEP_BYTES / TEXT_GROWTH as usize)];
                let before = text.len();
                for &byte in input {
                    text.extend_from_slice(page.character(byte).encode_utf8(&mut [0; 4]).as_bytes());
                }
                self.text_bytes += (text.len() - before) as u64;
                input.len()
            }
        }
    }

    /// Ends the text: appends U+FFFD if the file ends inside a character. A second call appends nothing.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) {
        self.decode(&[], text, true);
        // A decoder must not be used after its last input, so a new decoder replaces it.
        if let Decoding::Standard(decoder, pending) = &mut self.decoding {
            *decoder = decoder.encoding().new_decoder_without_bom_handling();
            *pending = Pending::default();
        }
    }

    fn decode(&mut self, input: &[u8], text: &mut Vec<u8>, last: bool) -> usize {
        let Decoding::Standard(decoder, pending) = &mut self.decoding else { return 0 };
        let before = text.len();
        text.resize(before + STEP_BYTES.min(ROOM_BYTES + TEXT_GROWTH as usize * input.len()), 0);
        let (mut read, mut written) = (0, before);
        // Each pass of the loop needs room for the longest character (four bytes) and for two replacement characters.
        while text.len() - written > 2 * REPLACEMENT_CHARACTER.len() + 4 {
            let room = text.len() - REPLACEMENT_CHARACTER.len();
            let (result, bytes_read, bytes_written) =
                decoder.decode_to_utf8_without_replacement(&input[read..], &mut text[written..room], last);
            read += bytes_read;
            written += bytes_written;
            match result {
                DecoderResult::Malformed(..) => {
                    self.bad.note(self.text_bytes + (written - before) as u64);
                    text[written..written + REPLACEMENT_CHARACTER.len()]
                        .copy_from_slice(REPLACEMENT_CHARACTER);
                    written += REPLACEMENT_CHARACTER.len();
                }
                DecoderResult::InputEmpty | DecoderResult::OutputFull => break,
            }
        }
        text.truncate(written);
        self.text_bytes += (written - before) as u64;
        if !last {
            pending.record(&input[..read], decoder);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::MACINTOSH;

    #[test]
    fn an_input_longer_than_one_step_is_decoded_completely() {
        let input: Vec<u8> = (0..200_000u32).map(|i| 0x80 | (i % 128) as u8).collect();
        let mut transcoder = Transcoder::from(MACINTOSH.into()).unwrap_or_else(|| unreachable!());
        let (mut text, mut read) = (Vec::new(), 0);
        while read < input.len() {
            read += transcoder.step(&input[read..], &mut text);
        }
        transcoder.finish(&mut text);
        assert_eq!(String::from_utf8(text).ok(), Some(MACINTOSH.decode(&input).0.into_owned()));
    }
}
