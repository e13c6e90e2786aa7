//! The query form of a test: `column__operator=value`.
//!
//! The last `__` splits, so columns may hold `__` themselves. An operator of several values takes one CSV
//! record (`a,"b, c"`), one of none takes an empty text; `eq` and `ne` may take an empty value.

use super::{Arity, Filter, FilterError, Operator, RequestPlace, list::parse_list};
use crate::csv::shortened;

/// The column and operator that a key names, or `None` when it holds no `__` and so is no filter.
pub fn split(key: &str) -> Option<(&str, &str)> {
    key.rsplit_once("__")
}

/// The test that the pair `key=value` (both decoded) stands for.
///
/// # Errors
/// [`FilterError`] for an unknown operator or a value that the operator does not take.
pub fn parse(key: &str, value: &str) -> Result<Filter, FilterError> {
    let error = |position: Option<usize>, detail: String| FilterError {
        place: RequestPlace::Parameter(shortened(key)),
        position,
        detail,
    };
    let known = || format!("The operators are {}.", Operator::names());
    let Some((column, name)) = split(key) else {
        return Err(error(
            None,
            format!("{:?} names no operator: write column__operator=value. {}", shortened(key), known()),
        ));
    };
    let Some(operator) = Operator::from_name(name) else {
        return Err(error(None, format!("There is no operator {:?}. {}", shortened(name), known())));
    };
    let values = match operator.arity() {
        Arity::None if value.is_empty() => Vec::new(),
        Arity::None => {
            let detail = format!("{} takes no value; leave {:?} out.", operator.name(), shortened(value));
            return Err(error(Some(0), detail));
        }
        Arity::One => vec![value.to_owned()],
        Arity::Two | Arity::Many => {
            parse_list(value).map_err(|fault| error(Some(fault.position), fault.detail.to_owned()))?
        }
    };
    Filter::test(column, operator, values).map_err(|detail| error(Some(0), detail))
}
