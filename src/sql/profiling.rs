//! The background pass that reads files for their profile and checksum. It goes by the attempt, which names bytes that
//! never change.

/// By time ?2: tried fewer than ?3 times, and as often again for every day since the file was stored.
macro_rules! may_be_tried {
    () => {
        "learn_tries < ?3 * (1 + julianday(?2) - julianday(created_at))"
    };
}

statements! {
    /// What is to be learned of attempt ?1, if its file is kept.
    FILE = "SELECT id, user_id, r2_key, file_size, etag, checksum, profile_bytes, encoding FROM files
        WHERE attempt = ?1 AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// A step begins, unless as many tries were made as are allowed.
    COUNT_TRY = concat!("UPDATE files SET learn_tries = learn_tries + 1 WHERE attempt = ?1 AND ", may_be_tried!(),
        " RETURNING id");
    /// The step got on.
    FORGIVE_TRY = "UPDATE files SET learn_tries = learn_tries - 1 WHERE attempt = ?1 AND learn_tries > 0";
    /// Where a pass of several steps stands.
    PROGRESS = "SELECT payload FROM jobs WHERE id = ?1";
    /// Notes where it stands.
    SAVE_PROGRESS = "INSERT INTO jobs (id, user_id, kind, payload, status, created_at, updated_at)
        VALUES (?1, ?2, 'learn', ?3, 'running', ?4, ?4)
        ON CONFLICT (id) DO UPDATE SET payload = ?3, updated_at = ?4";
    /// It is over.
    DROP_PROGRESS = "DELETE FROM jobs WHERE id = ?1";
    /// What was learned; a checksum that is known stays.
    LEARNED = "UPDATE files SET checksum = coalesce(checksum, ?2), row_count = ?3, column_count = ?4, columns = ?5,
            dialect = ?6, profile_bytes = ?7
        WHERE attempt = ?1 AND (profile_bytes IS NULL OR checksum IS NULL)";
    /// Files that nobody has learned from, oldest first: status ?1, stored before ?2, tried fewer than ?3 times, and as
    /// often again for every day since; but for those a pass is under way of.
    DUE = concat!("SELECT attempt FROM files WHERE lifecycle_status = ?1 AND created_at <= ?2 AND ", may_be_tried!(), "
        AND profile_bytes IS NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = attempt AND updated_at > ?2)
        ORDER BY created_at LIMIT ?4");
}
