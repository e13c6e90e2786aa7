//! Learns from records: counts them, looks at their cells, and closes a block about every mebibyte.

use super::cells::{ColumnCells, MAX_CELLS};
use super::column::{BlockColumn, ColumnProfiler, Watch};
use super::index::{RowIndex, RowStart};
use super::zones::ZoneMaps;
use super::{ColumnProfile, MAX_PROFILED_COLUMNS, MAX_REJECTS, MAX_ZONED_COLUMNS, Profile};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::encoding::TEXT_GROWTH;
use crate::csv::error::{CsvError, MalformedCsv};
use crate::csv::limits::MAX_FIELDS;
use crate::csv::record::Record;
use crate::csv::record::reader::{RecordPosition, RecordSink};
use crate::csv::record::validity::RecordForm;
use crate::csv::record::value::WORD_BYTES;
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, RecordGroup, Selection, start_of_record};
use std::cmp::Ordering;

/// What has been learnt of the rows so far.
pub(super) struct Learner {
    /// How many columns the file has.
    columns: usize,
    rows: u64,
    rows_short: u64,
    rows_long: u64,
    rows_malformed: u64,
    rejects: Vec<MalformedCsv>,
    longest_record_bytes: usize,
    /// What is known of the first columns, up to the block in progress.
    profiled: Vec<ColumnProfiler>,
    /// What is known of them in it.
    watches: Vec<Watch>,
    /// How many of its rows have so many fields, fewer than there are columns here: short rows of a wide file would
    /// else take as long as whole ones.
    short: Vec<u32>,
    /// Whether some record of the block in progress has an unsound form.
    is_uneven: bool,
    /// Where the next block is due to start, in the text.
    next_block_byte: u64,
    index: RowIndex,
    zones: ZoneMaps,
    /// How often entries of the index or zones became one.
    epoch: u32,
    /// The rows of a group that are looked at column by column. Nothing between two runs.
    table: Box<Table>,
}

/// How much there is of what only grows: entries of the index and zones. In another epoch all of it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grown {
    epoch: u32,
    starts: usize,
    zones: usize,
}

impl Grown {
    /// Which epoch it is of.
    pub fn epoch(self) -> u32 {
        self.epoch
    }
}

/// Rows that are looked at column by column.
#[derive(Default)]
struct Table {
    /// Where they start in the piece.
    row_starts: Vec<u32>,
    cells: ColumnCells,
}

#[cfg(test)]
thread_local! {
    /// To look at each row by itself: what is learnt must be the same.
    pub(super) static ROW_BY_ROW: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Fewer rows than this are looked at one by one.
const MIN_TABLE_ROWS: usize = 4;

impl Learner {
    /// A learner of a file of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        let profiled = vec![ColumnProfiler::default(); columns.min(MAX_PROFILED_COLUMNS)];
        Self {
            columns,
            rows: 0,
            rows_short: 0,
            rows_long: 0,
            rows_malformed: 0,
            rejects: Vec::new(),
            longest_record_bytes: 0,
            watches: profiled.iter().map(|column| Watch::new(column, BlockColumn::default())).collect(),
            zones: ZoneMaps::new(profiled.len()),
            short: vec![0; profiled.len()],
            profiled,
            is_uneven: false,
            next_block_byte: 0,
            index: RowIndex::default(),
            epoch: 0,
            table: Box::default(),
        }
    }

    /// The fields it looks at.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted::first(self.profiled.len())
    }

    /// Ends the block in progress, if there is one.
    fn end_block(&mut self) {
        if self.index.entries().is_empty() {
            return;
        }
        let missing = missing_cells(&self.short);
        for (watch, missing) in self.watches.iter_mut().zip(missing) {
            watch.block.kinds.empty += missing;
        }
        self.short.fill(0);
        let were_merged = self.zones.push(self.watches.iter().map(|watch| &watch.block), self.is_uneven);
        self.epoch += u32::from(were_merged);
        for (column, watch) in self.profiled.iter_mut().zip(&mut self.watches) {
            column.add(&watch.block);
            watch.block = BlockColumn::default();
        }
        self.is_uneven = false;
    }

    #[cold]
    fn start_block(&mut self, place: RecordPosition<'_>) {
        self.end_block();
        let start = RowStart { byte: place.byte(), row: self.rows, line: place.line() };
        if self.index.push(start) {
            self.zones.halve_blocks();
            self.epoch += 1;
        }
        self.next_block_byte = self.index.next_due();
    }

    /// Finds where the first rows of a group start, as far as they can be looked at column by column: of sound form, in
    /// the block in progress, and with a word of text behind them. The most bytes that one has.
    fn find_rows(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> usize {
        let row_starts = &mut self.table.row_starts;
        row_starts.clear();
        let mut from = group.from;
        let mut longest_record_bytes = 0;
        for (ends, &end) in group.ends.chunks_exact(self.columns).zip(group.record_ends).take(MAX_CELLS) {
            let start = start_of_record(group.piece, from);
            let record_end = end.wrapping_sub(group.origin) as usize;
            if ends[self.columns - 1] != end
                || piece_byte + start as u64 >= self.next_block_byte
                || record_end + WORD_BYTES > group.piece.len()
            {
                break;
            }
            row_starts.push(start as u32);
            longest_record_bytes = longest_record_bytes.max(record_end - start);
            from = record_end + 1;
        }
        longest_record_bytes
    }

    #[inline(never)]
    fn note_form(&mut self, record: &Record<'_>, place: RecordPosition<'_>) {
        let form = RecordForm::new(record.fields, record.marks, self.columns);
        let Some(reason) = form.defect() else {
            return;
        };
        self.is_uneven = true;
        self.rows_malformed += u64::from(form.quotes.is_some());
        self.rows_short += u64::from(form.field_count == Ordering::Less);
        self.rows_long += u64::from(form.field_count == Ordering::Greater);
        if self.rejects.len() < MAX_REJECTS {
            self.rejects.push(place.malformed(reason));
        }
    }

    /// Puts what was learnt into `profile`, whose columns have `names`.
    pub(super) fn finish(mut self, names: Vec<String>, mut profile: Profile) -> Profile {
        self.end_block();
        let is_indexable = profile.is_indexable();
        let mut statistics = self.profiled.into_iter().map(ColumnProfiler::statistics);
        let columns = names.into_iter().enumerate().map(|(position, name)| ColumnProfile {
            name,
            is_zoned: is_indexable && position < MAX_ZONED_COLUMNS,
            statistics: statistics.next().map(Box::new),
        });
        profile.columns = columns.collect();
        Profile {
            row_count: self.rows,
            rows_short: self.rows_short,
            rows_long: self.rows_long,
            rows_malformed: self.rows_malformed,
            rejects: self.rejects,
            longest_record_bytes: self.longest_record_bytes as u64,
            index: is_indexable.then_some(self.index),
            zones: is_indexable.then_some(self.zones),
            ..profile
        }
    }

    /// How much there is of what only grows.
    pub(super) fn grown(&self) -> Grown {
        Grown { epoch: self.epoch, starts: self.index.entries().len(), zones: self.zones.settled() }
    }

    /// Writes down what has grown since `saved`; in another epoch, all of it.
    pub(super) fn save_growth(&self, saved: Grown, state: &mut StateWriter) {
        let saved = if saved.epoch == self.epoch { saved } else { Grown::default() };
        self.index.save_behind(saved.starts, state);
        self.zones.save_zones(saved.zones..self.zones.settled(), state);
    }

    /// Writes down everything else.
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.count(self.columns);
        for count in [self.rows, self.rows_short, self.rows_long, self.rows_malformed] {
            state.number(count);
        }
        state.list(&self.rejects, StateWriter::malformed);
        state.count(self.longest_record_bytes);
        let columns = self.profiled.iter().zip(&self.watches);
        for ((column, watch), missing) in columns.zip(missing_cells(&self.short)) {
            column.save(state);
            let mut block = watch.block.clone();
            block.kinds.empty += missing;
            block.save(state);
        }
        state.flag(self.is_uneven);
        state.number(self.epoch.into());
        self.index.save_stride(state);
        self.zones.save_shape(state);
        self.zones.save_zones(self.zones.settled()..self.zones.len(), state);
    }

    /// What [`Learner::save`] wrote down of so many columns and of so many bytes of a file, and what
    /// [`Learner::save_growth`] did, bit by bit.
    pub(super) fn restore(
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
        columns: usize,
        size_bytes: u64,
    ) -> Result<Self, StateError> {
        if state.size()? != columns {
            return Err(StateError::Damaged);
        }
        let mut learner = Self {
            rows: state.total()?,
            rows_short: state.total()?,
            rows_long: state.total()?,
            rows_malformed: state.total()?,
            rejects: state.list(StateReader::malformed)?,
            longest_record_bytes: state.size()?,
            ..Self::new(columns)
        };
        for (column, watch) in learner.profiled.iter_mut().zip(&mut learner.watches) {
            *column = ColumnProfiler::restore(state)?;
            *watch = Watch::new(column, BlockColumn::restore(state)?);
        }
        learner.is_uneven = state.flag()?;
        learner.epoch = u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?;
        learner.restore_blocks(state, growth)?;
        let starts = learner.index.entries();
        // Places are those of the file's UTF-8 form.
        let text_bytes = size_bytes.saturating_mul(TEXT_GROWTH);
        let is_sound = learner.zones.blocks() == starts.len().saturating_sub(1)
            && starts.last().is_none_or(|last| last.row < learner.rows && last.byte < text_bytes);
        if !is_sound {
            return Err(StateError::Damaged);
        }
        learner.next_block_byte = learner.index.next_due();
        Ok(learner)
    }

    fn restore_blocks(
        &mut self,
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
    ) -> Result<(), StateError> {
        self.index = RowIndex::restore_stride(state)?;
        let mut zones = ZoneMaps::restore_shape(state)?;
        if zones.columns() != self.zones.columns() {
            return Err(StateError::Damaged);
        }
        for mut growth in growth {
            self.index.extend(&mut growth)?;
            zones.extend(&mut growth)?;
            growth.end()?;
        }
        zones.extend(state)?;
        zones.check()?;
        self.zones = zones;
        Ok(())
    }

    /// A learner whose bounds are small, so that a test need not be gigabytes long.
    #[cfg(test)]
    pub(super) fn bounded(self, index: RowIndex, max_cells: usize) -> Self {
        Self { index, zones: self.zones.of_at_most(max_cells), ..self }
    }
}

/// How many cells are missing in each column, given how many rows have so many fields.
fn missing_cells(short: &[u32]) -> impl Iterator<Item = u32> {
    short.iter().scan(0, |missing, rows| {
        *missing += rows;
        Some(*missing)
    })
}

impl RecordSink for Learner {
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        if place.byte() >= self.next_block_byte {
            self.start_block(place);
        }
        if !RecordForm::is_plain(record, self.columns) {
            self.note_form(record, place);
        }
        self.rows += 1;
        self.longest_record_bytes = self.longest_record_bytes.max(record.bytes().len());
        let mut values = record.values();
        for (watch, column) in self.watches.iter_mut().zip(&mut self.profiled).take(record.fields) {
            watch.see(values.next_value(), column);
        }
        if let Some(rows) = self.short.get_mut(record.fields) {
            *rows += 1;
        }
        Ok(Flow::Continue)
    }

    /// Takes rows in, and passes them over.
    #[inline(never)]
    fn handle_group(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> Selection {
        #[cfg(test)]
        if ROW_BY_ROW.get() {
            return Selection::default();
        }
        if !(1..=MAX_FIELDS).contains(&self.columns) || group.record_ends.len() < MIN_TABLE_ROWS {
            return Selection::default();
        }
        let longest_record_bytes = self.find_rows(group, piece_byte);
        let Self { columns, watches, profiled, table, .. } = self;
        let Table { row_starts, cells } = &mut **table;
        let records = row_starts.len();
        if records < MIN_TABLE_ROWS {
            return Selection::default();
        }
        for (position, (watch, column)) in watches.iter_mut().zip(profiled).enumerate() {
            cells.take(group, row_starts, *columns, position);
            watch.see_all(cells, group.piece, column);
        }
        self.rows += records as u64;
        self.longest_record_bytes = self.longest_record_bytes.max(longest_record_bytes);
        Selection { records, fields: self.columns, ..Selection::default() }
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
