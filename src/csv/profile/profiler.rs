//! Profiles a file piece by piece.

use super::Profile;
use super::digests::BlockDigester;
use super::record_profiler::{AppendOnlyCounts, RecordProfiler};
use super::statistics::ALLOCATION_BYTES;
use crate::csv::checkpoint::{Seal, StateError, StateReader, StateWriter};
use crate::csv::dialect::Dialect;
use crate::csv::encoding::Undecodable;
use crate::csv::error::{CsvError, MalformedCsv};
use crate::csv::open::options::InputOptions;
use crate::csv::open::{CsvOpener, OpenedCsv, OpeningStatus};
use crate::csv::record::stream::RecordStream;
use std::sync::Arc;

const WHOLE: Seal = Seal { magic: *b"CUTs", version: 6 };
const HEAD: Seal = Seal { magic: *b"CUTh", version: 7 };
const GROWTH: Seal = Seal { magic: *b"CUTg", version: 2 };
/// Maximum size of a saved state without its digests, in bytes. The digests take 32 bytes for each mebibyte of the
/// file.
pub const MAX_STATE_BYTES: usize = 8 << 20;

/// A saved state in two buffers, so that the append-only state is not written again with every save.
pub struct SavedState {
    /// The state that changes with every record.
    pub head: Vec<u8>,
    /// Append-only state that was added since the last save; empty if nothing was added.
    pub growth: Vec<u8>,
    /// Size of the whole append-only state: the entries in `growth` and the entries in earlier saves.
    pub grown: AppendOnlyCounts,
}

/// Profiles a file from its pieces.
pub struct Profiler {
    max_record_bytes: usize,
    size_bytes: u64,
    digester: BlockDigester,
    stage: ProfilerStage,
}

enum ProfilerStage {
    /// The profiler reads the start of the file, to detect the dialect.
    CsvOpener(Box<CsvOpener>),
    /// The profiler reads rows.
    RowProfiling(Box<RowProfiling>),
    /// A record exceeded a limit. [`Failed`] contains the profile up to that record.
    Failed(Box<Failed>),
}

/// State of the profiler after it has read the header.
struct RowProfiling {
    dialect: Dialect,
    names: Vec<String>,
    /// Memory of `names`, in bytes.
    names_bytes: usize,
    stream: RecordStream,
    records: RecordProfiler,
}

struct Failed {
    failure: Option<MalformedCsv>,
    /// `None` if the first record exceeded a limit.
    partial: Option<PartialProfile>,
}

/// The part of a [`RowProfiling`] that the profile needs after the profiler has stopped reading rows.
struct PartialProfile {
    dialect: Dialect,
    names: Vec<String>,
    undecodable: Undecodable,
    comment_lines: u64,
    records: RecordProfiler,
}

impl Profiler {
    /// Creates a profiler. A record of more than `max_record_bytes` bytes ends profiling.
    pub fn new(max_record_bytes: usize) -> Self {
        let stage = match CsvOpener::new(InputOptions::default(), max_record_bytes) {
            Ok(opening) => ProfilerStage::CsvOpener(Box::new(opening)),
            Err(error) => ProfilerStage::failed(&error, None),
        };
        Self { max_record_bytes, size_bytes: 0, digester: BlockDigester::default(), stage }
    }

    /// Sets the options with which the file is read. The call has an effect only before the first
    /// [`SAMPLE_BYTES`](crate::csv::SAMPLE_BYTES) have been pushed.
    pub fn declare(&mut self, options: InputOptions) {
        if let ProfilerStage::CsvOpener(opening) = &mut self.stage {
            opening.declare(options);
        }
    }

    /// Adds the next piece. The function never fails. If a record exceeds a limit, profiling ends, and the profile's
    /// `failure` describes the record. After that, only the size and the digests are computed.
    pub fn push(&mut self, piece: &[u8]) {
        self.size_bytes += piece.len() as u64;
        self.digester.push(piece);
        let end = match &mut self.stage {
            ProfilerStage::CsvOpener(opening) => match opening.push(piece) {
                Ok(OpeningStatus::NeedMore) => return,
                Ok(OpeningStatus::Ready(opened)) => {
                    self.stage = ProfilerStage::opened(*opened);
                    return;
                }
                Err(error) => error,
            },
            ProfilerStage::RowProfiling(profiling) => {
                match profiling.stream.push(piece, &mut profiling.records) {
                    Ok(_) => return,
                    Err(error) => error,
                }
            }
            ProfilerStage::Failed(_) => return,
        };
        self.fail(&end);
    }

    /// Returns the approximate memory of the profiler, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let of_stage = match &self.stage {
            ProfilerStage::CsvOpener(opening) => opening.held_bytes(),
            ProfilerStage::RowProfiling(profiling) => {
                profiling.names_bytes + profiling.stream.carried_bytes() + profiling.records.memory_bytes()
            }
            ProfilerStage::Failed(failed) => failed
                .partial
                .as_ref()
                .map_or(0, |partial| names_bytes(&partial.names) + partial.records.memory_bytes()),
        };
        of_stage + self.digester.memory_bytes()
    }

    /// Ends the file and returns its profile.
    pub fn finish(mut self) -> Profile {
        if let ProfilerStage::CsvOpener(opening) = &mut self.stage {
            let opening = std::mem::replace(&mut **opening, CsvOpener::over());
            self.stage = match opening.finish() {
                Ok(opened) => ProfilerStage::opened(opened),
                Err(error) => ProfilerStage::failed(&error, None),
            };
        }
        if let ProfilerStage::RowProfiling(profiling) = &mut self.stage
            && let Err(error) = profiling.stream.finish(&mut profiling.records)
        {
            self.fail(&error);
        }
        let (failure, partial) = match self.stage {
            ProfilerStage::CsvOpener(_) => (None, None),
            ProfilerStage::RowProfiling(profiling) => (None, Some(profiling.into_partial())),
            ProfilerStage::Failed(failed) => (failed.failure, failed.partial),
        };
        let digests = Some(Arc::new(self.digester.finish()));
        let profile = Profile { digests, ..Profile::with_size_only(self.size_bytes, failure) };
        match partial {
            None => profile,
            Some(PartialProfile { dialect, names, undecodable, comment_lines, records }) => records.finish(
                names,
                Profile {
                    dialect: Some(dialect),
                    undecodable: undecodable.count,
                    undecodable_places: Some(undecodable.places),
                    comment_lines,
                    ..profile
                },
            ),
        }
    }

    /// Returns the state between two pieces as bytes, with the version of the format. Returns `None` if the state of
    /// the decoder cannot be saved. Also returns `None` if the state is larger than [`MAX_STATE_BYTES`]. The state is
    /// that large only if the header or the unfinished record has several mebibytes, or if many columns have a thousand
    /// long values each.
    pub fn save(&self) -> Option<Vec<u8>> {
        let SavedState { head, growth, .. } = self.save_since(AppendOnlyCounts::default())?;
        let mut whole = WHOLE.writer();
        whole.bytes(&head);
        whole.bytes(&growth);
        Some(whole.sealed())
    }

    /// Restores a profiler from the state that [`Profiler::save`] returned.
    ///
    /// # Errors
    /// [`StateError`] for a state of another version and for damaged bytes.
    pub fn restore(state: &[u8]) -> Result<Self, StateError> {
        let mut whole = WHOLE.open(state)?;
        let (head, growth) = (whole.bytes()?, whole.bytes()?);
        whole.end()?;
        Self::restore_appended(head, &[growth])
    }

    /// Does the same as [`Profiler::save`], but leaves out the append-only state that earlier saves contain. `saved` is
    /// the size of that state. If the epoch has changed since `saved` ([`AppendOnlyCounts`]), this save contains the
    /// whole append-only state.
    pub fn save_since(&self, saved: AppendOnlyCounts) -> Option<SavedState> {
        let mut head = HEAD.writer();
        head.count(self.max_record_bytes);
        head.number(self.size_bytes);
        self.digester.save_block(&mut head);
        match &self.stage {
            ProfilerStage::CsvOpener(opening) => {
                head.byte(0);
                if !opening.save(&mut head) {
                    return None;
                }
            }
            ProfilerStage::RowProfiling(profiling) => {
                head.byte(1);
                if !profiling.save(&mut head) {
                    return None;
                }
            }
            ProfilerStage::Failed(failed) => {
                head.byte(2);
                failed.save(&mut head);
            }
        }
        let grown = self.grown();
        let (mut growth, mut digests_bytes) = (Vec::new(), 0);
        if grown != saved {
            let saved = if saved.epoch() == grown.epoch() { saved } else { AppendOnlyCounts::default() };
            let mut state = GROWTH.writer();
            self.digester.save_since(saved.digests, &mut state);
            digests_bytes = state.len();
            if let Some(records) = self.records() {
                records.save_growth(saved, &mut state);
            }
            growth = state.sealed();
        }
        let head = head.sealed();
        let is_small = head.len() + growth.len() - digests_bytes <= MAX_STATE_BYTES;
        is_small.then_some(SavedState { head, growth, grown })
    }

    /// Restores a profiler from the last [`SavedState::head`] and from every [`SavedState::growth`] of the same epoch
    /// ([`AppendOnlyCounts::epoch`]), in order.
    ///
    /// # Errors
    /// [`StateError`] for a state of another version and for damaged bytes.
    pub fn restore_appended<G: AsRef<[u8]>>(head: &[u8], growth: &[G]) -> Result<Self, StateError> {
        let mut state = HEAD.open(head)?;
        let growth = growth.iter().map(G::as_ref).filter(|growth| !growth.is_empty());
        let mut growth = growth.map(|growth| GROWTH.open(growth)).collect::<Result<Vec<_>, _>>()?;
        let (max_record_bytes, size_bytes) = (state.size()?, state.total()?);
        let mut digester = BlockDigester::restore_block(&mut state)?;
        for growth in &mut growth {
            digester.extend(growth)?;
        }
        if digester.size_bytes() != size_bytes {
            return Err(StateError::Damaged);
        }
        // A `growth` that was saved before the header was read has only digests. The loop above has read these digests,
        // so nothing is left in this `growth`.
        growth.retain(|growth| !growth.is_empty());
        let stage = match state.byte()? {
            0 => ProfilerStage::CsvOpener(Box::new(CsvOpener::restore(&mut state, max_record_bytes)?)),
            1 => {
                let profiling = RowProfiling::restore(&mut state, growth, max_record_bytes, size_bytes)?;
                ProfilerStage::RowProfiling(Box::new(profiling))
            }
            2 => ProfilerStage::Failed(Box::new(Failed::restore(&mut state, growth, size_bytes)?)),
            _ => return Err(StateError::Damaged),
        };
        state.end()?;
        Ok(Self { max_record_bytes, size_bytes, digester, stage })
    }

    /// Returns the size of the append-only state.
    pub fn grown(&self) -> AppendOnlyCounts {
        let mut grown = self.records().map(RecordProfiler::grown).unwrap_or_default();
        grown.digests = self.digester.complete_blocks();
        grown
    }

    fn records(&self) -> Option<&RecordProfiler> {
        match &self.stage {
            ProfilerStage::CsvOpener(_) => None,
            ProfilerStage::RowProfiling(profiling) => Some(&profiling.records),
            ProfilerStage::Failed(failed) => failed.partial.as_ref().map(|partial| &partial.records),
        }
    }

    fn fail(&mut self, error: &CsvError) {
        let stage = std::mem::replace(&mut self.stage, ProfilerStage::failed(error, None));
        if let ProfilerStage::RowProfiling(profiling) = stage {
            self.stage = ProfilerStage::failed(error, Some(*profiling));
        }
    }
}

impl ProfilerStage {
    /// Creates the stage of an opened file. Immediately profiles the rows that were read together with the header.
    fn opened(opened: OpenedCsv) -> Self {
        let records = RecordProfiler::new(opened.header.names(), opened.dialect.table.scanned_delimiter());
        Self::from_opened(opened, records)
    }

    fn from_opened(opened: OpenedCsv, mut records: RecordProfiler) -> Self {
        if let Some(defect) = opened.header_defect {
            records.add_header_defect(defect);
        }
        let mut stream = opened.stream;
        stream.locate(records.wanted_fields());
        let dialect = opened.dialect;
        let names_bytes = opened.header.memory_bytes();
        let names = opened.header.into_names();
        let mut profiling = RowProfiling { dialect, names, names_bytes, stream, records };
        match profiling.stream.push(&[], &mut profiling.records) {
            Ok(_) => Self::RowProfiling(Box::new(profiling)),
            Err(error) => Self::failed(&error, Some(profiling)),
        }
    }

    fn failed(error: &CsvError, profiling: Option<RowProfiling>) -> Self {
        let failure = match error {
            CsvError::Malformed(malformed) => Some(*malformed),
            // Only options cause these errors, and a profiler sets none of these options.
            CsvError::BadEncoding(_) => None,
        };
        Self::Failed(Box::new(Failed { failure, partial: profiling.map(RowProfiling::into_partial) }))
    }
}

/// Returns the approximate memory of names, in bytes.
fn names_bytes(names: &[String]) -> usize {
    names.iter().map(|name| name.capacity() + size_of::<String>() + ALLOCATION_BYTES).sum()
}

impl RowProfiling {
    fn into_partial(self) -> PartialProfile {
        let Self { dialect, names, stream, records, .. } = self;
        let undecodable =
            Undecodable { count: stream.undecodable(), places: stream.undecodable_places().to_vec() };
        let comment_lines = stream.comment_lines();
        PartialProfile { dialect, names, undecodable, comment_lines, records }
    }

    #[must_use]
    fn save(&self, state: &mut StateWriter) -> bool {
        self.dialect.save(state);
        state.list(&self.names, |state, name| state.text(name));
        self.records.save(state);
        self.stream.save(state)
    }

    fn restore(
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
        max_record_bytes: usize,
        size_bytes: u64,
    ) -> Result<Self, StateError> {
        let dialect = Dialect::restore(state)?;
        let names = state.list(|state| state.text().map(str::to_owned))?;
        let records =
            RecordProfiler::restore(state, growth, &names, dialect.table.scanned_delimiter(), size_bytes)?;
        let stream =
            RecordStream::restore(state, &dialect, names.len(), records.wanted_fields(), max_record_bytes)?;
        let names_bytes = names_bytes(&names);
        Ok(Self { dialect, names, names_bytes, stream, records })
    }
}

impl Failed {
    fn save(&self, state: &mut StateWriter) {
        state.option(self.failure.as_ref(), StateWriter::malformed);
        state.option(self.partial.as_ref(), |state, partial| {
            partial.dialect.save(state);
            state.list(&partial.names, |state, name| state.text(name));
            partial.undecodable.save(state);
            state.number(partial.comment_lines);
            partial.records.save(state);
        });
    }

    fn restore(
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
        size_bytes: u64,
    ) -> Result<Self, StateError> {
        let failure = state.option(StateReader::malformed)?;
        let partial = state.option(|state| {
            let dialect = Dialect::restore(state)?;
            let names = state.list(|state| state.text().map(str::to_owned))?;
            let undecodable = Undecodable::restore(state)?;
            let comment_lines = state.total()?;
            let records = RecordProfiler::restore(
                state,
                growth,
                &names,
                dialect.table.scanned_delimiter(),
                size_bytes,
            )?;
            Ok(PartialProfile { dialect, names, undecodable, comment_lines, records })
        })?;
        Ok(Self { failure, partial })
    }
}

impl Profile {
    /// Creates a profile with only the size and the failure.
    fn with_size_only(size_bytes: u64, failure: Option<MalformedCsv>) -> Self {
        Self {
            size_bytes,
            dialect: None,
            columns: Vec::new(),
            row_count: 0,
            rows_short: 0,
            rows_long: 0,
            rows_malformed: 0,
            rejects: Vec::new(),
            failure,
            longest_record_bytes: 0,
            undecodable: 0,
            undecodable_places: Some(Vec::new()),
            comment_lines: 0,
            suggestions: Vec::new(),
            index: None,
            zones: None,
            digests: None,
        }
    }
}

#[cfg(test)]
impl Profiler {
    /// Creates a profiler that has read the start of a file, with small bounds on its row index and zone maps.
    pub(super) fn with_bounds(
        max_record_bytes: usize,
        start: &[u8],
        index: super::RowIndex,
        max_cells: usize,
    ) -> Self {
        let mut opening =
            CsvOpener::new(InputOptions::default(), max_record_bytes).unwrap_or_else(|_| unreachable!());
        let opened = match opening.push(start) {
            Ok(OpeningStatus::Ready(opened)) => *opened,
            _ => opening.finish().unwrap_or_else(|_| unreachable!()),
        };
        let records = RecordProfiler::new(opened.header.names(), opened.dialect.table.scanned_delimiter())
            .with_bounds(index, max_cells);
        let stage = ProfilerStage::from_opened(opened, records);
        let mut digester = BlockDigester::default();
        digester.push(start);
        Self { max_record_bytes, size_bytes: start.len() as u64, digester, stage }
    }
}

#[cfg(test)]
impl Profile {
    /// Returns the profile of a file, with small bounds on its row index and zone maps.
    pub(super) fn with_bounds(file: &[u8], index: super::RowIndex, max_cells: usize) -> Self {
        Profiler::with_bounds(usize::MAX, file, index, max_cells).finish()
    }
}
