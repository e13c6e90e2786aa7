//! Accounts and the links that are sent by email ([`super::link`]): verifies the email of an account, and sets a new
//! password.
//!
//! A row of `email_links` is also the order to send a message. The queue sends it soon; the sweep `send_links` sends the
//! messages that are left, with growing delays. A message may be sent twice.

use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::link::{LinkKind, NewLink, digest, digest_of_sent, token_of};
use super::names::parse_email;
use super::password;
use super::service::AuthService;
use super::sessions::next_second;
use crate::audit::security::SecurityEvent;
use crate::domain::caller::Caller;
use crate::domain::ids::{LinkId, UserId};
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::jobs::message::{RequestReset, SendLink};
use crate::ports::{EmailMessage, from_row};
use crate::sql::accounts::RevokeAfterChange;
use crate::sql::email as sql;

/// Number of tries to send a message. The delay before the next try doubles, from 5 minutes to 5 hours. Cutty gives up
/// earlier if the link expires.
const MOST_TRIES: u64 = 8;

/// A link that is due to be sent.
#[derive(Deserialize)]
struct LinkRow {
    id: LinkId,
    kind: LinkKind,
    email: String,
    token_sha256: String,
    username: String,
}

#[derive(Deserialize)]
struct AccountOfLink {
    id: UserId,
    username: String,
    email: Option<String>,
}

#[derive(Deserialize)]
struct StateRow {
    email: Option<String>,
    email_verified_at: Option<Timestamp>,
    next_request_at: Option<Timestamp>,
}

impl AuthService<'_> {
    /// Asks for a link that sets a new password. The request does the same for every address: it sends one message to the
    /// queue. Only the job that handles this message looks for an account.
    ///
    /// # Errors
    /// `bad_request` if the text is not an email address; `unavailable` if the service sends no email, or if the queue
    /// failed.
    pub async fn request_reset(&self, email: &str) -> Result<()> {
        let email = parse_email(email)?.ok_or_else(|| {
            Problem::new(Code::BadRequest, "Send the email address of the account.").with("field", "email")
        })?;
        self.expect_email()?;
        let message = RequestReset { link: self.app.fresh_id(), email };
        self.app.enqueue(&message).await.map_err(Problem::unavailable)
    }

    /// Stores the link that a user asked for, and sends its message. Does nothing if no account has this email, or if its
    /// user asked too recently. A repeat stores no second link. Costs 2 D1 calls, and 2 more if there is a message.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub(crate) async fn do_reset(&self, request: &RequestReset) -> Result<()> {
        let link = NewLink::with_id(self.app, LinkKind::Reset, request.link)?;
        self.app.database.query(link.insert_for_email(&request.email)).await?;
        self.send_link(request.link).await.map(|_| ())
    }

    /// Sets the password of the account that a link was sent to. Ends all sessions of the user, refuses their access
    /// tokens, and verifies the email. Returns the user.
    ///
    /// # Errors
    /// `gone` if the link is not valid; `weak_password`.
    pub async fn reset_password(&self, token: &str, new: &str, caller: &Caller) -> Result<UserId> {
        let now = self.app.now();
        let token_sha256 = digest_of_sent(token).ok_or_else(dead_link)?;
        let token_sha256 = token_sha256.as_str();
        let found = self.app.database.query(sql::FindReset { token_sha256, now }.statement()).await?.pop();
        let account: AccountOfLink = from_row(found.ok_or_else(dead_link)?)?;
        password::check_strength(new, &account.username, account.email.as_deref())
            .map_err(|problem| problem.with("field", "new_password"))?;
        let hash = password::hash(new, self.app.random.as_ref())?;
        let event = SecurityEvent::ResetPassword(Ok(account.id.clone()));
        let (user, new_hash, tokens_after) = (&account.id, hash.as_str(), next_second(now));
        let batch = vec![
            sql::RevokeUnverified { user, token_sha256, now }.statement(),
            sql::ResetPassword { user, token_sha256, new_hash, tokens_after, now }.statement(),
            event.entry(self.app, caller).statement_if_changed(self.app)?,
            RevokeAfterChange { user, hash: new_hash, now }.statement(),
            sql::SpendReset { token_sha256, now }.statement(),
        ];
        let changed = self.app.database.batch(batch).await?.into_iter().nth(1).unwrap_or_default();
        if changed.is_empty() { Err(dead_link()) } else { Ok(account.id) }
    }

    /// Sends a link that verifies the email of a user.
    ///
    /// # Errors
    /// `conflict` if the account has no email, or if its email is verified; `rate_limited` if the user asked too
    /// recently; `unavailable` if the service sends no email, or if the database failed.
    pub async fn request_verification(&self, user: &UserId) -> Result<()> {
        self.expect_email()?;
        let link = NewLink::of(self.app, LinkKind::Verification)?;
        let state = sql::StateOfUser { user, kind: LinkKind::Verification.name() };
        let batch = vec![state.statement(), link.insert_for_user(user)];
        let mut results = self.app.database.batch(batch).await?.into_iter();
        let (state, inserted) = (results.next().unwrap_or_default(), results.next().unwrap_or_default());
        if !inserted.is_empty() {
            self.announce_link(link.id).await;
            return Ok(());
        }
        let state: Option<StateRow> = state.into_iter().next().map(from_row).transpose()?;
        let wait_until = match state {
            Some(StateRow { email: Some(_), email_verified_at: None, next_request_at }) => next_request_at,
            Some(StateRow { email: Some(_), .. }) => {
                return Err(Problem::new(Code::Conflict, "The email of this account is already verified."));
            }
            _ => {
                let detail = "The account has no email. Set one with PATCH /api/auth/user.";
                return Err(Problem::new(Code::Conflict, detail));
            }
        };
        let now = self.app.now();
        let wait_s = wait_until.map_or(1, |until| (until.instant() - now.instant()).num_seconds() + 1);
        let wait_s = u32::try_from(wait_s).unwrap_or(1).max(1);
        let detail = format!(
            "You asked for a link recently. Look into your mailbox, or ask for another link in {wait_s} seconds."
        );
        Err(Problem::new(Code::RateLimited, detail).retry_after(wait_s))
    }

    /// Verifies the email of the account that a link was sent to. A repeat changes nothing. Returns the user.
    ///
    /// # Errors
    /// `gone` if the link is not valid.
    pub async fn verify_email(&self, token: &str) -> Result<UserId> {
        let token_sha256 = digest_of_sent(token).ok_or_else(dead_link)?;
        let verify = sql::Verify { token_sha256: &token_sha256, now: self.app.now() };
        let row = self.app.database.query(verify.statement()).await?.pop().ok_or_else(dead_link)?;
        #[derive(Deserialize)]
        struct Verified {
            id: UserId,
        }
        from_row::<Verified>(row).map(|row| row.id)
    }

    /// Sends the message of a link if it is due. Returns whether a message was sent. If the message cannot be sent, it
    /// stays due later.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub(crate) async fn send_link(&self, link: LinkId) -> Result<bool> {
        let (Some(email), Some(origin)) = (&self.app.email, &self.app.config.public_url) else {
            return Ok(false);
        };
        let now = self.app.now();
        let take = sql::TakeToSend { link, most_tries: MOST_TRIES, now };
        let taken = self.app.database.query(take.statement()).await?.pop();
        let Some(row) = taken.map(from_row::<LinkRow>).transpose()? else { return Ok(false) };
        let token = token_of(self.app, row.kind, row.id)?;
        if !bool::from(digest(&token).as_bytes().ct_eq(row.token_sha256.as_bytes())) {
            // The key of the service has changed since the user asked for the link. The user asks again.
            self.app.write_log(LogLine::warn("a link was not sent, because the key has changed"));
            self.app.database.query(sql::MarkSent { link }.statement()).await?;
            return Ok(false);
        }
        let url = format!("{origin}/#{}={token}", row.kind.parameter());
        let message = compose(&row, &url, now);
        if let Err(error) = email.send(&message).await {
            self.app
                .write_log(LogLine::warn("a message was not sent; it is sent again later").caused_by(error));
            return Ok(false);
        }
        self.app.database.query(sql::MarkSent { link }.statement()).await?;
        Ok(true)
    }

    /// Tells the queue that a link waits to be sent. If the queue fails, the sweep sends the link.
    pub(super) async fn announce_link(&self, link: LinkId) {
        if let Err(error) = self.app.enqueue(&SendLink { link }).await {
            self.app
                .write_log(LogLine::warn("a link was not announced; the sweep sends it").caused_by(error));
        }
    }

    fn expect_email(&self) -> Result<()> {
        match self.app.email {
            Some(_) => Ok(()),
            None => {
                let detail = "This service sends no email. Ask its operator for help with your account.";
                Err(Problem::new(Code::Unavailable, detail))
            }
        }
    }
}

/// Writes the message of a link.
fn compose(row: &LinkRow, url: &str, now: Timestamp) -> EmailMessage {
    let LinkRow { id, kind, email, username, .. } = row;
    let (subject, text) = match kind {
        LinkKind::Reset => (
            "Set a new password for Cutty",
            format!(
                "Somebody asked for a new password for the account {username}.\n\n\
                 To set a new password, open this link within 1 hour:\n\n{url}\n\n\
                 The link works once. If you did not ask for it, ignore this message: your password stays.\n"
            ),
        ),
        LinkKind::Verification => (
            "Confirm your email address for Cutty",
            format!(
                "This address was given for the account {username}.\n\n\
                 To confirm that it is yours, open this link within 24 hours:\n\n{url}\n\n\
                 If you do not know this account, ignore this message.\n"
            ),
        ),
    };
    EmailMessage { id: *id, to: email.clone(), subject: subject.to_owned(), text, sent_at: now }
}

fn dead_link() -> Problem {
    let detail = "This link was used, was replaced by a newer one, or has expired. Ask for a new link.";
    Problem::new(Code::Gone, detail)
}
