//! Receipts of cuts.

use super::restriction::is_within_tag;
use super::statement::statements;
use crate::domain::ids::{CutId, FileId, UserId};
use crate::domain::time::Timestamp;

/// The receipts that a condition selects, the newest first. `found` is the number of receipts on the page without the
/// limit in bytes.
macro_rules! receipts {
    ($condition:literal) => {
        concat!(
            "SELECT id, file_id, status, recipe_sha256, rows_in, rows_out, bytes_in, bytes_skipped, bytes_out,
                rows_ragged, rows_rejected, checksum, error, details, created_at, finished_at, found,
                (SELECT nullif(filename, '') FROM files WHERE files.id = file_id AND user_id = :user) AS file_name
            FROM (SELECT *, count(*) OVER () AS found, sum(length(details) + length(coalesce(error, '')))
                    OVER (ORDER BY created_at DESC, id DESC) - length(details) AS bytes_before
                FROM (SELECT * FROM cuts WHERE ",
            $condition,
            " AND ",
            is_within_tag!("cuts.file_id"),
            " AND (:after_id IS NULL OR (created_at, id) < (:after_time, :after_id))
                    ORDER BY created_at DESC, id DESC LIMIT :limit))
            WHERE bytes_before < :most_bytes ORDER BY created_at DESC, id DESC"
        )
    };
}

statements! {
    /// Selects at most `:limit` receipts of `:user`, the newest first. The page begins after the receipt with the time
    /// `:after_time` and the id `:after_id`, and ends when it has `:most_bytes` bytes.
    List<'a> {
        user: &'a UserId,
        tag: Option<&'a str>,
        after_time: Option<&'a str>,
        after_id: Option<&'a str>,
        most_bytes: u64,
        limit: u64,
    } = receipts!("user_id = :user");
    /// Selects receipts of one file, like [`List`].
    ListOfFile<'a> {
        user: &'a UserId,
        tag: Option<&'a str>,
        file: FileId,
        after_time: Option<&'a str>,
        after_id: Option<&'a str>,
        most_bytes: u64,
        limit: u64,
    } = receipts!("file_id = :file AND user_id = :user");
    /// Inserts the receipt of a cut that has begun. `:details` is a JSON object.
    Start<'a> { cut: CutId, user: &'a UserId, file: FileId, recipe_sha256: &'a str, details: &'a str, now: Timestamp } =
        "INSERT INTO cuts (id, user_id, file_id, status, recipe, recipe_sha256, details, created_at)
        VALUES (:cut, :user, :file, 'running', '{}', :recipe_sha256, :details, :now)";
    /// Records in the receipt that the cut was saved as the file `:file`.
    MarkSaved<'a> { cut: CutId, user: &'a UserId, file: FileId } =
        "UPDATE cuts SET saved_file_id = :file WHERE id = :cut AND user_id = :user";
    /// Records the end of a cut: `:status` is `complete` or `failed`. Changes nothing if the end is recorded already.
    Finish<'a> {
        cut: CutId,
        status: &'a str,
        rows_in: u64,
        rows_out: u64,
        bytes_in: u64,
        bytes_out: u64,
        rows_ragged: u64,
        rows_rejected: u64,
        checksum: Option<&'a str>,
        error: Option<&'a str>,
        details: &'a str,
        now: Timestamp,
        bytes_skipped: u64,
    } = "UPDATE cuts SET status = :status, rows_in = :rows_in, rows_out = :rows_out, bytes_in = :bytes_in,
            bytes_out = :bytes_out, rows_ragged = :rows_ragged, rows_rejected = :rows_rejected, checksum = :checksum,
            error = :error, details = :details, finished_at = :now, bytes_skipped = :bytes_skipped
        WHERE id = :cut AND status = 'running'";
    /// Selects a receipt of `:user`.
    Get<'a> { cut: CutId, user: &'a UserId, tag: Option<&'a str> } = concat!("SELECT id, file_id, status, recipe_sha256, rows_in, rows_out, bytes_in,
            bytes_skipped, bytes_out, rows_ragged, rows_rejected, checksum, error, details, created_at, finished_at
        FROM cuts WHERE id = :cut AND user_id = :user AND ", is_within_tag!("cuts.file_id"));
    /// Sets the status of at most `:limit` cuts from `running` to `failed`. These cuts began at `:cutoff` or before, so
    /// no Worker can still be running them. Returns the ids of the cuts.
    FailStale { cutoff: Timestamp, now: Timestamp, limit: u64 } =
        "UPDATE cuts SET status = 'failed', error = 'interrupted', finished_at = :now
        WHERE id IN (SELECT id FROM cuts WHERE status = 'running' AND created_at <= :cutoff ORDER BY created_at
            LIMIT :limit)
        RETURNING id";
    /// Deletes at most `:limit` receipts of cuts that began at `:cutoff` or before and were not saved. Returns the ids
    /// of the receipts.
    Forget { cutoff: Timestamp, limit: u64 } = "DELETE FROM cuts WHERE id IN (SELECT id FROM cuts
            WHERE saved_file_id IS NULL AND created_at <= :cutoff ORDER BY created_at LIMIT :limit)
        RETURNING id";
}
