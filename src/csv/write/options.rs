//! Options of a request that say how rows are written.

/// Options of a request that say how rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// Whether CSV and TSV start with a UTF-8 byte order mark.
    pub bom: bool,
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
