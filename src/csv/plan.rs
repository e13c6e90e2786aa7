//! What a cut does, once the file's header is known: positions instead of names.

use encoding_rs::Encoding;

use super::filter::Predicate;

/// A cut bound to a header.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The columns to write, by position from 0, in output order.
    pub columns: Vec<usize>,
    /// Which records to keep; `None` keeps all.
    pub predicate: Option<Predicate>,
    /// How to write them.
    pub output: OutputOptions,
    /// At most this many records.
    pub limit: Option<u64>,
    /// After skipping this many that match.
    pub offset: u64,
    /// Whether a ragged record is an error.
    pub strict: bool,
}

/// How the file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputOptions {
    /// Whether the first record holds the column names.
    pub header: bool,
    /// The byte between fields; `None` means detect it.
    pub delimiter: Option<u8>,
    /// The encoding of the bytes; `None` means detect it.
    pub encoding: Option<&'static Encoding>,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self { header: true, delimiter: None, encoding: None }
    }
}

/// How the result is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// Whether a UTF-8 byte order mark comes first.
    pub bom: bool,
    /// What ends a line.
    pub newline: Newline,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Whether cells that a spreadsheet would run as formulas are made harmless.
    pub spreadsheet_safe: bool,
    /// Whether JSON values are numbers and booleans where the cells are.
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

/// The formats a cut can be written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// Comma-separated values.
    #[default]
    Csv,
    /// Tab-separated values.
    Tsv,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
}

/// What ends a line of the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Newline {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    CrLf,
}
