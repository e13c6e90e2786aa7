//! Decodes the bytes of a file and reads the records of the decoded text. The file may be split at any byte.

use super::reader::{ReadProgress, RecordReader, RecordSink};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::convert::Converter;
use crate::csv::dialect::Dialect;
use crate::csv::encoding::{BadSequences, Undecodable, UndecodablePlace, Utf8Check};
use crate::csv::error::CsvError;
use crate::csv::scanner::walk::Wanted;

/// How far a piece of the file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum Step {
    /// The whole piece was read.
    Read,
    /// The sink paused. The rest of the piece must be pushed again.
    Paused {
        /// Number of bytes of the piece that were read.
        consumed: usize,
    },
}

/// Reads the records of a file after it has been opened.
pub(in crate::csv) struct RecordStream {
    /// `None` if the scanner reads the bytes of the file as they are.
    converter: Option<Converter>,
    /// Finds bytes that are not UTF-8. `None` if the file is converted, or if the stream does not have to count these
    /// bytes.
    check: Option<Utf8Check>,
    /// The places of the first hundred byte sequences that could not be decoded.
    undecodable_places: Vec<UndecodablePlace>,
    /// The byte sequences of the whole file that cannot be decoded. `None` if the caller does not know them.
    known_undecodable: Option<Undecodable>,
    reader: RecordReader,
    /// Converted text. At first, this is the text that was converted to open the file. Later, it is the last converted
    /// piece. The first `read_to` bytes of the text have been read.
    text: Vec<u8>,
    read_to: usize,
    /// Whether the last byte so far is [`END_MARK`]. The byte is read only if other bytes follow.
    holds_end_mark: bool,
}

/// The byte that ends a text file in CP/M and DOS (Ctrl-Z). At the end of a file, it is not part of the text.
pub(in crate::csv) const END_MARK: u8 = 0x1A;

/// Splits off the end mark, if the text ends with it.
fn without_end_mark(text: &[u8]) -> (&[u8], bool) {
    match text {
        [before @ .., END_MARK] => (before, true),
        _ => (text, false),
    }
}

impl RecordStream {
    /// Creates a stream that reads `text[read_to..]` first.
    pub(in crate::csv) fn new(
        converter: Option<Converter>,
        reader: RecordReader,
        text: Vec<u8>,
        read_to: usize,
    ) -> Self {
        Self {
            converter,
            check: None,
            undecodable_places: Vec::new(),
            known_undecodable: None,
            reader,
            text,
            read_to,
            holds_end_mark: false,
        }
    }

    /// Makes the stream count the byte sequences that cannot be decoded, and note their places. The sequences that the
    /// record reader has already read are in the header, which starts on `header_line`. Must be called before the first
    /// push.
    pub(in crate::csv) fn count_undecodable(&mut self, header_line: u64) {
        let text_byte = self.reader.byte() - self.read_to as u64;
        if self.converter.is_none() {
            let mut check = Utf8Check::from(text_byte);
            check.check(&self.text[..self.read_to], text_byte);
            self.check = Some(check);
        }
        let read_to = self.reader.byte();
        let Some(bad) = bad_sequences(&mut self.converter, &mut self.check) else { return };
        while let Some(byte) = bad.next_before(read_to) {
            bad.take();
            self.undecodable_places.push(UndecodablePlace { record: 0, line: header_line, byte });
        }
    }

    /// Makes the stream report `known`. The stream then does not search UTF-8 text for sequences that cannot be
    /// decoded.
    pub(in crate::csv) fn set_known_undecodable(&mut self, known: Undecodable) {
        self.known_undecodable = Some(known);
        self.check = None;
    }

    /// Whether the scanner reads the bytes of the file as they are.
    pub(in crate::csv) fn is_direct(&self) -> bool {
        self.converter.is_none()
    }

    /// Returns the places of the first hundred byte sequences that could not be decoded. Empty if the text is converted
    /// to the usual dialect.
    pub(in crate::csv) fn undecodable_places(&self) -> &[UndecodablePlace] {
        self.known_undecodable.as_ref().map_or(&self.undecodable_places, |known| &known.places)
    }

    /// Changes which fields of a record are located. Must be called before the first push.
    pub(in crate::csv) fn locate(&mut self, wanted: Wanted) {
        self.reader.locate(wanted);
    }

    /// Tells the stream how many columns the table has. In a table with two or more columns, a line of blanks is no
    /// row. Must be called before the first push.
    pub(in crate::csv) fn expect_columns(&mut self, columns: usize) {
        self.reader.skip_blank_records(columns > 1);
    }

    /// Returns the maximum number of bytes that a record may have.
    pub(in crate::csv) fn max_record_bytes(&self) -> usize {
        self.reader.max_record_bytes()
    }

    /// Returns how many bytes of unfinished records the stream holds.
    pub(in crate::csv) fn carried_bytes(&self) -> usize {
        self.reader.carried_bytes() + self.converter.as_ref().map_or(0, Converter::held_bytes)
    }

    /// Returns the number of byte sequences in the file that could not be decoded.
    pub(in crate::csv) fn undecodable(&self) -> u64 {
        match (&self.known_undecodable, &self.converter, &self.check) {
            (Some(known), ..) => known.count,
            (None, Some(converter), _) => converter.undecodable(),
            (None, None, Some(check)) => check.bad.count(),
            (None, None, None) => 0,
        }
    }

    /// Returns the number of comments below the header. They are left out.
    pub(in crate::csv) fn comment_lines(&self) -> u64 {
        self.converter.as_ref().map_or(0, Converter::comment_lines)
    }

    /// Skips `records` records. The next piece must start at `byte`, on the line `line`. Returns the number of skipped
    /// bytes. Does nothing and returns `None` if the file is converted, if some pushed text has not been read, if a
    /// record is unfinished, or if `byte` is before the current position.
    pub(in crate::csv) fn skip_to(&mut self, records: u64, byte: u64, line: u64) -> Option<u64> {
        let is_drained = self.converter.is_none() && self.read_to >= self.text.len() && !self.holds_end_mark;
        if is_drained { self.reader.skip_to(records, byte, line) } else { None }
    }

    /// Saves the state between two pieces. Returns `false` if some text has not been read, or if the state of the
    /// decoder cannot be saved.
    #[must_use]
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) -> bool {
        if self.read_to < self.text.len() {
            return false;
        }
        state.flag(self.holds_end_mark);
        self.reader.save(state);
        state.list(&self.undecodable_places, |state, place| place.save(state));
        state.option(self.check.as_ref(), |state, check| check.save(state));
        self.converter.as_ref().is_none_or(|converter| converter.save(state))
    }

    /// Restores the stream of a file with this dialect and this number of columns from the state that
    /// [`RecordStream::save`] wrote.
    pub(in crate::csv) fn restore(
        state: &mut StateReader<'_>,
        dialect: &Dialect,
        columns: usize,
        wanted: Wanted,
        max_record_bytes: usize,
    ) -> Result<Self, StateError> {
        let holds_end_mark = state.flag()?;
        let delimiter = dialect.table.scanned_delimiter();
        let reader = RecordReader::restore(state, delimiter, wanted, max_record_bytes)?;
        let undecodable_places = state.list(UndecodablePlace::restore)?;
        let check = state.option(Utf8Check::restore)?;
        let converter = match dialect.is_direct() {
            true => None,
            false => Some(Converter::restore(state, dialect)?),
        };
        let new = Self::new(converter, reader, Vec::new(), 0);
        let mut stream = Self { holds_end_mark, undecodable_places, check, ..new };
        stream.expect_columns(columns);
        Ok(stream)
    }

    /// Reads a piece of the file until the sink pauses.
    ///
    /// # Errors
    /// The errors of [`RecordReader::feed`].
    pub(in crate::csv) fn push(
        &mut self,
        piece: &[u8],
        sink: &mut impl RecordSink,
    ) -> Result<Step, CsvError> {
        let mut consumed = 0;
        loop {
            if self.read_text(sink)? {
                return Ok(Step::Paused { consumed });
            }
            let rest = &piece[consumed..];
            if rest.is_empty() {
                return Ok(Step::Read);
            }
            let Some(converter) = &mut self.converter else {
                let (read, paused) = self.feed(rest, sink)?;
                return Ok(if paused { Step::Paused { consumed: consumed + read } } else { Step::Read });
            };
            consumed += converter.step(rest, &mut self.text);
            self.reader.check_held(converter.held_bytes())?;
        }
    }

    /// Ends the file and reads the rest of the text. Returns `true` if the sink paused. In this case, the caller must
    /// call this method again.
    ///
    /// # Errors
    /// The errors of [`RecordStream::push`].
    pub(in crate::csv) fn finish(&mut self, sink: &mut impl RecordSink) -> Result<bool, CsvError> {
        if self.read_text(sink)? {
            return Ok(true);
        }
        if let Some(converter) = &mut self.converter {
            converter.finish(&mut self.text);
        }
        if self.read_text(sink)? {
            return Ok(true);
        }
        if let Some(check) = &mut self.check {
            check.finish();
        }
        // If the file ends inside a character, this call notes the place of the unfinished character.
        let bad = bad_sequences(&mut self.converter, &mut self.check);
        feed(&mut self.reader, bad, &mut self.undecodable_places, &[], sink)?;
        self.reader.finish(sink)?;
        Ok(false)
    }

    /// Reads the rest of `text`. Returns whether the sink paused.
    fn read_text(&mut self, sink: &mut impl RecordSink) -> Result<bool, CsvError> {
        if self.read_to < self.text.len() {
            let text = std::mem::take(&mut self.text);
            let fed = self.feed(&text[self.read_to..], sink);
            self.text = text;
            let (read, paused) = fed?;
            self.read_to += read;
            if paused {
                return Ok(true);
            }
        }
        self.read_to = 0;
        if self.converter.is_none() {
            // The buffer holds only the text that was read to open the file. All of this text has been read, so the
            // buffer can be freed.
            self.text = Vec::new();
        }
        self.text.clear();
        Ok(false)
    }

    /// Passes text to the reader, except an end mark at the end of the text. Returns the number of bytes that were
    /// read, and whether the sink paused.
    #[inline]
    fn feed(&mut self, text: &[u8], sink: &mut impl RecordSink) -> Result<(usize, bool), CsvError> {
        if self.holds_end_mark {
            self.reader.feed(&[END_MARK], sink)?;
            self.holds_end_mark = false;
        }
        let (before, has_end_mark) = without_end_mark(text);
        if let Some(check) = &mut self.check {
            check.check(before, self.reader.byte());
        }
        let bad = bad_sequences(&mut self.converter, &mut self.check);
        let fed = feed(&mut self.reader, bad, &mut self.undecodable_places, before, sink)?;
        if fed.paused {
            return Ok((fed.consumed, true));
        }
        self.holds_end_mark = has_end_mark;
        Ok((text.len(), false))
    }
}

/// Returns the sequences that the converter or the check has found, if their positions are positions in the text.
fn bad_sequences<'a>(
    converter: &'a mut Option<Converter>,
    check: &'a mut Option<Utf8Check>,
) -> Option<&'a mut BadSequences> {
    match (converter, check) {
        (Some(converter), _) => converter.placed_bad_sequences(),
        (None, Some(check)) => Some(&mut check.bad),
        (None, None) => None,
    }
}

/// Reads a text, and notes the places of the bad sequences in the text. For each bad sequence, the reader first reads
/// up to the first byte of the sequence, including this byte. At this point, the unfinished record of the reader is the
/// record of the sequence.
fn feed(
    reader: &mut RecordReader,
    bad: Option<&mut BadSequences>,
    places: &mut Vec<UndecodablePlace>,
    text: &[u8],
    sink: &mut impl RecordSink,
) -> Result<ReadProgress, CsvError> {
    let start = reader.byte();
    let Some(bad) = bad else { return reader.feed(text, sink) };
    let mut consumed = 0;
    while let Some(byte) = bad.next_before(start + text.len() as u64) {
        let to = (byte + 1).saturating_sub(start) as usize;
        if to > consumed {
            let fed = reader.feed(&text[consumed..to], sink)?;
            consumed += fed.consumed;
            if fed.paused {
                return Ok(ReadProgress { consumed, paused: true });
            }
        }
        bad.take();
        places.push(reader.undecodable_place(byte));
    }
    let fed = reader.feed(&text[consumed..], sink)?;
    Ok(ReadProgress { consumed: consumed + fed.consumed, paused: fed.paused })
}
