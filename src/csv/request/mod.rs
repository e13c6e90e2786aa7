//! Parses the request for a cut from a query string or a JSON body. To parse a request, the module needs no file.
//!
//! A query string and a JSON body have the same options. A JSON body can also set the filename, the tags and the
//! metadata of a saved cut. An unknown option or an invalid value is an error; nothing is ignored. [`CutRequest::plan`]
//! then checks that the columns exist. For this check, it needs the header of the file.

mod cut_request;
mod error;
pub mod input;
mod operands;
mod options;
mod value;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Value, json};

use super::cut::plan::CutPlan;
use super::excerpt::shortened;
use super::filter::{FilterBuilder, FilterLocation, tree};
use super::open::header::{Header, UnknownColumn};
use super::write::options::OutputFormat;
use options::{CutOption, CutOptions};
use value::{MAX_REPEATS, OptionValue, picked_too_often};

pub use cut_request::{Compress, CutRequest};
pub use error::RequestError;

/// Maximum number of column names in an error about an unknown column.
const MAX_LISTED_COLUMNS: usize = 50;

/// Maximum total length of the names of the picked columns, in bytes, if the output is JSON or NDJSON. These formats
/// repeat the names in every row.
const MAX_NAMES_BYTES: usize = 1 << 20;

/// A member of a JSON body.
#[derive(Clone, Copy)]
enum Member {
    WhereFilters,
    Filename,
    Tags,
    Metadata,
    Option(CutOption),
}

/// The names of the members that a JSON body can have in addition to the names of [`CutOption`].
const JSON_NAMES: [(&str, Member); 6] = [
    ("selectedColumns", Member::Option(CutOption::Columns)),
    ("whereFilters", Member::WhereFilters),
    ("outputFormat", Member::Option(CutOption::Format)),
    ("filename", Member::Filename),
    ("tags", Member::Tags),
    ("metadata", Member::Metadata),
];

/// Names without duplicates, in the order in which they were added.
#[derive(Default)]
struct Names<'a> {
    in_order: Vec<&'a str>,
    known: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a str) {
        if self.known.insert(name) {
            self.in_order.push(name);
        }
    }
}

impl Member {
    fn from_name(name: &str) -> Option<Self> {
        let own = JSON_NAMES.iter().find(|(known, _)| *known == name).map(|(_, member)| *member);
        own.or_else(|| CutOption::from_name(name).map(Self::Option))
    }

    fn names() -> Vec<&'static str> {
        JSON_NAMES.iter().map(|(name, _)| *name).chain(CutOption::names()).collect()
    }
}

impl CutRequest {
    /// Parses the decoded pairs of a query string. A pair is an option (`name=value`) or a filter
    /// (`column__operator=value`). The option `filter` is the text of a filter. The cut keeps the rows that match all
    /// filters. The value of the option `columns` is
    /// one CSV record.
    ///
    /// # Errors
    /// [`RequestError`] for the first invalid pair.
    pub fn from_query<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, RequestError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut options = CutOptions::default();
        let mut filters = FilterBuilder::default();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            match CutOption::from_name(key) {
                Some(option) => options.set(option, key, OptionValue::Text(value))?,
                None if key.contains("__") => filters.pair(key, value)?,
                None => return Err(RequestError::unknown_option(key, CutOption::names(), true)),
            }
        }
        if let Some(text) = options.filter.take() {
            filters.text(FilterLocation::Parameter("filter".to_owned()), &text)?;
        }
        if let Some(text) = options.search.take() {
            filters.any_contains("q", &text)?;
        }
        let mut request = options.finish()?;
        request.filter = filters.finish()?;
        Ok(request)
    }

    /// Parses a JSON body. An option that is `null` counts as absent. If both `whereFilters` and `filter` are present,
    /// the cut keeps the rows that match both.
    ///
    /// # Errors
    /// [`RequestError`] for the first invalid member.
    pub fn from_json(body: &Value) -> Result<Self, RequestError> {
        let Some(members) = body.as_object() else {
            return Err(RequestError::NotAnObject { given: tree::kind(body) });
        };
        let mut options = CutOptions::default();
        let mut filters = FilterBuilder::default();
        for (name, value) in members {
            let Some(member) = Member::from_name(name) else {
                return Err(RequestError::unknown_option(name, Member::names(), false));
            };
            let given = OptionValue::Json(value);
            match member {
                _ if value.is_null() => {}
                Member::WhereFilters => where_filters(value, &mut filters)?,
                Member::Option(CutOption::Filter) => match value {
                    Value::String(text) => {
                        filters.text(FilterLocation::Pointer("/filter".to_owned()), text)?
                    }
                    tree => filters.tree(tree, "/filter")?,
                },
                Member::Filename => options.request.filename = Some(given.text(name)?.to_owned()),
                Member::Tags => options.request.tags = Some(given.list(name)?),
                Member::Metadata => options.request.metadata = Some(given.object(name)?),
                Member::Option(option) => options.set(option, name, given)?,
            }
        }
        if let Some(text) = options.search.take() {
            filters.any_contains("q", &text)?;
        }
        let mut request = options.finish()?;
        request.filter = filters.finish()?;
        Ok(request)
    }

    /// Renders the request as the JSON that is stored with a saved cut: the columns, the filter as a tree, and the
    /// options that differ from their defaults. The JSON leaves out the name, tags and metadata of the saved cut.
    /// [`CutRequest::from_json`] parses this JSON.
    pub fn recipe(&self) -> Value {
        let mut recipe = options::render(self);
        if let Some(filter) = &self.filter {
            recipe.insert("filter".to_owned(), tree::render(filter));
        }
        if let Some(columns) = &self.columns {
            recipe.insert("columns".to_owned(), json!(columns));
        }
        Value::Object(recipe)
    }

    /// Returns every column that the cut names, each once: first the picks, then the columns of the filter.
    pub fn named_columns(&self) -> Vec<&str> {
        let mut names = Names::default();
        self.columns.iter().flatten().for_each(|name| names.add(name));
        if let Some(filter) = &self.filter {
            filter.for_each(&mut |condition| names.add(&condition.column));
        }
        names.in_order
    }

    /// Returns the plan of the cut. Where the request has a reference to a column, the plan has the position of the
    /// column.
    ///
    /// # Errors
    /// * [`RequestError::UnknownColumn`] if a pick or a filter names a column that the file does not have.
    /// * [`RequestError::BadOption`] if one column is picked too often, or if the names of the picked columns are too
    ///   long for a JSON format.
    pub fn plan(&self, header: &Header) -> Result<CutPlan, RequestError> {
        let unknown = |error: UnknownColumn| RequestError::UnknownColumn {
            reference: shortened(&error.reference),
            known: header.names().iter().take(MAX_LISTED_COLUMNS).map(|name| shortened(name)).collect(),
            total: header.names().len(),
        };
        let columns = match &self.columns {
            None => (0..header.names().len()).collect(),
            Some(references) => {
                let mut times = vec![0; header.len()];
                let mut columns = Vec::new();
                for reference in references {
                    let column = header.resolve(reference).map_err(unknown)?;
                    times[column] += 1;
                    if times[column] > MAX_REPEATS {
                        return Err(picked_too_often("columns", reference));
                    }
                    columns.push(column);
                }
                columns
            }
        };
        self.check_names(header, &columns)?;
        let predicate = match &self.filter {
            None => None,
            Some(filter) => Some(filter.compile_with(header, self.operands).map_err(unknown)?),
        };
        Ok(CutPlan {
            columns,
            predicate,
            value_kinds: None,
            output: self.output,
            limit: self.limit,
            offset: self.offset,
            strict: self.strict,
        })
    }
}

impl CutRequest {
    /// Checks that the names of these columns are short enough to be repeated in every row.
    fn check_names(&self, header: &Header, columns: &[usize]) -> Result<(), RequestError> {
        let is_json = matches!(self.output.format, OutputFormat::Json | OutputFormat::Ndjson);
        let names_bytes: usize = columns.iter().map(|&column| header.names()[column].len()).sum();
        if !is_json || names_bytes <= MAX_NAMES_BYTES {
            return Ok(());
        }
        Err(RequestError::BadOption {
            name: "format".to_owned(),
            given: format!("a JSON format for columns whose names have {names_bytes} bytes in total"),
            allowed: format!(
                "csv or tsv if these names have more than {MAX_NAMES_BYTES} bytes. Or pick fewer columns"
            ),
        })
    }
}

/// Adds the conditions of `whereFilters`. A string is an expression, such as `>= 30`. A number or a boolean is a value
/// that the cell must equal.
fn where_filters(value: &Value, filters: &mut FilterBuilder) -> Result<(), RequestError> {
    let expressions = OptionValue::Json(value).object("whereFilters")?;
    for (column, expression) in &expressions {
        match expression {
            Value::String(text) => filters.expression(column, text)?,
            other => filters.equals(column, other, &tree::step("/whereFilters", column))?,
        }
    }
    Ok(())
}
