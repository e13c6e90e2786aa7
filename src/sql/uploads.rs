//! Uploads in several requests. The id of one is that of the attempt it makes.

/// Upload ?1 is still unfinished and past its end at ?2: what every step of its expiry asks anew.
macro_rules! still_expired {
    () => {
        "EXISTS (SELECT 1 FROM multipart_uploads WHERE upload_id = ?1 AND status IN ('open', 'completing')
            AND expires_at <= ?2 AND file_id = files.id)"
    };
}

statements! {
    /// Unfinished uploads of status ?1 past their end, after the place (?3, ?4).
    EXPIRED = "SELECT upload_id, file_id, user_id, expires_at FROM multipart_uploads
        WHERE status = ?1 AND expires_at <= ?2 AND expires_at >= ?3 AND (expires_at, upload_id) > (?3, ?4)
        ORDER BY expires_at, upload_id LIMIT ?5";
    /// Gives back what the pending file ?3 of an expired upload has reserved for user ?4.
    RELEASE_EXPIRED = concat!("UPDATE quotas SET updated_at = ?2, reserved_bytes = reserved_bytes -
            coalesce((SELECT file_size FROM files WHERE id = ?3 AND user_id = ?4 AND lifecycle_status = 'pending' AND ",
            still_expired!(), "), 0)
        WHERE user_id = ?4");
    /// Takes the pending file ?3 of an expired upload out of the commit's reach.
    KILL_EXPIRED = concat!("UPDATE files SET lifecycle_status = 'dead' WHERE id = ?3 AND lifecycle_status = 'pending' AND ",
        still_expired!());
    /// Names the object of that file for collection now: its parts are dropped and the object deleted.
    ENQUEUE_EXPIRED = concat!("INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
        SELECT r2_key, id, attempt, user_id, 'upload', ?2, ?2 FROM files
        WHERE id = ?3 AND lifecycle_status = 'dead' AND ", still_expired!(), "
        ON CONFLICT (r2_key) DO UPDATE SET not_before = min(not_before, excluded.not_before)");
    /// The upload has expired, unless its file was committed first: then it is complete. Runs last.
    END_EXPIRED = "UPDATE multipart_uploads SET completed_at = ?2, status = CASE WHEN EXISTS
            (SELECT 1 FROM commit_markers JOIN files ON files.attempt = commit_markers.attempt
                WHERE files.id = multipart_uploads.file_id)
            THEN 'completed' ELSE 'expired' END
        WHERE upload_id = ?1 AND status IN ('open', 'completing') AND expires_at <= ?2
        RETURNING status";
    /// Forgets at most ?3 uploads of status ?1 whose end lies before ?2. Answers which.
    DELETE_ENDED = "DELETE FROM multipart_uploads WHERE upload_id IN
        (SELECT upload_id FROM multipart_uploads WHERE status = ?1 AND expires_at <= ?2 ORDER BY expires_at LIMIT ?3)
        RETURNING upload_id";
    /// An upload has begun. ?8 is JSON: what later requests need to know of it.
    INSERT = "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, total_size, part_size,
            session_data, status, created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open', ?9, ?10)";
    /// Upload ?1 of owner ?2.
    GET = "SELECT upload_id, file_id, user_id, filename, total_size, part_size, session_data, status, created_at,
            expires_at FROM multipart_uploads WHERE upload_id = ?1 AND user_id = ?2";
    /// Replaces what is known of an open upload.
    SET_DATA = "UPDATE multipart_uploads SET session_data = ?2 WHERE upload_id = ?1 AND status = 'open'";
    /// Its file is there.
    COMPLETE = "UPDATE multipart_uploads SET status = 'completed', completed_at = ?2, next_offset = ?3, total_size = ?3
        WHERE upload_id = ?1";
    /// It has come to nothing: ?2 is `aborted` or `expired`. Answers nothing when it had ended before.
    END = "UPDATE multipart_uploads SET status = ?2, completed_at = ?3
        WHERE upload_id = ?1 AND status IN ('open', 'completing') RETURNING upload_id";
    /// A part of an open upload has been stored.
    PUT_PART = "INSERT INTO multipart_parts (upload_id, part_number, etag, size_bytes, uploaded_at)
        SELECT upload_id, ?2, ?3, ?4, ?5 FROM multipart_uploads WHERE upload_id = ?1 AND status = 'open'
        ON CONFLICT (upload_id, part_number)
            DO UPDATE SET etag = excluded.etag, size_bytes = excluded.size_bytes, uploaded_at = excluded.uploaded_at
        RETURNING part_number";
    /// At most ?3 parts after number ?2.
    PARTS = "SELECT part_number, etag, size_bytes, uploaded_at FROM multipart_parts
        WHERE upload_id = ?1 AND part_number > ?2 ORDER BY part_number LIMIT ?3";
    /// How many parts there are, and their bytes.
    COUNT_PARTS = "SELECT count(*) AS parts, coalesce(sum(size_bytes), 0) AS bytes FROM multipart_parts
        WHERE upload_id = ?1";
    /// Forgets the parts of an upload that has ended.
    DELETE_PARTS = "DELETE FROM multipart_parts WHERE upload_id = ?1";
}
