//! Errors that end a cut. If a record of the file causes an error, the error contains the position of the record.

use serde::{Serialize, Serializer};

/// An error that ends a cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// A record of the file cannot be read, or strict mode refuses it.
    #[error(transparent)]
    Malformed(#[from] MalformedCsv),
    /// The requested encoding cannot be decoded.
    #[error("files in the encoding {0} cannot be read; use another encoding")]
    BadEncoding(&'static str),
}

/// A record that cannot be read or that strict mode refuses, with its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("record {record} (line {line}, byte {byte}): {reason}")]
pub struct MalformedCsv {
    /// Number of the row, from 1; 0 is the header.
    pub record: u64,
    /// Line on which the record starts, from 1. CRLF, LF and CR each end a line, even inside quotes.
    pub line: u64,
    /// Start of the record, in bytes from the start of the file. If the file is not UTF-8, this is a position in the
    /// text of the file after its conversion to UTF-8.
    pub byte: u64,
    /// The defect. JSON shows its error message.
    #[serde(serialize_with = "as_message")]
    pub reason: Defect,
}

fn as_message<S: Serializer>(reason: &Defect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

impl MalformedCsv {
    /// Whether a reader reports this error both with and without strict mode. `max_record_bytes` is the maximum length
    /// of a record that the reader accepts.
    pub fn is_independent_of_mode(&self, max_record_bytes: usize) -> bool {
        match self.reason {
            Defect::TooLong { limit_bytes } => limit_bytes == max_record_bytes,
            Defect::TooManyFields { .. } => true,
            Defect::Ragged { .. } | Defect::StrayQuote | Defect::UnclosedQuote | Defect::NeedsQuotes => false,
        }
    }
}

/// The reason why a record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The record is longer than the limit.
    #[error("longer than {limit_bytes} bytes, perhaps because a quote is not closed")]
    TooLong {
        /// Maximum number of bytes that a record may have.
        limit_bytes: usize,
    },
    /// The record has more fields than the limit.
    #[error("more than {limit} fields")]
    TooManyFields {
        /// Maximum number of fields that a record may have.
        limit: usize,
    },
    /// Strict mode: the record has more or fewer fields than the header.
    #[error("{found} fields where the header has {expected}")]
    Ragged {
        /// Fields of the header.
        expected: usize,
        /// Fields of the record.
        found: usize,
    },
    /// Strict mode: a quote inside an unquoted field, or text after a closing quote.
    #[error("a quote that neither opens nor closes a field")]
    StrayQuote,
    /// Strict mode: the file ends inside quotes.
    #[error("the file ends inside a quoted field")]
    UnclosedQuote,
    /// A cell needs quotes, but the request wants an output without quotes.
    #[error("has a cell that needs quotes, but outQuote is none")]
    NeedsQuotes,
}
