//! Filters: three ways to write one, one tree, one predicate over the cells of a record.
//!
//! * [`expression`]: text per column, `{"age": ">= 30"}`;
//! * [`query`]: pairs of a query string, `age__gte=30`;
//! * [`tree`]: JSON, `{"and": [{"column": "age", "op": "gte", "value": 30}, …]}`.
//!
//! What a test means is the same in all three; [`Operator`] says it for each operator. `NOT` is the plain
//! complement: a record matches exactly when it did not before.
//!
//! A filter is parsed once, bound to a header once ([`Filter::compile`]) and then evaluated without
//! allocating, on bytes that need not be valid UTF-8.

pub mod expression;
pub mod query;
pub mod tree;

mod builder;
mod fold;
mod instant;
mod like;
mod list;
mod number;
mod operator;
mod predicate;

#[cfg(test)]
pub(in crate::csv) mod tests;

pub use builder::FilterBuilder;
pub(in crate::csv) use instant::Instant;
pub(in crate::csv) use list::parse_list;
pub(in crate::csv) use number::{nearest_double, trim};
pub use operator::{Arity, Condition, MAX_LIST_VALUES, MAX_PATTERN_BYTES, Operator, Relation};
pub use predicate::Predicate;
pub(in crate::csv) use predicate::zones::{Span, Spans, ZoneOutcome};

/// Tests in one filter, at most: with the columns they read they bound what a record costs.
pub const MAX_TESTS: usize = 64;
/// Levels of a filter tree, at most. People write two or three; the bound keeps recursion shallow.
pub const MAX_DEPTH: usize = 32;

/// A filter as parsed, its columns still by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every one must match; none at all means every record does.
    And(Vec<Filter>),
    /// At least one must match.
    Or(Vec<Filter>),
    /// The complement of what it holds.
    Not(Box<Filter>),
    /// One test of one column.
    Test(Test),
}

/// One test of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The column as the client refers to it.
    pub column: String,
    /// What its cell must be.
    pub condition: Condition,
}

/// A filter that does not say what it means, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FilterError {
    /// Which part of the request.
    pub place: RequestPlace,
    /// Where in that part's text, in characters (Unicode scalar values) from 0; `None` in a tree, whose
    /// place says it all.
    pub position: Option<usize>,
    /// What is wrong and what to do about it, as a sentence.
    pub detail: String,
}

/// The part of a request that a filter error speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestPlace {
    /// The expression given for this column.
    Column(String),
    /// The query parameter of this name.
    Parameter(String),
    /// The JSON value at this pointer (RFC 6901).
    Pointer(String),
    /// The filter as a whole.
    Whole,
}

impl FilterError {
    /// The code of the problem document that reports it.
    pub const CODE: &'static str = "bad_filter";

    fn whole(detail: String) -> Self {
        Self { place: RequestPlace::Whole, position: None, detail }
    }
}

impl Filter {
    /// The test of `column` that `operator` makes with `values`.
    ///
    /// # Errors
    /// A sentence when the values are too many, too few, empty where text is needed, or too long.
    pub(in crate::csv) fn test(
        column: &str,
        operator: Operator,
        values: Vec<String>,
    ) -> Result<Self, String> {
        let condition = operator.condition(values)?;
        let test = Self::Test(Test { column: column.to_owned(), condition });
        Ok(if operator.positive().is_some() { test.complement() } else { test })
    }

    /// The negative operator that writes the complement of this in one word, and the test it negates; `None` if
    /// this is no test or has none.
    fn negative(&self) -> Option<(Operator, &Test)> {
        let Self::Test(test) = self else { return None };
        Some((test.condition.operator().negative()?, test))
    }

    /// The complement. Two of them cancel out, so a tree never holds one directly inside another.
    #[must_use]
    pub fn complement(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// How many tests it holds.
    pub fn test_count(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::test_count).sum(),
            Self::Not(inner) => inner.test_count(),
            Self::Test(_) => 1,
        }
    }

    /// How many levels its JSON form has: one for a test, negative operators included.
    pub fn depth(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(inner) if inner.negative().is_some() => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::Test(_) => 1,
        }
    }
}
