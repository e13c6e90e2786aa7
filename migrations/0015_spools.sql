-- The bytes of a spool count against the quota of its user while the spool exists. As in 0014, only triggers write the
-- counts in `usage`.
ALTER TABLE gc_queue ADD COLUMN spool_bytes INTEGER NOT NULL DEFAULT 0 CHECK (spool_bytes >= 0);
ALTER TABLE usage ADD COLUMN spool_bytes INTEGER NOT NULL DEFAULT 0 CHECK (spool_bytes >= 0);

CREATE INDEX spools_by_user ON gc_queue (user_id) WHERE spool_bytes > 0;

CREATE TRIGGER spool_inserted AFTER INSERT ON gc_queue WHEN NEW.spool_bytes > 0 BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET spool_bytes = spool_bytes + NEW.spool_bytes WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER spool_resized AFTER UPDATE OF spool_bytes ON gc_queue WHEN OLD.spool_bytes <> NEW.spool_bytes BEGIN
    UPDATE usage SET spool_bytes = max(spool_bytes + NEW.spool_bytes - OLD.spool_bytes, 0) WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER spool_row_deleted AFTER DELETE ON gc_queue WHEN OLD.spool_bytes > 0 BEGIN
    UPDATE usage SET spool_bytes = max(spool_bytes - OLD.spool_bytes, 0) WHERE user_id = OLD.user_id;
END;
