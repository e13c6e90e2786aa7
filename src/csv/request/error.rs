//! Errors in a request for a cut.

use crate::csv::filter::FilterError;
use crate::csv::shortened;

/// An invalid request for a cut. The message says what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A filter is invalid.
    #[error(transparent)]
    BadFilter(#[from] FilterError),
    /// The request names a column that the file does not have.
    #[error("There is no column {reference:?}. The file has {total} columns: {}{}.", .known.join(", "),
        if .known.len() < *.total { ", …" } else { "" })]
    UnknownColumn {
        /// The reference as the client wrote it, shortened if it is long.
        reference: String,
        /// The names of the first columns of the file, at most 50. Long names are shortened.
        known: Vec<String>,
        /// Number of columns in the file.
        total: usize,
    },
    /// No option has this name.
    #[error("There is no option {name:?}. The options are {}.{}", .known.join(" "),
        if *.in_query { " Write a filter as column__operator=value." } else { "" })]
    UnknownOption {
        /// The name as the client wrote it, shortened if it is long.
        name: String,
        /// The names of all options.
        known: Vec<&'static str>,
        /// Whether the option was in a query string.
        in_query: bool,
    },
    /// An option has an invalid value.
    #[error("{name} cannot be {given}. It must be {allowed}.")]
    BadOption {
        /// The name of the option.
        name: String,
        /// The value as the client wrote it, shortened if it is long.
        given: String,
        /// The valid values.
        allowed: String,
    },
    /// An option changes nothing in a result of the requested format.
    #[error("{name} has no effect with format={format}. Leave it out, or choose another format.")]
    NoEffect {
        /// The name of the option.
        name: &'static str,
        /// The requested format.
        format: &'static str,
    },
    /// The request has an option twice, possibly under two names.
    #[error("{name} is given more than once. Give it once.")]
    RepeatedOption {
        /// The name of the option.
        name: String,
    },
    /// The body is JSON, but not an object.
    #[error("The body must be a JSON object, not {given}.")]
    NotAnObject {
        /// The JSON type of the body.
        given: &'static str,
    },
}

impl RequestError {
    /// Returns the code of the problem document for this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadFilter(_) => FilterError::CODE,
            Self::UnknownColumn { .. } => "unknown_column",
            Self::UnknownOption { .. } => "unknown_option",
            Self::BadOption { .. }
            | Self::NoEffect { .. }
            | Self::RepeatedOption { .. }
            | Self::NotAnObject { .. } => "bad_request",
        }
    }
}

impl RequestError {
    /// Creates the error for an option that does not exist. `known` has the names of all options.
    pub(super) fn unknown_option(name: &str, known: Vec<&'static str>, in_query: bool) -> Self {
        Self::UnknownOption { name: shortened(name), known, in_query }
    }
}
