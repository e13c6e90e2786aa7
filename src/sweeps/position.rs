//! Positions of sweeps among the items that are due.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::ids::{FileId, UserId};
use crate::ports::{Row, Statement};

/// A position among items that are ordered by time, and then by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SweepPosition {
    pub(super) at: String,
    pub(super) id: String,
}

impl SweepPosition {
    /// Returns the position of a row, from its time column and its id column.
    pub(super) fn from_row(row: &Row, time: &str, id: &str) -> Self {
        Self { at: text(row, time), id: text(row, id) }
    }
}

/// A file that is due.
#[derive(Debug, Deserialize)]
pub(super) struct DueFile {
    pub(super) id: FileId,
    pub(super) user_id: UserId,
    pub(super) revision: u64,
}

/// The positions of a sweep that handles items in two states: one position for each state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StatePositions(pub(super) [Option<SweepPosition>; 2]);

impl StatePositions {
    /// Returns two statements, one for each state. Each statement selects a page of the items in its state, after the
    /// position for this state.
    pub(super) fn pages(
        self,
        states: [&'static str; 2],
        page: impl Fn(&'static str, SweepPosition) -> Statement,
    ) -> impl Iterator<Item = Statement> {
        states.into_iter().zip(self.0).map(move |(state, position)| page(state, position.unwrap_or_default()))
    }
}

/// Returns the text of a column; empty if it is null or not text.
pub(super) fn text(row: &Row, column: &str) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}
