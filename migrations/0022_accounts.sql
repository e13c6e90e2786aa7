-- Accounts that can be renamed, verified, recovered and deleted, and the messages for this.

-- When the user proved that the email address is theirs.
ALTER TABLE users ADD COLUMN email_verified_at TEXT;
-- When the user deleted the account. The row stays as a tombstone without name, email and password, so that a token of
-- another issuer does not create the account again. A deleted account is also disabled.
ALTER TABLE users ADD COLUMN deleted_at TEXT;
-- When a sweep erases more data of the deleted account. NULL: nothing is left.
ALTER TABLE users ADD COLUMN erase_at TEXT;

CREATE INDEX users_to_erase ON users (erase_at, id) WHERE erase_at IS NOT NULL;

-- Links that are sent by email: at most one of each kind for each user. The token of a link is not stored. It is made
-- from the id of the link with a key of the service.
CREATE TABLE email_links (
    id              TEXT PRIMARY KEY NOT NULL,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL CHECK (kind IN ('reset', 'verification')),
    -- The address to which the link is sent. The link is dead when the account has another address.
    email           TEXT NOT NULL,
    -- SHA-256, hex, of the token.
    token_sha256    TEXT NOT NULL UNIQUE,
    created_at      TEXT NOT NULL,
    expires_at      TEXT NOT NULL,
    -- Links of this kind that the user asked for within a day.
    requests        INTEGER NOT NULL DEFAULT 1 CHECK (requests > 0),
    -- When the user may ask for the next link of this kind.
    next_request_at TEXT NOT NULL,
    -- When the message is sent, or sent again. NULL: it was sent, or Cutty has given up.
    send_at         TEXT,
    tries           INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0)
) STRICT;

CREATE UNIQUE INDEX email_links_by_user ON email_links (user_id, kind);
CREATE INDEX email_links_to_send ON email_links (send_at, id) WHERE send_at IS NOT NULL;
CREATE INDEX email_links_by_expiry ON email_links (expires_at);

-- Messages that a development server would have sent.
CREATE TABLE mailbox (
    id         TEXT PRIMARY KEY NOT NULL,
    recipient  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mailbox_by_age ON mailbox (created_at);
CREATE INDEX mailbox_by_recipient ON mailbox (recipient);

-- The newest 200 messages stay.
CREATE TRIGGER mail_inserted AFTER INSERT ON mailbox BEGIN
    DELETE FROM mailbox WHERE id IN (SELECT id FROM mailbox ORDER BY id DESC LIMIT 2 OFFSET 200);
END;

-- A sweep finds the rows of a deleted account.
CREATE INDEX idempotency_keys_by_user ON idempotency_keys (user_id);
