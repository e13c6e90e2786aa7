//! Whole records out of pieces: keeps what a piece leaves unfinished, bounds it, and knows places.

use super::error::{CsvError, Defect, MalformedCsv};
use super::record::{Record, Values};
use super::scanner::{Fed, Flow, Found, Receiver, Scanner};
use super::state::{StateError, StateReader, StateWriter};
use super::walk::Wanted;

/// The most fields a record may have. Real tables stay far below; sixteen-bit spreadsheets end at 16,384.
pub const MAX_FIELDS: usize = 100_000;

/// Receives records.
pub(super) trait RecordSink {
    /// Takes one record and says whether another is wanted now.
    fn record(&mut self, record: &Record<'_>, place: Place) -> Result<Flow, CsvError>;
}

/// Where a record stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    record: u64,
    line: u64,
    byte: u64,
}

impl Place {
    /// Where the record starts, in bytes from the start of the file (of its UTF-8 form).
    pub(super) fn byte(self) -> u64 {
        self.byte
    }

    /// The line it starts on.
    pub(super) fn line(self) -> u64 {
        self.line
    }

    /// The error that says what is wrong with the record here.
    pub(super) fn malformed(self, reason: Defect) -> CsvError {
        self.at(reason).into()
    }

    /// What is wrong with the record here.
    pub(super) fn at(self, reason: Defect) -> MalformedCsv {
        let Self { record, line, byte } = self;
        MalformedCsv { record, line, byte, reason }
    }
}

/// Reads records from pieces of UTF-8 text. Zero-copy, except for the records that pieces cut in two.
#[derive(Debug, Clone)]
pub(super) struct RecordReader {
    scanner: Scanner,
    bounds: Bounds,
    /// The beginning of the record in progress.
    carry: Vec<u8>,
    values: Values,
    /// The number of the next record.
    record: u64,
    /// Bytes of the file before the next piece.
    byte: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    max_record_bytes: usize,
}

impl RecordReader {
    /// A reader whose first record has the number `record` and starts on line 1 at `byte`.
    pub(super) fn new(
        delimiter: u8,
        wanted: Wanted,
        max_record_bytes: usize,
        record: u64,
        byte: u64,
    ) -> Self {
        Self {
            scanner: Scanner::new(delimiter, wanted),
            // Field ends are 32 bits wide.
            bounds: Bounds { max_record_bytes: max_record_bytes.min(u32::MAX as usize - 1) },
            carry: Vec::new(),
            values: Values::default(),
            record,
            byte,
        }
    }

    /// A reader that goes on with the record `record`, which starts on `line` at `byte`.
    pub(super) fn at(
        delimiter: u8,
        wanted: Wanted,
        max_record_bytes: usize,
        record: u64,
        (byte, line): (u64, u64),
    ) -> Self {
        let mut reader = Self::new(delimiter, wanted, max_record_bytes, record, byte);
        reader.scanner.start_on(line, false);
        reader
    }

    /// Goes on with the record that is `records` further on and starts on `line` at `byte`: how many bytes
    /// that leaves out. `None`, and nothing is done, in the midst of a record or for a place behind.
    pub(super) fn skip_to(&mut self, records: u64, byte: u64, line: u64) -> Option<u64> {
        if self.scanner.open_bytes() > 0 {
            return None;
        }
        let skipped = byte.checked_sub(self.byte)?;
        self.record += records;
        self.byte = byte;
        self.scanner.start_on(line, false);
        Some(skipped)
    }

    /// Writes down the place between two pieces and the beginning of the record in progress.
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.number(self.record);
        state.number(self.byte - self.carry.len() as u64);
        state.number(self.scanner.line());
        state.flag(self.scanner.is_after_cr());
        state.bytes(&self.carry);
    }

    /// The reader that [`RecordReader::save`] wrote down. What the scanner knew of the record in progress it
    /// learns again from its beginning.
    pub(super) fn restore(
        state: &mut StateReader<'_>,
        delimiter: u8,
        wanted: Wanted,
        max_record_bytes: usize,
    ) -> Result<Self, StateError> {
        let (record, byte, line) = (state.total()?, state.total()?, state.total()?);
        let is_after_cr = state.flag()?;
        let carry = state.bytes()?;
        let mut reader = Self::at(delimiter, wanted, max_record_bytes, record, (byte, line));
        reader.scanner.start_on(line, is_after_cr);
        let fed = reader.feed(carry, &mut NoRecord).map_err(|_| StateError::Damaged)?;
        if fed.paused || reader.carry.len() != carry.len() {
            return Err(StateError::Damaged);
        }
        Ok(reader)
    }

    /// Changes which fields of a record are located; only between two records.
    pub(super) fn locate(&mut self, wanted: Wanted) {
        self.scanner.locate(wanted);
    }

    /// Reads a piece of text, as far as the sink wants.
    ///
    /// # Errors
    /// The sink's, and [`CsvError::Malformed`] for a record out of bounds.
    #[inline]
    pub(super) fn feed(&mut self, piece: &[u8], sink: &mut impl RecordSink) -> Result<Fed, CsvError> {
        let Self { scanner, bounds, carry, values, record, byte } = self;
        let fed =
            scanner.feed_to(piece, Reading { piece, sink, bounds, carry, values, record, byte: *byte })?;
        self.byte += fed.consumed as u64;
        self.keep(&piece[fed.open_from..fed.consumed])?;
        Ok(fed)
    }

    /// The most bytes a record may have.
    pub(super) fn max_record_bytes(&self) -> usize {
        self.bounds.max_record_bytes
    }

    /// Hands over the record that the end of the text ends, if there is one.
    ///
    /// # Errors
    /// As [`RecordReader::feed`].
    pub(super) fn finish(&mut self, sink: &mut impl RecordSink) -> Result<(), CsvError> {
        let Self { scanner, bounds, carry, values, record, byte } = self;
        let Some(found) = scanner.finish() else {
            return Ok(());
        };
        let place = Place { record: *record, line: found.line, byte: byte_of(*byte, &found) };
        *record += 1;
        bounds.check(found.carried, found.fields, place)?;
        sink.record(&Record::new(carry, &found, values), place)?;
        carry.clear();
        Ok(())
    }

    /// Keeps the beginning of a record for the next piece.
    fn keep(&mut self, beginning: &[u8]) -> Result<(), CsvError> {
        let open_bytes = self.scanner.open_bytes();
        let place = Place {
            record: self.record,
            line: self.scanner.line(),
            byte: self.byte.saturating_sub(open_bytes as u64),
        };
        self.bounds.check(open_bytes, 0, place)?;
        self.carry.extend_from_slice(beginning);
        Ok(())
    }
}

/// Takes no record: the beginning of one holds none.
struct NoRecord;

impl RecordSink for NoRecord {
    fn record(&mut self, _record: &Record<'_>, _place: Place) -> Result<Flow, CsvError> {
        Ok(Flow::Pause)
    }
}

/// The reading of one piece.
struct Reading<'a, S> {
    piece: &'a [u8],
    sink: &'a mut S,
    bounds: &'a Bounds,
    carry: &'a mut Vec<u8>,
    values: &'a mut Values,
    record: &'a mut u64,
    /// Bytes of the file before the piece.
    byte: u64,
}

impl<S: RecordSink> Receiver<CsvError> for Reading<'_, S> {
    #[inline(always)]
    fn found(&mut self, found: Found<'_>) -> Result<Flow, CsvError> {
        let place = Place { record: *self.record, line: found.line, byte: byte_of(self.byte, &found) };
        *self.record += 1;
        self.bounds.check(found.carried + found.end - found.start, found.fields, place)?;
        let mut bytes = &self.piece[found.start..found.end];
        if found.carried > 0 {
            self.carry.extend_from_slice(bytes);
            bytes = self.carry;
        }
        let flow = self.sink.record(&Record::new(bytes, &found, self.values), place);
        self.carry.clear();
        flow
    }
}

impl Bounds {
    #[inline(always)]
    fn check(self, bytes: usize, fields: usize, place: Place) -> Result<(), CsvError> {
        if bytes > self.max_record_bytes {
            return Err(place.malformed(Defect::TooLong { limit_bytes: self.max_record_bytes }));
        }
        if fields > MAX_FIELDS {
            return Err(place.malformed(Defect::TooManyFields { limit: MAX_FIELDS }));
        }
        Ok(())
    }
}

#[inline(always)]
fn byte_of(piece_byte: u64, found: &Found<'_>) -> u64 {
    (piece_byte + found.start as u64).saturating_sub(found.carried as u64)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
