//! The request for a cut, as plain values.

use serde_json::{Map, Value};

use crate::csv::filter::{Filter, OperandReading};
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::OutputOptions;

/// The request for a cut.
#[derive(Debug, Clone, PartialEq)]
pub struct CutRequest {
    /// The picks: references to the columns to write, in output order. `None` picks every column once.
    pub columns: Option<Vec<String>>,
    /// The rows to keep; `None` keeps all.
    pub filter: Option<Filter>,
    /// How the filter reads the operands of ordering operators.
    pub operands: OperandReading,
    /// How the file is read.
    pub input: InputOptions,
    /// How the result is written.
    pub output: OutputOptions,
    /// Maximum number of rows in the result; `None` for no maximum.
    pub limit: Option<u64>,
    /// Matching rows to skip before the first row of the result.
    pub offset: u64,
    /// Whether a malformed record is an error.
    pub strict: bool,
    /// Whether the response may begin before the cut has ended. If `false`, the response begins when the whole result
    /// is complete, so an error in the cut can still become a problem.
    pub streaming: bool,
    /// Compression of the result; `None` leaves it uncompressed.
    pub compress: Option<Compress>,
    /// The name of the result.
    pub filename: Option<String>,
    /// Tags of a saved cut.
    pub tags: Option<Vec<String>>,
    /// Metadata of a saved cut.
    pub metadata: Option<Map<String, Value>>,
}

impl Default for CutRequest {
    fn default() -> Self {
        Self {
            columns: None,
            filter: None,
            operands: OperandReading::default(),
            input: InputOptions::default(),
            output: OutputOptions::default(),
            limit: None,
            offset: 0,
            strict: false,
            streaming: true,
            compress: None,
            filename: None,
            tags: None,
            metadata: None,
        }
    }
}

/// Compression format of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// gzip (RFC 1952).
    Gzip,
}
