//! The sessions of a user: which there are, and how they end. A change of the password ends all of them.

use serde::Deserialize;

use super::password::{self, PasswordVerdict};
use super::service::{AccountRow, AuthService, Session};
use crate::audit::security::SecurityEvent;
use crate::domain::caller::Caller;
use crate::domain::ids::{TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Statement, from_row};
use crate::sql::accounts as sql;

/// The input of a change of a password.
pub struct PasswordChange<'a> {
    /// The current password.
    pub current: &'a str,
    /// The new password.
    pub new: &'a str,
    /// The sender of the request.
    pub caller: &'a Caller,
}

/// A session of a user.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionFacts {
    /// Id of the newest refresh token. A page of a list begins after it.
    #[serde(rename = "jti")]
    pub token: TokenId,
    /// Id of the session.
    #[serde(rename = "family")]
    pub id: TokenId,
    /// When the user signed in. Of a session from an older version: when its first token that is left was issued.
    pub started_at: Timestamp,
    /// When the refresh token was exchanged last.
    #[serde(rename = "issued_at")]
    pub last_used_at: Timestamp,
    /// When the session ends if its refresh token is not exchanged.
    pub expires_at: Timestamp,
    /// User agent of the sign-in.
    pub user_agent: Option<String>,
}

impl AuthService<'_> {
    /// Changes the password of a user. Ends all sessions of the user, refuses their access tokens, and returns a new
    /// session.
    ///
    /// # Errors
    /// `forbidden` if the current password is wrong; `weak_password`; `conflict` if the account was changed meanwhile.
    pub async fn change_password(&self, user: &UserId, change: &PasswordChange<'_>) -> Result<Session> {
        let account = self.confirm_password(user, change.current).await?;
        password::check_strength(change.new, &account.user.username, account.user.email.as_deref())
            .map_err(|problem| problem.with("field", "new_password"))?;
        let hash = password::hash(change.new, self.app.random.as_ref())?;
        let (now, refresh) = (self.app.now(), self.new_refresh_token());
        let (hash, old_hash) = (hash.as_str(), account.password_hash.as_deref());
        let insert = refresh.insert_for_password(user, Some(hash), change.caller);
        let event = SecurityEvent::ChangePassword { user: user.clone(), failure: None };
        let caller = change.caller;
        let change =
            sql::ChangePassword { user, old_hash, new_hash: hash, tokens_after: next_second(now), now };
        let batch = vec![
            change.statement(),
            event.entry(self.app, caller).statement_if_changed(self.app)?,
            sql::RevokeAfterChange { user, hash, now }.statement(),
            insert,
        ];
        let inserted = self.app.database.batch(batch).await?.pop().unwrap_or_default();
        if inserted.is_empty() {
            return Err(changed_meanwhile());
        }
        self.session(account.user.into(), &refresh)
    }

    /// Returns the account of a user whose password is `current`.
    ///
    /// # Errors
    /// `forbidden` if the password is wrong, or if the account has no password; `unavailable` if the database failed.
    pub(super) async fn confirm_password(&self, user: &UserId, current: &str) -> Result<AccountRow> {
        let batch = vec![
            sql::FindAccount { user }.statement(),
            sql::MostDjangoIterations { most: password::MAX_ITERATIONS.into() }.statement(),
        ];
        let found = self.compared(self.app.database.batch(batch).await?, current)?;
        match (found.account, found.verdict) {
            (Some(account), PasswordVerdict::Right | PasswordVerdict::RightButOutdated) => Ok(account),
            _ => {
                let detail = "The current password is wrong. Send the password with which you sign in.";
                Err(Problem::new(Code::Forbidden, detail).with("field", "current_password"))
            }
        }
    }

    /// Returns one page of the sessions of a user that are not over, those used last first. `before` is the last token
    /// of the page before.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn sessions(
        &self,
        user: &UserId,
        before: Option<TokenId>,
        limit: u64,
    ) -> Result<Vec<SessionFacts>> {
        let list = sql::ListSessions { user, before, now: self.app.now(), limit };
        self.app.database.query(list.statement()).await?.into_iter().map(from_row).collect()
    }

    /// Ends a session of a user. Its access tokens are refused from now on. It is not an error if the session is already
    /// over.
    ///
    /// # Errors
    /// `not_found` if the user never had this session.
    pub async fn end_session(&self, user: &UserId, session: &str, caller: &Caller) -> Result<()> {
        let session = TokenId::parse(session).ok_or_else(no_such_session)?;
        let batch = vec![
            sql::RevokeSession { session, user, now: self.app.now() }.statement(),
            self.end_of_sessions(user, caller)?,
            sql::HasSession { session, user }.statement(),
        ];
        match self.app.database.batch(batch).await?.pop().unwrap_or_default().is_empty() {
            false => Ok(()),
            true => Err(no_such_session()),
        }
    }

    /// Ends all sessions of a user. Access tokens that were issued before are refused from now on.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn end_all_sessions(&self, user: &UserId, caller: &Caller) -> Result<()> {
        let mut batch = self.ends_of_all_sessions(user).to_vec();
        batch.push(self.end_of_sessions(user, caller)?);
        self.app.database.batch(batch).await?;
        Ok(())
    }

    /// Returns the statement that writes the audit entry if the statement before it ended a session.
    fn end_of_sessions(&self, user: &UserId, caller: &Caller) -> Result<Statement> {
        SecurityEvent::EndSessions { user: user.clone() }
            .entry(self.app, caller)
            .statement_if_changed(self.app)
    }

    /// Returns the statements that end all sessions of a user.
    pub(super) fn ends_of_all_sessions(&self, user: &UserId) -> [Statement; 2] {
        let now = self.app.now();
        let refuse = sql::RefuseTokens { user, tokens_after: next_second(now), now };
        [sql::RevokeAll { user, now }.statement(), refuse.statement()]
    }
}

fn no_such_session() -> Problem {
    Problem::new(Code::NotFound, "You have no such session. GET /api/auth/sessions lists your sessions.")
}

/// The problem if another request changed the account after its password was compared.
pub(super) fn changed_meanwhile() -> Problem {
    Problem::new(Code::Conflict, "The account was changed meanwhile. Try again, or sign in.")
}

/// Returns the first whole second after a time. The times in tokens are whole seconds, so every token that was issued
/// until `time` was issued before this second.
pub(super) fn next_second(time: Timestamp) -> Timestamp {
    Timestamp::from_unix_s(time.instant().timestamp() + 1)
}
