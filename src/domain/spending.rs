//! What happens when a user has spent the monthly budget.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::month::Month;
use super::time::Timestamp;

/// What happens when the budget of the month is spent. Rows contain these names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WhenBudgetSpent {
    /// Nothing is refused. The usage of the user shows that the budget is spent.
    #[default]
    Warn,
    /// Cuts and saved cuts are refused.
    RefuseCuts,
    /// Cuts, saved cuts and uploads are refused.
    RefuseChanges,
}

impl WhenBudgetSpent {
    /// Returns the name in rows and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::RefuseCuts => "refuseCuts",
            Self::RefuseChanges => "refuseChanges",
        }
    }
}

/// Whether the mark in a row says that the budget of the month of `now` is spent.
pub fn is_spent(spent_month: Option<&str>, now: Timestamp) -> bool {
    spent_month.is_some_and(|month| month == Month::of(now).to_string())
}
