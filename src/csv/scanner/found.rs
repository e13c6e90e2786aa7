//! What the scanner finds, and who takes it.

use super::lines::Lines;
use super::marks::Marks;

/// A record just found.
pub(in crate::csv) struct Found<'a> {
    /// How many bytes of it came in earlier pieces.
    pub(in crate::csv) carried: usize,
    /// Where it starts in the piece, or where the line breaks start that stand before it (0 when some of it was
    /// carried): see [`Lines::start_of`].
    pub(in crate::csv) from: usize,
    /// Where it ends in the piece, its line break not included.
    pub(in crate::csv) end: usize,
    /// Where its fields end, at least up to the last one wanted. What is there for a field that neither is
    /// wanted nor precedes a wanted one means nothing.
    pub(in crate::csv) ends: &'a [u32],
    /// What to subtract from `ends`, wrapping, to count from the start of the piece.
    pub(in crate::csv) origin: u32,
    /// The fields wanted, ascending.
    pub(in crate::csv) wanted: &'a [usize],
    /// How many fields it has.
    pub(in crate::csv) fields: usize,
    /// What it holds.
    pub(in crate::csv) marks: Marks,
    /// The piece in which it ends, and its lines.
    pub(in crate::csv) lines: &'a Lines<'a>,
}

/// Records that follow one another in a batch, without stray quotes: a field that starts with none is its bytes.
#[derive(Clone, Copy)]
pub(in crate::csv) struct RecordGroup<'a> {
    /// The piece they lie in, whole.
    pub(in crate::csv) piece: &'a [u8],
    /// Where the first starts in it, or where the line breaks start that stand before it.
    pub(in crate::csv) from: usize,
    /// Whether quotes may be doubled in some of them.
    pub(in crate::csv) has_escapes: bool,
    /// Where their fields end, one record's behind the other's.
    pub(in crate::csv) ends: &'a [u32],
    /// Where they end themselves: the last end of each.
    pub(in crate::csv) record_ends: &'a [u32],
    /// What to subtract from all of these, wrapping, to count from the start of the piece.
    pub(in crate::csv) origin: u32,
}

/// What is to become of the first records of a group: a bit for each, the first one the lowest. Those that have
/// neither bit are passed over.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::csv) struct Selection {
    /// How many records it speaks of: at most as many as a word has bits, or more if all are passed over.
    pub(in crate::csv) records: usize,
    /// How many fields each of them has.
    pub(in crate::csv) fields: usize,
    /// Those to be kept.
    pub(in crate::csv) kept: u64,
    /// Those that take a closer look to tell.
    pub(in crate::csv) undecided: u64,
}

/// Receives what is found; a closure will do. A trait of its own because this is called for every record
/// and has to be inlined, which a closure cannot be told.
pub(in crate::csv) trait Receiver<E> {
    /// Takes one record and says whether another is wanted now.
    fn found(&mut self, found: Found<'_>) -> Result<Flow, E>;

    /// Judges the first records of a group, as many as it likes, all at once: one record's verdict need not be known
    /// before the next one is looked at. Who needs no more of a record takes it in here and passes it over. The others
    /// are handed over one by one.
    fn handle_group(&mut self, group: RecordGroup<'_>) -> Selection {
        let _ = group;
        Selection::default()
    }

    /// Counts so many records that were judged and are neither kept nor undecided.
    fn count_finished(&mut self, records: usize) {
        let _ = records;
    }

    /// The same as [`Receiver::found`] for a record that was judged and is to be kept.
    fn found_kept(&mut self, found: Found<'_>) -> Result<Flow, E> {
        self.found(found)
    }

    /// The same as [`Receiver::found`] for a record of which something came before, in an earlier piece or batch.
    fn found_carried(&mut self, found: Found<'_>) -> Result<Flow, E> {
        self.found(found)
    }
}

impl<E, F: FnMut(Found<'_>) -> Result<Flow, E>> Receiver<E> for F {
    #[inline(always)]
    fn found(&mut self, found: Found<'_>) -> Result<Flow, E> {
        self(found)
    }
}

/// What the receiver of a record wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum Flow {
    /// More records.
    Continue,
    /// No more for now: stop right behind this record.
    Pause,
}
