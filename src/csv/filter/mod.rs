//! Filters of rows. A request can write a filter in four forms:
//!
//! * [`expression`]: one text per column, `{"age": ">= 30"}`;
//! * [`query`]: pairs of a query string, `age__gte=30`;
//! * [`text`]: one text for the whole filter, `age >= 30 AND city = Bern`;
//! * [`tree`]: JSON, `{"and": [{"column": "age", "op": "gte", "value": 30}, …]}`.
//!
//! A condition means the same in all four forms, and each operator has the same name in all four forms. [`Operator`]
//! documents each operator. `NOT` is the plain complement: the negated filter matches exactly the records that the
//! filter does not match.
//!
//! Each form is parsed to the same tree of conditions, a [`Filter`]. [`Filter::compile`] binds the filter to a header
//! once. The result is a [`Predicate`], which is evaluated for each record. The evaluation allocates nothing and works
//! on bytes that need not be valid UTF-8.

pub mod expression;
pub mod query;
pub mod text;
pub mod tree;

mod builder;
mod fold;
mod instant;
mod lexer;
mod like;
mod list;
mod number;
mod operator;
mod predicate;
mod relation;

#[cfg(test)]
pub(in crate::csv) mod tests;

pub use builder::FilterBuilder;
pub(in crate::csv) use instant::Instant;
pub(in crate::csv) use list::parse_list;
pub(in crate::csv) use number::{compare_numbers, nearest_double, trim};
pub use operator::{Arity, Comparison, MAX_LIST_VALUES, MAX_PATTERN_BYTES, MAX_REGEX_BYTES, Operator};
pub(in crate::csv) use predicate::zones::{Span, Spans, ZoneOutcome};
pub use predicate::{OperandReading, Predicate};
pub use relation::Relation;

/// Maximum number of conditions in one filter. It bounds the cost of evaluating a filter for one record.
pub const MAX_CONDITIONS: usize = 64;
/// Maximum number of levels of a filter tree. It bounds the recursion. Most filters have two or three levels.
pub const MAX_DEPTH: usize = 32;
/// Maximum number of regular expressions in one filter. It bounds the memory of a filter.
pub const MAX_REGEXES: usize = 3;

/// A parsed filter whose columns are still names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All parts must match. Without parts, every record matches.
    And(Vec<Filter>),
    /// At least one part must match.
    Or(Vec<Filter>),
    /// The complement of the inner filter.
    Not(Box<Filter>),
    /// A single condition.
    Condition(Condition),
    /// At least one column of the file contains this text, ignoring case.
    AnyContains(String),
}

/// A condition: a column and the comparison that its cell must pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column, as the client refers to it.
    pub column: String,
    /// Operator and operands.
    pub comparison: Comparison,
}

/// An invalid filter. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FilterError {
    /// The part of the request that is wrong.
    pub place: FilterLocation,
    /// Position of the error in the text at `place`, in characters (Unicode scalar values) from 0. `None` if no
    /// position is known. For example, an error in a tree has no position, because `place` already points to the wrong
    /// value.
    pub position: Option<usize>,
    /// One or more sentences: what is wrong and what to do next.
    pub detail: String,
}

/// The part of a request that a [`FilterError`] refers to. Its text is the member `where` of a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterLocation {
    /// The expression for this column.
    #[error("the expression for {0}")]
    Column(String),
    /// The query parameter of this name.
    #[error("the parameter {0}")]
    Parameter(String),
    /// The JSON value at this pointer (RFC 6901).
    #[error("{0}")]
    Pointer(String),
    /// The whole filter.
    #[error("the filter")]
    Whole,
}

impl FilterError {
    /// The `code` of the problem for this error.
    pub const CODE: &'static str = "bad_filter";

    fn whole(detail: String) -> Self {
        Self { place: FilterLocation::Whole, position: None, detail }
    }
}

impl Filter {
    /// Returns the filter that keeps the rows in which at least one column contains `text`, ignoring case.
    ///
    /// # Errors
    /// A message for the client, if `text` is empty or too long.
    pub(in crate::csv) fn any_contains(text: String) -> Result<Self, String> {
        operator::pattern(text).map(Self::AnyContains)
    }

    /// Returns the filter that applies `operator` with `values` to `column`. If `operator` is positive, the filter is a
    /// condition. If `operator` is negative, the filter is the complement of the condition with the positive operator.
    ///
    /// # Errors
    /// A message for the client, if `values` has too many or too few values, a value that is too long, or an empty
    /// value where text is required.
    pub(in crate::csv) fn condition(
        column: &str,
        operator: Operator,
        values: Vec<String>,
    ) -> Result<Self, String> {
        let comparison = operator.comparison(values)?;
        let condition = Self::Condition(Condition { column: column.to_owned(), comparison });
        Ok(if operator.positive().is_some() { condition.complement() } else { condition })
    }

    /// If this filter is a condition and a negative operator negates the operator of the condition, returns the
    /// negative operator and the condition. Otherwise returns `None`.
    fn negative(&self) -> Option<(Operator, &Condition)> {
        let Self::Condition(condition) = self else { return None };
        Some((condition.comparison.operator().negative()?, condition))
    }

    /// Returns the complement. Two complements cancel out, so a tree never contains `Not` directly inside `Not`.
    #[must_use]
    pub fn complement(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Returns the number of conditions.
    pub fn condition_count(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::condition_count).sum(),
            Self::Not(inner) => inner.condition_count(),
            Self::Condition(_) | Self::AnyContains(_) => 1,
        }
    }

    /// Returns the number of regular expressions.
    pub fn regex_count(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::regex_count).sum(),
            Self::Not(inner) => inner.regex_count(),
            Self::Condition(condition) => usize::from(condition.comparison.operator() == Operator::Regex),
            Self::AnyContains(_) => 0,
        }
    }

    /// Calls `visit` for each condition, until `visit` returns an error.
    ///
    /// # Errors
    /// The error of `visit`.
    pub(in crate::csv) fn try_for_each<E>(
        &self,
        visit: &mut impl FnMut(&Condition) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().try_for_each(|part| part.try_for_each(visit)),
            Self::Not(inner) => inner.try_for_each(visit),
            Self::Condition(condition) => visit(condition),
            Self::AnyContains(_) => Ok(()),
        }
    }

    /// Calls `visit` for each condition.
    pub(in crate::csv) fn for_each<'a>(&'a self, visit: &mut impl FnMut(&'a Condition)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.for_each(visit)),
            Self::Not(inner) => inner.for_each(visit),
            Self::Condition(condition) => visit(condition),
            Self::AnyContains(_) => {}
        }
    }

    /// Returns the number of levels of the JSON form. A condition has one level, even if its operator is negative.
    pub fn depth(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(inner) if inner.negative().is_some() => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::Condition(_) | Self::AnyContains(_) => 1,
        }
    }
}
