//! Finds the first occurrence of a segment that contains `_`. The search is the Shift-And algorithm (Baeza-Yates and
//! Gonnet, "A new approach to text searching", 1992). The state of the search has one bit for each character of the
//! segment. The bit of a character is set if the text that was read so far ends with the beginning of the segment, up
//! to and including this character.
//!
//! For each character of the text, the search computes one word for every 64 characters of the segment. So the time
//! depends only on the two lengths, not on the characters.

use super::token::{PatternToken, character_bytes};
use crate::csv::filter::MAX_PATTERN_BYTES;

/// Bits in a word.
const WORD_BITS: usize = u64::BITS as usize;

/// Number of words in a mask for the longest segment. A segment has at most [`MAX_PATTERN_BYTES`] characters.
const MAX_WORDS: usize = MAX_PATTERN_BYTES.div_ceil(WORD_BITS);

/// One bit per character of a segment.
type Mask = Box<[u64]>;

/// A compiled segment.
#[derive(Debug, Clone)]
pub(super) struct BitSearch {
    /// The characters of the segment, sorted by their bytes, each with a mask. A bit of the mask is set if the
    /// character matches the segment at the position of the bit.
    masks: Vec<(Vec<u8>, Mask)>,
    /// The positions of `_`. A character that is not in `masks` matches only at these positions.
    any_mask: Mask,
    /// For each ASCII character, its index in `masks`. `None` if the segment does not contain the character.
    ascii: [Option<u16>; 128],
    characters: usize,
}

impl BitSearch {
    /// Compiles a segment. Returns `None` if the segment is empty or has more than [`MAX_PATTERN_BYTES`] characters.
    pub(super) fn new(tokens: &[PatternToken], characters: usize) -> Option<Self> {
        let words = characters.div_ceil(WORD_BITS);
        if words == 0 || words > MAX_WORDS {
            return None;
        }
        let mut any_mask = vec![0; words].into_boxed_slice();
        let mut positions: Vec<(&[u8], usize)> = Vec::new();
        let mut at = 0;
        for token in tokens {
            match token {
                PatternToken::Any(count) => {
                    (at..at + count)
                        .for_each(|position| any_mask[position / WORD_BITS] |= 1 << (position % WORD_BITS));
                    at += count;
                }
                PatternToken::Text(text) => {
                    let mut text = text.as_slice();
                    while let Some(bytes) = character_bytes(text) {
                        positions.push((&text[..bytes], at));
                        text = &text[bytes..];
                        at += 1;
                    }
                }
            }
        }
        positions.sort_unstable();
        let mut masks: Vec<(Vec<u8>, Mask)> = Vec::new();
        for (character, position) in positions {
            if masks.last().is_none_or(|(known, _)| known != character) {
                masks.push((character.to_vec(), any_mask.clone()));
            }
            if let Some((_, bits)) = masks.last_mut() {
                bits[position / WORD_BITS] |= 1 << (position % WORD_BITS);
            }
        }
        let mut ascii = [None; 128];
        for (index, (character, _)) in masks.iter().enumerate() {
            if let Some(slot) = ascii.get_mut(usize::from(character[0])) {
                *slot = u16::try_from(index).ok();
            }
        }
        Some(Self { masks, any_mask, ascii, characters })
    }

    /// Returns the rest of `text` after the first occurrence of the segment. Returns `None` if `text` does not contain
    /// the segment.
    pub(super) fn skip_past<'a>(&self, mut text: &'a [u8]) -> Option<&'a [u8]> {
        let mut state = [0_u64; MAX_WORDS];
        let state = &mut state[..self.any_mask.len()];
        let last = self.characters - 1;
        while let Some(bytes) = character_bytes(text) {
            let (character, rest) = text.split_at(bytes);
            let mut carry = 1;
            for (word, mask) in state.iter_mut().zip(self.mask_of(character)) {
                let shifted = *word << 1 | carry;
                carry = *word >> (WORD_BITS - 1);
                *word = shifted & mask;
            }
            text = rest;
            if state[last / WORD_BITS] >> (last % WORD_BITS) & 1 == 1 {
                return Some(text);
            }
        }
        None
    }

    fn mask_of(&self, character: &[u8]) -> &[u64] {
        let index = match self.ascii.get(usize::from(character[0])) {
            Some(index) => index.map(usize::from),
            None => self.masks.binary_search_by(|(known, _)| known.as_slice().cmp(character)).ok(),
        };
        index.map_or(&self.any_mask, |index| &self.masks[index].1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Like, Segment};
    use super::*;
    use proptest::prelude::*;

    fn segment(text: &str) -> Segment {
        Like::new(text).head
    }

    fn search(segment: &Segment) -> Option<BitSearch> {
        BitSearch::new(&segment.tokens, segment.characters)
    }

    proptest! {
        #[test]
        fn bit_search_agrees_with_naive_search(
            pattern in "[abé_]{1,6}|[ab_]{60,70}|[a_]{120,140}",
            text in proptest::collection::vec(prop_oneof![
                4 => Just(b"a".to_vec()), 2 => Just(b"b".to_vec()), 1 => Just("é".as_bytes().to_vec()), 1 => Just(vec![0xc3])
            ], 0..300),
        ) {
            let segment = segment(&pattern);
            let text = text.concat();
            let found = search(&segment).unwrap();
            prop_assert_eq!(found.skip_past(&text), segment.naive_search(&text));
        }
    }

    #[test]
    fn bit_search_accepts_the_longest_pattern() {
        let pattern = "a_".repeat(MAX_PATTERN_BYTES / 2);
        let text = format!("bb{}c", "ab".repeat(MAX_PATTERN_BYTES / 2));
        let found = search(&segment(&pattern)).unwrap();
        assert_eq!(found.skip_past(text.as_bytes()), Some(&b"c"[..]));
        assert!(search(&segment(&"_".repeat(MAX_PATTERN_BYTES + 1))).is_none());
    }
}
