//! The records that the scanner reports, and the trait that receives them.

use super::lines::LineCounter;
use super::marks::Marks;

/// A record that ends in the current piece, or at the end of the text.
pub(in crate::csv) struct FoundRecord<'a> {
    /// Number of bytes of the record in earlier pieces.
    pub(in crate::csv) carried: usize,
    /// A position in the piece. Only CR and LF bytes may lie between this position and the start of the record. 0 if
    /// the record began in an earlier piece. [`LineCounter::start_of`] gives the exact start.
    pub(in crate::csv) from: usize,
    /// End of the record in the piece, without its line break.
    pub(in crate::csv) end: usize,
    /// Ends of the fields, at least up to the last wanted field. An entry is undefined if neither its field nor
    /// the next field is wanted.
    pub(in crate::csv) ends: &'a [u32],
    /// Subtract this from an entry of `ends` (wrapping) to get a position in the piece.
    pub(in crate::csv) origin: u32,
    /// The wanted fields, ascending.
    pub(in crate::csv) wanted: &'a [usize],
    /// Number of fields of the record.
    pub(in crate::csv) fields: usize,
    /// Flags for unusual quotes.
    pub(in crate::csv) marks: Marks,
    /// The piece in which the record ends, and its line numbers.
    pub(in crate::csv) lines: &'a LineCounter<'a>,
}

/// The records of a window that have not been handed over yet. None of them has a stray quote. So if a field does not
/// start with a quote, its value is its raw bytes.
#[derive(Clone, Copy)]
pub(in crate::csv) struct RecordGroup<'a> {
    /// The whole piece that contains the records.
    pub(in crate::csv) piece: &'a [u8],
    /// A position in the piece. Only CR and LF bytes may lie between this position and the start of the first record.
    pub(in crate::csv) from: usize,
    /// Whether the records may contain doubled quotes.
    pub(in crate::csv) has_escapes: bool,
    /// Ends of the fields, record after record.
    pub(in crate::csv) ends: &'a [u32],
    /// Ends of the records: for each record, the end of its last field.
    pub(in crate::csv) record_ends: &'a [u32],
    /// Subtract this from an entry of `ends` or `record_ends` (wrapping) to get a position in the piece.
    pub(in crate::csv) origin: u32,
}

/// The receiver's decision about the first records of a group. Bit `i` of `kept` and bit `i` of `undecided` stand for
/// record `i`. A record that is neither in `kept` nor in `undecided` is finished: the scanner only counts it.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::csv) struct Selection {
    /// Number of records that the decision covers. At most 64 if a bit of `kept` or `undecided` is set, otherwise any
    /// number.
    pub(in crate::csv) records: usize,
    /// Number of fields that each of these records has.
    pub(in crate::csv) fields: usize,
    /// Records that pass the filter.
    pub(in crate::csv) kept: u64,
    /// Records that must be checked one by one.
    pub(in crate::csv) undecided: u64,
}

/// Receives records. Closures implement this trait. The scanner calls the methods for every record. If a receiver must
/// be fast, write a type whose methods have the attribute `#[inline(always)]`. A closure cannot have this attribute.
pub(in crate::csv) trait Receiver<E> {
    /// Receives one record and returns whether the scanner continues.
    fn record(&mut self, found: FoundRecord<'_>) -> Result<Flow, E>;

    /// Handles the first records of a group together. The receiver chooses how many records, possibly none. One call
    /// for many records is faster than one call per record, because the CPU can start on a record before it has the
    /// result of the previous record. The scanner hands over the `kept` and `undecided` records of the returned
    /// [`Selection`] one by one. It reports only the number of the finished records, with [`Receiver::count_finished`].
    /// So this method must read everything that the receiver needs from the finished records.
    fn handle_group(&mut self, group: RecordGroup<'_>) -> Selection {
        let _ = group;
        Selection::default()
    }

    /// Counts records that [`Receiver::handle_group`] finished.
    fn count_finished(&mut self, records: usize) {
        let _ = records;
    }

    /// Does the same as [`Receiver::record`], for a record that [`Receiver::handle_group`] marked in
    /// [`Selection::kept`].
    fn kept_record(&mut self, found: FoundRecord<'_>) -> Result<Flow, E> {
        self.record(found)
    }

    /// Does the same as [`Receiver::record`], for a record that began in an earlier piece or window.
    fn carried_record(&mut self, found: FoundRecord<'_>) -> Result<Flow, E> {
        self.record(found)
    }
}

impl<E, F: FnMut(FoundRecord<'_>) -> Result<Flow, E>> Receiver<E> for F {
    #[inline(always)]
    fn record(&mut self, found: FoundRecord<'_>) -> Result<Flow, E> {
        self(found)
    }
}

/// Whether the scanner continues after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum Flow {
    /// The scanner hands over the next record.
    Continue,
    /// The scanner stops directly after this record.
    Pause,
}
