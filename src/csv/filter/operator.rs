//! The operators by name, as queries and JSON trees write them.

use super::{Condition, Filter, MAX_LIST_VALUES, MAX_PATTERN_BYTES, Relation, Test};

/// An operator by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `contains`
    Contains,
    /// `ncontains`
    NotContains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `like`
    Like,
    /// `in`
    In,
    /// `notin`
    NotIn,
    /// `between`
    Between,
    /// `isempty`
    IsEmpty,
    /// `notempty`
    NotEmpty,
}

/// How many values an operator takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    None,
    One,
    Two,
    Many,
}

impl Operator {
    /// Every operator with its name.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::Equal, "eq"),
        (Self::NotEqual, "ne"),
        (Self::Greater, "gt"),
        (Self::GreaterOrEqual, "gte"),
        (Self::Less, "lt"),
        (Self::LessOrEqual, "lte"),
        (Self::Contains, "contains"),
        (Self::NotContains, "ncontains"),
        (Self::StartsWith, "startswith"),
        (Self::EndsWith, "endswith"),
        (Self::Like, "like"),
        (Self::In, "in"),
        (Self::NotIn, "notin"),
        (Self::Between, "between"),
        (Self::IsEmpty, "isempty"),
        (Self::NotEmpty, "notempty"),
    ];

    /// The operators that expressions write as signs; the longer of two that begin alike comes first.
    pub(super) const SIGNS: [(Self, &'static str); 7] = [
        (Self::Equal, "=="),
        (Self::Equal, "="),
        (Self::NotEqual, "!="),
        (Self::GreaterOrEqual, ">="),
        (Self::Greater, ">"),
        (Self::LessOrEqual, "<="),
        (Self::Less, "<"),
    ];

    /// The operator's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(operator, _)| *operator == self).map_or("", |(_, name)| name)
    }

    /// The operator of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(operator, _)| *operator)
    }

    /// The operator written as this sign.
    pub(super) fn from_sign(sign: &str) -> Option<Self> {
        Self::SIGNS.iter().find(|(_, known)| *known == sign).map(|(operator, _)| *operator)
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(" ")
    }

    pub(super) fn arity(self) -> Arity {
        match self {
            Self::IsEmpty | Self::NotEmpty => Arity::None,
            Self::Between => Arity::Two,
            Self::In | Self::NotIn => Arity::Many,
            _ => Arity::One,
        }
    }

    /// The operator whose complement this one is.
    fn positive(self) -> Option<Self> {
        match self {
            Self::NotEqual => Some(Self::Equal),
            Self::NotContains => Some(Self::Contains),
            Self::NotIn => Some(Self::In),
            Self::NotEmpty => Some(Self::IsEmpty),
            _ => None,
        }
    }

    /// The operator that a condition was written with.
    pub(super) fn of(condition: &Condition) -> Self {
        match condition {
            Condition::Equals(_) => Self::Equal,
            Condition::Compares(Relation::Greater, _) => Self::Greater,
            Condition::Compares(Relation::GreaterOrEqual, _) => Self::GreaterOrEqual,
            Condition::Compares(Relation::Less, _) => Self::Less,
            Condition::Compares(Relation::LessOrEqual, _) => Self::LessOrEqual,
            Condition::Contains(_) => Self::Contains,
            Condition::StartsWith(_) => Self::StartsWith,
            Condition::EndsWith(_) => Self::EndsWith,
            Condition::Like(_) => Self::Like,
            Condition::In(_) => Self::In,
            Condition::Between(..) => Self::Between,
            Condition::IsEmpty => Self::IsEmpty,
        }
    }

    /// The operator that writes the complement of `filter` in one word, if it is a test and has one.
    pub(super) fn negative_of(filter: &Filter) -> Option<(Self, &Test)> {
        let Filter::Test(test) = filter else { return None };
        let positive = Self::of(&test.condition);
        let negative = Self::ALL.iter().find(|(operator, _)| operator.positive() == Some(positive))?.0;
        Some((negative, test))
    }

    /// The test of `column` that this operator makes with `values`.
    ///
    /// # Errors
    /// A sentence when the values are too many, too few, empty where text is needed, or too long.
    pub(super) fn test(self, column: &str, values: Vec<String>) -> Result<Filter, String> {
        if let Some(positive) = self.positive() {
            return Ok(positive.test(column, values)?.complement());
        }
        let condition = self.condition(values)?;
        Ok(Filter::Test(Test { column: column.to_owned(), condition }))
    }

    fn condition(self, values: Vec<String>) -> Result<Condition, String> {
        Ok(match self {
            Self::In | Self::NotIn => Condition::In(list(values)?),
            Self::Between => {
                let [low, high] = exactly(values, "two values")?;
                Condition::Between(operand(low)?, operand(high)?)
            }
            Self::IsEmpty | Self::NotEmpty => {
                let [] = exactly(values, "no value")?;
                Condition::IsEmpty
            }
            _ => {
                let [value] = exactly(values, "one value")?;
                self.condition_on(value)?
            }
        })
    }

    fn condition_on(self, value: String) -> Result<Condition, String> {
        Ok(match self {
            Self::Greater => Condition::Compares(Relation::Greater, operand(value)?),
            Self::GreaterOrEqual => Condition::Compares(Relation::GreaterOrEqual, operand(value)?),
            Self::Less => Condition::Compares(Relation::Less, operand(value)?),
            Self::LessOrEqual => Condition::Compares(Relation::LessOrEqual, operand(value)?),
            Self::Contains | Self::NotContains => Condition::Contains(pattern(value)?),
            Self::StartsWith => Condition::StartsWith(pattern(value)?),
            Self::EndsWith => Condition::EndsWith(pattern(value)?),
            Self::Like => Condition::Like(pattern(value)?),
            _ => Condition::Equals(value),
        })
    }
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
