//! The quota of each user: its limit, and the used and reserved bytes.

use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::time::Timestamp;

statements! {
    /// Inserts the quota row of a user if there is none.
    Ensure<'a> { user: &'a UserId, now: Timestamp } =
        "INSERT INTO quotas (user_id, updated_at) VALUES (:user, :now) ON CONFLICT (user_id) DO NOTHING";
    /// Reserves bytes. Fails the batch on `quotas.reserved_bytes` if they do not fit into the quota.
    /// `:default_quota_bytes` is the quota of a user whose row names none.
    Reserve<'a> { user: &'a UserId, bytes: u64, default_quota_bytes: u64, now: Timestamp } =
        "UPDATE quotas SET updated_at = :now, reserved_bytes =
        CASE WHEN used_bytes + reserved_bytes + :bytes <= coalesce(quota_bytes, :default_quota_bytes)
            THEN reserved_bytes + :bytes END
        WHERE user_id = :user";
    /// Raises the reservation of a pending attempt to `:total_bytes`. Fails as [`Reserve`] does. The statement reads
    /// the current reservation from the attempt's row, so a repeat reserves nothing more. Must run before the
    /// statement that changes this row.
    ReserveMore<'a> {
        user: &'a UserId,
        total_bytes: u64,
        default_quota_bytes: u64,
        now: Timestamp,
        attempt: AttemptId,
    } = "UPDATE quotas SET updated_at = :now, reserved_bytes =
        CASE WHEN used_bytes + reserved_bytes + more <= coalesce(quota_bytes, :default_quota_bytes)
            THEN reserved_bytes + more END
        FROM (SELECT max(:total_bytes - file_size, 0) AS more FROM files
            WHERE attempt = :attempt AND lifecycle_status = 'pending')
        WHERE user_id = :user";
    /// Turns the reservation of a pending attempt into `:size_bytes` used bytes. Must run before the statement that
    /// changes the attempt's row.
    Settle<'a> { user: &'a UserId, attempt: AttemptId, size_bytes: u64, now: Timestamp } =
        "UPDATE quotas SET reserved_bytes = reserved_bytes -
            (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending'),
            used_bytes = used_bytes + :size_bytes, updated_at = :now
        WHERE user_id = :user";
    /// Releases the reservation of an attempt if it is still pending. Must run before the statement that changes the
    /// attempt's row.
    ReleasePending<'a> { user: &'a UserId, attempt: AttemptId, now: Timestamp } =
        "UPDATE quotas SET updated_at = :now, reserved_bytes = reserved_bytes -
        (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')
        WHERE user_id = :user
            AND EXISTS (SELECT 1 FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')";
    /// Releases the used bytes of a kept file. With `:revision`, only if the file is still at that revision. Must run
    /// before the statement that changes the file's row.
    ReleaseKept<'a> { user: &'a UserId, file: FileId, now: Timestamp, revision: Option<u64> } =
        "UPDATE quotas SET updated_at = :now, used_bytes = used_bytes -
        (SELECT file_size FROM files WHERE id = :file AND user_id = :user)
        WHERE user_id = :user AND EXISTS (SELECT 1 FROM files WHERE id = :file AND user_id = :user
            AND lifecycle_status IN ('active', 'archived', 'deleted') AND revision = coalesce(:revision, revision))";
    /// Selects a user's quota.
    Get<'a> { user: &'a UserId } =
        "SELECT quota_bytes, used_bytes, reserved_bytes FROM quotas WHERE user_id = :user";
}
