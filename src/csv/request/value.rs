//! The value of an option in a query string or in JSON.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::RequestError;
use crate::csv::encoding::{FileEncoding, encoding_for_label};
use crate::csv::filter::{parse_list, tree};
use crate::csv::shortened;

const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// Maximum number of picks of one column. Without this limit, a small file could produce a result of any size.
pub(super) const MAX_REPEATS: usize = 4;

/// Returns the error for a column that is picked more than [`MAX_REPEATS`] times.
pub(super) fn picked_too_often(option: &str, reference: &str) -> RequestError {
    RequestError::BadOption {
        name: option.to_owned(),
        given: format!("{:?} more than {MAX_REPEATS} times", shortened(reference)),
        allowed: format!("a list that holds no column more than {MAX_REPEATS} times"),
    }
}

/// The value of an option, as the client gave it.
#[derive(Clone, Copy)]
pub(super) enum OptionValue<'a> {
    /// From a query string.
    Text(&'a str),
    /// From a JSON body.
    Json(&'a Value),
}

impl<'a> OptionValue<'a> {
    pub(super) fn reject<T>(self, name: &str, allowed: impl Into<String>) -> Result<T, RequestError> {
        let given = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Json(value) => value.to_string(),
        };
        let given = shortened(&given);
        Err(RequestError::BadOption { name: name.to_owned(), given, allowed: allowed.into() })
    }

    /// Reads a text. A value from JSON must be a string.
    pub(super) fn text(self, name: &str) -> Result<&'a str, RequestError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Json(Value::String(text)) => Ok(text),
            Self::Json(_) => self.reject(name, "a string"),
        }
    }

    pub(super) fn flag(self, name: &str) -> Result<bool, RequestError> {
        match self {
            Self::Text(_) => self.choice(name, &FLAGS),
            Self::Json(Value::Bool(flag)) => Ok(*flag),
            Self::Json(_) => self.reject(name, "true or false"),
        }
    }

    pub(super) fn count(self, name: &str) -> Result<u64, RequestError> {
        let count = match self {
            // Checks for digits, because `parse` also accepts a plus sign.
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Self::Text(_) => None,
            Self::Json(value) => value.as_u64(),
        };
        count.map_or_else(|| self.reject(name, "a whole number from 0"), Ok)
    }

    pub(super) fn choice<T: Copy>(self, name: &str, choices: &[(&str, T)]) -> Result<T, RequestError> {
        let text = match self {
            Self::Text(text) => Some(text),
            Self::Json(value) => value.as_str(),
        };
        match choices.iter().find(|(choice, _)| Some(*choice) == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
                let words: Vec<&str> = words.into_iter().filter(|word| *word != "\t").collect();
                self.reject(name, words.join(" or "))
            }
        }
    }

    pub(super) fn encoding(self, name: &str) -> Result<FileEncoding, RequestError> {
        match encoding_for_label(self.text(name)?) {
            Some(encoding) => Ok(encoding),
            None => self.reject(
                name,
                "the label of an encoding from the WHATWG Encoding Standard, such as utf-8, utf-16le, windows-1252, \
                 iso-8859-2, macintosh, shift_jis or gb18030, or a code page of DOS such as cp437 or cp850",
            ),
        }
    }

    /// Reads references to columns: an array of strings, or one CSV record. Each may occur at most [`MAX_REPEATS`]
    /// times.
    pub(super) fn columns(self, name: &str) -> Result<Vec<String>, RequestError> {
        let columns = self.list(name)?;
        if columns.is_empty() {
            return self
                .reject(name, "a list of at least one column; leave the option out to get all columns");
        }
        let mut times = HashMap::new();
        let repeated = columns.iter().find(|column| {
            let times = times.entry(column.as_str()).or_insert(0);
            *times += 1;
            *times > MAX_REPEATS
        });
        match repeated {
            None => Ok(columns),
            Some(column) => Err(picked_too_often(name, column)),
        }
    }

    /// Reads a list of texts: an array of strings, or one CSV record.
    pub(super) fn list(self, name: &str) -> Result<Vec<String>, RequestError> {
        match self {
            Self::Text(text) => parse_list(text).or_else(|error| {
                let position = error.position;
                self.reject(
                    name,
                    format!(
                        "one CSV record, but this text has an error at character {position}. {}",
                        error.detail.trim_end_matches('.')
                    ),
                )
            }),
            Self::Json(Value::Array(values)) => {
                let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                match texts.collect::<Option<Vec<String>>>() {
                    Some(texts) => Ok(texts),
                    None => self.reject(name, "an array of strings"),
                }
            }
            Self::Json(_) => self.reject(name, "an array of strings"),
        }
    }

    /// Reads a JSON object.
    pub(super) fn object(self, name: &str) -> Result<Map<String, Value>, RequestError> {
        match self {
            Self::Json(Value::Object(members)) => Ok(members.clone()),
            Self::Json(other) => self.reject(name, format!("an object, not {}", tree::kind(other))),
            Self::Text(_) => self.reject(name, "an object"),
        }
    }
}
