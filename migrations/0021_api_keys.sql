-- API keys: credentials for scripts, which a user makes, rotates and revokes. A revoked key has no row.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY NOT NULL,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Unique among the keys of the user.
    name         TEXT NOT NULL,
    -- A JSON array of names of scopes.
    scopes       TEXT NOT NULL,
    -- The key sees only files with this tag; NULL: all files.
    tag          TEXT,
    created_at   TEXT NOT NULL,
    -- NULL: never.
    expires_at   TEXT,
    -- Whole minutes.
    last_used_at TEXT
) STRICT;

CREATE UNIQUE INDEX api_keys_by_name ON api_keys (user_id, name);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL;

-- The secrets of a key: the newest, and older ones whose overlap after a rotation has not ended.
CREATE TABLE api_key_secrets (
    -- HMAC-SHA-256 of the secret, hex.
    hash       TEXT PRIMARY KEY NOT NULL,
    key_id     TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    -- The last characters of the secret, by which a user recognizes it.
    hint       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- When the secret stops working; NULL: with the key.
    ends_at    TEXT
) STRICT;

CREATE INDEX api_key_secrets_by_key ON api_key_secrets (key_id, created_at);
CREATE INDEX api_key_secrets_by_end ON api_key_secrets (ends_at) WHERE ends_at IS NOT NULL;

-- The idempotency keys of an API key are counted under the name of its principal, which has a colon; no user id has one.
-- The row of such a count goes when the last of these idempotency keys goes.
CREATE TRIGGER idempotency_keys_of_principal_gone AFTER UPDATE OF idempotency_keys ON usage
WHEN NEW.idempotency_keys = 0 AND instr(NEW.user_id, ':') > 0 BEGIN
    DELETE FROM usage WHERE user_id = NEW.user_id;
END;
