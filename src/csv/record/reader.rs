//! Assembles whole records from pieces: keeps the unfinished record, enforces the limits, and tracks positions
//! in the file.

use super::{Record, Values};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::encoding::UndecodablePlace;
use crate::csv::error::{CsvError, Defect, MalformedCsv};
use crate::csv::limits::MAX_FIELDS;
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, FoundRecord, LineCounter, Receiver, RecordGroup, Scanner, Selection};

/// Receives the records of a file.
pub(in crate::csv) trait RecordSink {
    /// Receives one record and returns whether the reader continues.
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError>;

    /// Handles the first records of a group together, as [`Receiver::handle_group`] does. The piece that contains the
    /// group starts at `piece_byte` of the file.
    #[inline(always)]
    fn handle_group(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> Selection {
        let _ = (group, piece_byte);
        Selection::default()
    }

    /// Counts records that [`RecordSink::handle_group`] finished.
    #[inline(always)]
    fn count_finished(&mut self, records: usize) {
        let _ = records;
    }

    /// Receives a record that [`RecordSink::handle_group`] marked in [`Selection::kept`].
    #[inline(always)]
    fn kept_record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.record(record, place)
    }
}

/// The position of a record in the file. The byte and the line are computed only when a caller asks for them.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) struct RecordPosition<'a> {
    record: u64,
    /// The byte of the file at which the current piece starts. The record ends in this piece.
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

    /// Returns the byte at which the record starts, counted in the UTF-8 form of the file.
    #[inline(always)]
    pub(in crate::csv) fn byte(self) -> u64 {
        let start = self.lines.start_of(self.carried, self.from);
        (self.piece_byte + start as u64).saturating_sub(self.carried as u64)
    }

    /// Returns the number of the record. The header has the number 0, the first row the number 1.
    #[inline(always)]
    pub(in crate::csv) fn record(self) -> u64 {
        self.record
    }

    /// Returns the line on which the record starts.
    pub(in crate::csv) fn line(self) -> u64 {
        self.lines.line_of(self.carried, self.from)
    }

    /// Creates a [`MalformedCsv`] for the record at this position.
    pub(in crate::csv) fn malformed(self, reason: Defect) -> MalformedCsv {
        MalformedCsv { record: self.record, line: self.line(), byte: self.byte(), reason }
    }

    /// Creates the error for the record at this position.
    #[inline(always)]
    pub(in crate::csv) fn error(self, reason: Defect) -> CsvError {
        let Self { record, piece_byte, carried, from, lines } = self;
        malformed(record, piece_byte, carried, from, lines, reason)
    }
}

/// Does the same as [`RecordPosition::error`], with one argument for each field of the position. If the position were a
/// single argument, the compiled code would write every position to memory, even if there is no error.
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

/// Reads records from pieces of UTF-8 text. Copies only records that continue in the next piece.
#[derive(Debug, Clone)]
pub(in crate::csv) struct RecordReader {
    scanner: Scanner,
    bounds: Bounds,
    /// The beginning of the unfinished record.
    carry: Vec<u8>,
    values: Values,
    /// The number of the next record.
    record: u64,
    /// Number of bytes of the file before the next piece.
    byte: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    max_record_bytes: usize,
    /// Whether a record that is one field of blanks is skipped, like an empty line.
    skips_blanks: bool,
}

impl RecordReader {
    /// Creates a reader whose first record has the number `record` and starts on line 1 at `byte`.
    pub(in crate::csv) fn new(
        delimiter: u8,
        wanted: Wanted,
        max_record_bytes: usize,
        record: u64,
        byte: u64,
    ) -> Self {
        Self {
            scanner: Scanner::new(delimiter, wanted),
            // The ends of fields are stored in 32 bits.
            bounds: Bounds {
                max_record_bytes: max_record_bytes.min(u32::MAX as usize - 1),
                skips_blanks: false,
            },
            carry: Vec::new(),
            values: Values::default(),
            record,
            byte,
        }
    }

    /// Creates a reader whose first record has the number `record` and starts on `line` at `byte`.
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

    /// Sets whether a record that is one field of blanks is skipped, like an empty line.
    pub(in crate::csv) fn skip_blank_records(&mut self, skips_blanks: bool) {
        self.bounds.skips_blanks = skips_blanks;
    }

    /// Refuses the unfinished record if a converter already holds more text of it than a record may have.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] with the position of the record.
    pub(in crate::csv) fn check_held(&self, held_bytes: usize) -> Result<(), CsvError> {
        if held_bytes <= self.bounds.max_record_bytes {
            return Ok(());
        }
        let (line, byte) = (self.scanner.line(), self.byte);
        Err(MalformedCsv { record: self.record, line, byte, reason: self.bounds.too_long() }.into())
    }

    /// Returns how many bytes of the unfinished record the reader holds.
    pub(in crate::csv) fn carried_bytes(&self) -> usize {
        self.carry.len()
    }

    /// Skips `records` records. The next piece must start at `byte`, on the line `line`. Returns the number of skipped
    /// bytes. Does nothing and returns `None` if a record is unfinished or if `byte` is before the current position.
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

    /// Saves the position and the beginning of the unfinished record. Must be called between two pieces.
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) {
        state.number(self.record);
        state.number(self.byte - self.carry.len() as u64);
        state.number(self.scanner.line());
        state.flag(self.scanner.is_after_cr());
        state.bytes(&self.carry);
    }

    /// Restores a reader from the state that [`RecordReader::save`] wrote. The scanner reads the beginning of the
    /// unfinished record again.
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

    /// Changes which fields of a record are located. Must be called between two records.
    pub(in crate::csv) fn locate(&mut self, wanted: Wanted) {
        self.scanner.locate(wanted);
    }

    /// Reads a piece of text until the sink pauses.
    ///
    /// # Errors
    /// The errors of the sink, and [`CsvError::Malformed`] for a record that is too long or has too many
    /// fields.
    #[inline]
    pub(in crate::csv) fn feed(
        &mut self,
        piece: &[u8],
        sink: &mut impl RecordSink,
    ) -> Result<ReadProgress, CsvError> {
        let mut consumed = 0;
        for piece in piece.chunks(MAX_PIECE_BYTES) {
            let Self { scanner, bounds, carry, values, record, byte } = self;
            let fed = scanner
                .feed_to(piece, RecordReceiver { sink, bounds, carry, values, record, byte: *byte })?;
            consumed += fed.consumed;
            self.byte += fed.consumed as u64;
            self.keep_unfinished(&piece[fed.open_from..fed.consumed])?;
            if fed.paused {
                return Ok(ReadProgress { consumed, paused: true });
            }
        }
        Ok(ReadProgress { consumed, paused: false })
    }

    /// Returns the maximum number of bytes that a record may have.
    pub(in crate::csv) fn max_record_bytes(&self) -> usize {
        self.bounds.max_record_bytes
    }

    /// Whether no byte of the next record has been read.
    pub(in crate::csv) fn is_between_records(&self) -> bool {
        self.scanner.open_bytes() == 0
    }

    /// Returns the line on which the unfinished record starts. If no record is unfinished, returns the line on which
    /// the next record starts.
    pub(in crate::csv) fn line(&self) -> u64 {
        self.scanner.line()
    }

    /// Returns the position of the next byte to read.
    pub(in crate::csv) fn byte(&self) -> u64 {
        self.byte
    }

    /// Returns the place of a sequence at `byte`, which must lie in the unfinished record.
    pub(in crate::csv) fn undecodable_place(&self, byte: u64) -> UndecodablePlace {
        UndecodablePlace { record: self.record, line: self.line(), byte }
    }

    /// Ends the text. Passes the last record to the sink if no line break ended this record.
    ///
    /// # Errors
    /// The errors of [`RecordReader::feed`].
    pub(in crate::csv) fn finish(&mut self, sink: &mut impl RecordSink) -> Result<(), CsvError> {
        let Self { scanner, bounds, carry, values, record, byte } = self;
        let last = scanner.finish(|found| {
            if bounds.skips(found.fields, carry) {
                return Ok(Flow::Continue);
            }
            let place = RecordPosition::new(&found, *record, *byte);
            *record += 1;
            bounds.check_bytes(carry.len(), place)?;
            bounds.check_fields(found.fields, place)?;
            sink.record(&Record::carried(carry, &found, values), place)
        });
        last.transpose()?;
        clear_carry(carry, values);
        Ok(())
    }

    /// Keeps the beginning of the unfinished record for the next piece. Refuses a record that is already too long.
    fn keep_unfinished(&mut self, beginning: &[u8]) -> Result<(), CsvError> {
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
        append_to_carry(&mut self.carry, beginning);
        Ok(())
    }
}

/// A `carry` buffer of at most this many bytes is reused for the next record. A larger buffer is freed.
const KEPT_CARRY_BYTES: usize = 256 << 10;

/// Appends bytes of a record to the bytes from earlier pieces. If the bytes do not fit into the buffer, it grows by at
/// least a quarter of its length. If the buffer doubled instead, it could become twice as long as the longest record.
fn append_to_carry(carry: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > carry.capacity() - carry.len() {
        carry.reserve_exact(bytes.len().max(carry.len() / 4));
    }
    carry.extend_from_slice(bytes);
}

/// Clears the buffer `carry`. If it is large, frees its memory and the memory of `values`.
fn clear_carry(carry: &mut Vec<u8>, values: &mut Values) {
    carry.clear();
    if carry.capacity() > KEPT_CARRY_BYTES {
        *carry = Vec::new();
        values.release();
    }
}

/// Whether the bytes are blanks, tabs and line breaks only.
#[inline(never)]
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// A sink for text in which no record should end. If a record ends, the sink pauses.
struct NoRecord;

impl RecordSink for NoRecord {
    fn record(&mut self, _record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        Ok(Flow::Pause)
    }
}

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct ReadProgress {
    /// Number of bytes of the piece that were read.
    pub(in crate::csv) consumed: usize,
    /// Whether the sink returned [`Flow::Pause`].
    pub(in crate::csv) paused: bool,
}

/// Maximum number of bytes that the scanner receives as one piece. The scanner's positions in a piece have 32 bits.
const MAX_PIECE_BYTES: usize = 1 << 30;

/// Receives the records of one piece from the scanner.
struct RecordReceiver<'a, S> {
    sink: &'a mut S,
    bounds: &'a Bounds,
    carry: &'a mut Vec<u8>,
    values: &'a mut Values,
    record: &'a mut u64,
    /// Number of bytes of the file before the piece.
    byte: u64,
}

impl<S: RecordSink> Receiver<CsvError> for RecordReceiver<'_, S> {
    #[inline(always)]
    fn record(&mut self, found: FoundRecord<'_>) -> Result<Flow, CsvError> {
        if found.fields == 1 && self.bounds.skips(1, &found.lines.piece()[found.from..found.end]) {
            return Ok(Flow::Continue);
        }
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
        // All records of the group lie in the piece. So no record can be too long if the piece is not longer than the
        // limit.
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
        let rest = &found.lines.piece()[..found.end];
        if self.bounds.skips(found.fields, self.carry) && self.bounds.skips(found.fields, rest) {
            clear_carry(self.carry, self.values);
            return Ok(Flow::Continue);
        }
        let place = RecordPosition::new(&found, *self.record, self.byte);
        *self.record += 1;
        self.bounds.check_bytes(found.carried + found.end, place)?;
        self.bounds.check_fields(found.fields, place)?;
        append_to_carry(self.carry, rest);
        let flow = self.sink.record(&Record::carried(self.carry, &found, self.values), place);
        clear_carry(self.carry, self.values);
        flow
    }
}

impl Bounds {
    /// Whether a record with this number of fields and these bytes is skipped.
    #[inline(always)]
    fn skips(self, fields: usize, bytes: &[u8]) -> bool {
        fields == 1 && self.skips_blanks && is_blank(bytes)
    }

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
