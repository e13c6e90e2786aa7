//! The CSV engine: pure, synchronous code that filters the rows and picks the columns of a CSV file.
//!
//! The engine never awaits, reads a clock or draws random numbers. The caller does the I/O and owns the buffers. A cut
//! has two steps. First, a [`CsvOpener`] reads the start of a file until its encoding, delimiter and header are known.
//! So a request can be checked before any output exists. Then a [`StreamingCsvProcessor`] turns the pieces of the file
//! into output. The pieces may be split at any byte. To read one page of rows, a [`RowPager`] replaces the
//! [`StreamingCsvProcessor`].
//!
//! # How CSV is read
//! The engine reads RFC 4180 on bytes. Where a file deviates from RFC 4180, the engine finds the same records and
//! fields as the `csv` crate:
//!
//! | in the file | is read as |
//! |---|---|
//! | CRLF, LF or a lone CR outside quotes; one file may mix them | the end of a record |
//! | a blank line (a line without bytes) | nothing: it is not a row. But a line of spaces is a row of one field |
//! | `""` alone on a line | a row of one empty field |
//! | `12" x` (quote inside an unquoted field) | the text as it is, `12" x`, up to the next delimiter or line break |
//! | ` "a"` (space before the quote) | an unquoted field: spaces are text |
//! | `"ab"cd` (text after a closing quote) | `abcd`; further quotes in the field are text |
//! | `"ab` up to the end of the file | `ab`, in the last record |
//! | NUL, or bytes that are not UTF-8 | text, written unchanged (JSON: invalid bytes become U+FFFD and are counted) |
//! | a record with too few fields | a row whose missing cells are empty; the row is counted as short |
//! | a record with too many fields | a row without the extra fields; the row is counted as long |
//!
//! Nothing is trimmed, and no row is dropped because it is malformed. In strict mode, a ragged record, a stray quote or
//! an unclosed quote ends the cut with an error instead. The engine differs from the `csv` crate in one point: the
//! engine removes all byte order marks at the very start of the file, and no others. The split into pieces does not
//! change this.

// A cut uses these modules in this order: `open` and `encoding`, `scanner`, `record`, `filter`, `write`.
pub mod cut;
mod encoding;
pub mod filter;
pub mod open;
pub mod profile;
mod record;
pub mod request;
mod scanner;
mod write;

// Shared by several of these modules.
mod cell;
mod checkpoint;
mod convert;
pub mod dialect;
mod error;
mod excerpt;
mod limits;
mod rewrite;
mod short_cell;
mod swar_digits;

pub use cell::Cells;
pub use checkpoint::StateError;
pub use cut::marks::MatchMarks;
pub use cut::pager::{PageRequest, RowPage, RowPager};
pub use cut::plan::CutPlan;
pub use cut::processor::{CutCounts, CutProgress, OUTPUT_TARGET_BYTES, StreamingCsvProcessor};
pub use dialect::Dialect;
pub use encoding::{
    EncodingSource, FileEncoding, MAX_UNDECODABLE_PLACES, Undecodable, UndecodablePlace, encoding_for_label,
    utf16_without_mark,
};
pub use error::{CsvError, Defect, MalformedCsv};
pub use excerpt::shortened;
pub use limits::MAX_FIELDS;
pub use open::header::{Header, UnknownColumn};
pub use open::options::InputOptions;
pub use open::{CsvOpener, OpenedCsv, OpeningStatus, SAMPLE_BYTES};
pub use scanner::use_vectors_up_to;
pub use short_cell::ShortCell;
pub use write::append_safe_row;
pub use write::options::{Newline, OutQuote, OutputFormat, OutputOptions, ValueKind};

#[cfg(test)]
mod csv_crate;
