//! Files, their tags and their lineage.
//!
//! A statement that finds or changes a file for a user has the owner as a parameter. The statements of the storage
//! protocol have the attempt as a parameter instead. Their callers have begun the attempt, or have checked its owner.

use super::restriction::is_within_tag;
use super::statement::{statement_variants, statements};
use crate::domain::ids::{AttemptId, FileId, ShareId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::ports::Param;

/// The columns of a [`crate::storage::file::FileRow`].
macro_rules! file_columns {
    () => {
        "id, user_id, filename, r2_key, mime_type, file_size, checksum, created_at, updated_at, storage_class,
        lifecycle_status, revision, expires_at, last_accessed, access_count, metadata, etag, attempt, source,
        row_count, column_count, profile_bytes, encoding, dialect_options, damaged_at, scan_verdict, scanned_at,
        (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'system') AS system_tags,
        (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'user') AS user_tags"
    };
}

/// A column: the month in which the budget of `$user` is spent, and what then happens; NULL if no month is marked.
macro_rules! spent_budget {
    ($user:literal) => {
        concat!(
            "(SELECT budget_spent_month || ' ' || when_budget_spent FROM quotas WHERE quotas.user_id = ",
            $user,
            ") AS spent_budget"
        )
    };
}

/// The FROM and WHERE clauses of a list: the files of `:user` with `:status`. Leaves out files that have expired,
/// except in the trash. `:tags` is a JSON array: a file must have each of these tags. `:name_part` is NULL if the list
/// does not filter by it. `:tag` is the tag to which the principal is restricted, or NULL.
macro_rules! listed {
    () => {
        concat!(
            "FROM files WHERE user_id = :user AND lifecycle_status = :status
        AND (expires_at IS NULL OR expires_at > :now OR lifecycle_status = 'deleted')
        AND NOT EXISTS (SELECT 1 FROM json_each(:tags) WHERE value NOT IN
            (SELECT tag FROM file_tags WHERE file_id = files.id))
        AND (:name_part IS NULL OR instr(lower(filename), lower(:name_part)) > 0) AND ",
            is_within_tag!("files.id")
        )
    };
}

/// The columns of a file that is shared with an account, without the tags and the metadata of the owner.
macro_rules! granted_columns {
    () => {
        "files.id, files.user_id, filename, r2_key, mime_type, file_size, checksum, files.created_at, files.updated_at,
        storage_class, lifecycle_status, revision, files.expires_at, NULL AS last_accessed, 0 AS access_count,
        '{}' AS metadata, etag, files.attempt, source, row_count, column_count, profile_bytes, encoding, dialect_options,
        damaged_at, '[]' AS system_tags, '[]' AS user_tags"
    };
}

/// Condition: a share with the account `:grantee` can be used.
macro_rules! granted {
    () => {
        "shares.grantee_id = :grantee AND shares.revoked_at IS NULL
            AND (shares.expires_at IS NULL OR shares.expires_at > :now)
            AND lifecycle_status IN ('active', 'archived')
            AND (files.expires_at IS NULL OR files.expires_at > :now)"
    };
}

/// Sets columns that describe the profile of a file to NULL if the dialect of the file changes.
macro_rules! unlearned_if_dialect_changes {
    ($($column:literal),*) => {
        concat!($($column, " = CASE WHEN :sets_dialect AND dialect_options IS NOT :dialect_options THEN NULL ELSE ",
            $column, " END, "),*)
    };
}

/// The SQL text of one page of a list that is sorted by `$column` in `$direction`. `$after` is the operator that
/// compares a row with the row after which the page begins. The statement first finds at most `:limit` rows. The column
/// `found` is their number. Then the statement leaves out each row if the names, metadata and tags of the rows before
/// it already have `:most_bytes` or more.
macro_rules! page_by {
    ($column:literal, $direction:literal, $after:literal) => {
        concat!(
            "SELECT * FROM (SELECT *, count(*) OVER () AS found, sum(text_bytes) OVER (ORDER BY ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " ROWS UNBOUNDED PRECEDING) - text_bytes AS bytes_before FROM (SELECT *,
                length(filename) + length(metadata) + length(system_tags) + length(user_tags) AS text_bytes
            FROM (SELECT ",
            file_columns!(),
            " ",
            listed!(),
            "
        AND (:after_id IS NULL OR (",
            $column,
            ", id) ",
            $after,
            " (:after_value, :after_id))
        ORDER BY ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " LIMIT :limit OFFSET :offset))) WHERE bytes_before < :most_bytes ORDER BY ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction
        )
    };
}

statements! {
    /// Inserts a pending file, as a part of the intent. `:reserved_bytes` is the reservation. Until the commit, the
    /// column `file_size` holds the reservation.
    InsertPending<'a> {
        file: FileId,
        user: &'a UserId,
        filename: &'a str,
        key: &'a StorageKey,
        content_type: &'a str,
        reserved_bytes: u64,
        now: Timestamp,
        attempt: AttemptId,
        source: &'a str,
        share: Option<ShareId>,
    } = "INSERT INTO files (id, user_id, filename, r2_key, mime_type, file_size, created_at, updated_at,
            lifecycle_status, attempt, source, share_id)
        VALUES (:file, :user, :filename, :key, :content_type, :reserved_bytes, :now, :now, 'pending', :attempt, :source,
            :share)";
    /// Inserts tags of one kind (system or user) from a JSON array.
    InsertTags<'a> { file: FileId, kind: &'a str, tags: &'a str } =
        "INSERT INTO file_tags (file_id, kind, tag) SELECT :file, :kind, value FROM json_each(:tags)";
    /// Deletes the owner's tags before [`InsertUserTags`] inserts new ones. Has the same conditions as [`Update`]. Does
    /// not delete the tag `:tag`, so that a principal that is restricted to this tag still sees the file.
    DeleteUserTags<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, revision: Option<u64> } =
        concat!("DELETE FROM file_tags WHERE kind = 'user' AND tag IS NOT :tag AND file_id =
        (SELECT id FROM files WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(:revision, revision) AND ", is_within_tag!("files.id"), ")");
    /// Inserts the owner's new tags from a JSON array. Has the same conditions as [`Update`].
    InsertUserTags<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, revision: Option<u64>, tags: &'a str } =
        concat!("INSERT INTO file_tags (file_id, kind, tag)
        SELECT files.id, 'user', json_each.value FROM files, json_each(:tags)
        WHERE files.id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived')
            AND json_each.value IS NOT :tag
            AND revision = coalesce(:revision, revision) AND ", is_within_tag!("files.id"));
    /// Records the lineage of a saved cut. If the recipe is not stored, the statement sets `file_relationships.recipe`
    /// to NULL, and the NOT NULL constraint fails the batch.
    InsertLineage<'a> { file: FileId, parent: FileId, recipe_sha256: &'a str, now: Timestamp } =
        "INSERT INTO file_relationships
            (child_file_id, parent_file_id, relationship_type, recipe, recipe_sha256, created_at)
        VALUES (:file, :parent, 'cut', (SELECT '{}' FROM recipes WHERE sha256 = :recipe_sha256), :recipe_sha256, :now)";
    /// Raises the reservation of a pending attempt to `:total_bytes`.
    GrowPending { attempt: AttemptId, total_bytes: u64 } =
        "UPDATE files SET file_size = max(file_size, :total_bytes)
        WHERE attempt = :attempt AND lifecycle_status = 'pending' RETURNING id";
    /// Inserts the commit marker of an attempt. If the attempt does not own a pending file, the statement sets
    /// `commit_markers.file_id` to NULL, and the NOT NULL constraint fails the batch. An attempt that was committed
    /// before does not own a pending file.
    InsertCommitMarker { attempt: AttemptId, file: FileId, now: Timestamp } =
        "INSERT INTO commit_markers (attempt, file_id, committed_at)
        VALUES (:attempt, (SELECT id FROM files WHERE id = :file AND attempt = :attempt AND lifecycle_status = 'pending'),
            :now)";
    /// Makes a pending file active. `:metadata`, `:columns` and `:dialect` are JSON.
    Activate<'a> {
        attempt: AttemptId,
        size_bytes: u64,
        checksum: Option<&'a str>,
        etag: &'a str,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        storage_class: &'a str,
        metadata: &'a str,
        content_type: &'a str,
        row_count: Option<u64>,
        column_count: Option<u64>,
        columns: Option<&'a str>,
        dialect: Option<&'a str>,
        profile_bytes: Option<u64>,
        encoding: Option<&'a str>,
        dialect_options: Option<&'a str>,
        scan_verdict: Option<&'a str>,
        scanned_at: Option<Timestamp>,
    } = "UPDATE files SET lifecycle_status = 'active', file_size = :size_bytes, checksum = :checksum, etag = :etag,
            updated_at = :now, expires_at = :expires_at, storage_class = :storage_class, metadata = :metadata,
            mime_type = :content_type, row_count = :row_count, column_count = :column_count, columns = :columns,
            dialect = :dialect, profile_bytes = :profile_bytes, encoding = :encoding,
            dialect_options = :dialect_options, scan_verdict = :scan_verdict, scanned_at = :scanned_at
        WHERE attempt = :attempt AND lifecycle_status = 'pending'";
    /// Selects the status of an attempt's file.
    StatusOfAttempt { attempt: AttemptId } = "SELECT id, lifecycle_status FROM files WHERE attempt = :attempt";
    /// Deletes the file of a pending attempt, with its tags and lineage.
    DeletePending { attempt: AttemptId } =
        "DELETE FROM files WHERE attempt = :attempt AND lifecycle_status = 'pending'";
    /// Makes the file of a pending attempt dead, so that the attempt can no longer be committed.
    KillPending { attempt: AttemptId } =
        "UPDATE files SET lifecycle_status = 'dead' WHERE attempt = :attempt AND lifecycle_status = 'pending'";
    /// Deletes the dead file of an attempt that was never committed. The etag of this file is NULL, because only a
    /// commit sets the etag.
    DeleteDeadAttempt { attempt: AttemptId } =
        "DELETE FROM files WHERE attempt = :attempt AND lifecycle_status = 'dead' AND etag IS NULL";
    /// Marks a dead file as purged: its bytes are deleted. Its row stays as a tombstone for lineage and the audit
    /// log.
    MarkPurged { attempt: AttemptId } =
        "UPDATE files SET lifecycle_status = 'purged' WHERE attempt = :attempt AND lifecycle_status = 'dead'";

    /// Selects a kept file of `:user`.
    Get<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str> } = concat!("SELECT ", file_columns!(), ", columns,
            dialect, ", spent_budget!(":user"), " FROM files
        WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived', 'deleted')
            AND ", is_within_tag!("files.id"));
    /// Selects the kept file that a share sends.
    GetShared { share: ShareId } = concat!("SELECT ", file_columns!(), ", columns, dialect FROM files
        WHERE (id, user_id, attempt) = (SELECT file_id, user_id, attempt FROM shares WHERE shares.id = :share)
            AND lifecycle_status IN ('active', 'archived', 'deleted')");
    /// Selects a readable file that is shared with the account `:grantee`, what this account may do, and the username of
    /// the owner. The account does not see the owner's tags and metadata.
    GetGranted<'a> { file: FileId, grantee: &'a UserId, now: Timestamp } = concat!("SELECT ", granted_columns!(), ",
            columns, dialect, shares.may, owner.username AS shared_by, ", spent_budget!(":grantee"), "
        FROM shares JOIN files ON files.id = shares.file_id AND files.user_id = shares.user_id
            JOIN users AS owner ON owner.id = shares.user_id AND owner.disabled_at IS NULL
        WHERE ", granted!(), " AND shares.file_id = :file");
    /// Selects at most `:limit` readable files that are shared with the account `:grantee`, those shared last first. The
    /// page begins after the share `:before`, if that is not NULL.
    ListGranted<'a> { grantee: &'a UserId, before: Option<ShareId>, now: Timestamp, limit: u64 } = concat!("SELECT ",
        granted_columns!(), ", shares.may, owner.username AS shared_by, shares.id AS share
        FROM shares JOIN files ON files.id = shares.file_id AND files.user_id = shares.user_id
            JOIN users AS owner ON owner.id = shares.user_id AND owner.disabled_at IS NULL
        WHERE ", granted!(), " AND (:before IS NULL OR shares.id < :before) ORDER BY shares.id DESC LIMIT :limit");
    /// Counts the files that are shared with the account `:grantee`.
    CountGranted<'a> { grantee: &'a UserId, now: Timestamp } = concat!("SELECT count(*) AS total
        FROM shares JOIN files ON files.id = shares.file_id AND files.user_id = shares.user_id
            JOIN users AS owner ON owner.id = shares.user_id AND owner.disabled_at IS NULL
        WHERE ", granted!());
    /// Counts the files of a list.
    Count<'a> {
        user: &'a UserId,
        tag: Option<&'a str>,
        status: &'a str,
        now: Timestamp,
        tags: &'a str,
        name_part: Option<&'a str>,
    } = concat!("SELECT count(*) AS total ", listed!());
    /// Changes the name, metadata (JSON), expiry and status of an active or archived file. If `:revision` is not NULL,
    /// the file must still be at this revision. A column whose parameter is NULL is not changed. The expiry is not
    /// changed if `:sets_expiry` is 0.
    Update<'a> {
        file: FileId,
        user: &'a UserId,
        tag: Option<&'a str>,
        revision: Option<u64>,
        filename: Option<&'a str>,
        metadata: Option<&'a str>,
        sets_expiry: bool,
        expires_at: Option<Timestamp>,
        status: Option<&'a str>,
        sets_dialect: bool,
        dialect_options: Option<&'a str>,
        now: Timestamp,
    } = concat!("UPDATE files SET
            filename = coalesce(:filename, filename),
            metadata = coalesce(:metadata, metadata),
            expires_at = CASE WHEN :sets_expiry THEN :expires_at ELSE expires_at END,
            lifecycle_status = coalesce(:status, lifecycle_status),
            ", unlearned_if_dialect_changes!("row_count", "column_count", "columns", "dialect", "profile_bytes"), "
            learn_tries = CASE WHEN :sets_dialect THEN 0 ELSE learn_tries END,
            dialect_options = CASE WHEN :sets_dialect THEN :dialect_options ELSE dialect_options END,
            revision = revision + 1, updated_at = :now
        WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(:revision, revision) AND ", is_within_tag!("files.id"), "
        RETURNING revision");
    /// Updates the row of a file in the trash without changing any value. The database counts the row as changed, so
    /// that the effect is recorded.
    StayInTrash<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, revision: Option<u64> } =
        concat!("UPDATE files SET revision = revision
        WHERE id = :file AND user_id = :user AND lifecycle_status = 'deleted' AND revision = coalesce(:revision, revision)
            AND ", is_within_tag!("files.id"), "
        RETURNING revision");
    /// Moves a file to the trash.
    Trash<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, revision: Option<u64>, now: Timestamp } =
        concat!("UPDATE files SET lifecycle_status = 'deleted', deleted_at = :now, updated_at = :now,
            revision = revision + 1
        WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(:revision, revision) AND ", is_within_tag!("files.id"), "
        RETURNING revision");
    /// Restores a file from the trash. If `:revision` is not NULL, the file must still be at this revision. Removes an
    /// expiry that has passed, so that the file does not expire again immediately.
    Restore<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str>, revision: Option<u64>, now: Timestamp } =
        concat!("UPDATE files SET lifecycle_status = 'active', deleted_at = NULL, updated_at = :now, revision = revision + 1,
            expires_at = CASE WHEN expires_at > :now THEN expires_at END
        WHERE id = :file AND user_id = :user AND lifecycle_status = 'deleted' AND revision = coalesce(:revision, revision)
            AND ", is_within_tag!("files.id"), "
        RETURNING revision");
    /// Deletes a kept file permanently: makes it dead, so that nobody can restore it. Its bytes are purged after
    /// `:purge_after`. The trigger `file_killed` erases its name, tags, metadata and lineage.
    KillKept<'a> {
        file: FileId,
        user: &'a UserId,
        tag: Option<&'a str>,
        revision: Option<u64>,
        now: Timestamp,
        purge_after: Timestamp,
    } = concat!("UPDATE files SET lifecycle_status = 'dead', updated_at = :now, purge_after = :purge_after,
            revision = revision + 1
        WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived', 'deleted')
            AND revision = coalesce(:revision, revision) AND ", is_within_tag!("files.id"), "
        RETURNING revision");
    /// Deletes at most `:limit` tombstones of files whose purge was due at `:cutoff` or before. Returns their ids.
    ForgetTombstones { cutoff: Timestamp, limit: u64 } = "DELETE FROM files WHERE id IN (SELECT id FROM files
            WHERE lifecycle_status = 'purged' AND purge_after <= :cutoff ORDER BY purge_after LIMIT :limit)
        RETURNING id";
    /// Deletes at most `:limit` commit markers of attempts whose id is below `:before`. Returns the attempts' ids.
    ForgetMarkers { before: AttemptId, limit: u64 } = "DELETE FROM commit_markers WHERE attempt IN
        (SELECT attempt FROM commit_markers WHERE attempt < :before ORDER BY attempt LIMIT :limit) RETURNING attempt";
    /// Selects at most `:limit` files that have the status `:status` and whose expiry has passed, ordered by expiry and
    /// id. The page begins after the file with the expiry `:after_time` and the id `:after_id`.
    Expired<'a> { status: &'a str, now: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT id, user_id, revision, expires_at AS due_at FROM files
        WHERE lifecycle_status = :status AND expires_at <= :now AND expires_at >= :after_time
            AND (expires_at, id) > (:after_time, :after_id)
        ORDER BY expires_at, id LIMIT :limit";
    /// Selects at most `:limit` files that were moved to the trash at `:cutoff` or before, ordered by the time of this
    /// move and by id. The page begins after the file that was moved at `:after_time` and has the id `:after_id`.
    TrashedBefore<'a> { cutoff: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT id, user_id, revision, deleted_at AS due_at FROM files
        WHERE lifecycle_status = 'deleted' AND deleted_at <= :cutoff AND deleted_at >= :after_time
            AND (deleted_at, id) > (:after_time, :after_id)
        ORDER BY deleted_at, id LIMIT :limit";
    /// Selects the files from which a file was made. If a selected file belongs to another user, its name and status
    /// are NULL. Leaves out files that a principal with the tag `:tag` does not see.
    Parents<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str> } =
        concat!("SELECT parent_file_id AS file_id, relationship_type, recipe_sha256, created_at,
            (SELECT nullif(filename, '') FROM files WHERE id = parent_file_id AND user_id = :user) AS filename,
            coalesce((SELECT lifecycle_status FROM files WHERE id = parent_file_id AND user_id = :user),
                (SELECT 'purged' FROM erasures WHERE file_id = parent_file_id AND user_id = :user)) AS lifecycle_status
        FROM file_relationships WHERE child_file_id = :file AND ", is_within_tag!("parent_file_id"));
    /// Selects at most `:limit` kept files of `:user` that were made from a file, ordered by the time at which they
    /// were made and by id. The page begins after the file that was made at `:after_time` and has the id `:after_id`.
    Children<'a> {
        file: FileId,
        user: &'a UserId,
        tag: Option<&'a str>,
        after_time: &'a str,
        after_id: &'a str,
        limit: u64,
    } = concat!("SELECT child_file_id AS file_id, relationship_type, recipe_sha256, file_relationships.created_at,
            files.filename, files.lifecycle_status
        FROM file_relationships JOIN files ON files.id = child_file_id
        WHERE parent_file_id = :file AND files.user_id = :user
            AND files.lifecycle_status IN ('active', 'archived', 'deleted')
            AND (file_relationships.created_at, child_file_id) > (:after_time, :after_id)
            AND ", is_within_tag!("child_file_id"), "
        ORDER BY file_relationships.created_at, child_file_id LIMIT :limit");
}

statement_variants! {
    /// Selects a page of at most `:limit` files from the files that [`Count`] counts. The page begins after the file
    /// with the id `:after_id` and the value `:after_value` in the sort column, or after the first `:offset` files. The
    /// page ends earlier if the names, tags and metadata on it reach `:most_bytes`.
    List<'a> {
        user: &'a UserId,
        tag: Option<&'a str>,
        status: &'a str,
        now: Timestamp,
        tags: &'a str,
        name_part: Option<&'a str>,
        limit: u64,
        after_value: Option<&'a SortValue>,
        after_id: Option<&'a str>,
        offset: u64,
        most_bytes: u64,
    };
    /// The order of a list.
    order: ListOrder {
        /// By time of creation, the oldest first.
        CreatedAtAscending "by created_at ascending" = page_by!("created_at", "ASC", ">");
        /// By time of creation, the newest first.
        CreatedAtDescending "by created_at descending" = page_by!("created_at", "DESC", "<");
        /// By name, ascending.
        FilenameAscending "by filename ascending" = page_by!("filename", "ASC", ">");
        /// By name, descending.
        FilenameDescending "by filename descending" = page_by!("filename", "DESC", "<");
        /// By size, the smallest first.
        SizeAscending "by size ascending" = page_by!("file_size", "ASC", ">");
        /// By size, the largest first.
        SizeDescending "by size descending" = page_by!("file_size", "DESC", "<");
    }
}

/// The column by which a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortColumn {
    CreatedAt,
    Filename,
    Size,
}

impl SortColumn {
    /// Returns the order by this column, ascending or descending.
    pub fn order(self, descending: bool) -> ListOrder {
        match (self, descending) {
            (Self::CreatedAt, false) => ListOrder::CreatedAtAscending,
            (Self::CreatedAt, true) => ListOrder::CreatedAtDescending,
            (Self::Filename, false) => ListOrder::FilenameAscending,
            (Self::Filename, true) => ListOrder::FilenameDescending,
            (Self::Size, false) => ListOrder::SizeAscending,
            (Self::Size, true) => ListOrder::SizeDescending,
        }
    }
}

/// A value of a sort column.
#[derive(Debug, Clone, PartialEq)]
pub enum SortValue {
    /// A value of `created_at` or `filename`.
    Text(String),
    /// A value of `file_size`, in bytes.
    Size(u64),
}

impl From<&SortValue> for Param {
    fn from(value: &SortValue) -> Self {
        match value {
            SortValue::Text(text) => text.as_str().into(),
            SortValue::Size(size) => (*size).into(),
        }
    }
}
