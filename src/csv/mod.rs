//! The cut: pure, synchronous code that turns CSV bytes into the rows and columns asked for.
//!
//! Nothing here awaits, reads a clock or draws random numbers; the caller owns I/O and buffers. A cut is
//! two steps: an [`Opening`] takes in the start of a file until its encoding, dialect and header are known,
//! so that a request can be checked before a byte of output exists; then a [`StreamingCsvProcessor`] turns
//! pieces of the file, cut anywhere, into output. A [`RowPager`] reads one page of rows instead.
//!
//! # How CSV is read
//! RFC 4180 on bytes. Where files go beyond it, records and fields are those of the `csv` crate:
//!
//! | in the file | is read as |
//! |---|---|
//! | CRLF, LF, lone CR outside quotes, mixed as may be | the end of a record |
//! | a line without any byte | nothing: blank lines are no rows (a line of blanks is one field) |
//! | `""` alone on a line | a row of one empty field |
//! | `12" x` (quote inside an unquoted field) | the text as it stands, `12" x`; it ends at the next delimiter or line break |
//! | ` "a"` (blank before the quote) | an unquoted field: blanks are text |
//! | `"ab"cd` (text after a closing quote) | `abcd`; quotes in what follows are text |
//! | `"ab` up to the end of the file | `ab`: the last record |
//! | NUL, or bytes that are not UTF-8 | text, passed on as it is (JSON cannot: U+FFFD, counted) |
//! | a short record | a row whose missing cells are empty, counted |
//! | a long record | a row without the extra fields, counted |
//!
//! Nothing is trimmed and no row is left out for its form; strict mode refuses ragged records and stray and
//! unclosed quotes instead. It differs from the crate in one point: only a byte order mark at the very start
//! of the file is one, whatever pieces the file comes in.

mod block;
mod dialect;
mod digits;
mod encoding;
mod error;
pub mod filter;
mod form;
pub mod header;
mod opening;
pub mod plan;
mod processor;
pub mod profile;
mod reader;
mod record;
pub mod request;
mod rows;
mod scanner;
mod shape;
mod shown;
mod state;
mod stream;
mod value;
mod walk;
mod write;

pub use dialect::is_delimiter;
pub use encoding::{EncodingSource, encoding_for_label};
pub use error::{CsvError, Defect, MalformedCsv};
pub use header::{Header, UnknownColumn};
pub use opening::{Opened, Opening, Readiness, SAMPLE_BYTES};
pub use plan::{InputOptions, Newline, OutputFormat, OutputOptions, Plan};
pub use processor::{OUTPUT_TARGET_BYTES, Progress, StreamingCsvProcessor, Tally};
pub use reader::MAX_FIELDS;
pub use rows::{Page, PageRequest, RowPager};
pub use scanner::use_vectors_up_to;
pub use shown::shortened;
pub use state::StateError;

#[cfg(test)]
mod csv_crate;
