//! The profile of a file: statistics of its columns, a row index, zone maps and digests, computed in one pass.
//!
//! A [`Profiler`] reads the file in pieces, which may be split at any byte. Its state can be saved between two pieces
//! and restored later ([`Profiler::save`]). The profiler finds the dialect with the same rules as a cut. Its only
//! option is the declared encoding ([`Profiler::declare`]). The [`Profile`] is stored beside the file, bound to the
//! exact bytes that it describes ([`Profile::encode`]). With the profile, one read of a byte range finds any row
//! ([`Profile::locate_row`]), and a cut skips the zones that its filter excludes ([`Profile::scan_plan`]).
//!
//! # The type of a column
//! Empty cells and words for missing values (`NA`, `N/A`, `#N/A`, `NaN`, `null`, `none`, `-`, `?`, in upper or lower
//! case) are ignored: each percentage is a share of the remaining cells. The type of the column is the first type in
//! this table whose rule holds:
//!
//! | type | rule |
//! |---|---|
//! | `empty` | every cell is empty |
//! | `integer` | at least 95 % are numbers, and all these numbers are digits with an optional sign |
//! | `decimal` | at least 95 % are numbers |
//! | `date` | at least 95 % are ISO 8601 dates, and none of these dates has a time |
//! | `datetime` | at least 95 % are ISO 8601 dates, and some of these dates have a time |
//! | `boolean` | at least 95 % are `true` or `false`, in upper or lower case |
//! | `categorical` | at most 32 distinct values, and at least twice as many non-empty cells as distinct values |
//! | `text` | no other rule holds |
//!
//! A cell is a number or a date by the same rules as in filters. A number with a leading zero (`00501`) is a code and
//! counts as text. `naLike` counts the words for missing values. `exceptions` counts the remaining non-empty cells that
//! are not of the type.
//!
//! # Bounds
//! The first 1,000 columns have statistics, the first 256 have zone maps, and the first 100 have a histogram and the most
//! frequent values. Columns after the first 1,000 have only a name. The row index has at most 64 Ki entries (1.5 MiB).
//! The zone maps have one span for each column in each entry, and at most 64 Ki spans (2.5 MiB). While a file is profiled,
//! a column takes less than 6 KiB of memory; one of the first 100 columns takes at most 128 KiB if it has many values. The
//! digests of the digest blocks take 32 bytes for each mebibyte of the file.

mod bins;
mod cell;
mod cells;
mod column;
mod digests;
mod distinct;
mod hash;
mod hyperloglog;
mod index;
mod profiler;
mod pruning;
mod record_profiler;
mod sidecar;
mod small_integers;
mod statistics;
mod suggestions;
mod values;
mod zones;

pub use digests::{BlockDigester, BlockDigests, DIGEST_BLOCK_BYTES};
pub use index::{INDEX_STRIDE_BYTES, RowIndex, RowStart};
pub use profiler::{MAX_STATE_BYTES, Profiler, SavedState};
pub use pruning::{ScanPlan, ScanRange};
pub use record_profiler::AppendOnlyCounts;
pub use sidecar::{ProfiledBytes, SidecarError};
pub use statistics::{
    Bin, ColumnProfile, ColumnStatistics, ColumnType, Histogram, HistogramKind, TopValues, ValueCount,
};
pub use suggestions::Suggestion;
pub use zones::{MAX_ZONED_COLUMNS, ZoneMaps};

use super::dialect::Ragged;
use super::encoding::{Undecodable, UndecodablePlace};
use super::error::MalformedCsv;
use super::open::OpenedCsv;
use super::write::options::ValueKind;
use super::{Dialect, Header};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// Maximum number of columns with statistics.
pub const MAX_PROFILED_COLUMNS: usize = 1_000;
/// Maximum number of columns with a histogram and the most frequent values.
pub const MAX_COUNTED_COLUMNS: usize = 100;
/// Maximum number of malformed rows that [`Profile::rejects`] lists.
pub const MAX_REJECTS: usize = 100;

/// The profile of a file. Its JSON form has everything except the row index, the zone maps and the digests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// The dialect of the file; `None` if its first record could not be read. The JSON form also has the encoding and
    /// the delimiter as members of the profile.
    #[serde(flatten, serialize_with = "dialect_members")]
    pub dialect: Option<Dialect>,
    /// The columns, in order.
    pub columns: Vec<ColumnProfile>,
    /// Number of rows. If profiling failed: number of rows before the failure.
    pub row_count: u64,
    /// Number of rows with fewer fields than the header.
    pub rows_short: u64,
    /// Number of rows with more fields than the header.
    pub rows_long: u64,
    /// Number of records with a stray or an unclosed quote. The header counts too.
    pub rows_malformed: u64,
    /// The first 100 malformed records: strict mode would refuse them. Record 0 is the header.
    pub rejects: Vec<MalformedCsv>,
    /// The record that exceeded a limit and ended profiling; `None` if no record exceeded a limit.
    pub failure: Option<MalformedCsv>,
    /// Length of the longest record, in bytes.
    pub longest_record_bytes: u64,
    /// Number of byte sequences that are invalid in the file's encoding.
    pub undecodable: u64,
    /// The places of the first 100 of these sequences. `None` if the profile was made by an older version of Cutty,
    /// which did not count these sequences in UTF-8 files.
    pub undecodable_places: Option<Vec<UndecodablePlace>>,
    /// Number of comments below the header, which are left out.
    pub comment_lines: u64,
    /// Options that the owner may want to set.
    pub suggestions: Vec<Suggestion>,
    /// The row index; `None` if the file is not UTF-8, if profiling failed, or if the sidecar has no section for it
    /// that this version can read.
    #[serde(skip)]
    pub index: Option<RowIndex>,
    /// The zone maps; `None` under the same conditions as the index.
    #[serde(skip)]
    pub zones: Option<ZoneMaps>,
    /// The digests of the file's digest blocks; `None` if the profile was read from a sidecar without digests. They are
    /// shared, because a cut still needs them after it has dropped the profile.
    #[serde(skip)]
    pub digests: Option<Arc<BlockDigests>>,
}

impl Profile {
    /// Returns the header of the file.
    pub fn header(&self) -> Header {
        Header::new(self.columns.iter().map(|column| column.name.clone()).collect())
    }

    /// Whether a cut that reads the file as `opened` finds the same records as the profiler. A [`ScanPlan`] is valid
    /// only for such cuts.
    pub fn suits(&self, opened: &OpenedCsv) -> bool {
        let is_same = self.dialect.as_ref().is_some_and(|dialect| {
            dialect.reads_like(&opened.dialect) && opened.header.len() == self.columns.len()
        });
        is_same && opened.is_direct() && self.longest_record_bytes <= opened.max_record_bytes() as u64
    }

    /// Returns the last entry of the row index at or before a row. Rows are counted from 0. `None` if the file does not
    /// have this row or has no index.
    pub fn locate_row(&self, row: u64) -> Option<RowStart> {
        let index = self.index.as_ref().filter(|_| row < self.row_count)?;
        index.locate(row)
    }

    /// Returns the type of a column; `None` if the column has no statistics, or if its type is not certain for the
    /// whole file. If profiling failed, the type of a column with only empty cells is not certain, because its cells
    /// after the failure may have values.
    pub fn type_of(&self, column: &ColumnProfile) -> Option<ColumnType> {
        let known = column.statistics.as_ref().map(|statistics| statistics.column_type);
        known.filter(|&kind| kind != ColumnType::Empty || self.failure.is_none())
    }

    /// Whether the dialect allows every row of the file, so that a reader need not look at the number of their fields.
    pub fn refuses_no_row(&self) -> bool {
        let refuses = self.dialect.as_ref().is_some_and(|dialect| dialect.table.ragged == Ragged::Refuse);
        !refuses || self.rows_short + self.rows_long == 0
    }

    /// Returns the undecodable sequences of the whole file; `None` if they are not known.
    pub fn undecodable(&self) -> Option<Undecodable> {
        let places = self.undecodable_places.clone().filter(|_| self.failure.is_none())?;
        Some(Undecodable { count: self.undecodable, places })
    }

    /// Returns the kind of JSON value of each column, for `typed` results. Numbers that are identifiers become strings.
    pub fn value_kinds(&self) -> Vec<ValueKind> {
        let kind = |column: &ColumnProfile| match self.type_of(column) {
            None => ValueKind::ByCell,
            Some(ColumnType::Integer | ColumnType::Decimal) => {
                let is_identifier =
                    column.statistics.as_ref().is_some_and(|statistics| statistics.is_identifier);
                if is_identifier { ValueKind::Text } else { ValueKind::Number }
            }
            Some(ColumnType::Boolean) => ValueKind::Boolean,
            Some(ColumnType::Date | ColumnType::Datetime) => ValueKind::Text,
            Some(ColumnType::Empty | ColumnType::Categorical | ColumnType::Text) => ValueKind::Text,
        };
        self.columns.iter().map(kind).collect()
    }

    /// Returns the approximate memory of the profile, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let columns = self.columns.capacity() * size_of::<ColumnProfile>();
        let in_columns: usize = self.columns.iter().map(ColumnProfile::memory_bytes).sum();
        let rejects = self.rejects.capacity() * size_of::<MalformedCsv>();
        let index = self.index.as_ref().map_or(0, RowIndex::memory_bytes);
        let zones = self.zones.as_ref().map_or(0, ZoneMaps::memory_bytes);
        let digests = self.digests.as_ref().map_or(0, |digests| digests.memory_bytes());
        size_of::<Self>() + columns + in_columns + rejects + index + zones + digests
    }

    fn is_indexable(&self) -> bool {
        self.failure.is_none() && self.dialect.as_ref().is_some_and(Dialect::is_direct)
    }
}

/// Writes the dialect as a member, and its encoding and delimiter as members of the profile.
fn dialect_members<S: Serializer>(dialect: &Option<Dialect>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if let Some(dialect) = dialect {
        map.serialize_entry("encoding", dialect.encoding.name())?;
        map.serialize_entry("encodingSource", dialect.encoding_source.name())?;
        map.serialize_entry("delimiter", &dialect.table.delimiter)?;
        map.serialize_entry("dialect", dialect)?;
    }
    map.end()
}

#[cfg(test)]
mod pruning_tests;
#[cfg(test)]
mod tests;
