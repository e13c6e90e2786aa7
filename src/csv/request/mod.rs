//! A cut as a client asks for it, in a query string or a JSON body, before any file is looked at.
//!
//! Both forms know the same options, and a name or value they do not know is an error, never ignored.
//! Whether the columns exist is decided by [`CutRequest::plan`], which needs the file's header.

mod asked;
mod error;
mod options;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::cut::plan::CutPlan;
use super::excerpt::shortened;
use super::filter::{FilterBuilder, tree};
use super::open::header::{Header, UnknownColumn};
use super::write::options::OutputFormat;
use options::{Given, Setting, Settings};

pub use asked::{Compress, CutRequest};
pub use error::RequestError;

/// How many of a file's columns an error about an unknown one names.
const COLUMNS_NAMED: usize = 50;
/// How often one column may be picked: without a bound, a small file could be made an answer of any size.
const MAX_REPEATS: usize = 4;

/// How many bytes the names of the columns picked may have together where every row repeats them: in JSON.
const MAX_NAMES_BYTES: usize = 1 << 20;

/// A member of a JSON body.
#[derive(Clone, Copy)]
enum Member {
    WhereFilters,
    Filter,
    Filename,
    Tags,
    Metadata,
    Setting(Setting),
}

/// The names that only a JSON body knows, next to those of [`Setting`].
const JSON_NAMES: [(&str, Member); 7] = [
    ("selectedColumns", Member::Setting(Setting::Columns)),
    ("whereFilters", Member::WhereFilters),
    ("filter", Member::Filter),
    ("outputFormat", Member::Setting(Setting::Format)),
    ("filename", Member::Filename),
    ("tags", Member::Tags),
    ("metadata", Member::Metadata),
];

impl Member {
    fn named(name: &str) -> Option<Self> {
        let own = JSON_NAMES.iter().find(|(known, _)| *known == name).map(|(_, member)| *member);
        own.or_else(|| Setting::named(name).map(Self::Setting))
    }

    fn names() -> Vec<&'static str> {
        JSON_NAMES.iter().map(|(name, _)| *name).chain(Setting::names()).collect()
    }
}

impl CutRequest {
    /// Reads the decoded pairs of a query string: options by name, filters as `column__operator=value`,
    /// all of which must match. `columns` is one CSV record.
    ///
    /// # Errors
    /// [`RequestError`] for the first pair that is not understood.
    pub fn from_query<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, RequestError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut settings = Settings::default();
        let mut filters = FilterBuilder::default();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            match Setting::named(key) {
                Some(setting) => settings.set(setting, key, Given::Text(value))?,
                None if key.contains("__") => filters.pair(key, value)?,
                None => return Err(unknown_option(key, Setting::names(), true)),
            }
        }
        let mut request = settings.finish();
        request.filter = filters.finish()?;
        Ok(request)
    }

    /// Reads a JSON body. An option that is `null` counts as absent. `whereFilters` and `filter` may both
    /// be there: then both must match.
    ///
    /// # Errors
    /// [`RequestError`] for the first member that is not understood.
    pub fn from_json(body: &Value) -> Result<Self, RequestError> {
        let Some(members) = body.as_object() else {
            return Err(RequestError::NotAnObject { given: tree::kind(body) });
        };
        let mut settings = Settings::default();
        let mut filters = FilterBuilder::default();
        for (name, value) in members {
            let Some(member) = Member::named(name) else {
                return Err(unknown_option(name, Member::names(), false));
            };
            let given = Given::Json(value);
            match member {
                _ if value.is_null() => {}
                Member::WhereFilters => where_filters(value, &mut filters)?,
                Member::Filter => filters.tree(value, "/filter")?,
                Member::Filename => settings.request.filename = Some(given.text(name)?.to_owned()),
                Member::Tags => settings.request.tags = Some(given.list(name)?),
                Member::Metadata => settings.request.metadata = Some(given.object(name)?),
                Member::Setting(setting) => settings.set(setting, name, given)?,
            }
        }
        let mut request = settings.finish();
        request.filter = filters.finish()?;
        Ok(request)
    }

    /// The request as the JSON that is kept with a derived file: columns, the filter as a tree, and the
    /// options that are not at their defaults. Name, tags and metadata of the derived file are not part of
    /// it. [`CutRequest::from_json`] reads it back.
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

    /// Binds the request to a file's columns.
    ///
    /// # Errors
    /// [`RequestError::UnknownColumn`] for a column, selected or filtered on, that the file does not have.
    pub fn plan(&self, header: &Header) -> Result<CutPlan, RequestError> {
        let unknown = |error: UnknownColumn| RequestError::UnknownColumn {
            reference: shortened(&error.reference),
            known: header.names().iter().take(COLUMNS_NAMED).map(|name| shortened(name)).collect(),
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
                        return Err(RequestError::BadOption {
                            name: "columns".to_owned(),
                            given: format!("{:?} again and again", shortened(reference)),
                            allowed: format!("a list that holds no column more than {MAX_REPEATS} times"),
                        });
                    }
                    columns.push(column);
                }
                columns
            }
        };
        self.check_names(header, &columns)?;
        let predicate = match &self.filter {
            None => None,
            Some(filter) => Some(filter.compile(header).map_err(unknown)?),
        };
        Ok(CutPlan {
            columns,
            predicate,
            output: self.output,
            limit: self.limit,
            offset: self.offset,
            strict: self.strict,
        })
    }
}

impl CutRequest {
    /// Whether rows can repeat the names of these columns.
    fn check_names(&self, header: &Header, columns: &[usize]) -> Result<(), RequestError> {
        let is_json = matches!(self.output.format, OutputFormat::Json | OutputFormat::Ndjson);
        let names_bytes: usize = columns.iter().map(|&column| header.names()[column].len()).sum();
        if !is_json || names_bytes <= MAX_NAMES_BYTES {
            return Ok(());
        }
        Err(RequestError::BadOption {
            name: "format".to_owned(),
            given: format!("JSON for columns whose names have {names_bytes} bytes together"),
            allowed: format!("csv or tsv for more than {MAX_NAMES_BYTES}; or select fewer columns"),
        })
    }
}

fn unknown_option(name: &str, known: Vec<&'static str>, in_query: bool) -> RequestError {
    RequestError::UnknownOption { name: shortened(name), known, in_query }
}

/// Expressions by column. A number or a boolean is a value to equal, not an expression.
fn where_filters(value: &Value, filters: &mut FilterBuilder) -> Result<(), RequestError> {
    let expressions = Given::Json(value).object("whereFilters")?;
    for (column, expression) in &expressions {
        match expression {
            Value::String(text) => filters.expression(column, text)?,
            other => filters.equals(column, other, &tree::step("/whereFilters", column))?,
        }
    }
    Ok(())
}
