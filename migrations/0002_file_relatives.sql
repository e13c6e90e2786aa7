-- What hangs on a file: where it came from, and its tags. The files themselves come in 0005.

CREATE TABLE file_relationships (
    child_file_id     TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    -- No reference: the parent may be purged; its id, and its hash in the recipe, still name it.
    parent_file_id    TEXT NOT NULL,
    relationship_type TEXT NOT NULL CHECK (relationship_type IN ('filtered', 'processed', 'cut')),
    -- JSON: all it takes to make the child's bytes again from the parent's.
    recipe            TEXT NOT NULL,
    created_at        TEXT NOT NULL,
    PRIMARY KEY (child_file_id, parent_file_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX file_relationships_by_parent ON file_relationships (parent_file_id, created_at, child_file_id);

CREATE TABLE file_tags (
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('user', 'system')),
    tag     TEXT NOT NULL,
    PRIMARY KEY (file_id, kind, tag)
) STRICT, WITHOUT ROWID;
