//! Filters bound to columns, evaluated on the bytes of cells.
//!
//! Operands are parsed, folded and sorted once, when the predicate is made. Evaluating a cell allocates nothing.

pub(in crate::csv) mod zones;

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::fold::{fold, with_folded};
use super::instant::Instant;
use super::like::Like;
use super::number::{NumberBound, NumberRange, trim};
use super::operator::compile_regex;
use super::{Comparison, Filter, Relation};
use crate::csv::cell::Cells;
use crate::csv::limits::MAX_FIELDS;
use crate::csv::open::header::{Header, UnknownColumn};
use crate::csv::scanner::{RecordGroup, Selection};
use crate::csv::short_cell::ShortCell;

/// A filter whose columns are positions in a header.
#[derive(Debug, Clone)]
pub struct Predicate {
    root: Node,
    columns: Vec<usize>,
}

impl Filter {
    /// Binds the filter's columns to positions.
    ///
    /// # Errors
    /// [`UnknownColumn`] for a column that is not in the header.
    pub fn compile(&self, header: &Header) -> Result<Predicate, UnknownColumn> {
        self.compile_with(header, OperandReading::ByForm)
    }

    /// Does the same as [`Filter::compile`]. `reading` says how the operands of ordering operators are read.
    ///
    /// # Errors
    /// The errors of [`Filter::compile`].
    pub fn compile_with(&self, header: &Header, reading: OperandReading) -> Result<Predicate, UnknownColumn> {
        Predicate::bind(self, header, reading)
    }
}

/// How the operands of ordering operators are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OperandReading {
    /// As a number if possible, else as a date if possible, else as text.
    #[default]
    ByForm,
    /// Always as text.
    Text,
}

/// Counts cells that could not be compared, because they are of another kind than the operand. Only such a cell changes
/// the count. So counting takes no time for the other cells.
#[derive(Debug, Default)]
struct Incomparable(AtomicU64);

impl Incomparable {
    #[cold]
    #[inline(never)]
    fn add(&self, cell: &[u8]) {
        if !trim(cell).is_empty() {
            self.0.fetch_add(1, atomic::Ordering::Relaxed);
        }
    }

    fn count(&self) -> u64 {
        self.0.load(atomic::Ordering::Relaxed)
    }
}

impl Clone for Incomparable {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.count()))
    }
}

#[derive(Debug, Clone)]
enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Condition {
        column: usize,
        matcher: CellMatcher,
        /// The same condition as a range of numbers, for short cells; `None` if no range expresses the condition.
        range: Option<Box<NumberRange>>,
        incomparable: Incomparable,
    },
    /// At least one of the first `columns` columns contains a folded text.
    AnyContains {
        columns: usize,
        finder: Box<Finder<'static>>,
    },
}

#[derive(Debug, Clone)]
enum CellMatcher {
    Empty,
    Equals(Box<[u8]>),
    /// The texts, sorted by their bytes, without duplicates.
    OneOf(Box<[Box<[u8]>]>),
    Compares(Relation, Bound),
    /// From the first bound to the second, both included. Both bounds are of the same kind.
    Between(Bound, Bound),
    /// The cell is a number that equals this number.
    EqualsNumber(NumberBound),
    /// The folded cell equals this text.
    EqualsFolded(Box<[u8]>),
    /// The folded cell equals one of these texts, sorted by their bytes, without duplicates.
    OneOfFolded(Box<[Box<[u8]>]>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Contains(Box<Finder<'static>>),
    Like(Box<Like>),
    Regex(Box<Regex>),
    /// No cell. This matcher stands for a regular expression, a number or a day that cannot be parsed.
    /// [`Filter::condition`] refuses such operands.
    Nothing,
}

/// An operand of a comparison that orders cells.
#[derive(Debug, Clone)]
enum Bound {
    Number(NumberBound),
    Date(Instant),
    Text(Box<[u8]>),
}

impl Predicate {
    fn bind(filter: &Filter, header: &Header, reading: OperandReading) -> Result<Self, UnknownColumn> {
        let mut columns = Vec::new();
        let root = Node::bind(filter, header, reading, &mut columns)?;
        columns.sort_unstable();
        columns.dedup();
        Ok(Self { root, columns })
    }

    /// Whether the filter keeps the record.
    pub fn matches(&self, record: &impl Cells) -> bool {
        self.root.matches(record)
    }

    /// Does the same as [`Predicate::matches`], inlined for the loop over rows.
    #[inline(always)]
    pub(in crate::csv) fn matches_row(&self, record: impl Cells + Copy) -> bool {
        match &self.root {
            // Most filters are one condition, and most cells are short. If the condition compares numbers, this arm
            // decides the filter without a call of `Node::matches`.
            Node::Condition { column, range: Some(range), .. }
                if let Some(cell) = record.short_cell(*column)
                    && let Some(holds) = range.contains(cell) =>
            {
                holds
            }
            root => root.matches_row(record),
        }
    }

    /// Decides which of the first records of a record group the filter keeps. This function can decide only one kind of
    /// filter: a single condition that compares numbers in a column after the first column. For any other filter,
    /// returns an empty selection, which decides no record. `columns` is the number of columns of the file.
    #[inline]
    pub(in crate::csv) fn select(&self, group: RecordGroup<'_>, columns: usize) -> Selection {
        match &self.root {
            Node::Condition { column, range: Some(range), .. }
                if (1..columns).contains(column) && columns <= MAX_FIELDS =>
            {
                select(range, group, columns, *column)
            }
            _ => Selection::default(),
        }
    }

    /// Returns how many comparisons have met a filled cell that is of another kind than their operand. For example, the
    /// text `n/a` cannot be compared with the number 5.
    pub fn incomparable(&self) -> u64 {
        self.root.incomparable()
    }

    /// Returns the positions (from 0) of the columns that the filter reads, ascending and without duplicates.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }
}

/// Maximum number of records that one call of [`select`] decides.
const MAX_SELECTED: usize = u64::BITS as usize;

/// Decides for the first records of a record group whether their field `column` is a number within `range`. `column`
/// must not be 0. This is a separate function, so that its state stays in registers.
#[inline(never)]
fn select(range: &NumberRange, group: RecordGroup<'_>, columns: usize, column: usize) -> Selection {
    let place = |end: u32| end.wrapping_sub(group.origin) as usize;
    let (mut cells, mut records, mut undecided) = ([0; MAX_SELECTED], 0_usize, 0);
    for ((ends, &end), digits) in group.ends.chunks_exact(columns).zip(group.record_ends).zip(&mut cells) {
        let &[before, after] = &ends[column - 1..=column] else { break };
        if ends[columns - 1] != end {
            break;
        }
        match ShortCell::within(group.piece, place(before) + 1..place(after)) {
            Some(cell) => *digits = cell.digits(),
            None => undecided |= 1 << records,
        }
        records += 1;
    }
    // `between` has no branch that depends on a cell. So the cells cannot make the processor mispredict a branch.
    match range.integers().between(&cells) {
        Some(between) => {
            let decided = u64::MAX.checked_shr(u64::BITS - records as u32).unwrap_or(0) & !undecided;
            Selection { records, fields: columns, kept: between & decided, undecided }
        }
        None => select_each(range, group, columns, column, records),
    }
}

/// Does the same as [`select`], for groups in which some cells of the column contain bytes other than digits.
fn select_each(
    range: &NumberRange,
    group: RecordGroup<'_>,
    columns: usize,
    column: usize,
    records: usize,
) -> Selection {
    let place = |end: u32| end.wrapping_sub(group.origin) as usize;
    let integers = range.integers();
    let (mut kept, mut undecided) = (0, 0);
    for (at, ends) in group.ends.chunks_exact(columns).take(records).enumerate() {
        match ShortCell::within(group.piece, place(ends[column - 1]) + 1..place(ends[column])) {
            Some(cell) if let Some(number) = cell.whole() => {
                kept |= u64::from(integers.contains(number)) << at
            }
            cell => match cell.and_then(|cell| range.contains(cell)) {
                Some(holds) => kept |= u64::from(holds) << at,
                None => undecided |= 1 << at,
            },
        }
    }
    Selection { records, fields: columns, kept, undecided }
}

impl Node {
    fn bind(
        filter: &Filter,
        header: &Header,
        reading: OperandReading,
        columns: &mut Vec<usize>,
    ) -> Result<Self, UnknownColumn> {
        let mut all = |parts: &[Filter]| -> Result<Box<[Self]>, UnknownColumn> {
            let bound = parts.iter().map(|part| Self::bind(part, header, reading, columns));
            let mut nodes = bound.collect::<Result<Vec<_>, _>>()?;
            nodes.sort_by_key(Self::cost);
            Ok(nodes.into_boxed_slice())
        };
        Ok(match filter {
            Filter::And(parts) => Self::All(all(parts)?),
            Filter::Or(parts) => Self::Any(all(parts)?),
            Filter::Not(inner) => Self::Not(Box::new(Self::bind(inner, header, reading, columns)?)),
            Filter::Condition(condition) => {
                let column = header.resolve(&condition.column)?;
                columns.push(column);
                let matcher = CellMatcher::new(&condition.comparison, reading);
                let range = matcher.range();
                Self::Condition { column, range, matcher, incomparable: Incomparable::default() }
            }
            Filter::AnyContains(text) => {
                columns.extend(0..header.len());
                let finder = Box::new(Finder::new(&fold(text)).into_owned());
                Self::AnyContains { columns: header.len(), finder }
            }
        })
    }

    /// Returns the estimated cost of the evaluation. The cheap parts of an `and` or `or` are evaluated first. The order
    /// never changes the result.
    fn cost(&self) -> u32 {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(Self::cost).fold(0, u32::saturating_add),
            Self::Not(inner) => inner.cost(),
            Self::Condition { matcher, .. } => matcher.cost(),
            Self::AnyContains { columns, .. } => {
                u32::try_from(*columns).unwrap_or(u32::MAX).saturating_mul(CONTAINS_COST)
            }
        }
    }

    fn incomparable(&self) -> u64 {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(Self::incomparable).sum(),
            Self::Not(inner) => inner.incomparable(),
            Self::Condition { incomparable, .. } => incomparable.count(),
            Self::AnyContains { .. } => 0,
        }
    }

    /// Does the same as [`Self::matches`]. Takes the record by value, so that the caller need not keep the record in
    /// memory.
    #[inline(never)]
    fn matches_row(&self, record: impl Cells) -> bool {
        self.matches(&record)
    }

    fn matches(&self, record: &impl Cells) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(record)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(record)),
            Self::Not(inner) => !inner.matches(record),
            Self::Condition { column, matcher, range, incomparable } => {
                let short = range.as_ref().and_then(|range| range.contains(record.short_cell(*column)?));
                short.unwrap_or_else(|| matcher.matches(record.cell(*column), incomparable))
            }
            Self::AnyContains { columns, finder } => (0..*columns)
                .any(|column| with_folded(record.cell(column), |cell| finder.find(cell).is_some())),
        }
    }
}

/// Estimated cost of `CONTAINS` for one cell.
const CONTAINS_COST: u32 = 15;

impl CellMatcher {
    fn new(comparison: &Comparison, reading: OperandReading) -> Self {
        match comparison {
            Comparison::IsEmpty => Self::Empty,
            Comparison::Equals(text) => Self::Equals(text.as_bytes().into()),
            Comparison::EqualsIgnoringCase(text) => Self::EqualsFolded(fold(text)),
            Comparison::EqualsNumber(number) => {
                NumberBound::parse(number).map_or(Self::Nothing, Self::EqualsNumber)
            }
            Comparison::On(day) => match Instant::parse_day(day.as_bytes()) {
                Some((first, last)) => Self::Between(Bound::Date(first), Bound::Date(last)),
                None => Self::Nothing,
            },
            Comparison::In(texts) => Self::OneOf(sorted(texts.iter().map(|text| text.as_bytes().into()))),
            Comparison::InIgnoringCase(texts) => {
                Self::OneOfFolded(sorted(texts.iter().map(|text| fold(text))))
            }
            Comparison::Compares(relation, operand) => {
                let edge = match relation {
                    Relation::Greater | Relation::LessOrEqual => DayEdge::Last,
                    Relation::GreaterOrEqual | Relation::Less => DayEdge::First,
                };
                Self::Compares(*relation, Bound::new(operand, edge, reading))
            }
            Comparison::Between(low, high) => {
                let (low, high) = Bound::pair(low, high, reading);
                Self::Between(low, high)
            }
            Comparison::StartsWith(text) => Self::StartsWith(fold(text)),
            Comparison::EndsWith(text) => Self::EndsWith(fold(text)),
            Comparison::Contains(text) => Self::Contains(Box::new(Finder::new(&fold(text)).into_owned())),
            Comparison::Like(pattern) => Self::Like(Box::new(Like::new(pattern))),
            Comparison::Regex(pattern) => {
                compile_regex(pattern).map_or(Self::Nothing, |regex| Self::Regex(Box::new(regex)))
            }
        }
    }

    fn range(&self) -> Option<Box<NumberRange>> {
        match self {
            Self::Compares(relation, Bound::Number(bound)) => {
                Some(Box::new(NumberRange::from_relation(*relation, bound)))
            }
            Self::Between(Bound::Number(low), Bound::Number(high)) => {
                Some(Box::new(NumberRange::between(low, high)))
            }
            Self::EqualsNumber(number) => Some(Box::new(NumberRange::between(number, number))),
            Self::Compares(..) | Self::Between(..) => None,
            Self::Empty | Self::Equals(_) | Self::OneOf(_) => None,
            Self::EqualsFolded(_) | Self::OneOfFolded(_) | Self::Regex(_) | Self::Nothing => None,
            Self::StartsWith(_) | Self::EndsWith(_) | Self::Contains(_) | Self::Like(_) => None,
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Empty => 1,
            Self::Equals(_) => 2,
            Self::EqualsNumber(_) => 3,
            Self::Compares(_, bound) => bound.cost(),
            Self::Between(low, high) => low.cost() + high.cost(),
            Self::OneOf(_) => 5,
            Self::StartsWith(_) | Self::EndsWith(_) | Self::EqualsFolded(_) => 10,
            Self::OneOfFolded(_) => 13,
            Self::Contains(_) => CONTAINS_COST,
            Self::Like(_) => 20,
            Self::Regex(_) => 40,
        }
    }

    #[inline]
    fn matches(&self, cell: &[u8], incomparable: &Incomparable) -> bool {
        // A cell that cannot be compared with the operand is counted and does not match.
        let holds = |order: Option<Ordering>, holds: fn(Ordering) -> bool| {
            order.map_or_else(
                || {
                    incomparable.add(cell);
                    false
                },
                holds,
            )
        };
        match self {
            Self::Nothing => false,
            Self::Empty => cell.is_empty(),
            Self::Equals(text) => cell == text.as_ref(),
            Self::OneOf(texts) => texts.binary_search_by(|text| text.as_ref().cmp(cell)).is_ok(),
            Self::Compares(relation, bound) => match bound.compare(cell) {
                Some(order) => relation.holds(order),
                None => holds(None, Ordering::is_eq),
            },
            Self::Between(low, high) => {
                holds(low.compare(cell), Ordering::is_ge) && holds(high.compare(cell), Ordering::is_le)
            }
            Self::EqualsNumber(number) => holds(number.compare(cell), Ordering::is_eq),
            Self::EqualsFolded(text) => with_folded(cell, |cell| cell == text.as_ref()),
            Self::OneOfFolded(texts) => {
                with_folded(cell, |cell| texts.binary_search_by(|text| text.as_ref().cmp(cell)).is_ok())
            }
            Self::StartsWith(text) => with_folded(cell, |cell| cell.starts_with(text)),
            Self::EndsWith(text) => with_folded(cell, |cell| cell.ends_with(text)),
            Self::Contains(finder) => with_folded(cell, |cell| finder.find(cell).is_some()),
            Self::Like(pattern) => with_folded(cell, |cell| pattern.matches(cell)),
            Self::Regex(regex) => regex.is_match(cell),
        }
    }
}

/// Returns the texts sorted by their bytes, without duplicates.
fn sorted(texts: impl Iterator<Item = Box<[u8]>>) -> Box<[Box<[u8]>]> {
    let mut texts: Vec<Box<[u8]>> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into_boxed_slice()
}

/// Which instant of the day an operand without a time stands for.
#[derive(Debug, Clone, Copy)]
enum DayEdge {
    First,
    Last,
}

impl Bound {
    fn new(operand: &str, edge: DayEdge, reading: OperandReading) -> Self {
        match reading {
            OperandReading::Text => Self::text(operand),
            OperandReading::ByForm => {
                let bound = Self::number(operand).or_else(|| Self::date(operand, edge));
                bound.unwrap_or_else(|| Self::text(operand))
            }
        }
    }

    /// Parses both operands as numbers if possible, else both as dates if possible, else both as text.
    fn pair(low: &str, high: &str, reading: OperandReading) -> (Self, Self) {
        let texts = || (Self::text(low), Self::text(high));
        if reading == OperandReading::Text {
            return texts();
        }
        let numbers = Self::number(low).zip(Self::number(high));
        let dates = || Self::date(low, DayEdge::First).zip(Self::date(high, DayEdge::Last));
        numbers.or_else(dates).unwrap_or_else(texts)
    }

    fn number(operand: &str) -> Option<Self> {
        NumberBound::parse(operand).map(Self::Number)
    }

    fn date(operand: &str, edge: DayEdge) -> Option<Self> {
        let instant = match (Instant::parse_day(operand.as_bytes()), edge) {
            (Some((first, _)), DayEdge::First) => first,
            (Some((_, last)), DayEdge::Last) => last,
            (None, _) => Instant::parse(operand.as_bytes())?,
        };
        Some(Self::Date(instant))
    }

    fn text(operand: &str) -> Self {
        Self::Text(operand.as_bytes().into())
    }

    fn cost(&self) -> u32 {
        match self {
            Self::Text(_) => 2,
            Self::Number(_) => 3,
            Self::Date(_) => 4,
        }
    }

    /// Compares `cell` with this bound; `None` if the cell is of another kind.
    #[inline]
    fn compare(&self, cell: &[u8]) -> Option<Ordering> {
        match self {
            Self::Number(bound) => bound.compare(cell),
            Self::Date(bound) => Some(Instant::parse(cell)?.cmp(bound)),
            Self::Text(bound) => Some(cell.cmp(bound)),
        }
    }
}

impl Relation {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}
