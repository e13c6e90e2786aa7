//! The cells of one column in consecutive rows, side by side.
//!
//! A row at a time, every cell meets another column's state and another kind of cell. Here what is asked of one cell
//! is asked of all of them in one short loop, whose answers stay in registers.

use crate::csv::record::push_value;
use crate::csv::record::value::{Value, WORD_BYTES, prefix_bounds};
use crate::csv::scanner::RecordGroup;
use crate::csv::swar_digits::{
    Integers, ZEROS, digits_above_nine, matching_bytes, parse_digit_values, parse_short_integers,
};

use super::distinct::{hash_of, hash_of_ends};

/// So many cells are looked at together: a power of two, and as many as a batch of dense rows has.
pub(super) const MAX_CELLS: usize = 256;

/// What the first bytes of some cells may begin, as flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Starts(u8);

impl Starts {
    /// A number or a date.
    pub(super) const NUMERIC: Self = Self(1);
    /// Anything, behind blanks.
    pub(super) const BLANK: Self = Self(2);
    /// `true` or `false`.
    pub(super) const BOOLEAN: Self = Self(4);
    /// Only text.
    pub(super) const OTHER: Self = Self(8);
    /// Quotes, or text.
    const QUOTE: Self = Self(16);

    const OF: [u8; 256] = {
        let mut starts = [Self::OTHER.0; 256];
        let mut byte = 0;
        while byte < 256 {
            starts[byte] = match byte as u8 {
                b'0'..=b'9' | b'+' | b'-' | b'.' => Self::NUMERIC.0,
                b' ' | b'\t' => Self::BLANK.0,
                b't' | b'T' | b'f' | b'F' => Self::BOOLEAN.0,
                // So does an empty cell, which is nothing. A text may, and is one if the others allow nothing else.
                0 => 0,
                b'"' => Self::QUOTE.0 | Self::OTHER.0,
                _ => Self::OTHER.0,
            };
            byte += 1;
        }
        starts
    };

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The cells of a column that are not empty. Reused from column to column.
#[derive(Debug, Clone)]
pub(super) struct ColumnCells {
    count: usize,
    empties: u32,
    longest_bytes: u32,
    starts: Starts,
    /// As [`Value::head`].
    heads: [u64; MAX_CELLS],
    /// Where the values are in the piece, or how far behind its length in `unescaped`.
    places: [u32; MAX_CELLS],
    lens: [u32; MAX_CELLS],
    /// The values that are not simply bytes of the piece.
    unescaped: Vec<u8>,
    hashes: [u64; MAX_CELLS],
    integers: [u64; MAX_CELLS],
}

impl Default for ColumnCells {
    fn default() -> Self {
        Self {
            count: 0,
            empties: 0,
            longest_bytes: 0,
            starts: Starts::default(),
            heads: [0; MAX_CELLS],
            places: [0; MAX_CELLS],
            lens: [0; MAX_CELLS],
            unescaped: Vec::new(),
            hashes: [0; MAX_CELLS],
            integers: [0; MAX_CELLS],
        }
    }
}

/// What the first `WORD_BYTES` bytes of a value of so many bytes have of them.
const MASKS: [u64; WORD_BYTES + 1] = {
    let mut masks = [u64::MAX; WORD_BYTES + 1];
    let mut bytes = 0;
    while bytes < WORD_BYTES {
        masks[bytes] = (1 << (8 * bytes)) - 1;
        bytes += 1;
    }
    masks
};

impl ColumnCells {
    /// Takes the cells of a column in the first records of a group, of `columns` fields each; `record_starts` are where
    /// these start. Behind the last one the piece goes on for a word.
    ///
    /// A short loop for every step: one for all would have more to keep in mind than there are registers.
    pub(super) fn take(
        &mut self,
        group: RecordGroup<'_>,
        record_starts: &[u32],
        columns: usize,
        column: usize,
    ) {
        self.unescaped.clear();
        self.find_places(group, record_starts, columns, column);
        let (shortest_bytes, longest_bytes) =
            self.lens().iter().fold((u32::MAX, 0), |(low, high), &len| (len.min(low), len.max(high)));
        self.longest_bytes = longest_bytes;
        self.empties = 0;
        if shortest_bytes == 0 {
            self.leave_out_empty();
        }
        self.find_heads(group.piece);
        if self.starts.has(Starts::QUOTE) {
            self.unquote(group.piece, group.has_escapes);
        }
    }

    /// Finds where the cells start and how long they are, as if quotes meant nothing.
    #[inline(always)]
    fn find_places(&mut self, group: RecordGroup<'_>, record_starts: &[u32], columns: usize, column: usize) {
        let behind_separator = group.origin.wrapping_sub(1);
        let records = group.ends.chunks_exact(columns);
        let cells = self.places.iter_mut().zip(&mut self.lens);
        self.count = record_starts.len().min(MAX_CELLS);
        match column.checked_sub(1) {
            None => {
                for ((ends, &start), (place, len)) in records.zip(record_starts).zip(cells) {
                    *place = start;
                    *len = ends[0].wrapping_sub(group.origin).wrapping_sub(start);
                }
            }
            Some(before) => {
                for (ends, (place, len)) in records.take(self.count).zip(cells) {
                    *place = ends[before].wrapping_sub(behind_separator);
                    *len = ends[column].wrapping_sub(ends[before]).wrapping_sub(1);
                }
            }
        }
    }

    #[inline(never)]
    fn leave_out_empty(&mut self) {
        let mut count = 0;
        for at in 0..self.count {
            (self.places[count], self.lens[count]) = (self.places[at], self.lens[at]);
            self.heads[count] = self.heads[at];
            count += usize::from(self.lens[at] != 0);
        }
        self.empties += (self.count - count) as u32;
        self.count = count;
    }

    #[inline(always)]
    fn find_heads(&mut self, piece: &[u8]) {
        let mut starts = 0;
        let cells = self.places.iter().zip(&self.lens).take(self.count);
        for ((&place, &len), head) in cells.zip(&mut self.heads) {
            *head = word_at(piece, place) & MASKS[(len as usize).min(WORD_BYTES)];
            starts |= Starts::OF[*head as usize & 0xFF];
        }
        self.starts = Starts(starts);
    }

    /// Takes the quotes off the cells that are quoted.
    #[inline(never)]
    fn unquote(&mut self, piece: &[u8], has_escapes: bool) {
        let (mut starts, mut shortest_bytes, mut longest_bytes) = (0, u32::MAX, 0);
        for at in 0..self.count {
            let (place, len) = (self.places[at], self.lens[at]);
            if self.heads[at] as u8 == b'"' && len >= 2 {
                let (place, len, word) = self.unquoted(piece, place, place + len, has_escapes);
                self.heads[at] = word & MASKS[(len as usize).min(WORD_BYTES)];
                (self.places[at], self.lens[at]) = (place, len);
            }
            starts |= Starts::OF[self.heads[at] as usize & 0xFF];
            shortest_bytes = self.lens[at].min(shortest_bytes);
            longest_bytes = self.lens[at].max(longest_bytes);
        }
        (self.starts, self.longest_bytes) = (Starts(starts), longest_bytes);
        if shortest_bytes == 0 {
            self.leave_out_empty();
        }
    }

    /// The place of the value of a field in quotes, its length, and the word that it starts with.
    #[inline(always)]
    fn unquoted(&mut self, piece: &[u8], place: u32, end: u32, has_escapes: bool) -> (u32, u32, u64) {
        if has_escapes && next_quote(piece, place + 1, end) != end - 1 {
            return self.unescape(piece, place, end);
        }
        (place + 1, end - place - 2, word_at(piece, place + 1))
    }

    #[inline(never)]
    fn unescape(&mut self, piece: &[u8], place: u32, end: u32) -> (u32, u32, u64) {
        let from = self.unescaped.len();
        push_value(piece.get(place as usize..end as usize).unwrap_or_default(), &mut self.unescaped);
        let value = Value::new(&self.unescaped[from..]);
        ((piece.len() + from) as u32, value.bytes.len() as u32, value.head)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many more are empty.
    pub(super) fn empties(&self) -> u32 {
        self.empties
    }

    pub(super) fn longest_bytes(&self) -> u32 {
        self.longest_bytes
    }

    /// What they may be.
    pub(super) fn starts(&self) -> Starts {
        self.starts
    }

    /// As [`Value::head`], in order.
    #[inline(always)]
    pub(super) fn heads(&self) -> &[u64] {
        &self.heads[..self.count]
    }

    #[inline(always)]
    pub(super) fn lens(&self) -> &[u32] {
        &self.lens[..self.count]
    }

    /// The least and the greatest prefix.
    pub(super) fn prefixes(&self) -> (u64, u64) {
        prefix_bounds(self.heads())
    }

    /// A cell.
    #[inline(always)]
    pub(super) fn value<'a>(&'a self, at: usize, piece: &'a [u8]) -> Value<'a> {
        let (place, len) = (self.places[at] as usize, self.lens[at] as usize);
        let (text, start) = match place.checked_sub(piece.len()) {
            Some(start) => (&self.unescaped[..], start),
            None => (piece, place),
        };
        let bytes = text.get(start..start + len).unwrap_or_default();
        let tail = match bytes.last_chunk() {
            Some(last) if len > WORD_BYTES => u64::from_le_bytes(*last),
            _ => 0,
        };
        Value { bytes, head: self.heads[at], tail }
    }

    /// Finds the hashes of the cells, for [`ColumnCells::as_hashes`].
    #[inline(never)]
    pub(super) fn find_hashes(&mut self, piece: &[u8]) {
        const TWO_WORDS_BYTES: u32 = 2 * WORD_BYTES as u32;
        let cells = self.heads.iter().zip(&self.places).zip(&self.lens).take(self.count);
        if self.longest_bytes <= WORD_BYTES as u32 {
            for (((&head, _), &len), hash) in cells.zip(&mut self.hashes) {
                *hash = hash_of_ends(head, 0, len.into());
            }
            return;
        }
        for (((&head, &place), &len), hash) in cells.zip(&mut self.hashes) {
            let tail = last_word(piece, place.wrapping_add(len));
            let tail = if len > WORD_BYTES as u32 { tail } else { 0 };
            *hash = hash_of_ends(head, tail, len.into());
        }
        if self.longest_bytes > TWO_WORDS_BYTES || !self.unescaped.is_empty() {
            for at in 0..self.count {
                if self.lens[at] > TWO_WORDS_BYTES || self.places[at] as usize >= piece.len() {
                    self.hashes[at] = hash_of(self.value(at, piece));
                }
            }
        }
    }

    /// The hashes of the cells, in order, as found last.
    #[inline(always)]
    pub(super) fn as_hashes(&self) -> &[u64] {
        &self.hashes[..self.count]
    }

    /// The same, and room for as many.
    #[inline(always)]
    pub(super) fn hashes_and_room(&mut self) -> (&[u64], &mut [u64; MAX_CELLS]) {
        (&self.hashes[..self.count], &mut self.integers)
    }

    /// The integers they are, if all are digits, at most 15 of them, and none starts with a zero before another.
    #[inline(never)]
    pub(super) fn integers(&mut self, piece: &[u8]) -> Option<Integers> {
        const EXACT_DIGITS: u32 = 15;
        let count = self.count.min(MAX_CELLS);
        let heads = self.heads[..count].iter().zip(&self.lens);
        if heads.fold(false, |any, (&head, &len)| any | is_code(head, len)) {
            return None;
        }
        match self.longest_bytes {
            ..=8 => {
                let heads = self.heads[..count].iter().zip(&self.lens);
                for ((&head, &len), ones) in heads.zip(&mut self.integers) {
                    *ones = (head ^ ZEROS) << (64 - 8 * len);
                }
                parse_short_integers(&mut self.integers[..count])
            }
            ..=EXACT_DIGITS if self.unescaped.is_empty() => self.medium_integers(piece),
            _ => None,
        }
    }

    /// The same, of at most two words that lie in the piece.
    fn medium_integers(&mut self, piece: &[u8]) -> Option<Integers> {
        let count = self.count.min(MAX_CELLS);
        let mut odd = 0;
        let mut integers = Integers::NONE;
        for at in 0..count {
            let (head, len) = (self.heads[at], self.lens[at]);
            let last = last_word(piece, self.places[at] + len) ^ ZEROS;
            let (first, last) = match len {
                ..=8 => (0, (head ^ ZEROS) << (64 - 8 * len)),
                _ => ((head ^ ZEROS) << (128 - 8 * len), last),
            };
            odd |= digits_above_nine(first) | digits_above_nine(last);
            let integer = parse_digit_values(first) * 100_000_000 + parse_digit_values(last);
            integers.add(integer);
            self.integers[at] = integer;
        }
        (odd == 0).then_some(integers)
    }

    /// The first cell that is this integer, of those that [`ColumnCells::integers`] found last.
    #[cold]
    pub(super) fn position(&self, integer: u64) -> Option<usize> {
        self.integers[..self.count].iter().position(|&other| other == integer)
    }

    /// Those integers.
    pub(super) fn as_integers(&self) -> &[u64] {
        &self.integers[..self.count]
    }
}

/// Whether a number that begins so has a zero before another digit.
#[inline(always)]
fn is_code(head: u64, len: u32) -> bool {
    head as u8 == b'0' && len > 1
}

/// Where the next quote is, from `at` to `end`.
#[inline(always)]
fn next_quote(text: &[u8], mut at: u32, end: u32) -> u32 {
    while at < end {
        let quotes = matching_bytes(word_at(text, at), b'"');
        if quotes != 0 {
            return at + quotes.trailing_zeros() / 8;
        }
        at += WORD_BYTES as u32;
    }
    end
}

/// The word at `at`, or 0 if there is none.
#[inline(always)]
fn word_at(text: &[u8], at: u32) -> u64 {
    if u64::from(at) + WORD_BYTES as u64 > text.len() as u64 {
        return 0;
    }
    // SAFETY: a word from there on lies in the text. A slice would be checked at both ends, for every cell.
    u64::from_le(unsafe { text.as_ptr().add(at as usize).cast::<u64>().read_unaligned() })
}

/// The word that ends at `end`, or 0 if there is none.
#[inline(always)]
fn last_word(text: &[u8], end: u32) -> u64 {
    word_at(text, end.wrapping_sub(WORD_BYTES as u32))
}
