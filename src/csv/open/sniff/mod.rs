//! Detects how the text of a file becomes a table, from the first 256 KiB.
//!
//! A *reading* is the sample read as a table with one candidate dialect. Most records of a table have the same number of
//! fields: its width. The share of the records that have this width says how well a candidate fits. The candidate with
//! the largest share wins. If two shares are equal, the candidate with more columns wins, then the more common
//! delimiter.
//!
//! A delimiter must split the header. If a character does not separate the names in the header, the character is text
//! in the other records too. A file whose header no candidate splits has one column and no delimiter.
//!
//! Lines above the header are recognized ([`preamble`]): a `sep=` line, comments, titles and blank lines. Each rule of
//! the dialect that the request or the file's owner has set is taken as it is, and only the other rules are detected.

mod fit;
mod preamble;
mod reading;

use super::options::InputOptions;
use crate::csv::dialect::{
    Alternative, Delimiter, Escape, MAX_ALTERNATIVES, Quote, RecordEnd, TableDialect, Trim,
};
use fit::Fit;
use memchr::memmem;
use preamble::Preamble;
use reading::Reading;

/// Candidates for the delimiter, the most common first. If two of them fit equally well, the first one wins.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// The rules that were found, and how certain they are.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::csv) struct Sniffed {
    pub(in crate::csv) table: TableDialect,
    pub(in crate::csv) newline: RecordEnd,
    pub(in crate::csv) confidence_percent: u8,
    pub(in crate::csv) alternatives: Vec<Alternative>,
    /// Number of fields of the widest record in the sample, from the header on.
    pub(in crate::csv) max_fields: usize,
}

/// A candidate and how well it fits the sample.
struct ScoredDialect {
    table: TableDialect,
    fit: Fit,
}

/// The score of a candidate sinks by this much if lines above the header must be skipped for it.
const PREAMBLE_PENALTY: f64 = 0.1;
/// The score of a candidate rises by this much if the declared media type names its delimiter.
const PRIOR_BONUS: f64 = 0.15;
/// The score of a candidate with the quote `'` rises by this much if many fields are in `'`.
const SINGLE_QUOTE_BONUS: f64 = 0.5;
/// The score of a candidate rises by this much if it removes the blanks that stand before each quote.
const BLANKS_BONUS: f64 = 0.3;
/// The score of a candidate rises by this much each time the number of its columns doubles, from two on. The commas in
/// amounts or in names often split every row, but into few columns.
const COLUMN_BONUS: f64 = 0.04;
/// The score of a candidate sinks by this much if blanks follow all its delimiters, as in sentences.
const SENTENCE_PENALTY: f64 = 0.02;
/// Two candidates whose scores differ by less are nearly equal. The result is then not certain.
const NEARLY_EQUAL: f64 = 0.15;
/// If a delimiter splits this share of the records into equally many fields, the file may be a table although its first
/// record is not split.
const MIN_SPLIT_SHARE: f64 = 0.25;
/// The confidence of a result that is not certain.
const UNCERTAIN_PERCENT: u8 = 60;

/// Detects the rules that `options` leaves open. `whole` says whether the sample is the whole file.
pub(in crate::csv) fn sniff(sample: &[u8], whole: bool, options: &InputOptions) -> Sniffed {
    let separator_line = preamble::separator_line(sample, &DELIMITERS)
        .filter(|_| options.skip_rows.is_none_or(|rows| rows == 1));
    sniff_below(separator_line, sample, whole, options)
}

/// Does the work of [`sniff`]. `separator_line` is the delimiter that a `sep=` line names.
fn sniff_below(
    separator_line: Option<Delimiter>,
    sample: &[u8],
    whole: bool,
    options: &InputOptions,
) -> Sniffed {
    let delimiters: Vec<Delimiter> = match (options.delimiter, separator_line) {
        (Some(delimiter), _) | (None, Some(delimiter)) => vec![delimiter],
        (None, None) => {
            let has_meaning = |byte: &u8| {
                options.comment == Some(Some(*byte)) || options.quote.and_then(Quote::byte) == Some(*byte)
            };
            DELIMITERS.into_iter().filter(|byte| !has_meaning(byte)).map(Delimiter::of).collect()
        }
    };
    let skip = match (options.skip_rows, separator_line) {
        (Some(rows), _) => Some(rows),
        (None, Some(_)) => Some(1),
        (None, None) => None,
    };
    let quotes = match options.quote {
        Some(quote) => vec![quote],
        None if reading::has_single_quoted_fields(sample) => vec![Quote::Double, Quote::Single],
        None => vec![Quote::Double],
    };
    let is_named = options.delimiter.is_none() && separator_line.is_some();
    let is_chosen = delimiters.len() == 1;
    let mut candidates: Vec<ScoredDialect> = Vec::new();
    for &delimiter in &delimiters {
        for &quote in &quotes {
            let table = TableDialect { delimiter, quote, ..options.table() };
            if options.trim.is_none() && reading::has_blanks_before_all_quotes(sample, &table) {
                let trimmed = TableDialect { trim: Trim::Cells, ..table.clone() };
                candidates.push(ScoredDialect::of(trimmed, sample, whole, skip, options));
            }
            candidates.push(ScoredDialect::of(table, sample, whole, skip, options));
        }
    }
    // The sort is stable: of equal candidates, the more common one stays first.
    candidates.sort_by(|one, other| other.fit.order(&one.fit));
    let mut best = candidates.remove(0);
    let fitting = |candidate: &ScoredDialect| candidate.fit.splits_header;
    if is_named && !fitting(&best) {
        // The delimiter of the `sep=` line splits nothing, so it is detected. The line itself is skipped.
        let below = InputOptions { skip_rows: Some(1), ..options.clone() };
        let detected = sniff_below(None, sample, whole, &below);
        let is_split = detected.table.delimiter != Delimiter::NONE;
        let confidence_percent = if is_split {
            detected.confidence_percent.min(UNCERTAIN_PERCENT)
        } else {
            detected.confidence_percent
        };
        return Sniffed { confidence_percent, ..detected };
    }
    if !is_chosen && !fitting(&best) {
        return single_column(sample, whole, options, skip, &candidates);
    }
    let alternatives: Vec<Alternative> = candidates
        .iter()
        .filter(|candidate| fitting(candidate))
        .take(MAX_ALTERNATIVES)
        .map(Into::into)
        .collect();
    let has_rival =
        candidates.iter().any(|rival| fitting(rival) && best.fit.score - rival.fit.score < NEARLY_EQUAL);
    let other = refine(&mut best, sample, whole, options, skip);
    let mut alternatives = alternatives;
    if let Some(other) = &other {
        alternatives.insert(0, other.into());
        alternatives.truncate(MAX_ALTERNATIVES);
    }
    let certain = (best.fit.share * 100.0).floor() as u8;
    let rows = preamble::after_lines(sample, best.table.skip_rows);
    let single = best.table.delimiter.single().filter(|_| !is_chosen);
    let longer = single.and_then(|delimiter| {
        let keeps_blanks = best.table.trim == Trim::None;
        let spaced = || reading::spaced_delimiter(rows, whole, delimiter).filter(|_| keeps_blanks);
        reading::longer_delimiter(rows, whole, delimiter).or_else(spaced)
    });
    if let Some(delimiter) = longer {
        alternatives.insert(0, Alternative { delimiter, quote: Quote::Double, percent: 100 });
        alternatives.truncate(MAX_ALTERNATIVES);
    }
    let is_uncertain = (has_rival && !is_chosen) || other.is_some() || longer.is_some();
    let confidence_percent = if is_uncertain { certain.min(UNCERTAIN_PERCENT) } else { certain };
    Sniffed {
        max_fields: best.fit.max_fields,
        table: best.table,
        newline: reading::record_end(sample),
        confidence_percent,
        alternatives,
    }
}

/// Returns the rules of a file whose header no candidate splits.
fn single_column(
    sample: &[u8],
    whole: bool,
    options: &InputOptions,
    skip: Option<u32>,
    candidates: &[ScoredDialect],
) -> Sniffed {
    let is_empty = sample.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    // If the sample has only comments or skipped lines, nothing is known about the table.
    let is_unknown = !whole && candidates.iter().all(|candidate| candidate.fit.columns == 0);
    let delimiter = if is_empty || is_unknown { Delimiter::COMMA } else { Delimiter::NONE };
    let table = TableDialect { delimiter, ..options.table() };
    let candidate = ScoredDialect::of(table, sample, whole, skip, options);
    let splits =
        |candidate: &ScoredDialect| candidate.fit.columns > 1 || candidate.fit.split_share >= MIN_SPLIT_SHARE;
    let unlisted =
        reading::unlisted_delimiter(preamble::after_lines(sample, candidate.table.skip_rows), whole);
    let is_split = candidates.iter().any(splits) || unlisted.is_some();
    let alternative = |delimiter| Alternative { delimiter, quote: Quote::Double, percent: 100 };
    Sniffed {
        max_fields: candidate.fit.max_fields,
        table: candidate.table,
        newline: reading::record_end(sample),
        confidence_percent: if is_split || is_unknown { UNCERTAIN_PERCENT } else { 100 },
        alternatives: unlisted.map(alternative).into_iter().collect(),
    }
}

/// Tries the rules that only few files need: another escape, and no quotes at all. If a reading with quotes and a reading
/// without quotes are both possible, returns the one that was not chosen.
fn refine(
    best: &mut ScoredDialect,
    sample: &[u8],
    whole: bool,
    options: &InputOptions,
    skip: Option<u32>,
) -> Option<ScoredDialect> {
    let is_default_quote = best.table.quote == Quote::Double;
    if options.escape.is_none() && is_default_quote && memmem::find(sample, b"\\\"").is_some() {
        let table = TableDialect { escape: Escape::Backslash, ..best.table.clone() };
        let other = ScoredDialect::of(table, sample, whole, skip, options);
        if other.fit.share > best.fit.share {
            *best = other;
        }
    }
    if options.quote.is_some() || !is_default_quote || best.fit.malformed == 0 {
        return None;
    }
    let table = TableDialect { quote: Quote::None, ..best.table.clone() };
    let mut other = ScoredDialect::of(table, sample, whole, skip, options);
    if !other.fit.splits_header || other.fit.share < 0.99 {
        return None;
    }
    if best.fit.width_share < 0.9 {
        std::mem::swap(best, &mut other);
        return Some(other);
    }
    (best.fit.malformed > 1 && best.fit.share < 0.9).then_some(other)
}

impl ScoredDialect {
    fn of(
        mut table: TableDialect,
        sample: &[u8],
        whole: bool,
        skip: Option<u32>,
        options: &InputOptions,
    ) -> Self {
        table.skip_rows = skip.unwrap_or(0);
        let sample = preamble::after_lines(sample, table.skip_rows);
        let mut reading = Reading::of(sample, whole, &table);
        let preamble = match options.skip_rows {
            Some(_) => Preamble::default(),
            None => Preamble::of(&reading, options.comment != Some(None)),
        };
        table.skip_rows += preamble.lines;
        if options.comment.is_none() && preamble.has_comments && reading.has_comments_after(preamble.records)
        {
            table.comment = Some(b'#');
            // Comments are left out, so they say nothing about the rows.
            reading.leave_out_comments_after(preamble.records);
        }
        let mut fit = Fit::of(&reading, &preamble);
        if preamble.records > 0 {
            fit.score -= PREAMBLE_PENALTY;
        }
        if options.declared_delimiter == Some(table.delimiter) && fit.splits_header {
            fit.score += PRIOR_BONUS;
        }
        if table.trim == Trim::Cells && options.trim.is_none() {
            fit.score += BLANKS_BONUS;
        }
        if table.quote == Quote::Single {
            // `"` is far more common, so `'` must enclose many fields, and more fields than `"`.
            let delimiter = table.delimiter.single();
            let single = reading::fields_in(b'\'', sample, delimiter);
            let is_single_quoted = single > 1
                && single * 4 >= reading.fields()
                && single > reading::fields_in(b'"', sample, delimiter);
            fit.score += if is_single_quoted { SINGLE_QUOTE_BONUS } else { -2.0 };
        }
        fit.score -= SENTENCE_PENALTY * preamble::share_after_blank(&reading.records);
        fit.score += COLUMN_BONUS * (fit.columns.clamp(2, 64) as f64 / 2.0).log2();
        Self { table, fit }
    }
}

impl From<&ScoredDialect> for Alternative {
    fn from(candidate: &ScoredDialect) -> Self {
        Self {
            delimiter: candidate.table.delimiter,
            quote: candidate.table.quote,
            percent: (candidate.fit.share * 100.0).floor() as u8,
        }
    }
}

#[cfg(test)]
mod tests;
