//! The cells of one column in consecutive rows, side by side.
//!
//! A row at a time, every cell meets another column's state and another kind of cell. Here what is asked of one cell
//! is asked of all of them in one short loop, whose answers stay in registers.

use crate::csv::digits::{ZEROS, beyond_ones, value_of_ones};
use crate::csv::record::push_value;
use crate::csv::scanner::Run;
use crate::csv::value::{Value, WORD_BYTES, prefix_bounds};

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

    const OF: [u8; 256] = {
        let mut starts = [Self::OTHER.0; 256];
        let mut byte = 0;
        while byte < 256 {
            starts[byte] = match byte as u8 {
                b'0'..=b'9' | b'+' | b'-' | b'.' => Self::NUMERIC.0,
                b' ' | b'\t' => Self::BLANK.0,
                b't' | b'T' | b'f' | b'F' => Self::BOOLEAN.0,
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
pub(super) struct Cells {
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

impl Default for Cells {
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

/// Integers that are not negative: the least, the greatest, and all of them together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Integers {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) sum: u64,
}

impl Cells {
    /// Takes the cells of a column in the first records of a run, of `columns` fields each; `record_starts` are where
    /// these start. Behind the last one the piece goes on for a word.
    #[inline(never)]
    pub(super) fn take(&mut self, run: Run<'_>, record_starts: &[u32], columns: usize, column: usize) {
        let Run { piece, ends, origin, has_escapes, .. } = run;
        self.unescaped.clear();
        let (mut count, mut longest_bytes, mut starts) = (0, 0, 0);
        for (ends, &record_start) in ends.chunks_exact(columns).zip(record_starts) {
            let mut place = match column {
                0 => record_start,
                _ => ends[column - 1].wrapping_sub(origin) + 1,
            };
            let end = ends[column].wrapping_sub(origin);
            let mut len = end.saturating_sub(place);
            let mut word = word_at(piece, place as usize);
            if word as u8 == b'"' && len >= 2 {
                (place, len, word) = self.unquoted(piece, place, end, has_escapes);
            }
            let head = word & MASKS[(len as usize).min(WORD_BYTES)];
            let at = count % MAX_CELLS;
            (self.heads[at], self.places[at], self.lens[at]) = (head, place, len);
            longest_bytes = len.max(longest_bytes);
            let is_filled = len != 0;
            starts |= Starts::OF[head as usize & 0xFF] * u8::from(is_filled);
            count += usize::from(is_filled);
        }
        self.count = count.min(MAX_CELLS);
        self.empties = (record_starts.len() - count) as u32;
        (self.longest_bytes, self.starts) = (longest_bytes, Starts(starts));
    }

    /// The place of the value of a field in quotes, its length, and the word that it starts with.
    #[inline(always)]
    fn unquoted(&mut self, piece: &[u8], place: u32, end: u32, has_escapes: bool) -> (u32, u32, u64) {
        let (start, last) = (place as usize + 1, end as usize - 1);
        if has_escapes && piece.get(start..last).is_some_and(|value| memchr::memchr(b'"', value).is_some()) {
            return self.unescape(piece, place, end);
        }
        (place + 1, end - place - 2, word_at(piece, start))
    }

    #[inline(never)]
    fn unescape(&mut self, piece: &[u8], place: u32, end: u32) -> (u32, u32, u64) {
        let from = self.unescaped.len();
        push_value(piece.get(place as usize..end as usize).unwrap_or_default(), &mut self.unescaped);
        let value = Value::alone(&self.unescaped[from..]);
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

    /// As [`Value::tail`], of a cell that lies in the piece.
    #[inline(always)]
    fn tail(&self, at: usize, piece: &[u8]) -> u64 {
        let (place, len) = (self.places[at] as usize, self.lens[at] as usize);
        let tail = word_at(piece, (place + len).max(WORD_BYTES) - WORD_BYTES);
        tail & u64::from(len > WORD_BYTES).wrapping_neg()
    }

    /// Finds the hashes of the cells, for [`Cells::as_hashes`].
    #[inline(never)]
    pub(super) fn find_hashes(&mut self, piece: &[u8]) {
        const TWO_WORDS_BYTES: u32 = 2 * WORD_BYTES as u32;
        let count = self.count.min(MAX_CELLS);
        match self.longest_bytes {
            ..=8 => {
                for at in 0..count {
                    self.hashes[at] = hash_of_ends(self.heads[at], 0, self.lens[at].into());
                }
            }
            ..=TWO_WORDS_BYTES if self.unescaped.is_empty() => {
                for at in 0..count {
                    let tail = self.tail(at, piece);
                    self.hashes[at] = hash_of_ends(self.heads[at], tail, self.lens[at].into());
                }
            }
            _ => {
                for at in 0..count {
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

    /// The integers they are, if all are digits, at most 15 of them, and none starts with a zero before another.
    #[inline(never)]
    pub(super) fn integers(&mut self, piece: &[u8]) -> Option<Integers> {
        const EXACT_DIGITS: u32 = 15;
        let count = self.count.min(MAX_CELLS);
        let mut odd = 0;
        let mut integers = Integers { low: u64::MAX, high: 0, sum: 0 };
        let mut see = |at: usize, integer: u64| {
            self.integers[at] = integer;
            integers.low = integers.low.min(integer);
            integers.high = integers.high.max(integer);
            integers.sum += integer;
        };
        match self.longest_bytes {
            ..=8 => {
                for at in 0..count {
                    let (head, len) = (self.heads[at], self.lens[at]);
                    let ones = (head ^ ZEROS) << (64 - 8 * len);
                    odd |= beyond_ones(ones) | u64::from(is_code(head, len));
                    see(at, value_of_ones(ones));
                }
            }
            ..=EXACT_DIGITS if self.unescaped.is_empty() => {
                for at in 0..count {
                    let (head, len) = (self.heads[at], self.lens[at]);
                    let place = self.places[at] as usize;
                    let last = word_at(piece, (place + len as usize).max(WORD_BYTES) - WORD_BYTES) ^ ZEROS;
                    let (first, last) = match len {
                        ..=8 => (0, (head ^ ZEROS) << (64 - 8 * len)),
                        _ => ((head ^ ZEROS) << (128 - 8 * len), last),
                    };
                    odd |= beyond_ones(first) | beyond_ones(last) | u64::from(is_code(head, len));
                    see(at, value_of_ones(first) * 100_000_000 + value_of_ones(last));
                }
            }
            _ => return None,
        }
        (odd == 0).then_some(integers)
    }

    /// The first cell that is this integer, of those that [`Cells::integers`] found last.
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

/// The word at `at`, or 0 if there is none.
#[inline(always)]
fn word_at(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}
