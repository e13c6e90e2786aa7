//! Writes rows in the requested format.

mod delimited;
mod json;
pub mod options;
mod row_progress;
mod table;

use super::open::OpenedCsv;
use super::open::header::Header;
use super::record::Record;
use delimited::DelimitedWriter;
use json::JsonWriter;
use options::{OutputFormat, OutputOptions, ValueKind};
pub(super) use row_progress::RowProgress;
pub use table::append_safe_row;

/// Writes the rows of one cut. [`Writer::new`] prepares everything that depends only on the cut, so writing a row
/// allocates nothing.
pub(super) enum Writer {
    Delimited(DelimitedWriter),
    Json(JsonWriter),
}

impl Writer {
    /// Creates a writer for `columns` of the opened file. `kinds` has the kind of value of each column of the file, for
    /// `typed` JSON; `None` means [`ValueKind::ByCell`] for every column.
    pub(super) fn new(
        opened: &OpenedCsv,
        columns: &[usize],
        options: OutputOptions,
        kinds: Option<&[ValueKind]>,
    ) -> Self {
        let kinds = options.typed.then_some(kinds.unwrap_or_default());
        let header: &Header = &opened.header;
        let read_delimiter = opened.dialect.table.scanned_delimiter();
        match options.format {
            OutputFormat::Csv => Self::Delimited(DelimitedWriter::new(
                options.delimiter.unwrap_or(b','),
                read_delimiter,
                columns,
                options,
            )),
            OutputFormat::Tsv => {
                Self::Delimited(DelimitedWriter::new(b'\t', read_delimiter, columns, options))
            }
            OutputFormat::Json => Self::Json(JsonWriter::array(header, columns, kinds)),
            OutputFormat::Ndjson => Self::Json(JsonWriter::lines(header, columns, kinds)),
        }
    }

    /// Writes the bytes before the first row.
    pub(super) fn begin(&mut self, header: &Record<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Delimited(writer) => writer.begin(header, out),
            Self::Json(writer) => writer.begin(out),
        }
    }

    /// Writes one row.
    #[inline]
    pub(super) fn row(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Delimited(writer) => writer.row(record, out),
            Self::Json(writer) => writer.row(record, out),
        }
    }

    /// Returns the minimum number of bytes that a row has in the output.
    pub(super) fn row_overhead_bytes(&self) -> usize {
        match self {
            Self::Delimited(writer) => writer.row_overhead_bytes(),
            Self::Json(writer) => writer.row_overhead_bytes(),
        }
    }

    /// Continues to write a row from `progress` until `out` has about `target_bytes` bytes. Returns `true` at
    /// the end of the row. All calls together write the same bytes as [`Writer::row`].
    pub(super) fn write_row_part(
        &mut self,
        record: &Record<'_>,
        progress: &mut RowProgress,
        out: &mut Vec<u8>,
        target_bytes: usize,
    ) -> bool {
        match self {
            Self::Delimited(writer) => writer.write_row_part(record, progress, out, target_bytes),
            Self::Json(writer) => writer.write_row_part(record, progress, out, target_bytes),
        }
    }

    /// Writes the bytes after the last row.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Delimited(_) => {}
            Self::Json(writer) => writer.end(out),
        }
    }

    /// Whether the header cannot be written, because it needs quotes and the result has none.
    pub(super) fn refuses_header(&self, record: &Record<'_>) -> bool {
        match self {
            Self::Delimited(writer) => writer.writes_header() && writer.refuses(record),
            Self::Json(_) => false,
        }
    }

    /// Whether a row cannot be written, because it needs quotes and the result has none.
    #[inline]
    pub(super) fn refuses(&self, record: &Record<'_>) -> bool {
        match self {
            Self::Delimited(writer) => writer.refuses(record),
            Self::Json(_) => false,
        }
    }

    /// Returns the number of byte sequences that were not UTF-8 and were written as U+FFFD.
    pub(super) fn invalid_utf8(&self) -> u64 {
        match self {
            Self::Delimited(_) => 0,
            Self::Json(writer) => writer.invalid_utf8(),
        }
    }
}
