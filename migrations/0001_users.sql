-- Accounts and their refresh tokens.
-- Times everywhere: UTC text, YYYY-MM-DDTHH:MM:SS.sssZ. Ids: UUID text; user ids may be older numbers as text.

CREATE TABLE users (
    id            TEXT PRIMARY KEY NOT NULL,
    username      TEXT NOT NULL COLLATE NOCASE UNIQUE,
    email         TEXT COLLATE NOCASE UNIQUE,
    -- argon2id in PHC form, or Django's pbkdf2_sha256$… until its owner next logs in; NULL: cannot log in.
    password_hash TEXT,
    role          TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT;

-- One row a refresh token. A token is spent when it has a successor; a family is all that came from one login.
CREATE TABLE refresh_tokens (
    jti           TEXT PRIMARY KEY NOT NULL,
    family        TEXT NOT NULL,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at     TEXT NOT NULL,
    expires_at    TEXT NOT NULL,
    successor_jti TEXT,
    rotated_at    TEXT,
    revoked_at    TEXT
) STRICT;

CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
