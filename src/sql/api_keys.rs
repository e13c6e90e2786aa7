//! API keys and their secrets.

use super::statement::statements;
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::time::Timestamp;

/// The columns of a key as its owner sees it. `hint` is the hint of the newest secret. `overlap_ends_at` is the time at
/// which the last of the older secrets ends.
macro_rules! key_columns {
    () => {
        "id, name, scopes, tag, created_at, expires_at, last_used_at,
        (SELECT hint FROM api_key_secrets WHERE key_id = api_keys.id ORDER BY created_at DESC, rowid DESC LIMIT 1)
            AS hint,
        (SELECT max(ends_at) FROM api_key_secrets WHERE key_id = api_keys.id AND ends_at > :now) AS overlap_ends_at"
    };
}

statements! {
    /// Inserts a key of `:user`, unless a key has this name or the user already has `:most` keys. `:scopes` is a JSON
    /// array.
    Insert<'a> {
        key: ApiKeyId,
        user: &'a UserId,
        name: &'a str,
        scopes: &'a str,
        tag: Option<&'a str>,
        expires_at: Option<Timestamp>,
        most: u64,
        now: Timestamp,
    } = "INSERT INTO api_keys (id, user_id, name, scopes, tag, created_at, expires_at)
        SELECT :key, :user, :name, :scopes, :tag, :now, :expires_at
        WHERE (SELECT count(*) FROM api_keys WHERE user_id = :user) < :most
        ON CONFLICT (user_id, name) DO NOTHING";
    /// Inserts a secret of a key of `:user`, if the key exists.
    InsertSecret<'a> { key: ApiKeyId, user: &'a UserId, hash: &'a str, hint: &'a str, now: Timestamp } =
        "INSERT INTO api_key_secrets (hash, key_id, hint, created_at)
        SELECT :hash, id, :hint, :now FROM api_keys WHERE id = :key AND user_id = :user";
    /// Selects the key of `:user` with this name.
    Named<'a> { user: &'a UserId, name: &'a str } =
        "SELECT id FROM api_keys WHERE user_id = :user AND name = :name";
    /// Selects a key of `:user`.
    Get<'a> { key: ApiKeyId, user: &'a UserId, now: Timestamp } =
        concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = :key AND user_id = :user");
    /// Selects at most `:limit` keys of `:user`, ordered by name. The page begins after the name `:after_name`; no name
    /// is empty.
    List<'a> { user: &'a UserId, after_name: &'a str, limit: u64, now: Timestamp } = concat!("SELECT ", key_columns!(), " FROM api_keys
        WHERE user_id = :user AND name > :after_name ORDER BY name LIMIT :limit");
    /// Changes a key of `:user`. A name that is NULL is not changed. The expiry is changed only if `:sets_expiry` is 1.
    /// Does nothing if another key of `:user` has the new name.
    Change<'a> {
        key: ApiKeyId,
        user: &'a UserId,
        name: Option<&'a str>,
        sets_expiry: bool,
        expires_at: Option<Timestamp>,
    } = "UPDATE api_keys SET name = coalesce(:name, name),
            expires_at = CASE WHEN :sets_expiry THEN :expires_at ELSE expires_at END
        WHERE id = :key AND user_id = :user AND NOT EXISTS (SELECT 1 FROM api_keys AS other
            WHERE other.user_id = :user AND other.name = :name AND other.id <> :key)
        RETURNING id";
    /// Deletes a key of `:user` with its secrets. Returns its id.
    Delete<'a> { key: ApiKeyId, user: &'a UserId } =
        "DELETE FROM api_keys WHERE id = :key AND user_id = :user RETURNING id";
    /// Lets all secrets of a key of `:user` end at `:ends_at` or before.
    EndSecrets<'a> { key: ApiKeyId, user: &'a UserId, ends_at: Timestamp } =
        "UPDATE api_key_secrets SET ends_at = min(coalesce(ends_at, :ends_at), :ends_at)
        WHERE key_id = (SELECT id FROM api_keys WHERE id = :key AND user_id = :user)";
    /// Deletes the secrets of a key of `:user` that have ended, and all but the newest `:most`.
    DropSecrets<'a> { key: ApiKeyId, user: &'a UserId, most: u64, now: Timestamp } =
        "DELETE FROM api_key_secrets
        WHERE key_id = (SELECT id FROM api_keys WHERE id = :key AND user_id = :user)
            AND (ends_at <= :now OR hash NOT IN (SELECT hash FROM api_key_secrets WHERE key_id = :key
                ORDER BY created_at DESC, rowid DESC LIMIT :most))";
    /// Selects the key of a secret with the hash `:hash` or `:older_hash`, and the role of its owner. Selects no row if
    /// the secret has ended, the key has expired, or the account of the owner is disabled. `hash` is the hash with which
    /// the secret is stored.
    Identify<'a> { hash: &'a str, older_hash: Option<&'a str>, now: Timestamp } =
        "SELECT api_keys.id, api_keys.user_id, api_keys.scopes, api_keys.tag, api_keys.last_used_at, users.role,
            secret.hash
        FROM api_key_secrets AS secret
        JOIN api_keys ON api_keys.id = secret.key_id
        JOIN users ON users.id = api_keys.user_id
        WHERE secret.hash IN (:hash, :older_hash)
            AND (secret.ends_at IS NULL OR secret.ends_at > :now)
            AND (api_keys.expires_at IS NULL OR api_keys.expires_at > :now)
            AND users.disabled_at IS NULL";
    /// Selects a key of `:user` that has not expired, if the account of the user is not disabled.
    Alive<'a> { key: ApiKeyId, user: &'a UserId, now: Timestamp } =
        "SELECT api_keys.id FROM api_keys JOIN users ON users.id = api_keys.user_id
        WHERE api_keys.id = :key AND api_keys.user_id = :user
            AND (api_keys.expires_at IS NULL OR api_keys.expires_at > :now) AND users.disabled_at IS NULL";
    /// Records that a key was used in the minute `:minute`. Does nothing if this minute or a later one is recorded.
    RecordUse { key: ApiKeyId, minute: Timestamp } =
        "UPDATE api_keys SET last_used_at = :minute
        WHERE id = :key AND (last_used_at IS NULL OR last_used_at < :minute)";
    /// Replaces the hash of a secret, because the secret that signs tokens has been replaced.
    Rehash<'a> { older_hash: &'a str, hash: &'a str } =
        "UPDATE api_key_secrets SET hash = :hash WHERE hash = :older_hash";
    /// Deletes at most `:limit` keys that expired at `:cutoff` or before. Returns their ids.
    Forget { cutoff: Timestamp, limit: u64 } = "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys
            WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :limit)
        RETURNING id";
    /// Deletes at most `:limit` secrets that ended at `:cutoff` or before. Returns their hashes.
    ForgetSecrets { cutoff: Timestamp, limit: u64 } = "DELETE FROM api_key_secrets WHERE hash IN
        (SELECT hash FROM api_key_secrets WHERE ends_at <= :cutoff ORDER BY ends_at LIMIT :limit) RETURNING key_id";
}
