//! Seals the entries that have arrived: gives them the next numbers, chains each to the entry before, and signs the end.
//!
//! Entries arrive late and out of order, so their numbers follow the order of sealing, not of their ids. Two runs may
//! seal at the same time: the batch of the second run fails, because the end of the chain has moved. An entry without a
//! right code is not sealed, and [`super::verify`] reports it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::AuditKeys;
use super::row::{AuditRow, FIRST_HASH};
use crate::app::App;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::{DatabaseError, Row, Statement, from_row};
use crate::sql::audit as sql;

/// Maximum number of entries that one batch seals. The parameter with their hashes has about 200 bytes for each.
pub const ENTRIES_PER_SEAL: u64 = 1000;

/// The ends of the chain: the first entry that is kept, and the last sealed entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ChainEnds {
    pub first_seq: i64,
    pub last_seq: i64,
    pub last_hash: String,
    pub key_id: String,
    pub signature: String,
}

/// A run of sealed entries: a row of `audit_seals` or of `audit_segments`. The signature covers every other field.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SealedRun {
    pub first_seq: i64,
    pub last_seq: i64,
    pub prev_hash: String,
    pub hash: String,
    /// 1 if the entries are older than the chain, and have no codes.
    pub legacy: i64,
    /// When the entries were sealed; `None` for a segment.
    #[serde(default)]
    pub sealed_at: Option<String>,
    /// The object; `None` for a seal.
    #[serde(flatten)]
    pub object: Option<SegmentObject>,
    pub key_id: String,
    pub signature: String,
}

/// The object of a segment, and the times of its earliest and its latest entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentObject {
    pub r2_key: String,
    pub sha256: String,
    pub oldest_at: String,
    pub newest_at: String,
}

impl ChainEnds {
    /// Returns the ends of an empty chain.
    pub(super) fn of_empty() -> Self {
        let (key_id, signature) = (String::new(), String::new());
        Self { first_seq: 1, last_seq: 0, last_hash: FIRST_HASH.to_owned(), key_id, signature }
    }

    /// Reads the row with the ends; `None` is an empty chain. Ends that the service did not sign are never moved, because
    /// the new signature would hide that somebody changed them.
    ///
    /// # Errors
    /// `internal` if the service did not sign the ends.
    pub(super) fn read(row: Option<Row>, keys: &AuditKeys) -> Result<Self> {
        let Some(row) = row else { return Ok(Self::of_empty()) };
        let ends: Self = from_row(row)?;
        match ends.is_signed(keys) {
            true => Ok(ends),
            false => Err(Problem::internal("the ends of the audit log were changed; verify it")),
        }
    }

    /// Returns the statement that moves the ends to new places. Its batch fails if the ends have moved meanwhile.
    pub(super) fn move_to(
        &self,
        (first_seq, last_seq): (i64, i64),
        hash: &str,
        keys: &AuditKeys,
        now: Timestamp,
    ) -> Result<Statement> {
        let text = text_of_ends(first_seq, last_seq, hash);
        let (key_id, signature) = keys.sign(text.as_bytes())?;
        let (old_first_seq, old_last_seq) = (self.first_seq, self.last_seq);
        let signature = signature.as_str();
        Ok(sql::MoveChain { old_first_seq, old_last_seq, first_seq, last_seq, hash, key_id, signature, now }
            .statement())
    }

    /// Whether the service has signed the ends.
    pub(super) fn is_signed(&self, keys: &AuditKeys) -> bool {
        let text = text_of_ends(self.first_seq, self.last_seq, &self.last_hash);
        keys.is_signature(&self.key_id, text.as_bytes(), &self.signature)
    }
}

impl SealedRun {
    /// Signs the run.
    ///
    /// # Errors
    /// `internal` if there is no key.
    pub(super) fn sign(mut self, keys: &AuditKeys) -> Result<Self> {
        let text = self.text();
        let (key_id, signature) = keys.sign(text.as_bytes())?;
        (self.key_id, self.signature) = (key_id.to_owned(), signature);
        Ok(self)
    }

    /// Whether the service has signed the run.
    pub(super) fn is_signed(&self, keys: &AuditKeys) -> bool {
        keys.is_signature(&self.key_id, self.text().as_bytes(), &self.signature)
    }

    /// Returns the text that the signature covers.
    fn text(&self) -> String {
        let Self { first_seq, last_seq, prev_hash, hash, legacy, sealed_at, object, .. } = self;
        json!(["cutty audit run", first_seq, last_seq, prev_hash, hash, legacy, sealed_at, object])
            .to_string()
    }
}

fn text_of_ends(first_seq: i64, last_seq: i64, hash: &str) -> String {
    format!("cutty audit ends\n{first_seq}\n{last_seq}\n{hash}")
}

/// The result of sealing one page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPage {
    /// Number of entries that were examined.
    pub examined: u64,
    /// Number of entries that were sealed.
    pub sealed: u64,
    /// Number of entries without a right code.
    pub refused: u64,
    /// Id of the last entry that was examined, if there may be more entries.
    pub next: Option<String>,
}

impl App {
    /// Seals at most `limit` entries that have arrived. Begins after the entry `after`. Costs 3 D1 calls, 1 R2 get and 1 R2
    /// put.
    ///
    /// # Errors
    /// `unavailable` if a store failed; `internal` if the ends of the chain were changed or put back. Then nothing is
    /// sealed. If another run seals at the same time, this run seals nothing.
    pub async fn seal_entries(&self, after: &str, limit: u64) -> Result<SealedPage> {
        let limit = limit.min(ENTRIES_PER_SEAL);
        let rows = self.database.query(sql::Unsealed { after, limit }.statement()).await?;
        let is_full = rows.len() as u64 == limit;
        let last = rows.last().and_then(|row| row.get("id")?.as_str()).map(str::to_owned);
        let mut page =
            SealedPage { examined: rows.len() as u64, sealed: 0, refused: 0, next: last.filter(|_| is_full) };
        // A row that cannot be read was not written by the service.
        let rows: Vec<AuditRow> = rows.into_iter().filter_map(|row| from_row(row).ok()).collect();
        if page.examined == 0 {
            return Ok(page);
        }
        let (keys, now) = (AuditKeys::new(&self.config), self.now());
        let anchor = self.read_anchor(&keys).await?;
        let facts = vec![sql::Chain {}.statement(), sql::HasSeal {}.statement()];
        let mut facts = self.database.batch(facts).await?.into_iter().map(|mut rows| rows.pop());
        let ends = ChainEnds::read(facts.next().flatten(), &keys)?;
        self.refuse_lost_anchor(anchor.as_ref(), &ends)?;
        let has_seal = ends.first_seq > 1 || facts.next().flatten().is_some();
        // Entries from before the chain have no codes. They can only be sealed first, in a seal that says so.
        let (old, new): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.code.is_none());
        let legacy = !has_seal && !old.is_empty();
        let all = if legacy { old } else { new };
        let count = all.len() as u64;
        let accepted: Vec<_> = all.into_iter().filter(|row| legacy || row.has_right_code(&keys)).collect();
        page.refused = match legacy {
            true => 0,
            false => page.examined - accepted.len() as u64,
        };
        if legacy && count < page.examined {
            // The entries with codes on this page are sealed by the next call.
            page.next = Some(after.to_owned());
        }
        if accepted.is_empty() {
            return Ok(page);
        }
        let first_seq = ends.last_seq + 1;
        let (mut seq, mut hash) = (ends.last_seq, ends.last_hash.clone());
        let mut entries = Vec::with_capacity(accepted.len());
        for row in &accepted {
            seq += 1;
            let chained = row.chained(seq, &hash);
            entries.push(json!([row.id, seq, hash, chained]));
            hash = chained;
        }
        let prev_hash = ends.last_hash.as_str();
        let run = SealedRun {
            first_seq,
            last_seq: seq,
            prev_hash: prev_hash.to_owned(),
            hash: hash.clone(),
            legacy: legacy.into(),
            sealed_at: Some(now.to_string()),
            object: None,
            key_id: String::new(),
            signature: String::new(),
        };
        let SealedRun { key_id, signature, .. } = &run.sign(&keys)?;
        let (hash, last_seq) = (hash.as_str(), seq);
        let entries = json!(entries).to_string();
        let batch = vec![
            ends.move_to((ends.first_seq, last_seq), hash, &keys, now)?,
            sql::InsertSeal { first_seq, last_seq, prev_hash, hash, legacy, key_id, signature, now }
                .statement(),
            sql::Seal { entries: &entries }.statement(),
        ];
        match self.database.batch(batch).await {
            Ok(_) => {
                page.sealed = accepted.len() as u64;
                let sealed = ChainEnds { last_seq, last_hash: hash.to_owned(), ..ends };
                self.move_anchor(&sealed, &keys).await;
                let line = LogLine::info("audit entries were sealed");
                self.write_log(
                    line.with("first_seq", first_seq).with("last_seq", last_seq).with("hash", hash),
                );
            }
            // Another run has moved the end of the chain, and seals these entries.
            Err(DatabaseError::Constraint(_)) => page.next = None,
            Err(error) => return Err(error.into()),
        }
        Ok(page)
    }
}
