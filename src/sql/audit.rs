//! The audit log.

use super::statement::{statement_variants, statements};
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::time::Timestamp;

/// The columns of a new entry.
macro_rules! entry_columns {
    () => {
        "(id, file_id, user_id, action, success, error_code, error_message, bytes_transferred, duration_ms,
         ip_address, user_agent, request_id, metadata, timestamp)"
    };
}

/// The values of a new entry, in the order of `entry_columns!`.
macro_rules! entry_values {
    () => {
        ":event, :file, :user, :action, :success, :error_code, :error_message, :bytes_transferred, :duration_ms, \
         :ip_address, :user_agent, :request_id, json_object('principal', :principal), :timestamp"
    };
}

statement_variants! {
    /// Inserts an entry. A repeat with the same `:event` changes nothing.
    Insert<'a> {
        event: EventId,
        file: Option<FileId>,
        user: &'a UserId,
        action: &'a str,
        success: bool,
        error_code: Option<&'a str>,
        error_message: Option<&'a str>,
        bytes_transferred: Option<u64>,
        duration_ms: Option<u64>,
        ip_address: Option<&'a str>,
        user_agent: Option<&'a str>,
        request_id: &'a str,
        principal: Option<&'a str>,
        timestamp: Timestamp,
    };
    /// When the entry is inserted.
    when: InsertWhen {
        /// The entry is always inserted.
        Always "always" = concat!("INSERT INTO file_access_logs
        ", entry_columns!(), "
        VALUES (", entry_values!(), ")
        ON CONFLICT (id) DO NOTHING");
        /// The entry is inserted only if the statement before it in the batch changed a row. So the log has no entry
        /// for a change that was refused.
        Changed "changed" = concat!("INSERT INTO file_access_logs
        ", entry_columns!(), "
        SELECT ", entry_values!(), " WHERE changes() > 0
        ON CONFLICT (id) DO NOTHING");
    }
}

statements! {
    /// Counts one read of a file of `:user`, unless the audit log already has `:event`.
    CountRead<'a> { file: Option<FileId>, event: EventId, timestamp: Timestamp, user: &'a UserId } =
        "UPDATE files SET access_count = access_count + 1, last_accessed = max(coalesce(last_accessed, ''), :timestamp)
        WHERE id = :file AND user_id = :user AND NOT EXISTS (SELECT 1 FROM file_access_logs WHERE id = :event)";
    /// Deletes at most `:limit` entries with an id below `:before`. Returns their ids.
    Forget { before: EventId, limit: u64 } = "DELETE FROM file_access_logs WHERE id IN
        (SELECT id FROM file_access_logs WHERE id < :before ORDER BY id LIMIT :limit) RETURNING id";
}
