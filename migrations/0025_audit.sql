-- The audit log becomes a chain. Each entry has a code that only the service can compute (`code`), so a row that somebody
-- else inserted or changed is found. A sweep gives each entry that has arrived the next number (`seq`) and chains it to
-- the entry before (`prev_hash`, `hash`). The address and the user agent, and the error text, are not in the chain
-- themselves but as digests with a salt: so they can be erased, and the chain still verifies.
--
-- An entry of nobody's account (an operator, a count of refused requests) has an empty user_id.
ALTER TABLE file_access_logs ADD COLUMN seq INTEGER;
ALTER TABLE file_access_logs ADD COLUMN code TEXT;
ALTER TABLE file_access_logs ADD COLUMN caller_salt TEXT;
ALTER TABLE file_access_logs ADD COLUMN caller_digest TEXT;
ALTER TABLE file_access_logs ADD COLUMN message_salt TEXT;
ALTER TABLE file_access_logs ADD COLUMN message_digest TEXT;

CREATE UNIQUE INDEX file_access_logs_by_seq ON file_access_logs (seq) WHERE seq IS NOT NULL;
CREATE INDEX file_access_logs_unsealed ON file_access_logs (id) WHERE seq IS NULL;
CREATE INDEX file_access_logs_by_action ON file_access_logs (action, id);
CREATE INDEX file_access_logs_by_user_action ON file_access_logs (user_id, action, id);

-- The ends of the chain: the number of the first entry that is kept, and the number and the hash of the last sealed
-- entry. One row.
CREATE TABLE audit_chain (
    id         INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    first_seq  INTEGER NOT NULL CHECK (first_seq >= 1),
    last_seq   INTEGER NOT NULL CHECK (last_seq >= 0),
    last_hash  TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    signature  TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- One row for each run of entries that were sealed together.
CREATE TABLE audit_seals (
    first_seq INTEGER PRIMARY KEY NOT NULL,
    last_seq  INTEGER NOT NULL CHECK (last_seq >= first_seq),
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL,
    -- 1: the entries are older than this migration, and have no codes.
    legacy    INTEGER NOT NULL DEFAULT 0 CHECK (legacy IN (0, 1)),
    key_id    TEXT NOT NULL,
    signature TEXT NOT NULL,
    sealed_at TEXT NOT NULL
) STRICT;

CREATE INDEX audit_seals_with_codes ON audit_seals (first_seq) WHERE legacy = 0;

-- Sealed entries that have left this database: each row is an object in R2, gzip of NDJSON.
CREATE TABLE audit_segments (
    first_seq  INTEGER PRIMARY KEY NOT NULL,
    last_seq   INTEGER NOT NULL CHECK (last_seq >= first_seq),
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL,
    r2_key     TEXT NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    sha256     TEXT NOT NULL,
    legacy     INTEGER NOT NULL DEFAULT 0 CHECK (legacy IN (0, 1)),
    key_id     TEXT NOT NULL,
    signature  TEXT NOT NULL,
    -- The times of the earliest and the latest entry.
    oldest_at  TEXT NOT NULL,
    newest_at  TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX audit_segments_with_codes ON audit_segments (first_seq) WHERE legacy = 0;
CREATE INDEX audit_segments_by_age ON audit_segments (newest_at);

-- The limit of 100,000 entries for each user is gone: a sealed entry leaves the table only through a segment.
DROP TRIGGER audit_entry_inserted;
DROP TRIGGER audit_entry_deleted;

CREATE TRIGGER audit_entry_inserted AFTER INSERT ON file_access_logs WHEN NEW.user_id <> '' BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET audit_entries = audit_entries + 1 WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER audit_entry_deleted AFTER DELETE ON file_access_logs BEGIN
    UPDATE usage SET audit_entries = max(audit_entries - 1, 0) WHERE user_id = OLD.user_id;
END;
