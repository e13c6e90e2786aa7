//! Deletion of accounts. One statement makes the account unreachable and erases its name, its email and its password. The
//! other statements end or erase the rows of a deleted account, a bounded number of rows at a time. They change nothing
//! unless the account is deleted.

use super::statement::statements;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;

/// Condition: the account of `:user` is deleted.
macro_rules! is_deleted {
    () => {
        "EXISTS (SELECT 1 FROM users WHERE id = :user AND deleted_at IS NOT NULL)"
    };
}

/// A subquery: the ids of at most `:limit` kept files of `:user` with the status `:status`, the oldest first.
macro_rules! page {
    ($column:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM files WHERE user_id = :user AND lifecycle_status = :status
                AND lifecycle_status IN ('active', 'archived', 'deleted') AND ",
            is_deleted!(),
            " ORDER BY created_at, id LIMIT :limit)"
        )
    };
}

statements! {
    /// Deletes an account if the password hash is still `:hash`. Returns its id. The row stays as a tombstone, whose
    /// username has a colon, so nobody can register it.
    Close<'a> { user: &'a UserId, hash: Option<&'a str>, tokens_after: Timestamp, now: Timestamp } =
        "UPDATE users SET username = 'deleted:' || id, email = NULL, password_hash = NULL, role = 'user',
            email_verified_at = NULL, tokens_after = :tokens_after, updated_at = :now, disabled_at = :now,
            deleted_at = :now, erase_at = :now
        WHERE id = :user AND password_hash IS :hash AND disabled_at IS NULL RETURNING id";
    /// Selects at most `:limit` deleted accounts with data to erase, ordered by due time and id. The page begins after
    /// the account with the due time `:after_time` and the id `:after_id`.
    Due<'a> { now: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT id, deleted_at, erase_at FROM users
        WHERE erase_at <= :now AND erase_at >= :after_time AND (erase_at, id) > (:after_time, :after_id)
        ORDER BY erase_at, id LIMIT :limit";
    /// Sets the time at which the erasure continues; NULL if nothing is left to erase.
    SetNext<'a> { user: &'a UserId, next_at: Option<Timestamp> } =
        "UPDATE users SET erase_at = :next_at WHERE id = :user AND deleted_at IS NOT NULL";

    /// Releases the reservations of the unfinished uploads. Must run before [`KillPending`].
    ReleasePending<'a> { user: &'a UserId, now: Timestamp } = concat!("UPDATE quotas SET updated_at = :now,
            reserved_bytes = reserved_bytes - (SELECT coalesce(sum(file_size), 0) FROM files
                WHERE user_id = :user AND lifecycle_status = 'pending')
        WHERE user_id = :user AND ", is_deleted!());
    /// Makes the objects of the unfinished uploads due for collection. Must run before [`KillPending`].
    CollectPending<'a> { user: &'a UserId, now: Timestamp } = concat!("UPDATE gc_queue SET not_before = :now
        WHERE r2_key IN (SELECT r2_key FROM files WHERE user_id = :user AND lifecycle_status = 'pending')
            AND reason <> 'deleted' AND ", is_deleted!());
    /// Makes the files of the unfinished uploads dead, so that they can no longer be committed.
    KillPending<'a> { user: &'a UserId } = concat!("UPDATE files SET lifecycle_status = 'dead'
        WHERE user_id = :user AND lifecycle_status = 'pending' AND ", is_deleted!());
    /// Ends the unfinished uploads in several requests.
    EndUploads<'a> { user: &'a UserId, now: Timestamp } = concat!("UPDATE multipart_uploads
        SET status = 'aborted', completed_at = :now
        WHERE user_id = :user AND status IN ('open', 'completing') AND ", is_deleted!());

    /// Queues the objects of at most `:limit` kept files with the status `:status` for collection. [`ReleaseKept`] and
    /// [`KillKept`] follow in the same batch, in this order, with the same status and limit.
    CollectKept<'a> { user: &'a UserId, status: &'a str, limit: u64, not_before: Timestamp, now: Timestamp } =
        concat!("INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'deleted', :not_before, :now FROM files WHERE id IN ", page!("id"), "
        ON CONFLICT (r2_key) DO NOTHING");
    /// Releases the used bytes of these files.
    ReleaseKept<'a> { user: &'a UserId, status: &'a str, limit: u64, now: Timestamp } =
        concat!("UPDATE quotas SET updated_at = :now,
            used_bytes = used_bytes - (SELECT coalesce(sum(file_size), 0) FROM ", page!("file_size"), ")
        WHERE user_id = :user");
    /// Deletes these files permanently. Returns their ids.
    KillKept<'a> { user: &'a UserId, status: &'a str, limit: u64, purge_after: Timestamp, now: Timestamp } =
        concat!("UPDATE files SET lifecycle_status = 'dead', updated_at = :now, purge_after = :purge_after,
            revision = revision + 1
        WHERE id IN ", page!("id"), " RETURNING id");

    /// Deletes at most `:limit` tokens. Returns their ids.
    DeleteTokens<'a> { user: &'a UserId, limit: u64 } = concat!("DELETE FROM refresh_tokens WHERE jti IN
        (SELECT jti FROM refresh_tokens WHERE user_id = :user AND ", is_deleted!(), " LIMIT :limit) RETURNING jti");
    /// Deletes the links that were sent by email.
    DeleteLinks<'a> { user: &'a UserId } =
        concat!("DELETE FROM email_links WHERE user_id = :user AND ", is_deleted!());
    /// Deletes at most `:limit` saved recipes. Returns their ids.
    DeleteSavedRecipes<'a> { user: &'a UserId, limit: u64 } = concat!("DELETE FROM saved_recipes WHERE id IN
        (SELECT id FROM saved_recipes WHERE user_id = :user AND ", is_deleted!(), " LIMIT :limit) RETURNING id");
    /// Deletes the API keys with their secrets.
    DeleteApiKeys<'a> { user: &'a UserId } =
        concat!("DELETE FROM api_keys WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the shares of the account.
    DeleteShares<'a> { user: &'a UserId } =
        concat!("DELETE FROM shares WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the shares of other accounts with this account.
    DeleteGrants<'a> { user: &'a UserId } =
        concat!("DELETE FROM shares WHERE grantee_id = :user AND revoked_at IS NULL AND ", is_deleted!());
    /// Deletes at most `:limit` receipts. Returns their ids. A trigger deletes recipes that nothing names any more.
    DeleteReceipts<'a> { user: &'a UserId, limit: u64 } = concat!("DELETE FROM cuts WHERE id IN
        (SELECT id FROM cuts WHERE user_id = :user AND ", is_deleted!(), " LIMIT :limit) RETURNING id");
    /// Deletes at most `:limit` idempotency keys with their stored responses. Returns the keys.
    DeleteKeys<'a> { user: &'a UserId, limit: u64 } = concat!("DELETE FROM idempotency_keys WHERE user_id = :user
            AND key IN (SELECT key FROM idempotency_keys WHERE user_id = :user AND ", is_deleted!(), " LIMIT :limit)
        RETURNING key");
    /// Deletes at most `:limit` ended uploads, with their filenames and parts. Returns their ids.
    DeleteUploads<'a> { user: &'a UserId, limit: u64 } = concat!("DELETE FROM multipart_uploads WHERE upload_id IN
        (SELECT upload_id FROM multipart_uploads WHERE user_id = :user
            AND status IN ('completed', 'aborted', 'expired') AND ", is_deleted!(), " LIMIT :limit) RETURNING upload_id");
    /// Erases the addresses, the user agents and the error texts in at most `:limit` entries of the audit log. Returns
    /// their ids.
    EraseEntries<'a> { user: &'a UserId, limit: u64 } =
        concat!("UPDATE file_access_logs SET ip_address = NULL, user_agent = NULL, error_message = NULL,
            caller_salt = NULL, message_salt = NULL WHERE id IN
        (SELECT id FROM file_access_logs WHERE user_id = :user
            AND (ip_address IS NOT NULL OR user_agent IS NOT NULL OR error_message IS NOT NULL)
            AND ", is_deleted!(), " LIMIT :limit)
        RETURNING id");
    /// Deletes what the account did, by month.
    DeleteMonths<'a> { user: &'a UserId } =
        concat!("DELETE FROM usage_months WHERE user_id = :user AND ", is_deleted!());
    /// Deletes what the account stored, by day.
    DeleteDays<'a> { user: &'a UserId } =
        concat!("DELETE FROM storage_days WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the sums of the account's operations.
    DeleteSums<'a> { user: &'a UserId } =
        concat!("DELETE FROM metric_sums WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the numbers of the account's errors.
    DeleteErrors<'a> { user: &'a UserId } =
        concat!("DELETE FROM metric_errors WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the sketches of the account's durations.
    DeleteLatencies<'a> { user: &'a UserId } =
        concat!("DELETE FROM metric_latencies WHERE user_id = :user AND ", is_deleted!());
    /// Deletes the quota of an account without files.
    DeleteQuota<'a> { user: &'a UserId } = concat!("DELETE FROM quotas WHERE user_id = :user AND used_bytes = 0
            AND reserved_bytes = 0 AND NOT EXISTS (SELECT 1 FROM files WHERE user_id = :user
                AND lifecycle_status IN ('pending', 'active', 'archived', 'deleted')) AND ", is_deleted!());
}
