//! What the self-check reads, page by page. Every statement begins behind a key and has a limit.

/// The name of the first of these columns whose text is no time of the stored form, or NULL.
macro_rules! odd_time {
    ($($column:literal),+) => {
        concat!("CASE ", $("WHEN strftime('%Y-%m-%dT%H:%M:%fZ', ", $column, ") IS NOT ", $column,
            " THEN '", $column, "' ",)+ "END")
    };
}

/// At most ?3 rows of a table behind the key (?1, ?2): those with an odd time (`odd` names the column) or whose
/// `orphan` condition holds, and the last one (`n` = `total`).
macro_rules! rows_of {
    ($table:literal, $a:literal, $b:literal, [$($time:literal),+], orphan $orphan:literal) => {
        concat!("SELECT a, b, odd, orphan, n, total FROM
            (SELECT a, b, odd, orphan, row_number() OVER (ORDER BY a, b) AS n, count(*) OVER () AS total FROM
                (SELECT ", $a, " AS a, ", $b, " AS b, ", odd_time!($($time),+), " AS odd, ", $orphan, " AS orphan
                FROM ", $table, " WHERE ", $a, " >= ?1 AND (", $a, ", ", $b, ") > (?1, ?2)
                ORDER BY ", $a, ", ", $b, " LIMIT ?3))
            WHERE odd IS NOT NULL OR orphan OR n = total")
    };
    ($table:literal, $a:literal, $b:literal, [$($time:literal),+]) => {
        rows_of!($table, $a, $b, [$($time),+], orphan "0")
    };
}

statements! {
    /// At most ?2 kept files behind ?1.
    FILES = "SELECT id, r2_key, file_size, etag, checksum, damaged_at,
            EXISTS (SELECT 1 FROM quotas WHERE user_id = files.user_id) AS has_quota,
            EXISTS (SELECT 1 FROM gc_queue WHERE r2_key = files.r2_key) AS condemned
        FROM files WHERE lifecycle_status IN ('active', 'archived', 'deleted') AND id > ?1 ORDER BY id LIMIT ?2";
    /// At most ?2 files behind ?1 whose object must be named for collection.
    UNFINISHED = "SELECT id, r2_key, lifecycle_status,
            EXISTS (SELECT 1 FROM gc_queue WHERE r2_key = files.r2_key) AS named
        FROM files WHERE lifecycle_status IN ('pending', 'dead') AND id > ?1 ORDER BY id LIMIT ?2";
    /// Which of the keys in the JSON array ?1 belong to a kept file.
    KEPT_KEYS = "SELECT r2_key AS name FROM files WHERE r2_key IN (SELECT value FROM json_each(?1))
        AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Which of the keys in the JSON array ?1 are named for collection.
    NAMED_KEYS = "SELECT r2_key AS name FROM gc_queue WHERE r2_key IN (SELECT value FROM json_each(?1))";
    /// Which of the attempts in the JSON array ?1 belong to a kept file.
    KEPT_ATTEMPTS = "SELECT attempt AS name FROM files WHERE attempt IN (SELECT value FROM json_each(?1))
        AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Which of the attempts in the JSON array ?1 are named for collection.
    NAMED_ATTEMPTS = "SELECT attempt AS name FROM gc_queue WHERE attempt IN (SELECT value FROM json_each(?1))";
    /// At most ?2 quotas behind ?1, and what the files of their users come to.
    QUOTAS = "SELECT user_id, used_bytes, reserved_bytes,
            (SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = quotas.user_id
                AND lifecycle_status IN ('active', 'archived', 'deleted')) AS kept_bytes,
            (SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = quotas.user_id
                AND lifecycle_status = 'pending') AS pending_bytes
        FROM quotas WHERE user_id > ?1 ORDER BY user_id LIMIT ?2";
    /// At most ?2 uploads in several requests behind ?1, and the state of their file.
    UPLOADS = "SELECT upload_id, status, (SELECT lifecycle_status FROM files
                WHERE id = multipart_uploads.file_id AND user_id = multipart_uploads.user_id) AS file_status
        FROM multipart_uploads WHERE upload_id > ?1 ORDER BY upload_id LIMIT ?2";

    /// What an operator runs for a kept file ?1 that is named for collection.
    SPARE_FILE = "DELETE FROM gc_queue WHERE r2_key = (SELECT r2_key FROM files WHERE id = ?1)";
    /// What an operator runs for a pending or dead file ?1 that is not named for collection.
    NAME_FILE = "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'upload', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 day'),
            strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM files WHERE id = ?1";
    /// What an operator runs for an unfinished upload ?1 without a file.
    END_UPLOAD = "UPDATE multipart_uploads SET status = 'aborted' WHERE upload_id = ?1";

    /// Users.
    ROWS_USERS = rows_of!("users", "id", "''", ["created_at", "updated_at"]);
    /// Refresh tokens.
    ROWS_REFRESH_TOKENS = rows_of!("refresh_tokens", "jti", "''",
        ["issued_at", "expires_at", "rotated_at", "revoked_at"]);
    /// Lineage; an orphan has no child.
    ROWS_FILE_RELATIONSHIPS = rows_of!("file_relationships", "child_file_id", "parent_file_id", ["created_at"],
        orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = child_file_id)");
    /// Tags; an orphan has no file. They hold no time: NULL is none.
    ROWS_FILE_TAGS = rows_of!("file_tags", "file_id", "kind || '/' || tag", ["NULL"],
        orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
    /// Batches of a migration.
    ROWS_MIGRATION_BATCHES = rows_of!("migration_batches", "id", "''", ["created_at", "updated_at"]);
    /// Files of a migration.
    ROWS_MIGRATION_LEDGER = rows_of!("migration_ledger", "batch_id", "source_path", ["updated_at"]);
    /// Quotas.
    ROWS_QUOTAS = rows_of!("quotas", "user_id", "''", ["updated_at"]);
    /// Objects to be collected.
    ROWS_GC_QUEUE = rows_of!("gc_queue", "r2_key", "''", ["not_before", "deleted_at", "created_at"]);
    /// Commits; an orphan has no file, not even a tombstone.
    ROWS_COMMIT_MARKERS = rows_of!("commit_markers", "attempt", "''", ["committed_at"],
        orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
    /// Idempotency keys.
    ROWS_IDEMPOTENCY_KEYS = rows_of!("idempotency_keys", "user_id", "key", ["created_at", "expires_at", "lease_until"]);
    /// Receipts; an orphan has no file, not even a tombstone.
    ROWS_CUTS = rows_of!("cuts", "id", "''", ["created_at", "finished_at"],
        orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
    /// Jobs.
    ROWS_JOBS = rows_of!("jobs", "id", "''", ["created_at", "updated_at"]);
    /// Messages to be sent.
    ROWS_OUTBOX = rows_of!("outbox", "id", "''", ["created_at", "sent_at"]);
    /// Files, whatever their state.
    ROWS_FILES = rows_of!("files", "id", "''", ["created_at", "updated_at", "expires_at", "last_accessed", "deleted_at",
        "purge_after", "damaged_at", "scrubbed_at"]);
    /// Uploads in several requests.
    ROWS_MULTIPART_UPLOADS = rows_of!("multipart_uploads", "upload_id", "''",
        ["created_at", "expires_at", "completed_at"]);
    /// Their parts; the number as text, in which order a page goes on.
    ROWS_MULTIPART_PARTS = rows_of!("multipart_parts", "upload_id", "printf('%05d', part_number)", ["uploaded_at"]);
    /// The audit log.
    ROWS_FILE_ACCESS_LOGS = rows_of!("file_access_logs", "id", "''", ["timestamp"]);
    /// Reports of sweeps.
    ROWS_SWEEP_RUNS = rows_of!("sweep_runs", "id", "''", ["started_at", "finished_at"]);
    /// Where sweeps go on.
    ROWS_SWEEP_CURSORS = rows_of!("sweep_cursors", "kind", "''", ["updated_at"]);
    /// Findings of the scrub; an orphan has no file, not even a tombstone.
    ROWS_FINDINGS = rows_of!("findings", "id", "''", ["first_seen_at", "last_seen_at", "resolved_at"],
        orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
}

/// Every table with rows to check, and its statement.
pub const TABLES: [(&str, &str); 20] = [
    ("users", ROWS_USERS),
    ("refresh_tokens", ROWS_REFRESH_TOKENS),
    ("file_relationships", ROWS_FILE_RELATIONSHIPS),
    ("file_tags", ROWS_FILE_TAGS),
    ("migration_batches", ROWS_MIGRATION_BATCHES),
    ("migration_ledger", ROWS_MIGRATION_LEDGER),
    ("quotas", ROWS_QUOTAS),
    ("gc_queue", ROWS_GC_QUEUE),
    ("commit_markers", ROWS_COMMIT_MARKERS),
    ("idempotency_keys", ROWS_IDEMPOTENCY_KEYS),
    ("cuts", ROWS_CUTS),
    ("jobs", ROWS_JOBS),
    ("outbox", ROWS_OUTBOX),
    ("files", ROWS_FILES),
    ("multipart_uploads", ROWS_MULTIPART_UPLOADS),
    ("multipart_parts", ROWS_MULTIPART_PARTS),
    ("file_access_logs", ROWS_FILE_ACCESS_LOGS),
    ("sweep_runs", ROWS_SWEEP_RUNS),
    ("sweep_cursors", ROWS_SWEEP_CURSORS),
    ("findings", ROWS_FINDINGS),
];
