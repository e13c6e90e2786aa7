-- Permanent deletion erases what a file says about people, also when an older version of the code deletes it. What can
-- be many rows (receipts, error texts) is erased by a sweep; `erasures` says for which files, and stays as the list of
-- what a restored backup must erase again. Indexes for what the sweeps forget.

CREATE TABLE erasures (
    file_id   TEXT PRIMARY KEY NOT NULL,
    user_id   TEXT NOT NULL,
    erased_at TEXT NOT NULL,
    -- When the sweep erases rows of this file next; NULL: nothing is left.
    next_at   TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX erasures_due ON erasures (next_at, file_id) WHERE next_at IS NOT NULL;
CREATE INDEX erasures_by_age ON erasures (erased_at);

CREATE TRIGGER file_killed AFTER UPDATE OF lifecycle_status ON files
WHEN NEW.lifecycle_status = 'dead' AND OLD.lifecycle_status IN ('active', 'archived', 'deleted') BEGIN
    INSERT INTO erasures (file_id, user_id, erased_at, next_at)
    SELECT NEW.id, NEW.user_id, NEW.updated_at, NEW.updated_at
    WHERE NOT EXISTS (SELECT 1 FROM erasures WHERE file_id = NEW.id);
    DELETE FROM file_tags WHERE file_id = NEW.id;
    DELETE FROM file_relationships WHERE child_file_id = NEW.id;
    UPDATE cuts SET saved_file_id = NULL, recipe_sha256 = NULL, recipe = '{}' WHERE saved_file_id = NEW.id;
    -- The upload that made the file has the id of its attempt.
    UPDATE multipart_uploads SET filename = '', session_data = '{}' WHERE upload_id = NEW.attempt;
    UPDATE files SET filename = '', metadata = '{}', checksum = NULL, columns = NULL, dialect = NULL, encoding = NULL,
        row_count = NULL, column_count = NULL, expires_at = NULL
    WHERE id = NEW.id;
END;

-- The same for files that were deleted before.
INSERT INTO erasures (file_id, user_id, erased_at, next_at)
SELECT id, user_id, updated_at, updated_at FROM files WHERE lifecycle_status IN ('dead', 'purged') AND etag IS NOT NULL;
DELETE FROM file_tags WHERE file_id IN (SELECT file_id FROM erasures);
DELETE FROM file_relationships WHERE child_file_id IN (SELECT file_id FROM erasures);
UPDATE multipart_uploads SET filename = '', session_data = '{}'
WHERE upload_id IN (SELECT attempt FROM files JOIN erasures ON file_id = id);
UPDATE files SET filename = '', metadata = '{}', checksum = NULL, columns = NULL, dialect = NULL, encoding = NULL,
    row_count = NULL, column_count = NULL, expires_at = NULL
WHERE id IN (SELECT file_id FROM erasures);

CREATE INDEX files_purged ON files (purge_after) WHERE lifecycle_status = 'purged';
CREATE INDEX findings_resolved ON findings (resolved_at) WHERE resolved_at IS NOT NULL;
