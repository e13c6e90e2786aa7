//! Filters: three ways to write one, one tree, one predicate over the cells of a record.
//!
//! * [`expression`]: text per column, `{"age": ">= 30"}`;
//! * [`query`]: pairs of a query string, `age__gte=30`;
//! * [`tree`]: JSON, `{"and": [{"column": "age", "op": "gte", "value": 30}, …]}`.
//!
//! What a test means is the same in all three:
//!
//! * `=`, `!=` and `IN` compare text exactly, byte for byte; `IS EMPTY` means no bytes at all.
//! * `>`, `>=`, `<`, `<=` and `BETWEEN` compare numbers when the operand is a number, instants when it is
//!   an ISO 8601 date, and otherwise text in the order of its bytes. `BETWEEN` is inclusive, and compares
//!   numbers or dates only when both its operands are such. A cell of another kind than the operand does
//!   not match.
//! * `CONTAINS`, `LIKE`, `startswith` and `endswith` ignore case: characters are compared by Unicode's
//!   simple, one to one case mappings (`É` = `é`, `Σ` = `ς`; `ß` is not `ss`). `LIKE` knows `%` (any text), `_`
//!   (one character) and `\%`, `\_`, `\\` for those characters themselves.
//! * `NOT` is the plain complement: a record matches exactly when it did not before. `!=`, `ncontains`,
//!   `notin` and `notempty` are the complements of their positive forms.
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
pub use operator::Operator;
pub use predicate::Predicate;
pub(in crate::csv) use predicate::zones::{Outcome, Span, Spans};

use super::open::header::{Header, UnknownColumn};

/// Tests in one filter, at most: with the columns they read they bound what a record costs.
pub const MAX_TESTS: usize = 64;
/// Levels of a filter tree, at most. People write two or three; the bound keeps recursion shallow.
pub const MAX_DEPTH: usize = 32;
/// Values in one `IN` list, at most.
pub const MAX_LIST_VALUES: usize = 10_000;
/// Bytes in the pattern of `CONTAINS`, `LIKE`, `startswith` and `endswith`, at most. `LIKE` with `_`
/// takes at most cell × pattern steps.
pub const MAX_PATTERN_BYTES: usize = 1_024;

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

/// What a cell is asked to be. Negative operators are [`Filter::Not`] of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Exactly this text.
    Equals(String),
    /// Before or after a number, an instant or a text.
    Compares(Relation, String),
    /// Holds this text, whatever its case.
    Contains(String),
    /// Begins with this text, whatever its case.
    StartsWith(String),
    /// Ends with this text, whatever its case.
    EndsWith(String),
    /// Fits a pattern of `%` (any text) and `_` (one character), whatever its case.
    Like(String),
    /// Exactly one of these texts.
    In(Vec<String>),
    /// From the first to the second, both included.
    Between(String, String),
    /// No bytes at all.
    IsEmpty,
}

/// Where a cell must lie relative to an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// A filter that does not say what it means, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FilterError {
    /// Which part of the request.
    pub place: Place,
    /// Where in that part's text, in characters (Unicode scalar values) from 0; `None` in a tree, whose
    /// place says it all.
    pub position: Option<usize>,
    /// What is wrong and what to do about it, as a sentence.
    pub detail: String,
}

/// The part of a request that a filter error speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
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
        Self { place: Place::Whole, position: None, detail }
    }
}

impl Filter {
    /// Binds the filter's columns to positions.
    ///
    /// # Errors
    /// [`UnknownColumn`] for a column the header does not have.
    pub fn compile(&self, header: &Header) -> Result<Predicate, UnknownColumn> {
        Predicate::bind(self, header)
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
            Self::Not(inner) if Operator::negative_of(inner).is_some() => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::Test(_) => 1,
        }
    }
}
