//! The JSON form of a filter: parsing and rendering.
//!
//! A node is `{"and": […]}`, `{"or": […]}`, `{"not": node}`, `{"q": text}` or `{"column", "op", "value"}`. `{"q":
//! text}` matches the rows in which at least one column contains the text. `op` is an operator's name or sign. `value`
//! is a string, a number or a boolean. A number or a boolean is read as its text. For an operator with several values,
//! `value` is an array of strings, numbers and booleans. For an operator without values, `value` is left out. An empty
//! `and` matches every row. An empty `or` would match no row and is refused.

use serde_json::{Map, Value, json};

use super::{Arity, Condition, Filter, FilterError, FilterLocation, MAX_CONDITIONS, MAX_DEPTH, Operator};
use crate::csv::shortened;

/// Parses a filter from JSON. `pointer` (RFC 6901) is the location of `value` in its document.
///
/// # Errors
/// [`FilterError`] with the pointer to the wrong value.
pub fn parse(value: &Value, pointer: &str) -> Result<Filter, FilterError> {
    TreeReader { conditions_left: MAX_CONDITIONS }.node(value, pointer, MAX_DEPTH)
}

/// Returns the text of a JSON string, number or boolean.
///
/// # Errors
/// A message for the client if the value has another type, or if it is a number so large that JSON parsing rounds it.
pub(in crate::csv) fn scalar(value: &Value) -> Result<String, String> {
    /// 2^53. Above it, several integers share one floating-point value.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_none_or(|float| float.abs() >= EXACT) =>
        {
            Err(format!(
                "The number {number} is so large that JSON parsing may have rounded it. Send it as a string."
            ))
        }
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("Give a string, a number or a boolean, not {}.", kind(other))),
    }
}

/// Names the type of a JSON value, for messages.
pub(in crate::csv) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Appends `key` to a JSON pointer, escaped as in RFC 6901 §3.
pub(in crate::csv) fn step(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Renders `filter` as JSON that [`parse`] reads back as the same filter.
pub fn render(filter: &Filter) -> Value {
    match filter {
        Filter::And(parts) => json!({ "and": parts.iter().map(render).collect::<Vec<_>>() }),
        Filter::Or(parts) => json!({ "or": parts.iter().map(render).collect::<Vec<_>>() }),
        Filter::Not(inner) => match inner.negative() {
            Some((operator, condition)) => render_condition(operator, condition),
            None => json!({ "not": render(inner) }),
        },
        Filter::Condition(condition) => render_condition(condition.comparison.operator(), condition),
        Filter::AnyContains(text) => json!({ "q": text }),
    }
}

fn render_condition(operator: Operator, condition: &Condition) -> Value {
    let mut node = json!({ "column": condition.column, "op": operator.name() });
    match (operator.arity(), condition.comparison.values().as_slice()) {
        (Arity::None, _) => {}
        (Arity::One, [value]) => node["value"] = json!(value),
        (Arity::One | Arity::Two | Arity::Many, values) => node["value"] = json!(values),
    }
    node
}

const SHAPES: &str =
    r#"A filter is {"and": […]}, {"or": […]}, {"not": …}, {"q": text} or {"column", "op", "value"}"#;

struct TreeReader {
    conditions_left: usize,
}

impl TreeReader {
    fn node(&mut self, value: &Value, pointer: &str, levels_left: usize) -> Result<Filter, FilterError> {
        if levels_left == 0 {
            return fail(
                pointer,
                format!("The filter has more than {MAX_DEPTH} levels; use at most {MAX_DEPTH}."),
            );
        }
        let Some(node) = value.as_object() else {
            return fail(pointer, format!("{SHAPES}, not {}.", kind(value)));
        };
        let levels_left = levels_left - 1;
        match node.iter().next() {
            Some((key, parts)) if node.len() == 1 && (key == "and" || key == "or") => {
                let parts = self.nodes(parts, &step(pointer, key), levels_left)?;
                match key.as_str() {
                    "and" => Ok(Filter::And(parts)),
                    _ if parts.is_empty() => {
                        fail(&step(pointer, key), r#"An empty "or" matches no row. Leave it out."#.into())
                    }
                    _ => Ok(Filter::Or(parts)),
                }
            }
            Some((key, inner)) if node.len() == 1 && key == "not" => {
                Ok(self.node(inner, &step(pointer, key), levels_left)?.complement())
            }
            Some((key, _)) if node.len() == 1 && key == "q" => {
                let text = text_of(node, key, pointer)?.to_owned();
                self.count_condition(pointer)?;
                Filter::any_contains(text).or_else(|detail| fail(&step(pointer, key), detail))
            }
            _ => self.condition(node, pointer),
        }
    }

    fn nodes(
        &mut self,
        value: &Value,
        pointer: &str,
        levels_left: usize,
    ) -> Result<Vec<Filter>, FilterError> {
        let Some(nodes) = value.as_array() else {
            return fail(pointer, format!("Give an array of filters, not {}.", kind(value)));
        };
        let numbered = nodes.iter().enumerate();
        numbered.map(|(index, node)| self.node(node, &format!("{pointer}/{index}"), levels_left)).collect()
    }

    /// Counts a condition, and refuses it if the filter has too many conditions.
    fn count_condition(&mut self, pointer: &str) -> Result<(), FilterError> {
        match self.conditions_left.checked_sub(1) {
            Some(left) => {
                self.conditions_left = left;
                Ok(())
            }
            None => fail(
                pointer,
                format!(
                    "The filter has more than {MAX_CONDITIONS} conditions; use at most {MAX_CONDITIONS}."
                ),
            ),
        }
    }

    fn condition(&mut self, node: &Map<String, Value>, pointer: &str) -> Result<Filter, FilterError> {
        if let Some(unknown) = node.keys().find(|key| !matches!(key.as_str(), "column" | "op" | "value")) {
            let unknown = shortened(unknown);
            return fail(
                &step(pointer, &unknown),
                format!("{unknown:?} is not a member of a condition. {SHAPES}."),
            );
        }
        let column = text_of(node, "column", pointer)?;
        let operator = operator_of(node, pointer)?;
        let values = values_of(node, operator, pointer)?;
        self.count_condition(pointer)?;
        Filter::condition(column, operator, values).or_else(|detail| fail(&step(pointer, "value"), detail))
    }
}

fn fail<T>(pointer: &str, detail: String) -> Result<T, FilterError> {
    Err(FilterError { place: FilterLocation::Pointer(pointer.to_owned()), position: None, detail })
}

fn text_of<'a>(node: &'a Map<String, Value>, key: &str, pointer: &str) -> Result<&'a str, FilterError> {
    match node.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => fail(&step(pointer, key), format!("Give a string for {key:?}, not {}.", kind(other))),
        None => fail(pointer, format!("{key:?} is missing. {SHAPES}.")),
    }
}

fn operator_of(node: &Map<String, Value>, pointer: &str) -> Result<Operator, FilterError> {
    let name = text_of(node, "op", pointer)?;
    match Operator::from_name(name).or_else(|| Operator::from_sign(name)) {
        Some(operator) => Ok(operator),
        None => {
            let detail = format!(
                "There is no operator {:?}. The operators are {} and {}.",
                shortened(name),
                Operator::names(),
                Operator::sign_names()
            );
            fail(&step(pointer, "op"), detail)
        }
    }
}

fn values_of(
    node: &Map<String, Value>,
    operator: Operator,
    pointer: &str,
) -> Result<Vec<String>, FilterError> {
    let at = step(pointer, "value");
    let value = node.get("value");
    match (operator.arity(), value) {
        (Arity::None, None | Some(Value::Null)) => Ok(Vec::new()),
        (Arity::None, Some(_)) => fail(&at, format!("{} takes no value. Leave it out.", operator.name())),
        (_, None) => fail(pointer, format!("{:?} is missing. {} needs a value.", "value", operator.name())),
        (Arity::One, Some(value)) => Ok(vec![scalar(value).or_else(|detail| fail(&at, detail))?]),
        (Arity::Two | Arity::Many, Some(Value::Array(values))) => values
            .iter()
            .enumerate()
            .map(|(index, value)| scalar(value).or_else(|detail| fail(&format!("{at}/{index}"), detail)))
            .collect(),
        (Arity::Two | Arity::Many, Some(other)) => {
            fail(&at, format!("{} takes an array of values, not {}.", operator.name(), kind(other)))
        }
    }
}
