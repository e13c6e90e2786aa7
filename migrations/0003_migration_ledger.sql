-- Bringing in the files of an older installation: a batch, and a line for each file of it.

CREATE TABLE migration_batches (
    id          TEXT PRIMARY KEY NOT NULL,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('planned', 'running', 'done', 'failed', 'rolled_back')),
    plan        TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) STRICT;

CREATE TABLE migration_ledger (
    batch_id    TEXT NOT NULL REFERENCES migration_batches (id) ON DELETE CASCADE,
    source_path TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    file_id     TEXT,
    file_size   INTEGER,
    checksum    TEXT,
    status      TEXT NOT NULL CHECK (status IN ('planned', 'copied', 'verified', 'failed', 'rolled_back')),
    error       TEXT,
    updated_at  TEXT NOT NULL,
    PRIMARY KEY (batch_id, source_path)
) STRICT, WITHOUT ROWID;

CREATE INDEX migration_ledger_by_status ON migration_ledger (batch_id, status, source_path);
