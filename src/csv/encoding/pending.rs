//! Which bytes a decoder has taken in without having made text of them.
//!
//! A decoder keeps the beginning of a character to itself. To go on elsewhere, a new one is given the same
//! bytes again, so they have to be known: at most three, in every encoding whose characters stand for
//! themselves.

use encoding_rs::{Decoder, ISO_2022_JP, UTF_16BE, UTF_16LE};

/// The most bytes of a character that are not yet a character: a quarter short of GB18030's longest, or a
/// surrogate and the first byte of its other half.
pub(super) const MAX_BYTES: usize = 3;

/// The bytes of a character in progress.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// The last bytes taken in.
    last: [u8; MAX_BYTES],
    /// How many of them there are.
    len: usize,
    /// How many bytes belong to a character in progress; `None` in the midst of a long run.
    open: Option<usize>,
    is_odd: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self { last: [0; MAX_BYTES], len: 0, open: Some(0), is_odd: false }
    }
}

impl Pending {
    /// How much of `input` is to be decoded at once, so that the end of a piece is seen byte by byte.
    pub(super) fn run(input: &[u8], decoder: &Decoder) -> usize {
        match input.len() {
            len if decoder.encoding().is_single_byte() => len,
            0..=1 => input.len(),
            2..=MAX_BYTES => 1,
            len => len - MAX_BYTES,
        }
    }

    /// Takes note of bytes that were decoded.
    pub(super) fn pass(&mut self, decoded: &[u8], decoder: &Decoder) {
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

    /// The bytes; `None` where they cannot be told.
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

    /// An odd byte, and the unit before it if that is the first half of a pair.
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
