-- More counts in `usage`, and the bounds that they serve. As in 0012, only triggers write them.

-- Files that are pending, active, archived or in the trash.
ALTER TABLE usage ADD COLUMN files INTEGER NOT NULL DEFAULT 0 CHECK (files >= 0);
-- Permanently deleted files whose bytes wait for the purge.
ALTER TABLE usage ADD COLUMN waiting_files INTEGER NOT NULL DEFAULT 0 CHECK (waiting_files >= 0);
ALTER TABLE usage ADD COLUMN waiting_bytes INTEGER NOT NULL DEFAULT 0 CHECK (waiting_bytes >= 0);
-- Rows of multipart_uploads, idempotency_keys, refresh_tokens and file_access_logs.
ALTER TABLE usage ADD COLUMN uploads INTEGER NOT NULL DEFAULT 0 CHECK (uploads >= 0);
ALTER TABLE usage ADD COLUMN idempotency_keys INTEGER NOT NULL DEFAULT 0 CHECK (idempotency_keys >= 0);
ALTER TABLE usage ADD COLUMN refresh_tokens INTEGER NOT NULL DEFAULT 0 CHECK (refresh_tokens >= 0);
ALTER TABLE usage ADD COLUMN audit_entries INTEGER NOT NULL DEFAULT 0 CHECK (audit_entries >= 0);

CREATE INDEX refresh_tokens_by_age ON refresh_tokens (user_id, issued_at, jti);
CREATE INDEX recipes_by_user ON recipes (user_id, recipe_bytes);

-- The database takes at most five terms of a compound SELECT, so these are statements of their own.
INSERT INTO usage (user_id) SELECT DISTINCT user_id FROM files
WHERE user_id NOT IN (SELECT user_id FROM usage);
INSERT INTO usage (user_id) SELECT DISTINCT user_id FROM multipart_uploads
WHERE user_id NOT IN (SELECT user_id FROM usage);
INSERT INTO usage (user_id) SELECT DISTINCT user_id FROM refresh_tokens
WHERE user_id NOT IN (SELECT user_id FROM usage);
INSERT INTO usage (user_id) SELECT DISTINCT user_id FROM file_access_logs
WHERE user_id NOT IN (SELECT user_id FROM usage);
INSERT INTO usage (user_id) SELECT DISTINCT user_id FROM idempotency_keys
WHERE user_id NOT IN (SELECT user_id FROM usage) AND user_id NOT LIKE 'register:%';
UPDATE usage SET
    files = (SELECT count(*) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('pending', 'active', 'archived', 'deleted')),
    waiting_files = (SELECT count(*) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status = 'dead' AND etag IS NOT NULL),
    waiting_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status = 'dead' AND etag IS NOT NULL),
    uploads = (SELECT count(*) FROM multipart_uploads WHERE user_id = usage.user_id),
    idempotency_keys = (SELECT count(*) FROM idempotency_keys WHERE user_id = usage.user_id),
    refresh_tokens = (SELECT count(*) FROM refresh_tokens WHERE user_id = usage.user_id),
    audit_entries = (SELECT count(*) FROM file_access_logs WHERE user_id = usage.user_id);

CREATE TRIGGER file_inserted AFTER INSERT ON files BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET files = files + (NEW.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')),
        waiting_files = waiting_files + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL),
        waiting_bytes = waiting_bytes + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL) * NEW.file_size
    WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER file_moved AFTER UPDATE OF lifecycle_status ON files
WHEN OLD.lifecycle_status <> NEW.lifecycle_status BEGIN
    UPDATE usage SET
        files = max(files + (NEW.lifecycle_status IN ('pending', 'active', 'archived', 'deleted'))
            - (OLD.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')), 0),
        waiting_files = max(waiting_files + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL)
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL), 0),
        waiting_bytes = max(waiting_bytes + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL) * NEW.file_size
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL) * OLD.file_size, 0)
    WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER file_row_deleted AFTER DELETE ON files BEGIN
    UPDATE usage SET
        files = max(files - (OLD.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')), 0),
        waiting_files = max(waiting_files - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL), 0),
        waiting_bytes = max(waiting_bytes
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL) * OLD.file_size, 0)
    WHERE user_id = OLD.user_id;
END;

CREATE TRIGGER upload_inserted AFTER INSERT ON multipart_uploads BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET uploads = uploads + 1 WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER upload_deleted AFTER DELETE ON multipart_uploads BEGIN
    UPDATE usage SET uploads = max(uploads - 1, 0) WHERE user_id = OLD.user_id;
END;

-- The keys of registrations belong to no user; the limits on signing in bound them.
CREATE TRIGGER idempotency_key_inserted AFTER INSERT ON idempotency_keys
WHEN NEW.user_id NOT LIKE 'register:%' BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET idempotency_keys = idempotency_keys + 1 WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER idempotency_key_deleted AFTER DELETE ON idempotency_keys BEGIN
    UPDATE usage SET idempotency_keys = max(idempotency_keys - 1, 0) WHERE user_id = OLD.user_id;
END;

-- A user has at most 10,000 refresh tokens, spent ones included; the newest stay.
CREATE TRIGGER refresh_token_inserted AFTER INSERT ON refresh_tokens BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET refresh_tokens = refresh_tokens + 1 WHERE user_id = NEW.user_id;
    DELETE FROM refresh_tokens WHERE jti IN (SELECT jti FROM refresh_tokens WHERE user_id = NEW.user_id
            ORDER BY issued_at, jti
            LIMIT (SELECT min(max(refresh_tokens - 10000, 0), 2) FROM usage WHERE user_id = NEW.user_id));
END;

CREATE TRIGGER refresh_token_deleted AFTER DELETE ON refresh_tokens BEGIN
    UPDATE usage SET refresh_tokens = max(refresh_tokens - 1, 0) WHERE user_id = OLD.user_id;
END;

-- The audit log has at most 100,000 entries of a user; the newest stay.
CREATE TRIGGER audit_entry_inserted AFTER INSERT ON file_access_logs BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET audit_entries = audit_entries + 1 WHERE user_id = NEW.user_id;
    DELETE FROM file_access_logs WHERE id IN (SELECT id FROM file_access_logs WHERE user_id = NEW.user_id
            ORDER BY id
            LIMIT (SELECT min(max(audit_entries - 100000, 0), 2) FROM usage WHERE user_id = NEW.user_id));
END;

CREATE TRIGGER audit_entry_deleted AFTER DELETE ON file_access_logs BEGIN
    UPDATE usage SET audit_entries = max(audit_entries - 1, 0) WHERE user_id = OLD.user_id;
END;
