//! Puts the filters of one request together, whatever syntax each came in.

use serde_json::Value;

use super::{
    Condition, Filter, FilterError, MAX_DEPTH, MAX_TESTS, RequestPlace, Test, expression, query, tree,
};
use crate::csv::shortened;

/// Collects filters that must all match.
#[derive(Debug, Default)]
pub struct FilterBuilder {
    parts: Vec<Filter>,
}

impl FilterBuilder {
    /// Adds an expression about one column; a blank one adds nothing.
    ///
    /// # Errors
    /// As [`expression::parse`].
    pub fn expression(&mut self, column: &str, text: &str) -> Result<(), FilterError> {
        self.parts.extend(expression::parse(column, text)?);
        Ok(())
    }

    /// Adds the pair `key=value` of a query string, where `key` is `column__operator`.
    ///
    /// # Errors
    /// As [`query::parse`].
    pub fn pair(&mut self, key: &str, value: &str) -> Result<(), FilterError> {
        self.parts.push(query::parse(key, value)?);
        Ok(())
    }

    /// Adds a JSON tree that stands at `pointer` in its document.
    ///
    /// # Errors
    /// As [`tree::parse`].
    pub fn tree(&mut self, value: &Value, pointer: &str) -> Result<(), FilterError> {
        self.parts.push(tree::parse(value, pointer)?);
        Ok(())
    }

    /// Adds the test that `column` equals a JSON string, number or boolean that stands at `pointer`.
    ///
    /// # Errors
    /// [`FilterError`] for any other JSON value.
    pub fn equals(&mut self, column: &str, value: &Value, pointer: &str) -> Result<(), FilterError> {
        let text = tree::scalar(value).map_err(|detail| FilterError {
            place: RequestPlace::Pointer(shortened(pointer)),
            position: None,
            detail,
        })?;
        self.parts.push(Filter::Test(Test { column: column.to_owned(), condition: Condition::Equals(text) }));
        Ok(())
    }

    /// All of it as one filter; `None` when nothing was added.
    ///
    /// # Errors
    /// [`FilterError`] when there are more than [`MAX_TESTS`] tests or [`MAX_DEPTH`] levels.
    pub fn finish(mut self) -> Result<Option<Filter>, FilterError> {
        let filter = match self.parts.len() {
            0 | 1 => self.parts.pop(),
            _ => Some(Filter::And(self.parts.into_iter().flat_map(conjuncts).collect())),
        };
        if let Some(filter) = &filter {
            check_size(filter)?;
        }
        Ok(filter)
    }
}

fn conjuncts(filter: Filter) -> Vec<Filter> {
    match filter {
        Filter::And(parts) => parts,
        other => vec![other],
    }
}

fn check_size(filter: &Filter) -> Result<(), FilterError> {
    let tests = filter.test_count();
    if tests > MAX_TESTS {
        return Err(FilterError::whole(format!(
            "The filter has {tests} tests; at most {MAX_TESTS} are allowed. IN takes many values in one test."
        )));
    }
    let depth = filter.depth();
    if depth > MAX_DEPTH {
        return Err(FilterError::whole(format!(
            "The filter has {depth} levels; at most {MAX_DEPTH} are allowed."
        )));
    }
    Ok(())
}
