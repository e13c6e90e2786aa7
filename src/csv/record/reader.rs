//! Whole records out of pieces: keeps what a piece leaves unfinished, bounds it, and knows places.

use super::{Record, Values};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::error::{CsvError, Defect, MalformedCsv};
use crate::csv::limits::MAX_FIELDS;
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, FoundRecord, LineCounter, Receiver, RecordGroup, Scanner, Selection};

/// Receives records.
pub(in crate::csv) trait RecordSink {
    /// Takes one record and says whether another is wanted now.
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError>;

    /// Judges the first records of a group, as many as it likes; each must then have as many fields as it says. The piece
    /// they lie in starts at `piece_byte` of the file.
    #[inline(always)]
    fn handle_group(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> Selection {
        let _ = (group, piece_byte);
        Selection::default()
    }

    /// Counts so many records that were judged and are neither kept nor undecided.
    #[inline(always)]
    fn count_finished(&mut self, records: usize) {
        let _ = records;
    }

    /// Takes a record that was judged and is to be kept.
    #[inline(always)]
    fn kept_record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.record(record, place)
    }
}

/// Where a record stands in the file: what it takes to tell, should anybody ask.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) struct RecordPosition<'a> {
    record: u64,
    /// Where in the file the piece starts in which the record ends.
    piece_byte: u64,
    carried: usize,
    from: usize,
    lines: &'a LineCounter<'a>,
}

impl<'a> RecordPosition<'a> {
    #[inline(always)]
    fn new(found: &FoundRecord<'a>, record: u64, piece_byte: u64) -> Self {
        Self { record, piece_byte, carried: found.carried, from: found.from, lines: found.lines }
    }

    /// Where the record starts, in bytes from the start of the file (of its UTF-8 form).
    #[inline(always)]
    pub(in crate::csv) fn byte(self) -> u64 {
        let start = self.lines.start_of(self.carried, self.from);
        (self.piece_byte + start as u64).saturating_sub(self.carried as u64)
    }

    /// The line it starts on.
    pub(in crate::csv) fn line(self) -> u64 {
        self.lines.line_of(self.carried, self.from)
    }

    /// What is wrong with the record here.
    pub(in crate::csv) fn malformed(self, reason: Defect) -> MalformedCsv {
        MalformedCsv { record: self.record, line: self.line(), byte: self.byte(), reason }
    }

    /// The error that says what is wrong with the record here.
    #[inline(always)]
    pub(in crate::csv) fn error(self, reason: Defect) -> CsvError {
        let Self { record, piece_byte, carried, from, lines } = self;
        malformed(record, piece_byte, carried, from, lines, reason)
    }
}

/// As [`RecordPosition::error`], with one argument each: a place that is passed on as a whole would be written to memory
/// for every record.
#[cold]
#[inline(never)]
fn malformed(
    record: u64,
    piece_byte: u64,
    carried: usize,
    from: usize,
    lines: &LineCounter<'_>,
    reason: Defect,
) -> CsvError {
    let byte = (piece_byte + lines.start_of(carried, from) as u64).saturating_sub(carried as u64);
    MalformedCsv { record, line: lines.line_of(carried, from), byte, reason }.into()
}

/// Reads records from pieces of UTF-8 text. Zero-copy, except for the records that pieces cut in two.
#[derive(Debug, Clone)]
pub(in crate::csv) struct RecordReader {
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
    pub(in crate::csv) fn new(
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
    pub(in crate::csv) fn at(
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
    pub(in crate::csv) fn skip_to(&mut self, records: u64, byte: u64, line: u64) -> Option<u64> {
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
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        state.number(self.record);
        state.number(self.byte - self.carry.len() as u64);
        state.number(self.scanner.line());
        state.flag(self.scanner.is_after_cr());
        state.bytes(&self.carry);
    }

    /// The reader that [`RecordReader::save`] wrote down. What the scanner knew of the record in progress it
    /// learns again from its beginning.
    pub(in crate::csv) fn restore(
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
    pub(in crate::csv) fn locate(&mut self, wanted: Wanted) {
        self.scanner.locate(wanted);
    }

    /// Reads a piece of text, as far as the sink wants.
    ///
    /// # Errors
    /// The sink's, and [`CsvError::Malformed`] for a record out of bounds.
    #[inline]
    pub(in crate::csv) fn feed(
        &mut self,
        piece: &[u8],
        sink: &mut impl RecordSink,
    ) -> Result<Read, CsvError> {
        let mut consumed = 0;
        for piece in piece.chunks(MAX_PIECE_BYTES) {
            let Self { scanner, bounds, carry, values, record, byte } = self;
            let fed =
                scanner.feed_to(piece, PieceReading { sink, bounds, carry, values, record, byte: *byte })?;
            consumed += fed.consumed;
            self.byte += fed.consumed as u64;
            self.keep(&piece[fed.open_from..fed.consumed])?;
            if fed.paused {
                return Ok(Read { consumed, paused: true });
            }
        }
        Ok(Read { consumed, paused: false })
    }

    /// The most bytes a record may have.
    pub(in crate::csv) fn max_record_bytes(&self) -> usize {
        self.bounds.max_record_bytes
    }

    /// Whether nothing of the next record has been read.
    pub(in crate::csv) fn is_between_records(&self) -> bool {
        self.scanner.open_bytes() == 0
    }

    /// The line that the record in progress, or the next one, starts on.
    pub(in crate::csv) fn line(&self) -> u64 {
        self.scanner.line()
    }

    /// Hands over the record that the end of the text ends, if there is one.
    ///
    /// # Errors
    /// As [`RecordReader::feed`].
    pub(in crate::csv) fn finish(&mut self, sink: &mut impl RecordSink) -> Result<(), CsvError> {
        let Self { scanner, bounds, carry, values, record, byte } = self;
        let last = scanner.finish(|found| {
            let place = RecordPosition::new(&found, *record, *byte);
            *record += 1;
            bounds.check_bytes(carry.len(), place)?;
            bounds.check_fields(found.fields, place)?;
            sink.record(&Record::carried(carry, &found, values), place)
        });
        last.transpose()?;
        put_down(carry, values);
        Ok(())
    }

    /// Keeps the beginning of a record for the next piece.
    fn keep(&mut self, beginning: &[u8]) -> Result<(), CsvError> {
        let open_bytes = self.scanner.open_bytes();
        if open_bytes > self.bounds.max_record_bytes {
            let place = MalformedCsv {
                record: self.record,
                line: self.scanner.line(),
                byte: self.byte.saturating_sub(open_bytes as u64),
                reason: self.bounds.too_long(),
            };
            return Err(place.into());
        }
        carry_on(&mut self.carry, beginning);
        Ok(())
    }
}

/// Memory that is kept for the beginnings of records: what a longer one took is given back.
const KEPT_CARRY_BYTES: usize = 256 << 10;

/// Appends bytes of a record to those that came before. Doubling would take twice as much as the longest record.
fn carry_on(carry: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > carry.capacity() - carry.len() {
        carry.reserve_exact(bytes.len().max(carry.len() / 4));
    }
    carry.extend_from_slice(bytes);
}

/// Forgets a record.
fn put_down(carry: &mut Vec<u8>, values: &mut Values) {
    carry.clear();
    if carry.capacity() > KEPT_CARRY_BYTES {
        *carry = Vec::new();
        values.release();
    }
}

/// Takes no record: the beginning of one holds none.
struct NoRecord;

impl RecordSink for NoRecord {
    fn record(&mut self, _record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        Ok(Flow::Pause)
    }
}

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct Read {
    /// Bytes of the piece that are done with.
    pub(in crate::csv) consumed: usize,
    /// Whether the sink asked to pause.
    pub(in crate::csv) paused: bool,
}

/// The scanner's positions within a piece are 32 bits wide.
const MAX_PIECE_BYTES: usize = 1 << 30;

/// The reading of one piece.
struct PieceReading<'a, S> {
    sink: &'a mut S,
    bounds: &'a Bounds,
    carry: &'a mut Vec<u8>,
    values: &'a mut Values,
    record: &'a mut u64,
    /// Bytes of the file before the piece.
    byte: u64,
}

impl<S: RecordSink> Receiver<CsvError> for PieceReading<'_, S> {
    #[inline(always)]
    fn record(&mut self, found: FoundRecord<'_>) -> Result<Flow, CsvError> {
        let place = RecordPosition::new(&found, *self.record, self.byte);
        *self.record += 1;
        if found.end - found.from > self.bounds.max_record_bytes {
            let start = place.lines.start_of(0, place.from);
            self.bounds.check_bytes(found.end - start, place)?;
        }
        self.bounds.check_fields(found.fields, place)?;
        self.sink.record(&Record::in_piece(&found, self.values), place)
    }

    #[inline(always)]
    fn handle_group(&mut self, group: RecordGroup<'_>) -> Selection {
        // None of them is too long then: they all lie in the piece.
        if group.piece.len() > self.bounds.max_record_bytes {
            return Selection::default();
        }
        self.sink.handle_group(group, self.byte)
    }

    #[inline(always)]
    fn count_finished(&mut self, records: usize) {
        *self.record += records as u64;
        self.sink.count_finished(records);
    }

    #[inline(always)]
    fn kept_record(&mut self, found: FoundRecord<'_>) -> Result<Flow, CsvError> {
        let place = RecordPosition::new(&found, *self.record, self.byte);
        *self.record += 1;
        self.sink.kept_record(&Record::in_piece(&found, self.values), place)
    }

    #[inline(never)]
    fn carried_record(&mut self, found: FoundRecord<'_>) -> Result<Flow, CsvError> {
        if found.carried == 0 {
            return self.record(found);
        }
        let place = RecordPosition::new(&found, *self.record, self.byte);
        *self.record += 1;
        self.bounds.check_bytes(found.carried + found.end, place)?;
        self.bounds.check_fields(found.fields, place)?;
        carry_on(self.carry, &found.lines.piece()[..found.end]);
        let flow = self.sink.record(&Record::carried(self.carry, &found, self.values), place);
        put_down(self.carry, self.values);
        flow
    }
}

impl Bounds {
    #[inline(always)]
    fn check_bytes(self, bytes: usize, place: RecordPosition<'_>) -> Result<(), CsvError> {
        if bytes > self.max_record_bytes {
            return Err(place.error(self.too_long()));
        }
        Ok(())
    }

    #[inline(always)]
    fn check_fields(self, fields: usize, place: RecordPosition<'_>) -> Result<(), CsvError> {
        if fields > MAX_FIELDS {
            return Err(place.error(Defect::TooManyFields { limit: MAX_FIELDS }));
        }
        Ok(())
    }

    fn too_long(self) -> Defect {
        Defect::TooLong { limit_bytes: self.max_record_bytes }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "suites_tests.rs"]
mod suites;
