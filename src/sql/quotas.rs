//! What each user keeps and may keep.

use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::time::Timestamp;

statements! {
    /// Inserts the user's row if there is none.
    Ensure<'a> { user: &'a UserId, now: Timestamp } =
        "INSERT INTO quotas (user_id, updated_at) VALUES (:user, :now) ON CONFLICT (user_id) DO NOTHING";
    /// Reserves bytes, or fails the batch on `quotas.reserved_bytes` when they do not fit. `:default_quota_bytes` is the
    /// quota of a user whose row has none.
    Reserve<'a> { user: &'a UserId, bytes: u64, default_quota_bytes: u64, now: Timestamp } =
        "UPDATE quotas SET updated_at = :now, reserved_bytes =
        CASE WHEN used_bytes + reserved_bytes + :bytes <= coalesce(quota_bytes, :default_quota_bytes)
            THEN reserved_bytes + :bytes END
        WHERE user_id = :user";
    /// Raises what a pending attempt has reserved to `:total_bytes`; fails as `Reserve` does. The statement reads from the
    /// attempt's row how much that is already, so a repeat reserves nothing more. Runs before the row changes.
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
    /// Turns what a pending attempt has reserved into `:size_bytes` used. Runs before the attempt's row changes.
    Settle<'a> { user: &'a UserId, attempt: AttemptId, size_bytes: u64, now: Timestamp } =
        "UPDATE quotas SET reserved_bytes = reserved_bytes -
            (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending'),
            used_bytes = used_bytes + :size_bytes, updated_at = :now
        WHERE user_id = :user";
    /// Releases what an attempt has reserved, if it is still pending. Runs before the attempt's row changes.
    ReleasePending<'a> { user: &'a UserId, attempt: AttemptId, now: Timestamp } =
        "UPDATE quotas SET updated_at = :now, reserved_bytes = reserved_bytes -
        (SELECT file_size FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')
        WHERE user_id = :user
            AND EXISTS (SELECT 1 FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending')";
    /// Releases what a file uses, if it is kept and still at `:revision` (when given). Runs before the file's row changes.
    ReleaseKept<'a> { user: &'a UserId, file: FileId, now: Timestamp, revision: Option<u64> } =
        "UPDATE quotas SET updated_at = :now, used_bytes = used_bytes -
        (SELECT file_size FROM files WHERE id = :file AND user_id = :user)
        WHERE user_id = :user AND EXISTS (SELECT 1 FROM files WHERE id = :file AND user_id = :user
            AND lifecycle_status IN ('active', 'archived', 'deleted') AND revision = coalesce(:revision, revision))";
    /// Selects a user's quota.
    Get<'a> { user: &'a UserId } =
        "SELECT quota_bytes, used_bytes, reserved_bytes FROM quotas WHERE user_id = :user";
}
