//! Files, their tags and their lineage. Statements that find or change a file for a user name the
//! owner; those of the storage protocol go by the attempt, which only its request and the sweep know.

/// The columns of a [`crate::storage::file::FileRow`].
macro_rules! file_columns {
    () => {
        "id, user_id, filename, r2_key, mime_type, file_size, checksum, created_at, updated_at, storage_class,
        lifecycle_status, revision, expires_at, last_accessed, access_count, metadata, etag, attempt, source,
        row_count, column_count, profile_bytes, encoding, damaged_at,
        (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'system') AS system_tags,
        (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'user') AS user_tags"
    };
}

/// What a listing filters by: owner ?1, status ?2, now ?3, tag ?4 or NULL, part of the name ?5 or NULL.
macro_rules! listed {
    () => {
        "FROM files WHERE user_id = ?1 AND lifecycle_status = ?2 AND (expires_at IS NULL OR expires_at > ?3 OR lifecycle_status = 'deleted')
        AND (?4 IS NULL OR EXISTS (SELECT 1 FROM file_tags WHERE file_id = files.id AND tag = ?4))
        AND (?5 IS NULL OR instr(lower(filename), lower(?5)) > 0)"
    };
}

statements! {
    /// The intent: a pending file.
    INSERT_PENDING = "INSERT INTO files (id, user_id, filename, r2_key, mime_type, file_size, created_at, updated_at,
            lifecycle_status, attempt, source)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 'pending', ?8, ?9)";
    /// Tags from a JSON array.
    INSERT_TAGS = "INSERT INTO file_tags (file_id, kind, tag) SELECT ?1, ?2, value FROM json_each(?3)";
    /// Drops the owner's tags, before new ones come, under the guards of `UPDATE`.
    DELETE_USER_TAGS = "DELETE FROM file_tags WHERE kind = 'user' AND file_id =
        (SELECT id FROM files WHERE id = ?1 AND user_id = ?2 AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(?3, revision))";
    /// The owner's new tags from the JSON array ?4, under the guards of `UPDATE`.
    INSERT_USER_TAGS = "INSERT INTO file_tags (file_id, kind, tag)
        SELECT files.id, 'user', json_each.value FROM files, json_each(?4)
        WHERE files.id = ?1 AND user_id = ?2 AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(?3, revision)";
    /// Where a derived file came from.
    INSERT_LINEAGE = "INSERT INTO file_relationships
            (child_file_id, parent_file_id, relationship_type, recipe, created_at)
        VALUES (?1, ?2, 'cut', ?3, ?4)";
    /// Raises what a pending attempt has reserved to ?2 bytes.
    GROW_PENDING = "UPDATE files SET file_size = max(file_size, ?2) WHERE attempt = ?1 AND lifecycle_status = 'pending' RETURNING id";
    /// Marks attempt ?1 committed, or fails the batch: on `commit_markers.file_id` when it no longer owns a pending
    /// file, on `commit_markers.attempt` when it was committed before.
    INSERT_COMMIT_MARKER = "INSERT INTO commit_markers (attempt, file_id, committed_at)
        VALUES (?1, (SELECT id FROM files WHERE id = ?2 AND attempt = ?1 AND lifecycle_status = 'pending'), ?3)";
    /// Makes a pending file visible.
    ACTIVATE = "UPDATE files SET lifecycle_status = 'active', file_size = ?2, checksum = ?3, etag = ?4, updated_at = ?5,
            expires_at = ?6, metadata = ?7, mime_type = ?8, row_count = ?9, column_count = ?10, columns = ?11,
            dialect = ?12, profile_bytes = ?13, encoding = ?14
        WHERE attempt = ?1 AND lifecycle_status = 'pending'";
    /// What has become of an attempt.
    STATUS_OF_ATTEMPT = "SELECT id, lifecycle_status FROM files WHERE attempt = ?1";
    /// Forgets a pending attempt. Its tags and lineage go with it.
    DELETE_PENDING = "DELETE FROM files WHERE attempt = ?1 AND lifecycle_status = 'pending'";
    /// Takes a pending attempt out of the commit's reach.
    KILL_PENDING = "UPDATE files SET lifecycle_status = 'dead' WHERE attempt = ?1 AND lifecycle_status = 'pending'";
    /// Forgets an attempt that was killed and never committed.
    DELETE_DEAD_ATTEMPT = "DELETE FROM files WHERE attempt = ?1 AND lifecycle_status = 'dead'
        AND NOT EXISTS (SELECT 1 FROM commit_markers WHERE attempt = ?1)";
    /// The bytes of a dead file are gone; its row stays as a tombstone for lineage and audit.
    MARK_PURGED = "UPDATE files SET lifecycle_status = 'purged' WHERE attempt = ?1 AND lifecycle_status = 'dead'";

    /// A file of owner ?2 as it is now.
    GET = concat!("SELECT ", file_columns!(), ", columns FROM files WHERE id = ?1 AND user_id = ?2
        AND lifecycle_status IN ('active', 'archived', 'deleted')");
    /// How many files a listing has in all.
    COUNT = concat!("SELECT count(*) AS total ", listed!());
    /// Rename, expiry, metadata, archived: NULL (or 0 in ?11) leaves a value as it is; guarded by revision ?3 if given.
    UPDATE = "UPDATE files SET
            filename = coalesce(?4, filename),
            metadata = coalesce(?5, metadata),
            expires_at = CASE WHEN ?6 THEN ?7 ELSE expires_at END,
            lifecycle_status = coalesce(?8, lifecycle_status),
            revision = revision + 1, updated_at = ?9
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(?3, revision)
        RETURNING revision";
    /// Finds a file in the trash and leaves it as it is. It counts as a change, so that an effect can be recorded.
    STAY_IN_TRASH = "UPDATE files SET revision = revision
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status = 'deleted' AND revision = coalesce(?3, revision)
        RETURNING revision";
    /// Into the trash.
    TRASH = "UPDATE files SET lifecycle_status = 'deleted', deleted_at = ?4, updated_at = ?4, revision = revision + 1
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status IN ('active', 'archived')
            AND revision = coalesce(?3, revision)
        RETURNING revision";
    /// Out of the trash. An expiry that has passed is dropped: otherwise the file would vanish again at once.
    RESTORE = "UPDATE files SET lifecycle_status = 'active', deleted_at = NULL, updated_at = ?3, revision = revision + 1,
            expires_at = CASE WHEN expires_at > ?3 THEN expires_at END
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status = 'deleted'
        RETURNING revision";
    /// Beyond the trash: nobody can bring it back, its quota is free, its bytes go at ?5.
    KILL_KEPT = "UPDATE files SET lifecycle_status = 'dead', updated_at = ?4, purge_after = ?5, revision = revision + 1
        WHERE id = ?1 AND user_id = ?2 AND lifecycle_status IN ('active', 'archived', 'deleted')
            AND revision = coalesce(?3, revision)
        RETURNING revision";
    /// Files of status ?1 whose expiry has passed, after the place (?3, ?4), for the sweep.
    EXPIRED = "SELECT id, user_id, revision, expires_at AS due_at FROM files
        WHERE lifecycle_status = ?1 AND expires_at <= ?2 AND expires_at >= ?3 AND (expires_at, id) > (?3, ?4)
        ORDER BY expires_at, id LIMIT ?5";
    /// Files that have been in the trash since before ?1, after the place (?2, ?3), for the sweep.
    TRASHED_BEFORE = "SELECT id, user_id, revision, deleted_at AS due_at FROM files
        WHERE lifecycle_status = 'deleted' AND deleted_at <= ?1 AND deleted_at >= ?2 AND (deleted_at, id) > (?2, ?3)
        ORDER BY deleted_at, id LIMIT ?4";
    /// What a file was made from.
    PARENTS = "SELECT parent_file_id AS file_id, relationship_type, recipe, created_at,
            (SELECT filename FROM files WHERE id = parent_file_id AND user_id = ?2) AS filename,
            (SELECT lifecycle_status FROM files WHERE id = parent_file_id AND user_id = ?2) AS lifecycle_status
        FROM file_relationships WHERE child_file_id = ?1";
    /// What was made from a file, from ?3 on.
    CHILDREN = "SELECT child_file_id AS file_id, relationship_type, recipe, file_relationships.created_at,
            files.filename, files.lifecycle_status
        FROM file_relationships JOIN files ON files.id = child_file_id
        WHERE parent_file_id = ?1 AND files.user_id = ?2
            AND files.lifecycle_status IN ('active', 'archived', 'deleted')
            AND (file_relationships.created_at, child_file_id) > (?3, ?4)
        ORDER BY file_relationships.created_at, child_file_id LIMIT ?5";
}

/// What a listing sorts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortColumn {
    CreatedAt,
    Filename,
    Size,
}

impl SortColumn {
    const ALL: [Self; 3] = [Self::CreatedAt, Self::Filename, Self::Size];

    /// The column of `files`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Filename => "filename",
            Self::Size => "file_size",
        }
    }
}

/// A page of a listing: the parameters of `listed!`, then at most ?6 rows after the key (?7, ?8), or after ?9 rows.
pub fn listing(sort: SortColumn, descending: bool) -> String {
    let column = sort.name();
    let (order, after) = if descending { ("DESC", "<") } else { ("ASC", ">") };
    let columns = file_columns!();
    let listed = listed!();
    format!(
        "SELECT {columns} {listed} AND (?8 IS NULL OR ({column}, id) {after} (?7, ?8))
        ORDER BY {column} {order}, id {order} LIMIT ?6 OFFSET ?9"
    )
}

/// Every listing there is, for the tests.
pub fn listings() -> Vec<(String, String)> {
    let both = |sort| [(sort, false), (sort, true)];
    let named = |(sort, descending): (SortColumn, bool)| {
        (format!("LISTING by {} descending={descending}", sort.name()), listing(sort, descending))
    };
    SortColumn::ALL.into_iter().flat_map(both).map(named).collect()
}
