-- Limits of each user, usage by kind of file, and usage by month. As in 0014, triggers write the counts, so that they are
-- right for every version of the code.

-- NULL: the default of the configuration.
ALTER TABLE quotas ADD COLUMN quota_files INTEGER CHECK (quota_files >= 0);
ALTER TABLE quotas ADD COLUMN purge_allowance_bytes INTEGER CHECK (purge_allowance_bytes >= 0);
-- The monthly budget in micro-dollars. NULL: no budget.
ALTER TABLE quotas ADD COLUMN budget_micros INTEGER CHECK (budget_micros >= 0);
-- What happens when the budget of the month is spent.
ALTER TABLE quotas ADD COLUMN when_budget_spent TEXT NOT NULL DEFAULT 'warn'
    CHECK (when_budget_spent IN ('warn', 'refuseCuts', 'refuseChanges'));
-- The month (YYYY-MM) whose budget is spent. The sweep watch_budgets writes it.
ALTER TABLE quotas ADD COLUMN budget_spent_month TEXT;

CREATE INDEX quotas_with_budget ON quotas (user_id)
WHERE budget_micros IS NOT NULL OR budget_spent_month IS NOT NULL;

-- Kept files by kind: uploads, derived (saved cuts), imports, and the trash. A file in the trash counts only there.
ALTER TABLE usage ADD COLUMN upload_files INTEGER NOT NULL DEFAULT 0 CHECK (upload_files >= 0);
ALTER TABLE usage ADD COLUMN upload_bytes INTEGER NOT NULL DEFAULT 0 CHECK (upload_bytes >= 0);
ALTER TABLE usage ADD COLUMN derived_files INTEGER NOT NULL DEFAULT 0 CHECK (derived_files >= 0);
ALTER TABLE usage ADD COLUMN derived_bytes INTEGER NOT NULL DEFAULT 0 CHECK (derived_bytes >= 0);
ALTER TABLE usage ADD COLUMN import_files INTEGER NOT NULL DEFAULT 0 CHECK (import_files >= 0);
ALTER TABLE usage ADD COLUMN import_bytes INTEGER NOT NULL DEFAULT 0 CHECK (import_bytes >= 0);
ALTER TABLE usage ADD COLUMN trash_files INTEGER NOT NULL DEFAULT 0 CHECK (trash_files >= 0);
ALTER TABLE usage ADD COLUMN trash_bytes INTEGER NOT NULL DEFAULT 0 CHECK (trash_bytes >= 0);
-- Those of the kept bytes whose storage class is InfrequentAccess.
ALTER TABLE usage ADD COLUMN infrequent_bytes INTEGER NOT NULL DEFAULT 0 CHECK (infrequent_bytes >= 0);

UPDATE usage SET
    upload_files = (SELECT count(*) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived') AND source = 'upload'),
    upload_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived') AND source = 'upload'),
    derived_files = (SELECT count(*) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived') AND source = 'cut'),
    derived_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived') AND source = 'cut'),
    import_files = (SELECT count(*) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived')
            AND source IN ('import', 'migration')),
    import_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived')
            AND source IN ('import', 'migration')),
    trash_files = (SELECT count(*) FROM files WHERE user_id = usage.user_id AND lifecycle_status = 'deleted'),
    trash_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status = 'deleted'),
    infrequent_bytes = (SELECT coalesce(sum(file_size), 0) FROM files
        WHERE user_id = usage.user_id AND lifecycle_status IN ('active', 'archived', 'deleted')
            AND storage_class = 'InfrequentAccess');

-- What each user stored on the days on which this changed. On a day without a row, the user stored the start of the next
-- row; after the last row, the used bytes of `quotas`. `peak_bytes` is the largest number of the day.
CREATE TABLE storage_days (
    user_id               TEXT NOT NULL,
    -- YYYY-MM-DD, UTC.
    day                   TEXT NOT NULL,
    start_bytes           INTEGER NOT NULL CHECK (start_bytes >= 0),
    peak_bytes            INTEGER NOT NULL CHECK (peak_bytes >= 0),
    end_bytes             INTEGER NOT NULL CHECK (end_bytes >= 0),
    -- Those of these bytes whose storage class is InfrequentAccess.
    infrequent_start_bytes INTEGER NOT NULL DEFAULT 0 CHECK (infrequent_start_bytes >= 0),
    infrequent_peak_bytes  INTEGER NOT NULL DEFAULT 0 CHECK (infrequent_peak_bytes >= 0),
    infrequent_end_bytes   INTEGER NOT NULL DEFAULT 0 CHECK (infrequent_end_bytes >= 0),
    PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX storage_days_by_day ON storage_days (day);

-- Nobody knows what was stored before the last change, so the days before it count as 0.
INSERT INTO storage_days (user_id, day, start_bytes, peak_bytes, end_bytes, infrequent_peak_bytes, infrequent_end_bytes)
SELECT user_id, substr(updated_at, 1, 10), 0, used_bytes, used_bytes,
    coalesce((SELECT infrequent_bytes FROM usage WHERE usage.user_id = quotas.user_id), 0),
    coalesce((SELECT infrequent_bytes FROM usage WHERE usage.user_id = quotas.user_id), 0)
FROM quotas WHERE used_bytes > 0;

-- The clocks of two isolates can differ, so a change never goes to a day before the last row.
CREATE TRIGGER quota_used AFTER UPDATE OF used_bytes ON quotas WHEN OLD.used_bytes <> NEW.used_bytes BEGIN
    INSERT INTO storage_days (user_id, day, start_bytes, peak_bytes, end_bytes,
        infrequent_start_bytes, infrequent_peak_bytes, infrequent_end_bytes)
    SELECT NEW.user_id,
        max(substr(NEW.updated_at, 1, 10),
            coalesce((SELECT max(day) FROM storage_days WHERE user_id = NEW.user_id), '')),
        OLD.used_bytes, max(OLD.used_bytes, NEW.used_bytes), NEW.used_bytes, infrequent, infrequent, infrequent
    FROM (SELECT coalesce(max(infrequent_bytes), 0) AS infrequent FROM usage WHERE user_id = NEW.user_id)
    WHERE true
    ON CONFLICT (user_id, day) DO UPDATE SET
        peak_bytes = max(peak_bytes, excluded.end_bytes), end_bytes = excluded.end_bytes;
END;

-- The statement that changes used_bytes runs before the statement that changes the file, so the day has a row.
CREATE TRIGGER infrequent_used AFTER UPDATE OF infrequent_bytes ON usage
WHEN OLD.infrequent_bytes <> NEW.infrequent_bytes BEGIN
    UPDATE storage_days SET infrequent_peak_bytes = max(infrequent_peak_bytes, NEW.infrequent_bytes),
        infrequent_end_bytes = NEW.infrequent_bytes
    WHERE user_id = NEW.user_id AND day = (SELECT max(day) FROM storage_days WHERE user_id = NEW.user_id);
END;

-- These three triggers replace those of 0014. They also count the files by kind.
DROP TRIGGER file_inserted;
DROP TRIGGER file_moved;
DROP TRIGGER file_row_deleted;

CREATE TRIGGER file_inserted AFTER INSERT ON files BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET files = files + (NEW.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')),
        waiting_files = waiting_files + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL),
        waiting_bytes = waiting_bytes + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL) * NEW.file_size,
        upload_files = upload_files + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'upload'),
        upload_bytes = upload_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'upload') * NEW.file_size,
        derived_files = derived_files + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'cut'),
        derived_bytes = derived_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'cut') * NEW.file_size,
        import_files = import_files
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source IN ('import', 'migration')),
        import_bytes = import_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source IN ('import', 'migration')) * NEW.file_size,
        trash_files = trash_files + (NEW.lifecycle_status = 'deleted'),
        trash_bytes = trash_bytes + (NEW.lifecycle_status = 'deleted') * NEW.file_size,
        infrequent_bytes = infrequent_bytes + (NEW.lifecycle_status IN ('active', 'archived', 'deleted')
            AND NEW.storage_class = 'InfrequentAccess') * NEW.file_size
    WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER file_moved AFTER UPDATE OF lifecycle_status, file_size, source, storage_class ON files
WHEN OLD.lifecycle_status <> NEW.lifecycle_status OR (NEW.lifecycle_status <> 'pending'
    AND (OLD.file_size <> NEW.file_size OR OLD.source <> NEW.source OR OLD.storage_class <> NEW.storage_class)) BEGIN
    UPDATE usage SET
        files = max(files + (NEW.lifecycle_status IN ('pending', 'active', 'archived', 'deleted'))
            - (OLD.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')), 0),
        waiting_files = max(waiting_files + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL)
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL), 0),
        waiting_bytes = max(waiting_bytes + (NEW.lifecycle_status = 'dead' AND NEW.etag IS NOT NULL) * NEW.file_size
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL) * OLD.file_size, 0),
        upload_files = max(upload_files + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'upload')
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'upload'), 0),
        upload_bytes = max(upload_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'upload') * NEW.file_size
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'upload') * OLD.file_size, 0),
        derived_files = max(derived_files + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'cut')
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'cut'), 0),
        derived_bytes = max(derived_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source = 'cut') * NEW.file_size
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'cut') * OLD.file_size, 0),
        import_files = max(import_files
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source IN ('import', 'migration'))
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source IN ('import', 'migration')), 0),
        import_bytes = max(import_bytes
            + (NEW.lifecycle_status IN ('active', 'archived') AND NEW.source IN ('import', 'migration')) * NEW.file_size
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source IN ('import', 'migration')) * OLD.file_size,
            0),
        trash_files = max(trash_files + (NEW.lifecycle_status = 'deleted') - (OLD.lifecycle_status = 'deleted'), 0),
        trash_bytes = max(trash_bytes + (NEW.lifecycle_status = 'deleted') * NEW.file_size
            - (OLD.lifecycle_status = 'deleted') * OLD.file_size, 0),
        infrequent_bytes = max(infrequent_bytes
            + (NEW.lifecycle_status IN ('active', 'archived', 'deleted')
                AND NEW.storage_class = 'InfrequentAccess') * NEW.file_size
            - (OLD.lifecycle_status IN ('active', 'archived', 'deleted')
                AND OLD.storage_class = 'InfrequentAccess') * OLD.file_size, 0)
    WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER file_row_deleted AFTER DELETE ON files BEGIN
    UPDATE usage SET
        files = max(files - (OLD.lifecycle_status IN ('pending', 'active', 'archived', 'deleted')), 0),
        waiting_files = max(waiting_files - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL), 0),
        waiting_bytes = max(waiting_bytes
            - (OLD.lifecycle_status = 'dead' AND OLD.etag IS NOT NULL) * OLD.file_size, 0),
        upload_files = max(upload_files
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'upload'), 0),
        upload_bytes = max(upload_bytes
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'upload') * OLD.file_size, 0),
        derived_files = max(derived_files
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'cut'), 0),
        derived_bytes = max(derived_bytes
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source = 'cut') * OLD.file_size, 0),
        import_files = max(import_files
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source IN ('import', 'migration')), 0),
        import_bytes = max(import_bytes
            - (OLD.lifecycle_status IN ('active', 'archived') AND OLD.source IN ('import', 'migration')) * OLD.file_size,
            0),
        trash_files = max(trash_files - (OLD.lifecycle_status = 'deleted'), 0),
        trash_bytes = max(trash_bytes - (OLD.lifecycle_status = 'deleted') * OLD.file_size, 0),
        infrequent_bytes = max(infrequent_bytes - (OLD.lifecycle_status IN ('active', 'archived', 'deleted')
            AND OLD.storage_class = 'InfrequentAccess') * OLD.file_size, 0)
    WHERE user_id = OLD.user_id;
END;

-- What each user did in each month (YYYY-MM, UTC), by the action of the audit log.
CREATE TABLE usage_months (
    user_id       TEXT NOT NULL,
    month         TEXT NOT NULL,
    action        TEXT NOT NULL,
    -- Entries of the audit log, and those of them that failed.
    operations    INTEGER NOT NULL DEFAULT 0 CHECK (operations >= 0),
    failed        INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    -- Bytes that the entries transferred.
    bytes         INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- Bytes that cuts read, from their receipts. They are in the row of the action `process`.
    bytes_scanned INTEGER NOT NULL DEFAULT 0 CHECK (bytes_scanned >= 0),
    PRIMARY KEY (user_id, month, action)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_months_by_month ON usage_months (month, user_id);

INSERT INTO usage_months (user_id, month, action, operations, failed, bytes)
SELECT user_id, substr(timestamp, 1, 7), action, count(*), sum(success = 0), coalesce(sum(bytes_transferred), 0)
FROM file_access_logs WHERE user_id <> '' GROUP BY 1, 2, 3;
INSERT INTO usage_months (user_id, month, action, bytes_scanned)
SELECT user_id, substr(finished_at, 1, 7), 'process', sum(bytes_in)
FROM cuts WHERE finished_at IS NOT NULL AND status IN ('complete', 'failed') AND bytes_in > 0 GROUP BY 1, 2
ON CONFLICT (user_id, month, action) DO UPDATE SET bytes_scanned = excluded.bytes_scanned;

-- A repeated entry is not inserted, so it is not counted again. Anybody can fail to sign in to an account, so failed
-- sign-ins do not count for it.
CREATE TRIGGER audit_entry_counted AFTER INSERT ON file_access_logs
WHEN NEW.user_id <> '' AND NOT (NEW.action = 'login' AND NEW.success = 0) BEGIN
    INSERT INTO usage_months (user_id, month, action, operations, failed, bytes)
    VALUES (NEW.user_id, substr(NEW.timestamp, 1, 7), NEW.action, 1, NEW.success = 0,
        coalesce(NEW.bytes_transferred, 0))
    ON CONFLICT (user_id, month, action) DO UPDATE SET operations = operations + 1,
        failed = failed + excluded.failed, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER cut_ended AFTER UPDATE OF status ON cuts
WHEN OLD.status = 'running' AND NEW.status IN ('complete', 'failed') AND NEW.bytes_in > 0 BEGIN
    INSERT INTO usage_months (user_id, month, action, bytes_scanned)
    VALUES (NEW.user_id, substr(coalesce(NEW.finished_at, NEW.created_at), 1, 7), 'process', NEW.bytes_in)
    ON CONFLICT (user_id, month, action) DO UPDATE SET bytes_scanned = bytes_scanned + excluded.bytes_scanned;
END;
