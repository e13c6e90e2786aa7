//! Finds and counts the byte sequences of a file that cannot be decoded.
//!
//! [`Utf8Check`] finds these *bad sequences* in UTF-8 files, and the transcoder finds them in other files. Both note
//! the positions of the first hundred in [`BadSequences`]. The record and the line of a bad sequence are unknown until
//! the record reader has read the first byte of the sequence.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use encoding_rs::Encoding;
use serde::Serialize;
use std::collections::VecDeque;

/// Maximum number of bad sequences whose places are listed.
pub const MAX_UNDECODABLE_PLACES: usize = 100;

/// The place of a byte sequence that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UndecodablePlace {
    /// Number of the row, from 1; 0 is the header.
    pub record: u64,
    /// Line on which the record starts, from 1.
    pub line: u64,
    /// Position of the sequence, in bytes from the start of the file. If the file is not UTF-8, the position is in
    /// bytes from the start of the converted UTF-8 text.
    pub byte: u64,
}

impl UndecodablePlace {
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        for value in [self.record, self.line, self.byte] {
            state.number(value);
        }
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self { record: state.number()?, line: state.number()?, byte: state.number()? })
    }
}

/// The number of byte sequences of a file that cannot be decoded, and the places of the first hundred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undecodable {
    /// Number of sequences.
    pub count: u64,
    /// The places of the first hundred sequences.
    pub places: Vec<UndecodablePlace>,
}

impl Undecodable {
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        state.number(self.count);
        state.list(&self.places, |state, place| place.save(state));
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let count = state.total()?;
        let places = state.list(UndecodablePlace::restore)?;
        let is_consistent = places.len() <= MAX_UNDECODABLE_PLACES && places.len() as u64 <= count;
        if is_consistent { Ok(Self { count, places }) } else { Err(StateError::Damaged) }
    }
}

/// Counts bad sequences. Keeps the positions of the first hundred, each until the record reader has read the byte at
/// this position.
#[derive(Debug, Clone, Default)]
pub(in crate::csv) struct BadSequences {
    count: u64,
    waiting: VecDeque<u64>,
}

impl BadSequences {
    pub(super) fn note(&mut self, byte: u64) {
        self.count += 1;
        if self.count <= MAX_UNDECODABLE_PLACES as u64 {
            self.waiting.push_back(byte);
        }
    }

    /// Returns the number of sequences found so far.
    pub(in crate::csv) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the position of the first sequence whose record is not known yet, if this position is before `end`.
    pub(in crate::csv) fn next_before(&self, end: u64) -> Option<u64> {
        self.waiting.front().copied().filter(|&byte| byte < end)
    }

    /// Removes the position that [`BadSequences::next_before`] returned.
    pub(in crate::csv) fn take(&mut self) {
        self.waiting.pop_front();
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.number(self.count);
        state.count(self.waiting.len());
        for &byte in &self.waiting {
            state.number(byte);
        }
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let count = state.total()?;
        let waiting = VecDeque::from(state.list(StateReader::total)?);
        let is_consistent = waiting.len() <= MAX_UNDECODABLE_PLACES && waiting.len() as u64 <= count;
        if is_consistent { Ok(Self { count, waiting }) } else { Err(StateError::Damaged) }
    }
}

/// Maximum length of an unfinished character, in bytes.
const MAX_TAIL_BYTES: usize = 3;
/// Number of bytes that the standard library checks after a bad sequence. The standard library starts a check faster
/// than `encoding_rs`, but checks long texts more slowly.
const SLOW_BYTES: usize = 512;

/// Finds the invalid byte sequences of a UTF-8 text. [`String::from_utf8_lossy`] would replace each of them with one
/// U+FFFD.
#[derive(Debug, Clone, Default)]
pub(in crate::csv) struct Utf8Check {
    /// Position up to which the text was checked.
    checked_to: u64,
    /// The bytes of the unfinished character that end at `checked_to`.
    tail: Vec<u8>,
    pub(in crate::csv) bad: BadSequences,
}

impl Utf8Check {
    /// Creates a check of a text that starts at `byte`.
    pub(in crate::csv) fn from(byte: u64) -> Self {
        Self { checked_to: byte, ..Self::default() }
    }

    /// Checks the bytes of `text` that were not checked yet. `byte` is the position at which `text` starts.
    pub(in crate::csv) fn check(&mut self, text: &[u8], byte: u64) {
        let known = usize::try_from(self.checked_to.saturating_sub(byte)).unwrap_or(usize::MAX);
        let Some(mut rest) = text.get(known..) else { return };
        let end = byte + text.len() as u64;
        while let [first, after @ ..] = rest
            && !self.tail.is_empty()
        {
            self.tail.push(*first);
            match std::str::from_utf8(&self.tail) {
                Ok(_) => {
                    self.tail.clear();
                    rest = after;
                }
                Err(error) if error.error_len().is_none() => rest = after,
                // The byte does not belong to the unfinished character. The check continues at this byte.
                Err(_) => self.end_tail(end - rest.len() as u64 + 1),
            }
        }
        while !rest.is_empty() {
            let valid = Encoding::utf8_valid_up_to(rest);
            rest = self.check_slowly(&rest[valid..], end);
        }
        self.checked_to = self.checked_to.max(end);
    }

    /// Checks at least the first sequence of `rest`. Returns the unchecked bytes. `end` is the position after `rest`.
    fn check_slowly<'a>(&mut self, mut rest: &'a [u8], end: u64) -> &'a [u8] {
        let stop = rest.len().saturating_sub(SLOW_BYTES);
        while rest.len() > stop {
            let Err(error) = std::str::from_utf8(&rest[..rest.len().min(SLOW_BYTES)]) else {
                return &rest[rest.len().min(SLOW_BYTES)..];
            };
            rest = &rest[error.valid_up_to()..];
            match error.error_len() {
                Some(length) => {
                    self.bad.note(end - rest.len() as u64);
                    rest = &rest[length..];
                }
                None if rest.len() <= MAX_TAIL_BYTES => {
                    self.tail = rest.to_vec();
                    return &[];
                }
                None => return rest,
            }
        }
        rest
    }

    /// Ends the unfinished character. `end` is the position after the bytes in `tail`.
    fn end_tail(&mut self, end: u64) {
        self.bad.note(end - self.tail.len() as u64);
        self.tail.clear();
    }

    /// Ends the text. If the text ends inside a character, counts the bytes of this character as a bad sequence.
    pub(in crate::csv) fn finish(&mut self) {
        if !self.tail.is_empty() {
            self.end_tail(self.checked_to);
        }
    }

    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        state.number(self.checked_to);
        state.bytes(&self.tail);
        self.bad.save(state);
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (checked_to, tail) = (state.total()?, state.bytes()?.to_vec());
        let is_unfinished = tail.len() <= MAX_TAIL_BYTES
            && tail.len() as u64 <= checked_to
            && std::str::from_utf8(&tail)
                .map_or_else(|error| error.error_len().is_none(), |_| tail.is_empty());
        if !is_unfinished {
            return Err(StateError::Damaged);
        }
        Ok(Self { checked_to, tail, bad: BadSequences::restore(state)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn positions(file: &[u8], piece_bytes: usize) -> Vec<u64> {
        let mut check = Utf8Check::from(10);
        let mut byte = 10;
        for piece in file.chunks(piece_bytes) {
            check.check(piece, byte);
            // A piece may be checked twice.
            check.check(&piece[piece.len() / 2..], byte + (piece.len() / 2) as u64);
            byte += piece.len() as u64;
        }
        check.finish();
        check.finish();
        assert_eq!(check.bad.count().min(100), check.bad.waiting.len() as u64);
        check.bad.waiting.into_iter().map(|byte| byte - 10).collect()
    }

    /// Returns the positions that the standard library finds.
    fn expected(file: &[u8]) -> Vec<u64> {
        let mut at = 0;
        let mut positions = Vec::new();
        for chunk in file.utf8_chunks() {
            at += chunk.valid().len() as u64;
            if !chunk.invalid().is_empty() {
                positions.push(at);
            }
            at += chunk.invalid().len() as u64;
        }
        positions.truncate(MAX_UNDECODABLE_PLACES);
        positions
    }

    #[test]
    fn every_sequence_that_is_not_valid_is_found_once() {
        let mut long = "é€😀x".repeat(400).into_bytes();
        long[700] = 0xFF;
        long.extend(b"\xF0\x9F");
        for file in [
            &b""[..],
            b"abc",
            "größe €😀".as_bytes(),
            b"Ren\xE9\nx",
            b"\xC3\x28\xE2\x82\x28\xF0\x9F\x98",
            b"\xED\xA0\xBD\xED\xB8\x80",
            b"\x80\x80\xFF\xC0\xAF",
            &[0xE9; 1500],
            &long,
        ] {
            for piece_bytes in [1, 2, 3, 5, 64, 512, 4096] {
                assert_eq!(positions(file, piece_bytes), expected(file), "{file:?} in {piece_bytes}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_check_agrees_with_the_standard_library(
            parts in proptest::collection::vec(prop_oneof![
                Just(vec![b'a'; 30]), Just("é".into()), Just("€".into()), Just("😀".into()),
                proptest::collection::vec(any::<u8>(), 0..4), Just(vec![0xE2, 0x82]), Just(vec![0xF0, 0x9F, 0x98]),
            ], 0..60),
            piece_bytes in 1..40_usize,
        ) {
            let file = parts.concat();
            prop_assert_eq!(positions(&file, piece_bytes), expected(&file));
        }
    }
}
