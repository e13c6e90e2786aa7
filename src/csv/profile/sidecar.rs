//! The profile as it is stored in the sidecar of its file.
//!
//! The sidecar is sealed and versioned as described in [`crate::csv::checkpoint`]. It names the attempt, the size and the
//! etag of the profiled object. The reader refuses a sidecar of another object.

use super::{ColumnProfile, ColumnStatistics, ColumnType, Dialect, Profile, RowIndex, ZoneMaps};
use crate::csv::checkpoint::{Seal, StateError, StateReader, StateWriter};

const SIDECAR: Seal = Seal { magic: *b"CUTp", version: 1 };

/// Identifies the bytes that a profile describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfiledBytes {
    /// The attempt that stored the bytes.
    pub attempt: String,
    /// Number of bytes.
    pub size_bytes: u64,
    /// Entity tag of the object.
    pub etag: String,
}

/// Why a stored profile is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// Another version of the program wrote it.
    #[error("the profile has another version")]
    OtherVersion,
    /// It describes other bytes.
    #[error("the profile describes other bytes")]
    OtherBytes,
    /// The bytes are damaged.
    #[error("the profile is damaged")]
    Damaged,
}

impl From<StateError> for SidecarError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::OtherVersion => Self::OtherVersion,
            StateError::Damaged => Self::Damaged,
        }
    }
}

impl Profile {
    /// Encodes the profile as a sidecar. `bytes` are the profiled bytes.
    pub fn encode(&self, bytes: &ProfiledBytes) -> Vec<u8> {
        let mut state = SIDECAR.writer();
        state.text(&bytes.attempt);
        state.number(bytes.size_bytes);
        state.text(&bytes.etag);
        self.save(&mut state);
        state.sealed()
    }

    /// Decodes a profile of the expected bytes.
    ///
    /// # Errors
    /// [`SidecarError`] if the profile has another version, describes other bytes or is damaged.
    pub fn decode(bytes: &[u8], expected: &ProfiledBytes) -> Result<Self, SidecarError> {
        let mut state = SIDECAR.open(bytes)?;
        let (attempt, size_bytes, etag) = (state.text()?, state.number()?, state.text()?);
        if attempt != expected.attempt || size_bytes != expected.size_bytes || etag != expected.etag {
            return Err(SidecarError::OtherBytes);
        }
        let profile = Self::restore(&mut state)?;
        state.end()?;
        Ok(profile)
    }

    fn save(&self, state: &mut StateWriter) {
        state.number(self.size_bytes);
        state.option(self.dialect, |state, dialect| dialect.save(state));
        state.list(&self.columns, |state, column| column.save(state));
        let counts = [self.row_count, self.rows_short, self.rows_long, self.rows_malformed];
        for count in counts.into_iter().chain([self.longest_record_bytes, self.undecodable]) {
            state.number(count);
        }
        state.list(&self.rejects, StateWriter::malformed);
        state.option(self.failure.as_ref(), StateWriter::malformed);
        state.option(self.index.as_ref(), |state, index| index.save(state));
        state.option(self.zones.as_ref(), |state, zones| zones.save(state));
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let size_bytes = state.number()?;
        let dialect = state.option(Dialect::restore)?;
        let columns = state.list(ColumnProfile::restore)?;
        let mut counts = [0; 6];
        for count in &mut counts {
            *count = state.number()?;
        }
        let [row_count, rows_short, rows_long, rows_malformed, longest_record_bytes, undecodable] = counts;
        let profile = Self {
            size_bytes,
            dialect,
            columns,
            row_count,
            rows_short,
            rows_long,
            rows_malformed,
            rejects: state.list(StateReader::malformed)?,
            failure: state.option(StateReader::malformed)?,
            longest_record_bytes,
            undecodable,
            index: state.option(RowIndex::restore)?,
            zones: state.option(ZoneMaps::restore)?,
        };
        if profile.is_consistent() { Ok(profile) } else { Err(StateError::Damaged) }
    }

    /// Whether row index and zone maps fit together and into the file.
    fn is_consistent(&self) -> bool {
        let starts = self.index.as_ref().map_or(&[][..], RowIndex::entries);
        let is_inside =
            starts.last().is_none_or(|last| last.byte < self.size_bytes && last.row < self.row_count);
        let zone_count = self.zones.as_ref().map(ZoneMaps::zone_count);
        let is_ascending =
            starts.windows(2).all(|pair| pair[0].byte < pair[1].byte && pair[0].row < pair[1].row);
        is_inside && is_ascending && zone_count == self.index.as_ref().map(|_| starts.len())
    }
}

impl ColumnProfile {
    fn save(&self, state: &mut StateWriter) {
        state.text(&self.name);
        state.flag(self.is_zoned);
        state.option(self.statistics.as_ref(), |state, statistics| statistics.save(state));
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            name: state.text()?.to_owned(),
            is_zoned: state.flag()?,
            statistics: state.option(ColumnStatistics::restore)?.map(Box::new),
        })
    }
}

impl ColumnStatistics {
    fn save(&self, state: &mut StateWriter) {
        state.byte(self.column_type.tag());
        for count in [self.empties, self.exceptions, self.distinct, self.longest_bytes] {
            state.number(count);
        }
        state.flag(self.is_distinct_exact);
        state.option(self.min.as_deref(), StateWriter::text);
        state.option(self.max.as_deref(), StateWriter::text);
        state.option(self.mean, StateWriter::float);
        state.list(&self.samples, |state, sample| state.text(sample));
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let owned = |state: &mut StateReader<'_>| state.text().map(str::to_owned);
        let column_type = ColumnType::from_tag(state.byte()?).ok_or(StateError::Damaged)?;
        let [empties, exceptions, distinct, longest_bytes] =
            [state.number()?, state.number()?, state.number()?, state.number()?];
        Ok(Self {
            column_type,
            empties,
            exceptions,
            distinct,
            longest_bytes,
            is_distinct_exact: state.flag()?,
            min: state.option(owned)?,
            max: state.option(owned)?,
            mean: state.option(StateReader::float)?,
            samples: state.list(owned)?,
        })
    }
}

impl ColumnType {
    /// Indexed by tag.
    const ALL: [Self; 8] = [
        Self::Empty,
        Self::Integer,
        Self::Decimal,
        Self::Date,
        Self::Datetime,
        Self::Boolean,
        Self::Categorical,
        Self::Text,
    ];

    fn tag(self) -> u8 {
        self as u8
    }

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag)).copied()
    }
}
