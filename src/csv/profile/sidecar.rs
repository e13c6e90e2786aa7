//! The profile as it is stored in the sidecar of its file.
//!
//! A sidecar is a container: `binding · sections`, sealed and versioned as described in [`crate::csv::checkpoint`]. The
//! binding identifies the bytes that the sidecar describes ([`ProfiledBytes`]). The caller of [`Profile::decode`]
//! passes the binding that it expects, and a sidecar with another binding is refused. A section is
//! `tag · version · length · bytes`. The reader skips a section whose tag or version it does not know, as if the
//! sidecar did not have this section. So a new feature can add a section. If the form of a section changes, the version
//! of the section changes too. Only the statistics section is required.
//!
//! The oldest sidecars (magic `CUTp`) are one profile without sections. For them, and for a sidecar whose statistics have
//! another version, [`Profile::decode`] returns [`SidecarError::OtherVersion`].

use super::{
    Bin, BlockDigests, ColumnProfile, ColumnStatistics, ColumnType, Dialect, Histogram, HistogramKind,
    MAX_COUNTED_COLUMNS, Profile, RowIndex, Suggestion, TopValues, ValueCount, ZoneMaps,
};
use crate::csv::checkpoint::{Seal, Section, StateError, StateReader, StateWriter};
use crate::csv::encoding::Undecodable;
use std::sync::Arc;

pub(super) const CONTAINER: Seal = Seal { magic: *b"CUTc", version: 1 };
/// The start of the oldest form of a sidecar: a profile without sections.
const UNSECTIONED_MAGIC: [u8; 4] = *b"CUTp";

const STATISTICS: Section = Section { tag: 1, version: 3 };
const ROW_INDEX: Section = Section { tag: 2, version: 1 };
/// Version 2 counts more forms of ISO 8601 as dates.
const ZONE_MAPS: Section = Section { tag: 3, version: 2 };
const BLOCK_DIGESTS: Section = Section { tag: 4, version: 1 };
/// The number and the places of undecodable sequences. This number replaces the number in the statistics section. Older
/// versions always wrote 0 there for UTF-8 files.
const UNDECODABLE: Section = Section { tag: 5, version: 1 };
const SUGGESTIONS: Section = Section { tag: 6, version: 1 };
/// The number of comments below the header.
const COMMENTS: Section = Section { tag: 7, version: 1 };
/// The histograms and the most frequent values of the columns.
const VALUES: Section = Section { tag: 8, version: 1 };

/// The sections, in the order in which they are written.
pub(super) const SECTIONS: [Section; 8] =
    [STATISTICS, ROW_INDEX, ZONE_MAPS, BLOCK_DIGESTS, UNDECODABLE, SUGGESTIONS, COMMENTS, VALUES];

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

/// Why a sidecar cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// Another version of the program wrote the sidecar.
    #[error("the profile has another version")]
    OtherVersion,
    /// The sidecar does not describe the bytes of this file.
    #[error("the profile describes other bytes")]
    OtherBytes,
    /// The bytes of the sidecar are damaged.
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
    /// Encodes the profile as a sidecar, bound to the bytes that `binding` identifies.
    pub fn encode(&self, binding: &ProfiledBytes) -> Vec<u8> {
        let mut state = CONTAINER.writer();
        state.text(&binding.attempt);
        state.number(binding.size_bytes);
        state.text(&binding.etag);
        for section in SECTIONS.into_iter().filter(|&section| self.has_section(section)) {
            state.section(section, |state| self.save_section(section, state));
        }
        state.sealed()
    }

    /// Decodes a sidecar. The sidecar must describe the bytes that `expected` identifies.
    ///
    /// # Errors
    /// [`SidecarError`] if the sidecar has another version, describes other bytes or is damaged.
    pub fn decode(bytes: &[u8], expected: &ProfiledBytes) -> Result<Self, SidecarError> {
        if bytes.starts_with(&UNSECTIONED_MAGIC) {
            return Err(SidecarError::OtherVersion);
        }
        let mut state = CONTAINER.open(bytes)?;
        let (attempt, size_bytes, etag) = (state.text()?, state.number()?, state.text()?);
        if attempt != expected.attempt || size_bytes != expected.size_bytes || etag != expected.etag {
            return Err(SidecarError::OtherBytes);
        }
        let profile = Self::restore_sections(&mut state)?.ok_or(SidecarError::OtherVersion)?;
        state.end()?;
        let has_all_digests =
            profile.digests.as_ref().is_none_or(|digests| digests.covers(expected.size_bytes));
        if has_all_digests && profile.is_consistent() { Ok(profile) } else { Err(SidecarError::Damaged) }
    }

    fn has_section(&self, section: Section) -> bool {
        match section {
            ROW_INDEX => self.index.is_some(),
            ZONE_MAPS => self.zones.is_some(),
            BLOCK_DIGESTS => self.digests.is_some(),
            UNDECODABLE => self.undecodable_places.is_some(),
            COMMENTS => self.comment_lines > 0,
            VALUES => {
                self.statistics().any(|column| column.histogram.is_some() || column.top_values.is_some())
            }
            _ => true,
        }
    }

    /// Writes the content of a section.
    pub(super) fn save_section(&self, section: Section, state: &mut StateWriter) {
        match section {
            ROW_INDEX => self.index.iter().for_each(|index| index.save(state)),
            ZONE_MAPS => self.zones.iter().for_each(|zones| zones.save(state)),
            BLOCK_DIGESTS => self.digests.iter().for_each(|digests| digests.save(state)),
            UNDECODABLE => {
                let places = self.undecodable_places.clone().unwrap_or_default();
                Undecodable { count: self.undecodable, places }.save(state);
            }
            COMMENTS => state.number(self.comment_lines),
            VALUES => {
                let columns: Vec<_> = self.statistics().take(MAX_COUNTED_COLUMNS).collect();
                state.list(&columns, |state, column| {
                    state.option(column.histogram.as_ref(), |state, histogram| histogram.save(state));
                    state.option(column.top_values.as_ref(), |state, top| top.save(state));
                });
            }
            SUGGESTIONS => state.list(&self.suggestions, |state, suggestion| suggestion.save(state)),
            _ => self.save_statistics(state),
        }
    }

    /// Reads all sections. Returns `None` if the statistics section is missing or has another version.
    fn restore_sections(state: &mut StateReader<'_>) -> Result<Option<Self>, StateError> {
        let (mut profile, mut index, mut zones, mut digests, mut undecodable, mut suggestions) =
            (None, None, None, None, None, Vec::new());
        let mut comment_lines = 0;
        let mut values = Vec::new();
        while !state.is_empty() {
            let (section, mut content) = state.section()?;
            match section {
                STATISTICS => profile = Some(Self::restore_statistics(&mut content)?),
                ROW_INDEX => index = Some(RowIndex::restore(&mut content)?),
                ZONE_MAPS => zones = Some(ZoneMaps::restore(&mut content)?),
                BLOCK_DIGESTS => digests = Some(Arc::new(BlockDigests::restore(&mut content)?)),
                UNDECODABLE => undecodable = Some(Undecodable::restore(&mut content)?),
                COMMENTS => comment_lines = content.number()?,
                VALUES => {
                    values = content.list(|state| {
                        Ok((state.option(Histogram::restore)?, state.option(TopValues::restore)?))
                    })?;
                }
                SUGGESTIONS => suggestions = content.list(Suggestion::restore)?,
                _ => continue,
            }
            content.end()?;
        }
        // Zone maps cannot be used without the index.
        let zones = zones.filter(|_| index.is_some());
        let Some(mut profile) = profile else { return Ok(None) };
        if let Some(Undecodable { count, places }) = undecodable {
            (profile.undecodable, profile.undecodable_places) = (count, Some(places));
        }
        let statistics = profile.columns.iter_mut().filter_map(|column| column.statistics.as_mut());
        for (column, (histogram, top_values)) in statistics.zip(values) {
            (column.histogram, column.top_values) = (histogram, top_values);
        }
        Ok(Some(Self { suggestions, comment_lines, index, zones, digests, ..profile }))
    }

    fn statistics(&self) -> impl Iterator<Item = &ColumnStatistics> {
        self.columns.iter().filter_map(|column| column.statistics.as_deref())
    }

    fn save_statistics(&self, state: &mut StateWriter) {
        state.number(self.size_bytes);
        state.option(self.dialect.as_ref(), |state, dialect| dialect.save(state));
        state.list(&self.columns, |state, column| column.save(state));
        let counts = [self.row_count, self.rows_short, self.rows_long, self.rows_malformed];
        for count in counts.into_iter().chain([self.longest_record_bytes, self.undecodable]) {
            state.number(count);
        }
        state.list(&self.rejects, StateWriter::malformed);
        state.option(self.failure.as_ref(), StateWriter::malformed);
    }

    fn restore_statistics(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let size_bytes = state.number()?;
        let dialect = state.option(Dialect::restore)?;
        let columns = state.list(ColumnProfile::restore)?;
        let mut counts = [0; 6];
        for count in &mut counts {
            *count = state.number()?;
        }
        let [row_count, rows_short, rows_long, rows_malformed, longest_record_bytes, undecodable] = counts;
        Ok(Self {
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
            undecodable_places: None,
            comment_lines: 0,
            suggestions: Vec::new(),
            index: None,
            zones: None,
            digests: None,
        })
    }

    /// Whether the row index and the zone maps match each other and the size of the file.
    fn is_consistent(&self) -> bool {
        let starts = self.index.as_ref().map_or(&[][..], RowIndex::entries);
        let is_inside =
            starts.last().is_none_or(|last| last.byte < self.size_bytes && last.row < self.row_count);
        let zone_count = self.zones.as_ref().map(ZoneMaps::zone_count);
        let is_ascending =
            starts.windows(2).all(|pair| pair[0].byte < pair[1].byte && pair[0].row < pair[1].row);
        is_inside && is_ascending && zone_count.is_none_or(|zones| zones == starts.len())
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
        for count in [self.empties, self.na_like, self.exceptions, self.distinct, self.longest_bytes] {
            state.number(count);
        }
        state.flag(self.is_distinct_exact);
        state.flag(self.is_identifier);
        state.option(self.min.as_deref(), StateWriter::text);
        state.option(self.max.as_deref(), StateWriter::text);
        state.option(self.mean, StateWriter::float);
        state.list(&self.samples, |state, sample| state.text(sample));
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let owned = |state: &mut StateReader<'_>| state.text().map(str::to_owned);
        let column_type = ColumnType::from_tag(state.byte()?).ok_or(StateError::Damaged)?;
        let mut counts = [0; 5];
        for count in &mut counts {
            *count = state.number()?;
        }
        let [empties, na_like, exceptions, distinct, longest_bytes] = counts;
        Ok(Self {
            column_type,
            empties,
            na_like,
            exceptions,
            distinct,
            longest_bytes,
            is_distinct_exact: state.flag()?,
            is_identifier: state.flag()?,
            min: state.option(owned)?,
            max: state.option(owned)?,
            mean: state.option(StateReader::float)?,
            samples: state.list(owned)?,
            histogram: None,
            top_values: None,
        })
    }
}

impl Histogram {
    fn save(&self, state: &mut StateWriter) {
        state.flag(self.kind == HistogramKind::Time);
        // A bin begins where the one before it ends.
        state.text(self.bins.first().map_or("", |bin| &bin.from));
        state.list(&self.bins, |state, bin| {
            state.text(&bin.to);
            state.number(bin.count);
        });
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let kind = if state.flag()? { HistogramKind::Time } else { HistogramKind::Number };
        let mut from = state.text()?.to_owned();
        let bins = state.list(|state| {
            let to = state.text()?.to_owned();
            let from = std::mem::replace(&mut from, to.clone());
            Ok(Bin { from, to, count: state.number()? })
        })?;
        Ok(Self { kind, bins })
    }
}

impl TopValues {
    fn save(&self, state: &mut StateWriter) {
        state.flag(self.exact);
        state.list(&self.values, |state, top| {
            state.text(&top.value);
            state.number(top.count);
        });
    }

    fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let exact = state.flag()?;
        let values =
            state.list(|state| Ok(ValueCount { value: state.text()?.to_owned(), count: state.number()? }))?;
        Ok(Self { exact, values })
    }
}

impl ColumnType {
    /// All types, indexed by tag.
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
