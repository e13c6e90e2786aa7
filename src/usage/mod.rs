//! What users did and stored in each month, and what this costs. Triggers count ([`crate::sql::usage`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::UserId;
use crate::domain::month::Month;
use crate::domain::prices::{ActionCount, MonthCost, Prices, StoredBytes, stores_bytes};
use crate::error::{Problem, Result};
use crate::ports::{Row, from_row};
use crate::sql::usage as sql;

/// Months that a user sees: the current month and the 12 before.
const SHOWN_MONTHS: u32 = 13;

/// Entries of the audit log with one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct OperationsView {
    /// Number of operations, with those that failed.
    pub count: u64,
    /// Number of operations that failed.
    pub failed: u64,
}

/// The estimated cost of a month in US dollars, each number with at most 6 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CostView {
    /// Storage: the mean of the daily peaks, so far.
    pub storage: f64,
    /// Operations.
    pub operations: f64,
    /// The sum.
    pub total: f64,
}

impl From<MonthCost> for CostView {
    fn from(cost: MonthCost) -> Self {
        Self {
            storage: cost.storage.dollars(),
            operations: cost.operations.dollars(),
            total: cost.total().dollars(),
        }
    }
}

/// What a user did and stored in a month (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthView {
    /// The month, as `YYYY-MM`.
    pub month: String,
    /// Operations by action: `upload`, `download`, `process` (cuts), `update`, `delete`, `restore`, `share` and others.
    pub operations: BTreeMap<String, OperationsView>,
    /// Bytes of uploads and saved cuts.
    pub bytes_in: u64,
    /// Bytes of downloads, and of the results of cuts.
    pub bytes_out: u64,
    /// Bytes that cuts read.
    pub bytes_scanned: u64,
    /// Sum of the daily peaks of the stored bytes, until today. Divided by the number of days in the month, it is the
    /// number of byte-months that R2 bills.
    pub storage_byte_days: u64,
    /// The highest number of stored bytes.
    pub storage_peak_bytes: u64,
    /// The estimated cost.
    pub cost_usd: CostView,
}

/// What one user did and stored in a month.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserMonthView {
    /// Id of the user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// Username; null if the account does not exist.
    pub username: Option<String>,
    /// The month.
    #[serde(flatten)]
    pub month: MonthView,
}

/// Action, operations, failed operations, bytes and scanned bytes.
type ActionRow = (String, u64, u64, u64, u64);

/// What a row says about a month.
#[derive(Debug, Deserialize)]
pub struct CountedMonth {
    operations: String,
    storage: String,
}

impl CountedMonth {
    fn operations(&self) -> Result<Vec<ActionRow>> {
        serde_json::from_str(&self.operations).map_err(Problem::internal)
    }

    fn storage(&self) -> Result<(u64, u64, u64)> {
        serde_json::from_str(&self.storage).map_err(Problem::internal)
    }

    /// Returns the cost of the month.
    ///
    /// # Errors
    /// `internal` if the row is malformed.
    pub fn cost(&self, month: Month, prices: &Prices) -> Result<MonthCost> {
        let (byte_days, infrequent_byte_days, _) = self.storage()?;
        let operations = self.operations()?;
        let counts = operations.iter().map(|(action, operations, _, bytes, _)| ActionCount {
            action,
            operations: *operations,
            bytes: *bytes,
        });
        Ok(prices
            .cost(counts, StoredBytes { byte_days, infrequent_byte_days, days_in_month: month.length() }))
    }

    /// Returns the month as users see it; `None` if the user did and stored nothing.
    fn view(&self, month: Month, prices: &Prices) -> Result<Option<MonthView>> {
        let (storage_byte_days, _, storage_peak_bytes) = self.storage()?;
        let mut view = MonthView {
            month: month.to_string(),
            operations: BTreeMap::new(),
            bytes_in: 0,
            bytes_out: 0,
            bytes_scanned: 0,
            storage_byte_days,
            storage_peak_bytes,
            cost_usd: self.cost(month, prices)?.into(),
        };
        for (action, count, failed, bytes, scanned) in self.operations()? {
            *(if stores_bytes(&action) { &mut view.bytes_in } else { &mut view.bytes_out }) += bytes;
            view.bytes_scanned += scanned;
            if count > 0 {
                view.operations.insert(action, OperationsView { count, failed });
            }
        }
        let is_empty = view.operations.is_empty() && view.bytes_scanned == 0 && storage_byte_days == 0;
        Ok((!is_empty).then_some(view))
    }
}

#[derive(Deserialize)]
struct UserMonthRow {
    user_id: UserId,
    username: Option<String>,
    month: String,
    #[serde(flatten)]
    counted: CountedMonth,
}

/// A page of users.
pub struct UsersPage {
    /// Months that are not empty.
    pub months: Vec<UserMonthView>,
    /// The last user of the page if there may be more users, also if this user has no month on the page.
    pub next: Option<UserId>,
}

impl App {
    /// Returns what a user did and stored in the last 13 months, the newest first, without empty months.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn months_of(&self, user: &UserId) -> Result<Vec<UserMonthView>> {
        let now = self.now();
        let months = (0..SHOWN_MONTHS).map(|months| Month::of(now).earlier(months));
        self.chosen_months_of(user, months).await
    }

    /// Returns what a user did and stored in a month; nothing if the month is empty.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn month_of(&self, user: &UserId, month: Month) -> Result<Vec<UserMonthView>> {
        self.chosen_months_of(user, [month].into_iter()).await
    }

    async fn chosen_months_of(
        &self,
        user: &UserId,
        months: impl Iterator<Item = Month>,
    ) -> Result<Vec<UserMonthView>> {
        let now = self.now();
        let days: BTreeMap<_, _> = months.map(|month| (month.to_string(), month.days_until(now))).collect();
        let select = sql::MonthsOfUser { user, months: &json!(days).to_string() };
        self.read_months(self.database.query(select.statement()).await?)
    }

    /// Returns what users did and stored in a month: at most `limit` users after the user `after`, ordered by id.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn users_of(&self, month: Month, after: &str, limit: u64) -> Result<UsersPage> {
        let days = json!(month.days_until(self.now())).to_string();
        let select = sql::UsersOfMonth { month: &month.to_string(), days: &days, after, limit: limit + 1 };
        let mut rows = self.database.query(select.statement()).await?;
        let has_more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = rows.last().filter(|_| has_more).and_then(|row| row.get("user_id")?.as_str());
        let next = last.and_then(UserId::parse);
        Ok(UsersPage { months: self.read_months(rows)?, next })
    }

    fn read_months(&self, rows: Vec<Row>) -> Result<Vec<UserMonthView>> {
        let mut months = Vec::new();
        for row in rows {
            let row: UserMonthRow = from_row(row)?;
            let month = Month::parse(&row.month).ok_or_else(|| Problem::internal("a month of a row"))?;
            let view = row.counted.view(month, &self.config.prices)?;
            months.extend(view.map(|month| UserMonthView {
                user_id: row.user_id,
                username: row.username,
                month,
            }));
        }
        Ok(months)
    }
}
