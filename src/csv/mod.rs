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

// In the order of the work: what a file's start says, its records, which of them are kept, what is written.
pub mod cut;
mod encoding;
pub mod filter;
pub mod open;
pub mod profile;
mod record;
pub mod request;
mod scanner;
mod write;

// What several of these stand on.
mod cell;
mod checkpoint;
mod error;
mod excerpt;
mod limits;
mod short_cell;
mod swar_digits;

pub use cell::Cells;
pub use checkpoint::StateError;
pub use cut::pager::{PageRequest, RowPage, RowPager};
pub use cut::plan::CutPlan;
pub use cut::processor::{CutProgress, OUTPUT_TARGET_BYTES, StreamingCsvProcessor, Tally};
pub use encoding::{EncodingSource, encoding_for_label};
pub use error::{CsvError, Defect, MalformedCsv};
pub use excerpt::shortened;
pub use limits::{MAX_FIELDS, is_delimiter};
pub use open::header::{Header, UnknownColumn};
pub use open::options::InputOptions;
pub use open::{OpenedCsv, Opening, Readiness, SAMPLE_BYTES};
pub use scanner::use_vectors_up_to;
pub use short_cell::ShortCell;
pub use write::options::{Newline, OutputFormat, OutputOptions};

#[cfg(test)]
mod csv_crate;
