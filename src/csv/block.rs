//! The bytes that give CSV its structure, found 64 at a time.
//!
//! A block's answer is three 64-bit masks, bit `i` standing for byte `i`. This is the one place that looks
//! at every byte of a file, so it is the one place where vector instructions can pay.

/// Bytes in a block: as many as a mask has bits.
pub(super) const BLOCK_BYTES: usize = 64;

/// Where the quotes, delimiters and line breaks of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// `"`.
    pub(super) quotes: u64,
    /// The dialect's delimiter.
    pub(super) delimiters: u64,
    /// CR and LF.
    pub(super) newlines: u64,
    /// How many bytes the block has: 64, or fewer at the end of a piece.
    pub(super) len: usize,
}

impl Block {
    /// The block at the start of `bytes`, which must not be empty.
    #[inline(always)]
    pub(super) fn at_start_of(bytes: &[u8], delimiter: u8) -> Self {
        match bytes.first_chunk::<BLOCK_BYTES>() {
            Some(whole) => Self::whole(whole, delimiter),
            None => Self::partial(bytes, delimiter),
        }
    }

    #[inline(always)]
    fn whole(bytes: &[u8; BLOCK_BYTES], delimiter: u8) -> Self {
        let mut block = Self { quotes: 0, delimiters: 0, newlines: 0, len: BLOCK_BYTES };
        for (word, shift) in bytes.chunks_exact(8).zip((0u32..).step_by(8)) {
            let word = word.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
            block.quotes |= positions_of(word, b'"') << shift;
            block.delimiters |= positions_of(word, delimiter) << shift;
            block.newlines |= (positions_of(word, b'\n') | positions_of(word, b'\r')) << shift;
        }
        block
    }

    #[cold]
    fn partial(bytes: &[u8], delimiter: u8) -> Self {
        let mut padded = [0; BLOCK_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        let block = Self::whole(&padded, delimiter);
        // No structural byte is NUL, so the padding sets no bit.
        Self { len: bytes.len(), ..block }
    }
}

/// Bit `i` of the result is set when byte `i` (the lowest first) of `word` is `byte`.
#[inline(always)]
fn positions_of(word: u64, byte: u8) -> u64 {
    const LOW_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    // Multiplying moves the bits at 0, 8, 16, … side by side into the top byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let zero_where_equal = word ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    let high_bits = !(((zero_where_equal & LOW_BITS) + LOW_BITS) | zero_where_equal | LOW_BITS);
    (high_bits >> 7).wrapping_mul(GATHER) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(bytes: &[u8], wanted: &[u8]) -> u64 {
        bytes.iter().enumerate().filter(|(_, byte)| wanted.contains(byte)).map(|(i, _)| 1 << i).sum()
    }

    proptest! {
        #[test]
        fn every_structural_byte_and_no_other_is_found(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 1..=64),
            delimiter in prop_oneof![Just(b','), Just(b'\t'), Just(b';'), Just(b'|')],
        ) {
            let block = Block::at_start_of(&bytes, delimiter);
            prop_assert_eq!(block.len, bytes.len());
            prop_assert_eq!(block.quotes, expected(&bytes, b"\""));
            prop_assert_eq!(block.delimiters, expected(&bytes, &[delimiter]));
            prop_assert_eq!(block.newlines, expected(&bytes, b"\r\n"));
        }
    }
}
