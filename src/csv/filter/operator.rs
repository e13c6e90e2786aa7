//! The operators: a table that declares each, and the conditions they make.
//!
//! `docs/howto/operator.md` is the recipe for a new one. What a cell must be is decided here in words, and in
//! `predicate.rs` in code.

use Syntax::{Is, Keyword, Signs, Unwritten};

/// Values in one `IN` list, at most.
pub const MAX_LIST_VALUES: usize = 10_000;
/// Bytes in a text to look for (`CONTAINS`, `LIKE` and the like), at most. `LIKE` with `_` takes at most
/// cell × pattern steps.
pub const MAX_PATTERN_BYTES: usize = 1_024;

/// How many values an operator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// None.
    None,
    /// One.
    One,
    /// Two.
    Two,
    /// A list of one or more.
    Many,
}

/// How an expression writes an operator. `NOT` before an expression, or after `IS`, makes its complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// One of these signs, then the value.
    Signs(&'static [&'static str]),
    /// This word, then the values: nothing, `a`, `a AND b` or `(a, b, …)`, as the arity says.
    Keyword(&'static str),
    /// `IS` and this word; no value.
    Is(&'static str),
    /// Not by a word of its own.
    Unwritten,
}

macro_rules! operators {
    ($(
        $(#[$doc:meta])+
        $operator:ident = $name:literal, $arity:ident, $syntax:expr $(, negates $positive:ident)?;
    )+) => {
        /// What a test asks of a cell.
        ///
        /// A number is what `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?` matches, a date what ISO 8601 writes as one;
        /// spaces and tabs around either do not count. An operator that compares takes its value as a number if it
        /// is one, else as a date if it is one, else as text, which is ordered by its bytes. A cell of another kind
        /// than the value does not match.
        ///
        /// Where case is ignored, characters are compared by Unicode's simple, one to one case mappings
        /// (`É` = `é`, `Σ` = `ς`; `ß` is not `ss`).
        ///
        /// A negative operator is the plain complement: it keeps a record exactly when its positive one does not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operator { $($(#[$doc])+ $operator,)+ }

        impl Operator {
            /// Every operator.
            pub const ALL: &[Self] = &[$(Self::$operator),+];

            /// Its name in queries and trees.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$operator => $name,)+ }
            }

            /// How many values it takes.
            pub const fn arity(self) -> Arity {
                match self { $(Self::$operator => Arity::$arity,)+ }
            }

            /// How expressions write it.
            pub(super) const fn syntax(self) -> Syntax {
                match self { $(Self::$operator => $syntax,)+ }
            }

            /// The operator whose complement it is, if it is negative.
            pub(super) const fn positive(self) -> Option<Self> {
                match self { $(Self::$operator => operators!(@option $(Self::$positive)?),)+ }
            }
        }
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
}

// Messages list names, signs and keywords in this order.
operators! {
    /// The cell is exactly this text, byte for byte.
    Equal          = "eq",         One,  Signs(&["=", "=="]);
    /// The cell is not exactly this text.
    NotEqual       = "ne",         One,  Signs(&["!="]), negates Equal;
    /// The cell is greater than the value: a greater number, a later instant or a later text.
    Greater        = "gt",         One,  Signs(&[">"]);
    /// The cell is greater than the value or equal to it.
    GreaterOrEqual = "gte",        One,  Signs(&[">="]);
    /// The cell is less than the value.
    Less           = "lt",         One,  Signs(&["<"]);
    /// The cell is less than the value or equal to it.
    LessOrEqual    = "lte",        One,  Signs(&["<="]);
    /// The cell holds this text, ignoring case.
    Contains       = "contains",   One,  Keyword("CONTAINS");
    /// The cell does not hold this text, ignoring case.
    NotContains    = "ncontains",  One,  Unwritten, negates Contains;
    /// The cell begins with this text, ignoring case.
    StartsWith     = "startswith", One,  Unwritten;
    /// The cell ends with this text, ignoring case.
    EndsWith       = "endswith",   One,  Unwritten;
    /// The whole cell fits this pattern, ignoring case: `%` is any text, also none; `_` is one character; `\%`, `\_`
    /// and `\\` are the characters `%`, `_` and `\`. A byte that is not part of valid UTF-8 is one character.
    Like           = "like",       One,  Keyword("LIKE");
    /// The cell is exactly one of these texts, byte for byte.
    In             = "in",         Many, Keyword("IN");
    /// The cell is exactly none of these texts.
    NotIn          = "notin",      Many, Unwritten, negates In;
    /// The cell lies between the two values or is equal to one. They are numbers if both are, else dates if both
    /// are, else text.
    Between        = "between",    Two,  Keyword("BETWEEN");
    /// The cell has no bytes.
    IsEmpty        = "isempty",    None, Is("EMPTY");
    /// The cell has at least one byte.
    NotEmpty       = "notempty",   None, Unwritten, negates IsEmpty;
}

/// What a positive operator asks of a cell, with its values. Negative operators are [`super::Filter::Not`] of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
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

impl Operator {
    /// The condition that it, or the operator it negates, makes of `values`.
    ///
    /// # Errors
    /// A sentence when the values are too many, too few, empty where text is needed, or too long.
    pub(super) fn condition(self, values: Vec<String>) -> Result<Condition, String> {
        Ok(match self {
            Self::Equal | Self::NotEqual => Condition::Equals(one(values)?),
            Self::Greater => Condition::Compares(Relation::Greater, operand(one(values)?)?),
            Self::GreaterOrEqual => Condition::Compares(Relation::GreaterOrEqual, operand(one(values)?)?),
            Self::Less => Condition::Compares(Relation::Less, operand(one(values)?)?),
            Self::LessOrEqual => Condition::Compares(Relation::LessOrEqual, operand(one(values)?)?),
            Self::Contains | Self::NotContains => Condition::Contains(pattern(one(values)?)?),
            Self::StartsWith => Condition::StartsWith(pattern(one(values)?)?),
            Self::EndsWith => Condition::EndsWith(pattern(one(values)?)?),
            Self::Like => Condition::Like(pattern(one(values)?)?),
            Self::In | Self::NotIn => Condition::In(list(values)?),
            Self::Between => {
                let [low, high] = exactly(values, "two values")?;
                Condition::Between(operand(low)?, operand(high)?)
            }
            Self::IsEmpty | Self::NotEmpty => {
                let [] = exactly(values, "no value")?;
                Condition::IsEmpty
            }
        })
    }

    /// The operator that negates it, if there is one.
    pub(super) fn negative(self) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.positive() == Some(self))
    }

    /// The operator of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.name().eq_ignore_ascii_case(name))
    }

    /// The operator written as this sign.
    pub(super) fn from_sign(sign: &str) -> Option<Self> {
        Self::signs().find(|(_, known)| *known == sign).map(|(operator, _)| operator)
    }

    /// Every sign with its operator.
    pub(super) fn signs() -> impl Iterator<Item = (Self, &'static str)> {
        let signs = |operator: &Self| match operator.syntax() {
            Signs(signs) => signs,
            Keyword(_) | Is(_) | Unwritten => &[],
        };
        Self::ALL.iter().flat_map(move |operator| signs(operator).iter().map(|sign| (*operator, *sign)))
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        Self::ALL.iter().map(|operator| operator.name()).collect::<Vec<_>>().join(" ")
    }

    /// Every sign, for messages.
    pub(super) fn sign_names() -> String {
        Self::signs().map(|(_, sign)| sign).collect::<Vec<_>>().join(" ")
    }
}

impl Condition {
    /// The positive operator that makes it.
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

    /// The values it was made of, in their order.
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
    <[String; N]>::try_from(values).map_err(|given| format!("Give {wanted}; {} came.", given.len()))
}

/// An empty operand is most often a form field left blank; it would compare as text and keep everything.
fn operand(value: String) -> Result<String, String> {
    if value.is_empty() {
        return Err("Give a value to compare with; to test for empty cells use isempty or notempty \
                    (IS EMPTY, IS NOT EMPTY)."
            .to_owned());
    }
    Ok(value)
}

fn pattern(value: String) -> Result<String, String> {
    if value.is_empty() {
        return Err("Give the text to look for; to test for empty cells use isempty or notempty \
                    (IS EMPTY, IS NOT EMPTY)."
            .to_owned());
    }
    if value.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "The text to look for has {} bytes; at most {MAX_PATTERN_BYTES} are allowed.",
            value.len()
        ));
    }
    Ok(value)
}

fn list(values: Vec<String>) -> Result<Vec<String>, String> {
    match values.len() {
        0 => Err("The list is empty; give at least one value.".to_owned()),
        1..=MAX_LIST_VALUES => Ok(values),
        given => Err(format!("The list has {given} values; at most {MAX_LIST_VALUES} are allowed.")),
    }
}
