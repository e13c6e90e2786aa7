//! The names of the parameters of each operation. Layers refuse a request with a parameter or a header that its operation
//! does not read.
//!
//! The names stand in the descriptions of the handlers. But the Worker does not contain these descriptions, because they
//! are a sixth of its code. So `DESCRIPTION=write cargo test --test description` writes the names into a file, from which
//! this module reads them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The names of the parameters of one operation.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterNames {
    /// Names of the parameters in the query.
    pub query: Vec<String>,
    /// Names of the headers that the operation reads, in lower case.
    pub headers: Vec<String>,
}

/// The names, by method and path of the operation, such as `GET /api/files/{id}`.
pub type AllNames = BTreeMap<String, ParameterNames>;

static ALL: LazyLock<AllNames> =
    LazyLock::new(|| serde_json::from_str(include_str!("parameters.json")).unwrap_or_default());

/// Returns the names of an operation. An operation that is not in the file has no parameters.
pub fn names_of(operation: &str) -> &'static ParameterNames {
    static NONE: ParameterNames = ParameterNames { query: Vec::new(), headers: Vec::new() };
    ALL.get(operation).unwrap_or(&NONE)
}
