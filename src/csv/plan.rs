//! What a cut is asked to do, as plain values: already checked, columns already resolved.

use super::filter::Predicate;
use encoding_rs::Encoding;

/// How to read a file, as far as the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputOptions {
    /// Whether the first record holds the names of the columns.
    pub header: bool,
    /// The byte between fields; detected when absent.
    pub delimiter: Option<u8>,
    /// The file's encoding; detected when absent. A byte order mark overrules it.
    pub encoding: Option<&'static Encoding>,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self { header: true, delimiter: None, encoding: None }
    }
}

/// The cut itself: which rows, which columns, written how.
#[derive(Debug, Clone, Default)]
pub struct Plan {
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

/// How to write the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// Whether CSV and TSV start with a UTF-8 byte order mark.
    pub bom: bool,
    /// What ends a line of CSV and TSV. Line breaks inside quotes stay as they are.
    pub newline: Newline,
    /// Whether CSV and TSV start with the names of the columns.
    pub header: bool,
    /// Whether cells of CSV and TSV that a spreadsheet would take for a formula get an apostrophe in front.
    pub spreadsheet_safe: bool,
    /// Whether JSON and NDJSON write numbers, booleans and nulls where a cell reads as one.
    pub typed: bool,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            format: OutputFormat::default(),
            bom: false,
            newline: Newline::default(),
            header: true,
            spreadsheet_safe: false,
            typed: false,
        }
    }
}

/// A format to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// Comma-separated values, RFC 4180.
    #[default]
    Csv,
    /// The same with tabs.
    Tsv,
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newline {
    /// `\n`.
    #[default]
    Lf,
    /// `\r\n`.
    Crlf,
}
