//! The collection queue: objects that the sweep deletes, unless their attempts are committed first.

use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;

/// A subquery with one row: the free bytes in the quota of `:user`. Files, reservations and spools use the other bytes.
macro_rules! unused_bytes {
    () => {
        "(SELECT coalesce(max(quota_bytes), :default_quota_bytes)
                - coalesce(max(used_bytes + reserved_bytes), 0)
                - coalesce((SELECT spool_bytes FROM usage WHERE user_id = :user), 0) AS unused
            FROM quotas WHERE user_id = :user)"
    };
}

/// Expression: the reservation of a spool, at most `:wished_bytes`. `$held` is SQL text that stands after `unused`. For
/// an existing spool, this text adds the bytes that the spool has already reserved. If `:needed_bytes` do not fit into
/// the quota, the expression is NULL, and the NOT NULL constraint of `gc_queue.spool_bytes` fails the batch.
macro_rules! reserve_spool {
    () => {
        reserve_spool!("")
    };
    ($held:literal) => {
        concat!(
            "CASE WHEN :needed_bytes <= unused ",
            $held,
            " THEN min(:wished_bytes, unused ",
            $held,
            ") END"
        )
    };
}

statements! {
    /// Queues an object for collection from `:not_before` on. Must run before the first byte of the object is stored.
    Enqueue<'a> {
        key: &'a StorageKey,
        file: Option<FileId>,
        attempt: AttemptId,
        user: &'a UserId,
        reason: &'a str,
        not_before: Timestamp,
        now: Timestamp,
    } = "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        VALUES (:key, :file, :attempt, :user, :reason, :not_before, :now)";
    /// Queues an object of the service, which belongs to no user, for collection from `:not_before` on.
    EnqueueOfService<'a> { key: &'a StorageKey, attempt: AttemptId, not_before: Timestamp, now: Timestamp } =
        "INSERT INTO gc_queue (r2_key, attempt, user_id, reason, not_before, created_at)
        VALUES (:key, :attempt, '-', 'temporary', :not_before, :now)";
    /// Queues a spool for collection from `:not_before` on, and reserves bytes of the quota like [`GrowSpool`]. Must
    /// run before the first byte of the spool is stored.
    EnqueueSpool<'a> {
        key: &'a StorageKey,
        attempt: AttemptId,
        user: &'a UserId,
        needed_bytes: u64,
        wished_bytes: u64,
        default_quota_bytes: u64,
        not_before: Timestamp,
        now: Timestamp,
    } = concat!("INSERT INTO gc_queue (r2_key, attempt, user_id, reason, not_before, created_at, spool_bytes)
        SELECT :key, :attempt, :user, 'temporary', :not_before, :now, ", reserve_spool!(), " FROM ", unused_bytes!(), "
        RETURNING spool_bytes");
    /// Queues a temporary object with a label like [`EnqueueSpool`]. [`FindLabelled`] finds it until `:not_before`.
    EnqueueLabelled<'a> {
        key: &'a StorageKey,
        attempt: AttemptId,
        user: &'a UserId,
        label: &'a str,
        needed_bytes: u64,
        wished_bytes: u64,
        default_quota_bytes: u64,
        not_before: Timestamp,
        now: Timestamp,
    } = concat!("INSERT INTO gc_queue (r2_key, attempt, user_id, reason, label, not_before, created_at, spool_bytes)
        SELECT :key, :attempt, :user, 'temporary', :label, :not_before, :now, ", reserve_spool!(), " FROM ", unused_bytes!(), "
        RETURNING spool_bytes");
    /// Selects the newest object of `:user` with the label that is not yet due for collection.
    FindLabelled<'a> { label: &'a str, user: &'a UserId, now: Timestamp } =
        "SELECT r2_key FROM gc_queue WHERE label = :label AND user_id = :user AND not_before > :now
            AND deleted_at IS NULL ORDER BY not_before DESC LIMIT 1";
    /// Raises the reservation of a spool to `:wished_bytes`. If `:wished_bytes` do not fit into the quota, raises the
    /// reservation to the largest number that fits. This number is at least `:needed_bytes`. Returns the reservation.
    /// If not even `:needed_bytes` fit, the statement sets `gc_queue.spool_bytes` to NULL, and the NOT NULL constraint
    /// fails the batch.
    GrowSpool<'a> {
        key: &'a StorageKey,
        user: &'a UserId,
        needed_bytes: u64,
        wished_bytes: u64,
        default_quota_bytes: u64,
    } = concat!("UPDATE gc_queue SET spool_bytes = ", reserve_spool!("+ gc_queue.spool_bytes"), " FROM ", unused_bytes!(), "
        WHERE r2_key = :key AND user_id = :user RETURNING spool_bytes");
    /// Queues the object of a file of `:user` for collection if the file is permanently deleted (status `dead`). An
    /// earlier statement of the batch sets this status.
    EnqueueKilled<'a> { file: FileId, user: &'a UserId, not_before: Timestamp, now: Timestamp } =
        "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'deleted', :not_before, :now FROM files
        WHERE id = :file AND user_id = :user AND lifecycle_status = 'dead'
        ON CONFLICT (r2_key) DO NOTHING";
    /// Records the id of the R2 multipart upload that makes an object.
    SetUpload<'a> { key: &'a StorageKey, r2_upload: &'a str } =
        "UPDATE gc_queue SET upload_id = :r2_upload WHERE r2_key = :key RETURNING r2_key";
    /// Makes an object due for collection now. Does nothing if the file of the object was deleted permanently: this
    /// object stays until `PURGE_AFTER_DAYS` have passed.
    MakeDueNow<'a> { key: &'a StorageKey, now: Timestamp } =
        "UPDATE gc_queue SET not_before = :now WHERE r2_key = :key AND reason <> 'deleted'";
    /// Removes a key from the queue, because its file is committed or its object is deleted.
    DropKey<'a> { key: &'a StorageKey } = "DELETE FROM gc_queue WHERE r2_key = :key";
    /// Removes from the queue the key of an attempt that stored no bytes. Does nothing while `:attempt` is pending,
    /// because the attempt can still be committed.
    DropKeyUnlessPending<'a> { key: &'a StorageKey, attempt: AttemptId } = "DELETE FROM gc_queue WHERE r2_key = :key
        AND NOT EXISTS (SELECT 1 FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')";
    /// Selects at most `:limit` objects that are due, ordered by due time and key. The page begins after the object
    /// with the due time `:after_time` and the key `:after_key`.
    Due<'a> { now: Timestamp, after_time: &'a str, after_key: &'a str, limit: u64 } =
        "SELECT r2_key, file_id, attempt, user_id, upload_id, deleted_at, not_before FROM gc_queue
        WHERE not_before <= :now AND not_before >= :after_time AND (not_before, r2_key) > (:after_time, :after_key)
        ORDER BY not_before, r2_key LIMIT :limit";
    /// Records that an object was deleted. At `:not_before` the object is due again, and the sweep deletes it once
    /// more.
    MarkDeleted<'a> { key: &'a StorageKey, now: Timestamp, not_before: Timestamp } =
        "UPDATE gc_queue SET deleted_at = :now, not_before = :not_before, spool_bytes = 0 WHERE r2_key = :key";
}
