//! How a request or the owner of a file wants the file to be read.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::dialect::{
    Delimiter, Escape, NullValues, Quote, Ragged, RepeatedHeaders, TableDialect, Trim, one_of,
};
use crate::csv::encoding::FileEncoding;

/// The rules that a request or the owner of a file sets. The other rules are detected.
#[derive(Debug, Clone, PartialEq)]
pub struct InputOptions {
    /// Whether the first record is the header. `None` means that it is.
    pub header: Option<bool>,
    /// The delimiter.
    pub delimiter: Option<Delimiter>,
    /// The encoding of the file. A byte order mark takes precedence.
    pub encoding: Option<FileEncoding>,
    /// The character around quoted fields.
    pub quote: Option<Quote>,
    /// How a quoted field contains its quote.
    pub escape: Option<Escape>,
    /// Lines above the header.
    pub skip_rows: Option<u32>,
    /// Records at the end of the file that are left out.
    pub skip_footer: Option<u32>,
    /// The byte at the start of each comment. `Some(None)` means that no line is a comment.
    pub comment: Option<Option<u8>>,
    /// Where blanks are removed.
    pub trim: Option<Trim>,
    /// Values that are read as empty cells.
    pub null_values: NullValues,
    /// What happens to rows with more or fewer fields than the header.
    pub ragged: Option<Ragged>,
    /// What happens to records that repeat the header.
    pub repeated_headers: Option<RepeatedHeaders>,
    /// The delimiter that the declared media type names. It only helps the detection.
    pub declared_delimiter: Option<Delimiter>,
}

impl InputOptions {
    /// Options that set no rule.
    pub const DETECT: Self = Self {
        header: None,
        delimiter: None,
        encoding: None,
        quote: None,
        escape: None,
        skip_rows: None,
        skip_footer: None,
        comment: None,
        trim: None,
        null_values: None,
        ragged: None,
        repeated_headers: None,
        declared_delimiter: None,
    };

    /// Whether the file has a header.
    pub fn has_header(&self) -> bool {
        self.header.unwrap_or(true)
    }

    /// Whether the options set no rule. The encoding and the declared media type do not count.
    pub fn is_detection(&self) -> bool {
        *self == Self { encoding: self.encoding, declared_delimiter: self.declared_delimiter, ..Self::DETECT }
    }

    /// Returns these options, and the rules of `others` where these options set no rule.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            header: self.header.or(others.header),
            delimiter: self.delimiter.or(others.delimiter),
            encoding: self.encoding.or(others.encoding),
            quote: self.quote.or(others.quote),
            escape: self.escape.or(others.escape),
            skip_rows: self.skip_rows.or(others.skip_rows),
            skip_footer: self.skip_footer.or(others.skip_footer),
            comment: self.comment.or(others.comment),
            trim: self.trim.or(others.trim),
            null_values: self.null_values.clone().or_else(|| others.null_values.clone()),
            ragged: self.ragged.or(others.ragged),
            repeated_headers: self.repeated_headers.or(others.repeated_headers),
            declared_delimiter: self.declared_delimiter.or(others.declared_delimiter),
        }
    }

    /// Returns the rules, with the usual rule for each rule that is not set.
    pub(in crate::csv) fn table(&self) -> TableDialect {
        TableDialect {
            delimiter: self.delimiter.unwrap_or(Delimiter::COMMA),
            quote: self.quote.unwrap_or_default(),
            escape: self.escape.unwrap_or_default(),
            skip_rows: self.skip_rows.unwrap_or(0),
            header_row: self.has_header(),
            comment: self.comment.flatten(),
            trim: self.trim.unwrap_or_default(),
            skip_footer: self.skip_footer.unwrap_or(0),
            null_values: self.null_values.clone(),
            ragged: self.ragged.unwrap_or_default(),
            repeated_headers: self.repeated_headers.unwrap_or_default(),
        }
    }
}

impl InputOptions {
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        state.option(self.header, StateWriter::flag);
        state.option(self.delimiter, |state, delimiter| state.text(delimiter.as_str()));
        state.option(self.encoding, |state, encoding| encoding.save(state));
        state.option(self.quote, |state, quote| state.byte(quote as u8));
        state.option(self.escape, |state, escape| state.byte(escape as u8));
        state.option(self.skip_rows, |state, rows| state.number(rows.into()));
        state.option(self.skip_footer, |state, rows| state.number(rows.into()));
        state.option(self.comment, |state, comment| state.option(comment, StateWriter::byte));
        state.option(self.trim, |state, trim| state.byte(trim as u8));
        state.option(self.null_values.as_deref(), |state, values| {
            state.list(values, |state, value| state.text(value));
        });
        state.option(self.ragged, |state, ragged| state.byte(ragged as u8));
        state.option(self.repeated_headers, |state, headers| state.byte(headers as u8));
        state.option(self.declared_delimiter, |state, delimiter| state.text(delimiter.as_str()));
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let small =
            |state: &mut StateReader<'_>| u32::try_from(state.number()?).map_err(|_| StateError::Damaged);
        Ok(Self {
            header: state.option(StateReader::flag)?,
            delimiter: state.option(Delimiter::restore)?,
            encoding: state.option(FileEncoding::restore)?,
            quote: state.option(|state| one_of(state, &Quote::ALL))?,
            escape: state.option(|state| one_of(state, &Escape::ALL))?,
            skip_rows: state.option(small)?,
            skip_footer: state.option(small)?,
            comment: state.option(|state| state.option(StateReader::byte))?,
            trim: state.option(|state| one_of(state, &Trim::ALL))?,
            null_values: state
                .option(|state| state.list(|state| state.text().map(str::to_owned)))?
                .map(Into::into),
            ragged: state.option(|state| one_of(state, &Ragged::ALL))?,
            repeated_headers: state.option(|state| one_of(state, &RepeatedHeaders::ALL))?,
            declared_delimiter: state.option(Delimiter::restore)?,
        })
    }
}

impl Default for InputOptions {
    fn default() -> Self {
        Self::DETECT
    }
}
