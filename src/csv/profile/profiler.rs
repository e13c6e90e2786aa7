//! Learns a file piece by piece.

use super::learner::{Grown, Learner};
use super::{Dialect, Profile};
use crate::csv::checkpoint::{Seal, StateError, StateReader, StateWriter};
use crate::csv::encoding::EncodingSource;
use crate::csv::error::{CsvError, MalformedCsv};
use crate::csv::open::options::InputOptions;
use crate::csv::open::{OpenedCsv, Opening, Readiness};
use crate::csv::record::stream::RecordStream;
use encoding_rs::Encoding;

const WHOLE: Seal = Seal { magic: *b"CUTs", version: 3 };
const HEAD: Seal = Seal { magic: *b"CUTh", version: 3 };
const GROWTH: Seal = Seal { magic: *b"CUTg", version: 1 };
/// The most that a saved state may take.
pub const MAX_STATE_BYTES: usize = 8 << 20;

/// A state in two pieces, so that what only grows need not be written over and over.
pub struct SavedState {
    /// What changes all the time.
    pub head: Vec<u8>,
    /// What has grown since the state was last saved; empty when nothing has.
    pub growth: Vec<u8>,
    /// How much has grown in all.
    pub grown: Grown,
}

/// Learns a file as its pieces come.
pub struct Profiler {
    max_record_bytes: usize,
    size_bytes: u64,
    stage: ProfilerStage,
}

enum ProfilerStage {
    /// The start of the file is being looked at.
    Opening(Box<Opening>),
    /// Rows are being read.
    RowLearning(Box<RowLearning>),
    /// A record was out of bounds; what was known by then.
    Failed(Box<Failed>),
}

/// A file whose columns are known.
struct RowLearning {
    dialect: Dialect,
    names: Vec<String>,
    stream: RecordStream,
    learner: Learner,
}

struct Failed {
    failure: Option<MalformedCsv>,
    /// Absent when the first record was out of bounds.
    learnt: Option<Learnt>,
}

/// What is left of a [`RowLearning`] when nothing more is read.
struct Learnt {
    dialect: Dialect,
    names: Vec<String>,
    undecodable: u64,
    learner: Learner,
}

impl Profiler {
    /// A profiler at the start of a file whose records are at most `max_record_bytes` long.
    pub fn new(max_record_bytes: usize) -> Self {
        let stage = match Opening::new(InputOptions::default(), max_record_bytes) {
            Ok(opening) => ProfilerStage::Opening(Box::new(opening)),
            Err(error) => ProfilerStage::failed(&error, None),
        };
        Self { max_record_bytes, size_bytes: 0, stage }
    }

    /// Says what encoding the file was declared to be in, before its first [`SAMPLE_BYTES`](crate::csv::SAMPLE_BYTES)
    /// are taken in; later it changes nothing. A byte order mark overrules it.
    pub fn declare(&mut self, encoding: Option<&'static Encoding>) {
        if let ProfilerStage::Opening(opening) = &mut self.stage {
            opening.declare(encoding);
        }
    }

    /// Takes in the next piece. It never fails: a record out of bounds ends the learning and is kept as the
    /// profile's `failure`; of what follows only the size is counted.
    pub fn push(&mut self, piece: &[u8]) {
        self.size_bytes += piece.len() as u64;
        let end = match &mut self.stage {
            ProfilerStage::Opening(opening) => match opening.push(piece) {
                Ok(Readiness::NeedMore) => return,
                Ok(Readiness::Ready(opened)) => {
                    self.stage = ProfilerStage::opened(*opened);
                    return;
                }
                Err(error) => error,
            },
            ProfilerStage::RowLearning(learning) => {
                match learning.stream.push(piece, &mut learning.learner) {
                    Ok(_) => return,
                    Err(error) => error,
                }
            }
            ProfilerStage::Failed(_) => return,
        };
        self.fail(&end);
    }

    /// Ends the file.
    pub fn finish(mut self) -> Profile {
        if let ProfilerStage::Opening(opening) = &mut self.stage {
            let opening = std::mem::replace(&mut **opening, Opening::over());
            self.stage = match opening.finish() {
                Ok(opened) => ProfilerStage::opened(opened),
                Err(error) => ProfilerStage::failed(&error, None),
            };
        }
        if let ProfilerStage::RowLearning(learning) = &mut self.stage
            && let Err(error) = learning.stream.finish(&mut learning.learner)
        {
            self.fail(&error);
        }
        let (failure, learnt) = match self.stage {
            ProfilerStage::Opening(_) => (None, None),
            ProfilerStage::RowLearning(learning) => (None, Some(learning.learnt())),
            ProfilerStage::Failed(failed) => (failed.failure, failed.learnt),
        };
        let profile = Profile::of_size(self.size_bytes, failure);
        match learnt {
            None => profile,
            Some(Learnt { dialect, names, undecodable, learner }) => {
                learner.finish(names, Profile { dialect: Some(dialect), undecodable, ..profile })
            }
        }
    }

    /// The state between two pieces, to go on elsewhere: versioned, and at most 8 MiB. `None` when it would
    /// be larger, as a record in progress or a header of several mebibytes can make it.
    pub fn save(&self) -> Option<Vec<u8>> {
        let SavedState { head, growth, .. } = self.save_behind(Grown::default())?;
        let mut whole = WHOLE.writer();
        whole.bytes(&head);
        whole.bytes(&growth);
        Some(whole.sealed())
    }

    /// The profiler that [`Profiler::save`] wrote down.
    ///
    /// # Errors
    /// [`StateError`] for the state of another version and for damaged bytes.
    pub fn restore(state: &[u8]) -> Result<Self, StateError> {
        let mut whole = WHOLE.open(state)?;
        let (head, growth) = (whole.bytes()?, whole.bytes()?);
        whole.end()?;
        Self::restore_grown(head, &[growth])
    }

    /// As [`Profiler::save`], without what had grown when `saved` was.
    pub fn save_behind(&self, saved: Grown) -> Option<SavedState> {
        let mut head = HEAD.writer();
        head.count(self.max_record_bytes);
        head.number(self.size_bytes);
        match &self.stage {
            ProfilerStage::Opening(opening) => {
                head.byte(0);
                if !opening.save(&mut head) {
                    return None;
                }
            }
            ProfilerStage::RowLearning(learning) => {
                head.byte(1);
                if !learning.save(&mut head) {
                    return None;
                }
            }
            ProfilerStage::Failed(failed) => {
                head.byte(2);
                failed.save(&mut head);
            }
        }
        let (grown, growth) = match self.learner() {
            Some(learner) if learner.grown() != saved => {
                let mut growth = GROWTH.writer();
                learner.save_growth(saved, &mut growth);
                (learner.grown(), growth.sealed())
            }
            _ => (saved, Vec::new()),
        };
        let head = head.sealed();
        (head.len() + growth.len() <= MAX_STATE_BYTES).then_some(SavedState { head, growth, grown })
    }

    /// The profiler of a head, and of all that had grown by then: every growth since the epoch began, in order.
    ///
    /// # Errors
    /// [`StateError`] for the state of another version and for damaged bytes.
    pub fn restore_grown<G: AsRef<[u8]>>(head: &[u8], growth: &[G]) -> Result<Self, StateError> {
        let mut state = HEAD.open(head)?;
        let growth = growth.iter().map(G::as_ref).filter(|growth| !growth.is_empty());
        let growth = growth.map(|growth| GROWTH.open(growth)).collect::<Result<Vec<_>, _>>()?;
        let (max_record_bytes, size_bytes) = (state.size()?, state.total()?);
        let stage = match state.byte()? {
            0 => ProfilerStage::Opening(Box::new(Opening::restore(&mut state, max_record_bytes)?)),
            1 => {
                let learning = RowLearning::restore(&mut state, growth, max_record_bytes, size_bytes)?;
                ProfilerStage::RowLearning(Box::new(learning))
            }
            2 => ProfilerStage::Failed(Box::new(Failed::restore(&mut state, growth, size_bytes)?)),
            _ => return Err(StateError::Damaged),
        };
        state.end()?;
        Ok(Self { max_record_bytes, size_bytes, stage })
    }

    /// How much there is of what only grows.
    pub fn grown(&self) -> Grown {
        self.learner().map(Learner::grown).unwrap_or_default()
    }

    fn learner(&self) -> Option<&Learner> {
        match &self.stage {
            ProfilerStage::Opening(_) => None,
            ProfilerStage::RowLearning(learning) => Some(&learning.learner),
            ProfilerStage::Failed(failed) => failed.learnt.as_ref().map(|learnt| &learnt.learner),
        }
    }

    fn fail(&mut self, error: &CsvError) {
        let stage = std::mem::replace(&mut self.stage, ProfilerStage::failed(error, None));
        if let ProfilerStage::RowLearning(learning) = stage {
            self.stage = ProfilerStage::failed(error, Some(*learning));
        }
    }
}

impl ProfilerStage {
    /// The rows behind the header that opening the file took in are read at once.
    fn opened(opened: OpenedCsv) -> Self {
        let learner = Learner::new(opened.header.len());
        Self::learning(opened, learner)
    }

    fn learning(opened: OpenedCsv, learner: Learner) -> Self {
        let mut stream = opened.stream;
        stream.locate(learner.wanted());
        let dialect = Dialect {
            encoding: opened.encoding,
            encoding_source: opened.encoding_source,
            delimiter: opened.delimiter,
        };
        let mut learning = RowLearning { dialect, names: opened.header.into_names(), stream, learner };
        match learning.stream.push(&[], &mut learning.learner) {
            Ok(_) => Self::RowLearning(Box::new(learning)),
            Err(error) => Self::failed(&error, Some(learning)),
        }
    }

    fn failed(error: &CsvError, learning: Option<RowLearning>) -> Self {
        let failure = match error {
            CsvError::Malformed(malformed) => Some(*malformed),
            // Options that no file can be read with; a profiler gets none.
            CsvError::BadDelimiter(_) | CsvError::BadEncoding(_) => None,
        };
        Self::Failed(Box::new(Failed { failure, learnt: learning.map(RowLearning::learnt) }))
    }
}

impl RowLearning {
    fn learnt(self) -> Learnt {
        let Self { dialect, names, stream, learner } = self;
        Learnt { dialect, names, undecodable: stream.undecodable(), learner }
    }

    #[must_use]
    fn save(&self, state: &mut StateWriter) -> bool {
        self.dialect.save(state);
        state.list(&self.names, |state, name| state.text(name));
        self.learner.save(state);
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
        let learner = Learner::restore(state, growth, names.len(), size_bytes)?;
        let Dialect { encoding, delimiter, .. } = dialect;
        let stream = RecordStream::restore(state, encoding, delimiter, learner.wanted(), max_record_bytes)?;
        Ok(Self { dialect, names, stream, learner })
    }
}

impl Failed {
    fn save(&self, state: &mut StateWriter) {
        state.option(self.failure.as_ref(), StateWriter::malformed);
        state.option(self.learnt.as_ref(), |state, learnt| {
            learnt.dialect.save(state);
            state.list(&learnt.names, |state, name| state.text(name));
            state.number(learnt.undecodable);
            learnt.learner.save(state);
        });
    }

    fn restore(
        state: &mut StateReader<'_>,
        growth: Vec<StateReader<'_>>,
        size_bytes: u64,
    ) -> Result<Self, StateError> {
        let failure = state.option(StateReader::malformed)?;
        let learnt = state.option(|state| {
            let dialect = Dialect::restore(state)?;
            let names = state.list(|state| state.text().map(str::to_owned))?;
            let undecodable = state.total()?;
            let learner = Learner::restore(state, growth, names.len(), size_bytes)?;
            Ok(Learnt { dialect, names, undecodable, learner })
        })?;
        Ok(Self { failure, learnt })
    }
}

impl Dialect {
    pub(super) fn save(&self, state: &mut StateWriter) {
        state.encoding(self.encoding);
        self.encoding_source.save(state);
        state.byte(self.delimiter);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            encoding: state.encoding()?,
            encoding_source: EncodingSource::restore(state)?,
            delimiter: state.delimiter()?,
        })
    }
}

impl Profile {
    /// A profile in which nothing is known but the size and what went wrong.
    fn of_size(size_bytes: u64, failure: Option<MalformedCsv>) -> Self {
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
            index: None,
            zones: None,
        }
    }
}

#[cfg(test)]
impl Profiler {
    /// A profiler that has seen the start of a file and has small bounds on its index and zone maps.
    pub(super) fn bounded(
        max_record_bytes: usize,
        start: &[u8],
        index: super::RowIndex,
        max_cells: usize,
    ) -> Self {
        let mut opening =
            Opening::new(InputOptions::default(), max_record_bytes).unwrap_or_else(|_| unreachable!());
        let opened = match opening.push(start) {
            Ok(Readiness::Ready(opened)) => *opened,
            _ => opening.finish().unwrap_or_else(|_| unreachable!()),
        };
        let learner = Learner::new(opened.header.len()).bounded(index, max_cells);
        let stage = ProfilerStage::learning(opened, learner);
        Self { max_record_bytes, size_bytes: start.len() as u64, stage }
    }
}

#[cfg(test)]
impl Profile {
    /// The profile of a file with small bounds on its index and zone maps.
    pub(super) fn bounded(file: &[u8], index: super::RowIndex, max_cells: usize) -> Self {
        Profiler::bounded(usize::MAX, file, index, max_cells).finish()
    }
}
