//! What can be wrong with a file, said so that a person can find the place.

use serde::{Serialize, Serializer};

/// Why a cut cannot start or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The file itself is at fault.
    #[error(transparent)]
    Malformed(#[from] MalformedCsv),
    /// The delimiter asked for cannot delimit: not ASCII, NUL, a quote, or a line break.
    #[error("byte 0x{0:02X} cannot be a delimiter")]
    BadDelimiter(u8),
    /// The encoding asked for cannot be read as text.
    #[error("the encoding {0} cannot be read")]
    BadEncoding(&'static str),
}

/// The place and the kind of a fault in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("record {record} (line {line}, byte {byte}): {reason}")]
pub struct MalformedCsv {
    /// The row, from 1; 0 is the header.
    pub record: u64,
    /// The line the record starts on, from 1; CRLF, LF and CR each end a line, within quotes too.
    pub line: u64,
    /// Where the record starts, in bytes from the start of the file (of its UTF-8 form, when the file is
    /// in another encoding).
    pub byte: u64,
    /// What is wrong with it; in words as JSON.
    #[serde(serialize_with = "in_words")]
    pub reason: Defect,
}

fn in_words<S: Serializer>(reason: &Defect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

impl MalformedCsv {
    /// Whether a reader whose records are at most so long would find it too.
    pub fn is_found_by(&self, max_record_bytes: usize) -> bool {
        match self.reason {
            Defect::TooLong { limit_bytes } => limit_bytes == max_record_bytes,
            Defect::TooManyFields { .. } => true,
            Defect::Ragged { .. } | Defect::StrayQuote | Defect::UnclosedQuote => false,
        }
    }
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The record is longer than one record may be.
    #[error("longer than {limit_bytes} bytes, perhaps because a quote is left open")]
    TooLong {
        /// The most a record may hold.
        limit_bytes: usize,
    },
    /// The record has more fields than one record may have.
    #[error("more than {limit} fields")]
    TooManyFields {
        /// The most a record may have.
        limit: usize,
    },
    /// Strict mode: the record has more or fewer fields than the header.
    #[error("{found} fields where the header has {expected}")]
    Ragged {
        /// How many the header has.
        expected: usize,
        /// How many the record has.
        found: usize,
    },
    /// Strict mode: a quote inside an unquoted field, or text after a closing quote.
    #[error("a quote that neither opens nor closes a field")]
    StrayQuote,
    /// Strict mode: the file ends inside quotes.
    #[error("the file ends inside a quoted field")]
    UnclosedQuote,
}
