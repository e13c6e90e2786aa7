//! Converts text in an unusual dialect to the text that the scanner reads.
//!
//! The scanner knows one kind of table: fields in `"`, quotes doubled, a delimiter of one byte. Most files are such
//! tables and are never converted. For any other dialect ([`TableDialect::is_plain`]), the rewriter writes each cell
//! again, so that the scanner finds the same cells. The conversion reads byte by byte and is slower than the scanner.
//!
//! - Lines stay lines: a comment becomes an empty line, so the numbers of lines in errors are those of the file.
//! - A malformed field stays malformed: text after a closing quote stays there, and an unclosed quote stays unclosed.
//! - A field is in quotes in the new text if it was in quotes in the file, or if its value needs quotes.

mod footer;
mod repeated_headers;

use super::checkpoint::{StateError, StateReader, StateWriter};
use super::dialect::{Escape, RepeatedHeaders, TableDialect, Trim};
use footer::Footer;
use repeated_headers::HeaderFilter;

/// The rewriter writes a part of a longer cell before it has read the whole cell.
const HELD_CELL_BYTES: usize = 64 * 1024;

/// Converts pieces of text, which may be split at any byte.
#[derive(Debug, Clone)]
pub(super) struct Rewriter {
    dialect: TableDialect,
    place: Place,
    /// The cell so far, without the quotes around it.
    cell: Vec<u8>,
    form: CellForm,
    /// A delimiter may begin only at or after this position of `cell`, because the bytes before it were escaped or
    /// quoted.
    delimiter_from: usize,
    /// Whether the record has a delimiter or a written cell.
    has_fields: bool,
    /// Whether the current record is the header. Its names are never null values.
    in_header: bool,
    /// Leaves out repeated headers; `None` if they are kept.
    headers: Option<HeaderFilter>,
    footer: Footer,
    /// Number of comments below the header.
    comment_lines: u64,
    /// Buffer for converted text from which records are left out.
    converted: Vec<u8>,
    /// The positions in `converted` of the line breaks between records. Only this converter knows them: a stray quote
    /// in the text does not begin a quoted field.
    breaks: Vec<usize>,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a record.
    RecordStart,
    /// At the start of a field. Blanks may have been read.
    FieldStart,
    /// In a field without quotes.
    Unquoted,
    /// Between the quotes of a field.
    Quoted,
    /// After a quote inside a quoted field: the quote closes the field or is the first of a doubled quote.
    AfterQuote,
    /// In the text after the closing quote.
    Tail,
    /// In a comment.
    Comment,
    /// After a backslash outside quotes.
    Escaped,
    /// After a backslash between quotes.
    EscapedQuoted,
}

const PLACES: [Place; 9] = [
    Place::RecordStart,
    Place::FieldStart,
    Place::Unquoted,
    Place::Quoted,
    Place::AfterQuote,
    Place::Tail,
    Place::Comment,
    Place::Escaped,
    Place::EscapedQuoted,
];

/// What is known about the current cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct CellForm {
    /// Whether the field began with a quote.
    quoted: bool,
    /// Whether the first part of the cell is already written, with an opening quote before it.
    begun: bool,
    /// Start of the text after the closing quote, in `cell`.
    tail: Option<usize>,
}

impl Rewriter {
    /// Creates a rewriter for text that starts at the start of a record.
    pub(super) fn new(dialect: TableDialect) -> Self {
        let footer = Footer::new(dialect.skip_footer, dialect.header_row);
        let skips_headers = dialect.repeated_headers == RepeatedHeaders::Skip && dialect.header_row;
        let headers = skips_headers.then(|| HeaderFilter::new(dialect.scanned_delimiter()));
        Self {
            in_header: dialect.header_row,
            dialect,
            place: Place::RecordStart,
            cell: Vec::new(),
            form: CellForm::default(),
            delimiter_from: 0,
            has_fields: false,
            headers,
            footer,
            comment_lines: 0,
            converted: Vec::new(),
            breaks: Vec::new(),
        }
    }

    /// Returns how many bytes of text the rewriter holds.
    pub(super) fn held_bytes(&self) -> usize {
        let in_headers = self.headers.as_ref().map_or(0, HeaderFilter::held_bytes);
        self.cell.len() + in_headers + self.footer.held_bytes()
    }

    /// Returns the number of comments below the header. They are left out.
    pub(super) fn comment_lines(&self) -> u64 {
        self.comment_lines
    }

    /// Converts a piece and appends the converted text to `out`.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if !self.leaves_out() {
            return self.convert(text, out);
        }
        let mut converted = std::mem::take(&mut self.converted);
        self.convert(text, &mut converted);
        self.leave_out(&converted, out);
        converted.clear();
        self.converted = converted;
    }

    /// Whether records may be left out.
    fn leaves_out(&self) -> bool {
        self.headers.is_some() || self.footer.records > 0
    }

    /// Writes a line break between records.
    fn write_break(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.leaves_out() {
            self.breaks.push(out.len());
        }
        out.push(byte);
    }

    /// Ends the text. A second call appends nothing.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let mut converted = Vec::new();
        match self.place {
            Place::RecordStart | Place::Comment => {}
            Place::Escaped => {
                self.cell.push(b'\\');
                self.end_field(&mut converted);
            }
            // The file ends inside quotes. The reader finds the quote that is not closed.
            Place::Quoted | Place::EscapedQuoted => self.write_open_part(&mut converted),
            _ => self.end_field(&mut converted),
        }
        self.place = Place::RecordStart;
        self.has_fields = false;
        self.leave_out(&converted, out);
        if let Some(headers) = &mut self.headers {
            let mut last = Vec::new();
            headers.finish(&mut last);
            self.footer.push(&last, &[], out);
        }
        self.footer.finish(out);
    }

    /// Copies converted text to `out`, without repeated headers and without the footer.
    fn leave_out(&mut self, converted: &[u8], out: &mut Vec<u8>) {
        let breaks = std::mem::take(&mut self.breaks);
        match &mut self.headers {
            None => self.footer.push(converted, &breaks, out),
            Some(headers) => {
                let (mut kept, mut kept_breaks) = (Vec::new(), Vec::new());
                headers.push(converted, &breaks, &mut kept, &mut kept_breaks);
                self.footer.push(&kept, &kept_breaks, out);
            }
        }
    }

    fn convert(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            let run = self.plain_run(rest);
            if run > 0 {
                self.cell.extend_from_slice(&rest[..run]);
                rest = &rest[run..];
            } else {
                self.byte(byte, out);
                rest = after;
            }
            if self.cell.len() > HELD_CELL_BYTES {
                self.write_part(out);
            }
        }
    }

    /// Returns the number of bytes at the start of `text` that are part of the cell and need no look.
    fn plain_run(&self, text: &[u8]) -> usize {
        let last_of_delimiter = self.dialect.delimiter.as_bytes().last().copied();
        let quote = self.dialect.quote.byte();
        let is_escape = |byte: u8| byte == b'\\' && self.dialect.escape == Escape::Backslash;
        let run = match self.place {
            Place::Unquoted => text.iter().position(|&byte| {
                byte == b'\n' || byte == b'\r' || Some(byte) == last_of_delimiter || is_escape(byte)
            }),
            Place::Quoted => text.iter().position(|&byte| Some(byte) == quote || is_escape(byte)),
            _ => return 0,
        };
        run.unwrap_or(text.len()).min(HELD_CELL_BYTES)
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_break = byte == b'\n' || byte == b'\r';
        let is_quote = Some(byte) == self.dialect.quote.byte();
        let is_escape = byte == b'\\' && self.dialect.escape == Escape::Backslash;
        match self.place {
            Place::RecordStart if is_break => self.write_break(byte, out),
            Place::RecordStart if Some(byte) == self.dialect.comment => {
                self.place = Place::Comment;
                self.comment_lines += u64::from(!self.in_header);
            }
            Place::Comment if is_break => {
                self.write_break(byte, out);
                self.place = Place::RecordStart;
            }
            Place::Comment => {}
            Place::RecordStart | Place::FieldStart if is_quote => {
                // Blanks before the quote are removed. They can only be here if cells are trimmed.
                self.cell.clear();
                self.form.quoted = true;
                self.place = Place::Quoted;
            }
            Place::RecordStart | Place::FieldStart if self.is_trimmed(byte) => {
                self.cell.push(byte);
                self.place = Place::FieldStart;
                self.end_field_if_delimiter(out);
            }
            Place::Quoted if is_quote => self.place = Place::AfterQuote,
            Place::Quoted if is_escape => self.place = Place::EscapedQuoted,
            Place::Quoted => self.cell.push(byte),
            Place::EscapedQuoted => {
                self.push_escaped(byte);
                self.place = Place::Quoted;
            }
            Place::AfterQuote if is_quote => {
                self.cell.push(byte);
                self.place = Place::Quoted;
            }
            Place::Escaped => {
                self.push_escaped(byte);
                self.delimiter_from = self.cell.len();
                self.place = if self.form.tail.is_some() { Place::Tail } else { Place::Unquoted };
            }
            _ if is_break => {
                self.end_field(out);
                self.in_header = false;
                self.write_break(byte, out);
                self.place = Place::RecordStart;
                self.has_fields = false;
            }
            place => {
                if place == Place::AfterQuote {
                    self.form.tail = Some(self.cell.len());
                    self.delimiter_from = self.cell.len();
                    self.place = Place::Tail;
                } else if place != Place::Tail {
                    self.place = Place::Unquoted;
                }
                if is_escape {
                    self.place = Place::Escaped;
                } else {
                    self.cell.push(byte);
                    self.end_field_if_delimiter(out);
                }
            }
        }
    }

    /// Appends a byte that stands after a backslash. The backslash stays, unless the byte has a special meaning: so `\N`
    /// and `\t` are not changed.
    fn push_escaped(&mut self, byte: u8) {
        let is_special = Some(byte) == self.dialect.quote.byte()
            || matches!(byte, b'\\' | b'\r' | b'\n')
            || self.dialect.delimiter.as_bytes().first() == Some(&byte);
        if !is_special {
            self.cell.push(b'\\');
        }
        self.cell.push(byte);
    }

    /// Whether the byte is a blank that is removed around cells.
    fn is_trimmed(&self, byte: u8) -> bool {
        self.dialect.trim == Trim::Cells
            && (byte == b' ' || (byte == b'\t' && self.dialect.delimiter.as_bytes() != b"\t"))
    }

    /// Ends the field if the cell ends with the delimiter.
    fn end_field_if_delimiter(&mut self, out: &mut Vec<u8>) {
        let delimiter = self.dialect.delimiter;
        let delimiter = delimiter.as_bytes();
        let ends = !delimiter.is_empty()
            && self.cell.get(self.delimiter_from..).is_some_and(|cell| cell.ends_with(delimiter));
        if ends {
            self.cell.truncate(self.cell.len() - delimiter.len());
            self.has_fields = true;
            self.end_field(out);
            out.push(self.dialect.scanned_delimiter());
            self.place = Place::FieldStart;
        }
    }

    /// Writes the cell, or the rest of it, and prepares for the next one.
    fn end_field(&mut self, out: &mut Vec<u8>) {
        let form = std::mem::take(&mut self.form);
        self.delimiter_from = 0;
        let mut cell = std::mem::take(&mut self.cell);
        if form.begun {
            push_doubling_quotes(&cell, out);
            out.push(b'"');
        } else {
            let (value, tail) = cell.split_at(form.tail.unwrap_or(cell.len()));
            self.write_cell(value, tail, form.quoted, out);
        }
        cell.clear();
        self.cell = cell;
    }

    fn write_cell(&self, value: &[u8], tail: &[u8], quoted: bool, out: &mut Vec<u8>) {
        let tail = if self.trims() { trimmed(tail) } else { tail };
        // A quote directly after the closing quote would be a doubled quote, so it is written inside the quotes.
        let quotes = tail.iter().take_while(|&&byte| byte == b'"').count();
        let value = if self.trims() && !quoted { trimmed(value) } else { value };
        let delimiter = self.dialect.scanned_delimiter();
        if tail.is_empty() && !self.in_header && self.is_null(value) {
            // A record that is an empty cell only must not become an empty line.
            if !self.has_fields && !value.is_empty() {
                out.extend_from_slice(b"\"\"");
            }
        } else if quoted {
            out.push(b'"');
            push_doubling_quotes(value, out);
            let (inside, outside) = match memchr::memchr3(delimiter, b'\r', b'\n', tail) {
                Some(_) => (tail, &[][..]),
                None => tail.split_at(quotes),
            };
            push_doubling_quotes(inside, out);
            out.push(b'"');
            out.extend_from_slice(outside);
        } else if self.needs_quotes(value, delimiter) {
            out.push(b'"');
            push_doubling_quotes(value, out);
            out.push(b'"');
        } else {
            out.extend_from_slice(value);
        }
    }

    fn trims(&self) -> bool {
        self.dialect.trim == Trim::Cells
    }

    fn is_null(&self, value: &[u8]) -> bool {
        let nulls = self.dialect.null_values.as_deref().unwrap_or_default();
        nulls.iter().any(|null| null.as_bytes() == value)
    }

    /// Whether an unquoted field with this value must be quoted in the new text.
    fn needs_quotes(&self, value: &[u8], delimiter: u8) -> bool {
        if memchr::memchr3(delimiter, b'\r', b'\n', value).is_some() {
            return true;
        }
        // If `"` is the quote of the file, a quote inside an unquoted field is a stray quote and stays one.
        match memchr::memchr(b'"', value) {
            Some(0) => true,
            Some(_) => self.dialect.quote.byte() != Some(b'"'),
            None => false,
        }
    }

    /// Writes a long cell so far, as the first part of a quoted field.
    fn write_part(&mut self, out: &mut Vec<u8>) {
        // The end of the cell may be the start of a delimiter, so it is kept.
        let kept = self.dialect.delimiter.as_bytes().len();
        let end = self.cell.len() - kept;
        if !self.form.begun {
            self.form.begun = true;
            out.push(b'"');
        }
        push_doubling_quotes(&self.cell[..end], out);
        self.cell.drain(..end);
        self.delimiter_from = self.delimiter_from.saturating_sub(end);
        self.form.tail = self.form.tail.map(|tail| tail.saturating_sub(end));
    }

    /// Writes a quoted field that is not closed.
    fn write_open_part(&mut self, out: &mut Vec<u8>) {
        if !self.form.begun {
            out.push(b'"');
        }
        push_doubling_quotes(&self.cell, out);
        self.cell.clear();
        self.form = CellForm::default();
        self.delimiter_from = 0;
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.byte(PLACES.iter().position(|&place| place == self.place).unwrap_or_default() as u8);
        state.bytes(&self.cell);
        state.flag(self.form.quoted);
        state.flag(self.form.begun);
        state.option(self.form.tail, StateWriter::count);
        state.count(self.delimiter_from);
        state.flag(self.has_fields);
        state.flag(self.in_header);
        state.number(self.comment_lines);
        if let Some(headers) = &self.headers {
            headers.save(state);
        }
        self.footer.save(state);
    }

    pub(super) fn restored(mut self, state: &mut StateReader<'_>) -> Result<Self, StateError> {
        self.place = *PLACES.get(usize::from(state.byte()?)).ok_or(StateError::Damaged)?;
        self.cell = state.bytes()?.to_vec();
        self.form =
            CellForm { quoted: state.flag()?, begun: state.flag()?, tail: state.option(StateReader::size)? };
        self.delimiter_from = state.size()?;
        self.has_fields = state.flag()?;
        self.in_header = state.flag()?;
        self.comment_lines = state.total()?;
        if self.headers.is_some() {
            self.headers = Some(HeaderFilter::restore(state, self.dialect.scanned_delimiter())?);
        }
        self.footer.restore(state)?;
        if self.form.tail.is_some_and(|tail| tail > self.cell.len()) {
            return Err(StateError::Damaged);
        }
        Ok(self)
    }
}

/// Removes blanks at both ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

fn push_doubling_quotes(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        out.push(byte);
        if byte == b'"' {
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests;
