//! Where a sweep is among the things that are due.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::ids::{FileId, UserId};
use crate::ports::{Row, Statement};

/// A place among things ordered by time, then id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SweepPlace {
    pub(super) at: String,
    pub(super) id: String,
}

impl SweepPlace {
    /// The place of a row, from the columns of its time and its id.
    pub(super) fn of(row: &Row, time: &str, id: &str) -> Self {
        Self { at: text(row, time), id: text(row, id) }
    }
}

/// A file that something is due to happen to.
#[derive(Debug, Deserialize)]
pub(super) struct DueFile {
    pub(super) id: FileId,
    pub(super) user_id: UserId,
    pub(super) revision: u64,
}

/// A place of its own for each of two states in which things come due.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Places(pub(super) [Option<SweepPlace>; 2]);

impl Places {
    /// A page of each state behind its place, by the statement that `page` makes of both.
    pub(super) fn pages(
        self,
        states: [&'static str; 2],
        page: impl Fn(&'static str, SweepPlace) -> Statement,
    ) -> impl Iterator<Item = Statement> {
        states.into_iter().zip(self.0).map(move |(state, place)| page(state, place.unwrap_or_default()))
    }
}

/// The text of a column, or nothing.
pub(super) fn text(row: &Row, column: &str) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}
