//! The statements of the self-check, and the repairs that an operator can run. A statement with the parameter `:limit`
//! selects one page of rows.

use super::statement::{statement_variants, statements};

/// Makes an SQL expression that checks columns with times. A value is right if it is NULL or a time in the stored form,
/// such as `2025-01-31T12:00:00.000Z`. The result of the expression is the name of the first column with a wrong value,
/// or NULL if all values are right.
macro_rules! odd_time {
    ($($column:literal),+) => {
        concat!("CASE ", $("WHEN strftime('%Y-%m-%dT%H:%M:%fZ', ", $column, ") IS NOT ", $column,
            " THEN '", $column, "' ",)+ "END")
    };
}

/// The SQL text of [`RowsToCheck`] for a table whose key has the columns `$a` and `$b`. An orphan is a row that is
/// useless because a row of another table is missing. `$orphan` is a condition that holds for each orphan.
macro_rules! rows_of {
    ($table:literal, $a:literal, $b:literal, [$($time:literal),+], orphan $orphan:literal) => {
        concat!("SELECT a, b, odd, orphan, n, total FROM
            (SELECT a, b, odd, orphan, row_number() OVER (ORDER BY a, b) AS n, count(*) OVER () AS total FROM
                (SELECT ", $a, " AS a, ", $b, " AS b, ", odd_time!($($time),+), " AS odd, ", $orphan, " AS orphan
                FROM ", $table, " WHERE ", $a, " >= :after_a AND (", $a, ", ", $b, ") > (:after_a, :after_b)
                ORDER BY ", $a, ", ", $b, " LIMIT :limit))
            WHERE odd IS NOT NULL OR orphan OR n = total")
    };
    ($table:literal, $a:literal, $b:literal, [$($time:literal),+]) => {
        rows_of!($table, $a, $b, [$($time),+], orphan "0")
    };
}

/// Makes SQL that computes each number in a row of `usage` from the user's rows. With `"json"`, the SQL is a list of
/// members for `json_object`. With `"set"`, it is a list of assignments for `UPDATE`.
macro_rules! counts {
    ("json") => {
        counts!("'", "', ")
    };
    ("set") => {
        counts!("", " = ")
    };
    ($open:literal, $close:literal) => {
        concat!(
            $open,
            "receipts",
            $close,
            "(SELECT count(*) FROM cuts WHERE user_id = usage.user_id AND saved_file_id IS NULL), ",
            $open,
            "recipe_bytes",
            $close,
            "(SELECT coalesce(sum(recipes.recipe_bytes), 0) FROM recipes WHERE user_id = usage.user_id), ",
            $open,
            "files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('pending', 'active', 'archived', 'deleted')), ",
            $open,
            "waiting_files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status = 'dead' AND etag IS NOT NULL), ",
            $open,
            "waiting_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files
                WHERE user_id = usage.user_id AND lifecycle_status = 'dead' AND etag IS NOT NULL), ",
            $open,
            "uploads",
            $close,
            "(SELECT count(*) FROM multipart_uploads WHERE user_id = usage.user_id), ",
            $open,
            "idempotency_keys",
            $close,
            "(SELECT count(*) FROM idempotency_keys WHERE user_id = usage.user_id), ",
            $open,
            "refresh_tokens",
            $close,
            "(SELECT count(*) FROM refresh_tokens WHERE user_id = usage.user_id), ",
            $open,
            "audit_entries",
            $close,
            "(SELECT count(*) FROM file_access_logs WHERE user_id = usage.user_id), ",
            $open,
            "spool_bytes",
            $close,
            "(SELECT coalesce(sum(spool_bytes), 0) FROM gc_queue
                WHERE user_id = usage.user_id AND spool_bytes > 0)"
        )
    };
}

/// Like [`counts`], for the numbers of kept files by kind. They are separate, because a function has at most 32 arguments in
/// D1.
macro_rules! kinds {
    ("json") => {
        kinds!("'", "', ")
    };
    ("set") => {
        kinds!("", " = ")
    };
    ($open:literal, $close:literal) => {
        concat!(
            $open,
            "upload_files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived') AND source = 'upload'), ",
            $open,
            "upload_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived') AND source = 'upload'), ",
            $open,
            "derived_files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived') AND source = 'cut'), ",
            $open,
            "derived_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived') AND source = 'cut'), ",
            $open,
            "import_files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived')
                    AND source IN ('import', 'migration')), ",
            $open,
            "import_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived')
                    AND source IN ('import', 'migration')), ",
            $open,
            "trash_files",
            $close,
            "(SELECT count(*) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status = 'deleted'), ",
            $open,
            "trash_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status = 'deleted'), ",
            $open,
            "infrequent_bytes",
            $close,
            "(SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = usage.user_id
                AND lifecycle_status IN ('active', 'archived', 'deleted') AND storage_class = 'InfrequentAccess')"
        )
    };
}

statements! {
    /// Selects at most `:limit` kept files, ordered by id. The page begins after the file with the id `:after`.
    KeptFiles<'a> { after: &'a str, limit: u64 } = "SELECT id, r2_key, file_size, etag, checksum, damaged_at,
            EXISTS (SELECT 1 FROM quotas WHERE user_id = files.user_id) AS has_quota,
            EXISTS (SELECT 1 FROM gc_queue WHERE r2_key = files.r2_key) AS condemned
        FROM files WHERE lifecycle_status IN ('active', 'archived', 'deleted') AND id > :after ORDER BY id LIMIT :limit";
    /// Selects at most `:limit` pending or dead files, ordered by id. The page begins after the file with the id
    /// `:after`. The objects of these files must be queued for collection.
    UnfinishedFiles<'a> { after: &'a str, limit: u64 } = "SELECT id, r2_key, lifecycle_status,
            EXISTS (SELECT 1 FROM gc_queue WHERE r2_key = files.r2_key) AS named
        FROM files WHERE lifecycle_status IN ('pending', 'dead') AND id > :after ORDER BY id LIMIT :limit";
    /// Selects those keys in a JSON array that are the keys of kept files or of segments of the audit log.
    KeptKeys<'a> { keys: &'a str } =
        "SELECT r2_key AS name FROM files WHERE r2_key IN (SELECT value FROM json_each(:keys))
            AND lifecycle_status IN ('active', 'archived', 'deleted')
        UNION ALL SELECT r2_key AS name FROM audit_segments WHERE r2_key IN (SELECT value FROM json_each(:keys))";
    /// Selects those keys in a JSON array that are queued for collection.
    QueuedKeys<'a> { keys: &'a str } =
        "SELECT r2_key AS name FROM gc_queue WHERE r2_key IN (SELECT value FROM json_each(:keys))";
    /// Selects those attempts in a JSON array that stored the bytes of a kept file.
    KeptAttempts<'a> { attempts: &'a str } =
        "SELECT attempt AS name FROM files WHERE attempt IN (SELECT value FROM json_each(:attempts))
        AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Selects those attempts in a JSON array whose objects are queued for collection.
    QueuedAttempts<'a> { attempts: &'a str } =
        "SELECT attempt AS name FROM gc_queue WHERE attempt IN (SELECT value FROM json_each(:attempts))";
    /// Selects at most `:limit` quotas, ordered by user. The page begins after the user `:after`. Each row also has the
    /// total size of the user's kept files and the total reservation of the user's pending files.
    Quotas<'a> { after: &'a str, limit: u64 } = "SELECT user_id, used_bytes, reserved_bytes,
            (SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = quotas.user_id
                AND lifecycle_status IN ('active', 'archived', 'deleted')) AS kept_bytes,
            (SELECT coalesce(sum(file_size), 0) FROM files WHERE user_id = quotas.user_id
                AND lifecycle_status = 'pending') AS pending_bytes
        FROM quotas WHERE user_id > :after ORDER BY user_id LIMIT :limit";
    /// Selects at most `:limit` rows of `usage`, ordered by user. The page begins after the user `:after`. `counted` is
    /// a JSON object with the numbers in the row. `found` is a JSON object with the same numbers, computed from the
    /// user's rows in the other tables.
    Usage<'a> { after: &'a str, limit: u64 } = concat!("SELECT user_id, json_patch(json_object('receipts', receipts,
            'recipe_bytes', recipe_bytes, 'files', files, 'waiting_files', waiting_files, 'waiting_bytes', waiting_bytes,
            'uploads', uploads, 'idempotency_keys', idempotency_keys, 'refresh_tokens', refresh_tokens,
            'audit_entries', audit_entries, 'spool_bytes', spool_bytes), json_object('upload_files', upload_files,
            'upload_bytes', upload_bytes, 'derived_files', derived_files, 'derived_bytes', derived_bytes,
            'import_files', import_files, 'import_bytes', import_bytes, 'trash_files', trash_files,
            'trash_bytes', trash_bytes, 'infrequent_bytes', infrequent_bytes)) AS counted,
            json_patch(json_object(", counts!("json"), "), json_object(", kinds!("json"), ")) AS found
        FROM usage WHERE user_id > :after ORDER BY user_id LIMIT :limit");
    /// Repair for operators: computes the numbers in a user's row of `usage` from the user's rows in the other tables.
    Recount<'a> { user: &'a str } = concat!("UPDATE usage SET ", counts!("set"), ", ", kinds!("set"), " WHERE user_id = :user");
    /// Selects at most `:limit` rows of `multipart_uploads`, ordered by id, each with the status of its file. The page
    /// begins after the upload with the id `:after`.
    Uploads<'a> { after: &'a str, limit: u64 } =
        "SELECT upload_id, status, (SELECT lifecycle_status FROM files
                WHERE id = multipart_uploads.file_id AND user_id = multipart_uploads.user_id) AS file_status
        FROM multipart_uploads WHERE upload_id > :after ORDER BY upload_id LIMIT :limit";

    /// Repair for operators: removes the object of a kept file from the collection queue.
    DequeueFile<'a> { file: &'a str } =
        "DELETE FROM gc_queue WHERE r2_key = (SELECT r2_key FROM files WHERE id = :file)";
    /// Repair for operators: queues the object of a pending or dead file for collection. The collection is due one day
    /// later.
    EnqueueFile<'a> { file: &'a str } =
        "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'upload', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 day'),
            strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM files WHERE id = :file";
    /// Repair for operators: ends an unfinished upload that has no file.
    EndUpload<'a> { upload: &'a str } =
        "UPDATE multipart_uploads SET status = 'aborted' WHERE upload_id = :upload";
}

statement_variants! {
    /// Reads a page of at most `:limit` rows of a table, ordered by key. The page begins after the row with the key
    /// (`:after_a`, `:after_b`). From this page, the statement selects three kinds of rows: each row with a time that
    /// is not in the stored form (`odd` names the column), each orphan, and the last row of the page (`n` = `total`).
    RowsToCheck<'a> { after_a: &'a str, after_b: &'a str, limit: u64 };
    /// Every table that the self-check reads, in the order of the check. The cursor of the self-check holds the
    /// position of a table in [`Table::ALL`].
    table: Table {
        /// Users.
        Users "users" = rows_of!("users", "id", "''",
            ["created_at", "updated_at", "tokens_after", "disabled_at", "email_verified_at", "deleted_at", "erase_at"]);
        /// Refresh tokens.
        RefreshTokens "refresh_tokens" = rows_of!("refresh_tokens", "jti", "''",
            ["issued_at", "expires_at", "rotated_at", "revoked_at", "started_at"]);
        /// Lineage. An orphan is a row whose child file does not exist.
        FileRelationships "file_relationships" = rows_of!("file_relationships", "child_file_id", "parent_file_id",
            ["created_at"],
            orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = child_file_id)");
        /// Tags. An orphan is a tag whose file does not exist. The table has no column with a time, so the statement
        /// checks the constant NULL.
        FileTags "file_tags" = rows_of!("file_tags", "file_id", "kind || '/' || tag", ["NULL"],
            orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
        /// Batches of a migration.
        MigrationBatches "migration_batches" = rows_of!("migration_batches", "id", "''", ["created_at", "updated_at"]);
        /// Files of a migration.
        MigrationLedger "migration_ledger" = rows_of!("migration_ledger", "batch_id", "source_path", ["updated_at"]);
        /// Quotas.
        Quotas "quotas" = rows_of!("quotas", "user_id", "''", ["updated_at"]);
        /// Objects that are queued for collection.
        GcQueue "gc_queue" = rows_of!("gc_queue", "r2_key", "''", ["not_before", "deleted_at", "created_at"]);
        /// Commit markers. An orphan is a marker whose file has no row, not even a tombstone.
        CommitMarkers "commit_markers" = rows_of!("commit_markers", "attempt", "''", ["committed_at"],
            orphan "NOT EXISTS (SELECT 1 FROM files WHERE id = file_id)");
        /// Idempotency keys.
        IdempotencyKeys "idempotency_keys" = rows_of!("idempotency_keys", "user_id", "key",
            ["created_at", "expires_at", "lease_until"]);
        /// Receipts. They have no orphans, because a receipt may stay longer than the tombstone of its file.
        Cuts "cuts" = rows_of!("cuts", "id", "''", ["created_at", "finished_at"]);
        /// Jobs.
        Jobs "jobs" = rows_of!("jobs", "id", "''", ["created_at", "updated_at"]);
        /// Messages that wait to be sent.
        Outbox "outbox" = rows_of!("outbox", "id", "''", ["created_at", "sent_at"]);
        /// Files in every status.
        Files "files" = rows_of!("files", "id", "''",
            ["created_at", "updated_at", "expires_at", "last_accessed", "deleted_at", "purge_after", "damaged_at", "scrubbed_at",
                "scanned_at"]);
        /// Uploads in several requests.
        MultipartUploads "multipart_uploads" = rows_of!("multipart_uploads", "upload_id", "''",
            ["created_at", "expires_at", "completed_at"]);
        /// Parts of uploads in several requests. Keys are compared as text, so the part number becomes text with
        /// leading zeros.
        MultipartParts "multipart_parts" = rows_of!("multipart_parts", "upload_id", "printf('%05d', part_number)",
            ["uploaded_at"]);
        /// The audit log.
        FileAccessLogs "file_access_logs" = rows_of!("file_access_logs", "id", "''", ["timestamp"]);
        /// The ends of the audit log's chain.
        AuditChain "audit_chain" = rows_of!("audit_chain", "id", "''", ["updated_at"]);
        /// Seals of the audit log.
        AuditSeals "audit_seals" = rows_of!("audit_seals", "first_seq", "''", ["sealed_at"]);
        /// Segments of the audit log.
        AuditSegments "audit_segments" = rows_of!("audit_segments", "r2_key", "''",
            ["oldest_at", "newest_at", "created_at"]);
        /// Reports of sweeps.
        SweepRuns "sweep_runs" = rows_of!("sweep_runs", "id", "''", ["started_at", "finished_at"]);
        /// Cursors of sweeps.
        SweepCursors "sweep_cursors" = rows_of!("sweep_cursors", "kind", "''", ["updated_at"]);
        /// Findings. An orphan is an open finding whose file has no row, not even a tombstone.
        Findings "findings" = rows_of!("findings", "id", "''", ["first_seen_at", "last_seen_at", "resolved_at"],
            orphan "(resolved_at IS NULL AND NOT EXISTS (SELECT 1 FROM files WHERE id = file_id))");
        /// Shares.
        Shares "shares" = rows_of!("shares", "id", "''", ["created_at", "expires_at", "revoked_at", "forget_at"]);
        /// Saved recipes.
        SavedRecipes "saved_recipes" = rows_of!("saved_recipes", "id", "''", ["created_at", "updated_at"]);
        /// Recipes. An orphan is a recipe that no receipt and no saved cut names.
        Recipes "recipes" = rows_of!("recipes", "sha256", "''", ["used_at"],
            orphan "NOT EXISTS (SELECT 1 FROM cuts WHERE recipe_sha256 = sha256)
                AND NOT EXISTS (SELECT 1 FROM file_relationships WHERE recipe_sha256 = sha256)");
        /// Erasures.
        Erasures "erasures" = rows_of!("erasures", "file_id", "''", ["erased_at", "next_at"]);
        /// API keys. An orphan is a key whose owner does not exist.
        ApiKeys "api_keys" = rows_of!("api_keys", "id", "''", ["created_at", "expires_at", "last_used_at"],
            orphan "NOT EXISTS (SELECT 1 FROM users WHERE users.id = user_id)");
        /// Secrets of API keys. An orphan is a secret whose key does not exist.
        ApiKeySecrets "api_key_secrets" = rows_of!("api_key_secrets", "hash", "''", ["created_at", "ends_at"],
            orphan "NOT EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = key_id)");
        /// Links that are sent by email. An orphan is a link whose user does not exist.
        EmailLinks "email_links" = rows_of!("email_links", "id", "''",
            ["created_at", "expires_at", "next_request_at", "send_at"],
            orphan "NOT EXISTS (SELECT 1 FROM users WHERE users.id = user_id)");
        /// The mailbox of a development server.
        Mailbox "mailbox" = rows_of!("mailbox", "id", "''", ["created_at"]);
        /// What users did, by month. The table has no column with a time, so the statement checks the constant NULL.
        UsageMonths "usage_months" = rows_of!("usage_months", "user_id", "month || '/' || action", ["NULL"]);
        /// What users stored, by day.
        StorageDays "storage_days" = rows_of!("storage_days", "user_id", "day", ["NULL"]);
        /// Switches that operators have set.
        Switches "switches" = rows_of!("switches", "name", "''", ["changed_at"]);
        /// Up to which entry the metrics count.
        MetricPosition "metric_position" = rows_of!("metric_position", "id", "''", ["NULL"]);
        /// Sums of operations.
        MetricSums "metric_sums" = rows_of!("metric_sums", "user_id", "step || '/' || at || '/' || action", ["at"]);
        /// Numbers of errors.
        MetricErrors "metric_errors" = rows_of!("metric_errors", "user_id", "step || '/' || at || '/' || code", ["at"]);
        /// Sketches of durations.
        MetricLatencies "metric_latencies" = rows_of!("metric_latencies", "user_id", "step || '/' || at || '/' || class",
            ["at"]);
        /// Sums since the beginning.
        MetricTotals "metric_totals" = rows_of!("metric_totals", "action", "code", ["NULL"]);
        /// What all users store now.
        MetricStored "metric_stored" = rows_of!("metric_stored", "id", "''", ["NULL"]);
        /// What all users stored.
        MetricGauges "metric_gauges" = rows_of!("metric_gauges", "step", "at", ["at"]);
    }
}
