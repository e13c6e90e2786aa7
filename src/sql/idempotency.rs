//! Idempotency keys: the claim that holds a key, and the effect and response of the request with this key. The column
//! `user_id` holds the namespace of a key ([`KeyScope`](crate::idempotency::KeyScope)): a user id, or a text that is no
//! user id.

use super::statement::statements;
use crate::domain::ids::ClaimId;
use crate::domain::time::Timestamp;

statements! {
    /// Claims a key for `:claim` if the key is new or has expired. Also claims the key of an earlier request with the
    /// fingerprint `:fingerprint`, if the lease of the earlier request has ended and no effect and no response are
    /// stored. If the key is new and `:scope` already has `:most_keys` keys, the statement sets
    /// `idempotency_keys.created_at` to NULL, and the NOT NULL constraint fails the batch.
    ClaimKey<'a> {
        scope: &'a str,
        key: &'a str,
        fingerprint: &'a str,
        claim: ClaimId,
        lease_until: Timestamp,
        now: Timestamp,
        expires_at: Timestamp,
        most_keys: u64,
    } = "INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, lease_until, created_at, expires_at)
        VALUES (:scope, :key, :fingerprint, :claim, :lease_until,
            CASE WHEN coalesce((SELECT idempotency_keys FROM usage WHERE user_id = :scope), 0) < :most_keys
                OR EXISTS (SELECT 1 FROM idempotency_keys WHERE user_id = :scope AND key = :key) THEN :now END,
            :expires_at)
        ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim,
            lease_until = excluded.lease_until, created_at = excluded.created_at, expires_at = excluded.expires_at,
            status = NULL, response = NULL, effect = NULL
        WHERE idempotency_keys.expires_at <= excluded.created_at
            OR (status IS NULL AND effect IS NULL AND fingerprint = excluded.fingerprint
                AND lease_until <= excluded.created_at)";
    /// Selects the state of a key.
    Get<'a> { scope: &'a str, key: &'a str } =
        "SELECT fingerprint, claim, lease_until, effect, status, response FROM idempotency_keys
        WHERE user_id = :scope AND key = :key";
    /// Records an effect (JSON) if the previous statement of the batch changed a row. If `:claim` no longer holds the
    /// key or already has an effect, the statement sets the column [`super::constraints::LOST_CLAIM`] to NULL, and the
    /// NOT NULL constraint fails the batch.
    RecordEffect<'a> { scope: &'a str, key: &'a str, claim: ClaimId, effect: &'a str, claimed_at: Timestamp } =
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at, expires_at)
        SELECT :scope, :key, (SELECT fingerprint FROM idempotency_keys
            WHERE user_id = :scope AND key = :key AND claim = :claim AND effect IS NULL), :claimed_at, :claimed_at
        WHERE changes() > 0
        ON CONFLICT (user_id, key) DO UPDATE SET effect = :effect";
    /// Stores the status and the response (JSON) for retries.
    Complete<'a> { scope: &'a str, key: &'a str, claim: ClaimId, status: u16, response: String } =
        "UPDATE idempotency_keys SET status = :status, response = :response
        WHERE user_id = :scope AND key = :key AND claim = :claim";
    /// Releases a key, unless an effect is recorded under it.
    Release<'a> { scope: &'a str, key: &'a str, claim: ClaimId } =
        "DELETE FROM idempotency_keys WHERE user_id = :scope AND key = :key AND claim = :claim AND effect IS NULL";
    /// Releases a key whose effect (JSON) was undone, unless a response is stored under it.
    ReleaseUndone<'a> { scope: &'a str, key: &'a str, effect: &'a str } =
        "DELETE FROM idempotency_keys WHERE user_id = :scope AND key = :key AND effect = :effect AND status IS NULL";
    /// Deletes at most `:limit` expired keys. Returns the deleted keys.
    DeleteExpired { now: Timestamp, limit: u64 } = "DELETE FROM idempotency_keys WHERE (user_id, key) IN
        (SELECT user_id, key FROM idempotency_keys WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit) RETURNING key";
}
