//! The collection queue: objects that the sweep deletes unless they are committed first.

use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;

statements! {
    /// Queues an object for collection from `:not_before` on. Runs before the first byte of the object is stored.
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
    /// Queues the object of a file of `:user` that an earlier statement of the batch has made dead.
    EnqueueKilled<'a> { file: FileId, user: &'a UserId, not_before: Timestamp, now: Timestamp } =
        "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'deleted', :not_before, :now FROM files
        WHERE id = :file AND user_id = :user AND lifecycle_status = 'dead'
        ON CONFLICT (r2_key) DO NOTHING";
    /// Sets the id of R2's multipart upload that makes an object.
    SetUpload<'a> { key: &'a StorageKey, r2_upload: &'a str } =
        "UPDATE gc_queue SET upload_id = :r2_upload WHERE r2_key = :key RETURNING r2_key";
    /// Makes an object due for collection now, unless its file was kept and then deleted: those bytes stay for the
    /// promised time.
    MakeDueNow<'a> { key: &'a StorageKey, now: Timestamp } =
        "UPDATE gc_queue SET not_before = :now WHERE r2_key = :key AND reason <> 'deleted'";
    /// Removes a key from the queue when nothing is left to collect.
    DropKey<'a> { key: &'a StorageKey } = "DELETE FROM gc_queue WHERE r2_key = :key";
    /// Removes a key from the queue when nothing is left to collect, unless `:attempt` is still pending and may be
    /// committed.
    DropKeyUnlessPending<'a> { key: &'a StorageKey, attempt: AttemptId } = "DELETE FROM gc_queue WHERE r2_key = :key
        AND NOT EXISTS (SELECT 1 FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')";
    /// Selects at most `:limit` objects that are due, after (`:after_time`, `:after_key`).
    Due<'a> { now: Timestamp, after_time: &'a str, after_key: &'a str, limit: u64 } =
        "SELECT r2_key, file_id, attempt, user_id, upload_id, deleted_at, not_before FROM gc_queue
        WHERE not_before <= :now AND not_before >= :after_time AND (not_before, r2_key) > (:after_time, :after_key)
        ORDER BY not_before, r2_key LIMIT :limit";
    /// Records that an object was deleted. At `:not_before` the object is due again, to be deleted a second time.
    MarkDeleted<'a> { key: &'a StorageKey, now: Timestamp, not_before: Timestamp } =
        "UPDATE gc_queue SET deleted_at = :now, not_before = :not_before WHERE r2_key = :key";
}
