//! Two ways to get from the separators of blocks to where the fields of a record end.
//!
//! [`Positions`] writes down every separator of a block, eight at a time and without asking where records
//! end: best for short records and where most fields are wanted. [`Sparse`] counts separators and locates only
//! those that end or precede a wanted field: best where records are wide and few of their fields are wanted.
//! Both answer the same for the fields wanted.
//!
//! Positions are 32 bits wide and count from where the record in progress at the start of the piece began;
//! they may wrap, because only differences within one record are ever used.

/// Which fields of a record are to be located.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
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
    pub(super) fn fields(fields: impl IntoIterator<Item = usize>) -> Self {
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
    pub(super) fn first(count: usize) -> Self {
        Self::fields(0..count)
    }

    /// The fields, ascending.
    pub(super) fn as_slice(&self) -> &[usize] {
        &self.fields
    }

    /// How many fields of a record need a slot: all up to the last wanted one.
    pub(super) fn slots(&self) -> usize {
        self.fields.last().map_or(0, |last| last + 1)
    }

    /// How many separators are to be located.
    pub(super) fn separator_count(&self) -> usize {
        self.separators.len() - 1
    }

    /// A buffer in which both walks find room.
    pub(super) fn buffer(&self) -> Vec<u32> {
        vec![0; 2 * self.slots() + SPARE_SLOTS]
    }
}

/// Room for the separators of a few short records, so that a row is seldom moved.
const SPARE_SLOTS: usize = 1024;
const BLOCK_SLOTS: usize = 64;

/// Follows one record after another through the separators of blocks.
pub(super) trait Walk<'a> {
    /// Goes on with a record of which `fields` have ended; where is at the start of `buffer`.
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self;

    /// Takes in the separators of the next block, whose first byte is at `base`.
    fn enter(&mut self, separators: u64, base: u32);

    /// Passes these of the block's separators: the next ones of the record in progress.
    fn pass(&mut self, separators: u64);

    /// Where the record's fields end, for as many as have a slot, and how many fields have ended.
    fn record(&self) -> (&[u32], usize);

    /// Starts the next record.
    fn next_record(&mut self);

    /// Leaves the record in progress for later: where its fields ended, counted from `start`, goes to the
    /// start of the buffer. How many have.
    fn suspend(self, start: u32) -> usize;
}

/// Writes down every separator.
pub(super) struct Positions<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    /// Where in the buffer the record in progress has its first position.
    first: usize,
    /// Behind the last position passed.
    passed: usize,
    /// Behind the last position written.
    filled: usize,
    /// Fields of the record in progress that ended behind the last slot and were forgotten.
    forgotten: usize,
}

impl<'a> Walk<'a> for Positions<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let slots = wanted.slots();
        let filled = fields.min(slots);
        Self { buffer, slots, first: 0, passed: filled, filled, forgotten: fields - filled }
    }

    #[inline(always)]
    fn enter(&mut self, mut separators: u64, base: u32) {
        if self.filled + BLOCK_SLOTS > self.buffer.len() {
            self.make_room();
        }
        let count = separators.count_ones() as usize;
        if let Some(slots) = self.buffer[self.filled..].first_chunk_mut::<BLOCK_SLOTS>() {
            for eight in slots.as_chunks_mut::<8>().0.iter_mut().take(count.div_ceil(8)) {
                for slot in eight {
                    let end = base.wrapping_add(separators.trailing_zeros());
                    // SAFETY: the slot is a valid place. The write is volatile because gathering the eight in
                    // vectors first, as compilers do otherwise, takes twice the time.
                    unsafe { std::ptr::write_volatile(slot, end) };
                    separators &= separators.wrapping_sub(1);
                }
            }
        }
        self.filled += count;
    }

    #[inline(always)]
    fn pass(&mut self, separators: u64) {
        self.passed += separators.count_ones() as usize;
    }

    #[inline(always)]
    fn record(&self) -> (&[u32], usize) {
        let ends = &self.buffer[self.first..self.passed];
        (&ends[..ends.len().min(self.slots)], ends.len() + self.forgotten)
    }

    #[inline(always)]
    fn next_record(&mut self) {
        self.first = self.passed;
        self.forgotten = 0;
    }

    fn suspend(mut self, start: u32) -> usize {
        self.make_room();
        for end in &mut self.buffer[..self.filled] {
            *end = end.wrapping_sub(start);
        }
        self.filled + self.forgotten
    }
}

impl Positions<'_> {
    /// Moves the record in progress to the start of the buffer.
    #[cold]
    fn make_room(&mut self) {
        let count = self.passed - self.first;
        let kept = count.min(self.slots);
        self.buffer.copy_within(self.first..self.first + kept, 0);
        (self.first, self.passed, self.filled) = (0, kept, kept);
        self.forgotten += count - kept;
    }
}

/// Locates only what is wanted.
pub(super) struct Sparse<'a> {
    buffer: &'a mut [u32],
    slots: usize,
    wanted: &'a [u32],
    /// How many of the wanted separators are behind.
    located: usize,
    /// The next one.
    next: u32,
    /// How many separators of the record are behind.
    fields: u32,
    base: u32,
}

impl<'a> Walk<'a> for Sparse<'a> {
    fn resume(buffer: &'a mut [u32], wanted: &'a Wanted, fields: usize) -> Self {
        let (slots, wanted) = (wanted.slots(), &*wanted.separators);
        let fields = u32::try_from(fields).unwrap_or(NO_SEPARATOR);
        let located = wanted.partition_point(|&separator| separator < fields);
        let next = wanted.get(located).copied().unwrap_or(NO_SEPARATOR);
        Self { buffer, slots, wanted, located, next, fields, base: 0 }
    }

    #[inline(always)]
    fn enter(&mut self, _separators: u64, base: u32) {
        self.base = base;
    }

    #[inline(always)]
    fn pass(&mut self, mut separators: u64) {
        let after = self.fields.saturating_add(separators.count_ones());
        while self.next < after {
            for _ in self.fields..self.next {
                separators &= separators.wrapping_sub(1);
            }
            self.fields = self.next;
            self.buffer[self.next as usize] = self.base.wrapping_add(separators.trailing_zeros());
            self.located += 1;
            self.next = self.wanted[self.located];
        }
        self.fields = after;
    }

    #[inline(always)]
    fn record(&self) -> (&[u32], usize) {
        let fields = self.fields as usize;
        (&self.buffer[..fields.min(self.slots)], fields)
    }

    #[inline(always)]
    fn next_record(&mut self) {
        (self.fields, self.located, self.next) = (0, 0, self.wanted[0]);
    }

    fn suspend(self, start: u32) -> usize {
        let fields = self.fields as usize;
        for end in &mut self.buffer[..fields.min(self.slots)] {
            *end = end.wrapping_sub(start);
        }
        fields
    }
}
