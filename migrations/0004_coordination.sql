-- What keeps bytes and rows in step, and what background work is due.

-- used_bytes: sum over files kept (active, archived, in the trash). reserved_bytes: sum over pending files.
-- quota_bytes NULL: the configured default. A reservation that would not fit sets reserved_bytes to NULL, which the
-- NOT NULL constraint turns into a failed batch.
CREATE TABLE quotas (
    user_id        TEXT PRIMARY KEY NOT NULL,
    quota_bytes    INTEGER,
    used_bytes     INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    reserved_bytes INTEGER NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    updated_at     TEXT NOT NULL
) STRICT;

-- Objects that may have to go. A row is written before an object's first byte and removed by the commit.
CREATE TABLE gc_queue (
    r2_key      TEXT PRIMARY KEY NOT NULL,
    file_id     TEXT,
    attempt     TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    -- The R2 multipart upload under way for this key, if any.
    upload_id   TEXT,
    reason      TEXT NOT NULL CHECK (reason IN ('upload', 'deleted', 'temporary')),
    not_before  TEXT NOT NULL,
    -- When the object was deleted the first time; it is deleted once more a day later, for a put that landed late.
    deleted_at  TEXT,
    created_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX gc_queue_due ON gc_queue (not_before, r2_key);

-- One row a committed attempt. file_id is NULL, and so refused, when the attempt no longer owns a pending file.
CREATE TABLE commit_markers (
    attempt      TEXT PRIMARY KEY NOT NULL,
    file_id      TEXT NOT NULL,
    committed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    user_id      TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    -- NULL while the first request is in progress.
    status       INTEGER,
    response     TEXT,
    created_at   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- Receipts of cuts.
CREATE TABLE cuts (
    id             TEXT PRIMARY KEY NOT NULL,
    user_id        TEXT NOT NULL,
    file_id        TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('running', 'complete', 'failed')),
    recipe         TEXT NOT NULL,
    rows_in        INTEGER NOT NULL DEFAULT 0,
    rows_out       INTEGER NOT NULL DEFAULT 0,
    bytes_in       INTEGER NOT NULL DEFAULT 0,
    bytes_out      INTEGER NOT NULL DEFAULT 0,
    rows_ragged    INTEGER NOT NULL DEFAULT 0,
    rows_rejected  INTEGER NOT NULL DEFAULT 0,
    -- SHA-256, hex, of the bytes before any content coding.
    checksum       TEXT,
    error          TEXT,
    details        TEXT NOT NULL DEFAULT '{}',
    created_at     TEXT NOT NULL,
    finished_at    TEXT
) STRICT;

CREATE INDEX cuts_by_user ON cuts (user_id, created_at);
CREATE INDEX cuts_by_age ON cuts (created_at);

CREATE TABLE jobs (
    id          TEXT PRIMARY KEY NOT NULL,
    user_id     TEXT,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) STRICT;

CREATE INDEX jobs_by_status ON jobs (status, updated_at);

-- Messages to be sent once the batch that wrote them is durable.
CREATE TABLE outbox (
    id          TEXT PRIMARY KEY NOT NULL,
    payload     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    sent_at     TEXT
) STRICT;

CREATE INDEX outbox_unsent ON outbox (sent_at, id);
