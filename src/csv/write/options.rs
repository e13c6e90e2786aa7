//! Options of a request that say how rows are written.

use crate::csv::dialect::{Delimiter, Escape, Quote, Trim};
use crate::csv::open::options::InputOptions;

/// Options of a request that say how rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// Whether CSV and TSV start with a UTF-8 byte order mark.
    pub bom: bool,
    /// The delimiter of CSV; `None` for a comma. TSV always has tabs.
    pub delimiter: Option<u8>,
    /// Which fields of CSV and TSV are in quotes.
    pub quote: OutQuote,
    /// Record end of CSV and TSV. Line breaks inside quotes are not changed.
    pub newline: Newline,
    /// Whether CSV and TSV start with a header.
    pub header: bool,
    /// Whether CSV and TSV put an apostrophe before cells that a spreadsheet would read as a formula.
    pub spreadsheet_safe: bool,
    /// Whether JSON and NDJSON write numbers and booleans without quotes, and empty cells as `null`. [`ValueKind`]
    /// decides which cells are numbers or booleans.
    pub typed: bool,
}

impl OutputOptions {
    /// Returns the rules by which a CSV or TSV output must be read.
    pub fn dialect(&self) -> InputOptions {
        let delimiter = match self.format {
            OutputFormat::Tsv => b'\t',
            _ => self.delimiter.unwrap_or(b','),
        };
        InputOptions {
            header: Some(self.header),
            delimiter: Some(Delimiter::of(delimiter)),
            quote: Some(if self.quote == OutQuote::None { Quote::None } else { Quote::Double }),
            escape: Some(Escape::Double),
            skip_rows: Some(0),
            comment: Some(None),
            trim: Some(Trim::None),
            ..InputOptions::DETECT
        }
    }
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            format: OutputFormat::default(),
            bom: false,
            delimiter: None,
            quote: OutQuote::default(),
            newline: Newline::default(),
            header: true,
            spreadsheet_safe: false,
            typed: false,
        }
    }
}

/// Format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// Comma-separated values, RFC 4180.
    #[default]
    Csv,
    /// Tab-separated values, quoted like CSV.
    Tsv,
    /// One JSON array of objects.
    Json,
    /// One JSON object per line.
    Ndjson,
}

/// The kind of JSON value that the filled cells of a column become with `typed`. A cell of another kind becomes a
/// string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A number, a boolean or a string, by the form of each cell.
    ByCell,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
}

/// A record end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newline {
    /// `\n`.
    #[default]
    Lf,
    /// `\r\n`.
    Crlf,
}

/// Which fields of CSV and TSV are in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutQuote {
    /// The fields that need quotes, and the fields that are in quotes in the file.
    #[default]
    Minimal,
    /// All fields.
    All,
    /// No field. A cell that would need quotes ends the cut with an error.
    None,
}
