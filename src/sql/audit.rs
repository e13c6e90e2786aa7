//! The audit log.

statements! {
    /// One operation. A repeat of the same id changes nothing.
    INSERT = "INSERT INTO file_access_logs
        (id, file_id, user_id, action, success, error_code, error_message, bytes_transferred, duration_ms,
         ip_address, user_agent, request_id, timestamp)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        ON CONFLICT (id) DO NOTHING";
    /// One operation, if the statement before it in its batch changed a row: what was refused is not logged as done.
    INSERT_IF_CHANGED = "INSERT INTO file_access_logs
        (id, file_id, user_id, action, success, error_code, error_message, bytes_transferred, duration_ms,
         ip_address, user_agent, request_id, timestamp)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 WHERE changes() > 0
        ON CONFLICT (id) DO NOTHING";
    /// Counts one read of file ?1 unless log row ?2 exists.
    COUNT_READ = "UPDATE files SET access_count = access_count + 1, last_accessed = max(coalesce(last_accessed, ''), ?3)
        WHERE id = ?1 AND user_id = ?4 AND NOT EXISTS (SELECT 1 FROM file_access_logs WHERE id = ?2)";
}
