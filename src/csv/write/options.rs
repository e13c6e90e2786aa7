//! Options of a request for writing rows.

/// Options of a request for writing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// Whether CSV and TSV start with a UTF-8 byte order mark.
    pub bom: bool,
    /// Line end of CSV and TSV. Line breaks inside quotes stay unchanged.
    pub newline: Newline,
    /// Whether CSV and TSV start with a header.
    pub header: bool,
    /// Whether CSV and TSV put an apostrophe before cells that a spreadsheet would read as a formula.
    pub spreadsheet_safe: bool,
    /// Whether JSON and NDJSON write numbers, booleans and empty cells (null) as such and not as strings.
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

/// A line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newline {
    /// `\n`.
    #[default]
    Lf,
    /// `\r\n`.
    Crlf,
}
