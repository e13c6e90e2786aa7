//! The names of a file's columns and how a request refers to them.

/// The header of a file: its column names in order, as decoded text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
}

/// A reference to a column that names none of the file's columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {reference:?}")]
pub struct UnknownColumn {
    /// The reference as the client wrote it.
    pub reference: String,
}

impl Header {
    /// A header of these names, in file order.
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// The names in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The position (from 0) of the column `reference` names: an exact name first, then a name that
    /// differs only in case, then `#3` for the third column.
    ///
    /// # Errors
    /// [`UnknownColumn`] when no column is meant.
    pub fn resolve(&self, reference: &str) -> Result<usize, UnknownColumn> {
        let exact = self.names.iter().position(|name| name == reference);
        let folded = || {
            let wanted = reference.to_lowercase();
            self.names.iter().position(|name| name.to_lowercase() == wanted)
        };
        let by_position = || {
            let position: usize = reference.strip_prefix('#')?.parse().ok()?;
            (1..=self.names.len()).contains(&position).then(|| position - 1)
        };
        exact
            .or_else(folded)
            .or_else(by_position)
            .ok_or_else(|| UnknownColumn { reference: reference.to_owned() })
    }
}
