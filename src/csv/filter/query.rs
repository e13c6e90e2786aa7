//! The query form of a condition: `column__operator=value`.
//!
//! The key is split at its last `__`, so the name of a column can contain `__`. If the operator takes several values,
//! the text after `=` is one CSV record (`a,"b, c"`); blanks around a value and around its quotes are ignored. If the
//! operator takes no value, the text after `=` must be empty. The value of `eq` and `ne` may be an empty text.

use super::{Arity, Filter, FilterError, FilterLocation, Operator, list::parse_values};
use crate::csv::shortened;

/// Splits a key into column and operator; `None` if the key has no `__` and is therefore not a filter.
pub fn split(key: &str) -> Option<(&str, &str)> {
    key.rsplit_once("__")
}

/// Parses the pair `key=value` into a condition. Key and value must already be decoded.
///
/// # Errors
/// [`FilterError`] for an unknown operator, and for a value that the operator does not accept.
pub fn parse(key: &str, value: &str) -> Result<Filter, FilterError> {
    let error = |position: Option<usize>, detail: String| FilterError {
        place: FilterLocation::Parameter(shortened(key)),
        position,
        detail,
    };
    let known = || format!("The operators are {}.", Operator::names());
    let Some((column, name)) = split(key) else {
        return Err(error(
            None,
            format!("{:?} has no operator. Write column__operator=value. {}", shortened(key), known()),
        ));
    };
    let Some(operator) = Operator::from_name(name) else {
        return Err(error(None, format!("There is no operator {:?}. {}", shortened(name), known())));
    };
    let values = match operator.arity() {
        Arity::None if value.is_empty() => Vec::new(),
        Arity::None => {
            let detail = format!("{} takes no value. Leave {:?} out.", operator.name(), shortened(value));
            return Err(error(Some(0), detail));
        }
        Arity::One => vec![value.to_owned()],
        Arity::Two | Arity::Many => {
            parse_values(value).map_err(|fault| error(Some(fault.position), fault.detail.to_owned()))?
        }
    };
    Filter::condition(column, operator, values).map_err(|detail| error(Some(0), detail))
}
