//! Tracks the bytes that a decoder has read but has not yet turned into text.
//!
//! A decoder keeps the first bytes of an unfinished character. When a new decoder continues from saved state, it must
//! read these bytes again. So [`Pending`] records them. There are at most three such bytes. In ISO-2022-JP, a character
//! also depends on earlier bytes, so it is unknown which bytes a new decoder must read.

use encoding_rs::{Decoder, ISO_2022_JP, UTF_16BE, UTF_16LE};

/// Maximum length of an unfinished character, in bytes. In GB18030, these can be the first three bytes of a four-byte
/// character. In UTF-16, these can be a high surrogate (two bytes) and the first byte of the next unit.
pub(super) const MAX_BYTES: usize = 3;

/// The bytes of the unfinished character.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// The last bytes decoded.
    last: [u8; MAX_BYTES],
    /// Number of valid bytes in `last`. The valid bytes are at the end of `last`.
    len: usize,
    /// Number of bytes of the unfinished character. `None` if this number is unknown, because several bytes were
    /// decoded at once.
    open: Option<usize>,
    /// Whether an odd number of bytes was decoded so far.
    is_odd: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self { last: [0; MAX_BYTES], len: 0, open: Some(0), is_odd: false }
    }
}

impl Pending {
    /// Returns how many bytes of `input` to decode in one step. In multi-byte encodings, the last bytes of a piece
    /// are decoded one by one, so that the length of the unfinished character is known.
    pub(super) fn step_len(input: &[u8], decoder: &Decoder) -> usize {
        match input.len() {
            len if decoder.encoding().is_single_byte() => len,
            0..=1 => input.len(),
            2..=MAX_BYTES => 1,
            len => len - MAX_BYTES,
        }
    }

    /// Records bytes that were decoded.
    pub(super) fn record(&mut self, decoded: &[u8], decoder: &Decoder) {
        for &byte in &decoded[decoded.len().saturating_sub(MAX_BYTES)..] {
            self.last.rotate_left(1);
            self.last[MAX_BYTES - 1] = byte;
            self.len = (self.len + 1).min(MAX_BYTES);
        }
        self.is_odd ^= decoded.len() % 2 == 1;
        self.open = if is_between_characters(decoder) {
            Some(0)
        } else {
            match (self.open, decoded.len()) {
                (open, 0) => open,
                (Some(open), 1) => Some(open + 1),
                _ => None,
            }
        };
    }

    /// Returns the bytes of the unfinished character. `None` if they are unknown.
    pub(super) fn bytes(&self, decoder: &Decoder) -> Option<&[u8]> {
        let encoding = decoder.encoding();
        let open = if encoding.is_single_byte() {
            0
        } else if encoding == UTF_16BE || encoding == UTF_16LE {
            self.utf16(encoding == UTF_16BE)
        } else if encoding == ISO_2022_JP {
            return None;
        } else {
            self.open?
        };
        self.last.get(MAX_BYTES.checked_sub(open.min(self.len))?..)
    }

    /// Returns the number of bytes of the unfinished character in UTF-16: 2 if the last whole unit is a high surrogate,
    /// plus 1 if the second byte of a unit is missing.
    fn utf16(&self, is_big_endian: bool) -> usize {
        let odd = usize::from(self.is_odd);
        if self.len < 2 + odd {
            return odd;
        }
        let [first, second] = [self.last[MAX_BYTES - odd - 2], self.last[MAX_BYTES - odd - 1]];
        let high = if is_big_endian { first } else { second };
        if (0xD8..0xDC).contains(&high) { odd + 2 } else { odd }
    }
}

fn is_between_characters(decoder: &Decoder) -> bool {
    decoder.latin1_byte_compatible_up_to(&[]).is_some()
}
