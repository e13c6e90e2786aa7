//! What is found in some consecutive blocks, before any of it is handed over.

use super::Marks;
use crate::csv::block::BLOCK_BYTES;

/// What was found in some consecutive blocks. Finding all of it before any of it is acted upon keeps the
/// processor from guessing, block after block, whether a record ends in this one.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// Where records end; those behind the first `records` mean nothing.
    pub(super) record_ends: Box<[u32]>,
    pub(super) records: usize,
    /// What records hold besides plain fields, by their number in the batch, ascending.
    pub(super) marks: Vec<(usize, Marks)>,
    /// Whether one of these is for more than doubled quotes.
    pub(super) has_stray: bool,
    /// CRs and LFs.
    pub(super) line_bytes: u64,
    /// Not 0 if one of them directly followed another.
    pub(super) adjacent_line_bytes: u64,
}

/// Text of 4 KiB: small enough that it and what is found in it stay in the nearest cache.
pub(in crate::csv) const BATCH_BLOCKS: usize = 64;

/// Record ends that are written down without asking how many there are.
const RECORD_ENDS_AT_ONCE: usize = 4;

impl Batch {
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.record_ends.is_empty() {
            self.record_ends = vec![0; BATCH_BLOCKS * BLOCK_BYTES + RECORD_ENDS_AT_ONCE].into_boxed_slice();
        }
        self.marks.clear();
        (self.records, self.has_stray) = (0, false);
    }

    #[inline(always)]
    pub(super) fn push_record_ends(&mut self, mut record_ends: u64, base: u32) {
        let from = self.records;
        self.records += record_ends.count_ones() as usize;
        let mut push = |at: usize| {
            self.record_ends[at] = base.wrapping_add(record_ends.trailing_zeros());
            record_ends &= record_ends.wrapping_sub(1);
        };
        // Written even if there is none: most blocks of wide records have one or none, which nobody can foresee.
        push(from);
        for at in (from + 1..self.records).step_by(RECORD_ENDS_AT_ONCE) {
            (at..at + RECORD_ENDS_AT_ONCE).for_each(&mut push);
        }
    }

    /// Notes `marks` for the records that the bits of `places` are in, given where records end in the block.
    #[inline(never)]
    pub(super) fn push_marks(&mut self, mut places: u64, record_ends: u64, marks: Marks) {
        while places != 0 {
            let before = (places & places.wrapping_neg()) - 1;
            self.marks.push((self.records + (record_ends & before).count_ones() as usize, marks));
            places &= places - 1;
        }
    }
}
