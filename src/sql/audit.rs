//! The audit log.

use super::restriction::is_within_tag;
use super::statement::{statement_variants, statements};
use crate::domain::ids::{EventId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;

/// The columns of a new entry.
macro_rules! entry_columns {
    () => {
        "(id, file_id, user_id, action, success, error_code, error_message, bytes_transferred, duration_ms,
         ip_address, user_agent, request_id, metadata, timestamp, caller_salt, caller_digest, message_salt,
         message_digest, code)"
    };
}

/// The values of a new entry, in the order of `entry_columns!`.
macro_rules! entry_values {
    () => {
        ":event, :file, :user, :action, :success, :error_code, :error_message, :bytes_transferred, :duration_ms, \
         :ip_address, :user_agent, :request_id, :metadata, :timestamp, :caller_salt, :caller_digest, :message_salt, \
         :message_digest, :code"
    };
}

statement_variants! {
    /// Inserts an entry. A repeat with the same `:event` changes nothing.
    Insert<'a> {
        event: &'a str,
        file: Option<&'a str>,
        user: &'a str,
        action: &'a str,
        success: i64,
        error_code: Option<&'a str>,
        error_message: Option<&'a str>,
        bytes_transferred: Option<i64>,
        duration_ms: Option<i64>,
        ip_address: Option<&'a str>,
        user_agent: Option<&'a str>,
        request_id: Option<&'a str>,
        metadata: &'a str,
        timestamp: &'a str,
        caller_salt: Option<&'a str>,
        caller_digest: Option<&'a str>,
        message_salt: Option<&'a str>,
        message_digest: Option<&'a str>,
        code: Option<&'a str>,
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

/// A text column of an entry; NULL if the text is longer than any that the service writes. So no page of entries is too
/// long to read, whatever somebody has written into the table.
macro_rules! short {
    ($column:literal) => {
        concat!("CASE WHEN length(", $column, ") <= 8000 THEN ", $column, " END AS ", $column)
    };
}

/// The columns of a sealed or unsealed entry, with all that the chain covers.
macro_rules! row_columns {
    () => {
        concat!(
            "seq, ",
            short!("id"),
            ", ",
            short!("file_id"),
            ", ",
            short!("user_id"),
            ", ",
            short!("action"),
            ", success, ",
            short!("error_code"),
            ", ",
            short!("error_message"),
            ", bytes_transferred, duration_ms,
            cache_hit, ",
            short!("ip_address"),
            ", ",
            short!("user_agent"),
            ", ",
            short!("request_id"),
            ", ",
            short!("metadata"),
            ", ",
            short!("timestamp"),
            ", ",
            short!("caller_salt"),
            ", ",
            short!("caller_digest"),
            ", ",
            short!("message_salt"),
            ", ",
            short!("message_digest"),
            ", ",
            short!("code"),
            ", ",
            short!("prev_hash"),
            ", ",
            short!("hash")
        )
    };
}

/// The columns of a segment.
macro_rules! segment_columns {
    () => {
        "first_seq, last_seq, prev_hash, hash, legacy, r2_key, sha256, oldest_at, newest_at, key_id, signature"
    };
}

statements! {
    /// Counts one read of a file of `:user`, unless the audit log already has `:event`.
    CountRead<'a> { file: Option<FileId>, event: EventId, timestamp: Timestamp, user: &'a UserId } =
        "UPDATE files SET access_count = access_count + 1, last_accessed = max(coalesce(last_accessed, ''), :timestamp)
        WHERE id = :file AND user_id = :user AND NOT EXISTS (SELECT 1 FROM file_access_logs WHERE id = :event)";
    /// Selects at most `:limit` entries that are not sealed, ordered by id. The page begins after the entry `:after`.
    Unsealed<'a> { after: &'a str, limit: u64 } = concat!("SELECT ", row_columns!(), " FROM file_access_logs
        WHERE seq IS NULL AND id > :after ORDER BY id LIMIT :limit");
    /// Selects at most `:limit` sealed entries with a number above `:after`, ordered by number.
    Sealed { after: i64, limit: u64 } = concat!("SELECT ", row_columns!(), " FROM file_access_logs
        WHERE seq > :after AND seq IS NOT NULL ORDER BY seq LIMIT :limit");
    /// Selects the sealed entry with the lowest number.
    FirstSealed {} = concat!("SELECT ", row_columns!(), " FROM file_access_logs
        WHERE seq IS NOT NULL ORDER BY seq LIMIT 1");
    /// Selects the ends of the chain.
    Chain {} = "SELECT first_seq, last_seq, last_hash, key_id, signature, updated_at FROM audit_chain WHERE id = 1";
    /// Moves the ends of the chain from `:old_first_seq` and `:old_last_seq` to new places. If the ends are not at the
    /// old places, the statement sets a column to NULL, and its constraint fails the batch. The old places of an empty
    /// chain are 1 and 0.
    MoveChain<'a> {
        old_first_seq: i64,
        old_last_seq: i64,
        first_seq: i64,
        last_seq: i64,
        hash: &'a str,
        key_id: &'a str,
        signature: &'a str,
        now: Timestamp,
    } = "INSERT INTO audit_chain (id, first_seq, last_seq, last_hash, key_id, signature, updated_at)
        VALUES (1, :first_seq, CASE WHEN :old_first_seq = coalesce((SELECT first_seq FROM audit_chain WHERE id = 1), 1)
                AND :old_last_seq = coalesce((SELECT last_seq FROM audit_chain WHERE id = 1), 0) THEN :last_seq END,
            :hash, :key_id, :signature, :now)
        ON CONFLICT (id) DO UPDATE SET first_seq = excluded.first_seq, last_seq = excluded.last_seq,
            last_hash = excluded.last_hash, key_id = excluded.key_id, signature = excluded.signature,
            updated_at = excluded.updated_at";
    /// Inserts a seal.
    InsertSeal<'a> {
        first_seq: i64,
        last_seq: i64,
        prev_hash: &'a str,
        hash: &'a str,
        legacy: bool,
        key_id: &'a str,
        signature: &'a str,
        now: Timestamp,
    } = "INSERT INTO audit_seals (first_seq, last_seq, prev_hash, hash, legacy, key_id, signature, sealed_at)
        VALUES (:first_seq, :last_seq, :prev_hash, :hash, :legacy, :key_id, :signature, :now)";
    /// Writes the number and the hashes of entries that are not sealed. `:entries` is a JSON array of arrays: id, number,
    /// hash of the entry before, hash. Returns the ids of the entries.
    Seal<'a> { entries: &'a str } = "UPDATE file_access_logs SET seq = entry.value ->> 1,
            prev_hash = entry.value ->> 2, hash = entry.value ->> 3
        FROM json_each(:entries) AS entry
        WHERE file_access_logs.id = entry.value ->> 0 AND seq IS NULL RETURNING file_access_logs.id";
    /// Returns a row if a seal or a segment has entries with codes.
    HasSeal {} = "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM audit_seals WHERE legacy = 0 AND first_seq > 0)
        OR EXISTS (SELECT 1 FROM audit_segments WHERE legacy = 0 AND first_seq > 0)";
    /// Selects at most `:limit` seals that begin after the number `:after`, ordered by number.
    Seals { after: i64, limit: u64 } = "SELECT first_seq, last_seq, prev_hash, hash, legacy, key_id, signature, sealed_at
        FROM audit_seals WHERE first_seq > :after ORDER BY first_seq LIMIT :limit";
    /// Selects at most `:limit` segments that begin after the number `:after`, ordered by number.
    Segments { after: i64, limit: u64 } = concat!("SELECT ", segment_columns!(), " FROM audit_segments
        WHERE first_seq > :after ORDER BY first_seq LIMIT :limit");
    /// Inserts a segment.
    InsertSegment<'a> {
        first_seq: i64,
        last_seq: i64,
        prev_hash: &'a str,
        hash: &'a str,
        key: &'a StorageKey,
        size_bytes: u64,
        sha256: &'a str,
        legacy: bool,
        key_id: &'a str,
        signature: &'a str,
        oldest_at: &'a str,
        newest_at: &'a str,
        now: Timestamp,
    } = "INSERT INTO audit_segments (first_seq, last_seq, prev_hash, hash, r2_key, size_bytes, sha256, legacy, key_id,
            signature, oldest_at, newest_at, created_at)
        VALUES (:first_seq, :last_seq, :prev_hash, :hash, :key, :size_bytes, :sha256, :legacy, :key_id,
            :signature, :oldest_at, :newest_at, :now)";
    /// Deletes the seals of a segment.
    DropSeals { first_seq: i64, last_seq: i64 } =
        "DELETE FROM audit_seals WHERE first_seq >= :first_seq AND first_seq <= :last_seq";
    /// Deletes the entries of a segment.
    DropEntries { first_seq: i64, last_seq: i64 } =
        "DELETE FROM file_access_logs WHERE seq >= :first_seq AND seq <= :last_seq AND seq IS NOT NULL";
    /// Selects those of the `:limit` oldest segments whose latest entry is not after `:cutoff`.
    SegmentsToForget { cutoff: Timestamp, limit: u64 } =
        concat!("SELECT ", segment_columns!(), " FROM (SELECT ", segment_columns!(), " FROM audit_segments
            WHERE first_seq > 0 ORDER BY first_seq LIMIT :limit) WHERE newest_at <= :cutoff ORDER BY first_seq");
    /// Deletes a segment from the list.
    ForgetSegment { first_seq: i64 } = "DELETE FROM audit_segments WHERE first_seq = :first_seq";
    /// Selects the entries in a JSON array of ids, and whether their account and their file were permanently deleted.
    ErasedEarly<'a> { ids: &'a str } = "SELECT id,
            EXISTS (SELECT 1 FROM users WHERE users.id = file_access_logs.user_id AND deleted_at IS NOT NULL) AS account,
            EXISTS (SELECT 1 FROM erasures WHERE erasures.file_id = file_access_logs.file_id) AS file
        FROM file_access_logs WHERE id IN (SELECT value FROM json_each(:ids))";
    /// Selects at most `:limit` entries about a file of `:user`, the newest first. The page begins after the entry
    /// `:before`. If `:tag` is not NULL, the file must have this tag.
    OfFile<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, before: &'a str, limit: u64 } =
        concat!("SELECT ", row_columns!(), " FROM file_access_logs WHERE file_id = :file AND id < :before
            AND EXISTS (SELECT 1 FROM files WHERE id = :file AND user_id = :user AND ", is_within_tag!("files.id"), ")
        ORDER BY id DESC LIMIT :limit");
    /// Selects at most `:limit` sign-ins and other acts on the account of `:user`, the newest first. The page begins
    /// after the entry `:before`. `:actions` is a JSON array.
    OfAccount<'a> { user: &'a UserId, actions: &'a str, before: &'a str, limit: u64 } = concat!("SELECT ", row_columns!(), "
        FROM file_access_logs WHERE user_id = :user AND action IN (SELECT value FROM json_each(:actions))
        AND id < :before ORDER BY id DESC LIMIT :limit");
}

/// A condition on the entries that an operator reads.
macro_rules! listed {
    ($by:literal) => {
        concat!(
            "SELECT ",
            row_columns!(),
            " FROM file_access_logs WHERE ",
            $by,
            " AND id < :before AND id >= :from
            AND (:action IS NULL OR action = :action) AND (:success IS NULL OR success = :success)
            AND (:file IS NULL OR file_id = :file) AND (:user IS NULL OR user_id = :user)
            AND (:address IS NULL OR ip_address = :address)
            ORDER BY id DESC LIMIT :limit"
        )
    };
}

statement_variants! {
    /// Selects at most `:limit` entries for an operator, the newest first: those with an id from `:from` to below
    /// `:before`. A filter that is NULL admits every entry.
    List<'a> {
        before: &'a str,
        from: &'a str,
        user: Option<&'a str>,
        file: Option<&'a str>,
        action: Option<&'a str>,
        success: Option<bool>,
        address: Option<&'a str>,
        limit: u64,
    };
    /// The index that finds the entries.
    by: ListBy {
        /// The entries of a file.
        File "of a file" = listed!("file_id = :file");
        /// The entries of a user with an action.
        UserAction "of a user with an action" = listed!("user_id = :user AND action = :action");
        /// The entries of a user.
        User "of a user" = listed!("user_id = :user");
        /// The entries with an action.
        Action "with an action" = listed!("action = :action");
        /// Entries in the order of their times.
        Time "by time" = listed!("id < :before");
    }
}
