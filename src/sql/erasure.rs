//! Erasure of texts about permanently deleted files. In the batch that deletes a file permanently, a trigger erases the
//! texts in the row of the file. A file may have many receipts, recipes and audit entries. So a sweep erases the texts
//! of these rows later, in several runs, with the statements below.

use super::statement::statements;
use crate::domain::ids::FileId;
use crate::domain::time::Timestamp;

statements! {
    /// Selects at most `:limit` erasures that are due, ordered by due time and file id. The page begins after the
    /// erasure with the due time `:after_time` and the file id `:after_id`.
    Due<'a> { now: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT file_id, erased_at, next_at FROM erasures
        WHERE next_at <= :now AND next_at >= :after_time AND (next_at, file_id) > (:after_time, :after_id)
        ORDER BY next_at, file_id LIMIT :limit";
    /// Deletes at most `:limit` recipes of the cuts of a file, except recipes that a saved cut names. Returns the
    /// hashes of the deleted recipes.
    DeleteRecipes { file: FileId, limit: u64 } = "DELETE FROM recipes WHERE sha256 IN
        (SELECT sha256 FROM recipes WHERE file_id = :file AND is_lineage = 0 LIMIT :limit) RETURNING sha256";
    /// Erases the recipe, checksum and error text in at most `:limit` receipts of a file. Returns their ids.
    EraseReceipts { file: FileId, limit: u64 } =
        "UPDATE cuts SET recipe = '{}', recipe_sha256 = NULL, checksum = NULL, error = NULL
        WHERE id IN (SELECT id FROM cuts WHERE file_id = :file AND (recipe <> '{}' OR recipe_sha256 IS NOT NULL
            OR checksum IS NOT NULL OR error IS NOT NULL) LIMIT :limit)
        RETURNING id";
    /// Erases the error text in at most `:limit` entries of the audit log about a file, and returns the ids of these
    /// entries. The error codes stay.
    EraseErrorTexts { file: FileId, limit: u64 } = "UPDATE file_access_logs SET error_message = NULL, message_salt = NULL WHERE id IN
        (SELECT id FROM file_access_logs WHERE file_id = :file AND error_message IS NOT NULL LIMIT :limit)
        RETURNING id";
    /// Sets the time at which the erasure continues; NULL if nothing is left to erase.
    SetNext { file: FileId, next_at: Option<Timestamp> } =
        "UPDATE erasures SET next_at = :next_at WHERE file_id = :file";
    /// Deletes at most `:limit` finished erasures that began at `:cutoff` or before. Returns the ids of their files.
    Forget { cutoff: Timestamp, limit: u64 } = "DELETE FROM erasures WHERE file_id IN
        (SELECT file_id FROM erasures WHERE erased_at <= :cutoff AND next_at IS NULL ORDER BY erased_at LIMIT :limit)
        RETURNING file_id";
    /// Erases IP address, user agent and error text in at most `:limit` entries of the audit log, ordered by id. The ids of these
    /// entries are above `:behind` and below `:before`. Returns the ids.
    EraseCallers<'a> { behind: &'a str, before: &'a str, limit: u64 } =
        "UPDATE file_access_logs SET ip_address = NULL, user_agent = NULL, error_message = NULL,
            caller_salt = NULL, message_salt = NULL WHERE id IN
        (SELECT id FROM file_access_logs WHERE id > :behind AND id < :before ORDER BY id LIMIT :limit) RETURNING id";
}
