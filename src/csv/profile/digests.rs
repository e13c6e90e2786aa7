//! Digests of the digest blocks of a file. A reader compares each block with its digest before the reader uses the
//! bytes of the block.
//!
//! A digest block is 256 KiB of the stored bytes, before they are decoded. The last block of a file may be shorter. The
//! digest is the XXH3-64 of the block. It detects accidental changes, but not deliberate changes. The SHA-256 of the
//! file detects both.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use xxhash_rust::xxh3::xxh3_64;

/// Length of a digest block, in bytes.
pub const DIGEST_BLOCK_BYTES: usize = 256 * 1024;

/// The digests of a file's digest blocks, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDigests(Vec<u64>);

impl BlockDigests {
    /// Whether `block` has the stored digest of the digest block `number` (from 0). `false` if the file has no such
    /// block.
    pub fn is_intact(&self, number: u64, block: &[u8]) -> bool {
        let stored = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        stored.is_some_and(|&digest| digest == xxh3_64(block))
    }

    /// Returns the number of bytes that the digests take in the sidecar of a file of `size_bytes` bytes.
    pub fn stored_bytes(size_bytes: u64) -> u64 {
        Self::count(size_bytes) * size_of::<u64>() as u64
    }

    /// Returns the number of digest blocks in a file of `size_bytes` bytes.
    fn count(size_bytes: u64) -> u64 {
        size_bytes.div_ceil(DIGEST_BLOCK_BYTES as u64)
    }

    /// Whether there is one digest for each digest block of a file of `size_bytes` bytes.
    pub(super) fn covers(&self, size_bytes: u64) -> bool {
        self.0.len() as u64 == Self::count(size_bytes)
    }

    /// Returns the memory of the digests, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.list(&self.0, |state, &digest| state.word(digest));
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        state.list(StateReader::word).map(Self)
    }
}

/// Computes digests from pieces of any length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockDigester {
    digests: Vec<u64>,
    /// Bytes of the incomplete digest block; empty if there is none.
    block: Vec<u8>,
}

impl BlockDigester {
    /// Returns the memory of the digests so far and of the incomplete digest block, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.digests.capacity() * size_of::<u64>() + self.block.capacity()
    }

    /// Adds the next piece. A digest block that lies within one piece is not copied.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.block.is_empty()
                && let Some((block, rest)) = piece.split_at_checked(DIGEST_BLOCK_BYTES)
            {
                self.digests.push(xxh3_64(block));
                piece = rest;
                continue;
            }
            let missing = DIGEST_BLOCK_BYTES - self.block.len();
            let (now, rest) = piece.split_at(piece.len().min(missing));
            self.block.extend_from_slice(now);
            piece = rest;
            if self.block.len() == DIGEST_BLOCK_BYTES {
                self.digests.push(xxh3_64(&self.block));
                self.block.clear();
            }
        }
    }

    /// Ends the file and returns its digests.
    pub fn finish(mut self) -> BlockDigests {
        if !self.block.is_empty() {
            self.digests.push(xxh3_64(&self.block));
        }
        BlockDigests(self.digests)
    }

    /// Returns the number of complete digest blocks.
    pub(super) fn complete_blocks(&self) -> usize {
        self.digests.len()
    }

    /// Writes the digests of the complete digest blocks, except the first `saved` digests.
    pub(super) fn save_since(&self, saved: usize, state: &mut StateWriter) {
        let digests = self.digests.get(saved..).unwrap_or_default();
        state.reserve(size_of_val(digests));
        state.list(digests, |state, &digest| state.word(digest));
    }

    /// Reads digests that [`Self::save_since`] wrote and appends them.
    pub(super) fn extend(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.digests.extend(state.list(StateReader::word)?);
        Ok(())
    }

    /// Writes the bytes of the incomplete digest block. The internal state of the hash is not written, because
    /// the library may change the format of this state.
    pub(super) fn save_block(&self, state: &mut StateWriter) {
        state.bytes(&self.block);
    }

    /// Reads the block that [`Self::save_block`] wrote. The returned digester has no digests yet.
    pub(super) fn restore_block(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let block = state.bytes()?.to_vec();
        match block.len() < DIGEST_BLOCK_BYTES {
            true => Ok(Self { digests: Vec::new(), block }),
            false => Err(StateError::Damaged),
        }
    }

    /// Returns the number of bytes that were pushed.
    pub(super) fn size_bytes(&self) -> u64 {
        self.digests.len() as u64 * DIGEST_BLOCK_BYTES as u64 + self.block.len() as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn digests_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> BlockDigests {
        let mut digester = BlockDigester::default();
        pieces.into_iter().for_each(|piece| digester.push(piece));
        digester.finish()
    }

    fn file(length: usize) -> Vec<u8> {
        (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
    }

    #[test]
    fn the_digests_of_the_same_bytes_never_change() {
        let digests = digests_of([&file(DIGEST_BLOCK_BYTES + 3)[..]]);
        assert_eq!(
            digests.0.iter().map(|digest| format!("{digest:016x}")).collect::<Vec<_>>(),
            ["59241e0e72202b0b", "e8886a41931cae1c"]
        );
        assert!(digests_of([&b""[..]]).0.is_empty());
    }

    #[test]
    fn every_digest_block_has_a_digest_even_a_short_last_block() {
        const BLOCK: usize = DIGEST_BLOCK_BYTES;
        for (length, blocks) in [(0, 0), (1, 1), (BLOCK - 1, 1), (BLOCK, 1), (BLOCK + 1, 2), (3 * BLOCK, 3)] {
            let bytes = file(length);
            let digests = digests_of([&bytes[..]]);
            assert!(digests.covers(length as u64));
            assert_eq!(BlockDigests::stored_bytes(length as u64), blocks * 8);
            for (number, block) in (0..).zip(bytes.chunks(BLOCK)) {
                assert!(digests.is_intact(number, block), "{length}");
                assert!(!digests.is_intact(number, &block[1..]), "{length}");
            }
            for beyond in [blocks, u64::MAX] {
                assert!(!digests.is_intact(beyond, b"") && !digests.is_intact(beyond, b"a"));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn digests_do_not_depend_on_the_split_into_pieces(
            lengths in proptest::collection::vec(prop_oneof![
                1..1000_usize, Just(DIGEST_BLOCK_BYTES), 1..3 * DIGEST_BLOCK_BYTES,
            ], 1..6),
        ) {
            let bytes = file(lengths.iter().sum());
            let mut rest = &bytes[..];
            let pieces = lengths.iter().map(|&length| rest.split_off(..length).unwrap());
            prop_assert_eq!(digests_of(pieces), digests_of([&bytes[..]]));
        }
    }
}
