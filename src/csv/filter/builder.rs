//! Combines the filters of one request. Each filter may be written in a different form.

use serde_json::Value;

use super::{
    Comparison, Condition, Filter, FilterError, FilterLocation, MAX_CONDITIONS, MAX_DEPTH, MAX_REGEXES,
    expression, query, text, tree,
};
use crate::csv::shortened;

/// Collects filters that must all match.
#[derive(Debug, Default)]
pub struct FilterBuilder {
    parts: Vec<Filter>,
}

impl FilterBuilder {
    /// Adds an expression for one column. A blank expression adds nothing.
    ///
    /// # Errors
    /// [`FilterError`] if the expression is invalid, as described in [`expression::parse`].
    pub fn expression(&mut self, column: &str, text: &str) -> Result<(), FilterError> {
        self.parts.extend(expression::parse(column, text)?);
        Ok(())
    }

    /// Adds a parsed filter.
    pub fn add(&mut self, filter: Filter) {
        self.parts.push(filter);
    }

    /// Adds the text of a whole filter, which stands at `place`. A blank text adds nothing.
    ///
    /// # Errors
    /// [`FilterError`] if the text is invalid, as described in [`text::parse`].
    pub fn text(&mut self, place: FilterLocation, text: &str) -> Result<(), FilterError> {
        self.parts.extend(text::parse_at(place, text)?);
        Ok(())
    }

    /// Adds the pair `key=value` of a query string, where `key` is `column__operator`.
    ///
    /// # Errors
    /// [`FilterError`] if the pair is invalid, as described in [`query::parse`].
    pub fn pair(&mut self, key: &str, value: &str) -> Result<(), FilterError> {
        self.parts.push(query::parse(key, value)?);
        Ok(())
    }

    /// Adds a JSON tree. `pointer` is the location of the tree in the document.
    ///
    /// # Errors
    /// [`FilterError`] if the tree is invalid, as described in [`tree::parse`].
    pub fn tree(&mut self, value: &Value, pointer: &str) -> Result<(), FilterError> {
        self.parts.push(tree::parse(value, pointer)?);
        Ok(())
    }

    /// Adds the condition that at least one column contains `text`. `name` is the name of the request's parameter, for
    /// errors.
    ///
    /// # Errors
    /// [`FilterError`] if the text is empty or too long.
    pub fn any_contains(&mut self, name: &str, text: &str) -> Result<(), FilterError> {
        let filter = Filter::any_contains(text.to_owned()).map_err(|detail| FilterError {
            place: FilterLocation::Parameter(name.to_owned()),
            position: None,
            detail,
        })?;
        self.parts.push(filter);
        Ok(())
    }

    /// Adds the condition that `column` equals a JSON string, number or boolean. `pointer` is the location of `value`
    /// in the document.
    ///
    /// # Errors
    /// [`FilterError`] for any other JSON value, and for a number so large that JSON parsing may have rounded it.
    pub fn equals(&mut self, column: &str, value: &Value, pointer: &str) -> Result<(), FilterError> {
        let text = tree::scalar(value).map_err(|detail| FilterError {
            place: FilterLocation::Pointer(shortened(pointer)),
            position: None,
            detail,
        })?;
        self.parts.push(Filter::Condition(Condition {
            column: column.to_owned(),
            comparison: Comparison::Equals(text),
        }));
        Ok(())
    }

    /// Returns all added filters as one filter; `None` if no filter was added.
    ///
    /// # Errors
    /// [`FilterError`] if there are more than [`MAX_CONDITIONS`] conditions, [`MAX_REGEXES`] regular expressions or
    /// [`MAX_DEPTH`] levels.
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
    let conditions = filter.condition_count();
    if conditions > MAX_CONDITIONS {
        return Err(FilterError::whole(format!(
            "The filter has {conditions} conditions; use at most {MAX_CONDITIONS}. One IN condition can have many values."
        )));
    }
    let regexes = filter.regex_count();
    if regexes > MAX_REGEXES {
        return Err(FilterError::whole(format!(
            "The filter has {regexes} regular expressions; use at most {MAX_REGEXES}. One expression can have \
             alternatives, such as a|b."
        )));
    }
    let depth = filter.depth();
    if depth > MAX_DEPTH {
        return Err(FilterError::whole(format!("The filter has {depth} levels; use at most {MAX_DEPTH}.")));
    }
    Ok(())
}
