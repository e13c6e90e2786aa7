-- Shares: links to a file, links through which somebody uploads a file, and files that another account may read.
CREATE TABLE shares (
    id             TEXT PRIMARY KEY NOT NULL,
    -- Owner of the file, or of the files that are uploaded.
    user_id        TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('download', 'cut', 'upload', 'account')),
    -- The file that is sent. NULL for uploads.
    file_id        TEXT,
    -- The file that was cut, if the share is a cut of it.
    source_file_id TEXT,
    -- Attempt of the file: the version that is sent. NULL for uploads.
    attempt        TEXT,
    -- What browsers do with the file: attachment or inline.
    disposition    TEXT NOT NULL,
    -- What the owner calls the share.
    name           TEXT,
    created_at     TEXT NOT NULL,
    -- NULL if a share with an account does not expire.
    expires_at     TEXT,
    revoked_at     TEXT,
    -- When the row is deleted; NULL while the share has no end.
    forget_at      TEXT,
    -- Number of uses that are allowed; NULL if it is not limited.
    max_uses       INTEGER,
    uses           INTEGER NOT NULL DEFAULT 0,
    -- argon2id hash of the password; NULL without a password.
    password_hash  TEXT,
    -- Greatest size of an uploaded file in bytes.
    max_bytes      INTEGER,
    -- A JSON array of the media types that may be uploaded.
    content_types  TEXT,
    -- A JSON array of the tags of uploaded files.
    tags           TEXT,
    -- The account that may read the file, and whether it may cut it: read or cut.
    grantee_id     TEXT,
    may            TEXT
) STRICT;

CREATE INDEX shares_by_owner ON shares (user_id, id);
CREATE INDEX shares_by_file ON shares (file_id) WHERE file_id IS NOT NULL;
CREATE INDEX shares_to_forget ON shares (forget_at) WHERE forget_at IS NOT NULL;
-- An account has at most one share of a file that was not revoked.
CREATE UNIQUE INDEX shares_by_grantee ON shares (grantee_id, file_id) WHERE grantee_id IS NOT NULL AND revoked_at IS NULL;

-- A file that is deleted permanently ends its shares. The names of the shares may tell about the file.
CREATE TRIGGER file_killed_ends_shares AFTER UPDATE OF lifecycle_status ON files
WHEN NEW.lifecycle_status = 'dead' AND OLD.lifecycle_status IN ('active', 'archived', 'deleted') BEGIN
    UPDATE shares SET name = NULL, password_hash = NULL, revoked_at = coalesce(revoked_at, NEW.updated_at),
        forget_at = strftime('%Y-%m-%dT%H:%M:%fZ', NEW.updated_at, '+30 days')
    WHERE file_id = NEW.id;
END;
