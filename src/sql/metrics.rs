//! Metrics. The sweep `roll_up_metrics` writes the tables; requests only read them.

use super::statement::{statement_variants, statements};
use crate::domain::time::Timestamp;

/// The columns of sums, each as a sum over the selected rows.
macro_rules! summed {
    () => {
        "sum(operations) AS operations, sum(failures) AS failures, sum(duration_ms) AS duration_ms,
            sum(timed) AS timed, sum(bytes) AS bytes, sum(scanned) AS scanned, sum(skipped) AS skipped,
            sum(cache_hits) AS cache_hits, sum(cache_misses) AS cache_misses"
    };
}

statements! {
    /// Selects the number of the last entry that was added.
    Position {} = "SELECT seq FROM metric_position WHERE id = 1";
    /// Selects at most `:limit` sealed entries with a number above the position, ordered by number.
    ToAdd { limit: u64 } = "SELECT seq, timestamp, user_id, action, success, error_code, bytes_transferred, duration_ms,
            cache_hit, CASE WHEN length(metadata) <= 8000 THEN metadata END AS metadata
        FROM file_access_logs WHERE seq > (SELECT seq FROM metric_position WHERE id = 1) AND seq IS NOT NULL
        ORDER BY seq LIMIT :limit";
    /// Moves the position from `:old_seq` to `:seq`. If the position is not at the old place, the statement sets a column
    /// to NULL, and its constraint fails the batch.
    MovePosition { old_seq: i64, seq: i64 } =
        "UPDATE metric_position SET seq = CASE WHEN seq = :old_seq THEN :seq END WHERE id = 1";
    /// Adds sums. `:rows` is a JSON array of arrays, whose items are in the order of the columns.
    AddSums<'a> { rows: &'a str } = "INSERT INTO metric_sums (step, at, user_id, action, operations, failures,
            duration_ms, timed, bytes, scanned, skipped, cache_hits, cache_misses)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12 FROM json_each(:rows) WHERE true
        ON CONFLICT (step, at, user_id, action) DO UPDATE SET operations = operations + excluded.operations,
            failures = failures + excluded.failures, duration_ms = duration_ms + excluded.duration_ms,
            timed = timed + excluded.timed, bytes = bytes + excluded.bytes, scanned = scanned + excluded.scanned,
            skipped = skipped + excluded.skipped, cache_hits = cache_hits + excluded.cache_hits,
            cache_misses = cache_misses + excluded.cache_misses";
    /// Adds to the sums since the beginning. `:rows` is a JSON array as for [`AddSums`].
    AddTotals<'a> { rows: &'a str } = "INSERT INTO metric_totals (action, code, operations, duration_ms, timed, bytes,
            scanned, skipped, cache_hits, cache_misses)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
            value ->> 8, value ->> 9 FROM json_each(:rows) WHERE true
        ON CONFLICT (action, code) DO UPDATE SET operations = operations + excluded.operations,
            duration_ms = duration_ms + excluded.duration_ms, timed = timed + excluded.timed,
            bytes = bytes + excluded.bytes, scanned = scanned + excluded.scanned,
            skipped = skipped + excluded.skipped, cache_hits = cache_hits + excluded.cache_hits,
            cache_misses = cache_misses + excluded.cache_misses";
    /// Adds numbers of errors. `:rows` is a JSON array as for [`AddSums`].
    AddErrors<'a> { rows: &'a str } = "INSERT INTO metric_errors (step, at, user_id, code, count)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(:rows) WHERE true
        ON CONFLICT (step, at, user_id, code) DO UPDATE SET count = count + excluded.count";
    /// Replaces sketches. `:rows` is a JSON array as for [`AddSums`].
    SetLatencies<'a> { rows: &'a str } = "INSERT INTO metric_latencies (step, at, user_id, class, sketch)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(:rows) WHERE true
        ON CONFLICT (step, at, user_id, class) DO UPDATE SET sketch = excluded.sketch";
    /// Selects the sketches with these keys: a JSON array of arrays with step, start, user and class.
    LatenciesOf<'a> { keys: &'a str } = "SELECT step, at, user_id, class, sketch FROM json_each(:keys) AS wanted
        JOIN metric_latencies ON step = wanted.value ->> 0 AND at = wanted.value ->> 1
            AND user_id = wanted.value ->> 2 AND class = wanted.value ->> 3";
    /// Notes what is stored, in the bucket of each step that contains now.
    SetGauges<'a> { step_5m: &'a str, step_1h: &'a str, step_1d: &'a str } =
        "INSERT INTO metric_gauges (step, at, stored_bytes, files)
        SELECT steps.value ->> 0, steps.value ->> 1, stored_bytes, files
        FROM json_each(json_array(json_array('5m', :step_5m), json_array('1h', :step_1h), json_array('1d', :step_1d)))
            AS steps, metric_stored WHERE metric_stored.id = 1
        ON CONFLICT (step, at) DO UPDATE SET stored_bytes = excluded.stored_bytes, files = excluded.files";

    /// Selects the sums of each action from `:from` to before `:to`.
    SumsByAction<'a> { step: &'a str, from: Timestamp, to: Timestamp, user: &'a str } =
        concat!("SELECT action, ", summed!(), " FROM metric_sums
        WHERE step = :step AND at >= :from AND at < :to AND user_id = :user GROUP BY action");
    /// Selects the sums of each action in each bucket from `:from` to before `:to`.
    SumsByBucket<'a> { step: &'a str, from: Timestamp, to: Timestamp, user: &'a str } =
        concat!("SELECT at, action, ", summed!(), " FROM metric_sums
        WHERE step = :step AND at >= :from AND at < :to AND user_id = :user GROUP BY at, action");
    /// Selects the ten users with the most operations from `:from` to before `:to`.
    TopUsers<'a> { step: &'a str, from: Timestamp, to: Timestamp } =
        "SELECT found.user_id, (SELECT username FROM users WHERE id = found.user_id AND deleted_at IS NULL) AS username,
            operations, bytes
        FROM (SELECT user_id, sum(operations) AS operations, sum(bytes) AS bytes FROM metric_sums
            WHERE step = :step AND at >= :from AND at < :to AND user_id <> '' GROUP BY user_id
            ORDER BY operations DESC, user_id LIMIT 10) AS found
        ORDER BY operations DESC, found.user_id";
    /// Selects the number of errors of each code from `:from` to before `:to`.
    ErrorsByCode<'a> { step: &'a str, from: Timestamp, to: Timestamp, user: &'a str } =
        "SELECT code, sum(count) AS count FROM metric_errors
        WHERE step = :step AND at >= :from AND at < :to AND user_id = :user GROUP BY code";
    /// Selects the sketches from `:from` to before `:to`.
    Latencies<'a> { step: &'a str, from: Timestamp, to: Timestamp, user: &'a str } =
        "SELECT at, class, sketch FROM metric_latencies
        WHERE step = :step AND at >= :from AND at < :to AND user_id = :user";
    /// Selects what was stored at the end of each bucket from `:from` to before `:to`.
    Gauges<'a> { step: &'a str, from: Timestamp, to: Timestamp } =
        "SELECT at, stored_bytes, files FROM metric_gauges WHERE step = :step AND at >= :from AND at < :to";
    /// Selects the sums since the beginning. There are few actions and codes.
    Totals {} = "SELECT action, code, operations, duration_ms, timed, bytes, scanned, skipped, cache_hits, cache_misses
        FROM metric_totals WHERE action > ''";
    /// Selects what is stored now, how many findings are open and how many messages wait (at most 1,000 each), and how many
    /// sealed entries are not added yet.
    Now {} = "SELECT stored_bytes, files,
            (SELECT count(*) FROM (SELECT 1 FROM findings INDEXED BY findings_open
                WHERE file_id > '' AND resolved_at IS NULL LIMIT 1000))
                AS findings,
            (SELECT count(*) FROM (SELECT 1 FROM email_links INDEXED BY email_links_to_send
                WHERE send_at > '' AND send_at IS NOT NULL LIMIT 1000)) AS waiting_messages,
            coalesce((SELECT last_seq FROM audit_chain WHERE id = 1), 0)
                - (SELECT seq FROM metric_position WHERE id = 1) AS waiting_entries
        FROM metric_stored WHERE id = 1";
    /// Selects the last run of each sweep of `:kinds`, a JSON array of names.
    LastRuns<'a> { kinds: &'a str } = "SELECT kinds.value AS kind, finished_at, failed, error IS NOT NULL AS has_error
        FROM json_each(:kinds) AS kinds LEFT JOIN sweep_runs
            ON sweep_runs.id = (SELECT id FROM sweep_runs AS run WHERE run.kind = kinds.value ORDER BY id DESC LIMIT 1)";
}

statement_variants! {
    /// Deletes at most `:limit` buckets of `:step` that began before `:before`. Returns a row for each deleted row.
    ForgetBuckets<'a> { step: &'a str, before: Timestamp, limit: u64 };
    /// The table.
    table: MetricTable {
        /// Sums.
        Sums "sums" = "DELETE FROM metric_sums WHERE (step, at, user_id, action) IN
            (SELECT step, at, user_id, action FROM metric_sums WHERE step = :step AND at < :before
            ORDER BY at LIMIT :limit) RETURNING step";
        /// Numbers of errors.
        Errors "errors" = "DELETE FROM metric_errors WHERE (step, at, user_id, code) IN
            (SELECT step, at, user_id, code FROM metric_errors WHERE step = :step AND at < :before
            ORDER BY at LIMIT :limit) RETURNING step";
        /// Sketches.
        Latencies "latencies" = "DELETE FROM metric_latencies WHERE (step, at, user_id, class) IN
            (SELECT step, at, user_id, class FROM metric_latencies WHERE step = :step AND at < :before
            ORDER BY at LIMIT :limit) RETURNING step";
        /// What was stored.
        Gauges "gauges" = "DELETE FROM metric_gauges WHERE (step, at) IN
            (SELECT step, at FROM metric_gauges WHERE step = :step AND at < :before
            ORDER BY at LIMIT :limit) RETURNING step";
    }
}
