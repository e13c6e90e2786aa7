//! What each user keeps and may keep.

statements! {
    /// Makes the user's row if there is none.
    ENSURE = "INSERT INTO quotas (user_id, updated_at) VALUES (?1, ?2) ON CONFLICT (user_id) DO NOTHING";
    /// Reserves ?2 bytes, or fails the batch on `quotas.reserved_bytes` when they would not fit (?3: default quota).
    RESERVE = "UPDATE quotas SET updated_at = ?4, reserved_bytes =
        CASE WHEN used_bytes + reserved_bytes + ?2 <= coalesce(quota_bytes, ?3) THEN reserved_bytes + ?2 END
        WHERE user_id = ?1";
    /// Raises what attempt ?5 has reserved to ?2 bytes in all, if it is still pending. What it has is read from its row,
    /// so that a repeat reserves nothing more. Runs before the row changes.
    RESERVE_MORE = "UPDATE quotas SET updated_at = ?4, reserved_bytes =
        CASE WHEN used_bytes + reserved_bytes + more <= coalesce(quota_bytes, ?3) THEN reserved_bytes + more END
        FROM (SELECT max(?2 - file_size, 0) AS more FROM files WHERE attempt = ?5 AND lifecycle_status = 'pending')
        WHERE user_id = ?1";
    /// Turns what the pending attempt ?2 has reserved into ?3 bytes kept. Runs before the row changes.
    SETTLE = "UPDATE quotas SET reserved_bytes = reserved_bytes -
            (SELECT file_size FROM files WHERE attempt = ?2 AND lifecycle_status = 'pending'),
            used_bytes = used_bytes + ?3, updated_at = ?4
        WHERE user_id = ?1";
    /// Gives back what the pending attempt ?2 has reserved, if it is still pending. Runs before the row changes.
    RELEASE_PENDING = "UPDATE quotas SET updated_at = ?3, reserved_bytes = reserved_bytes -
        (SELECT file_size FROM files WHERE attempt = ?2 AND lifecycle_status = 'pending')
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM files WHERE attempt = ?2 AND lifecycle_status = 'pending')";
    /// Gives back what a kept file ?2 uses, if it is kept (and, with ?4, at revision ?4). Runs before the row changes.
    RELEASE_KEPT = "UPDATE quotas SET updated_at = ?3, used_bytes = used_bytes -
        (SELECT file_size FROM files WHERE id = ?2 AND user_id = ?1)
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM files WHERE id = ?2 AND user_id = ?1
            AND lifecycle_status IN ('active', 'archived', 'deleted') AND revision = coalesce(?4, revision))";
    /// A user's quota.
    GET = "SELECT quota_bytes, used_bytes, reserved_bytes FROM quotas WHERE user_id = ?1";
}
