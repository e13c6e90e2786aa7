//! The table that declares each operator, and [`Comparison`], an operator with its values.
//!
//! `docs/howto/operator.md` describes how to add an operator. The doc comments in the table define which cells an
//! operator keeps; `predicate.rs` implements these definitions.

use Syntax::{Is, Keyword, Signs, Unwritten};

/// Maximum number of values in one `IN` list.
pub const MAX_LIST_VALUES: usize = 10_000;
/// Maximum length of a text to look for (`CONTAINS`, `LIKE` and similar), in bytes. `LIKE` with `_` takes at most
/// cell length × pattern length steps.
pub const MAX_PATTERN_BYTES: usize = 1_024;

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
    /// `IS` and this word; no value.
    Is(&'static str),
    /// Expressions have no word for this operator.
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
    NotEqual       = "ne",         One,  Signs(&["!="]), negates Equal;
    /// The cell is greater than the value: a greater number, a later instant, or a text that comes later in the order
    /// of bytes.
    Greater        = "gt",         One,  Signs(&[">"]);
    /// The cell is greater than the value or equal to it.
    GreaterOrEqual = "gte",        One,  Signs(&[">="]);
    /// The cell is less than the value.
    Less           = "lt",         One,  Signs(&["<"]);
    /// The cell is less than the value or equal to it.
    LessOrEqual    = "lte",        One,  Signs(&["<="]);
    /// The cell contains this text, ignoring case.
    Contains       = "contains",   One,  Keyword("CONTAINS");
    /// The cell does not contain this text, ignoring case.
    NotContains    = "ncontains",  One,  Unwritten, negates Contains;
    /// The cell begins with this text, ignoring case.
    StartsWith     = "startswith", One,  Unwritten;
    /// The cell ends with this text, ignoring case.
    EndsWith       = "endswith",   One,  Unwritten;
    /// The whole cell matches this pattern, ignoring case. `%` matches any text, even the empty text; `_` matches one
    /// character; `\%`, `\_` and `\\` match the characters `%`, `_` and `\`. A byte that is not part of valid UTF-8 is
    /// one character.
    Like           = "like",       One,  Keyword("LIKE");
    /// The cell equals one of these texts, byte for byte.
    In             = "in",         Many, Keyword("IN");
    /// The cell equals none of these texts.
    NotIn          = "notin",      Many, Unwritten, negates In;
    /// The cell is between the two values, or equal to one of them. If possible, both values are read as numbers, else
    /// both as dates, else both as text.
    Between        = "between",    Two,  Keyword("BETWEEN");
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
    /// [`Operator::Contains`]
    Contains(String),
    /// [`Operator::StartsWith`]
    StartsWith(String),
    /// [`Operator::EndsWith`]
    EndsWith(String),
    /// [`Operator::Like`]
    Like(String),
    /// [`Operator::In`]
    In(Vec<String>),
    /// [`Operator::Between`]
    Between(String, String),
    /// [`Operator::IsEmpty`]
    IsEmpty,
}

/// How a cell must compare with an operand.
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

impl Operator {
    /// Creates the comparison that consists of this operator and `values`. If this operator is negative, the comparison
    /// has the positive operator that it negates.
    ///
    /// # Errors
    /// A message for the client, if `values` has too many or too few values, a value that is too long, or an empty
    /// value where text is required.
    pub(super) fn comparison(self, values: Vec<String>) -> Result<Comparison, String> {
        Ok(match self {
            Self::Equal | Self::NotEqual => Comparison::Equals(one(values)?),
            Self::Greater => Comparison::Compares(Relation::Greater, operand(one(values)?)?),
            Self::GreaterOrEqual => Comparison::Compares(Relation::GreaterOrEqual, operand(one(values)?)?),
            Self::Less => Comparison::Compares(Relation::Less, operand(one(values)?)?),
            Self::LessOrEqual => Comparison::Compares(Relation::LessOrEqual, operand(one(values)?)?),
            Self::Contains | Self::NotContains => Comparison::Contains(pattern(one(values)?)?),
            Self::StartsWith => Comparison::StartsWith(pattern(one(values)?)?),
            Self::EndsWith => Comparison::EndsWith(pattern(one(values)?)?),
            Self::Like => Comparison::Like(pattern(one(values)?)?),
            Self::In | Self::NotIn => Comparison::In(list(values)?),
            Self::Between => {
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

    /// Finds an operator by its name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.name().eq_ignore_ascii_case(name))
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
            Self::Contains(_) => Operator::Contains,
            Self::StartsWith(_) => Operator::StartsWith,
            Self::EndsWith(_) => Operator::EndsWith,
            Self::Like(_) => Operator::Like,
            Self::In(_) => Operator::In,
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
            | Self::Contains(value)
            | Self::StartsWith(value)
            | Self::EndsWith(value)
            | Self::Like(value) => vec![value],
            Self::Between(low, high) => vec![low, high],
            Self::In(values) => values.iter().map(String::as_str).collect(),
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

fn pattern(value: String) -> Result<String, String> {
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
