//! Users and refresh tokens.

use super::statement::statements;
use crate::domain::ids::{TokenId, UserId};
use crate::domain::time::Timestamp;

/// Condition: there are fewer than `:most_users` users. The greatest rowid is used as the number of users, because a
/// count would read the whole table.
macro_rules! admits_user {
    () => {
        "coalesce((SELECT max(rowid) FROM users), 0) < :most_users"
    };
}

/// The columns of an account, with the quota and the usage.
macro_rules! account {
    () => {
        "SELECT users.id, users.username, users.email, users.role, users.created_at, users.disabled_at,
            quotas.quota_bytes, quotas.quota_files, quotas.purge_allowance_bytes, quotas.budget_micros,
            quotas.when_budget_spent, quotas.budget_spent_month, coalesce(quotas.used_bytes, 0) AS used_bytes, coalesce(usage.files, 0) AS files
        FROM users LEFT JOIN quotas ON quotas.user_id = users.id LEFT JOIN usage ON usage.user_id = users.id"
    };
}

statements! {
    /// Checks that the database can be reached.
    Ping {} = "SELECT 1 AS one";
    /// Inserts a new user. If there are already `:most_users` users, the statement sets `users.created_at` to NULL, and
    /// the NOT NULL constraint makes the statement fail. The role is the schema's default; no request can set it.
    InsertUser<'a> {
        user: &'a UserId,
        username: &'a str,
        email: Option<&'a str>,
        password_hash: &'a str,
        most_users: u64,
        now: Timestamp,
    } = concat!("INSERT INTO users (id, username, email, password_hash, created_at, updated_at)
        VALUES (:user, :username, :email, :password_hash, CASE WHEN ", admits_user!(), " THEN :now END, :now)");
    /// Inserts a user who has a valid token but no row yet, unless there are `:most_users` users. The row has no
    /// password, so nobody can sign in as this user.
    ProvisionUser<'a> { user: &'a UserId, username: &'a str, most_users: u64, now: Timestamp } =
        concat!("INSERT INTO users (id, username, created_at, updated_at)
        SELECT :user, :username, :now, :now WHERE ", admits_user!(), " ON CONFLICT DO NOTHING");
    /// Selects a user whose account is not disabled.
    FindUser<'a> { user: &'a UserId } =
        "SELECT id, username, email, role, email_verified_at FROM users WHERE id = :user AND disabled_at IS NULL";
    /// Selects the user of an access token, unless the account is disabled or the session of the token is over. A token
    /// without `:session` was made by another issuer. Its session is over if the user has ended all sessions after
    /// `:issued_at`.
    FindHolder<'a> { user: &'a UserId, session: Option<&'a str>, issued_at: Timestamp } =
        "SELECT id, username, email, role, email_verified_at FROM users
        WHERE id = :user AND disabled_at IS NULL AND CASE
            WHEN :session IS NULL THEN tokens_after IS NULL OR tokens_after <= :issued_at
            ELSE EXISTS (SELECT 1 FROM refresh_tokens
                WHERE family = :session AND user_id = :user AND revoked_at IS NULL) END";
    /// Selects a user with the password hash.
    FindAccount<'a> { user: &'a UserId } =
        "SELECT id, username, email, role, email_verified_at, password_hash FROM users WHERE id = :user AND disabled_at IS NULL";
    /// Selects at most `:limit` accounts, ordered by username. The page begins after the username `:after`; no
    /// username is empty.
    ListAccounts<'a> { part: Option<&'a str>, after: &'a str, limit: u64 } = concat!(account!(),
        " WHERE users.username > :after AND users.deleted_at IS NULL
            AND (:part IS NULL OR instr(lower(users.username), lower(:part)) > 0
                OR instr(lower(users.email), lower(:part)) > 0)
        ORDER BY users.username LIMIT :limit");
    /// Selects an account, also a disabled one, but no deleted one.
    GetAccount<'a> { user: &'a UserId } = concat!(account!(), " WHERE users.id = :user AND users.deleted_at IS NULL");
    /// Changes an account. A value that is NULL is not changed.
    ChangeAccount<'a> { user: &'a UserId, role: Option<&'a str>, disabled: Option<bool>, now: Timestamp } =
        "UPDATE users SET role = coalesce(:role, role), updated_at = :now,
            disabled_at = CASE WHEN :disabled IS NULL THEN disabled_at WHEN :disabled THEN coalesce(disabled_at, :now) END
        WHERE id = :user AND deleted_at IS NULL";
    /// Selects the user whose username is `:login`. If there is none, selects the user whose email is `:login`. A disabled
    /// account is not found.
    FindByLogin<'a> { login: &'a str } = "SELECT id, username, email, role, email_verified_at, password_hash FROM users
        WHERE (username = :login OR email = :login) AND disabled_at IS NULL
        ORDER BY username = :login DESC LIMIT 1";
    /// Selects the greatest number of PBKDF2 iterations in the stored Django hashes. Ignores numbers above `:most`.
    /// NULL if no stored hash has a number from 1 to `:most`.
    MostDjangoIterations { most: u64 } = "SELECT max(CAST(substr(password_hash, 15) AS INTEGER)) AS iterations FROM users
        WHERE substr(password_hash, 1, 14) = 'pbkdf2_sha256$'
            AND CAST(substr(password_hash, 15) AS INTEGER) BETWEEN 1 AND :most";
    /// Replaces the password hash of a user if it is still `:old_hash`.
    ReplacePasswordHash<'a> { user: &'a UserId, old_hash: Option<&'a str>, new_hash: &'a str, now: Timestamp } =
        "UPDATE users SET password_hash = :new_hash, updated_at = :now
        WHERE id = :user AND password_hash = :old_hash";
    /// Changes the username and the email of a user if the password hash is still `:hash`. A changed email is not
    /// verified. Returns the user. If another account has the name or the email, a unique constraint fails the batch.
    ChangeProfile<'a> {
        user: &'a UserId,
        hash: Option<&'a str>,
        username: Option<&'a str>,
        sets_email: bool,
        email: Option<&'a str>,
        now: Timestamp,
    } = "UPDATE users SET username = coalesce(:username, username),
            email = CASE WHEN :sets_email THEN :email ELSE email END,
            email_verified_at = CASE WHEN :sets_email AND email IS NOT :email THEN NULL ELSE email_verified_at END,
            updated_at = :now
        WHERE id = :user AND password_hash IS :hash AND disabled_at IS NULL
        RETURNING id, username, email, role, email_verified_at";
    /// Inserts the first token of a family. The id of the token is also the id of the family.
    InsertFirstToken<'a> {
        token: TokenId,
        user: &'a UserId,
        issued_at: Timestamp,
        expires_at: Timestamp,
        user_agent: Option<&'a str>,
    } = "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at, started_at, user_agent)
        VALUES (:token, :token, :user, :issued_at, :expires_at, :issued_at, :user_agent)";
    /// Sets a new password if the hash is still `:old_hash`. Tokens of other issuers that were issued before
    /// `:tokens_after` are refused from now on.
    ChangePassword<'a> {
        user: &'a UserId,
        old_hash: Option<&'a str>,
        new_hash: &'a str,
        tokens_after: Timestamp,
        now: Timestamp,
    } = "UPDATE users SET password_hash = :new_hash, tokens_after = :tokens_after, updated_at = :now
        WHERE id = :user AND password_hash IS :old_hash";
    /// Revokes all tokens of `:user` if the password hash is `:hash`.
    RevokeAfterChange<'a> { user: &'a UserId, hash: &'a str, now: Timestamp } =
        "UPDATE refresh_tokens SET revoked_at = :now WHERE user_id = :user AND revoked_at IS NULL
            AND EXISTS (SELECT 1 FROM users WHERE id = :user AND password_hash = :hash)";
    /// Inserts the first token of a family if the password hash of `:user` is `:hash` and the account is not disabled.
    /// Returns the id of the token. So nobody begins a session with a password that was changed meanwhile.
    InsertForPassword<'a> {
        token: TokenId,
        user: &'a UserId,
        hash: Option<&'a str>,
        issued_at: Timestamp,
        expires_at: Timestamp,
        user_agent: Option<&'a str>,
    } = "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at, started_at, user_agent)
        SELECT :token, :token, id, :issued_at, :expires_at, :issued_at, :user_agent FROM users
        WHERE id = :user AND password_hash IS :hash AND disabled_at IS NULL RETURNING jti";
    /// Refuses all tokens of other issuers for `:user` that were issued before `:tokens_after`.
    RefuseTokens<'a> { user: &'a UserId, tokens_after: Timestamp, now: Timestamp } =
        "UPDATE users SET tokens_after = :tokens_after, updated_at = :now WHERE id = :user";
    /// Revokes all tokens of `:user`.
    RevokeAll<'a> { user: &'a UserId, now: Timestamp } =
        "UPDATE refresh_tokens SET revoked_at = :now WHERE user_id = :user AND revoked_at IS NULL";
    /// Revokes the tokens of one session of `:user`.
    RevokeSession<'a> { session: TokenId, user: &'a UserId, now: Timestamp } =
        "UPDATE refresh_tokens SET revoked_at = :now
        WHERE family = :session AND user_id = :user AND revoked_at IS NULL";
    /// Selects whether `:user` has or had a session.
    HasSession<'a> { session: TokenId, user: &'a UserId } =
        "SELECT 1 AS one FROM refresh_tokens WHERE family = :session AND user_id = :user LIMIT 1";
    /// Selects at most `:limit` sessions of `:user` that are not over, those used last first. Only sessions whose newest
    /// token is older than `:before`, if that is not NULL.
    ListSessions<'a> { user: &'a UserId, before: Option<TokenId>, now: Timestamp, limit: u64 } =
        "SELECT jti, family, coalesce(started_at, issued_at) AS started_at, issued_at, expires_at, user_agent
        FROM refresh_tokens
        WHERE user_id = :user AND successor_jti IS NULL AND revoked_at IS NULL AND expires_at > :now
            AND (:before IS NULL OR jti < :before)
        ORDER BY jti DESC LIMIT :limit";
    /// Marks a token of `:user` as spent and records `:successor` as the token that replaces it. Changes nothing if the
    /// token was spent, was revoked or has expired, or if the account is disabled.
    SpendToken<'a> { token: &'a str, user: &'a UserId, successor: TokenId, now: Timestamp } =
        "UPDATE refresh_tokens SET successor_jti = :successor, rotated_at = :now
        WHERE jti = :token AND user_id = :user AND successor_jti IS NULL AND revoked_at IS NULL AND expires_at > :now
            AND EXISTS (SELECT 1 FROM users WHERE id = :user AND disabled_at IS NULL)";
    /// Inserts the token `:successor` into the family of `:token`, if [`SpendToken`] replaced `:token` by `:successor`.
    /// A session lasts at most `:longest_s` seconds.
    InsertSuccessor<'a> {
        token: &'a str,
        user: &'a UserId,
        successor: TokenId,
        issued_at: Timestamp,
        expires_at: Timestamp,
        longest_s: u64,
    } = "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at, started_at, user_agent)
        SELECT :successor, family, user_id, :issued_at,
            min(:expires_at, strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(started_at, issued_at), '+' || :longest_s || ' seconds')),
            coalesce(started_at, issued_at), user_agent
        FROM refresh_tokens WHERE jti = :token AND user_id = :user AND successor_jti = :successor";
    /// Revokes the family of a token of `:user` if the token was spent before `:spent_before`. Returns the ids of the
    /// revoked tokens.
    RevokeIfReused<'a> { token: &'a str, user: &'a UserId, now: Timestamp, spent_before: Timestamp } =
        "UPDATE refresh_tokens SET revoked_at = :now
        WHERE revoked_at IS NULL AND family = (SELECT family FROM refresh_tokens
            WHERE jti = :token AND user_id = :user AND successor_jti IS NOT NULL AND rotated_at < :spent_before)
        RETURNING jti";
    /// Selects the token that replaced a token of `:user`, and the row of the user. No row if the new token is revoked.
    FindSuccessor<'a> { token: &'a str, user: &'a UserId } = "SELECT next.jti, next.family, next.issued_at, next.expires_at,
            users.id, users.username, users.email, users.role, users.email_verified_at
        FROM refresh_tokens AS spent
        JOIN refresh_tokens AS next ON next.jti = spent.successor_jti
        JOIN users ON users.id = spent.user_id
        WHERE spent.jti = :token AND spent.user_id = :user AND next.revoked_at IS NULL
            AND users.disabled_at IS NULL";
    /// Selects the user of a token, if its session is not over. A token that was spent before `:spent_before` does not
    /// count.
    FindSession<'a> { token: &'a str, user: &'a UserId, spent_before: Timestamp } =
        "SELECT users.id, users.username, users.email, users.role, users.email_verified_at, token.family, token.expires_at
        FROM refresh_tokens AS token JOIN users ON users.id = token.user_id
        WHERE token.jti = :token AND token.user_id = :user AND token.revoked_at IS NULL
            AND (token.successor_jti IS NULL OR token.rotated_at >= :spent_before)
            AND users.disabled_at IS NULL";
    /// Revokes the family of a token of `:user`.
    RevokeFamily<'a> { token: &'a str, user: &'a UserId, now: Timestamp } =
        "UPDATE refresh_tokens SET revoked_at = :now
        WHERE revoked_at IS NULL
            AND family = (SELECT family FROM refresh_tokens WHERE jti = :token AND user_id = :user)";
    /// Deletes at most `:limit` expired tokens. Returns their ids. The service needs no row to refuse an expired token,
    /// because the token itself contains its expiry.
    DeleteExpiredTokens { now: Timestamp, limit: u64 } = "DELETE FROM refresh_tokens WHERE jti IN
        (SELECT jti FROM refresh_tokens WHERE expires_at < :now ORDER BY expires_at LIMIT :limit) RETURNING jti";
}
