//! How to write rows, as far as the client says.

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
