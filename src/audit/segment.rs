//! Segments: sealed entries that have left the database. A segment is an object in R2: gzip of NDJSON, one line for each
//! entry, without addresses, user agents and error texts, and a last line with the hashes. The signature is in the row. The digests of the texts
//! stay, so the chain still verifies.
//!
//! The steps are those of every object: a row in `gc_queue`, then the bytes, then one batch that inserts the row of the
//! segment and deletes its entries. If the work stops between two steps, the entries are still in the database, and a
//! sweep deletes the object.

use std::io::{Read, Write};

use chrono::TimeDelta;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::keys::AuditKeys;
use super::row::AuditRow;
use super::seal::{ChainEnds, SealedRun, SegmentObject};
use crate::app::App;
use crate::domain::ids::AttemptId;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{NewObject, from_row};
use crate::sql;

/// A segment has at least this many entries, unless its oldest entry is a day overdue.
const MIN_ENTRIES: usize = 1000;
/// A segment has at most this many entries, and one seal more.
const MAX_ENTRIES: u64 = 4000;
/// Maximum number of bytes of a segment, before gzip and after. A segment has at most 5,000 entries, and without its texts an
/// entry has at most 3,000 bytes.
pub(super) const MAX_BYTES: u64 = 16 << 20;
/// Time after which a segment is written although it is short.
const OVERDUE: TimeDelta = TimeDelta::days(1);
/// No entry leaves before this time after its seal. The queue delivers a message again for at most 8 hours, and a message
/// whose entry has left would write the entry again.
const SETTLED_AFTER: TimeDelta = TimeDelta::days(1);

/// A run of seals whose entries make one segment.
struct DueSeals {
    first_seq: i64,
    last_seq: i64,
    prev_hash: String,
    hash: String,
    legacy: bool,
}

/// The text of a segment while it is written.
struct SegmentText {
    gzip: GzEncoder<Vec<u8>>,
    /// Length before gzip.
    length_bytes: u64,
    oldest_at: String,
    newest_at: String,
}

impl SegmentText {
    fn new() -> Self {
        let gzip = GzEncoder::new(Vec::new(), Compression::default());
        Self { gzip, length_bytes: 0, oldest_at: String::new(), newest_at: String::new() }
    }

    fn add(&mut self, mut row: AuditRow) -> Result<()> {
        row.erase_texts();
        if self.oldest_at.is_empty() || row.timestamp < self.oldest_at {
            self.oldest_at.clone_from(&row.timestamp);
        }
        if row.timestamp > self.newest_at {
            self.newest_at.clone_from(&row.timestamp);
        }
        self.line(&serde_json::to_string(&row).map_err(Problem::internal)?)
    }

    fn line(&mut self, text: &str) -> Result<()> {
        self.length_bytes += text.len() as u64 + 1;
        if self.length_bytes > MAX_BYTES {
            return Err(Problem::internal("the entries of a segment are too long; verify the audit log"));
        }
        self.gzip.write_all(text.as_bytes()).map_err(Problem::internal)?;
        self.gzip.write_all(b"\n").map_err(Problem::internal)
    }
}

impl App {
    /// Moves the oldest sealed entries into a segment, if they are due: older than `AUDIT_PERSONAL_DAYS`, or above
    /// `AUDIT_MAX_ROWS`. Returns the number of entries that were moved. Costs at most 10 D1 calls and 1 R2 put.
    ///
    /// # Errors
    /// `unavailable` if a store failed; `internal` if the chain is broken here. Then nothing is moved.
    pub async fn archive_entries(&self, now: Timestamp) -> Result<u64> {
        let Some(due) = self.due_seals(now).await? else { return Ok(0) };
        let keys = AuditKeys::new(&self.config);
        let mut text = SegmentText::new();
        let (mut seq, mut hash) = (due.first_seq - 1, due.prev_hash.clone());
        while seq < due.last_seq {
            let page = sql::audit::Sealed { after: seq, limit: super::seal::ENTRIES_PER_SEAL };
            let rows = self.database.query(page.statement()).await?;
            let start = seq;
            for row in rows {
                let row: AuditRow = from_row(row)?;
                if seq == due.last_seq {
                    break;
                }
                seq += 1;
                // Here the texts are compared with their digests for the last time.
                let is_genuine = due.legacy || row.has_right_code(&keys) && row.has_right_texts();
                let is_next = is_genuine
                    && row.seq == Some(seq)
                    && row.chained(seq, &hash) == row.hash.as_deref().unwrap_or_default();
                if !is_next {
                    return Err(Problem::internal(format!(
                        "the audit log is broken at entry {seq}; verify it"
                    )));
                }
                hash = row.hash.clone().unwrap_or_default();
                text.add(row)?;
            }
            if seq == start {
                return Err(Problem::internal(format!(
                    "the audit log is broken after entry {seq}; verify it"
                )));
            }
        }
        if hash != due.hash {
            return Err(Problem::internal(format!(
                "the audit log is broken at the seal of entry {seq}; verify it"
            )));
        }
        self.store_segment(due, text, now).await
    }

    /// Returns the seals whose entries are due, if they are enough for a segment.
    async fn due_seals(&self, now: Timestamp) -> Result<Option<DueSeals>> {
        let batch = vec![
            sql::audit::Seals { after: 0, limit: MAX_ENTRIES }.statement(),
            sql::audit::Chain {}.statement(),
        ];
        let mut results = self.database.batch(batch).await?.into_iter();
        let seals = results.next().unwrap_or_default().into_iter().map(from_row);
        let seals = seals.collect::<Result<Vec<SealedRun>>>()?;
        let end = results.next().and_then(|mut rows| rows.pop());
        let last_seq = end.as_ref().and_then(|end| end.get("last_seq")?.as_i64()).unwrap_or_default();
        let Some(first) = seals.first() else { return Ok(None) };
        let keys = AuditKeys::new(&self.config);
        let cutoff = now.plus(-TimeDelta::days(self.config.audit_personal_days.into())).to_string();
        let overdue =
            now.plus(-TimeDelta::days(self.config.audit_personal_days.into()) - OVERDUE).to_string();
        let settled = now.plus(-SETTLED_AFTER).to_string();
        let most = i64::try_from(self.config.audit_max_rows).unwrap_or(i64::MAX);
        let was_sealed_by =
            |seal: &SealedRun, time: &str| seal.sealed_at.as_deref().is_some_and(|at| at <= time);
        let is_due = |seal: &SealedRun| {
            was_sealed_by(seal, &cutoff) || last_seq - seal.last_seq >= most && was_sealed_by(seal, &settled)
        };
        let is_overdue = was_sealed_by(first, &overdue);
        let mut due = DueSeals {
            first_seq: first.first_seq,
            last_seq: first.first_seq - 1,
            prev_hash: first.prev_hash.clone(),
            hash: first.prev_hash.clone(),
            legacy: first.legacy == 1,
        };
        for seal in seals.iter().filter(|seal| is_due(seal)) {
            let entries = u64::try_from(due.last_seq - due.first_seq + 1).unwrap_or_default();
            let follows = seal.first_seq == due.last_seq + 1 && (seal.legacy == 1) == due.legacy;
            if !seal.is_signed(&keys) {
                let first_seq = seal.first_seq;
                return Err(Problem::internal(format!(
                    "the seal of entry {first_seq} was changed; verify the audit log"
                )));
            }
            if !follows || entries >= MAX_ENTRIES {
                break;
            }
            (due.last_seq, due.hash) = (seal.last_seq, seal.hash.clone());
        }
        let entries = usize::try_from(due.last_seq - due.first_seq + 1).unwrap_or_default();
        Ok((entries >= MIN_ENTRIES || entries > 0 && is_overdue).then_some(due))
    }

    async fn store_segment(&self, due: DueSeals, mut text: SegmentText, now: Timestamp) -> Result<u64> {
        let DueSeals { first_seq, last_seq, prev_hash, hash, legacy } = due;
        let keys = AuditKeys::new(&self.config);
        let attempt = self.fresh_id::<AttemptId>();
        let key = StorageKey::AuditSegment { first_seq, attempt };
        // The last line has the hashes of the run; its signature, which covers the SHA-256 of the object, is in the row.
        let last = json!({"segment": {"firstSeq": first_seq, "lastSeq": last_seq, "prevHash": &prev_hash,
            "hash": &hash, "legacy": legacy}});
        text.line(&last.to_string())?;
        let (oldest_at, newest_at) = (text.oldest_at, text.newest_at);
        let bytes = text.gzip.finish().map_err(Problem::internal)?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let run = SealedRun {
            first_seq,
            last_seq,
            prev_hash: prev_hash.clone(),
            hash: hash.clone(),
            legacy: legacy.into(),
            sealed_at: None,
            object: Some(SegmentObject {
                r2_key: key.to_string(),
                sha256: sha256.clone(),
                oldest_at: oldest_at.clone(),
                newest_at: newest_at.clone(),
            }),
            key_id: String::new(),
            signature: String::new(),
        };
        let SealedRun { key_id, signature, .. } = &run.sign(&keys)?;
        let enqueue =
            sql::gc::EnqueueOfService { key: &key, attempt, not_before: now.plus(TimeDelta::days(1)), now };
        self.database.query(enqueue.statement()).await?;
        let object = NewObject {
            key: key.clone(),
            content_type: "application/gzip",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        };
        self.objects.put_bytes(object, &bytes).await?;
        let insert = sql::audit::InsertSegment {
            first_seq,
            last_seq,
            prev_hash: &prev_hash,
            hash: &hash,
            key: &key,
            size_bytes: bytes.len() as u64,
            sha256: &sha256,
            legacy,
            key_id,
            signature,
            oldest_at: &oldest_at,
            newest_at: &newest_at,
            now,
        };
        self.database
            .batch(vec![
                insert.statement(),
                sql::gc::DropKey { key: &key }.statement(),
                sql::audit::DropEntries { first_seq, last_seq }.statement(),
                sql::audit::DropSeals { first_seq, last_seq }.statement(),
            ])
            .await?;
        Ok(u64::try_from(last_seq - first_seq + 1).unwrap_or_default())
    }

    /// Reads the entries of a segment. `None` if the object is missing, is not the one that was stored, or cannot be
    /// read.
    pub(super) async fn read_segment(&self, object: &SegmentObject) -> Result<Option<Vec<AuditRow>>> {
        let key = StorageKey::Known(object.r2_key.clone());
        let bytes = match self.read_small_object(&key, MAX_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            // The object is longer than any segment.
            Err(problem) if problem.code() == Code::Internal => return Ok(None),
            Err(problem) => return Err(problem),
        };
        if hex::encode(Sha256::digest(&bytes)) != object.sha256 {
            return Ok(None);
        }
        let mut text = String::new();
        if GzDecoder::new(bytes.as_slice()).take(MAX_BYTES).read_to_string(&mut text).is_err() {
            return Ok(None);
        }
        let lines = text.lines().filter(|line| !line.starts_with("{\"segment\":"));
        Ok(lines.map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Gives up segments whose latest entry is older than `AUDIT_RETENTION_DAYS`. The list of segments loses its oldest
    /// rows; the chain of the others still verifies. The sweep `collect_garbage` deletes the objects. Returns the number of
    /// segments. Costs 1 D1 call, and 2 calls for each segment.
    ///
    /// # Errors
    /// `unavailable` if the database failed; `internal` if somebody has changed a segment that is due.
    pub async fn forget_segments(&self, now: Timestamp, limit: u64) -> Result<u64> {
        let cutoff = now.plus(-TimeDelta::days(self.config.audit_retention_days.into()));
        let due = sql::audit::SegmentsToForget { cutoff, limit };
        let rows = self.database.query(due.statement()).await?;
        let keys = AuditKeys::new(&self.config);
        let mut deleted = 0;
        for row in rows {
            let run: SealedRun = from_row(row)?;
            let ends = self.database.query(sql::audit::Chain {}.statement()).await?.pop();
            let ends = ChainEnds::read(ends, &keys)?;
            // Only the oldest segment can be forgotten, and only one that the service has written.
            let is_oldest = ends.first_seq == run.first_seq && run.last_seq < ends.last_seq.saturating_add(1);
            let Some(object) = run.object.as_ref().filter(|_| is_oldest && run.is_signed(&keys)) else {
                let first_seq = run.first_seq;
                return Err(Problem::internal(format!(
                    "the segment of entry {first_seq} was changed; verify the audit log"
                )));
            };
            let key = StorageKey::Known(object.r2_key.clone());
            let attempt = self.fresh_id::<AttemptId>();
            self.database
                .batch(vec![
                    ends.move_to((run.last_seq + 1, ends.last_seq), &ends.last_hash, &keys, now)?,
                    sql::audit::ForgetSegment { first_seq: run.first_seq }.statement(),
                    sql::gc::EnqueueOfService { key: &key, attempt, not_before: now, now }.statement(),
                ])
                .await?;
            deleted += 1;
        }
        Ok(deleted)
    }
}
