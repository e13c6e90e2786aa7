//! Converts the bytes of a file to the text that the scanner reads.
//!
//! ```text
//! bytes ──Transcoder──▶ UTF-8 ──LineSkipper──▶ table ──Rewriter──▶ text of the usual dialect
//! ```
//!
//! Most files need none of these steps. The scanner then reads the bytes as they are.

use super::checkpoint::{StateError, StateReader, StateWriter};
use super::dialect::Dialect;
use super::encoding::{BadSequences, Transcoder, Utf8Check};
use super::rewrite::Rewriter;

/// Skips lines at the start of a text, which may be split at any byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LineSkipper {
    lines_left: u32,
    /// Whether the last skipped byte is the CR that ended the last line. An LF that follows belongs to this line.
    after_cr: bool,
}

impl LineSkipper {
    pub(super) fn new(lines: u32) -> Self {
        Self { lines_left: lines, after_cr: false }
    }

    /// Returns the number of bytes at the start of `text` that belong to the skipped lines.
    pub(super) fn skip(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                at += 1;
                continue;
            }
            if self.lines_left == 0 {
                break;
            }
            let Some(length) = memchr::memchr2(b'\r', b'\n', &text[at..]) else { return text.len() };
            self.after_cr = text[at + length] == b'\r';
            self.lines_left -= 1;
            at += length + 1;
        }
        at
    }
}

/// Converts pieces of a file, which may be split at any byte.
pub(super) struct Converter {
    /// `None` for UTF-8.
    transcoder: Option<Transcoder>,
    skipper: LineSkipper,
    /// Bytes of decoded text that were skipped.
    skipped_bytes: u64,
    /// `None` if the table has the usual dialect.
    rewriter: Option<Rewriter>,
    /// Counts the bytes that are not UTF-8, if there is a rewriter and no transcoder.
    check: Utf8Check,
    /// Number of bytes that `check` has got.
    checked_bytes: u64,
    /// Buffer for decoded text that is converted further.
    decoded: Vec<u8>,
}

impl Converter {
    /// Creates a converter for a file. Its input starts after the byte order mark.
    pub(super) fn new(dialect: &Dialect) -> Self {
        Self::with_transcoder(dialect, Transcoder::from(dialect.encoding))
    }

    /// Creates a converter whose transcoder has already decoded the start of the file.
    pub(super) fn with_transcoder(dialect: &Dialect, transcoder: Option<Transcoder>) -> Self {
        let table = &dialect.table;
        Self {
            transcoder,
            skipper: LineSkipper::new(table.skip_rows),
            skipped_bytes: 0,
            rewriter: (!table.is_plain()).then(|| Rewriter::new(table.clone())),
            check: Utf8Check::default(),
            checked_bytes: 0,
            decoded: Vec::new(),
        }
    }

    /// Whether the converter changes nothing after the skipped lines.
    pub(super) fn is_direct(&self) -> bool {
        self.transcoder.is_none() && self.rewriter.is_none()
    }

    /// Returns the number of bytes of decoded text that were skipped.
    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Returns how many bytes of text the converter holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.rewriter.as_ref().map_or(0, Rewriter::held_bytes)
    }

    /// Returns the number of byte sequences that could not be decoded.
    pub(super) fn undecodable(&self) -> u64 {
        match &self.transcoder {
            Some(transcoder) => transcoder.bad.count(),
            None => self.check.bad.count(),
        }
    }

    /// Returns the number of comments below the header.
    pub(super) fn comment_lines(&self) -> u64 {
        self.rewriter.as_ref().map_or(0, Rewriter::comment_lines)
    }

    /// Returns the byte sequences that could not be decoded. `None` if their positions are not positions in the text,
    /// because a rewriter changes the text.
    pub(super) fn placed_bad_sequences(&mut self) -> Option<&mut BadSequences> {
        match (&mut self.transcoder, &self.rewriter) {
            (Some(transcoder), None) => Some(&mut transcoder.bad),
            _ => None,
        }
    }

    /// Converts a part of `input` and appends the text to `text`. Returns the number of bytes that were read.
    pub(super) fn step(&mut self, input: &[u8], text: &mut Vec<u8>) -> usize {
        /// Maximum number of bytes of UTF-8 that one step reads.
        const STEP_BYTES: usize = 64 * 1024;
        let Some(transcoder) = &mut self.transcoder else {
            let input = &input[..input.len().min(STEP_BYTES)];
            self.convert(input, text);
            return input.len();
        };
        if self.rewriter.is_none() && self.skipper == LineSkipper::default() {
            return transcoder.step(input, text);
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let read = transcoder.step(input, &mut decoded);
        self.convert(&decoded, text);
        self.decoded = decoded;
        read
    }

    /// Converts decoded text: skips lines, and converts the rest to the usual dialect.
    pub(super) fn convert(&mut self, decoded: &[u8], text: &mut Vec<u8>) {
        let skipped = self.skipper.skip(decoded);
        self.skipped_bytes += skipped as u64;
        let Some(rewriter) = &mut self.rewriter else {
            return text.extend_from_slice(&decoded[skipped..]);
        };
        if self.transcoder.is_none() {
            self.check.check(decoded, self.checked_bytes);
            self.checked_bytes += decoded.len() as u64;
        }
        rewriter.push(&decoded[skipped..], text);
    }

    /// Ends the text. A second call appends nothing.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) {
        let mut decoded = Vec::new();
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.finish(&mut decoded);
        }
        self.convert(&decoded, text);
        self.check.finish();
        if let Some(rewriter) = &mut self.rewriter {
            rewriter.finish(text);
        }
    }

    /// Saves the state. Returns `false` if the state of the decoder cannot be saved.
    #[must_use]
    pub(super) fn save(&self, state: &mut StateWriter) -> bool {
        state.number(self.skipper.lines_left.into());
        state.flag(self.skipper.after_cr);
        state.number(self.skipped_bytes);
        self.check.save(state);
        state.number(self.checked_bytes);
        if let Some(rewriter) = &self.rewriter {
            rewriter.save(state);
        }
        self.transcoder.as_ref().is_none_or(|transcoder| transcoder.save(state))
    }

    /// Restores the state that [`Converter::save`] saved.
    pub(super) fn restore(state: &mut StateReader<'_>, dialect: &Dialect) -> Result<Self, StateError> {
        let lines_left = u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?;
        let skipper = LineSkipper { lines_left, after_cr: state.flag()? };
        let skipped_bytes = state.total()?;
        let check = Utf8Check::restore(state)?;
        let checked_bytes = state.total()?;
        let new = Self::new(dialect);
        let rewriter = match new.rewriter {
            Some(rewriter) => Some(rewriter.restored(state)?),
            None => None,
        };
        let transcoder = match new.transcoder {
            Some(transcoder) => Some(transcoder.restored(state)?),
            None => None,
        };
        Ok(Self { transcoder, skipper, skipped_bytes, rewriter, check, checked_bytes, decoded: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_skipped_for_every_split_of_the_text() {
        for (text, lines, rest) in [
            ("a\nb\nc", 1, "b\nc"),
            ("a\r\nb\r\nc", 2, "c"),
            ("a\rb\rc", 1, "b\rc"),
            ("\n\nx", 2, "x"),
            ("a\r\n", 1, ""),
            ("no line break", 3, ""),
            ("x", 0, "x"),
        ] {
            for split in 0..=text.len() {
                let mut skipper = LineSkipper::new(lines);
                let (first, second) = text.as_bytes().split_at(split);
                let mut left = first[skipper.skip(first)..].to_vec();
                left.extend_from_slice(&second[skipper.skip(second)..]);
                assert_eq!(left, rest.as_bytes(), "{text:?} without {lines} lines, split at {split}");
            }
        }
    }
}
