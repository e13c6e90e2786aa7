-- Metrics: sums over the entries of the audit log, in buckets of 5 minutes, an hour and a day. The sweep roll_up_metrics
-- adds each sealed entry once, and moves the position in the same batch. `at` is the start of the bucket, UTC. `user_id` is
-- empty for all users together; buckets of 5 minutes exist only for all users together.
CREATE TABLE metric_position (
    id  INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    -- Number of the last entry that was added.
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;

INSERT INTO metric_position (id, seq) VALUES (1, 0);

CREATE TABLE metric_sums (
    step         TEXT NOT NULL CHECK (step IN ('5m', '1h', '1d')),
    at           TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    action       TEXT NOT NULL,
    operations   INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    -- Sum of the durations, and number of operations with a duration.
    duration_ms  INTEGER NOT NULL,
    timed        INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    scanned      INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    cache_hits   INTEGER NOT NULL,
    cache_misses INTEGER NOT NULL,
    PRIMARY KEY (step, at, user_id, action)
) STRICT, WITHOUT ROWID;

CREATE INDEX metric_sums_of_user ON metric_sums (user_id, step, at);

CREATE TABLE metric_errors (
    step    TEXT NOT NULL CHECK (step IN ('5m', '1h', '1d')),
    at      TEXT NOT NULL,
    user_id TEXT NOT NULL,
    code    TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (step, at, user_id, code)
) STRICT, WITHOUT ROWID;

CREATE INDEX metric_errors_of_user ON metric_errors (user_id, step, at);

-- Durations as a sketch (DDSketch, 1 % relative error), base64. `class` is upload, download, process or other.
CREATE TABLE metric_latencies (
    step    TEXT NOT NULL CHECK (step IN ('5m', '1h', '1d')),
    at      TEXT NOT NULL,
    user_id TEXT NOT NULL,
    class   TEXT NOT NULL CHECK (class IN ('upload', 'download', 'process', 'other')),
    sketch  TEXT NOT NULL,
    PRIMARY KEY (step, at, user_id, class)
) STRICT, WITHOUT ROWID;

CREATE INDEX metric_latencies_of_user ON metric_latencies (user_id, step, at);

-- Sums since the beginning, for counters that never decrease. `code` is empty for operations that succeeded.
CREATE TABLE metric_totals (
    action       TEXT NOT NULL,
    code         TEXT NOT NULL,
    operations   INTEGER NOT NULL,
    duration_ms  INTEGER NOT NULL,
    timed        INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    scanned      INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    cache_hits   INTEGER NOT NULL,
    cache_misses INTEGER NOT NULL,
    PRIMARY KEY (action, code)
) STRICT, WITHOUT ROWID;

-- What all users together store now. Triggers count, so that nothing reads all rows of `quotas` or `usage`.
CREATE TABLE metric_stored (
    id           INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    stored_bytes INTEGER NOT NULL,
    files        INTEGER NOT NULL
) STRICT;

INSERT INTO metric_stored (id, stored_bytes, files) VALUES (1,
    (SELECT coalesce(sum(used_bytes), 0) FROM quotas), (SELECT coalesce(sum(files), 0) FROM usage));

CREATE TRIGGER stored_quota_inserted AFTER INSERT ON quotas WHEN NEW.used_bytes <> 0 BEGIN
    UPDATE metric_stored SET stored_bytes = stored_bytes + NEW.used_bytes WHERE id = 1;
END;

CREATE TRIGGER stored_quota_changed AFTER UPDATE OF used_bytes ON quotas WHEN OLD.used_bytes <> NEW.used_bytes BEGIN
    UPDATE metric_stored SET stored_bytes = stored_bytes + NEW.used_bytes - OLD.used_bytes WHERE id = 1;
END;

CREATE TRIGGER stored_quota_deleted AFTER DELETE ON quotas WHEN OLD.used_bytes <> 0 BEGIN
    UPDATE metric_stored SET stored_bytes = stored_bytes - OLD.used_bytes WHERE id = 1;
END;

CREATE TRIGGER stored_usage_inserted AFTER INSERT ON usage WHEN NEW.files <> 0 BEGIN
    UPDATE metric_stored SET files = files + NEW.files WHERE id = 1;
END;

CREATE TRIGGER stored_usage_changed AFTER UPDATE OF files ON usage WHEN OLD.files <> NEW.files BEGIN
    UPDATE metric_stored SET files = files + NEW.files - OLD.files WHERE id = 1;
END;

CREATE TRIGGER stored_usage_deleted AFTER DELETE ON usage WHEN OLD.files <> 0 BEGIN
    UPDATE metric_stored SET files = files - OLD.files WHERE id = 1;
END;

-- What all users together stored at the end of each bucket, as far as the bucket has passed.
CREATE TABLE metric_gauges (
    step         TEXT NOT NULL CHECK (step IN ('5m', '1h', '1d')),
    at           TEXT NOT NULL,
    stored_bytes INTEGER NOT NULL,
    files        INTEGER NOT NULL,
    PRIMARY KEY (step, at)
) STRICT, WITHOUT ROWID;
