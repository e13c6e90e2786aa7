//! The cut: reads the bytes of a CSV file and writes the requested rows and columns.
//!
//! ```text
//! CsvOpener ──push, finish──▶ OpenedCsv ──CutPlan──▶ StreamingCsvProcessor ──push, finish──▶ output
//! ```
//!
//! The processor does no I/O and keeps at most one unfinished record. The caller pushes the pieces of the file, which
//! may be split at any byte. After each call, the caller takes the output away.

use super::marks::MatchMarks;
use super::plan::CutPlan;
use crate::csv::dialect::Ragged;
use crate::csv::encoding::UndecodablePlace;
use crate::csv::error::{CsvError, Defect, MalformedCsv};
use crate::csv::filter::Predicate;
use crate::csv::open::OpenedCsv;
use crate::csv::profile::RowStart;
use crate::csv::record::reader::{RecordPosition, RecordSink};
use crate::csv::record::stream::{RecordStream, Step};
use crate::csv::record::validity::RecordForm;
use crate::csv::record::{OwnedRecord, Record};
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, Marks, RecordGroup, Selection};
use crate::csv::write::{RowProgress, Writer};
use std::cmp::Ordering;

/// The processor pauses when the output has this many bytes, so that the caller can take the output away. The processor
/// writes a short row completely before it pauses, so the output can have more bytes.
pub const OUTPUT_TARGET_BYTES: usize = 128 * 1024;

/// A row is written in parts if its size exceeds this limit, in bytes. The size is the sum of two lengths: the length
/// of the record, and the minimum length of a row in the output ([`StreamingCsvProcessor::row_overhead_bytes`]). The
/// limit is low because the output of a row can be much longer than the record: a column may be picked several times,
/// and JSON may escape one byte as six.
const LONG_RECORD_BYTES: usize = 32 * 1024;

/// The next thing that the caller must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CutProgress {
    /// Push the next piece, or call `finish` at the end of the file.
    More,
    /// The output is full. This can happen in the middle of a piece, because a few bytes of input can produce much
    /// output. Take the output away. If `push` returned `Full`, push the rest of the piece next: `&piece[consumed..]`.
    /// If `finish` returned `Full`, call `finish` again.
    Full {
        /// Bytes of the piece that were read.
        consumed: usize,
    },
    /// No more input is needed. After `push`: call `finish`. After `finish`: take the last output away.
    Done,
}

/// Counters of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CutCounts {
    /// Rows read, without the header and blank lines.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Matching rows that were not written, because of the offset of the cut.
    pub rows_skipped: u64,
    /// Bytes of the file up to the current position, skipped bytes included.
    pub bytes_in: u64,
    /// Bytes of the file that were read. Skipped bytes do not count.
    pub bytes_scanned: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Rows with fewer fields than the header. Missing cells are empty.
    pub rows_short: u64,
    /// Rows with more fields than the header. Extra fields are not written.
    pub rows_long: u64,
    /// Records (rows and the header) with a stray quote, or with a quote that is not closed before the end of the file.
    /// [`crate::csv`] describes how such records are read.
    pub rows_malformed: u64,
    /// Number of refused rows: 1 if a record ended the cut with an error, else 0. Only strict mode refuses malformed
    /// rows.
    pub rows_rejected: u64,
    /// Byte sequences that cannot be decoded. If the profile of the file has their number, this is the number in the
    /// whole file. Otherwise it is the number in the bytes that the cut has read.
    pub undecodable: u64,
    /// Comments below the header that the cut has read and left out.
    pub comment_lines: u64,
    /// How often the filter compared an operand with a cell of another kind that is not empty, such as the number 5
    /// with the text `n/a`. Rows that the cut did not read are not counted.
    pub not_comparable: u64,
    /// Byte sequences in written cells that were not UTF-8 and became U+FFFD in JSON.
    pub invalid_utf8: u64,
}

impl CutCounts {
    /// Returns the number of ragged rows.
    pub fn rows_ragged(&self) -> u64 {
        self.rows_short + self.rows_long
    }
}

/// A cut in progress.
pub struct StreamingCsvProcessor {
    stream: RecordStream,
    cut: CutState,
    /// The header record; `None` after it was written to the output.
    header: Option<OwnedRecord>,
    /// A stray or an unclosed quote in the header; `None` after it was counted.
    header_defect: Option<MalformedCsv>,
}

impl StreamingCsvProcessor {
    /// Creates a cut of an opened file.
    pub fn new(opened: OpenedCsv, plan: CutPlan) -> Self {
        let writer = Writer::new(&opened, &plan.columns, plan.output, plan.value_kinds.as_deref());
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
            offset: plan.offset,
            offset_left: plan.offset,
            marks: None,
            mark_due: u64::MAX,
            limit_left: plan.limit.unwrap_or(u64::MAX),
            strict: plan.strict,
            refuses_ragged: opened.dialect.table.ragged == Ragged::Refuse,
            has_refused_row: false,
            long_row: None,
            long_record_bytes: LONG_RECORD_BYTES,
            output_target_bytes: OUTPUT_TARGET_BYTES,
            tally: CutCounts {
                bytes_in: opened.bytes_in,
                bytes_scanned: opened.bytes_in,
                ..CutCounts::default()
            },
        };
        Self { stream, cut, header: Some(opened.header_record), header_defect: opened.header_defect }
    }

    /// Returns the minimum number of bytes that a row has in the output. In JSON, the names of the columns are part of
    /// these bytes.
    pub fn row_overhead_bytes(&self) -> usize {
        self.cut.row_overhead_bytes
    }

    /// Returns the number of bytes of the unfinished record. The processor holds these bytes until the end of the
    /// record arrives.
    pub fn carried_bytes(&self) -> usize {
        self.stream.carried_bytes()
    }

    /// Reads the next piece of the file and appends the output to `out`. The first call also reads the bytes that
    /// [`CsvOpener`](crate::csv::CsvOpener) kept. The piece may be empty.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] for a record that is too long or has too many fields. In strict mode, also for a
    /// malformed record. The error ends the cut. The output that was written before the error is valid.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        let before = out.len();
        let progress = self.advance(piece, out);
        self.cut.update_tally(&self.stream, out.len() - before, progress.is_err());
        progress
    }

    /// Ends the cut: appends the last row and the closing bytes of the format (`]` in JSON). Call this function at the
    /// end of the file, or after `push` has returned [`CutProgress::Done`]. If this function returns
    /// [`CutProgress::Full`], call it again until it returns [`CutProgress::Done`].
    ///
    /// # Errors
    /// The errors of [`StreamingCsvProcessor::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        let before = out.len();
        let progress = self.complete(out);
        self.cut.update_tally(&self.stream, out.len() - before, progress.is_err());
        progress
    }

    /// Skips `rows` rows and counts them as read. The caller must know that all these rows are well-formed and that the
    /// filter matches none of these rows. The next piece must start with the record at `next_byte` on line `next_line`.
    /// Returns `false` and does nothing in these cases: a record is unfinished, some pushed bytes have not been read
    /// yet, `next_byte` is before the current position, or the file is not UTF-8.
    #[must_use]
    pub fn skip_to(&mut self, rows: u64, next_byte: u64, next_line: u64) -> bool {
        let Some(skipped_bytes) = self.stream.skip_to(rows, next_byte, next_line) else {
            return false;
        };
        self.cut.tally.rows_in += rows;
        self.cut.tally.bytes_in += skipped_bytes;
        true
    }

    /// Marks the starts of the matching rows that the cut skips because of its offset. Does nothing if the file is
    /// converted, because then positions in its text are not positions in the file. Must be called before the first
    /// push.
    pub fn mark_skipped(&mut self) {
        if self.stream.is_direct() {
            (self.cut.marks, self.cut.mark_due) = (Some(MatchMarks::default()), self.cut.offset);
        }
    }

    /// Returns the marks; `None` if nothing was marked.
    pub fn take_marks(&mut self) -> Option<MatchMarks> {
        self.cut.mark_due = u64::MAX;
        self.cut.marks.take()
    }

    /// Returns the places of the first hundred undecodable sequences that [`CutCounts::undecodable`] counts.
    pub fn undecodable_places(&self) -> &[UndecodablePlace] {
        self.stream.undecodable_places()
    }

    /// Returns the counters of the cut.
    pub fn tally(&self) -> CutCounts {
        self.cut.tally
    }

    fn advance(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<CutProgress, CsvError> {
        self.write_header(out)?;
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
        self.write_header(out)?;
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

    fn write_header(&mut self, out: &mut Vec<u8>) -> Result<(), CsvError> {
        if let Some(defect) = self.header_defect {
            if self.cut.strict {
                return Err(defect.into());
            }
            self.cut.tally.rows_malformed += 1;
            self.header_defect = None;
        }
        if let Some(header) = self.header.take() {
            if self.cut.writer.refuses_header(&header.as_record()) {
                let reason = Defect::NeedsQuotes;
                return Err(MalformedCsv { record: 0, line: 1, byte: 0, reason }.into());
            }
            self.cut.writer.begin(&header.as_record(), out);
        }
        Ok(())
    }
}

/// The state of a cut, except the stream of records.
struct CutState {
    /// Number of columns of the file.
    columns: usize,
    predicate: Option<Predicate>,
    writer: Writer,
    /// Minimum number of bytes that a row has in the output.
    row_overhead_bytes: usize,
    /// Matching rows to skip.
    offset: u64,
    /// Matching rows that still have to be skipped.
    offset_left: u64,
    /// The starts of matching rows that are skipped, if the caller wants them.
    marks: Option<MatchMarks>,
    /// The value of `offset_left` at the next matching row to mark.
    mark_due: u64,
    /// Rows that may still be written.
    limit_left: u64,
    strict: bool,
    /// Whether a ragged record is an error.
    refuses_ragged: bool,
    /// Whether the output has no quotes and a row needs them.
    has_refused_row: bool,
    /// The row that is being written in parts, and how much of this row has been written.
    long_row: Option<(OwnedRecord, RowProgress)>,
    long_record_bytes: usize,
    output_target_bytes: usize,
    tally: CutCounts,
}

impl CutState {
    fn update_tally(&mut self, stream: &RecordStream, bytes_out: usize, failed: bool) {
        self.tally.undecodable = stream.undecodable();
        self.tally.comment_lines = stream.comment_lines();
        self.tally.rows_skipped = self.offset - self.offset_left;
        self.tally.invalid_utf8 = self.writer.invalid_utf8();
        self.tally.not_comparable = self.predicate.as_ref().map_or(0, Predicate::incomparable);
        self.tally.bytes_out += bytes_out as u64;
        self.tally.rows_rejected += u64::from(failed);
    }

    /// If there is a long row, continues to write this row until the output is full. Returns `false` if a part of the
    /// row still has to be written.
    fn write_long_row(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((record, progress)) = &mut self.long_row else { return true };
        let is_over =
            self.writer.write_row_part(&record.as_record(), progress, out, self.output_target_bytes);
        if is_over {
            self.long_row = None;
        }
        is_over
    }

    /// Marks the start of a matching row, if it is due. The row is skipped later.
    #[inline(always)]
    fn mark(&mut self, place: RecordPosition<'_>) {
        if self.offset_left == self.mark_due {
            self.push_mark(place);
        }
    }

    #[cold]
    fn push_mark(&mut self, place: RecordPosition<'_>) {
        if let Some(marks) = &mut self.marks {
            marks.push(RowStart { byte: place.byte(), row: place.record() - 1, line: place.line() });
            self.mark_due = self.offset - marks.next_due();
        }
    }

    /// Checks a record that may be malformed, and counts its defects. In strict mode, counts nothing and returns the
    /// first defect as an error.
    #[inline(never)]
    fn check_form(&mut self, fields: usize, marks: Marks, place: RecordPosition<'_>) -> Result<(), CsvError> {
        let form = RecordForm::new(fields, marks, self.columns);
        match form.defect() {
            Some(reason) if self.strict => return Err(place.error(reason)),
            Some(reason @ Defect::Ragged { .. }) if self.refuses_ragged => return Err(place.error(reason)),
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
        cut.mark(place);
        // The record is passed by value. If a reference to the record were passed, the compiler would have to write
        // every record to memory.
        let flow = self.write_row(*record);
        self.check_written(place)?;
        Ok(flow)
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
    fn kept_record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.cut.tally.rows_in += 1;
        self.cut.mark(place);
        let flow = self.write_row(*record);
        self.check_written(place)?;
        Ok(flow)
    }
}

impl CutSink<'_> {
    /// Checks that the last row was written.
    #[inline(always)]
    fn check_written(&self, place: RecordPosition<'_>) -> Result<(), CsvError> {
        if self.cut.has_refused_row { Err(place.error(Defect::NeedsQuotes)) } else { Ok(()) }
    }

    /// Writes a matching row. If the offset is not reached yet, skips the row instead.
    #[inline(never)]
    fn write_row(&mut self, record: Record<'_>) -> Flow {
        let cut = &mut *self.cut;
        if cut.offset_left > 0 {
            cut.offset_left -= 1;
            return Flow::Continue;
        }
        if cut.writer.refuses(&record) {
            cut.has_refused_row = true;
            return Flow::Pause;
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
