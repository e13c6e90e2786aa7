//! The database: statements with their parameters, and the rows or errors that they return.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::ids::{
    ApiKeyId, AttemptId, ClaimId, CutId, EventId, FileId, LinkId, RecipeId, ShareId, TokenId, UserId,
};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};

/// A value of a statement's parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL.
    Null,
    /// An integer. D1 represents integers exactly up to 2⁵³.
    Integer(i64),
    /// Text.
    Text(String),
}

/// A statement and the values of its numbered parameters, `?1` first. Only [`crate::sql`] contains SQL. Each struct in
/// [`crate::sql`] has the parameters of one statement as fields. Other modules create such a struct and convert the
/// struct to a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The SQL text.
    pub sql: std::borrow::Cow<'static, str>,
    /// The values of the parameters, in order.
    pub params: Vec<Param>,
}

impl Statement {
    /// Creates a statement without parameters.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// Adds the value of the next parameter.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Param>) -> Self {
        self.params.push(value.into());
        self
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Param::Text(value.to_owned())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Param::Text(value)
    }
}

/// Implements the conversion to [`Param`] for types that the database stores as their `Display` text.
macro_rules! bound_as_text {
    ($($type:ty),*) => {
        $(impl From<$type> for Param {
            fn from(value: $type) -> Self {
                Param::Text(value.to_string())
            }
        })*
    };
}

bound_as_text!(
    ApiKeyId,
    AttemptId,
    ClaimId,
    CutId,
    EventId,
    FileId,
    LinkId,
    RecipeId,
    ShareId,
    TokenId,
    &UserId,
    &StorageKey,
    Timestamp
);

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Param::Integer(value)
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Param::Integer(value.into())
    }
}

impl From<u16> for Param {
    fn from(value: u16) -> Self {
        Param::Integer(value.into())
    }
}

impl From<u64> for Param {
    /// Converts a size or a count. All stored sizes and counts are far below 2⁵³.
    fn from(value: u64) -> Self {
        Param::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

/// A row: a map from column name to value.
pub type Row = serde_json::Map<String, Value>;

/// Deserializes a row into a struct with a field for each column.
///
/// # Errors
/// `internal` if a column is missing or has another type. This error means that the schema and the code disagree.
pub fn from_row<T: DeserializeOwned>(row: Row) -> Result<T> {
    serde_json::from_value(Value::Object(row)).map_err(|error| Problem::internal(format!("row: {error}")))
}

/// Why a statement or a batch failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// A constraint failed and nothing was changed. The text is `table.column` if the database names table and column.
    #[error("constraint failed: {0}")]
    Constraint(String),
    /// Any other failure. A write may or may not have taken effect: the caller must read before it writes again.
    #[error("database: {0}")]
    Unknown(String),
}

impl DatabaseError {
    /// Classifies the database's message, for example
    /// `D1_ERROR: NOT NULL constraint failed: quotas.reserved_bytes: SQLITE_CONSTRAINT`. The text between "constraint
    /// failed" and the error code says which constraint failed.
    pub fn from_message(message: &str) -> Self {
        let said = message.split_once("D1_ERROR: ").map_or(message, |(_, said)| said);
        let Some((said, _)) = said.split_once(": SQLITE_CONSTRAINT") else {
            return Self::Unknown(message.to_owned());
        };
        let subject = said.split_once(" constraint failed: ").map_or(said, |(_, subject)| subject);
        Self::Constraint(subject.to_owned())
    }
}

/// The database (D1).
#[async_trait]
pub trait Database: Send + Sync {
    /// Runs the statements in one transaction: all take effect or none. Returns the rows of each statement, in order.
    ///
    /// # Errors
    /// [`DatabaseError`].
    async fn batch(&self, statements: Vec<Statement>) -> std::result::Result<Vec<Vec<Row>>, DatabaseError>;

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// [`DatabaseError`].
    async fn query(&self, statement: Statement) -> std::result::Result<Vec<Row>, DatabaseError> {
        Ok(self.batch(vec![statement]).await?.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_error_names_the_table_and_column() {
        let cases = [
            (
                "D1_ERROR: NOT NULL constraint failed: quotas.reserved_bytes: SQLITE_CONSTRAINT",
                "quotas.reserved_bytes",
            ),
            (
                "Error: D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
                "users.email",
            ),
            ("D1_ERROR: UNIQUE constraint failed: a.x, a.y: SQLITE_CONSTRAINT", "a.x, a.y"),
            ("D1_ERROR: CHECK constraint failed: used_bytes >= 0: SQLITE_CONSTRAINT", "used_bytes >= 0"),
            ("D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT", "FOREIGN KEY constraint failed"),
            (
                "D1_ERROR: cannot store TEXT value in INTEGER column quotas.used_bytes: SQLITE_CONSTRAINT",
                "cannot store TEXT value in INTEGER column quotas.used_bytes",
            ),
        ];
        for (message, wanted) in cases {
            let error = DatabaseError::from_message(message);
            assert!(matches!(&error, DatabaseError::Constraint(subject) if subject == wanted), "{error:?}");
        }
    }

    #[test]
    fn any_other_message_means_an_unknown_outcome() {
        for message in ["D1_ERROR: Network connection lost.", "D1_ERROR: no such table: x: SQLITE_ERROR", ""]
        {
            assert!(matches!(DatabaseError::from_message(message), DatabaseError::Unknown(_)), "{message}");
        }
    }
}
