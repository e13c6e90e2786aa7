//! Uploads in several requests. The id of one is that of the attempt it makes.

statements! {
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
    /// It has come to nothing: ?2 is `aborted` or `expired`.
    END = "UPDATE multipart_uploads SET status = ?2, completed_at = ?3
        WHERE upload_id = ?1 AND status IN ('open', 'completing')";
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
