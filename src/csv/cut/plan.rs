//! The checked plan of a cut: columns are already resolved to positions.

use crate::csv::filter::Predicate;
use crate::csv::write::options::{OutputOptions, ValueKind};

/// The rows and columns of a cut, and how to write them.
#[derive(Debug, Clone, Default)]
pub struct CutPlan {
    /// Positions of the columns to write (from 0), in the order of the output. At least one.
    pub columns: Vec<usize>,
    /// The rows to keep; `None` keeps all rows.
    pub predicate: Option<Predicate>,
    /// The kind of value of each column of the file, for `typed` JSON. `None` if the file has no usable profile. Then
    /// every column has the kind [`ValueKind::ByCell`].
    pub value_kinds: Option<Vec<ValueKind>>,
    /// Format of the output.
    pub output: OutputOptions,
    /// Maximum number of rows to write; `None` means no limit.
    pub limit: Option<u64>,
    /// Number of matching rows to skip before the first row is written.
    pub offset: u64,
    /// Whether a ragged record, a stray quote or an unclosed quote ends the cut with an error.
    pub strict: bool,
}
