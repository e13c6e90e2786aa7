//! The accounts, as operators see and change them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::service::AuthService;
use crate::domain::ids::UserId;
use crate::domain::principal::Role;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::from_row;
use crate::sql::accounts as sql;

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
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
    /// Bytes of the stored files.
    pub used_bytes: u64,
    /// Number of files, also those in the trash.
    pub files: u64,
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
pub struct AccountChange {
    /// The role.
    pub role: Option<Role>,
    /// Whether the account is disabled.
    pub disabled: Option<bool>,
    /// The quota; `Some(None)` is the default.
    pub quota_bytes: Option<Option<u64>>,
}

impl AuthService<'_> {
    /// Returns one page of the accounts, ordered by username.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn list(&self, query: &AccountQuery<'_>) -> Result<Vec<AccountFacts>> {
        let list = sql::ListAccounts { part: query.part, after: query.after, limit: query.limit };
        self.app.database.query(list.statement()).await?.into_iter().map(from_row).collect()
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
        if let Some(quota_bytes) = change.quota_bytes {
            batch.push(sql::SetQuota { user, quota_bytes, now }.statement());
        }
        batch.push(sql::GetAccount { user }.statement());
        let found = self.app.database.batch(batch).await?.pop().and_then(|mut rows| rows.pop());
        found.map(from_row).transpose()
    }
}
