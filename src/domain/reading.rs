//! The JSON forms of dialects and profiles, for the API description. The module `csv` writes these forms.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How a file is read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Dialect)]
pub struct DialectView {
    /// Name of the encoding, such as `UTF-8` or `windows-1252`.
    pub encoding: String,
    /// How the encoding is known: `byteOrderMark`, `declared`, `detected` or `assumed`.
    pub encoding_source: String,
    /// The text between two fields; null if every record has one field.
    pub delimiter: Option<String>,
    /// The character around quoted fields: `"`, `'` or `none`.
    pub quote: String,
    /// How a quoted field contains its quote: `double` or `backslash`.
    pub escape: String,
    /// Record end in the start of the file: `lf`, `crlf`, `cr` or `mixed`.
    pub newline: String,
    /// Number of lines above the header, or above the first row.
    pub skip_rows: u32,
    /// Whether the first record after `skipRows` is the header.
    pub header_row: bool,
    /// The character at the start of comment lines; null if the file has no comment lines.
    pub comment: Option<String>,
    /// Where blanks around values are removed: `none`, `header` or `cells`.
    pub trim: String,
    /// Number of records at the end that are left out.
    pub skip_footer: u32,
    /// Values that are read as empty cells.
    pub null_values: Vec<String>,
    /// Rows with more or fewer fields than the header: `keep`, `refuse` or `pad`.
    pub ragged: String,
    /// Records that repeat the header: `keep` or `skip`.
    pub repeated_headers: String,
    /// Share of the records in the start of the file that have the same number of fields, from 0 to 1.
    pub confidence: f64,
    /// Other readings that were considered.
    pub alternatives: Vec<AlternativeView>,
}

/// Another reading of a file, and how well it fits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Alternative)]
pub struct AlternativeView {
    /// The text between two fields; null if every record has one field.
    pub delimiter: Option<String>,
    /// The character around quoted fields: `"`, `'` or `none`.
    pub quote: String,
    /// Share of the records that have the same number of fields, from 0 to 1.
    pub confidence: f64,
}

/// What Cutty knows about the content of a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Profile)]
pub struct ProfileView {
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// The member `encoding` of the dialect.
    pub encoding: Option<String>,
    /// The member `encodingSource` of the dialect.
    pub encoding_source: Option<String>,
    /// The member `delimiter` of the dialect.
    pub delimiter: Option<String>,
    /// How the file is read. Absent if its first record could not be read.
    pub dialect: Option<DialectView>,
    /// The columns, in order.
    pub columns: Vec<ColumnProfileView>,
    /// Number of rows. If the file could not be read to its end: number of rows before `failure`.
    pub row_count: u64,
    /// Number of rows with fewer fields than the header.
    pub rows_short: u64,
    /// Number of rows with more fields than the header.
    pub rows_long: u64,
    /// Number of records with a stray or an unclosed quote. The header counts too.
    pub rows_malformed: u64,
    /// The first 100 records that strict mode refuses.
    pub rejects: Vec<MalformedRecord>,
    /// The record that exceeded a limit and ended the reading; null if no record exceeded a limit.
    pub failure: Option<MalformedRecord>,
    /// Length of the longest record, in bytes.
    pub longest_record_bytes: u64,
    /// Number of byte sequences that are invalid in the encoding of the file.
    pub undecodable: u64,
    /// The places of the first 100 of these sequences. Null if the profile was made by an older version of Cutty.
    pub undecodable_places: Option<Vec<PlaceView>>,
    /// Number of comments below the header, which are left out.
    pub comment_lines: u64,
    /// Options that the owner may want to set.
    pub suggestions: Vec<SuggestionView>,
}

/// A column, with the statistics of its cells. Columns after the first 1,000 have no statistics.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ColumnProfile)]
pub struct ColumnProfileView {
    /// The name in the header.
    pub name: String,
    /// Whether a cut with a filter on this column can skip parts of the file.
    pub is_zoned: bool,
    /// `integer`, `decimal`, `date`, `datetime`, `boolean`, `categorical`, `text` or `empty`.
    pub r#type: Option<String>,
    /// Number of empty or missing cells.
    pub empties: Option<u64>,
    /// Number of cells that are a word for a missing value, such as `NA` or `null`.
    pub na_like: Option<u64>,
    /// Number of cells that are not of the type. Empty cells and words for missing values do not count.
    pub exceptions: Option<u64>,
    /// Whether the numbers of the column are identifiers, such as phone numbers.
    pub is_identifier: Option<bool>,
    /// Number of distinct values. Empty cells do not count.
    pub distinct: Option<u64>,
    /// Whether `distinct` is exact. Otherwise it is an estimate, whose standard error is 2.3 %.
    pub is_distinct_exact: Option<bool>,
    /// The smallest value in the order of the type, as written in the file (for text, its first 48 bytes).
    pub min: Option<String>,
    /// The greatest value, in the same form as `min`.
    pub max: Option<String>,
    /// The mean; null if the column is not numeric, if its numbers are identifiers, or if the mean is not finite.
    pub mean: Option<f64>,
    /// Length of the longest value, in bytes of UTF-8.
    pub longest_bytes: Option<u64>,
    /// The first distinct values: at most 10, of at most 48 bytes each.
    pub samples: Option<Vec<String>>,
    /// The distribution of the numbers or of the times. Null if the column is of another type, if its numbers are
    /// identifiers, or if an older version of Cutty made the profile.
    pub histogram: Option<HistogramView>,
    /// The most frequent values. Null if the values hardly repeat, if they are too long, or if an older version of Cutty
    /// made the profile.
    pub top_values: Option<TopValuesView>,
}

/// How many cells have a value in each of at most 40 bins. Cells that are not of the type of the column are not counted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Histogram)]
pub struct HistogramView {
    /// `number`: bins of equal width; `time`: bins of whole seconds, minutes, hours, days, months or years.
    #[schema(value_type = HistogramKindView)]
    pub kind: String,
    /// The bins, ascending, without gaps.
    pub bins: Vec<BinView>,
}

/// What a histogram counts.
#[derive(ToSchema)]
#[schema(as = HistogramKind, rename_all = "lowercase")]
#[allow(dead_code)]
enum HistogramKindView {
    Number,
    Time,
}

/// A bin of a histogram. The filter `column >= from AND column < to` keeps its rows.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Bin)]
pub struct BinView {
    /// The least value, as an operand of a filter.
    pub from: String,
    /// The value after the greatest value, as an operand of a filter.
    pub to: String,
    /// Number of cells.
    pub count: u64,
}

/// The most frequent values of a column.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TopValues)]
pub struct TopValuesView {
    /// Whether the counts are exact (up to 1,000 distinct values). Otherwise they are estimates from one cell in
    /// sixteen.
    pub exact: bool,
    /// At most 20 values of at most 128 bytes, the most frequent first. Longer values are left out.
    pub values: Vec<ValueCountView>,
}

/// A value and how often it occurs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ValueCount)]
pub struct ValueCountView {
    /// The value.
    pub value: String,
    /// Number of cells.
    pub count: u64,
}

/// A record that cannot be read, or that strict mode refuses.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MalformedRecord {
    /// Number of the row, from 1; 0 is the header.
    pub record: u64,
    /// Line on which the record starts, from 1.
    pub line: u64,
    /// Start of the record, in bytes from the start of the file. If the file is not UTF-8: in bytes of its text in UTF-8.
    pub byte: u64,
    /// What is wrong with the record.
    pub reason: String,
}

/// The place of a byte sequence in a file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Place)]
pub struct PlaceView {
    /// Number of the row, from 1; 0 is the header.
    pub record: u64,
    /// Line on which the record starts, from 1.
    pub line: u64,
    /// Position in bytes from the start of the file. If the file is not UTF-8: in bytes of its text in UTF-8.
    pub byte: u64,
}

/// Options that the owner may want to set with `PATCH /api/files/{id}`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Suggestion)]
pub struct SuggestionView {
    /// `noHeader`, `footer` or `repeatedHeaders`.
    pub reason: String,
    /// Number of records that would not be rows any more.
    pub records: u64,
    /// The options to set in `dialect`.
    #[schema(value_type = Object)]
    pub dialect: Value,
}
