//! The name and the email of a user, and the deletion of the account.

use super::names::{parse_email, parse_username};
use super::service::{AuthService, User, parse_user};
use super::sessions::{changed_meanwhile, next_second};
use crate::audit::security::SecurityEvent;
use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::error::Result;
use crate::ports::Statement;
use crate::sql::{accounts as sql, closing, email};

/// A change of the name or the email; `None` changes nothing.
pub struct ProfileChange<'a> {
    /// The current password.
    pub current: &'a str,
    /// The new username.
    pub username: Option<&'a str>,
    /// The new email; empty text removes the email.
    pub email: Option<&'a str>,
    /// The sender of the request.
    pub caller: &'a Caller,
}

impl AuthService<'_> {
    /// Changes the username or the email of a user, and returns the user. A changed email is not verified, and links
    /// that were sent to the old email are dead.
    ///
    /// # Errors
    /// `bad_request` for an invalid name or email; `forbidden` if the current password is wrong; `user_exists`;
    /// `conflict` if the account was changed meanwhile.
    pub async fn change_profile(&self, user: &UserId, change: &ProfileChange<'_>) -> Result<User> {
        let username = change.username.map(parse_username).transpose()?;
        let new_email = change.email.map(parse_email).transpose()?;
        let account = self.confirm_password(user, change.current).await?;
        let now = self.app.now();
        let update = sql::ChangeProfile {
            user,
            hash: account.password_hash.as_deref(),
            username,
            sets_email: new_email.is_some(),
            email: new_email.as_ref().and_then(Option::as_deref),
            now,
        };
        let event = SecurityEvent::ChangeProfile { user: user.clone(), failure: None };
        let batch = vec![
            update.statement(),
            event.entry(self.app, change.caller).statement_if_changed(self.app)?,
            email::EndOtherAddresses { user, now }.statement(),
        ];
        let changed = self.app.database.batch(batch).await?.into_iter().next().unwrap_or_default().pop();
        changed.ok_or_else(changed_meanwhile).and_then(parse_user)
    }

    /// Deletes the account of a user. From now on, the account, its sessions and its files cannot be reached, and its
    /// unfinished uploads cannot be committed. The sweep `close_accounts` deletes the files permanently, and erases the
    /// other rows of the account.
    ///
    /// # Errors
    /// `forbidden` if the current password is wrong; `conflict` if the account was changed meanwhile.
    pub async fn close_account(&self, user: &UserId, current: &str, caller: &Caller) -> Result<()> {
        let account = self.confirm_password(user, current).await?;
        let (now, hash) = (self.app.now(), account.password_hash.as_deref());
        let mail = email::DeleteMailOf { user };
        let close = closing::Close { user, hash, tokens_after: next_second(now), now };
        let event = SecurityEvent::DeleteAccount { user: user.clone(), failure: None };
        let entry = event.entry(self.app, caller).statement_if_changed(self.app)?;
        let mut batch = vec![mail.statement(), close.statement(), entry];
        batch.extend(self.ends_of_uploads(user));
        batch.push(closing::DeleteLinks { user }.statement());
        batch.push(closing::DeleteGrants { user }.statement());
        let closed = self.app.database.batch(batch).await?.into_iter().nth(1).unwrap_or_default();
        if closed.is_empty() { Err(changed_meanwhile()) } else { Ok(()) }
    }

    /// Returns the statements that end all unfinished uploads of a deleted account.
    pub(crate) fn ends_of_uploads(&self, user: &UserId) -> [Statement; 4] {
        let now = self.app.now();
        [
            closing::ReleasePending { user, now }.statement(),
            closing::CollectPending { user, now }.statement(),
            closing::KillPending { user }.statement(),
            closing::EndUploads { user, now }.statement(),
        ]
    }
}
