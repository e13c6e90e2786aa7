//! What the sweeps did, how far they are, and what the scrub found.

/// The columns of a [`crate::sweeps::report::SweepRun`].
macro_rules! run_columns {
    () => {
        "id, kind, started_at, finished_at, cursor, examined, changed, failed, error, details"
    };
}

/// The columns of a [`crate::integrity::findings::Finding`].
macro_rules! finding_columns {
    () => {
        "id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details, resolved_at"
    };
}

statements! {
    /// Where a sweep goes on.
    CURSOR = "SELECT cursor FROM sweep_cursors WHERE kind = ?1";
    /// Where the next run of a sweep begins.
    SET_CURSOR = "INSERT INTO sweep_cursors (kind, cursor, updated_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (kind) DO UPDATE SET cursor = excluded.cursor, updated_at = excluded.updated_at";
    /// What a run did. A repeat changes nothing.
    INSERT_RUN = concat!("INSERT INTO sweep_runs (", run_columns!(), ")
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING");
    /// At most ?2 runs before run ?1, newest first.
    RUNS = concat!("SELECT ", run_columns!(), " FROM sweep_runs WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    /// At most ?2 runs of kind ?3 before run ?1, newest first.
    RUNS_OF_KIND = concat!("SELECT ", run_columns!(), " FROM sweep_runs WHERE id < ?1 AND kind = ?3
        ORDER BY id DESC LIMIT ?2");
    /// Forgets at most ?2 runs with an id below ?1. Answers which.
    DELETE_RUNS = "DELETE FROM sweep_runs WHERE id IN
        (SELECT id FROM sweep_runs WHERE id < ?1 ORDER BY id LIMIT ?2) RETURNING id";

    /// Kept files whose last look was before ?1, after the place (?2, ?3), the longest ago first.
    TO_SCRUB = "SELECT id, user_id, r2_key, file_size, checksum, etag, attempt, damaged_at,
            coalesce(scrubbed_at, created_at) AS last_look
        FROM files
        WHERE lifecycle_status IN ('active', 'archived', 'deleted')
            AND coalesce(scrubbed_at, created_at) <= ?1
            AND coalesce(scrubbed_at, created_at) >= ?2 AND (coalesce(scrubbed_at, created_at), id) > (?2, ?3)
        ORDER BY coalesce(scrubbed_at, created_at), id LIMIT ?4";
    /// The attempts in the JSON array ?1 have been looked at.
    MARK_SCRUBBED = "UPDATE files SET scrubbed_at = ?2 WHERE attempt IN (SELECT value FROM json_each(?1))";
    /// The bytes of attempt ?1 are damaged; the first time counts.
    MARK_DAMAGED = "UPDATE files SET damaged_at = coalesce(damaged_at, ?2) WHERE attempt = ?1";
    /// The bytes of the attempts in the JSON array ?1 are whole, whatever was found before.
    CLEAR_DAMAGED = "UPDATE files SET damaged_at = NULL
        WHERE attempt IN (SELECT value FROM json_each(?1)) AND damaged_at IS NOT NULL";

    /// What was found; the same thing found again is seen once more.
    RECORD_FINDING = "INSERT INTO findings
            (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
        ON CONFLICT (file_id, kind) WHERE resolved_at IS NULL
        DO UPDATE SET last_seen_at = excluded.last_seen_at, details = excluded.details";
    /// What was found of file ?1 before is not what is found now, ?2.
    RESOLVE_OTHER_FINDINGS = "UPDATE findings SET resolved_at = ?3
        WHERE file_id = ?1 AND kind <> ?2 AND resolved_at IS NULL";
    /// Nothing that was found of the files in the JSON array ?1 holds any more.
    RESOLVE_FINDINGS_OF_FILES = "UPDATE findings SET resolved_at = ?2
        WHERE file_id IN (SELECT value FROM json_each(?1)) AND resolved_at IS NULL";
    /// At most ?2 findings before ?1, newest first.
    FINDINGS = concat!("SELECT ", finding_columns!(), " FROM findings WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    /// At most ?2 open findings before ?1, newest first.
    OPEN_FINDINGS = concat!("SELECT ", finding_columns!(), " FROM findings
        WHERE id < ?1 AND resolved_at IS NULL ORDER BY id DESC LIMIT ?2");
    /// A finding.
    FINDING = concat!("SELECT ", finding_columns!(), " FROM findings WHERE id = ?1");
    /// An operator says that finding ?1 holds no more.
    RESOLVE_FINDING = "UPDATE findings SET resolved_at = ?2 WHERE id = ?1 AND resolved_at IS NULL";
    /// The file of finding ?1 may be read again if nothing else is open of it, and is looked at next (?2: the dawn of
    /// time).
    TRUST_FILE_OF_FINDING = "UPDATE files SET damaged_at = NULL, scrubbed_at = ?2
        WHERE id = (SELECT file_id FROM findings WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM findings WHERE file_id = files.id AND resolved_at IS NULL)";
}
