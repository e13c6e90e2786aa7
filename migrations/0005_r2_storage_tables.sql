-- Files, uploads in parts, and who did what with which file.

CREATE TABLE files (
    id               TEXT PRIMARY KEY NOT NULL,
    user_id          TEXT NOT NULL,
    filename         TEXT NOT NULL,
    r2_key           TEXT NOT NULL UNIQUE,
    mime_type        TEXT NOT NULL,
    -- While pending: the bytes reserved. After: the bytes kept.
    file_size        INTEGER NOT NULL CHECK (file_size >= 0),
    -- SHA-256, hex; NULL while it is not known.
    checksum         TEXT,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    storage_class    TEXT NOT NULL DEFAULT 'Standard' CHECK (storage_class IN ('Standard', 'InfrequentAccess')),
    lifecycle_status TEXT NOT NULL CHECK (lifecycle_status IN ('pending', 'active', 'archived', 'deleted', 'dead', 'purged')),
    -- Counts every change to this row that its owner can see; the ETag of the metadata.
    revision         INTEGER NOT NULL DEFAULT 1,
    expires_at       TEXT,
    last_accessed    TEXT,
    access_count     INTEGER NOT NULL DEFAULT 0,
    -- JSON object, the owner's.
    metadata         TEXT NOT NULL DEFAULT '{}',
    -- R2's etag of the object, unquoted.
    etag             TEXT,
    -- The try that stored, or is storing, the bytes; the file's version.
    attempt          TEXT NOT NULL UNIQUE,
    deleted_at       TEXT,
    purge_after      TEXT,
    source           TEXT NOT NULL DEFAULT 'upload' CHECK (source IN ('upload', 'cut', 'import', 'migration')),
    -- The profile's summary: filled by whoever has read the whole file, NULL until then.
    row_count        INTEGER,
    column_count     INTEGER,
    columns          TEXT,
    dialect          TEXT
) STRICT;

CREATE INDEX files_by_created ON files (user_id, lifecycle_status, created_at, id);
CREATE INDEX files_by_filename ON files (user_id, lifecycle_status, filename, id);
CREATE INDEX files_by_size ON files (user_id, lifecycle_status, file_size, id);
CREATE INDEX files_to_expire ON files (lifecycle_status, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX files_to_purge ON files (lifecycle_status, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE multipart_uploads (
    upload_id      TEXT PRIMARY KEY NOT NULL,
    file_id        TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    r2_key         TEXT NOT NULL,
    filename       TEXT NOT NULL,
    total_size     INTEGER,
    part_size      INTEGER NOT NULL,
    next_offset    INTEGER NOT NULL DEFAULT 0,
    parts_uploaded INTEGER NOT NULL DEFAULT 0,
    session_data   TEXT NOT NULL DEFAULT '{}',
    status         TEXT NOT NULL CHECK (status IN ('open', 'completing', 'completed', 'aborted', 'expired')),
    lease          TEXT,
    created_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL,
    completed_at   TEXT
) STRICT;

CREATE INDEX multipart_uploads_by_user ON multipart_uploads (user_id, status, created_at, upload_id);
CREATE INDEX multipart_uploads_by_expiry ON multipart_uploads (status, expires_at);

-- One row an operation; ids are UUID v7, so id order is time order. prev_hash and hash are filled by the sealing sweep.
CREATE TABLE file_access_logs (
    id                TEXT PRIMARY KEY NOT NULL,
    file_id           TEXT,
    user_id           TEXT NOT NULL,
    action            TEXT NOT NULL,
    success           INTEGER NOT NULL CHECK (success IN (0, 1)),
    error_code        TEXT,
    error_message     TEXT,
    bytes_transferred INTEGER,
    duration_ms       INTEGER,
    cache_hit         INTEGER,
    ip_address        TEXT,
    user_agent        TEXT,
    request_id        TEXT,
    metadata          TEXT NOT NULL DEFAULT '{}',
    timestamp         TEXT NOT NULL,
    prev_hash         TEXT,
    hash              TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX file_access_logs_by_file ON file_access_logs (file_id, id);
CREATE INDEX file_access_logs_by_user ON file_access_logs (user_id, id);

-- The names an older client knows.
CREATE VIEW saved_files AS
SELECT
    id AS file_id,
    user_id,
    filename AS file_name,
    file_size,
    mime_type AS content_type,
    checksum,
    created_at AS uploaded_at,
    last_accessed,
    access_count,
    (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'system') AS system_tags,
    (SELECT json_group_array(tag) FROM file_tags WHERE file_id = files.id AND kind = 'user') AS user_tags,
    metadata AS custom_metadata,
    storage_class,
    lifecycle_status,
    expires_at
FROM files
WHERE lifecycle_status IN ('active', 'archived', 'deleted');
