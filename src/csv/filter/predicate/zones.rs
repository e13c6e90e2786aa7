//! Evaluates a predicate for a whole zone, from the [`Span`]s of its columns.
//!
//! There are three outcomes: no record matches, every record matches, or unknown. The first two outcomes are certain,
//! so pruning never changes a result. They are certain because cells and operands are rounded in the same way: numbers
//! to the nearest double, dates to whole seconds, text to its first eight bytes. Rounding keeps the order: if two
//! rounded values differ, the exact values are in the same order. If the rounded values are equal, the order of the
//! exact values is unknown.

use super::{Bound, CellMatcher, Node, Predicate};
use crate::csv::filter::number::NumberBound;
use crate::csv::filter::{Instant, Relation};
use crate::csv::record::value::prefix_of;

/// Whether the records of a zone match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum ZoneOutcome {
    /// No record matches.
    Never,
    /// Every record matches.
    Always,
    /// Unknown: the zone may have records that match and records that do not match.
    Maybe,
}

/// Summary of the cells of one column in one zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::csv) struct Span {
    /// Whether at least one cell is empty.
    pub(in crate::csv) has_empty: bool,
    /// Whether at least one cell is a number.
    pub(in crate::csv) has_number: bool,
    /// Whether at least one cell is a date.
    pub(in crate::csv) has_date: bool,
    /// Whether at least one cell is not empty and is neither a number nor a date.
    pub(in crate::csv) has_other: bool,
    /// The doubles nearest to the smallest and the greatest number, if known.
    pub(in crate::csv) numbers: Option<(f64, f64)>,
    /// The whole seconds of the first and the last instant, if known.
    pub(in crate::csv) seconds: Option<(i64, i64)>,
    /// The prefixes (first eight bytes, [`prefix_of`]) of the smallest and the greatest non-empty cell.
    pub(in crate::csv) prefixes: (u64, u64),
    /// The length of the longest cell, in bytes; 255 means 255 or more.
    pub(in crate::csv) longest_bytes: u8,
}

/// The spans of the columns of a zone.
pub(in crate::csv) trait Spans {
    /// Returns the span of a column (from 0); `None` if it is unknown.
    fn span(&self, column: usize) -> Option<Span>;
}

/// A predicate compiled to be evaluated for many zones.
#[derive(Debug, Clone)]
pub(in crate::csv) enum ZonePredicate {
    All(Box<[ZonePredicate]>),
    Any(Box<[ZonePredicate]>),
    Not(Box<ZonePredicate>),
    Column {
        column: usize,
        matcher: SpanMatcher,
    },
    /// Spans cannot decide this part of the filter.
    Unknown,
}

#[derive(Debug, Clone)]
pub(in crate::csv) enum SpanMatcher {
    /// The cell is empty.
    Empty,
    /// The cell equals one non-empty text.
    Equals(EqualText),
    /// The cell equals one of these texts.
    OneOf(TextSet),
    /// The cell is in this relation to the bound.
    Compares(Relation, RoundedBound),
    /// The cell is between the bounds, or equal to one of them.
    Between(RoundedBound, RoundedBound),
    /// The cell is not empty and its prefix is in one of these ranges.
    StartsWith(Box<[(u64, u64)]>),
    /// Spans cannot decide this condition.
    Unknown,
}

/// A text that cells must equal.
#[derive(Debug, Clone)]
pub(in crate::csv) struct EqualText {
    prefix: u64,
    /// The length of the text in bytes; `None` if the text has more than eight bytes or a NUL.
    whole: Option<u8>,
    number: Option<f64>,
}

/// A set of texts. The cell must equal one of them.
#[derive(Debug, Clone)]
pub(in crate::csv) struct TextSet {
    has_empty: bool,
    /// Prefixes of the non-empty texts, ascending.
    prefixes: Box<[u64]>,
    /// The texts that are numbers, ascending.
    numbers: Box<[f64]>,
}

/// A rounded bound.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) enum RoundedBound {
    Number(f64),
    Seconds(i64),
    Prefix(u64),
    /// A number without a nearest double.
    Unknown,
}

impl Predicate {
    /// Compiles the predicate for zones.
    pub(in crate::csv) fn zone_predicate(&self) -> ZonePredicate {
        ZonePredicate::of(&self.root)
    }
}

impl ZonePredicate {
    fn of(node: &Node) -> Self {
        let all = |nodes: &[Node]| nodes.iter().map(Self::of).collect();
        match node {
            Node::All(nodes) => Self::All(all(nodes)),
            Node::Any(nodes) => Self::Any(all(nodes)),
            Node::Not(inner) => Self::Not(Box::new(Self::of(inner))),
            Node::Condition { column, matcher, .. } => {
                Self::Column { column: *column, matcher: SpanMatcher::of(matcher) }
            }
            Node::AnyContains { .. } => Self::Unknown,
        }
    }

    /// Returns the outcome for a zone that has at least one record.
    pub(in crate::csv) fn outcome(&self, zone: &impl Spans) -> ZoneOutcome {
        match self {
            Self::All(parts) => combine(parts, zone, ZoneOutcome::Never),
            Self::Any(parts) => combine(parts, zone, ZoneOutcome::Always),
            Self::Not(inner) => inner.outcome(zone).complement(),
            Self::Column { column, matcher } => {
                zone.span(*column).map_or(ZoneOutcome::Maybe, |span| matcher.outcome(&span))
            }
            Self::Unknown => ZoneOutcome::Maybe,
        }
    }
}

/// Returns `decisive` if at least one part has this outcome. Returns the complement of `decisive` if every part has the
/// complement. Otherwise returns `Maybe`.
fn combine(predicates: &[ZonePredicate], zone: &impl Spans, decisive: ZoneOutcome) -> ZoneOutcome {
    let mut all = decisive.complement();
    for predicate in predicates {
        match predicate.outcome(zone) {
            outcome if outcome == decisive => return decisive,
            ZoneOutcome::Maybe => all = ZoneOutcome::Maybe,
            _ => {}
        }
    }
    all
}

impl ZoneOutcome {
    fn complement(self) -> Self {
        match self {
            Self::Never => Self::Always,
            Self::Always => Self::Never,
            Self::Maybe => Self::Maybe,
        }
    }

    fn of(never: bool, always: bool) -> Self {
        match (never, always) {
            (true, _) => Self::Never,
            (false, true) => Self::Always,
            _ => Self::Maybe,
        }
    }
}

impl SpanMatcher {
    fn of(matcher: &CellMatcher) -> Self {
        match matcher {
            CellMatcher::Empty => Self::Empty,
            CellMatcher::Equals(text) if text.is_empty() => Self::Empty,
            CellMatcher::Equals(text) => Self::Equals(EqualText::of(text)),
            CellMatcher::OneOf(texts) => Self::OneOf(TextSet::of(texts)),
            CellMatcher::Compares(relation, bound) => Self::Compares(*relation, RoundedBound::of(bound)),
            CellMatcher::Between(low, high) => Self::Between(RoundedBound::of(low), RoundedBound::of(high)),
            CellMatcher::EqualsNumber(number) => {
                let bound = RoundedBound::of_number(number);
                Self::Between(bound, bound)
            }
            CellMatcher::EqualsFolded(text) if text.is_empty() => Self::Empty,
            // A cell that equals a text, ignoring case, also begins with this text, ignoring case.
            CellMatcher::StartsWith(folded) | CellMatcher::EqualsFolded(folded) => match ranges_of(folded) {
                Some(ranges) => Self::StartsWith(ranges),
                None => Self::Unknown,
            },
            CellMatcher::EndsWith(_) | CellMatcher::Contains(_) | CellMatcher::Like(_) => Self::Unknown,
            CellMatcher::OneOfFolded(_) | CellMatcher::Regex(_) | CellMatcher::Nothing => Self::Unknown,
        }
    }

    fn outcome(&self, span: &Span) -> ZoneOutcome {
        match self {
            Self::Empty => ZoneOutcome::of(!span.has_empty, span.is_all_empty()),
            Self::Equals(text) => text.outcome(span),
            Self::OneOf(texts) => ZoneOutcome::of(texts.is_disjoint_from(span), false),
            Self::Compares(relation, limit) => {
                let (all_below, all_above) = limit.strictly(span);
                let (never, always) = match relation {
                    Relation::Greater | Relation::GreaterOrEqual => (all_below, all_above),
                    Relation::Less | Relation::LessOrEqual => (all_above, all_below),
                };
                ZoneOutcome::of(never || limit.has_none(span), always && limit.has_only(span))
            }
            Self::Between(low, high) => {
                let (below_low, above_low) = low.strictly(span);
                let (below_high, above_high) = high.strictly(span);
                let always = above_low && below_high && low.has_only(span);
                ZoneOutcome::of(below_low || above_high || low.has_none(span), always)
            }
            Self::StartsWith(ranges) => {
                let (least, greatest) = span.prefixes;
                let meets = ranges.iter().any(|&(low, high)| low <= greatest && least <= high);
                ZoneOutcome::of(span.is_all_empty() || !meets, false)
            }
            Self::Unknown => ZoneOutcome::Maybe,
        }
    }
}

impl Span {
    fn is_all_empty(&self) -> bool {
        !(self.has_number || self.has_date || self.has_other)
    }

    fn is_all_numbers(&self) -> bool {
        self.has_number && !self.has_empty && !self.has_date && !self.has_other
    }

    fn is_all_dates(&self) -> bool {
        self.has_date && !self.has_empty && !self.has_number && !self.has_other
    }

    /// Returns the smallest and the greatest prefix of all cells. The prefix of an empty cell is 0.
    fn texts(&self) -> (u64, u64) {
        let (least, greatest) = if self.is_all_empty() { (0, 0) } else { self.prefixes };
        (if self.has_empty { 0 } else { least }, greatest)
    }
}

impl EqualText {
    fn of(text: &[u8]) -> Self {
        let is_whole = text.len() <= size_of::<u64>() && !text.contains(&0);
        Self {
            prefix: prefix_of(text),
            whole: u8::try_from(text.len()).ok().filter(|_| is_whole),
            number: crate::csv::filter::nearest_double(text),
        }
    }

    fn outcome(&self, span: &Span) -> ZoneOutcome {
        let (least, greatest) = span.prefixes;
        // If the text is a number, a cell can equal the text only if the cell is the same number.
        let is_no_such_number = self.number.is_some_and(|number| {
            !span.has_number || span.numbers.is_some_and(|(low, high)| number < low || number > high)
        });
        let never = span.is_all_empty() || self.prefix < least || self.prefix > greatest || is_no_such_number;
        // Every cell equals the text if no cell is empty, all prefixes are equal, the prefix holds the whole text, and
        // no cell is longer than the text.
        let is_only = !span.has_empty
            && least == greatest
            && least == self.prefix
            && self.whole == Some(span.longest_bytes);
        ZoneOutcome::of(never, is_only)
    }
}

impl TextSet {
    fn of(texts: &[Box<[u8]>]) -> Self {
        let filled = || texts.iter().filter(|text| !text.is_empty());
        let mut numbers: Vec<f64> =
            filled().filter_map(|text| crate::csv::filter::nearest_double(text)).collect();
        numbers.sort_by(f64::total_cmp);
        Self {
            has_empty: texts.iter().any(|text| text.is_empty()),
            // The texts are sorted, so their prefixes are sorted too.
            prefixes: filled().map(|text| prefix_of(text)).collect(),
            numbers: numbers.into_boxed_slice(),
        }
    }

    fn is_disjoint_from(&self, span: &Span) -> bool {
        if self.has_empty && span.has_empty {
            return false;
        }
        let (least, greatest) = span.prefixes;
        let first = self.prefixes.partition_point(|&prefix| prefix < least);
        let has_text = self.prefixes.get(first).is_some_and(|&prefix| prefix <= greatest);
        let has_number = match span.numbers {
            Some((low, high)) => {
                let first = self.numbers.partition_point(|&number| number < low);
                self.numbers.get(first).is_some_and(|&number| number <= high)
            }
            None => true,
        };
        let is_number = span.has_number && !span.has_date && !span.has_other;
        span.is_all_empty() || !has_text || (is_number && !has_number)
    }
}

impl RoundedBound {
    fn of(bound: &Bound) -> Self {
        match bound {
            Bound::Number(number) => Self::of_number(number),
            Bound::Date(instant) => Self::Seconds(Instant::seconds(*instant)),
            Bound::Text(text) => Self::Prefix(prefix_of(text)),
        }
    }

    fn of_number(number: &NumberBound) -> Self {
        number.nearest_double().map_or(Self::Unknown, Self::Number)
    }

    /// Returns whether all cells of the bound's kind are less than the bound, and whether all of them are greater.
    fn strictly(self, span: &Span) -> (bool, bool) {
        match self {
            Self::Number(limit) => {
                span.numbers.map_or((false, false), |(low, high)| (high < limit, low > limit))
            }
            Self::Seconds(limit) => {
                span.seconds.map_or((false, false), |(first, last)| (last < limit, first > limit))
            }
            Self::Prefix(limit) => {
                let (least, greatest) = span.texts();
                (greatest < limit, least > limit)
            }
            Self::Unknown => (false, false),
        }
    }

    /// Whether no cell is of the bound's kind.
    fn has_none(self, span: &Span) -> bool {
        match self {
            Self::Number(_) => !span.has_number,
            Self::Seconds(_) => !span.has_date,
            Self::Prefix(_) | Self::Unknown => false,
        }
    }

    /// Whether every cell is of the bound's kind.
    fn has_only(self, span: &Span) -> bool {
        match self {
            Self::Number(_) => span.is_all_numbers(),
            Self::Seconds(_) => span.is_all_dates(),
            Self::Prefix(_) => true,
            Self::Unknown => false,
        }
    }
}

/// Maximum number of prefix ranges of one [`SpanMatcher::StartsWith`].
const MAX_RANGES: usize = 32;

/// Returns ranges of prefixes, one for each spelling of the first letters of `folded`. If a cell begins with `folded`,
/// ignoring case, its prefix is in one of the ranges. `None` if the first byte of `folded` is not ASCII.
fn ranges_of(folded: &[u8]) -> Option<Box<[(u64, u64)]>> {
    let mut open: Vec<Vec<u8>> = vec![Vec::new()];
    let mut ended: Vec<Vec<u8>> = Vec::new();
    for &byte in folded.iter().take(size_of::<u64>()) {
        let forms = forms_of(byte);
        if forms.is_empty() || ended.len() + open.len() * forms.len() > MAX_RANGES {
            break;
        }
        let mut longer = Vec::new();
        for (start, form) in open.iter().flat_map(|start| forms.iter().map(move |form| (start, form))) {
            let start = [start.as_slice(), form].concat();
            if form.len() == 1 { longer.push(start) } else { ended.push(start) }
        }
        open = longer;
    }
    ended.extend(open);
    let is_known = ended.iter().all(|start| !start.is_empty());
    is_known.then(|| ended.iter().map(|start| (prefix_of(start), last_prefix_of(start))).collect())
}

/// Returns the spellings of a folded ASCII byte: the byte itself, its upper case, and the non-ASCII characters that
/// fold to it. Returns an empty list if the byte is not ASCII.
fn forms_of(byte: u8) -> Vec<&'static [u8]> {
    const ASCII: [[u8; 1]; 128] = {
        let mut bytes = [[0]; 128];
        let mut at = 0;
        while at < 128 {
            bytes[at] = [at as u8];
            at += 1;
        }
        bytes
    };
    let Some(own) = ASCII.get(usize::from(byte)) else {
        return Vec::new();
    };
    let mut forms: Vec<&'static [u8]> = vec![own];
    if byte.is_ascii_lowercase() {
        forms.push(&ASCII[usize::from(byte.to_ascii_uppercase())]);
    }
    match byte {
        b'k' => forms.push("\u{212A}".as_bytes()),
        b's' => forms.push("\u{17F}".as_bytes()),
        _ => {}
    }
    forms
}

/// Returns the greatest prefix that a text can have if the text begins with `start`.
fn last_prefix_of(start: &[u8]) -> u64 {
    let known_bits = 8 * start.len().min(size_of::<u64>()) as u32;
    prefix_of(start) | u64::MAX.checked_shr(known_bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::filter::fold::fold_character;

    #[test]
    fn forms_of_returns_every_non_ascii_character_that_folds_to_an_ascii_byte() {
        for character in '\u{80}'..=char::MAX {
            let folded = fold_character(character);
            if folded.is_ascii() {
                let form = character.to_string();
                assert!(forms_of(folded as u8).contains(&form.as_bytes()), "{character:?}");
            }
        }
    }

    #[test]
    fn prefixes_keep_the_order_of_texts() {
        let texts: [&[u8]; 9] = [
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"ab",
            b"abcdefgh",
            b"abcdefghi",
            b"b",
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        ];
        assert!(texts.windows(2).all(|pair| prefix_of(pair[0]) <= prefix_of(pair[1])));
        assert_eq!(last_prefix_of(b"a"), 0x61FF_FFFF_FFFF_FFFF);
        assert_eq!(last_prefix_of(b"abcdefgh"), prefix_of(b"abcdefgh"));
    }
}
