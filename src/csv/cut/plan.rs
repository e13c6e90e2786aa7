//! What a cut is asked to do, as plain values: already checked, columns already resolved.

use crate::csv::filter::Predicate;
use crate::csv::write::options::OutputOptions;

/// The cut itself: which rows, which columns, written how.
#[derive(Debug, Clone, Default)]
pub struct CutPlan {
    /// The columns to write, by position from 0, in this order. At least one.
    pub columns: Vec<usize>,
    /// The rows to keep; absent keeps all.
    pub predicate: Option<Predicate>,
    /// How to write them.
    pub output: OutputOptions,
    /// How many rows to write at most.
    pub limit: Option<u64>,
    /// How many of the rows kept to leave out first.
    pub offset: u64,
    /// Whether a ragged record or a stray or unclosed quote ends the cut with an error.
    pub strict: bool,
}
