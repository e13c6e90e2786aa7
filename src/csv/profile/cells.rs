//! The cells of one column in consecutive rows, as arrays.
//!
//! A loop over rows would need the state of another column after each cell. Here, each step is a short loop over the
//! cells of one column. The state of this column stays in registers during the loop.

use crate::csv::record::push_value;
use crate::csv::record::value::{Value, WORD_BYTES, prefix_bounds};
use crate::csv::scanner::RecordGroup;
use crate::csv::swar_digits::{
    Integers, ZEROS, digits_above_nine, matching_bytes, parse_digit_values, parse_short_integers,
};

use super::hash::{hash_of, hash_of_ends};

/// Maximum number of cells that are processed together. A window has this number of rows if each row has 64 bytes. The
/// number is a power of two, so that [`Distinct::insert_many`](super::distinct::Distinct::insert_many) can wrap an
/// index cheaply.
pub(super) const MAX_CELLS: usize = 256;

/// Flags for the kinds that the cells of a column can have, judged by the first byte of each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KindHints(u8);

impl KindHints {
    /// Some cells can be numbers, dates or text.
    pub(super) const NUMERIC: Self = Self(1);
    /// Some cells begin with a blank and can be of any kind.
    pub(super) const BLANK: Self = Self(2);
    /// Some cells can be `true`, `false`, a word for a missing value, or text.
    pub(super) const WORD: Self = Self(4);
    /// Some cells can only be text.
    pub(super) const OTHER: Self = Self(8);
    /// Some cells can be quoted values or text.
    const QUOTE: Self = Self(16);

    const BY_FIRST_BYTE: [u8; 256] = {
        let mut hints = [Self::OTHER.0; 256];
        let mut byte = 0;
        while byte < 256 {
            hints[byte] = match byte as u8 {
                b'0'..=b'9' | b'+' | b'-' | b'.' => Self::NUMERIC.0,
                b' ' | b'\t' => Self::BLANK.0,
                b't' | b'T' | b'f' | b'F' | b'n' | b'N' | b'?' | b'#' => Self::WORD.0,
                // A head that starts with NUL belongs to an empty cell, or to a text that starts with NUL. The empty
                // cell has no kind, so it sets no flag. The text needs no flag, because a cell without a flag is
                // classified as text.
                0 => 0,
                b'"' => Self::QUOTE.0 | Self::OTHER.0,
                _ => Self::OTHER.0,
            };
            byte += 1;
        }
        hints
    };

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The non-empty cells of a column. The buffers are reused for every column.
#[derive(Debug, Clone)]
pub(super) struct ColumnCells {
    count: usize,
    empties: u32,
    longest_bytes: u32,
    hints: KindHints,
    /// [`Value::head`] of each cell.
    heads: [u64; MAX_CELLS],
    /// Offset of each value in the piece. If the offset is at least the length of the piece, the value is in
    /// `unescaped`, at the offset minus this length.
    offsets: [u32; MAX_CELLS],
    lens: [u32; MAX_CELLS],
    /// The values that had doubled quotes, unescaped.
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
            hints: KindHints::default(),
            heads: [0; MAX_CELLS],
            offsets: [0; MAX_CELLS],
            lens: [0; MAX_CELLS],
            unescaped: Vec::new(),
            hashes: [0; MAX_CELLS],
            integers: [0; MAX_CELLS],
        }
    }
}

/// The mask with the index `n` keeps the first `n` bytes of a word and sets its other bytes to 0.
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
    /// Loads the cells of a column from the first records of a record group. Each record has `columns` fields and
    /// starts at its offset in `record_starts`. At least one word of the piece must follow the last record.
    ///
    /// Each step has its own short loop: a single loop would need more values than there are registers.
    pub(super) fn load(
        &mut self,
        group: RecordGroup<'_>,
        record_starts: &[u32],
        columns: usize,
        column: usize,
    ) {
        self.unescaped.clear();
        self.find_offsets(group, record_starts, columns, column);
        let (shortest_bytes, longest_bytes) =
            self.lens().iter().fold((u32::MAX, 0), |(low, high), &len| (len.min(low), len.max(high)));
        self.longest_bytes = longest_bytes;
        self.empties = 0;
        if shortest_bytes == 0 {
            self.remove_empty();
        }
        self.load_heads(group.piece);
        if self.hints.has(KindHints::QUOTE) {
            self.unquote(group.piece, group.has_escapes);
        }
    }

    /// Computes the offset and the length of each field (quotes included).
    #[inline(always)]
    fn find_offsets(&mut self, group: RecordGroup<'_>, record_starts: &[u32], columns: usize, column: usize) {
        let origin_minus_one = group.origin.wrapping_sub(1);
        let records = group.ends.chunks_exact(columns);
        let cells = self.offsets.iter_mut().zip(&mut self.lens);
        self.count = record_starts.len().min(MAX_CELLS);
        match column.checked_sub(1) {
            None => {
                for ((ends, &start), (offset, len)) in records.zip(record_starts).zip(cells) {
                    *offset = start;
                    *len = ends[0].wrapping_sub(group.origin).wrapping_sub(start);
                }
            }
            Some(before) => {
                for (ends, (offset, len)) in records.take(self.count).zip(cells) {
                    *offset = ends[before].wrapping_sub(origin_minus_one);
                    *len = ends[column].wrapping_sub(ends[before]).wrapping_sub(1);
                }
            }
        }
    }

    #[inline(never)]
    fn remove_empty(&mut self) {
        let mut count = 0;
        for at in 0..self.count {
            (self.offsets[count], self.lens[count]) = (self.offsets[at], self.lens[at]);
            self.heads[count] = self.heads[at];
            count += usize::from(self.lens[at] != 0);
        }
        self.empties += (self.count - count) as u32;
        self.count = count;
    }

    #[inline(always)]
    fn load_heads(&mut self, piece: &[u8]) {
        let mut hints = 0;
        let cells = self.offsets.iter().zip(&self.lens).take(self.count);
        for ((&offset, &len), head) in cells.zip(&mut self.heads) {
            *head = word_at(piece, offset) & MASKS[(len as usize).min(WORD_BYTES)];
            hints |= KindHints::BY_FIRST_BYTE[*head as usize & 0xFF];
        }
        self.hints = KindHints(hints);
    }

    /// Removes the quotes of quoted cells.
    #[inline(never)]
    fn unquote(&mut self, piece: &[u8], has_escapes: bool) {
        let (mut hints, mut shortest_bytes, mut longest_bytes) = (0, u32::MAX, 0);
        for at in 0..self.count {
            let (offset, len) = (self.offsets[at], self.lens[at]);
            if self.heads[at] as u8 == b'"' && len >= 2 {
                let (offset, len, word) = self.unquoted(piece, offset, offset + len, has_escapes);
                self.heads[at] = word & MASKS[(len as usize).min(WORD_BYTES)];
                (self.offsets[at], self.lens[at]) = (offset, len);
            }
            hints |= KindHints::BY_FIRST_BYTE[self.heads[at] as usize & 0xFF];
            shortest_bytes = self.lens[at].min(shortest_bytes);
            longest_bytes = self.lens[at].max(longest_bytes);
        }
        (self.hints, self.longest_bytes) = (KindHints(hints), longest_bytes);
        if shortest_bytes == 0 {
            self.remove_empty();
        }
    }

    /// Returns the offset, the length and the first word of the value of a quoted field.
    #[inline(always)]
    fn unquoted(&mut self, piece: &[u8], offset: u32, end: u32, has_escapes: bool) -> (u32, u32, u64) {
        if has_escapes && next_quote(piece, offset + 1, end) != end - 1 {
            return self.unescape(piece, offset, end);
        }
        (offset + 1, end - offset - 2, word_at(piece, offset + 1))
    }

    #[inline(never)]
    fn unescape(&mut self, piece: &[u8], offset: u32, end: u32) -> (u32, u32, u64) {
        let from = self.unescaped.len();
        push_value(piece.get(offset as usize..end as usize).unwrap_or_default(), &mut self.unescaped);
        let value = Value::new(&self.unescaped[from..]);
        ((piece.len() + from) as u32, value.bytes.len() as u32, value.head)
    }

    /// Returns the number of cells that are not empty.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the number of empty cells.
    pub(super) fn empties(&self) -> u32 {
        self.empties
    }

    pub(super) fn longest_bytes(&self) -> u32 {
        self.longest_bytes
    }

    /// Returns flags for the kinds that the cells can have.
    pub(super) fn kind_hints(&self) -> KindHints {
        self.hints
    }

    /// Returns [`Value::head`] of each cell, in order.
    #[inline(always)]
    pub(super) fn heads(&self) -> &[u64] {
        &self.heads[..self.count]
    }

    #[inline(always)]
    pub(super) fn lens(&self) -> &[u32] {
        &self.lens[..self.count]
    }

    /// Returns the smallest and the greatest prefix of the cells.
    pub(super) fn prefixes(&self) -> (u64, u64) {
        prefix_bounds(self.heads())
    }

    /// Returns the cell with index `at`.
    #[inline(always)]
    pub(super) fn value<'a>(&'a self, at: usize, piece: &'a [u8]) -> Value<'a> {
        let (offset, len) = (self.offsets[at] as usize, self.lens[at] as usize);
        let (text, start) = match offset.checked_sub(piece.len()) {
            Some(start) => (&self.unescaped[..], start),
            None => (piece, offset),
        };
        let bytes = text.get(start..start + len).unwrap_or_default();
        let tail = match bytes.last_chunk() {
            Some(last) if len > WORD_BYTES => u64::from_le_bytes(*last),
            _ => 0,
        };
        Value { bytes, head: self.heads[at], tail }
    }

    /// Computes the hashes that [`ColumnCells::hashes`] returns.
    #[inline(never)]
    pub(super) fn compute_hashes(&mut self, piece: &[u8]) {
        const TWO_WORDS_BYTES: u32 = 2 * WORD_BYTES as u32;
        let cells = self.heads.iter().zip(&self.offsets).zip(&self.lens).take(self.count);
        if self.longest_bytes <= WORD_BYTES as u32 {
            for (((&head, _), &len), hash) in cells.zip(&mut self.hashes) {
                *hash = hash_of_ends(head, 0, len.into());
            }
            return;
        }
        for (((&head, &offset), &len), hash) in cells.zip(&mut self.hashes) {
            let tail = last_word(piece, offset.wrapping_add(len));
            let tail = if len > WORD_BYTES as u32 { tail } else { 0 };
            *hash = hash_of_ends(head, tail, len.into());
        }
        if self.longest_bytes > TWO_WORDS_BYTES || !self.unescaped.is_empty() {
            for at in 0..self.count {
                if self.lens[at] > TWO_WORDS_BYTES || self.offsets[at] as usize >= piece.len() {
                    self.hashes[at] = hash_of(self.value(at, piece));
                }
            }
        }
    }

    /// Returns the hashes of the cells, in order, as last computed by [`ColumnCells::compute_hashes`].
    #[inline(always)]
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes[..self.count]
    }

    /// Returns the hashes, and a buffer that has room for one value per hash. The buffer is the memory of the integers
    /// that [`ColumnCells::as_integers`] returns: a write to the buffer destroys these integers.
    #[inline(always)]
    pub(super) fn hashes_and_room(&mut self) -> (&[u64], &mut [u64; MAX_CELLS]) {
        (&self.hashes[..self.count], &mut self.integers)
    }

    /// Parses all cells as integers. Each cell must have 1 to 15 digits and no other bytes. A cell of several digits
    /// must not start with a zero. Returns `None` if a cell has another form.
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

    /// Does the same as [`ColumnCells::integers`]. Every cell must have at most sixteen bytes, and no cell may be in
    /// `unescaped`.
    fn medium_integers(&mut self, piece: &[u8]) -> Option<Integers> {
        let count = self.count.min(MAX_CELLS);
        let mut odd = 0;
        let mut integers = Integers::NONE;
        for at in 0..count {
            let (head, len) = (self.heads[at], self.lens[at]);
            let last = last_word(piece, self.offsets[at] + len) ^ ZEROS;
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

    /// Returns the index of the first cell with this integer. [`ColumnCells::integers`] must have parsed the cells.
    #[cold]
    pub(super) fn position(&self, integer: u64) -> Option<usize> {
        self.integers[..self.count].iter().position(|&other| other == integer)
    }

    /// Returns the integers that [`ColumnCells::integers`] parsed, in order.
    pub(super) fn as_integers(&self) -> &[u64] {
        &self.integers[..self.count]
    }
}

/// Whether a number with this head starts with a zero and has more than one byte.
#[inline(always)]
fn is_code(head: u64, len: u32) -> bool {
    head as u8 == b'0' && len > 1
}

/// Returns the offset of the next quote from `at` on. If there is no quote before `end`, the result is at least `end`.
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

/// Reads the word that starts at `at`; 0 if the text has no whole word there.
#[inline(always)]
fn word_at(text: &[u8], at: u32) -> u64 {
    if u64::from(at) + WORD_BYTES as u64 > text.len() as u64 {
        return 0;
    }
    // SAFETY: the text has a whole word at `at`, as checked above. A slice would check both ends for every cell.
    u64::from_le(unsafe { text.as_ptr().add(at as usize).cast::<u64>().read_unaligned() })
}

/// Reads the word that ends at `end`; 0 if the text has no whole word there.
#[inline(always)]
fn last_word(text: &[u8], end: u32) -> u64 {
    word_at(text, end.wrapping_sub(WORD_BYTES as u32))
}
