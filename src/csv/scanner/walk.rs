//! Two ways to get the ends of the fields of a record from the masks of separators. A separator is a delimiter or a
//! line break outside quotes.
//!
//! [`Positions`] writes the position of every separator, several at a time, without testing where records end.
//! [`Positions`] is faster for short records and if most fields are wanted. [`Sparse`] counts separators and locates
//! only those directly before or after a wanted field. [`Sparse`] is faster for wide records with few wanted fields.
//! Both ways give the same result for the wanted fields.
//!
//! Positions have 32 bits and count from the start of the record that was unfinished at the start of the piece.
//! A position may wrap, because only differences within one record are used.

use super::block::WINDOW_BLOCKS;
use super::block::{BLOCK_BYTES, Masks};

/// The fields to locate in each record.
#[derive(Debug, Clone)]
pub(in crate::csv) struct Wanted {
    /// The wanted fields, ascending and without duplicates.
    fields: Box<[usize]>,
    /// The separators to locate, ascending: those directly before or after a wanted field. The last entry is
    /// [`NO_SEPARATOR`].
    separators: Box<[u32]>,
}

/// An index greater than the index of any separator.
const NO_SEPARATOR: u32 = u32::MAX;

impl Wanted {
    /// Creates the set of the given fields, which may be in any order and have duplicates.
    pub(in crate::csv) fn fields(fields: impl IntoIterator<Item = usize>) -> Self {
        let mut fields: Vec<usize> = fields.into_iter().collect();
        fields.sort_unstable();
        fields.dedup();
        let around = |&field: &usize| [field.checked_sub(1), Some(field)].into_iter().flatten();
        let mut separators: Vec<u32> = fields.iter().flat_map(around).map(|at| at as u32).collect();
        separators.dedup();
        separators.push(NO_SEPARATOR);
        Self { fields: fields.into_boxed_slice(), separators: separators.into_boxed_slice() }
    }

    /// Creates the set of the first `count` fields.
    pub(in crate::csv) fn first(count: usize) -> Self {
        Self::fields(0..count)
    }

    /// Returns the wanted fields, ascending.
    pub(in crate::csv) fn as_slice(&self) -> &[usize] {
        &self.fields
    }

    /// Returns the number of slots that a record needs: one for each field up to the last wanted field.
    pub(in crate::csv) fn slots(&self) -> usize {
        self.fields.last().map_or(0, |last| last + 1)
    }

    /// Returns the number of separators to locate.
    pub(in crate::csv) fn separator_count(&self) -> usize {
        self.separators.len() - 1
    }

    /// Returns a buffer that is large enough for both walks.
    pub(in crate::csv) fn buffer(&self) -> Vec<u32> {
        vec![0; 2 * self.slots() + WINDOW_SLOTS + BLOCK_BYTES]
    }
}

/// Maximum number of separators in a window.
const WINDOW_SLOTS: usize = WINDOW_BLOCKS * BLOCK_BYTES;

/// Finds the field ends of records from the separators of blocks, one window at a time.
pub(in crate::csv) trait Walk<'a> {
    /// Continues with a record in which `fields` fields have ended. The ends of these fields are at the start of
    /// `buffer`.
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self;

    /// Makes room for the separators of a window.
    fn make_room(&mut self);

    /// Adds the separators of the next blocks. The first of these blocks starts at `base`. Prefetches `next`, the text
    /// after these blocks.
    fn add_blocks<M: Masks>(
        &mut self,
        separators: impl ExactSizeIterator<Item = u64>,
        base: u32,
        next: &[u8],
    );

    /// Ends the current record at the separator `end`, which must have been added. Returns the ends of its
    /// fields, at least up to the last wanted field, and the number of its fields.
    fn end_record(&mut self, end: u32) -> (&[u32], usize);

    /// Returns the positions of all separators after the start of the current record. Returns `None` if some of these
    /// positions were not written.
    fn ends(&self) -> Option<&[u32]>;

    /// Skips the next `positions` positions, which must be all positions of one or more records.
    fn skip_positions(&mut self, positions: usize) {
        let _ = positions;
    }

    /// Adds the separators after the last record end of the window to the unfinished record.
    fn end_window(&mut self);

    /// Saves the unfinished record: writes the ends of its fields to the beginning of the buffer. The ends count from
    /// the position `start`. Returns the number of fields that have ended.
    fn suspend(self, start: u32) -> usize;
}

/// Writes the position of every separator.
pub(in crate::csv) struct Positions<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    /// Index in the buffer of the first position of the current record.
    first: usize,
    /// Index in the buffer after the last position.
    filled: usize,
    /// Number of fields of the current record that come after the last slot and whose positions were dropped.
    forgotten: usize,
    /// Number of positions of the previous record, minus 1. Most records have the same number of fields, so
    /// `end_record` tries this span first.
    typical_span: usize,
    /// Estimated number of separators per block.
    typical_per_block: usize,
}

impl<'a> Walk<'a> for Positions<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let slots = wanted.slots();
        let filled = fields.min(slots);
        Self {
            buffer,
            slots,
            first: 0,
            filled,
            forgotten: fields - filled,
            typical_span: 0,
            typical_per_block: 0,
        }
    }

    #[inline(always)]
    fn make_room(&mut self) {
        if self.filled + WINDOW_SLOTS + BLOCK_BYTES > self.buffer.len() {
            self.move_to_start();
        }
    }

    #[inline(always)]
    fn add_blocks<M: Masks>(
        &mut self,
        separators: impl ExactSizeIterator<Item = u64>,
        base: u32,
        next: &[u8],
    ) {
        (self.filled, self.typical_per_block) =
            M::write_positions(separators, base, self.buffer, self.filled, self.typical_per_block, next);
    }

    #[inline(always)]
    fn end_record(&mut self, end: u32) -> (&[u32], usize) {
        let first = self.first;
        let mut last = first + self.typical_span;
        if self.buffer[..self.filled].get(last) != Some(&end) {
            last = self.search(end);
            self.typical_span = last - first;
        }
        let fields = last + 1 - first + self.forgotten;
        (self.first, self.forgotten) = (last + 1, 0);
        (&self.buffer[first..=last], fields)
    }

    #[inline(always)]
    fn ends(&self) -> Option<&[u32]> {
        (self.forgotten == 0).then(|| &self.buffer[self.first..self.filled])
    }

    #[inline(always)]
    fn skip_positions(&mut self, positions: usize) {
        self.first += positions;
    }

    #[inline(always)]
    fn end_window(&mut self) {}

    fn suspend(mut self, start: u32) -> usize {
        self.move_to_start();
        for end in &mut self.buffer[..self.filled] {
            *end = end.wrapping_sub(start);
        }
        self.filled + self.forgotten
    }
}

impl Positions<'_> {
    /// Returns the index in the buffer of the position `end`.
    #[inline(never)]
    fn search(&self, end: u32) -> usize {
        let positions = &self.buffer[self.first..self.filled];
        let start = positions.first().copied().unwrap_or(end);
        let end = end.wrapping_sub(start);
        self.first + positions.partition_point(|&position| position.wrapping_sub(start) < end)
    }

    /// Moves the positions of the current record to the start of the buffer.
    #[inline(never)]
    fn move_to_start(&mut self) {
        let count = self.filled - self.first;
        let kept = count.min(self.slots);
        self.buffer.copy_within(self.first..self.first + kept, 0);
        (self.first, self.filled) = (0, kept);
        self.forgotten += count - kept;
    }
}

/// Counts separators and locates only the wanted ones.
pub(in crate::csv) struct Sparse<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    wanted: &'a [u32],
    /// Number of wanted separators of the current record that have been located.
    located: usize,
    /// Index of the next wanted separator in the current record.
    next: u32,
    /// Number of separators of the current record that have been counted.
    fields: u32,
    /// An entry for each block of the window. The items are: (1) the mask of the separators that have not been counted
    /// yet; (2) the position of the block; (3) the number of set bits in the mask.
    blocks: [(u64, u32, u32); WINDOW_BLOCKS],
    block_count: usize,
    /// Index of the first block whose separators have not all been counted.
    block: usize,
}

impl<'a> Walk<'a> for Sparse<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let (slots, wanted) = (wanted.slots(), &*wanted.separators);
        let fields = u32::try_from(fields).unwrap_or(NO_SEPARATOR);
        let located = wanted.partition_point(|&separator| separator < fields);
        let next = wanted.get(located).copied().unwrap_or(NO_SEPARATOR);
        let blocks = [(0, 0, 0); WINDOW_BLOCKS];
        Self { buffer, slots, wanted, located, next, fields, blocks, block_count: 0, block: 0 }
    }

    #[inline(always)]
    fn make_room(&mut self) {
        (self.block_count, self.block) = (0, 0);
    }

    #[inline(always)]
    fn add_blocks<M: Masks>(
        &mut self,
        separators: impl ExactSizeIterator<Item = u64>,
        base: u32,
        next: &[u8],
    ) {
        let mut base = base;
        let mut next = next.chunks(BLOCK_BYTES);
        for (block, separators) in self.blocks.iter_mut().zip(separators) {
            *block = (separators, base, separators.count_ones());
            base = base.wrapping_add(BLOCK_BYTES as u32);
            self.block_count += 1;
            next.next().map(M::prefetch);
        }
    }

    #[inline(always)]
    fn end_record(&mut self, end: u32) -> (&[u32], usize) {
        while let Some(&(separators, base, count)) = self.blocks.get(self.block) {
            let place = end.wrapping_sub(base);
            // The condition is true only for the block that contains `end`, because `end` is a separator.
            if place < u64::BITS && separators >> place & 1 == 1 {
                let through = u64::MAX >> (u64::BITS - 1 - place);
                let passed = (separators & through).count_ones();
                self.pass(separators & through, base, passed);
                self.blocks[self.block] = (separators & !through, base, count - passed);
                break;
            }
            self.pass(separators, base, count);
            self.block += 1;
        }
        let fields = self.fields as usize;
        (self.fields, self.located, self.next) = (0, 0, self.wanted[0]);
        (&self.buffer[..fields.min(self.slots)], fields)
    }

    #[inline(always)]
    fn ends(&self) -> Option<&[u32]> {
        None
    }

    #[inline(always)]
    fn end_window(&mut self) {
        for block in self.block..self.block_count {
            let (separators, base, count) = self.blocks[block];
            self.pass(separators, base, count);
        }
    }

    fn suspend(self, start: u32) -> usize {
        let fields = self.fields as usize;
        for end in &mut self.buffer[..fields.min(self.slots)] {
            *end = end.wrapping_sub(start);
        }
        fields
    }
}

impl Sparse<'_> {
    /// Counts the next `count` separators of the current record, and locates the wanted ones. These `count` separators
    /// are the set bits of `separators`, a mask of the block at `base`.
    #[inline(always)]
    fn pass(&mut self, mut separators: u64, base: u32, count: u32) {
        let after = self.fields.saturating_add(count);
        while self.next < after {
            for _ in self.fields..self.next {
                separators &= separators.wrapping_sub(1);
            }
            self.fields = self.next;
            self.buffer[self.next as usize] = base.wrapping_add(separators.trailing_zeros());
            self.located += 1;
            self.next = self.wanted[self.located];
        }
        self.fields = after;
    }
}
