//! Links that are sent by email, and the mailbox of a development server.

use super::statement::statements;
use crate::domain::ids::{LinkId, UserId};
use crate::domain::time::Timestamp;

/// SQL that replaces the link of a user by a new one if the user may ask for it now. The time until the next request
/// grows from 1 minute by a factor of 4, up to 1 hour. The count begins again when the row is deleted.
macro_rules! replace {
    () => {
        "ON CONFLICT (user_id, kind) DO UPDATE SET id = excluded.id, email = excluded.email,
            token_sha256 = excluded.token_sha256, created_at = excluded.created_at, expires_at = excluded.expires_at,
            requests = requests + 1, send_at = excluded.send_at, tries = 0,
            next_request_at = strftime('%Y-%m-%dT%H:%M:%fZ', excluded.created_at,
                '+' || min(60 << (2 * min(requests, 3)), 3600) || ' seconds')
        WHERE next_request_at <= excluded.created_at"
    };
}

statements! {
    /// Inserts or replaces the link for the user whose email is `:email`. Does nothing if there is no such account, if
    /// it is disabled, or if the user asked for a link of this kind too recently.
    InsertForEmail<'a> {
        link: LinkId,
        kind: &'a str,
        email: &'a str,
        token_sha256: &'a str,
        expires_at: Timestamp,
        next_request_at: Timestamp,
        now: Timestamp,
    } = concat!("INSERT INTO email_links
            (id, user_id, kind, email, token_sha256, created_at, expires_at, next_request_at, send_at)
        SELECT :link, id, :kind, email, :token_sha256, :now, :expires_at, :next_request_at, :now
        FROM users WHERE email = :email AND disabled_at IS NULL ", replace!());
    /// Inserts or replaces the link for the email of `:user`. Returns the id. Does nothing if the account has no email,
    /// if its email is verified, or if the user asked for a link of this kind too recently.
    InsertForUser<'a> {
        link: LinkId,
        kind: &'a str,
        user: &'a UserId,
        token_sha256: &'a str,
        expires_at: Timestamp,
        next_request_at: Timestamp,
        now: Timestamp,
    } = concat!("INSERT INTO email_links
            (id, user_id, kind, email, token_sha256, created_at, expires_at, next_request_at, send_at)
        SELECT :link, id, :kind, email, :token_sha256, :now, :expires_at, :next_request_at, :now
        FROM users WHERE id = :user AND email IS NOT NULL AND email_verified_at IS NULL AND disabled_at IS NULL ",
        replace!(), " RETURNING id");
    /// Selects the email of a user, whether it is verified, and when the user may ask for the next link of `:kind`.
    StateOfUser<'a> { user: &'a UserId, kind: &'a str } = "SELECT email, email_verified_at,
            (SELECT next_request_at FROM email_links WHERE user_id = users.id AND kind = :kind) AS next_request_at
        FROM users WHERE id = :user AND disabled_at IS NULL";
    /// Selects at most `:limit` links that are due to be sent.
    ToSend { now: Timestamp, limit: u64 } =
        "SELECT id FROM email_links WHERE send_at <= :now ORDER BY send_at, id LIMIT :limit";
    /// Takes a link that is due to be sent, and returns it. Sets the time of the next try, or NULL after `:most_tries`
    /// tries. The delays are 5, 10, 20, … minutes, at most 320. Does nothing if the link has expired or if the account
    /// has another email.
    TakeToSend { link: LinkId, most_tries: u64, now: Timestamp } =
        "UPDATE email_links SET tries = tries + 1, send_at = CASE WHEN tries + 1 < :most_tries THEN
            strftime('%Y-%m-%dT%H:%M:%fZ', :now, '+' || (300 << min(tries, 6)) || ' seconds') END
        WHERE id = :link AND send_at <= :now AND expires_at > :now
            AND EXISTS (SELECT 1 FROM users WHERE id = user_id AND email = email_links.email AND disabled_at IS NULL)
        RETURNING id, kind, email, token_sha256, (SELECT username FROM users WHERE id = user_id) AS username";
    /// Records that a link was sent.
    MarkSent { link: LinkId } = "UPDATE email_links SET send_at = NULL WHERE id = :link";
    /// Gives up the links that have expired before they were sent, at most `:limit`. Returns their ids.
    GiveUp { now: Timestamp, limit: u64 } = "UPDATE email_links SET send_at = NULL WHERE id IN
        (SELECT id FROM email_links WHERE send_at IS NOT NULL AND expires_at <= :now LIMIT :limit) RETURNING id";
    /// Selects the account of a valid link for a reset of the password.
    FindReset<'a> { token_sha256: &'a str, now: Timestamp } = "SELECT users.id, users.username, users.email
        FROM email_links JOIN users ON users.id = email_links.user_id
        WHERE token_sha256 = :token_sha256 AND kind = 'reset' AND expires_at > :now
            AND users.email = email_links.email AND users.disabled_at IS NULL";
    /// Sets the password of `:user` if the link is valid. The link proves that the email is the user's.
    ResetPassword<'a> {
        user: &'a UserId,
        token_sha256: &'a str,
        new_hash: &'a str,
        tokens_after: Timestamp,
        now: Timestamp,
    } = "UPDATE users SET password_hash = :new_hash, tokens_after = :tokens_after, updated_at = :now,
            email_verified_at = coalesce(email_verified_at, :now)
        WHERE id = :user AND disabled_at IS NULL AND EXISTS (SELECT 1 FROM email_links
            WHERE token_sha256 = :token_sha256 AND user_id = :user AND kind = 'reset' AND expires_at > :now
                AND email = users.email)
        RETURNING id";
    /// Revokes the API keys of `:user` if the link is valid and proves for the first time that the email is the user's:
    /// somebody else may have made the keys. Must run before [`ResetPassword`].
    RevokeUnverified<'a> { user: &'a UserId, token_sha256: &'a str, now: Timestamp } =
        "DELETE FROM api_keys WHERE user_id = :user AND EXISTS (SELECT 1 FROM users
            JOIN email_links ON email_links.user_id = users.id AND email_links.email = users.email
            WHERE users.id = :user AND users.email_verified_at IS NULL AND users.disabled_at IS NULL
                AND token_sha256 = :token_sha256 AND kind = 'reset' AND email_links.expires_at > :now)";
    /// Ends the link of a reset, because it was used. The row stays, so that the time until the next request still
    /// counts.
    SpendReset<'a> { token_sha256: &'a str, now: Timestamp } =
        "UPDATE email_links SET token_sha256 = 'spent:' || id, expires_at = :now, send_at = NULL
        WHERE token_sha256 = :token_sha256 AND kind = 'reset'";
    /// Verifies the email of an account if the link is valid. Returns the id of the account.
    Verify<'a> { token_sha256: &'a str, now: Timestamp } =
        "UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now
        WHERE disabled_at IS NULL AND id = (SELECT user_id FROM email_links
                WHERE token_sha256 = :token_sha256 AND kind = 'verification' AND expires_at > :now)
            AND email = (SELECT email FROM email_links WHERE token_sha256 = :token_sha256)
        RETURNING id";
    /// Ends the links of a user that were sent to another address than the current one.
    EndOtherAddresses<'a> { user: &'a UserId, now: Timestamp } =
        "UPDATE email_links SET token_sha256 = 'spent:' || id, expires_at = min(expires_at, :now), send_at = NULL,
            next_request_at = min(next_request_at, strftime('%Y-%m-%dT%H:%M:%fZ', :now, '+60 seconds'))
        WHERE user_id = :user AND email IS NOT (SELECT email FROM users WHERE id = :user)";
    /// Deletes at most `:limit` links that expired at `:cutoff` or before. Returns their ids.
    ForgetLinks { cutoff: Timestamp, limit: u64 } = "DELETE FROM email_links WHERE id IN
        (SELECT id FROM email_links WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :limit) RETURNING id";

    /// Keeps a message in the mailbox. A message with the same id is replaced.
    KeepMail<'a> { message: LinkId, recipient: &'a str, subject: &'a str, body: &'a str, now: Timestamp } =
        "INSERT INTO mailbox (id, recipient, subject, body, created_at) VALUES (:message, :recipient, :subject, :body, :now)
        ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, body = excluded.body";
    /// Selects at most `:limit` messages with an id below `:before`, the newest first.
    ListMail<'a> { before: &'a str, limit: u64 } =
        "SELECT id, recipient, subject, body, created_at FROM mailbox WHERE id < :before ORDER BY id DESC LIMIT :limit";
    /// Deletes the messages to the email of `:user`. Must run before the email is erased.
    DeleteMailOf<'a> { user: &'a UserId } =
        "DELETE FROM mailbox WHERE recipient = (SELECT email FROM users WHERE id = :user)";
    /// Deletes at most `:limit` messages that are as old as `:cutoff` or older. Returns their ids.
    ForgetMail { cutoff: Timestamp, limit: u64 } = "DELETE FROM mailbox WHERE id IN
        (SELECT id FROM mailbox WHERE created_at <= :cutoff ORDER BY created_at LIMIT :limit) RETURNING id";
}
