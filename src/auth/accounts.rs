//! The accounts, as operators see and change them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::AuthService;
use super::usage::LimitsRow;
use crate::domain::ids::UserId;
use crate::domain::prices::Micros;
use crate::domain::principal::Role;
use crate::domain::spending::WhenBudgetSpent;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Row, from_row};
use crate::sql::accounts as sql;
use crate::sql::usage::SetLimits;

/// An account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AdminUser)]
pub struct AccountFacts {
    /// Id of the user.
    #[schema(value_type = String)]
    pub id: UserId,
    /// Username.
    pub username: String,
    /// Email address, if one was given.
    pub email: Option<String>,
    /// Role of the user.
    pub role: Role,
    /// When the account was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the account was disabled; null if it is not disabled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// Quota in bytes; null if the default holds.
    pub quota_bytes: Option<u64>,
    /// Greatest number of files; null if the default holds.
    pub quota_files: Option<u64>,
    /// Allowance in bytes for permanently deleted files that wait for their purge; null if the default holds.
    pub purge_allowance_bytes: Option<u64>,
    /// Monthly budget in US dollars; null if there is none.
    pub budget_usd: Option<f64>,
    /// What happens when the budget is spent.
    pub when_budget_spent: WhenBudgetSpent,
    /// Whether the budget of the current month is spent.
    pub budget_spent: bool,
    /// Bytes of the stored files.
    pub used_bytes: u64,
    /// Number of files, also those in the trash.
    pub files: u64,
}

/// A row of an account.
#[derive(Deserialize)]
struct FactsRow {
    id: UserId,
    username: String,
    email: Option<String>,
    role: Role,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
    #[serde(flatten)]
    limits: LimitsRow,
    used_bytes: u64,
    files: u64,
}

impl AccountFacts {
    fn read(row: Row, now: Timestamp) -> Result<Self> {
        let row: FactsRow = from_row(row)?;
        Ok(Self {
            budget_usd: row.limits.budget_usd(),
            budget_spent: row.limits.is_budget_spent(now),
            id: row.id,
            username: row.username,
            email: row.email,
            role: row.role,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            quota_bytes: row.limits.quota_bytes,
            quota_files: row.limits.quota_files,
            purge_allowance_bytes: row.limits.purge_allowance_bytes,
            when_budget_spent: row.limits.when_budget_spent.unwrap_or_default(),
            used_bytes: row.used_bytes,
            files: row.files,
        })
    }
}

/// What a page of accounts contains.
pub struct AccountQuery<'a> {
    /// Only accounts whose username or email contains this text.
    pub part: Option<&'a str>,
    /// The username before the page; empty for the first page.
    pub after: &'a str,
    /// Maximum number of accounts.
    pub limit: u64,
}

/// A change of an account; `None` changes nothing.
#[derive(Debug, Default)]
pub struct AccountChange {
    /// The role.
    pub role: Option<Role>,
    /// Whether the account is disabled.
    pub disabled: Option<bool>,
    /// The quota in bytes; `Some(None)` is the default.
    pub quota_bytes: Option<Option<u64>>,
    /// The greatest number of files; `Some(None)` is the default.
    pub quota_files: Option<Option<u64>>,
    /// The purge allowance in bytes; `Some(None)` is the default.
    pub purge_allowance_bytes: Option<Option<u64>>,
    /// The monthly budget; `Some(None)` removes it.
    pub budget: Option<Option<Micros>>,
    /// What happens when the budget is spent.
    pub when_budget_spent: Option<WhenBudgetSpent>,
}

impl AccountChange {
    /// Returns the statement that sets the limits; `None` if no limit changes.
    fn limits<'a>(&self, user: &'a UserId, now: Timestamp) -> Option<SetLimits<'a>> {
        let numbers = [self.quota_bytes, self.quota_files, self.purge_allowance_bytes];
        let changes = numbers.iter().any(Option::is_some) || self.budget.is_some();
        (changes || self.when_budget_spent.is_some()).then(|| SetLimits {
            user,
            sets_quota_bytes: self.quota_bytes.is_some(),
            quota_bytes: self.quota_bytes.flatten(),
            sets_quota_files: self.quota_files.is_some(),
            quota_files: self.quota_files.flatten(),
            sets_purge_allowance: self.purge_allowance_bytes.is_some(),
            purge_allowance_bytes: self.purge_allowance_bytes.flatten(),
            sets_budget: self.budget.is_some(),
            budget_micros: self.budget.flatten().map(|budget| budget.0),
            when_budget_spent: self.when_budget_spent.map(WhenBudgetSpent::name),
            now,
        })
    }
}

impl AuthService<'_> {
    /// Returns one page of the accounts, ordered by username.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn list(&self, query: &AccountQuery<'_>) -> Result<Vec<AccountFacts>> {
        let list = sql::ListAccounts { part: query.part, after: query.after, limit: query.limit };
        let now = self.app.now();
        let rows = self.app.database.query(list.statement()).await?;
        rows.into_iter().map(|row| AccountFacts::read(row, now)).collect()
    }

    /// Changes an account, and returns it; `None` if there is no such account. If the account is disabled, all its
    /// sessions end.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn change(&self, user: &UserId, change: &AccountChange) -> Result<Option<AccountFacts>> {
        let now = self.app.now();
        let role = change.role.map(Role::name);
        let mut batch = vec![sql::ChangeAccount { user, role, disabled: change.disabled, now }.statement()];
        if change.disabled == Some(true) {
            batch.extend(self.ends_of_all_sessions(user));
        }
        batch.extend(change.limits(user, now).map(SetLimits::statement));
        batch.push(sql::GetAccount { user }.statement());
        let found = self.app.database.batch(batch).await?.pop().and_then(|mut rows| rows.pop());
        found.map(|row| AccountFacts::read(row, now)).transpose()
    }
}
