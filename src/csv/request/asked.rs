//! What a client asks of a cut, as plain values.

use serde_json::{Map, Value};

use crate::csv::filter::Filter;
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::OutputOptions;

/// What a client asks of a cut.
#[derive(Debug, Clone, PartialEq)]
pub struct CutRequest {
    /// References to the columns to write, in output order; `None` means all.
    pub columns: Option<Vec<String>>,
    /// Which records to keep; `None` keeps all.
    pub filter: Option<Filter>,
    /// How the file is read.
    pub input: InputOptions,
    /// How the result is written.
    pub output: OutputOptions,
    /// At most this many records.
    pub limit: Option<u64>,
    /// After skipping this many that match.
    pub offset: u64,
    /// Whether a ragged record is an error.
    pub strict: bool,
    /// Whether the answer may begin before the whole result is known good.
    pub streaming: bool,
    /// Whether the result is a compressed file.
    pub compress: Option<Compress>,
    /// What the result is called.
    pub filename: Option<String>,
    /// For a saved cut: its tags.
    pub tags: Option<Vec<String>>,
    /// For a saved cut: what its owner wants to keep with it.
    pub metadata: Option<Map<String, Value>>,
}

impl Default for CutRequest {
    fn default() -> Self {
        Self {
            columns: None,
            filter: None,
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

/// Compression of the result as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// RFC 1952.
    Gzip,
}
