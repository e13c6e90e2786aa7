-- What the sweeps did, how far they are, and what the scrub found damaged.

-- One row a sweep and run. Ids are UUID v7, so id order is time order.
CREATE TABLE sweep_runs (
    id          TEXT PRIMARY KEY NOT NULL,
    kind        TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    -- Where the next run of this kind begins; NULL: at the start.
    cursor      TEXT,
    examined    INTEGER NOT NULL CHECK (examined >= 0),
    changed     INTEGER NOT NULL CHECK (changed >= 0),
    failed      INTEGER NOT NULL CHECK (failed >= 0),
    -- Why the run stopped early, if it did.
    error       TEXT,
    -- JSON object, the sweep's own counts.
    details     TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_runs_by_kind ON sweep_runs (kind, id);

-- Where each sweep goes on. One row a kind.
CREATE TABLE sweep_cursors (
    kind       TEXT PRIMARY KEY NOT NULL,
    cursor     TEXT,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Stored bytes that are not what their row says. Open until resolved_at is set; at most one open of a kind and file.
CREATE TABLE findings (
    id            TEXT PRIMARY KEY NOT NULL,
    file_id       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    r2_key        TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('missing', 'truncated', 'replaced', 'changed', 'unreadable')),
    first_seen_at TEXT NOT NULL,
    last_seen_at  TEXT NOT NULL,
    -- JSON object: what the row says and what is stored.
    details       TEXT NOT NULL,
    resolved_at   TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX findings_open ON findings (file_id, kind) WHERE resolved_at IS NULL;

-- Since when the bytes are known to be damaged: they are not sent any more.
ALTER TABLE files ADD COLUMN damaged_at TEXT;
-- When the bytes were last read back and compared; NULL: not since they were stored.
ALTER TABLE files ADD COLUMN scrubbed_at TEXT;

CREATE INDEX files_to_scrub ON files (coalesce(scrubbed_at, created_at), id)
    WHERE lifecycle_status IN ('active', 'archived', 'deleted');
-- For the self-check, which goes through all of them page by page.
CREATE INDEX files_kept ON files (id) WHERE lifecycle_status IN ('active', 'archived', 'deleted');
CREATE INDEX files_unfinished ON files (id) WHERE lifecycle_status IN ('pending', 'dead');
CREATE INDEX gc_queue_by_attempt ON gc_queue (attempt);
