//! The table that declares each operator, and [`Comparison`], an operator with its values.
//!
//! `docs/howto/operator.md` describes how to add an operator. The doc comments in the table define which cells an
//! operator keeps; `predicate.rs` implements these definitions.

use Syntax::{Is, Keyword, Signs, Unwritten};
use regex::bytes::{Regex, RegexBuilder};

use super::instant::Instant;
use super::number::NumberBound;
use super::relation::Relation;

/// Maximum number of values in one `IN` list.
pub const MAX_LIST_VALUES: usize = 10_000;
/// Maximum length of a text to look for (`CONTAINS`, `LIKE` and similar), in bytes. `LIKE` with `_` takes at most
/// cell length × pattern length steps.
pub const MAX_PATTERN_BYTES: usize = 1_024;
/// Maximum size of a compiled regular expression, in bytes.
pub const MAX_REGEX_BYTES: usize = 128 << 10;
/// Maximum size of the cache of a regular expression, in bytes. A search stores states of its automaton in this cache.
/// The states of the largest expressions fit into it. If they did not fit, a search would take up to cell length × compiled
/// size steps.
const REGEX_CACHE_BYTES: usize = 3 << 20;
/// Maximum number of nested groups in a regular expression.
const MAX_REGEX_NESTING: u32 = 32;

/// The number of values that an operator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// No value.
    None,
    /// One value.
    One,
    /// Two values.
    Two,
    /// A list of one or more values.
    Many,
}

/// How an expression writes an operator. `NOT` before an expression negates the expression. `IS NOT` negates `IS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// One of these signs, then the value.
    Signs(&'static [&'static str]),
    /// This word, then the values. The arity decides how the values are written: `a`, `a AND b`, `(a, b, …)`, or not at
    /// all.
    Keyword(&'static str),
    /// `IS` and this word; no value. The name of the operator is a keyword too.
    Is(&'static str),
    /// The operator has no sign and no word of its own. Its name is its keyword.
    Unwritten,
}

macro_rules! operators {
    ($(
        $(#[$doc:meta])+
        $operator:ident = $name:literal, $arity:ident, $syntax:expr $(, negates $positive:ident)?;
    )+) => {
        /// An operator of a condition.
        ///
        /// A number matches `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`. A date has one of the common ISO 8601 forms.
        /// Spaces and tabs around a number or a date are ignored. An operator that orders cells reads its value as a
        /// number if possible, else as a date if possible, else as text. If the value is a number or a date, cells of
        /// another kind do not match. If the value is text, all cells are compared with it as text, by their bytes.
        ///
        /// A value that is a date without a time is the whole day in UTC: `gt` keeps only instants after this day.
        /// `lte` and the upper value of `between` also keep the instants of this day.
        ///
        /// If an operator ignores case, characters are compared by Unicode's simple (one to one) case mappings: `É`
        /// equals `é`, and `Σ` equals `ς`, but `ß` does not equal `ss`.
        ///
        /// A negative operator is the plain complement: it keeps a row exactly if its positive operator
        /// does not keep the row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operator { $($(#[$doc])+ $operator,)+ }

        impl Operator {
            /// Every operator, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$operator),+];

            /// Returns the name in queries and trees.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$operator => $name,)+ }
            }

            /// Returns the number of values that the operator takes.
            pub const fn arity(self) -> Arity {
                match self { $(Self::$operator => Arity::$arity,)+ }
            }

            /// Returns the syntax in expressions.
            pub(super) const fn syntax(self) -> Syntax {
                match self { $(Self::$operator => $syntax,)+ }
            }

            /// Returns the positive operator that this operator negates; `None` if this operator is positive.
            pub(super) const fn positive(self) -> Option<Self> {
                match self { $(Self::$operator => operators!(@option $(Self::$positive)?),)+ }
            }
        }
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
}

// Messages list names, signs and keywords in the order of this table.
operators! {
    /// The cell is exactly this text, byte for byte.
    Equal          = "eq",         One,  Signs(&["=", "=="]);
    /// The cell is not exactly this text.
    NotEqual       = "ne",         One,  Signs(&["!=", "<>"]), negates Equal;
    /// The cell is greater than the value: a greater number, a later instant, or a text that comes later in the order
    /// of bytes.
    Greater        = "gt",         One,  Signs(&[">"]);
    /// The cell is greater than the value or equal to it.
    GreaterOrEqual = "gte",        One,  Signs(&[">="]);
    /// The cell is less than the value.
    Less           = "lt",         One,  Signs(&["<"]);
    /// The cell is less than the value or equal to it.
    LessOrEqual    = "lte",        One,  Signs(&["<="]);
    /// The cell equals this text, ignoring case.
    EqualIgnoringCase = "ieq",     One,  Keyword("IEQ");
    /// The cell does not equal this text, ignoring case.
    NotEqualIgnoringCase = "ine",  One,  Unwritten, negates EqualIgnoringCase;
    /// The cell is a number that equals this number: `5.00` equals `5`.
    NumberEqual    = "numeq",      One,  Keyword("NUMEQ");
    /// The cell is not a number, or it is a number that does not equal this number.
    NotNumberEqual = "numne",      One,  Unwritten, negates NumberEqual;
    /// The cell is a date, and it is within this day in UTC. The value has no time.
    On             = "on",         One,  Keyword("ON");
    /// The cell is not a date, or it is a date outside this day in UTC.
    NotOn          = "noton",      One,  Unwritten, negates On;
    /// The cell contains this text, ignoring case.
    Contains       = "contains",   One,  Keyword("CONTAINS");
    /// The cell does not contain this text, ignoring case.
    NotContains    = "ncontains",  One,  Unwritten, negates Contains;
    /// The cell begins with this text, ignoring case.
    StartsWith     = "startswith", One,  Keyword("STARTSWITH");
    /// The cell does not begin with this text, ignoring case.
    NotStartsWith  = "nstartswith", One, Unwritten, negates StartsWith;
    /// The cell ends with this text, ignoring case.
    EndsWith       = "endswith",   One,  Keyword("ENDSWITH");
    /// The cell does not end with this text, ignoring case.
    NotEndsWith    = "nendswith",  One,  Unwritten, negates EndsWith;
    /// The whole cell matches this pattern, ignoring case. `%` matches any text, even the empty text; `_` matches one
    /// character; `\%`, `\_` and `\\` match the characters `%`, `_` and `\`. A byte that is not part of valid UTF-8 is
    /// one character.
    Like           = "like",       One,  Keyword("LIKE");
    /// The cell does not match this pattern.
    NotLike        = "nlike",      One,  Unwritten, negates Like;
    /// A part of the cell matches this regular expression, in the syntax of the `regex` crate. Upper and lower case
    /// differ, unless the expression begins with `(?i)`. A search takes linear time.
    Regex          = "regex",      One,  Keyword("REGEX");
    /// No part of the cell matches this regular expression.
    NotRegex       = "nregex",     One,  Unwritten, negates Regex;
    /// The cell equals one of these texts, byte for byte.
    In             = "in",         Many, Keyword("IN");
    /// The cell equals none of these texts.
    NotIn          = "notin",      Many, Unwritten, negates In;
    /// The cell equals one of these texts, ignoring case.
    InIgnoringCase = "iin",        Many, Keyword("IIN");
    /// The cell equals none of these texts, ignoring case.
    NotInIgnoringCase = "notiin",  Many, Unwritten, negates InIgnoringCase;
    /// The cell is between the two values, or equal to one of them. If possible, both values are read as numbers, else
    /// both as dates, else both as text.
    Between        = "between",    Two,  Keyword("BETWEEN");
    /// The cell is not between the two values.
    NotBetween     = "notbetween", Two,  Unwritten, negates Between;
    /// The cell has no bytes.
    IsEmpty        = "isempty",    None, Is("EMPTY");
    /// The cell has at least one byte.
    NotEmpty       = "notempty",   None, Unwritten, negates IsEmpty;
}

/// A positive operator with its values. A negative operator becomes a comparison inside [`super::Filter::Not`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// [`Operator::Equal`]
    Equals(String),
    /// [`Operator::Greater`], [`Operator::GreaterOrEqual`], [`Operator::Less`] or [`Operator::LessOrEqual`]
    Compares(Relation, String),
    /// [`Operator::EqualIgnoringCase`]
    EqualsIgnoringCase(String),
    /// [`Operator::NumberEqual`]
    EqualsNumber(String),
    /// [`Operator::On`]
    On(String),
    /// [`Operator::Contains`]
    Contains(String),
    /// [`Operator::StartsWith`]
    StartsWith(String),
    /// [`Operator::EndsWith`]
    EndsWith(String),
    /// [`Operator::Like`]
    Like(String),
    /// [`Operator::Regex`]
    Regex(String),
    /// [`Operator::In`]
    In(Vec<String>),
    /// [`Operator::InIgnoringCase`]
    InIgnoringCase(Vec<String>),
    /// [`Operator::Between`]
    Between(String, String),
    /// [`Operator::IsEmpty`]
    IsEmpty,
}

impl Operator {
    /// Creates the comparison that consists of this operator and `values`. If this operator is negative, the comparison
    /// has the positive operator that it negates.
    ///
    /// # Errors
    /// A message for the client, if `values` has too many or too few values, a value that is too long, an empty value
    /// where text is required, or a value that is not of the form that the operator needs.
    pub(super) fn comparison(self, values: Vec<String>) -> Result<Comparison, String> {
        Ok(match self {
            Self::Equal | Self::NotEqual => Comparison::Equals(one(values)?),
            Self::Greater => Comparison::Compares(Relation::Greater, operand(one(values)?)?),
            Self::GreaterOrEqual => Comparison::Compares(Relation::GreaterOrEqual, operand(one(values)?)?),
            Self::Less => Comparison::Compares(Relation::Less, operand(one(values)?)?),
            Self::LessOrEqual => Comparison::Compares(Relation::LessOrEqual, operand(one(values)?)?),
            Self::EqualIgnoringCase | Self::NotEqualIgnoringCase => {
                Comparison::EqualsIgnoringCase(one(values)?)
            }
            Self::NumberEqual | Self::NotNumberEqual => Comparison::EqualsNumber(number(one(values)?)?),
            Self::On | Self::NotOn => Comparison::On(day(one(values)?)?),
            Self::Contains | Self::NotContains => Comparison::Contains(pattern(one(values)?)?),
            Self::StartsWith | Self::NotStartsWith => Comparison::StartsWith(pattern(one(values)?)?),
            Self::EndsWith | Self::NotEndsWith => Comparison::EndsWith(pattern(one(values)?)?),
            Self::Like | Self::NotLike => Comparison::Like(pattern(one(values)?)?),
            Self::Regex | Self::NotRegex => Comparison::Regex(regex_text(pattern(one(values)?)?)?),
            Self::In | Self::NotIn => Comparison::In(list(values)?),
            Self::InIgnoringCase | Self::NotInIgnoringCase => Comparison::InIgnoringCase(list(values)?),
            Self::Between | Self::NotBetween => {
                let [low, high] = exactly(values, "two values")?;
                Comparison::Between(operand(low)?, operand(high)?)
            }
            Self::IsEmpty | Self::NotEmpty => {
                let [] = exactly(values, "no value")?;
                Comparison::IsEmpty
            }
        })
    }

    /// Returns the negative operator that negates this operator; `None` if no operator negates this operator.
    pub(super) fn negative(self) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.positive() == Some(self))
    }

    /// Finds an operator by its name, ignoring case. `isnull` and `notnull` are other names of `isempty` and
    /// `notempty`.
    pub fn from_name(name: &str) -> Option<Self> {
        let other = [("isnull", Self::IsEmpty), ("notnull", Self::NotEmpty)];
        let names = Self::ALL.iter().map(|&operator| (operator.name(), operator)).chain(other);
        names.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, operator)| operator)
    }

    /// Finds an operator by its sign.
    pub(super) fn from_sign(sign: &str) -> Option<Self> {
        Self::signs().find(|(_, known)| *known == sign).map(|(operator, _)| operator)
    }

    /// Returns every sign with its operator.
    pub(super) fn signs() -> impl Iterator<Item = (Self, &'static str)> {
        let signs = |operator: &Self| match operator.syntax() {
            Signs(signs) => signs,
            Keyword(_) | Is(_) | Unwritten => &[],
        };
        Self::ALL.iter().flat_map(move |operator| signs(operator).iter().map(|sign| (*operator, *sign)))
    }

    /// Returns all names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.iter().map(|operator| operator.name()).collect::<Vec<_>>().join(" ")
    }

    /// Returns all signs, for messages.
    pub(super) fn sign_names() -> String {
        Self::signs().map(|(_, sign)| sign).collect::<Vec<_>>().join(" ")
    }
}

impl Comparison {
    /// Returns the positive operator of this comparison.
    pub fn operator(&self) -> Operator {
        match self {
            Self::Equals(_) => Operator::Equal,
            Self::Compares(Relation::Greater, _) => Operator::Greater,
            Self::Compares(Relation::GreaterOrEqual, _) => Operator::GreaterOrEqual,
            Self::Compares(Relation::Less, _) => Operator::Less,
            Self::Compares(Relation::LessOrEqual, _) => Operator::LessOrEqual,
            Self::EqualsIgnoringCase(_) => Operator::EqualIgnoringCase,
            Self::EqualsNumber(_) => Operator::NumberEqual,
            Self::On(_) => Operator::On,
            Self::Contains(_) => Operator::Contains,
            Self::StartsWith(_) => Operator::StartsWith,
            Self::EndsWith(_) => Operator::EndsWith,
            Self::Like(_) => Operator::Like,
            Self::Regex(_) => Operator::Regex,
            Self::In(_) => Operator::In,
            Self::InIgnoringCase(_) => Operator::InIgnoringCase,
            Self::Between(..) => Operator::Between,
            Self::IsEmpty => Operator::IsEmpty,
        }
    }

    /// Returns the values, in the order in which the client gives them.
    pub fn values(&self) -> Vec<&str> {
        match self {
            Self::IsEmpty => Vec::new(),
            Self::Equals(value)
            | Self::Compares(_, value)
            | Self::EqualsIgnoringCase(value)
            | Self::EqualsNumber(value)
            | Self::On(value)
            | Self::Contains(value)
            | Self::StartsWith(value)
            | Self::EndsWith(value)
            | Self::Like(value)
            | Self::Regex(value) => vec![value],
            Self::Between(low, high) => vec![low, high],
            Self::In(values) | Self::InIgnoringCase(values) => values.iter().map(String::as_str).collect(),
        }
    }
}

fn one(values: Vec<String>) -> Result<String, String> {
    let [value] = exactly(values, "one value")?;
    Ok(value)
}

fn exactly<const N: usize>(values: Vec<String>, wanted: &str) -> Result<[String; N], String> {
    <[String; N]>::try_from(values).map_err(|given| format!("Give {wanted}, not {}.", given.len()))
}

/// Refuses an empty operand, which usually comes from a blank form field. No text is less than the empty text, so `>=`
/// would keep every row.
fn operand(value: String) -> Result<String, String> {
    if value.is_empty() {
        return Err("Give a value to compare with. To find empty cells, use isempty or notempty \
                    (IS EMPTY, IS NOT EMPTY)."
            .to_owned());
    }
    Ok(value)
}

fn number(value: String) -> Result<String, String> {
    match NumberBound::parse(&value) {
        Some(_) => Ok(value),
        None => Err("Give a number, such as 5 or -1.50. To compare text, use eq (=).".to_owned()),
    }
}

fn day(value: String) -> Result<String, String> {
    match Instant::parse_day(value.as_bytes()) {
        Some(_) => Ok(value),
        None => Err("Give a day as YYYY-MM-DD, such as 2024-05-01. To compare with a time, use gte and lt (>= and <)."
            .to_owned()),
    }
}

fn regex_text(value: String) -> Result<String, String> {
    match compile_regex(&value) {
        Ok(_) => Ok(value),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!(
            "The regular expression needs more than {MAX_REGEX_BYTES} bytes. Use fewer or smaller repetitions, or \
             [0-9] and [A-Za-z] in place of \\d and \\w."
        )),
        Err(error) => {
            // The message of a syntax error has several lines. The last line says what is wrong.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            Err(format!(
                "This is not a regular expression: {reason}. Escape a special character with a backslash."
            ))
        }
    }
}

/// Compiles a regular expression with bounded memory.
pub(super) fn compile_regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(REGEX_CACHE_BYTES)
        .nest_limit(MAX_REGEX_NESTING)
        .build()
}

/// Checks the text to look for (`CONTAINS` and similar).
pub(super) fn pattern(value: String) -> Result<String, String> {
    if value.is_empty() {
        return Err("Give the text to look for. To find empty cells, use isempty or notempty \
                    (IS EMPTY, IS NOT EMPTY)."
            .to_owned());
    }
    if value.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "The text to look for has {} bytes; give at most {MAX_PATTERN_BYTES}.",
            value.len()
        ));
    }
    Ok(value)
}

fn list(values: Vec<String>) -> Result<Vec<String>, String> {
    match values.len() {
        0 => Err("The list is empty. Give at least one value.".to_owned()),
        1..=MAX_LIST_VALUES => Ok(values),
        given => Err(format!("The list has {given} values; give at most {MAX_LIST_VALUES}.")),
    }
}
