//! Reports and cursors of sweeps, statements of the scrub, and findings.

use super::statement::statements;
use crate::domain::ids::{AttemptId, EventId, FileId, UserId};
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;

/// The columns of a [`crate::sweeps::report::SweepRun`].
macro_rules! run_columns {
    () => {
        "id, kind, started_at, finished_at, cursor, examined, changed, failed, error, details"
    };
}

/// The columns of a [`crate::integrity::findings::Finding`].
macro_rules! finding_columns {
    () => {
        "id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details, resolved_at"
    };
}

statements! {
    /// Selects the cursor of a sweep.
    GetCursor<'a> { kind: &'a str } = "SELECT cursor FROM sweep_cursors WHERE kind = :kind";
    /// Sets the cursor at which the next run of a sweep begins. NULL means the start.
    SetCursor<'a> { kind: &'a str, cursor: Option<&'a str>, now: Timestamp } =
        "INSERT INTO sweep_cursors (kind, cursor, updated_at) VALUES (:kind, :cursor, :now)
        ON CONFLICT (kind) DO UPDATE SET cursor = excluded.cursor, updated_at = excluded.updated_at";
    /// Inserts the report of a run of a sweep. A repeat changes nothing. `:details` is a JSON object.
    InsertRun<'a> {
        run: EventId,
        kind: &'a str,
        started_at: Timestamp,
        finished_at: Timestamp,
        cursor: Option<&'a str>,
        examined: u64,
        changed: u64,
        failed: u64,
        error: Option<&'a str>,
        details: &'a str,
    } = concat!("INSERT INTO sweep_runs (", run_columns!(), ")
        VALUES (:run, :kind, :started_at, :finished_at, :cursor, :examined, :changed, :failed, :error, :details)
        ON CONFLICT (id) DO NOTHING");
    /// Selects at most `:limit` reports with an id below `:before`, the newest first.
    Runs<'a> { before: &'a str, limit: u64 } =
        concat!("SELECT ", run_columns!(), " FROM sweep_runs WHERE id < :before ORDER BY id DESC LIMIT :limit");
    /// Selects at most `:limit` reports of the sweep `:kind` with an id below `:before`, the newest first.
    RunsOfKind<'a> { before: &'a str, limit: u64, kind: &'a str } =
        concat!("SELECT ", run_columns!(), " FROM sweep_runs WHERE id < :before AND kind = :kind
        ORDER BY id DESC LIMIT :limit");
    /// Deletes at most `:limit` reports with an id below `:before`. Returns their ids.
    DeleteRuns { before: EventId, limit: u64 } = "DELETE FROM sweep_runs WHERE id IN
        (SELECT id FROM sweep_runs WHERE id < :before ORDER BY id LIMIT :limit) RETURNING id";

    /// Selects at most `:limit` kept files whose last scrub was at `:cutoff` or before, ordered by the time of their
    /// last scrub and by id. The page begins after the file whose last scrub was at `:after_time` and whose id is
    /// `:after_id`. If a file was never scrubbed, the time of its creation counts as the time of its last scrub.
    ToScrub<'a> { cutoff: Timestamp, after_time: &'a str, after_id: &'a str, limit: u64 } =
        "SELECT id, user_id, r2_key, file_size, checksum, etag, attempt, damaged_at, profile_bytes, dialect_options,
            coalesce(scrubbed_at, created_at) AS last_look
        FROM files
        WHERE lifecycle_status IN ('active', 'archived', 'deleted')
            AND coalesce(scrubbed_at, created_at) <= :cutoff
            AND coalesce(scrubbed_at, created_at) >= :after_time
            AND (coalesce(scrubbed_at, created_at), id) > (:after_time, :after_id)
        ORDER BY coalesce(scrubbed_at, created_at), id LIMIT :limit";
    /// Sets the time of the last scrub to `:looked_at` for the attempts in a JSON array. The earlier this time is, the
    /// sooner the scrub reads the bytes of these attempts.
    MarkScrubbed<'a> { attempts: &'a str, looked_at: Timestamp } =
        "UPDATE files SET scrubbed_at = :looked_at WHERE attempt IN (SELECT value FROM json_each(:attempts))";
    /// Sets the lengths of the sidecars of attempts. `:lengths` is a JSON object: attempt → bytes. If a length
    /// is NULL, the background pass computes the profile again.
    SetSidecars<'a> { lengths: &'a str } = "UPDATE files
        SET profile_bytes = (SELECT value FROM json_each(:lengths) WHERE key = attempt)
        WHERE attempt IN (SELECT key FROM json_each(:lengths))";
    /// Marks the bytes of an attempt as damaged. If the bytes are already marked, the time of the first mark stays.
    MarkDamaged { attempt: AttemptId, now: Timestamp } =
        "UPDATE files SET damaged_at = coalesce(damaged_at, :now) WHERE attempt = :attempt";
    /// Removes the damage marks of the attempts in a JSON array, because the scrub found their bytes intact.
    ClearDamaged<'a> { attempts: &'a str } = "UPDATE files SET damaged_at = NULL
        WHERE attempt IN (SELECT value FROM json_each(:attempts)) AND damaged_at IS NOT NULL";

    /// Inserts a finding. If the file has an open finding of the same kind, updates the open finding. `:details` is a
    /// JSON object.
    RecordFinding<'a> {
        finding: EventId,
        file: FileId,
        user: &'a UserId,
        key: &'a StorageKey,
        kind: &'a str,
        now: Timestamp,
        details: &'a str,
    } = "INSERT INTO findings
            (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details)
        VALUES (:finding, :file, :user, :key, :kind, :now, :now, :details)
        ON CONFLICT (file_id, kind) WHERE resolved_at IS NULL
        DO UPDATE SET last_seen_at = excluded.last_seen_at, details = excluded.details";
    /// Resolves the open findings of a file whose kind is not `:kind`. The finding of `:kind` stays open, because this
    /// damage was just found.
    ResolveOtherFindings<'a> { file: FileId, kind: &'a str, now: Timestamp } =
        "UPDATE findings SET resolved_at = :now
        WHERE file_id = :file AND kind <> :kind AND resolved_at IS NULL";
    /// Resolves all open findings of the files in a JSON array.
    ResolveFindingsOfFiles<'a> { files: &'a str, now: Timestamp } = "UPDATE findings SET resolved_at = :now
        WHERE file_id IN (SELECT value FROM json_each(:files)) AND resolved_at IS NULL";
    /// Deletes at most `:limit` findings that were resolved at `:cutoff` or before. Returns their ids.
    ForgetFindings { cutoff: Timestamp, limit: u64 } = "DELETE FROM findings WHERE id IN
        (SELECT id FROM findings WHERE resolved_at <= :cutoff ORDER BY resolved_at LIMIT :limit) RETURNING id";
    /// Selects at most `:limit` findings with an id below `:before`, the newest first.
    Findings<'a> { before: &'a str, limit: u64 } =
        concat!("SELECT ", finding_columns!(), " FROM findings WHERE id < :before ORDER BY id DESC LIMIT :limit");
    /// Selects at most `:limit` open findings with an id below `:before`, the newest first.
    OpenFindings<'a> { before: &'a str, limit: u64 } = concat!("SELECT ", finding_columns!(), " FROM findings
        WHERE id < :before AND resolved_at IS NULL ORDER BY id DESC LIMIT :limit");
    /// Selects a finding.
    GetFinding { finding: EventId } =
        concat!("SELECT ", finding_columns!(), " FROM findings WHERE id = :finding");
    /// Resolves an open finding, because an operator asked for it.
    ResolveFinding { finding: EventId, now: Timestamp } =
        "UPDATE findings SET resolved_at = :now WHERE id = :finding AND resolved_at IS NULL";
    /// Removes the damage mark of the file that a finding names, so that the file can be read again. Sets the time of
    /// the file's last scrub to `:looked_at`. Changes nothing if any finding of this file is still open.
    TrustFileOfFinding { finding: EventId, looked_at: Timestamp } =
        "UPDATE files SET damaged_at = NULL, scrubbed_at = :looked_at
        WHERE id = (SELECT file_id FROM findings WHERE id = :finding)
            AND NOT EXISTS (SELECT 1 FROM findings WHERE file_id = files.id AND resolved_at IS NULL)";
}
