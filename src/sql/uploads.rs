//! Uploads in several requests. The id of an upload is the id of its attempt.

use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;

/// A condition on a row of `files`: the file belongs to the upload `:upload`, which is unfinished and expired at `:now`
/// or before. `ReleaseExpired`, `KillExpired` and `EnqueueExpired` check this condition.
macro_rules! still_expired {
    () => {
        "EXISTS (SELECT 1 FROM multipart_uploads WHERE upload_id = :upload AND status IN ('open', 'completing')
            AND expires_at <= :now AND file_id = files.id)"
    };
}

statements! {
    /// Selects at most `:limit` expired uploads that have the status `:status` (`open` or `completing`), ordered by
    /// expiry and id. The page begins after the upload with the expiry `:after_time` and the id `:after_id`.
    Expired<'a> { status: &'a str, now: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT upload_id, file_id, user_id, expires_at FROM multipart_uploads
        WHERE status = :status AND expires_at <= :now AND expires_at >= :after_time
            AND (expires_at, upload_id) > (:after_time, :after_id)
        ORDER BY expires_at, upload_id LIMIT :limit";
    /// Releases the reservation of an expired upload's pending file.
    ReleaseExpired<'a> { upload: AttemptId, now: Timestamp, file: FileId, user: &'a UserId } =
        concat!("UPDATE quotas SET updated_at = :now, reserved_bytes = reserved_bytes -
            coalesce((SELECT file_size FROM files WHERE id = :file AND user_id = :user AND lifecycle_status = 'pending' AND ",
            still_expired!(), "), 0)
        WHERE user_id = :user");
    /// Sets the pending file of an expired upload to `dead`, so that it can no longer be committed.
    KillExpired { upload: AttemptId, now: Timestamp, file: FileId } =
        concat!("UPDATE files SET lifecycle_status = 'dead' WHERE id = :file AND lifecycle_status = 'pending' AND ",
        still_expired!());
    /// Puts the object of the dead file on `gc_queue`, due now. A sweep then aborts the R2 multipart upload and deletes
    /// the object.
    EnqueueExpired { upload: AttemptId, now: Timestamp, file: FileId } =
        concat!("INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'upload', :now, :now FROM files
        WHERE id = :file AND lifecycle_status = 'dead' AND ", still_expired!(), "
        ON CONFLICT (r2_key) DO UPDATE SET not_before = min(not_before, excluded.not_before)");
    /// Ends an expired upload. The new status is `completed` if the file of the upload was committed, and otherwise
    /// `expired`. Must run after [`ReleaseExpired`], [`KillExpired`] and [`EnqueueExpired`], because these statements
    /// require an unfinished upload.
    EndExpired { upload: AttemptId, now: Timestamp } =
        "UPDATE multipart_uploads SET completed_at = :now, status = CASE WHEN EXISTS
            (SELECT 1 FROM files WHERE id = multipart_uploads.file_id AND etag IS NOT NULL)
            THEN 'completed' ELSE 'expired' END
        WHERE upload_id = :upload AND status IN ('open', 'completing') AND expires_at <= :now
        RETURNING status";
    /// Deletes at most `:limit` uploads that have the status `:status` and expired at `:cutoff` or before. Returns
    /// their ids.
    DeleteEnded<'a> { status: &'a str, cutoff: Timestamp, limit: u64 } =
        "DELETE FROM multipart_uploads WHERE upload_id IN
        (SELECT upload_id FROM multipart_uploads WHERE status = :status AND expires_at <= :cutoff
            ORDER BY expires_at LIMIT :limit)
        RETURNING upload_id";
    /// Inserts a new upload. `:data` is JSON that later requests need. If the user already has `:most_uploads` uploads,
    /// ended uploads included, the statement sets `multipart_uploads.part_size` to NULL, and the NOT NULL constraint
    /// fails the batch.
    Insert<'a> {
        upload: AttemptId,
        file: FileId,
        user: &'a UserId,
        key: &'a StorageKey,
        filename: &'a str,
        size_bytes: Option<u64>,
        part_bytes: u64,
        most_uploads: u64,
        data: &'a str,
        now: Timestamp,
        expires_at: Timestamp,
    } = "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, total_size, part_size,
            session_data, status, created_at, expires_at)
        VALUES (:upload, :file, :user, :key, :filename, :size_bytes,
            CASE WHEN coalesce((SELECT uploads FROM usage WHERE user_id = :user), 0) < :most_uploads THEN :part_bytes END,
            :data, 'open', :now, :expires_at)";
    /// Selects an upload of `:user`.
    Get<'a> { upload: AttemptId, user: &'a UserId } =
        "SELECT upload_id, file_id, user_id, filename, total_size, part_size, session_data, status, created_at,
            expires_at FROM multipart_uploads WHERE upload_id = :upload AND user_id = :user";
    /// Replaces the data (JSON) of an open upload.
    SetData<'a> { upload: AttemptId, data: &'a str } =
        "UPDATE multipart_uploads SET session_data = :data WHERE upload_id = :upload AND status = 'open'";
    /// Sets the status of an upload to `completed`, because its file is committed.
    Complete { upload: AttemptId, now: Timestamp, size_bytes: u64 } =
        "UPDATE multipart_uploads SET status = 'completed', completed_at = :now, next_offset = :size_bytes,
            total_size = :size_bytes
        WHERE upload_id = :upload";
    /// Ends an upload whose file was not committed. `:status` is `aborted` or `expired`. Returns no row if the upload
    /// had already ended.
    End<'a> { upload: AttemptId, status: &'a str, now: Timestamp } =
        "UPDATE multipart_uploads SET status = :status, completed_at = :now
        WHERE upload_id = :upload AND status IN ('open', 'completing') RETURNING upload_id";
    /// Records a stored part. Returns no row if the upload is no longer open.
    PutPart<'a> { upload: AttemptId, number: u16, etag: &'a str, size_bytes: u64, now: Timestamp } =
        "INSERT INTO multipart_parts (upload_id, part_number, etag, size_bytes, uploaded_at)
        SELECT upload_id, :number, :etag, :size_bytes, :now FROM multipart_uploads
        WHERE upload_id = :upload AND status = 'open'
        ON CONFLICT (upload_id, part_number)
            DO UPDATE SET etag = excluded.etag, size_bytes = excluded.size_bytes, uploaded_at = excluded.uploaded_at
        RETURNING part_number";
    /// Selects at most `:limit` parts of an upload, ordered by number. The page begins after the part with the number
    /// `:after_number`.
    Parts { upload: AttemptId, after_number: u64, limit: u64 } =
        "SELECT part_number, etag, size_bytes, uploaded_at FROM multipart_parts
        WHERE upload_id = :upload AND part_number > :after_number ORDER BY part_number LIMIT :limit";
    /// Counts the parts of an upload and sums their bytes.
    CountParts { upload: AttemptId } =
        "SELECT count(*) AS parts, coalesce(sum(size_bytes), 0) AS bytes FROM multipart_parts
        WHERE upload_id = :upload";
    /// Deletes the parts of an upload that has ended.
    DeleteParts { upload: AttemptId } = "DELETE FROM multipart_parts WHERE upload_id = :upload";
}
