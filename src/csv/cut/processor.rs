//! The cut: the bytes of a CSV file in, the bytes of the rows and columns asked for out.
//!
//! ```text
//! Opening ──push, finish──▶ Opened ──Plan──▶ StreamingCsvProcessor ──push, finish──▶ output
//! ```
//!
//! The processor does no I/O and keeps no more than the record in progress: the caller hands it pieces of
//! the file, cut anywhere, and takes the output away between two calls.

use super::plan::CutPlan;
use crate::csv::error::CsvError;
use crate::csv::filter::Predicate;
use crate::csv::open::OpenedCsv;
use crate::csv::record::reader::{RecordPosition, RecordSink};
use crate::csv::record::stream::{RecordStream, Step};
use crate::csv::record::validity::RecordForm;
use crate::csv::record::{OwnedRecord, Record};
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, Marks, RecordGroup, Selection};
use crate::csv::write::{RowProgress, Writer};
use std::cmp::Ordering;

/// How full the output gets before the processor asks to have it taken away: one piece of the byte path. Only a row that
/// is not long is written to its end.
pub const OUTPUT_TARGET_BYTES: usize = 256 * 1024;

/// A row is written in parts if its record and what the format adds have more bytes: columns may be asked for more than
/// once, and JSON escapes a byte as six.
const LONG_RECORD_BYTES: usize = 32 * 1024;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CutProgress {
    /// Hand over the next piece, or finish at the end of the file.
    More,
    /// Take the output away, then go on with `&piece[consumed..]` (or call `finish` again): a few bytes of
    /// input can make many of output.
    Full {
        /// Bytes of the piece that are done with.
        consumed: usize,
    },
    /// No more input is needed: call `finish`, or, if this came from it, take the last output.
    Done,
}

/// What a cut has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows read: the header and blank lines are none.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Bytes of the file the rows lie in, skipped ones included.
    pub bytes_in: u64,
    /// Bytes of the file read.
    pub bytes_scanned: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Rows with fewer fields than the header; the missing ones count as empty.
    pub rows_short: u64,
    /// Rows with more fields than the header; what is too much is left out.
    pub rows_long: u64,
    /// Rows with a stray quote or one left open at the end of the file. They are read all the same, as
    /// [`crate::csv`] says.
    pub rows_malformed: u64,
    /// Rows refused: 1 when strict mode or a bound ended the cut, else 0. No row is ever left out for its
    /// form.
    pub rows_rejected: u64,
    /// Sequences of the file that its encoding does not know; they became U+FFFD.
    pub undecodable: u64,
    /// Sequences in the cells written that were not UTF-8 and became U+FFFD, as JSON needs.
    pub invalid_utf8: u64,
}

impl Tally {
    /// Rows that do not have as many fields as the header.
    pub fn rows_ragged(&self) -> u64 {
        self.rows_short + self.rows_long
    }
}

/// A cut in progress.
pub struct StreamingCsvProcessor {
    stream: RecordStream,
    cut: CutState,
    /// The header as the output shows it; taken when it is written.
    header: Option<OwnedRecord>,
}

impl StreamingCsvProcessor {
    /// A cut of an opened file.
    pub fn new(opened: OpenedCsv, plan: CutPlan) -> Self {
        let writer = Writer::new(&opened, &plan.columns, plan.output);
        let columns = opened.header.len();
        let mut stream = opened.stream;
        let read = plan.predicate.as_ref().map_or(&[][..], Predicate::columns);
        let wanted = plan.columns.iter().chain(read).copied();
        stream.locate(Wanted::fields(wanted.filter(|&column| column < columns)));
        let cut = CutState {
            columns,
            predicate: plan.predicate,
            row_overhead_bytes: writer.row_overhead_bytes(),
            writer,
            offset_left: plan.offset,
            limit_left: plan.limit.unwrap_or(u64::MAX),
            strict: plan.strict,
            long_row: None,
            long_record_bytes: LONG_RECORD_BYTES,
            output_target_bytes: OUTPUT_TARGET_BYTES,
            tally: Tally { bytes_in: opened.bytes_in, bytes_scanned: opened.bytes_in, ..Tally::default() },
        };
        Self { stream, cut, header: Some(opened.header_record) }
    }

    /// Reads the next piece of the file and appends to `out`. The first call also reads what opening the
    /// file took in; the piece may be empty.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] for a record out of bounds and, in strict mode, for one of unsound form. What
    /// was written before stands; the cut is over.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        let before = out.len();
        let progress = self.advance(piece, out);
        self.cut.update_tally(self.stream.undecodable(), out.len() - before, progress.is_err());
        progress
    }

    /// Ends the cut, at the end of the file or after [`CutProgress::Done`]: appends the last row and what the
    /// format needs after it. Called again while it answers [`CutProgress::Full`]; [`CutProgress::Done`] is the end.
    ///
    /// # Errors
    /// As [`StreamingCsvProcessor::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        let before = out.len();
        let progress = self.complete(out);
        self.cut.update_tally(self.stream.undecodable(), out.len() - before, progress.is_err());
        progress
    }

    /// Leaves out a group of whole records, behind which the record that starts at `next_byte` on line
    /// `next_line` is to be pushed next: `rows` of them, none of which would be written or is of unsound
    /// form. They count as read. `false`, and nothing is done, where that cannot be: in the midst of a record,
    /// or in a file that is not UTF-8.
    #[must_use]
    pub fn skip_to(&mut self, rows: u64, next_byte: u64, next_line: u64) -> bool {
        let Some(skipped_bytes) = self.stream.skip_to(rows, next_byte, next_line) else {
            return false;
        };
        self.cut.tally.rows_in += rows;
        self.cut.tally.bytes_in += skipped_bytes;
        true
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        self.cut.tally
    }

    fn advance(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        self.write_header(out);
        if !self.cut.write_long_row(out) {
            return Ok(CutProgress::Full { consumed: 0 });
        }
        if self.cut.limit_left == 0 {
            return Ok(CutProgress::Done);
        }
        let step = self.stream.push(piece, &mut CutSink { cut: &mut self.cut, out })?;
        let (consumed, full) = match step {
            Step::Read => (piece.len(), false),
            Step::Paused { consumed } => (consumed, true),
        };
        self.cut.tally.bytes_in += consumed as u64;
        self.cut.tally.bytes_scanned += consumed as u64;
        Ok(match full {
            _ if !self.cut.write_long_row(out) => CutProgress::Full { consumed },
            _ if self.cut.limit_left == 0 => CutProgress::Done,
            true => CutProgress::Full { consumed },
            false => CutProgress::More,
        })
    }

    fn complete(&mut self, out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        self.write_header(out);
        let mut paused = !self.cut.write_long_row(out);
        if !paused && self.cut.limit_left > 0 {
            paused = self.stream.finish(&mut CutSink { cut: &mut self.cut, out })? && self.cut.limit_left > 0;
            paused |= !self.cut.write_long_row(out);
        }
        if paused {
            return Ok(CutProgress::Full { consumed: 0 });
        }
        self.cut.writer.end(out);
        Ok(CutProgress::Done)
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        if let Some(header) = self.header.take() {
            self.cut.writer.begin(&header.as_record(), out);
        }
    }
}

/// What happens to each record.
struct CutState {
    /// How many columns the file has.
    columns: usize,
    predicate: Option<Predicate>,
    writer: Writer,
    /// What the writer adds to the values of a row, in bytes.
    row_overhead_bytes: usize,
    /// Rows to leave out yet.
    offset_left: u64,
    /// Rows to write yet.
    limit_left: u64,
    strict: bool,
    /// A row that is written in parts, and how far it has been.
    long_row: Option<(OwnedRecord, RowProgress)>,
    long_record_bytes: usize,
    output_target_bytes: usize,
    tally: Tally,
}

impl CutState {
    fn update_tally(&mut self, undecodable: u64, bytes_out: usize, failed: bool) {
        self.tally.undecodable = undecodable;
        self.tally.invalid_utf8 = self.writer.invalid_utf8();
        self.tally.bytes_out += bytes_out as u64;
        self.tally.rows_rejected += u64::from(failed);
    }

    /// Goes on with the long row, if there is one, while the output has room: `false` if some of it is left.
    fn write_long_row(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((record, progress)) = &mut self.long_row else { return true };
        let is_over =
            self.writer.write_row_part(&record.as_record(), progress, out, self.output_target_bytes);
        if is_over {
            self.long_row = None;
        }
        is_over
    }

    /// Counts a record of unsound form, or refuses it.
    #[inline(never)]
    fn check_form(&mut self, fields: usize, marks: Marks, place: RecordPosition<'_>) -> Result<(), CsvError> {
        let form = RecordForm::new(fields, marks, self.columns);
        match form.defect() {
            Some(reason) if self.strict => return Err(place.error(reason)),
            _ => {}
        }
        self.tally.rows_malformed += u64::from(form.quotes.is_some());
        self.tally.rows_short += u64::from(form.field_count == Ordering::Less);
        self.tally.rows_long += u64::from(form.field_count == Ordering::Greater);
        Ok(())
    }
}

struct CutSink<'a> {
    cut: &'a mut CutState,
    out: &'a mut Vec<u8>,
}

impl RecordSink for CutSink<'_> {
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        let cut = &mut *self.cut;
        if !RecordForm::is_plain(record, cut.columns) {
            cut.check_form(record.fields, record.marks, place)?;
        }
        cut.tally.rows_in += 1;
        if let Some(predicate) = &cut.predicate
            && !predicate.matches_row(*record)
        {
            return Ok(Flow::Continue);
        }
        // By value: a record whose address leaves this function would be written to memory for every row.
        Ok(self.write_row(*record))
    }

    #[inline(always)]
    fn handle_group(&mut self, group: RecordGroup<'_>, _piece_byte: u64) -> Selection {
        let Some(predicate) = &self.cut.predicate else { return Selection::default() };
        predicate.select(group, self.cut.columns)
    }

    #[inline(always)]
    fn count_finished(&mut self, records: usize) {
        self.cut.tally.rows_in += records as u64;
    }

    #[inline(always)]
    fn kept_record(&mut self, record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.cut.tally.rows_in += 1;
        Ok(self.write_row(*record))
    }
}

impl CutSink<'_> {
    /// Writes a row that is to be kept, or leaves it out for the offset.
    #[inline(never)]
    fn write_row(&mut self, record: Record<'_>) -> Flow {
        let cut = &mut *self.cut;
        if cut.offset_left > 0 {
            cut.offset_left -= 1;
            return Flow::Continue;
        }
        cut.tally.rows_out += 1;
        cut.limit_left -= 1;
        if record.len_bytes() + cut.row_overhead_bytes > cut.long_record_bytes {
            cut.long_row = Some((OwnedRecord::copy_of(&record), RowProgress::default()));
            return Flow::Pause;
        }
        cut.writer.row(&record, self.out);
        let is_enough = cut.limit_left == 0 || self.out.len() >= cut.output_target_bytes;
        if is_enough { Flow::Pause } else { Flow::Continue }
    }
}

#[cfg(test)]
#[path = "processor_tests/mod.rs"]
mod tests;
