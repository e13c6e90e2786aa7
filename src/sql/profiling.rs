//! The background pass that reads files for their profile and checksum. It goes by the attempt, which names bytes that
//! never change.

use super::statement::statements;
use crate::domain::ids::{AttemptId, UserId};
use crate::domain::time::Timestamp;

/// Whether a file may be tried at a time, which is a parameter: it was tried fewer than `:most_tries` times, and as often
/// again for every day since it was stored.
macro_rules! may_be_tried_at {
    ($time:literal) => {
        concat!("learn_tries < :most_tries * (1 + julianday(", $time, ") - julianday(created_at))")
    };
}

statements! {
    /// Selects what is to be learned of an attempt, if its file is kept.
    GetFile { attempt: AttemptId } =
        "SELECT id, user_id, r2_key, file_size, etag, checksum, profile_bytes, encoding FROM files
        WHERE attempt = :attempt AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Counts a try when a step begins. Answers nothing when the file has been tried as often as is allowed.
    CountTry { attempt: AttemptId, now: Timestamp, most_tries: u64 } =
        concat!("UPDATE files SET learn_tries = learn_tries + 1 WHERE attempt = :attempt AND ", may_be_tried_at!(":now"),
        " RETURNING id");
    /// Takes one try back, because the step made progress.
    ForgiveTry { attempt: AttemptId } =
        "UPDATE files SET learn_tries = learn_tries - 1 WHERE attempt = :attempt AND learn_tries > 0";
    /// Selects how far a pass of several steps is.
    GetProgress { attempt: AttemptId } = "SELECT payload FROM jobs WHERE id = :attempt";
    /// Notes how far the pass is. `:progress` is JSON.
    SaveProgress<'a> { attempt: AttemptId, user: &'a UserId, progress: &'a str, now: Timestamp } =
        "INSERT INTO jobs (id, user_id, kind, payload, status, created_at, updated_at)
        VALUES (:attempt, :user, 'learn', :progress, 'running', :now, :now)
        ON CONFLICT (id) DO UPDATE SET payload = :progress, updated_at = :now";
    /// Forgets how far the pass is: it is over.
    DropProgress { attempt: AttemptId } = "DELETE FROM jobs WHERE id = :attempt";
    /// Notes what was learned. A known checksum stays.
    SaveLearned<'a> {
        attempt: AttemptId,
        checksum: &'a str,
        row_count: Option<u64>,
        column_count: Option<u64>,
        columns: Option<&'a str>,
        dialect: Option<&'a str>,
        profile_bytes: Option<u64>,
    } = "UPDATE files SET checksum = coalesce(checksum, :checksum), row_count = :row_count,
            column_count = :column_count, columns = :columns, dialect = :dialect, profile_bytes = :profile_bytes
        WHERE attempt = :attempt AND (profile_bytes IS NULL OR checksum IS NULL)";
    /// Selects at most `:limit` files of a status that have waited for their profile since `:cutoff` or longer, the oldest
    /// first. Leaves out files that a pass reads and files that were tried too often.
    Due<'a> { status: &'a str, cutoff: Timestamp, most_tries: u64, limit: u64 } =
        concat!("SELECT attempt FROM files WHERE lifecycle_status = :status AND created_at <= :cutoff AND ",
        may_be_tried_at!(":cutoff"), "
        AND profile_bytes IS NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = attempt AND updated_at > :cutoff)
        ORDER BY created_at LIMIT :limit");
}
