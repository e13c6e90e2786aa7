//! What a file is found to hold: its profile, a row index and zone maps, learnt in one pass.
//!
//! A [`Profiler`] is fed the file in pieces, cut anywhere, and can be put down between two of them and taken up
//! elsewhere ([`Profiler::save`]). Detection is that of a cut without options, but for an encoding that
//! the file was declared to be in ([`Profiler::declare`]). The [`Profile`] is stored beside
//! the file ([`Profile::encode`]), bound to the very bytes it describes; with it, any row is found by one
//! ranged read ([`Profile::locate_row`]) and a cut leaves out the blocks its filter excludes
//! ([`Profile::scan_plan`]).
//!
//! # The type of a column
//! Only cells that are not empty count. The first of these that holds is the type:
//!
//! | type | when |
//! |---|---|
//! | `empty` | every cell is empty |
//! | `integer` | at least 95 % are numbers, all of them only a sign and digits |
//! | `decimal` | at least 95 % are numbers |
//! | `date` | at least 95 % are ISO 8601 dates, all of them days |
//! | `datetime` | at least 95 % are ISO 8601 dates, some with a time |
//! | `boolean` | at least 95 % are `true` or `false`, in any case |
//! | `categorical` | at most 32 distinct values, met twice each on average |
//! | `text` | otherwise |
//!
//! Numbers and dates are those that filters compare as such. A number with a leading zero (`00501`) is a code
//! and counts as text. `exceptions` counts the cells that are not of the type.
//!
//! # Bounds
//! The first 1,000 columns have statistics, the first 256 zone maps; the others are named. The index has at
//! most 64 Ki entries (1.5 MiB) and the zone maps 64 Ki cells (2.5 MiB); a column takes less than 4 KiB.

mod cell;
mod cells;
mod column;
mod distinct;
mod index;
mod learner;
mod profiler;
mod pruning;
mod sidecar;
mod statistics;
mod zones;

pub use index::{INDEX_STRIDE_BYTES, RowIndex, RowStart};
pub use learner::Grown;
pub use profiler::{MAX_STATE_BYTES, Profiler, SavedState};
pub use pruning::{ScanPlan, ScanRange};
pub use sidecar::{Binding, SidecarError};
pub use statistics::{ColumnProfile, ColumnStatistics, ColumnType};
pub use zones::{MAX_ZONED_COLUMNS, ZoneMaps};

use super::error::MalformedCsv;
use super::open::OpenedCsv;
use super::{EncodingSource, Header};
use encoding_rs::{Encoding, UTF_8};
use serde::{Serialize, Serializer};

/// Columns that have statistics.
pub const MAX_PROFILED_COLUMNS: usize = 1_000;
/// Rejects that are kept.
pub const MAX_REJECTS: usize = 100;

/// What a file holds. As JSON it has everything but the index and the zone maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The size of the file.
    pub size_bytes: u64,
    /// How it is written; absent when not even its first record could be read.
    #[serde(flatten)]
    pub dialect: Option<Dialect>,
    /// Its columns, in order.
    pub columns: Vec<ColumnProfile>,
    /// How many rows it has; up to the failure, if there is one.
    pub row_count: u64,
    /// Rows with fewer fields than the header.
    pub rows_short: u64,
    /// Rows with more fields than the header.
    pub rows_long: u64,
    /// Rows with a stray quote or one left open.
    pub rows_malformed: u64,
    /// The first 100 rows that strict mode would refuse.
    pub rejects: Vec<MalformedCsv>,
    /// The record out of bounds that ended the learning.
    pub failure: Option<MalformedCsv>,
    /// The length of the longest record, in bytes.
    pub longest_record_bytes: u64,
    /// Sequences that the file's encoding does not know.
    pub undecodable: u64,
    /// Where rows start; absent for a file that is not UTF-8, or that failed.
    #[serde(skip)]
    pub index: Option<RowIndex>,
    /// What its columns span; as the index.
    #[serde(skip)]
    pub zones: Option<ZoneMaps>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialect {
    /// Its encoding, by its name in the Encoding Standard.
    #[serde(serialize_with = "encoding_name")]
    pub encoding: &'static Encoding,
    /// Why it is taken for that.
    #[serde(serialize_with = "source_name")]
    pub encoding_source: EncodingSource,
    /// The byte between fields.
    #[serde(serialize_with = "delimiter_text")]
    pub delimiter: u8,
}

impl Profile {
    /// The header of the file.
    pub fn header(&self) -> Header {
        Header::new(self.columns.iter().map(|column| column.name.clone()).collect())
    }

    /// Whether a cut that reads the file as `opened` reads the records that were indexed. Only then is a
    /// [`ScanPlan`] for it.
    pub fn suits(&self, opened: &OpenedCsv) -> bool {
        let is_same = self.dialect.is_some_and(|dialect| {
            dialect.encoding == opened.encoding
                && dialect.delimiter == opened.delimiter
                && opened.header.len() == self.columns.len()
        });
        is_same && opened.is_utf8() && self.longest_record_bytes <= opened.max_record_bytes() as u64
    }

    /// The nearest place before a row (from 0) at which reading can begin. `None` for a row that the file does
    /// not have and for a file without an index.
    pub fn locate_row(&self, row: u64) -> Option<RowStart> {
        let index = self.index.as_ref().filter(|_| row < self.row_count)?;
        index.locate(row)
    }

    /// What the cells of a column are, as far as that can be said of the whole file: of one that could not be read to
    /// its end, not that they are all empty.
    pub fn type_of(&self, column: &ColumnProfile) -> Option<ColumnType> {
        let known = column.statistics.as_ref().map(|statistics| statistics.column_type);
        known.filter(|&kind| kind != ColumnType::Empty || self.failure.is_none())
    }

    /// How much memory it takes, in bytes, about.
    pub fn memory_bytes(&self) -> usize {
        let columns = self.columns.capacity() * size_of::<ColumnProfile>();
        let in_columns: usize = self.columns.iter().map(ColumnProfile::memory_bytes).sum();
        let rejects = self.rejects.capacity() * size_of::<MalformedCsv>();
        let index = self.index.as_ref().map_or(0, RowIndex::memory_bytes);
        let zones = self.zones.as_ref().map_or(0, ZoneMaps::memory_bytes);
        size_of::<Self>() + columns + in_columns + rejects + index + zones
    }

    fn is_indexable(&self) -> bool {
        self.failure.is_none() && self.dialect.is_some_and(|dialect| dialect.encoding == UTF_8)
    }
}

fn encoding_name<S: Serializer>(encoding: &&'static Encoding, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(encoding.name())
}

fn source_name<S: Serializer>(source: &EncodingSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match source {
        EncodingSource::ByteOrderMark => "byteOrderMark",
        EncodingSource::Declared => "declared",
        EncodingSource::Detected => "detected",
        EncodingSource::Assumed => "assumed",
    })
}

fn delimiter_text<S: Serializer>(delimiter: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_char(char::from(*delimiter))
}

#[cfg(test)]
mod pruning_tests;
#[cfg(test)]
mod tests;
