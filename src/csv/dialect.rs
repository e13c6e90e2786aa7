//! The dialect of a file: the rules by which its bytes become a table.
//!
//! The opener finds the dialect from the options of the request, from the options that the file's owner has stored with
//! the file, and from the start of the file ([`super::open`]). Every reader of the file gets the same dialect.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::checkpoint::{StateError, StateReader, StateWriter};
use super::encoding::{EncodingSource, FileEncoding};

/// Maximum of the rule `skipFooter`, in records.
pub const MAX_SKIP_FOOTER: u32 = 100;
/// Maximum length of a delimiter, in bytes of UTF-8.
pub const MAX_DELIMITER_BYTES: usize = 4;

/// The text between two fields: one to four bytes of UTF-8, or nothing in a table with one column.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delimiter {
    bytes: [u8; MAX_DELIMITER_BYTES],
    len: u8,
}

impl Delimiter {
    /// No delimiter: each record is one field.
    pub const NONE: Self = Self { bytes: [0; MAX_DELIMITER_BYTES], len: 0 };
    /// A comma.
    pub const COMMA: Self = Self::of(b',');

    /// Creates a delimiter of one byte.
    pub const fn of(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1 }
    }

    /// Creates a delimiter. Returns `None` if the text is empty, is longer than [`MAX_DELIMITER_BYTES`], or contains
    /// NUL, a quote or a line break.
    pub fn new(text: &str) -> Option<Self> {
        let bad = |byte: u8| matches!(byte, 0 | b'"' | b'\r' | b'\n');
        if text.is_empty() || text.len() > MAX_DELIMITER_BYTES || text.bytes().any(bad) {
            return None;
        }
        let mut bytes = [0; MAX_DELIMITER_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// Returns the bytes. Empty for [`Delimiter::NONE`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Returns the delimiter as text. Empty for [`Delimiter::NONE`].
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        match state.text()? {
            "" => Ok(Self::NONE),
            text => Self::new(text).ok_or(StateError::Damaged),
        }
    }

    /// Returns the byte of a delimiter that has one byte.
    pub fn single(self) -> Option<u8> {
        (self.len == 1).then_some(self.bytes[0])
    }
}

impl fmt::Debug for Delimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

/// The character around quoted fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quote {
    /// `"`.
    #[default]
    Double,
    /// `'`.
    Single,
    /// No character has a special meaning.
    None,
}

impl Quote {
    /// All values, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::Double, Self::Single, Self::None];

    /// Returns the byte of the quote; `None` for [`Quote::None`].
    pub fn byte(self) -> Option<u8> {
        match self {
            Self::Double => Some(b'"'),
            Self::Single => Some(b'\''),
            Self::None => None,
        }
    }

    /// Returns the name of the quote in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Double => "\"",
            Self::Single => "'",
            Self::None => "none",
        }
    }
}

/// How a quoted field contains its quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escape {
    /// The quote is doubled.
    #[default]
    Double,
    /// A backslash stands before the quote. A backslash takes the special meaning from quotes, delimiters, line breaks
    /// and backslashes; before any other character, it is text. A doubled quote counts as one quote too.
    Backslash,
}

impl Escape {
    /// All values, in the order of their definition.
    pub const ALL: [Self; 2] = [Self::Double, Self::Backslash];

    /// Returns the name of the escape in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::Backslash => "backslash",
        }
    }
}

/// Where blanks around a value are removed. Blanks inside quotes are never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trim {
    /// Nowhere: blanks are text.
    #[default]
    None,
    /// Around the names in the header.
    Header,
    /// Around the names in the header, and around cells. Blanks before an opening quote are removed too.
    Cells,
}

impl Trim {
    /// All values, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::None, Self::Header, Self::Cells];

    /// Returns the name of the option's value in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Header => "header",
            Self::Cells => "cells",
        }
    }
}

/// What happens to rows that have more or fewer fields than the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ragged {
    /// Missing cells are empty, and extra fields are left out. The receipt counts such rows.
    #[default]
    Keep,
    /// The first such row is an error.
    Refuse,
    /// The table gets a column for every field of the widest record in the first 256 KiB. The added columns are named
    /// by their position.
    Pad,
}

impl Ragged {
    /// All values, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Refuse, Self::Pad];

    /// Returns the name of the option's value in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Refuse => "refuse",
            Self::Pad => "pad",
        }
    }
}

/// What happens to records that repeat the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepeatedHeaders {
    /// They are rows.
    #[default]
    Keep,
    /// They are left out.
    Skip,
}

impl RepeatedHeaders {
    /// All values, in the order of their definition.
    pub const ALL: [Self; 2] = [Self::Keep, Self::Skip];

    /// Returns the name of the option's value in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Skip => "skip",
        }
    }
}

/// The characters that end the records in the start of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordEnd {
    /// `\n`, or no record end was found.
    #[default]
    Lf,
    /// `\r\n`.
    Crlf,
    /// `\r`.
    Cr,
    /// More than one kind.
    Mixed,
}

impl RecordEnd {
    const ALL: [Self; 4] = [Self::Lf, Self::Crlf, Self::Cr, Self::Mixed];

    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lf => "lf",
            Self::Crlf => "crlf",
            Self::Cr => "cr",
            Self::Mixed => "mixed",
        }
    }
}

/// A reading that was considered, and how much of the start of the file agrees with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alternative {
    /// The delimiter.
    pub delimiter: Delimiter,
    /// The quote.
    pub quote: Quote,
    /// The share of the records that have as many fields as most records, from 0 to 100.
    pub percent: u8,
}

/// Maximum number of alternatives in a dialect.
pub const MAX_ALTERNATIVES: usize = 3;

/// The rules by which the bytes of a file become a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// The encoding of the file.
    pub encoding: FileEncoding,
    /// How the encoding was found.
    pub encoding_source: EncodingSource,
    /// The rules after decoding.
    pub table: TableDialect,
    /// The record ends in the start of the file. All kinds are read, whatever this says.
    pub newline: RecordEnd,
    /// How certain the detected rules are, from 0 to 100.
    pub confidence_percent: u8,
    /// Other readings of the start of the file, the best first.
    pub alternatives: Vec<Alternative>,
}

/// The part of a dialect that concerns the decoded text.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDialect {
    /// The delimiter.
    pub delimiter: Delimiter,
    /// The character around quoted fields.
    pub quote: Quote,
    /// How a quoted field contains its quote.
    pub escape: Escape,
    /// Lines before the header, or before the first row if there is no header.
    pub skip_rows: u32,
    /// Whether the first record after the skipped lines is the header.
    pub header_row: bool,
    /// A line that begins with this byte is a comment and is left out.
    pub comment: Option<u8>,
    /// Where blanks are removed.
    pub trim: Trim,
    /// Records at the end of the file that are left out.
    pub skip_footer: u32,
    /// Values that are read as empty cells.
    pub null_values: NullValues,
    /// What happens to rows with more or fewer fields than the header.
    pub ragged: Ragged,
    /// What happens to records that repeat the header.
    pub repeated_headers: RepeatedHeaders,
}

/// Values that are read as empty cells.
pub type NullValues = Option<Arc<[String]>>;

impl Default for TableDialect {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::COMMA,
            quote: Quote::Double,
            escape: Escape::Double,
            skip_rows: 0,
            header_row: true,
            comment: None,
            trim: Trim::None,
            skip_footer: 0,
            null_values: None,
            ragged: Ragged::Keep,
            repeated_headers: RepeatedHeaders::Keep,
        }
    }
}

/// The byte that stands for "no delimiter" in the scanner: outside quotes, it ends a record anyway. Damaged text may
/// have any other byte.
const NO_DELIMITER: u8 = b'\n';
/// The delimiter of the converted text if the delimiter of the file has several bytes: the ASCII unit separator.
const CONVERTED_DELIMITER: u8 = 0x1F;

impl TableDialect {
    /// Whether the scanner can read the text as it is. Any other text is converted first.
    pub fn is_plain(&self) -> bool {
        self.delimiter.as_bytes().len() <= 1
            && self.quote == Quote::Double
            && self.escape == Escape::Double
            && self.comment.is_none()
            && self.trim != Trim::Cells
            && self.skip_footer == 0
            && self.null_values.is_none()
            && self.repeated_headers == RepeatedHeaders::Keep
    }

    /// Returns the delimiter that the scanner looks for.
    pub fn scanned_delimiter(&self) -> u8 {
        match self.delimiter.as_bytes() {
            [] => NO_DELIMITER,
            &[byte] => byte,
            _ => CONVERTED_DELIMITER,
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.text(self.delimiter.as_str());
        state.byte(self.quote as u8);
        state.byte(self.escape as u8);
        state.number(self.skip_rows.into());
        state.flag(self.header_row);
        state.option(self.comment, StateWriter::byte);
        state.byte(self.trim as u8);
        state.number(self.skip_footer.into());
        state.option(self.null_values.as_deref(), |state, values| {
            state.list(values, |state, value| state.text(value));
        });
        state.byte(self.ragged as u8);
        state.byte(self.repeated_headers as u8);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let small = |number: u64| u32::try_from(number).map_err(|_| StateError::Damaged);
        Ok(Self {
            delimiter: Delimiter::restore(state)?,
            quote: one_of(state, &Quote::ALL)?,
            escape: one_of(state, &Escape::ALL)?,
            skip_rows: small(state.number()?)?,
            header_row: state.flag()?,
            comment: state.option(StateReader::byte)?,
            trim: one_of(state, &Trim::ALL)?,
            skip_footer: small(state.number()?)?,
            null_values: state
                .option(|state| state.list(|state| state.text().map(str::to_owned)))?
                .map(Into::into),
            ragged: one_of(state, &Ragged::ALL)?,
            repeated_headers: one_of(state, &RepeatedHeaders::ALL)?,
        })
    }
}

/// Reads the position of a value in `values`.
pub(super) fn one_of<T: Copy>(state: &mut StateReader<'_>, values: &[T]) -> Result<T, StateError> {
    let position = state.byte()?;
    values.get(usize::from(position)).copied().ok_or(StateError::Damaged)
}

impl Dialect {
    /// Whether positions in the text that the scanner reads are positions in the file: the file is UTF-8 and is not
    /// converted.
    pub fn is_direct(&self) -> bool {
        self.encoding == FileEncoding::UTF_8 && self.table.is_plain()
    }

    /// Whether both dialects find the same records and cells.
    pub fn reads_like(&self, other: &Self) -> bool {
        self.encoding == other.encoding && self.table == other.table
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        self.encoding.save(state);
        self.encoding_source.save(state);
        self.table.save(state);
        state.byte(self.newline as u8);
        state.byte(self.confidence_percent);
        state.list(&self.alternatives, |state, alternative| {
            state.text(alternative.delimiter.as_str());
            state.byte(alternative.quote as u8);
            state.byte(alternative.percent);
        });
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            encoding: FileEncoding::restore(state)?,
            encoding_source: EncodingSource::restore(state)?,
            table: TableDialect::restore(state)?,
            newline: one_of(state, &RecordEnd::ALL)?,
            confidence_percent: state.byte()?,
            alternatives: state.list(|state| {
                let delimiter = Delimiter::restore(state)?;
                let quote = one_of(state, &Quote::ALL)?;
                Ok(Alternative { delimiter, quote, percent: state.byte()? })
            })?,
        })
    }

    /// Returns the approximate memory of the dialect, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let values = self.table.null_values.as_deref().unwrap_or_default();
        values.iter().map(|value| value.len() + size_of::<String>()).sum::<usize>()
            + self.alternatives.capacity() * size_of::<Alternative>()
    }
}

impl Serialize for Delimiter {
    /// Writes the text, or `null` for [`Delimiter::NONE`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            "" => serializer.serialize_none(),
            text => serializer.serialize_str(text),
        }
    }
}

impl Serialize for Alternative {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("delimiter", &self.delimiter)?;
        map.serialize_entry("quote", self.quote.name())?;
        map.serialize_entry("confidence", &share(self.percent))?;
        map.end()
    }
}

/// Returns a percentage as a share from 0 to 1.
fn share(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

impl Serialize for Dialect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = &self.table;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("encoding", self.encoding.name())?;
        map.serialize_entry("encodingSource", self.encoding_source.name())?;
        map.serialize_entry("delimiter", &table.delimiter)?;
        map.serialize_entry("quote", table.quote.name())?;
        map.serialize_entry("escape", table.escape.name())?;
        map.serialize_entry("newline", self.newline.name())?;
        map.serialize_entry("skipRows", &table.skip_rows)?;
        map.serialize_entry("headerRow", &table.header_row)?;
        map.serialize_entry("comment", &table.comment.map(|byte| char::from(byte).to_string()))?;
        map.serialize_entry("trim", table.trim.name())?;
        map.serialize_entry("skipFooter", &table.skip_footer)?;
        map.serialize_entry("nullValues", table.null_values.as_deref().unwrap_or_default())?;
        map.serialize_entry("ragged", table.ragged.name())?;
        map.serialize_entry("repeatedHeaders", table.repeated_headers.name())?;
        map.serialize_entry("confidence", &share(self.confidence_percent))?;
        map.serialize_entry("alternatives", &self.alternatives)?;
        map.end()
    }
}
