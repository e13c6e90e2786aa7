//! Receipts of cuts.

statements! {
    /// A cut has begun.
    START = "INSERT INTO cuts (id, user_id, file_id, status, recipe, details, created_at)
        VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6)";
    /// A cut has ended, one way or the other; the first end counts.
    FINISH = "UPDATE cuts SET status = ?2, rows_in = ?3, rows_out = ?4, bytes_in = ?5, bytes_out = ?6, rows_ragged = ?7,
            rows_rejected = ?8, checksum = ?9, error = ?10, details = ?11, finished_at = ?12,
            bytes_skipped = ?13
        WHERE id = ?1 AND status = 'running'";
    /// A receipt, for its owner.
    GET = "SELECT id, file_id, status, recipe, rows_in, rows_out, bytes_in, bytes_skipped, bytes_out, rows_ragged, rows_rejected,
            checksum, error, details, created_at, finished_at
        FROM cuts WHERE id = ?1 AND user_id = ?2";
    /// Cuts that never said how they ended: whoever ran them is gone.
    FAIL_STALE = "UPDATE cuts SET status = 'failed', error = 'interrupted', finished_at = ?2
        WHERE id IN (SELECT id FROM cuts WHERE status = 'running' AND created_at <= ?1 ORDER BY created_at LIMIT ?3)
        RETURNING id";
}
