//! Profiles records: counts them, adds their cells to the columns, and ends a zone about every mebibyte.

use super::cells::{ColumnCells, MAX_CELLS};
use super::column::{ColumnProfiler, HotColumn, ZoneColumn};
use super::index::{RowIndex, RowStart};
use super::suggestions::OddRecords;
use super::zones::ZoneMaps;
use super::{
    ColumnProfile, MAX_COUNTED_COLUMNS, MAX_PROFILED_COLUMNS, MAX_REJECTS, MAX_ZONED_COLUMNS, Profile,
};
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

/// The profile of the rows read so far.
pub(super) struct RecordProfiler {
    /// Number of columns of the file.
    columns: usize,
    rows: u64,
    rows_short: u64,
    rows_long: u64,
    rows_malformed: u64,
    rejects: Vec<MalformedCsv>,
    longest_record_bytes: usize,
    odd_records: OddRecords,
    /// The columns with statistics. The counts of the current zone are not yet added to them.
    profiled: Vec<ColumnProfiler>,
    /// State of each column in `profiled` within the current zone.
    hot_columns: Vec<HotColumn>,
    /// Number of short rows in the current zone, indexed by their number of fields. Short rows have fewer fields than
    /// there are profiled columns. When the zone ends, the profiler counts their missing cells as empty cells.
    /// Counting these cells at each row would take as much time as profiling a full row.
    short_rows: Vec<u32>,
    /// Whether a record in the current zone is malformed.
    has_malformed: bool,
    /// The first row at or after this byte starts the next zone. The byte is a position in the file's UTF-8 form.
    next_zone_byte: u64,
    index: RowIndex,
    zones: ZoneMaps,
    /// Incremented when the row index drops entries or the zone maps merge entries.
    epoch: u32,
    /// Buffers for the rows of one record group, reused for the next group.
    group: Box<GroupBuffer>,
}

/// The size of the append-only state: the number of entries in the row index, the number of complete entries in the
/// zone maps, and the number of digests. When the epoch changes, the whole append-only state must be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendOnlyCounts {
    epoch: u32,
    starts: usize,
    zones: usize,
    pub(super) digests: usize,
}

impl AppendOnlyCounts {
    /// Returns the epoch of these counts.
    pub fn epoch(self) -> u32 {
        self.epoch
    }
}

/// Buffers for rows that are processed column by column.
#[derive(Default)]
struct GroupBuffer {
    /// The offsets in the piece at which the rows start.
    row_starts: Vec<u32>,
    cells: ColumnCells,
}

#[cfg(test)]
thread_local! {
    /// If `true`, rows are processed one by one. The profile must be the same as with `false`.
    pub(super) static ROW_BY_ROW: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Minimum number of rows that are processed column by column. Fewer rows are processed one by one.
const MIN_GROUP_ROWS: usize = 4;

impl RecordProfiler {
    /// Creates a profiler for a file whose columns have these names, and whose text has this delimiter.
    pub(super) fn new(names: &[String], delimiter: u8) -> Self {
        let columns = names.len();
        let profiled: Vec<_> = (0..columns.min(MAX_PROFILED_COLUMNS))
            .map(|position| ColumnProfiler::new(position < MAX_COUNTED_COLUMNS))
            .collect();
        Self {
            columns,
            rows: 0,
            rows_short: 0,
            rows_long: 0,
            rows_malformed: 0,
            rejects: Vec::new(),
            longest_record_bytes: 0,
            odd_records: OddRecords::new(&names[..profiled.len()], delimiter),
            hot_columns: profiled
                .iter()
                .map(|column| HotColumn::new(column, ZoneColumn::default()))
                .collect(),
            zones: ZoneMaps::new(profiled.len()),
            short_rows: vec![0; profiled.len()],
            profiled,
            has_malformed: false,
            next_zone_byte: 0,
            index: RowIndex::default(),
            epoch: 0,
            group: Box::default(),
        }
    }

    /// Counts the header as malformed, because it has a stray or an unclosed quote.
    pub(super) fn add_header_defect(&mut self, defect: MalformedCsv) {
        self.rows_malformed += 1;
        self.rejects.push(defect);
    }

    /// Returns the approximate memory of the profiler, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let of_column = size_of::<ColumnProfiler>() + size_of::<HotColumn>();
        let columns = self.profiled.iter().map(|column| of_column + column.memory_bytes());
        columns.sum::<usize>() + self.index.memory_bytes() + self.zones.memory_bytes()
    }

    /// Returns the fields that are read from each record.
    pub(super) fn wanted_fields(&self) -> Wanted {
        Wanted::first(self.profiled.len())
    }

    /// Ends the current zone, if there is one.
    fn end_zone(&mut self) {
        if self.index.entries().is_empty() {
            return;
        }
        let missing = missing_cells(&self.short_rows);
        for (hot, missing) in self.hot_columns.iter_mut().zip(missing) {
            hot.zone.kinds.empty += missing;
        }
        self.short_rows.fill(0);
        let were_merged = self.zones.push(self.hot_columns.iter().map(|hot| &hot.zone), self.has_malformed);
        self.epoch += u32::from(were_merged);
        for (column, hot) in self.profiled.iter_mut().zip(&mut self.hot_columns) {
            column.add_zone(&hot.zone);
            hot.zone = ZoneColumn::default();
        }
        self.has_malformed = false;
    }

    #[cold]
    fn start_zone(&mut self, place: RecordPosition<'_>) {
        self.end_zone();
        let start = RowStart { byte: place.byte(), row: self.rows, line: place.line() };
        if self.index.push(start) {
            self.zones.halve_zones();
            self.epoch += 1;
        }
        self.next_zone_byte = self.index.next_due();
    }

    /// Finds the first rows of a record group that can be processed column by column, and stores where they start. Each
    /// of these rows is well-formed and starts in the current zone. The piece has at least [`WORD_BYTES`] more bytes
    /// after the end of each of these rows. Returns the length of the longest of these rows, in bytes.
    fn find_group_rows(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> usize {
        let row_starts = &mut self.group.row_starts;
        row_starts.clear();
        let mut from = group.from;
        let mut longest_record_bytes = 0;
        for (ends, &end) in group.ends.chunks_exact(self.columns).zip(group.record_ends).take(MAX_CELLS) {
            let start = start_of_record(group.piece, from);
            let record_end = end.wrapping_sub(group.origin) as usize;
            if ends[self.columns - 1] != end
                || piece_byte + start as u64 >= self.next_zone_byte
                || record_end + WORD_BYTES > group.piece.len()
                || self.odd_records.may_repeat_header(group.piece, start)
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
    fn record_defect(&mut self, record: &Record<'_>, place: RecordPosition<'_>) {
        let form = RecordForm::new(record.fields, record.marks, self.columns);
        let Some(reason) = form.defect() else {
            return;
        };
        self.has_malformed = true;
        self.rows_malformed += u64::from(form.quotes.is_some());
        self.rows_short += u64::from(form.field_count == Ordering::Less);
        self.rows_long += u64::from(form.field_count == Ordering::Greater);
        if self.rejects.len() < MAX_REJECTS {
            self.rejects.push(place.malformed(reason));
        }
    }

    /// Completes `profile` with the results; `names` are the names of its columns.
    pub(super) fn finish(mut self, names: Vec<String>, mut profile: Profile) -> Profile {
        self.end_zone();
        let is_indexable = profile.is_indexable();
        let mut statistics = self.profiled.into_iter().map(ColumnProfiler::statistics);
        let columns = names.into_iter().enumerate().map(|(position, name)| ColumnProfile {
            name,
            is_zoned: is_indexable && position < MAX_ZONED_COLUMNS,
            statistics: statistics.next().map(Box::new),
        });
        profile.columns = columns.collect();
        let has_header = profile.dialect.as_ref().is_some_and(|dialect| dialect.table.header_row);
        let suggestions =
            self.odd_records.suggestions(&profile.columns, has_header, self.rows, self.rows_short);
        if profile.failure.is_none() {
            profile.suggestions = suggestions;
        }
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

    /// Returns the size of the append-only state, without digests.
    pub(super) fn grown(&self) -> AppendOnlyCounts {
        AppendOnlyCounts {
            epoch: self.epoch,
            starts: self.index.entries().len(),
            zones: self.zones.complete_entries(),
            digests: 0,
        }
    }

    /// Writes the append-only state that was added since `saved`. The epoch of `saved` must be the current epoch, or
    /// `saved` must be empty.
    pub(super) fn save_growth(&self, saved: AppendOnlyCounts, state: &mut StateWriter) {
        self.index.save_since(saved.starts, state);
        self.zones.save_entries(saved.zones..self.zones.complete_entries(), state);
    }

    /// Writes everything except the append-only state.
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.count(self.columns);
        for count in [self.rows, self.rows_short, self.rows_long, self.rows_malformed] {
            state.number(count);
        }
        state.list(&self.rejects, StateWriter::malformed);
        state.count(self.longest_record_bytes);
        self.odd_records.save(state);
        let columns = self.profiled.iter().zip(&self.hot_columns);
        for ((column, hot), missing) in columns.zip(missing_cells(&self.short_rows)) {
            column.save(state);
            let mut zone = hot.zone.clone();
            zone.kinds.empty += missing;
            zone.save(state);
        }
        state.flag(self.has_malformed);
        state.number(self.epoch.into());
        self.index.save_stride(state);
        self.zones.save_shape(state);
        self.zones.save_entries(self.zones.complete_entries()..self.zones.len(), state);
    }

    /// Restores the profiler of a file with these names, this delimiter and this many bytes. [`RecordProfiler::save`] wrote `state`.
    /// `growth` contains the outputs of [`RecordProfiler::save_growth`], from the oldest to the newest.
    ///
    /// # Errors
    /// [`StateError`] for a damaged state.
    pub(super) fn restore(
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
        names: &[String],
        delimiter: u8,
        size_bytes: u64,
    ) -> Result<Self, StateError> {
        if state.size()? != names.len() {
            return Err(StateError::Damaged);
        }
        let new = Self::new(names, delimiter);
        let mut records = Self {
            rows: state.total()?,
            rows_short: state.total()?,
            rows_long: state.total()?,
            rows_malformed: state.total()?,
            rejects: state.list(StateReader::malformed)?,
            longest_record_bytes: state.size()?,
            odd_records: new.odd_records.clone().restore(state)?,
            ..new
        };
        for (column, hot) in records.profiled.iter_mut().zip(&mut records.hot_columns) {
            *column = ColumnProfiler::restore(state, std::mem::take(column))?;
            *hot = HotColumn::new(column, ZoneColumn::restore(state)?);
        }
        records.has_malformed = state.flag()?;
        records.epoch = u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?;
        records.restore_zones(state, growth)?;
        let starts = records.index.entries();
        // Row starts are positions in the file's UTF-8 form, which can be longer than the file.
        let text_bytes = size_bytes.saturating_mul(TEXT_GROWTH);
        let is_consistent = records.zones.zone_count() == starts.len().saturating_sub(1)
            && starts.last().is_none_or(|last| last.row < records.rows && last.byte < text_bytes);
        if !is_consistent {
            return Err(StateError::Damaged);
        }
        records.next_zone_byte = records.index.next_due();
        Ok(records)
    }

    fn restore_zones(
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

    /// Sets small bounds, so that a small test file reaches them.
    #[cfg(test)]
    pub(super) fn with_bounds(self, index: RowIndex, max_cells: usize) -> Self {
        Self { index, zones: self.zones.with_max_cells(max_cells), ..self }
    }
}

/// Returns for each column the number of rows that have no cell in this column. `short_rows[n]` is the number of short
/// rows with `n` fields.
fn missing_cells(short_rows: &[u32]) -> impl Iterator<Item = u32> {
    short_rows.iter().scan(0, |missing, rows| {
        *missing += rows;
        Some(*missing)
    })
}

impl RecordSink for RecordProfiler {
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        if place.byte() >= self.next_zone_byte {
            self.start_zone(place);
        }
        if !RecordForm::is_plain(record, self.columns) {
            self.record_defect(record, place);
        }
        self.odd_records.see(record, self.columns, self.profiled.len());
        self.rows += 1;
        self.longest_record_bytes = self.longest_record_bytes.max(record.bytes().len());
        let mut values = record.values();
        for (hot, column) in self.hot_columns.iter_mut().zip(&mut self.profiled).take(record.fields) {
            hot.add(values.next_value(), column);
        }
        if let Some(rows) = self.short_rows.get_mut(record.fields) {
            *rows += 1;
        }
        Ok(Flow::Continue)
    }

    /// Processes the first rows of the group column by column. The returned [`Selection`] tells the scanner to count
    /// these rows and not to pass them to [`RecordSink::record`].
    #[inline(never)]
    fn handle_group(&mut self, group: RecordGroup<'_>, piece_byte: u64) -> Selection {
        #[cfg(test)]
        if ROW_BY_ROW.get() {
            return Selection::default();
        }
        if !(1..=MAX_FIELDS).contains(&self.columns) || group.record_ends.len() < MIN_GROUP_ROWS {
            return Selection::default();
        }
        let longest_record_bytes = self.find_group_rows(group, piece_byte);
        let Self { columns, hot_columns, profiled, odd_records, group: buffer, .. } = self;
        let GroupBuffer { row_starts, cells } = &mut **buffer;
        let records = row_starts.len();
        if records < MIN_GROUP_ROWS {
            return Selection::default();
        }
        odd_records.see_rows(group.piece, row_starts);
        for (position, (hot, column)) in hot_columns.iter_mut().zip(profiled).enumerate() {
            cells.load(group, row_starts, *columns, position);
            hot.add_all(cells, group.piece, column);
        }
        self.rows += records as u64;
        self.longest_record_bytes = self.longest_record_bytes.max(longest_record_bytes);
        Selection { records, fields: self.columns, ..Selection::default() }
    }
}

#[cfg(test)]
#[path = "record_profiler_tests.rs"]
mod tests;
