//! The quota of each user: its limit, and the used and reserved bytes.

use super::restriction::is_within_tag;
use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::time::Timestamp;

/// Assignments that reserve `$more` bytes. If the bytes do not fit, an assignment sets its column to NULL, and the NOT
/// NULL constraint of this column fails the batch:
///
/// - `quotas.reserved_bytes` if the bytes do not fit into the quota.
/// - `quotas.updated_at` if the bytes fit into the quota, but the bytes that wait for the purge leave no space. The sum
///   of the waiting bytes and the bytes that count against the quota may exceed the quota by at most the purge allowance:
///   `purge_allowance_bytes` or, if that is NULL, `:waiting_percent` percent of the quota.
macro_rules! admit_bytes {
    ($more:literal) => {
        concat!(
            "reserved_bytes = CASE WHEN used_bytes + reserved_bytes + spooled + ",
            $more,
            " <= coalesce(quota_bytes, :default_quota_bytes) THEN reserved_bytes + ",
            $more,
            " END,
        updated_at = CASE WHEN used_bytes + reserved_bytes + spooled + ",
            $more,
            " + waiting <= coalesce(quota_bytes, :default_quota_bytes) + coalesce(purge_allowance_bytes,
            coalesce(quota_bytes, :default_quota_bytes) * :waiting_percent / 100) THEN :now END"
        )
    };
}

/// A subquery with one row: the numbers in `usage` that limit how much `:user` may store.
macro_rules! counted {
    () => {
        "(SELECT coalesce(max(files), 0) AS kept, coalesce(max(waiting_files), 0) AS waiting_kept,
            coalesce(max(waiting_bytes), 0) AS waiting, coalesce(max(spool_bytes), 0) AS spooled,
            coalesce(max(upload_files), 0) AS upload_files, coalesce(max(upload_bytes), 0) AS upload_bytes,
            coalesce(max(derived_files), 0) AS derived_files, coalesce(max(derived_bytes), 0) AS derived_bytes,
            coalesce(max(import_files), 0) AS import_files, coalesce(max(import_bytes), 0) AS import_bytes,
            coalesce(max(trash_files), 0) AS trash_files, coalesce(max(trash_bytes), 0) AS trash_bytes
            FROM usage WHERE usage.user_id = :user)"
    };
}

statements! {
    /// Inserts the quota row of a user if there is none.
    Ensure<'a> { user: &'a UserId, now: Timestamp } =
        "INSERT INTO quotas (user_id, updated_at) VALUES (:user, :now) ON CONFLICT (user_id) DO NOTHING";
    /// Reserves bytes for a new file. `:default_quota_bytes` is the quota of a user whose row has none. In three cases,
    /// the statement sets a column to NULL, and the NOT NULL constraint of this column fails the batch:
    ///
    /// - `quotas.used_bytes` if the user already has the maximum number of files. One maximum is `quota_files` pending
    ///   and kept files, or `:most_files` if `quota_files` is NULL. The second maximum is twice as many pending, kept and
    ///   waiting files. A waiting file is a permanently deleted file that waits for its purge.
    /// - `quotas.reserved_bytes` or `quotas.updated_at` if the bytes do not fit.
    /// - `quotas.when_budget_spent` if the budget of the month is spent and the user then gets no new files, or no new
    ///   saved cuts (`:is_cut`).
    Reserve<'a> {
        user: &'a UserId,
        bytes: u64,
        default_quota_bytes: u64,
        waiting_percent: u64,
        most_files: u64,
        is_cut: bool,
        now: Timestamp,
    } = concat!("UPDATE quotas SET used_bytes = CASE WHEN kept < coalesce(quota_files, :most_files)
                AND kept + waiting_kept < 2 * coalesce(quota_files, :most_files) THEN used_bytes END,
            when_budget_spent = CASE WHEN budget_spent_month IS NOT substr(:now, 1, 7) OR when_budget_spent = 'warn'
                OR (when_budget_spent = 'refuseCuts' AND NOT :is_cut) THEN when_budget_spent END,
        ", admit_bytes!(":bytes"), " FROM ", counted!(), " WHERE user_id = :user");
    /// Raises the reservation of a pending attempt to `:total_bytes`. If the bytes do not fit, the constraint of
    /// `quotas.reserved_bytes` or `quotas.updated_at` fails the batch, as in [`Reserve`]. The statement reads the
    /// current reservation from the attempt's row, so a repeat reserves nothing more. Must run before the statement
    /// that changes this row.
    ReserveMore<'a> {
        user: &'a UserId,
        total_bytes: u64,
        default_quota_bytes: u64,
        waiting_percent: u64,
        now: Timestamp,
        attempt: AttemptId,
    } = concat!("UPDATE quotas SET ", admit_bytes!("more"), " FROM ", counted!(), ",
        (SELECT max(:total_bytes - file_size, 0) AS more FROM files
            WHERE attempt = :attempt AND lifecycle_status = 'pending')
        WHERE user_id = :user");
    /// Turns the reservation of a pending attempt into `:size_bytes` used bytes. Must run before the statement that
    /// changes the attempt's row.
    Settle<'a> { user: &'a UserId, attempt: AttemptId, size_bytes: u64, now: Timestamp } =
        "UPDATE quotas SET reserved_bytes = reserved_bytes -
            (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending'),
            used_bytes = used_bytes + :size_bytes, updated_at = :now
        WHERE user_id = :user";
    /// Releases the reservation of an attempt if the attempt is still pending. Must run before the statement that
    /// changes the attempt's row.
    ReleasePending<'a> { user: &'a UserId, attempt: AttemptId, now: Timestamp } =
        "UPDATE quotas SET updated_at = :now, reserved_bytes = reserved_bytes -
        (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')
        WHERE user_id = :user
            AND EXISTS (SELECT 1 FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')";
    /// Releases the used bytes of a kept file. If `:revision` is not NULL, the file must still be at this revision.
    /// Must run before the statement that changes the file's row.
    ReleaseKept<'a> {
        user: &'a UserId,
        file: FileId,
        tag: Option<&'a str>,
        now: Timestamp,
        revision: Option<u64>,
    } = concat!("UPDATE quotas SET updated_at = :now, used_bytes = used_bytes -
        (SELECT file_size FROM files WHERE id = :file AND user_id = :user)
        WHERE user_id = :user AND EXISTS (SELECT 1 FROM files WHERE id = :file AND user_id = :user
            AND lifecycle_status IN ('active', 'archived', 'deleted') AND revision = coalesce(:revision, revision)
            AND ", is_within_tag!("files.id"), ")");
    /// Selects the limits of a user, and the bytes and files that count against them. These bytes and files are 0 for a
    /// user who never stored a file.
    Get<'a> { user: &'a UserId } = concat!("SELECT quota_bytes, quota_files, purge_allowance_bytes, budget_micros,
            when_budget_spent, budget_spent_month, coalesce(used_bytes, 0) AS used_bytes,
            coalesce(reserved_bytes, 0) AS reserved_bytes, kept AS files, waiting_kept AS waiting_files,
            waiting AS waiting_bytes, spooled AS spool_bytes, upload_files, upload_bytes, derived_files, derived_bytes,
            import_files, import_bytes, trash_files, trash_bytes
        FROM ", counted!(), " LEFT JOIN quotas ON quotas.user_id = :user");
}
