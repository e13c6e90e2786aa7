//! The profile of a column.

use serde::Serialize;

/// The profile of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnProfile {
    /// The name of the column in the header.
    pub name: String,
    /// Whether the column has zone maps. If so, a cut with a filter on this column can skip zones.
    pub is_zoned: bool,
    /// Statistics of the cells; `None` for a column after the first 1,000.
    #[serde(flatten)]
    pub statistics: Option<Box<ColumnStatistics>>,
}

/// Statistics of the cells of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnStatistics {
    /// The type of the cells.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Number of empty or missing cells.
    pub empties: u64,
    /// Number of cells that are a word for a missing value: `NA`, `N/A`, `#N/A`, `NaN`, `null`, `none`, `-` or `?`,
    /// ignoring case.
    pub na_like: u64,
    /// Number of cells that are not of the type. Empty cells and words for missing values do not count.
    pub exceptions: u64,
    /// Whether the numbers of a numeric column are identifiers: some have leading zeros, all are integers and some have
    /// 15 or more digits, or the smallest and the greatest are phone numbers. Identifiers have no mean, and `typed`
    /// writes them as strings.
    pub is_identifier: bool,
    /// Number of distinct values. Empty cells do not count.
    pub distinct: u64,
    /// Whether `distinct` is exact (up to 1,000 values, or up to 32 in a column after the first 100). Otherwise `distinct` is an estimate; its standard error is 2.3 %.
    pub is_distinct_exact: bool,
    /// The smallest value in the order of the type, as written in the file (for text, its first 48 bytes).
    pub min: Option<String>,
    /// The greatest value, in the same form as `min`.
    pub max: Option<String>,
    /// The mean; `None` if the column is not numeric, if its numbers are identifiers, or if the mean is not finite.
    pub mean: Option<f64>,
    /// Length of the longest value, in bytes of UTF-8.
    pub longest_bytes: u64,
    /// The first distinct values: at most 10, of at most 48 bytes each.
    pub samples: Vec<String>,
    /// The distribution of the numbers or of the times. `None` if the column is of another type, if its numbers are
    /// identifiers, if it is after the first 100 columns, or if an older version of Cutty made the profile.
    pub histogram: Option<Histogram>,
    /// The most frequent values. `None` if the values hardly repeat, if they are too long, if the column is after the
    /// first 100 columns, or if an older version of Cutty made the profile.
    pub top_values: Option<TopValues>,
}

/// How many cells have a value in each of at most 40 bins. Cells that are not of the type of the column are not counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// What is counted.
    pub kind: HistogramKind,
    /// The bins, ascending, without gaps.
    pub bins: Vec<Bin>,
}

/// What a histogram counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HistogramKind {
    /// Numbers, in bins of equal width.
    Number,
    /// Dates and times, in bins of whole seconds, minutes, hours, days, months or years.
    Time,
}

/// A bin of a histogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// The least value, as an operand of a filter.
    pub from: String,
    /// The value after the greatest value, as an operand of a filter.
    pub to: String,
    /// Number of cells.
    pub count: u64,
}

/// The most frequent values of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopValues {
    /// Whether the counts are exact (up to 1,000 distinct values). Otherwise they are estimates from one cell in
    /// sixteen.
    pub exact: bool,
    /// At most 20 values of at most 128 bytes, the most frequent first. Longer values are left out.
    pub values: Vec<ValueCount>,
}

/// A value and how often it occurs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// Number of cells.
    pub count: u64,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnType {
    /// Every cell is empty.
    Empty,
    /// Numbers that are written with digits only, or with a sign and digits.
    Integer,
    /// Numbers, some of them with a decimal point or an exponent.
    Decimal,
    /// Dates without a time.
    Date,
    /// Dates, some of them with a time.
    Datetime,
    /// `true` and `false`.
    Boolean,
    /// A few values that repeat.
    Categorical,
    /// Any text.
    Text,
}

impl ColumnType {
    /// Returns the name in JSON.
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

/// Approximate overhead of an allocation, in bytes.
pub(super) const ALLOCATION_BYTES: usize = 2 * size_of::<usize>();

fn text_bytes(text: &String) -> usize {
    text.capacity() + ALLOCATION_BYTES
}

impl ColumnProfile {
    /// Returns the heap memory of this column's profile, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        text_bytes(&self.name) + self.statistics.as_ref().map_or(0, |statistics| statistics.memory_bytes())
    }
}

impl ColumnStatistics {
    fn memory_bytes(&self) -> usize {
        let texts = self.min.iter().chain(&self.max).chain(&self.samples);
        let samples = self.samples.capacity() * size_of::<String>();
        let bins = self.histogram.iter().flat_map(|histogram| &histogram.bins);
        let values = self.top_values.iter().flat_map(|top| &top.values);
        size_of::<Self>()
            + ALLOCATION_BYTES
            + samples
            + texts.map(text_bytes).sum::<usize>()
            + bins.map(|bin| size_of::<Bin>() + text_bytes(&bin.from) + text_bytes(&bin.to)).sum::<usize>()
            + values.map(|top| size_of::<ValueCount>() + text_bytes(&top.value)).sum::<usize>()
    }
}
