//! Suggestions: options that the owner of a file may want to set, because of what the whole file shows.
//!
//! The start of a file does not show its last records, records that repeat the header, or what all cells of a column
//! are. So the profiler looks for them, and nothing is left out until the owner sets the option.
//!
//! | suggestion | if |
//! |---|---|
//! | `inputHeader=false` | the file has columns of numbers or dates, and the header has a number or a date above each of them. Years, and numbers in ascending order, above columns of numbers are names. |
//! | `skipFooter` | the last records, at most 100, begin with a word for a total, are blank (all fields are empty), or are shorter than the header while no other record is |
//! | `repeatedHeaders=skip` | a record has the same values as the header |

use serde::Serialize;
use serde_json::{Value as Json, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::cell::{Cell, is_missing};
use super::statistics::{ColumnProfile, ColumnType};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::dialect::MAX_SKIP_FOOTER;
use crate::csv::record::Record;
use crate::csv::record::value::{Value, prefix_of};

/// An option that the owner of a file may want to set, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suggestion {
    /// The first record looks like a row.
    NoHeader,
    /// The last records do not look like rows.
    Footer {
        /// Number of these records.
        records: u32,
    },
    /// Records repeat the header.
    RepeatedHeaders {
        /// Number of these records.
        records: u64,
    },
}

impl Suggestion {
    fn reason(self) -> &'static str {
        match self {
            Self::NoHeader => "noHeader",
            Self::Footer { .. } => "footer",
            Self::RepeatedHeaders { .. } => "repeatedHeaders",
        }
    }

    /// Returns the number of records that are not read as rows any more.
    fn records(self) -> u64 {
        match self {
            Self::NoHeader => 0,
            Self::Footer { records } => records.into(),
            Self::RepeatedHeaders { records } => records,
        }
    }

    /// Returns the options to set in `dialect`.
    fn options(self) -> Json {
        match self {
            Self::NoHeader => json!({"inputHeader": false}),
            Self::Footer { records } => json!({"skipFooter": records}),
            Self::RepeatedHeaders { .. } => json!({"repeatedHeaders": "skip"}),
        }
    }

    pub(super) fn save(self, state: &mut StateWriter) {
        let tag = match self {
            Self::NoHeader => 0,
            Self::Footer { .. } => 1,
            Self::RepeatedHeaders { .. } => 2,
        };
        state.byte(tag);
        state.number(self.records());
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (tag, records) = (state.byte()?, state.number()?);
        match tag {
            0 => Ok(Self::NoHeader),
            1 => Ok(Self::Footer { records: u32::try_from(records).map_err(|_| StateError::Damaged)? }),
            2 => Ok(Self::RepeatedHeaders { records }),
            _ => Err(StateError::Damaged),
        }
    }
}

impl Serialize for Suggestion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({"reason": self.reason(), "records": self.records(), "dialect": self.options()})
            .serialize(serializer)
    }
}

/// Watches for records that may not be rows.
#[derive(Debug, Clone, Default)]
pub(super) struct OddRecords {
    header: HeaderMark,
    repeated_headers: u64,
    /// Number of records at the end that may be a footer, up to [`MAX_SKIP_FOOTER`] + 1.
    footer: u32,
    /// Number of these records that are short.
    footer_short: u32,
    /// Whether one of these records begins with a word for a total, or is blank.
    footer_has_total: bool,
}

/// What the profiler keeps of the header, to recognize records that repeat it.
#[derive(Debug, Clone, Default)]
struct HeaderMark {
    /// The first eight bytes of the header, with its first name not quoted and quoted. The second number of each pair
    /// masks the bytes that are known; 0 if there is no name to compare.
    starts: [(u64, u64); 2],
    /// Digest of the names of the columns with statistics.
    digest: u64,
}

impl HeaderMark {
    fn new<'a>(names: impl Iterator<Item = &'a [u8]> + Clone, delimiter: u8) -> Self {
        let first = names.clone().next().unwrap_or_default();
        let start = |text: &[u8]| {
            let text = &text[..text.len().min(8)];
            let bits = 8 * text.len() as u32;
            (prefix_of(text).swap_bytes(), u64::MAX.checked_shr(64 - bits).unwrap_or(0))
        };
        let starts = if first.is_empty() {
            Default::default()
        } else {
            let after: &[u8] = if names.clone().nth(1).is_some() { &[delimiter] } else { &[] };
            [start(&[first, after].concat()), start(&[b"\"", first, b"\""].concat())]
        };
        Self { starts, digest: digest(names) }
    }

    /// Whether a record that begins with these eight bytes may repeat the header.
    #[inline(always)]
    fn may_begin(&self, word: u64) -> bool {
        let [(plain, plain_mask), (quoted, quoted_mask)] = self.starts;
        (plain_mask != 0 && word & plain_mask == plain) || (quoted_mask != 0 && word & quoted_mask == quoted)
    }
}

/// Returns a digest of values.
fn digest<'a>(values: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut digest = Xxh3Default::new();
    for value in values {
        digest.update(&(value.len() as u64).to_le_bytes());
        digest.update(value);
    }
    digest.digest()
}

impl OddRecords {
    /// Creates the state for a file whose columns with statistics have these names.
    pub(super) fn new(names: &[String], delimiter: u8) -> Self {
        let names = names.iter().map(|name| name.as_bytes());
        Self { header: HeaderMark::new(names, delimiter), ..Self::default() }
    }

    /// Whether the record that starts at `start` of a piece may repeat the header.
    #[inline(always)]
    pub(super) fn may_repeat_header(&self, piece: &[u8], start: usize) -> bool {
        let word = piece.get(start..).and_then(|text| text.first_chunk()).copied();
        word.is_some_and(|word| self.header.may_begin(u64::from_le_bytes(word)))
    }

    /// Looks at a record. `located` is the number of columns with statistics.
    #[inline]
    pub(super) fn see(&mut self, record: &Record<'_>, columns: usize, located: usize) {
        let bytes = record.bytes();
        let is_odd = is_total_or_blank(bytes);
        let is_short = record.fields < columns;
        if is_odd || is_short {
            self.footer = (self.footer + 1).min(MAX_SKIP_FOOTER + 1);
            self.footer_short = (self.footer_short + u32::from(is_short)).min(MAX_SKIP_FOOTER + 1);
            self.footer_has_total |= is_odd;
        } else if self.footer != 0 {
            self.end_footer();
        }
        let word = prefix_of(&bytes[..bytes.len().min(8)]).swap_bytes();
        if record.fields == columns && columns > 1 && self.header.may_begin(word) {
            self.compare_with_header(record, located);
        }
    }

    #[cold]
    fn compare_with_header(&mut self, record: &Record<'_>, located: usize) {
        let mut values = record.values();
        let values = std::iter::repeat_with(|| values.next_value().bytes).take(located);
        self.repeated_headers += u64::from(digest(values) == self.header.digest);
    }

    #[cold]
    fn end_footer(&mut self) {
        (self.footer, self.footer_short, self.footer_has_total) = (0, 0, false);
    }

    /// Looks at rows that are not short and do not repeat the header. They start at `row_starts` of a piece.
    pub(super) fn see_rows(&mut self, piece: &[u8], row_starts: &[u32]) {
        let is_total = |&&start: &&u32| is_total_or_blank(&piece[start as usize..]);
        let totals =
            row_starts.iter().rev().take(MAX_SKIP_FOOTER as usize + 1).take_while(is_total).count() as u32;
        if (totals as usize) < row_starts.len() && self.footer != 0 {
            self.end_footer();
        }
        self.footer = (self.footer + totals).min(MAX_SKIP_FOOTER + 1);
        self.footer_has_total |= totals > 0;
    }

    /// Returns the suggestions for a file with these columns and this number of rows, of which `rows_short` are short.
    pub(super) fn suggestions(
        &self,
        columns: &[ColumnProfile],
        has_header: bool,
        rows: u64,
        rows_short: u64,
    ) -> Vec<Suggestion> {
        let no_header = has_header && looks_like_row(columns);
        let others_are_full = u64::from(self.footer_short) == rows_short;
        let footer = u64::from(self.footer);
        let has_footer = (1..=MAX_SKIP_FOOTER).contains(&self.footer)
            && ((self.footer_has_total && footer < rows) || (others_are_full && footer * 2 < rows));
        let suggestions = [
            no_header.then_some(Suggestion::NoHeader),
            has_footer.then_some(Suggestion::Footer { records: self.footer }),
            (self.repeated_headers > 0 && !no_header)
                .then_some(Suggestion::RepeatedHeaders { records: self.repeated_headers }),
        ];
        suggestions.into_iter().flatten().collect()
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.number(self.repeated_headers);
        state.number(self.footer.into());
        state.number(self.footer_short.into());
        state.flag(self.footer_has_total);
    }

    /// Restores what [`OddRecords::save`] wrote.
    pub(super) fn restore(self, state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let small =
            |state: &mut StateReader<'_>| u32::try_from(state.number()?).map_err(|_| StateError::Damaged);
        Ok(Self {
            repeated_headers: state.total()?,
            footer: small(state)?.min(MAX_SKIP_FOOTER + 1),
            footer_short: small(state)?.min(MAX_SKIP_FOOTER + 1),
            footer_has_total: state.flag()?,
            ..self
        })
    }
}

/// Words with which the first filled field of a total begins, in lower case.
const TOTAL_WORDS: [&str; 23] = [
    "total",
    "totals",
    "totale",
    "totaal",
    "totalt",
    "subtotal",
    "sub-total",
    "grand total",
    "sum",
    "suma",
    "summe",
    "somme",
    "soma",
    "gesamt",
    "gesamtsumme",
    "gesamtergebnis",
    "insgesamt",
    "yhteensä",
    "итого",
    "всего",
    "合计",
    "合計",
    "합계",
];
/// Number of bytes before the first filled field that are looked at.
const MAX_EMPTY_BYTES: usize = 64;

/// Whether the first filled field of a record begins with a word for a total, or the record has several fields and all
/// of them are empty. `record` may continue after the end of the record.
#[inline]
fn is_total_or_blank(record: &[u8]) -> bool {
    let is_empty = |byte: &u8| matches!(byte, b',' | b';' | b'\t' | b'|' | b'"' | b' ' | b'*' | 0x1F);
    let start = &record[..record.len().min(MAX_EMPTY_BYTES)];
    let at = start.iter().position(|byte| !is_empty(byte)).unwrap_or(start.len());
    if matches!(record.get(at), None | Some(b'\r' | b'\n')) {
        return start[..at].iter().any(|byte| !matches!(byte, b'"' | b' ' | b'*'));
    }
    let may_begin = |byte: u8| matches!(byte | 0x20, b't' | b's' | b'g' | b'i' | b'y') || byte >= 0x80;
    may_begin(record[at]) && is_total(&record[at..])
}

#[cold]
fn is_total(text: &[u8]) -> bool {
    let is_lower_case = |one: &[u8], word: &str| one.eq_ignore_ascii_case(word.as_bytes());
    TOTAL_WORDS.iter().any(|word| {
        let Some((start, rest)) = text.split_at_checked(word.len()) else { return false };
        let is_equal = if word.is_ascii() {
            is_lower_case(start, word)
        } else {
            std::str::from_utf8(start)
                .is_ok_and(|start| start.chars().flat_map(char::to_lowercase).eq(word.chars()))
        };
        is_equal && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Whether the names of the columns look like the cells below them.
fn looks_like_row(columns: &[ColumnProfile]) -> bool {
    let mut numbers = Vec::new();
    let mut has_other = false;
    for column in columns {
        let Some(statistics) = &column.statistics else { continue };
        let name = column.name.as_bytes();
        // An empty name, or a word for a missing value, may be a cell of a row too.
        let cell = match name.trim_ascii() {
            [] => continue,
            _ => Cell::classify(Value::new(name)),
        };
        match (statistics.column_type, cell) {
            (_, Cell::Missing) => {}
            (ColumnType::Integer | ColumnType::Decimal, Cell::Number(number, _)) => numbers.push(number),
            (ColumnType::Date | ColumnType::Datetime, Cell::Date(..))
            | (ColumnType::Boolean, Cell::Boolean) => has_other = true,
            (ColumnType::Integer | ColumnType::Decimal | ColumnType::Date | ColumnType::Datetime, _) => {
                return false;
            }
            (ColumnType::Text | ColumnType::Categorical, _) => {
                has_other |= has_form_of(&column.name, &statistics.samples);
            }
            (ColumnType::Boolean | ColumnType::Empty, _) => {}
        }
    }
    has_other || (!numbers.is_empty() && !are_names(&numbers))
}

/// Minimum number of digits of a name that is compared with the cells of a column of text.
const MIN_DIGITS: usize = 3;

/// Whether the name has the form of all cells below it, and is no word: it is a date, an amount or a phone number as
/// people write them (`31.01.2024`, `-700,00`, `+49 30 1234`), or an e-mail address.
fn has_form_of(name: &str, cells: &[String]) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let letters = name.chars().filter(|character| character.is_alphabetic()).count();
    let is_address = |text: &str| text.split_once('@').is_some_and(|(_, host)| host.contains('.'));
    let filled = cells.iter().filter(|cell| !is_missing(Value::new(cell.as_bytes())));
    let count = filled.clone().count();
    if is_address(name) {
        return count > 0 && filled.clone().all(|cell| is_address(cell));
    }
    let wanted = form(name);
    digits >= MIN_DIGITS
        && letters == 0
        && wanted.len() > 1
        && count > 1
        && filled.clone().all(|cell| form(cell) == wanted)
}

/// Returns the form of a text: `9` for digits, `a` for other letters, and all other characters, without a sign.
fn form(text: &str) -> String {
    let mut form = String::new();
    for character in text.trim().trim_start_matches(['+', '-']).chars() {
        let kind = match character {
            _ if character.is_numeric() => '9',
            _ if character.is_alphabetic() => 'a',
            _ => character,
        };
        if !form.ends_with(kind) {
            form.push(kind);
        }
    }
    form
}

/// Whether numbers above columns look like names: years, or numbers in ascending order.
fn are_names(numbers: &[f64]) -> bool {
    let are_years = numbers.iter().all(|year| (1900.0..=2100.0).contains(year));
    let step = |pair: &[f64]| pair[1] - pair[0];
    let steps: Vec<f64> = numbers.windows(2).map(step).collect();
    let are_counted = !steps.is_empty() && steps.iter().all(|&step| step == 1.0);
    let are_ascending = steps.len() >= 2 && steps.iter().all(|&step| step > 0.0);
    are_years || are_counted || are_ascending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_recognized_by_its_first_word_and_a_blank_record_by_its_empty_fields() {
        for record in
            ["Total,5", ",,TOTAL;5", "\"Sum\",1", "Summe: 4", "ИТОГО,1", "合計,3", "*** Grand total"]
        {
            assert!(is_total_or_blank(record.as_bytes()), "{record}");
        }
        for record in ["Toronto,5", "Summer,1", "totally,1", "", "\n,", "5,Total", "Sumatra", "sum2,1"] {
            assert!(!is_total_or_blank(record.as_bytes()), "{record}");
        }
    }

    #[test]
    fn years_and_ascending_numbers_are_names() {
        assert!(are_names(&[2019.0, 2020.0]));
        assert!(are_names(&[1.0, 2.0, 3.0]));
        assert!(are_names(&[1.0, 2.0]));
        assert!(are_names(&[400.5, 401.0, 407.5]));
        assert!(!are_names(&[1.0, 7.0, 3.0]));
        assert!(!are_names(&[34.0]));
    }
}
