//! Requests that are not understood.

use crate::csv::filter::FilterError;

/// A request for a cut that cannot be understood, and what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A filter does not parse.
    #[error(transparent)]
    BadFilter(#[from] FilterError),
    /// A column is not in the file.
    #[error("There is no column {reference:?}. The file has {total}: {}{}.", .known.join(", "),
        if .known.len() < *.total { ", …" } else { "" })]
    UnknownColumn {
        /// The reference as the client wrote it, shortened when long.
        reference: String,
        /// The first columns of the file, at most 50, long names shortened.
        known: Vec<String>,
        /// How many columns the file has.
        total: usize,
    },
    /// An option of this name does not exist.
    #[error("There is no option {name:?}. The options are {}.{}", .known.join(" "),
        if *.in_query { " A filter is written column__operator=value." } else { "" })]
    UnknownOption {
        /// The name as the client wrote it, shortened when long.
        name: String,
        /// The options there are.
        known: Vec<&'static str>,
        /// Whether it stood in a query string.
        in_query: bool,
    },
    /// An option has a value it cannot have.
    #[error("{name} cannot be {given}: it is {allowed}.")]
    BadOption {
        /// The option.
        name: String,
        /// The value as the client wrote it, shortened when long.
        given: String,
        /// What it may be.
        allowed: String,
    },
    /// An option is given twice, perhaps under two names.
    #[error("{name} is given more than once; give it once.")]
    RepeatedOption {
        /// The option.
        name: String,
    },
    /// The body is JSON but no object.
    #[error("The body of a cut is a JSON object, not {given}.")]
    NotAnObject {
        /// What came instead.
        given: &'static str,
    },
}

impl RequestError {
    /// The code of the problem document that reports it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadFilter(_) => FilterError::CODE,
            Self::UnknownColumn { .. } => "unknown_column",
            Self::UnknownOption { .. } => "unknown_option",
            Self::BadOption { .. } | Self::RepeatedOption { .. } | Self::NotAnObject { .. } => "bad_request",
        }
    }
}
