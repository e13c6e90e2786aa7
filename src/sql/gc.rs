//! Objects that may have to go.

statements! {
    /// Names an object before its first byte.
    ENQUEUE = "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Names the object of a file that has just been killed.
    ENQUEUE_KILLED = "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'deleted', ?3, ?4 FROM files
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status = 'dead'
        ON CONFLICT (r2_key) DO NOTHING";
    /// Remembers the upload in parts that is under way for an object.
    SET_UPLOAD = "UPDATE gc_queue SET upload_id = ?2 WHERE r2_key = ?1 RETURNING r2_key";
    /// Brings a collection forward, but for the bytes of a file that was kept: those stay as long as is promised.
    HASTEN = "UPDATE gc_queue SET not_before = ?2 WHERE r2_key = ?1 AND reason <> 'deleted'";
    /// Nothing is left to collect.
    DROP = "DELETE FROM gc_queue WHERE r2_key = ?1";
    /// Nothing is left to collect of attempt ?2, unless its commit has happened or may still happen.
    DROP_UNLESS_KEPT = "DELETE FROM gc_queue WHERE r2_key = ?1
        AND NOT EXISTS (SELECT 1 FROM files WHERE attempt = ?2 AND lifecycle_status = 'pending')";
    /// What is due after the place (?2, ?3).
    DUE = "SELECT r2_key, file_id, attempt, user_id, upload_id, deleted_at, not_before FROM gc_queue
        WHERE not_before <= ?1 AND not_before >= ?2 AND (not_before, r2_key) > (?2, ?3)
        ORDER BY not_before, r2_key LIMIT ?4";
    /// Deleted once; to be deleted again at ?3.
    MARK_DELETED = "UPDATE gc_queue SET deleted_at = ?2, not_before = ?3 WHERE r2_key = ?1";
}
