//! Progress of a scan.

use super::marks::Marks;

/// How far a piece was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct ScanProgress {
    /// Number of bytes of the piece that were scanned.
    pub(in crate::csv) consumed: usize,
    /// Start of the unfinished record in the piece. Equal to `consumed` if no record is unfinished.
    pub(in crate::csv) open_from: usize,
    /// Whether the receiver returned [`Flow::Pause`](super::Flow::Pause).
    pub(in crate::csv) paused: bool,
}

/// The unfinished record, between two pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnfinishedRecord {
    /// Number of fields that have ended.
    pub(super) fields: usize,
    pub(super) marks: Marks,
    /// Number of bytes of the record that were in earlier pieces.
    pub(super) carried: usize,
    /// The line on which the record starts.
    pub(super) line: u64,
    /// Number of line breaks inside the record.
    pub(super) breaks_inside: u64,
}
