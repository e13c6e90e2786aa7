//! Statements of the background pass, which reads files to compute their profile and checksum. The statements identify
//! a file by its attempt, because the bytes of an attempt never change.

use super::statement::statements;
use crate::domain::ids::{AttemptId, UserId};
use crate::domain::time::Timestamp;

/// Condition: at the time `$time`, the file has a try left. A file has `:max_tries` tries from the start, and gets
/// `:max_tries` more tries with each day that passes.
macro_rules! may_be_tried_at {
    ($time:literal) => {
        concat!("learn_tries < :max_tries * (1 + julianday(", $time, ") - julianday(created_at))")
    };
}

statements! {
    /// Selects the file of an attempt if the file is kept.
    GetFile { attempt: AttemptId } =
        "SELECT id, user_id, r2_key, file_size, etag, checksum, profile_bytes, encoding, dialect_options, mime_type FROM files
        WHERE attempt = :attempt AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Counts a try when a step begins. Returns no row if the file has no tries left.
    CountTry { attempt: AttemptId, now: Timestamp, max_tries: u64 } =
        concat!("UPDATE files SET learn_tries = learn_tries + 1 WHERE attempt = :attempt AND ", may_be_tried_at!(":now"),
        " RETURNING id");
    /// Subtracts the try of a step that made progress.
    SubtractTry { attempt: AttemptId } =
        "UPDATE files SET learn_tries = learn_tries - 1 WHERE attempt = :attempt AND learn_tries > 0";
    /// Selects the progress of a pass that needs several steps.
    GetProgress { attempt: AttemptId } = "SELECT payload FROM jobs WHERE id = :attempt";
    /// Saves the progress of a pass. `:progress` is JSON.
    SaveProgress<'a> { attempt: AttemptId, user: &'a UserId, progress: &'a str, now: Timestamp } =
        "INSERT INTO jobs (id, user_id, kind, payload, status, created_at, updated_at)
        VALUES (:attempt, :user, 'learn', :progress, 'running', :now, :now)
        ON CONFLICT (id) DO UPDATE SET payload = :progress, updated_at = :now";
    /// Deletes the progress of a finished pass.
    DropProgress { attempt: AttemptId } = "DELETE FROM jobs WHERE id = :attempt";
    /// Saves the results of a pass if the file is still kept, and if the owner has not changed its dialect since the
    /// pass began. A checksum that is already stored is not changed.
    SaveLearned<'a> {
        attempt: AttemptId,
        checksum: &'a str,
        row_count: Option<u64>,
        column_count: Option<u64>,
        columns: Option<&'a str>,
        dialect: Option<&'a str>,
        profile_bytes: Option<u64>,
        dialect_options: Option<&'a str>,
    } = "UPDATE files SET checksum = coalesce(checksum, :checksum), row_count = :row_count,
            column_count = :column_count, columns = :columns, dialect = :dialect, profile_bytes = :profile_bytes
        WHERE attempt = :attempt AND (profile_bytes IS NULL OR checksum IS NULL)
            AND dialect_options IS :dialect_options AND lifecycle_status IN ('active', 'archived', 'deleted')";
    /// Deletes the progress of at most `:limit` passes that have saved no progress after `:cutoff`. Returns the ids of
    /// the attempts.
    ForgetProgress { cutoff: Timestamp, limit: u64 } = "DELETE FROM jobs WHERE id IN
        (SELECT id FROM jobs WHERE status = 'running' AND updated_at <= :cutoff ORDER BY updated_at LIMIT :limit)
        RETURNING id";
    /// Selects at most `:limit` files, the oldest first. The files have the status `:status`, were stored at `:cutoff`
    /// or before, and have no profile. Leaves out files that a pass is reading and files that have no tries left.
    Due<'a> { status: &'a str, cutoff: Timestamp, max_tries: u64, limit: u64 } =
        concat!("SELECT attempt FROM files WHERE lifecycle_status = :status AND created_at <= :cutoff AND ",
        may_be_tried_at!(":cutoff"), "
        AND profile_bytes IS NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = attempt AND updated_at > :cutoff)
        ORDER BY created_at LIMIT :limit");
}
