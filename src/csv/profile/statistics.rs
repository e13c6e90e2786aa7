//! What is known of a column.

use serde::Serialize;

/// What is known of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnProfile {
    /// Its name in the header.
    pub name: String,
    /// Whether cuts can leave out blocks by it.
    pub is_zoned: bool,
    /// What its cells are like; absent beyond the first 1,000 columns.
    #[serde(flatten)]
    pub statistics: Option<Box<ColumnStatistics>>,
}

/// What the cells of a column are like.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnStatistics {
    /// What they are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// How many are empty or missing.
    pub empties: u64,
    /// How many are neither empty nor of the type.
    pub exceptions: u64,
    /// How many distinct values there are, empty cells aside.
    pub distinct: u64,
    /// Whether that is exact (up to 32); otherwise the standard error is 2.3 %.
    pub is_distinct_exact: bool,
    /// The least value as the type orders them, as it is written (the first 48 bytes of text).
    pub min: Option<String>,
    /// The greatest value.
    pub max: Option<String>,
    /// The mean of a numeric column.
    pub mean: Option<f64>,
    /// The length of the longest value, in bytes of UTF-8.
    pub longest_bytes: u64,
    /// The first distinct values, at most 10, of at most 48 bytes.
    pub samples: Vec<String>,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnType {
    /// Every cell is empty.
    Empty,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Decimal,
    /// Days.
    Date,
    /// Points in time.
    Datetime,
    /// `true` and `false`.
    Boolean,
    /// A few values, over and over.
    Categorical,
    /// Anything.
    Text,
}

impl ColumnType {
    /// Its name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Boolean => "boolean",
            Self::Categorical => "categorical",
            Self::Text => "text",
        }
    }
}

/// What an allocation takes beyond its bytes, about.
pub(super) const ALLOCATION_BYTES: usize = 2 * size_of::<usize>();

fn text_bytes(text: &String) -> usize {
    text.capacity() + ALLOCATION_BYTES
}

impl ColumnProfile {
    /// What it takes beyond its own size.
    pub(super) fn memory_bytes(&self) -> usize {
        text_bytes(&self.name) + self.statistics.as_ref().map_or(0, |statistics| statistics.memory_bytes())
    }
}

impl ColumnStatistics {
    fn memory_bytes(&self) -> usize {
        let texts = self.min.iter().chain(&self.max).chain(&self.samples);
        let samples = self.samples.capacity() * size_of::<String>();
        size_of::<Self>() + ALLOCATION_BYTES + samples + texts.map(text_bytes).sum::<usize>()
    }
}
