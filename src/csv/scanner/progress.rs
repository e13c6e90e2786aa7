//! How far a scan is.

use super::marks::Marks;

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct Fed {
    /// Bytes of the piece that are done with.
    pub(in crate::csv) consumed: usize,
    /// Where in the piece the record in progress starts (`consumed` when there is none).
    pub(in crate::csv) open_from: usize,
    /// Whether the receiver asked to pause.
    pub(in crate::csv) paused: bool,
}

/// The record in progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// Fields of it that have ended.
    pub(super) fields: usize,
    pub(super) marks: Marks,
    /// Bytes of it that came in earlier pieces.
    pub(super) carried: usize,
    /// The line it starts on.
    pub(super) line: u64,
    /// Line breaks inside it.
    pub(super) breaks_inside: u64,
}
