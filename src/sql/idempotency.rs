//! Idempotency keys: who holds one, what came of it. A key belongs to a scope: a user, or what stands for one.

statements! {
    /// Takes key ?2 of scope ?1 for claim ?4: a new one, an expired one, or one whose holder's lease ran out without
    /// an effect. A later try of another request never takes over.
    CLAIM = "INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, lease_until, created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim,
            lease_until = excluded.lease_until, created_at = excluded.created_at, expires_at = excluded.expires_at,
            status = NULL, response = NULL, effect = NULL
        WHERE idempotency_keys.expires_at <= excluded.created_at
            OR (status IS NULL AND effect IS NULL AND fingerprint = excluded.fingerprint
                AND lease_until <= excluded.created_at)";
    /// What is known of a key.
    GET = "SELECT fingerprint, claim, lease_until, effect, status, response FROM idempotency_keys
        WHERE user_id = ?1 AND key = ?2";
    /// Records effect ?4, if the statement before it changed a row; fails the batch on [`super::constraints::LOST_CLAIM`] unless claim ?3 still
    /// holds the key and has had no effect yet.
    RECORD_EFFECT = "INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at, expires_at)
        SELECT ?1, ?2, (SELECT fingerprint FROM idempotency_keys
            WHERE user_id = ?1 AND key = ?2 AND claim = ?3 AND effect IS NULL), ?5, ?5
        WHERE changes() > 0
        ON CONFLICT (user_id, key) DO UPDATE SET effect = ?4";
    /// Keeps the answer for those who ask again.
    COMPLETE = "UPDATE idempotency_keys SET status = ?4, response = ?5
        WHERE user_id = ?1 AND key = ?2 AND claim = ?3";
    /// Gives a key back, unless what it was taken for has happened.
    RELEASE = "DELETE FROM idempotency_keys WHERE user_id = ?1 AND key = ?2 AND claim = ?3 AND effect IS NULL";
    /// Gives back a key whose effect ?3 has been undone.
    TAKE_BACK = "DELETE FROM idempotency_keys WHERE user_id = ?1 AND key = ?2 AND effect = ?3 AND status IS NULL";
    /// Forgets at most ?2 keys that expired by ?1. Answers which.
    DELETE_EXPIRED = "DELETE FROM idempotency_keys WHERE (user_id, key) IN
        (SELECT user_id, key FROM idempotency_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2) RETURNING key";
}
