//! Where a stretch with `_` in it first fits, for all its characters at once: a bit for each says whether the text so far
//! ends with the stretch up to there (Baeza-Yates and Gonnet, "A new approach to text searching", 1992).
//!
//! A character of the text costs a word for every 64 characters of the stretch, whatever both are.

use super::piece::{Piece, character_bytes};
use crate::csv::filter::MAX_PATTERN_BYTES;

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Words for the longest stretch that a filter may have.
const MOST_WORDS: usize = MAX_PATTERN_BYTES.div_ceil(WORD);

/// A bit for each character of a stretch.
type Bits = Box<[u64]>;

/// A stretch of many characters, ready to be looked for.
#[derive(Debug, Clone)]
pub(super) struct BitSearch {
    /// Where each character may stand, in the order of the characters' bytes.
    places: Vec<(Vec<u8>, Bits)>,
    /// Where any other may.
    any: Bits,
    /// The place in `places` of each ASCII character that has one.
    ascii: [Option<u16>; 128],
    characters: usize,
}

impl BitSearch {
    /// For a stretch that is not empty; none for one that is longer than a filter may be.
    pub(super) fn of(pieces: &[Piece], characters: usize) -> Option<Self> {
        let words = characters.div_ceil(WORD);
        if words == 0 || words > MOST_WORDS {
            return None;
        }
        let mut any = vec![0; words].into_boxed_slice();
        let mut standing: Vec<(&[u8], usize)> = Vec::new();
        let mut at = 0;
        for piece in pieces {
            match piece {
                Piece::Any(count) => {
                    (at..at + count).for_each(|place| any[place / WORD] |= 1 << (place % WORD));
                    at += count;
                }
                Piece::Text(text) => {
                    let mut text = text.as_slice();
                    while let Some(bytes) = character_bytes(text) {
                        standing.push((&text[..bytes], at));
                        text = &text[bytes..];
                        at += 1;
                    }
                }
            }
        }
        standing.sort_unstable();
        let mut places: Vec<(Vec<u8>, Bits)> = Vec::new();
        for (character, place) in standing {
            if places.last().is_none_or(|(known, _)| known != character) {
                places.push((character.to_vec(), any.clone()));
            }
            if let Some((_, bits)) = places.last_mut() {
                bits[place / WORD] |= 1 << (place % WORD);
            }
        }
        let mut ascii = [None; 128];
        for (index, (character, _)) in places.iter().enumerate() {
            if let Some(slot) = ascii.get_mut(usize::from(character[0])) {
                *slot = u16::try_from(index).ok();
            }
        }
        Some(Self { places, any, ascii, characters })
    }

    /// What follows the first place in `text` where the stretch fits.
    pub(super) fn skip_past<'a>(&self, mut text: &'a [u8]) -> Option<&'a [u8]> {
        let mut state = [0_u64; MOST_WORDS];
        let state = &mut state[..self.any.len()];
        let last = self.characters - 1;
        while let Some(bytes) = character_bytes(text) {
            let (character, rest) = text.split_at(bytes);
            let mut carried = 1;
            for (word, may_stand) in state.iter_mut().zip(self.where_stands(character)) {
                let shifted = *word << 1 | carried;
                carried = *word >> (WORD - 1);
                *word = shifted & may_stand;
            }
            text = rest;
            if state[last / WORD] >> (last % WORD) & 1 == 1 {
                return Some(text);
            }
        }
        None
    }

    fn where_stands(&self, character: &[u8]) -> &[u64] {
        let index = match self.ascii.get(usize::from(character[0])) {
            Some(index) => index.map(usize::from),
            None => self.places.binary_search_by(|(known, _)| known.as_slice().cmp(character)).ok(),
        };
        index.map_or(&self.any, |index| &self.places[index].1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Like, Stretch};
    use super::*;
    use proptest::prelude::*;

    fn stretch(text: &str) -> Stretch {
        Like::new(text).head
    }

    fn search(stretch: &Stretch) -> Option<BitSearch> {
        BitSearch::of(&stretch.pieces, stretch.characters)
    }

    proptest! {
        #[test]
        fn a_stretch_is_found_where_trying_every_place_finds_it(
            pattern in "[abé_]{1,6}|[ab_]{60,70}|[a_]{120,140}",
            text in proptest::collection::vec(prop_oneof![
                4 => Just(b"a".to_vec()), 2 => Just(b"b".to_vec()), 1 => Just("é".as_bytes().to_vec()), 1 => Just(vec![0xc3])
            ], 0..300),
        ) {
            let stretch = stretch(&pattern);
            let text = text.concat();
            let found = search(&stretch).unwrap();
            prop_assert_eq!(found.skip_past(&text), stretch.try_every_place(&text));
        }
    }

    #[test]
    fn a_stretch_as_long_as_a_filter_may_be_is_looked_for() {
        let pattern = "a_".repeat(MAX_PATTERN_BYTES / 2);
        let text = format!("bb{}c", "ab".repeat(MAX_PATTERN_BYTES / 2));
        let found = search(&stretch(&pattern)).unwrap();
        assert_eq!(found.skip_past(text.as_bytes()), Some(&b"c"[..]));
        assert!(search(&stretch(&"_".repeat(MAX_PATTERN_BYTES + 1))).is_none());
    }
}
