//! Two ways to get from the separators of blocks to where the fields of a record end.
//!
//! [`Positions`] writes down every separator of a block, several at a time and without asking where records
//! end: best for short records and where most fields are wanted. [`Sparse`] counts separators and locates only
//! those that end or precede a wanted field: best where records are wide and few of their fields are wanted.
//! Both answer the same for the fields wanted.
//!
//! Positions are 32 bits wide and count from where the record in progress at the start of the piece began;
//! they may wrap, because only differences within one record are ever used.

use super::block::WINDOW_BLOCKS;
use super::block::{BLOCK_BYTES, Masks};

/// Which fields of a record are to be located.
#[derive(Debug, Clone)]
pub(in crate::csv) struct Wanted {
    /// The fields, ascending and each once.
    fields: Box<[usize]>,
    /// The separators to locate, ascending: those that end a wanted field or the one before. The last is
    /// [`NO_SEPARATOR`].
    separators: Box<[u32]>,
}

/// More than any record has.
const NO_SEPARATOR: u32 = u32::MAX;

impl Wanted {
    /// These fields, in any order.
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

    /// The first `count` fields.
    pub(in crate::csv) fn first(count: usize) -> Self {
        Self::fields(0..count)
    }

    /// The fields, ascending.
    pub(in crate::csv) fn as_slice(&self) -> &[usize] {
        &self.fields
    }

    /// How many fields of a record need a slot: all up to the last wanted one.
    pub(in crate::csv) fn slots(&self) -> usize {
        self.fields.last().map_or(0, |last| last + 1)
    }

    /// How many separators are to be located.
    pub(in crate::csv) fn separator_count(&self) -> usize {
        self.separators.len() - 1
    }

    /// A buffer in which both walks find room.
    pub(in crate::csv) fn buffer(&self) -> Vec<u32> {
        vec![0; 2 * self.slots() + WINDOW_SLOTS + BLOCK_BYTES]
    }
}

/// Room for the separators of a batch.
const WINDOW_SLOTS: usize = WINDOW_BLOCKS * BLOCK_BYTES;

/// Follows one record after another through the separators of blocks, a batch of them at a time.
pub(in crate::csv) trait Walk<'a> {
    /// Goes on with a record of which `fields` have ended; where is at the start of `buffer`.
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self;

    /// Makes room for a batch.
    fn make_room(&mut self);

    /// Takes in the separators of the next blocks, the first of which is at `base`; `next` is the text behind them.
    fn take<M: Masks>(&mut self, separators: impl ExactSizeIterator<Item = u64>, base: u32, next: &[u8]);

    /// Ends the record in progress at a separator that was taken in. Where its fields end, at least up to the
    /// last one wanted, and how many it has.
    fn end_record(&mut self, end: u32) -> (&[u32], usize);

    /// All positions from the start of the record in progress on, if they are written down.
    fn ends(&self) -> Option<&[u32]>;

    /// Leaves out so many of them: those of whole records.
    fn skip(&mut self, positions: usize) {
        let _ = positions;
    }

    /// Passes the separators behind the last record that ends in the batch.
    fn end_batch(&mut self);

    /// Leaves the record in progress for later: where its fields ended, counted from `start`, goes to the
    /// start of the buffer. How many have.
    fn suspend(self, start: u32) -> usize;
}

/// Writes down every separator.
pub(in crate::csv) struct Positions<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    /// Where in the buffer the record in progress has its first position.
    first: usize,
    /// Behind the last position written.
    filled: usize,
    /// Fields of the record in progress that ended behind the last slot and were forgotten.
    forgotten: usize,
    /// How far behind its first position the last record had its last one; most records are alike.
    usual: usize,
    /// About how many separators a block has.
    usual_in_block: usize,
}

impl<'a> Walk<'a> for Positions<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let slots = wanted.slots();
        let filled = fields.min(slots);
        Self { buffer, slots, first: 0, filled, forgotten: fields - filled, usual: 0, usual_in_block: 0 }
    }

    #[inline(always)]
    fn make_room(&mut self) {
        if self.filled + WINDOW_SLOTS + BLOCK_BYTES > self.buffer.len() {
            self.move_to_start();
        }
    }

    #[inline(always)]
    fn take<M: Masks>(&mut self, separators: impl ExactSizeIterator<Item = u64>, base: u32, next: &[u8]) {
        (self.filled, self.usual_in_block) =
            M::write_all(separators, base, self.buffer, self.filled, self.usual_in_block, next);
    }

    #[inline(always)]
    fn end_record(&mut self, end: u32) -> (&[u32], usize) {
        let first = self.first;
        let mut last = first + self.usual;
        if self.buffer[..self.filled].get(last) != Some(&end) {
            last = self.search(end);
            self.usual = last - first;
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
    fn skip(&mut self, positions: usize) {
        self.first += positions;
    }

    #[inline(always)]
    fn end_batch(&mut self) {}

    fn suspend(mut self, start: u32) -> usize {
        self.move_to_start();
        for end in &mut self.buffer[..self.filled] {
            *end = end.wrapping_sub(start);
        }
        self.filled + self.forgotten
    }
}

impl Positions<'_> {
    /// Where in the buffer the record in progress has the position `end`.
    #[inline(never)]
    fn search(&self, end: u32) -> usize {
        let positions = &self.buffer[self.first..self.filled];
        let start = positions.first().copied().unwrap_or(end);
        let end = end.wrapping_sub(start);
        self.first + positions.partition_point(|&position| position.wrapping_sub(start) < end)
    }

    /// Moves the record in progress to the start of the buffer.
    #[inline(never)]
    fn move_to_start(&mut self) {
        let count = self.filled - self.first;
        let kept = count.min(self.slots);
        self.buffer.copy_within(self.first..self.first + kept, 0);
        (self.first, self.filled) = (0, kept);
        self.forgotten += count - kept;
    }
}

/// Locates only what is wanted.
pub(in crate::csv) struct Sparse<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    wanted: &'a [u32],
    /// How many of the wanted separators are behind.
    located: usize,
    /// The next one.
    next: u32,
    /// How many separators of the record are behind.
    fields: u32,
    /// The separators of the batch, where their blocks start, and how many they are.
    blocks: [(u64, u32, u32); WINDOW_BLOCKS],
    taken: usize,
    /// The block up to which they have been passed.
    block: usize,
}

impl<'a> Walk<'a> for Sparse<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let (slots, wanted) = (wanted.slots(), &*wanted.separators);
        let fields = u32::try_from(fields).unwrap_or(NO_SEPARATOR);
        let located = wanted.partition_point(|&separator| separator < fields);
        let next = wanted.get(located).copied().unwrap_or(NO_SEPARATOR);
        let blocks = [(0, 0, 0); WINDOW_BLOCKS];
        Self { buffer, slots, wanted, located, next, fields, blocks, taken: 0, block: 0 }
    }

    #[inline(always)]
    fn make_room(&mut self) {
        (self.taken, self.block) = (0, 0);
    }

    #[inline(always)]
    fn take<M: Masks>(&mut self, separators: impl ExactSizeIterator<Item = u64>, base: u32, next: &[u8]) {
        let mut base = base;
        let mut next = next.chunks(BLOCK_BYTES);
        for (block, separators) in self.blocks.iter_mut().zip(separators) {
            *block = (separators, base, separators.count_ones());
            base = base.wrapping_add(BLOCK_BYTES as u32);
            self.taken += 1;
            next.next().map(M::fetch);
        }
    }

    #[inline(always)]
    fn end_record(&mut self, end: u32) -> (&[u32], usize) {
        while let Some(&(separators, base, count)) = self.blocks.get(self.block) {
            let place = end.wrapping_sub(base);
            // The end is itself one of the separators of its block.
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
    fn end_batch(&mut self) {
        for block in self.block..self.taken {
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
    /// Passes these `count` separators of a block: the next ones of the record in progress.
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
