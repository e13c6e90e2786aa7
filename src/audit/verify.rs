//! Verifies the audit log: reads all entries in the order of the chain, from the oldest segment to the entries that are
//! not sealed yet, and finds the first that was changed, removed, inserted or moved.

use std::fmt;

use chrono::TimeDelta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::anchor::Anchor;
use super::keys::AuditKeys;
use super::row::{AuditRow, FIRST_HASH};
use super::seal::{ChainEnds, ENTRIES_PER_SEAL, SealedRun};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, from_row};
use crate::sql::audit as sql;

/// One call stops after this many entries, at the next end of a seal or segment.
const ENTRIES_PER_CALL: u64 = 100_000;
/// One try stops after this many calls to other services, at the next end of a seal or segment. A request makes at most
/// two tries, and the platform limits its calls.
const CALLS_PER_TRY: u32 = 400;
/// A number below all numbers of runs.
const BEFORE_ALL: i64 = -9_007_199_254_740_991;
/// Maximum number of entries that are not sealed and that one call checks.
const UNSEALED_PER_CALL: usize = 10_000;
/// No text is erased before this time, unless its file or account was deleted. `AUDIT_PERSONAL_DAYS` is at least this.
const NOT_ERASED_BEFORE: TimeDelta = TimeDelta::days(7);

/// Where the audit log is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Broken {
    /// Number of the entry in the chain; null for an entry that is not sealed.
    pub seq: Option<i64>,
    /// Id of the entry; null if the entry is missing.
    pub id: Option<String>,
    /// `changed`: the entry, or a seal, is not as the service wrote it. `missing`: the entry is not there. `inserted`: the
    /// service did not write the entry. `moved`: the entry stands at another place of the chain. `unreadable`: the object
    /// of a segment is missing or was changed, or the anchor in R2 was changed.
    #[schema(value_type = String, example = "changed")]
    pub reason: &'static str,
}

/// The result of verifying one part of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedAudit {
    /// Whether everything that was checked is as the service wrote it.
    pub valid: bool,
    /// Number of entries that this call checked.
    pub checked: u64,
    /// The first broken entry in the order of the chain; null if there is none.
    pub first_broken: Option<Broken>,
    /// Number of checked entries that have arrived but are not sealed yet.
    pub unsealed: u64,
    /// Number of the last entry of the chain that this call checked.
    pub last_seq: i64,
    /// Whether the whole log was checked, or a broken entry was found. If false, repeat the call with `nextCursor`.
    pub complete: bool,
    /// `cursor` for the next call.
    pub next_cursor: Option<String>,
}

/// What stopped a verification.
enum Stop {
    Broken(Broken),
    Failed(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<crate::ports::DatabaseError> for Stop {
    fn from(error: crate::ports::DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads a row of the log. A row that cannot be read was changed.
fn read<T: DeserializeOwned>(row: Row) -> std::result::Result<T, Stop> {
    let number = |name: &str| row.get(name).and_then(Value::as_i64);
    let seq = number("seq").or_else(|| number("first_seq")).or_else(|| number("last_seq"));
    let id = row.get("id").and_then(Value::as_str).map(str::to_owned);
    from_row(row).map_err(|_| broken(seq, id.as_deref(), "changed"))
}

fn broken(seq: Option<i64>, id: Option<&str>, reason: &'static str) -> Stop {
    Stop::Broken(Broken { seq, id: id.map(str::to_owned), reason })
}

/// The place up to which the chain was verified.
#[derive(Debug, Clone)]
struct ChainPlace {
    seq: i64,
    hash: String,
    /// Whether an entry up to here has a code.
    has_codes: bool,
}

impl ChainPlace {
    fn parse(cursor: &str) -> Option<Self> {
        let [seq, hash, has_codes]: [&str; 3] = cursor.split('.').collect::<Vec<_>>().try_into().ok()?;
        let is_hash = hash.len() == FIRST_HASH.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seq = seq.parse().ok().filter(|seq| *seq >= 0).filter(|_| is_hash)?;
        Some(Self { seq, hash: hash.to_owned(), has_codes: has_codes == "1" })
    }
}

impl fmt::Display for ChainPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.seq, self.hash, u8::from(self.has_codes))
    }
}

struct Verifier<'a> {
    app: &'a App,
    keys: AuditKeys,
    /// `None` if the service did not write the object.
    anchor: Option<Anchor>,
    ends: ChainEnds,
    place: ChainPlace,
    /// Numbers of the last segment and of the last seal that were read.
    last_segment: i64,
    last_seal: i64,
    calls: u32,
    checked: u64,
    unsealed: u64,
}

impl App {
    /// Verifies the audit log, or the part of it after `cursor`. Costs at most 1,000 calls of D1 and R2.
    ///
    /// # Errors
    /// `bad_cursor`; `unavailable` if a store failed.
    pub async fn verify_audit(&self, cursor: Option<&str>) -> Result<VerifiedAudit> {
        let bad = || {
            Problem::new(Code::BadCursor, "Send nextCursor of the call before, or no cursor for the start.")
        };
        let from = cursor.map(|cursor| ChainPlace::parse(cursor).ok_or_else(bad)).transpose()?;
        // A sweep may move entries into a segment while they are read. Then a second try finds them there.
        match self.try_to_verify(from.clone()).await? {
            first if first.valid => Ok(first),
            _ => self.try_to_verify(from).await,
        }
    }

    async fn try_to_verify(&self, from: Option<ChainPlace>) -> Result<VerifiedAudit> {
        let keys = AuditKeys::new(&self.config);
        let anchor = self.read_anchor(&keys).await?;
        let ends = self.database.query(sql::Chain {}.statement()).await?.pop();
        let has_chain = ends.is_some();
        let readable: Option<ChainEnds> = ends.and_then(|row| from_row(row).ok());
        let is_readable = readable.is_some() || !has_chain;
        let ends = readable.unwrap_or_else(ChainEnds::of_empty);
        let begins_at = ChainPlace { seq: ends.first_seq - 1, hash: String::new(), has_codes: false };
        let place = from.unwrap_or(begins_at);
        let mut verifier = Verifier {
            app: self,
            keys,
            anchor,
            last_segment: place.seq,
            last_seal: place.seq,
            place,
            ends,
            calls: 0,
            checked: 0,
            unsealed: 0,
        };
        let outcome = match has_chain && !(is_readable && verifier.ends.is_signed(&verifier.keys)) {
            true => Err(broken(Some(verifier.ends.last_seq), None, "changed")),
            false => verifier.run().await,
        };
        let (first_broken, more) = match outcome {
            Ok(more) => (None, more),
            Err(Stop::Broken(broken)) => (Some(broken), false),
            Err(Stop::Failed(problem)) => return Err(problem),
        };
        let Verifier { place, checked, unsealed, .. } = verifier;
        Ok(VerifiedAudit {
            valid: first_broken.is_none(),
            checked,
            first_broken,
            unsealed,
            last_seq: place.seq,
            complete: !more,
            next_cursor: more.then(|| place.to_string()),
        })
    }
}

impl Verifier<'_> {
    /// Returns whether there is more to verify.
    async fn run(&mut self) -> std::result::Result<bool, Stop> {
        while self.place.seq < self.ends.last_seq {
            if self.is_full() {
                return Ok(true);
            }
            let before = self.place.seq;
            self.segments().await?;
            if self.place.seq == before {
                self.seals().await?;
            }
            if self.place.seq == before {
                return Err(broken(Some(before + 1), None, "missing"));
            }
        }
        // If no sealed entry is kept, no hash was read.
        let is_empty = self.ends.first_seq > self.ends.last_seq;
        let is_end =
            self.place.seq == self.ends.last_seq && (self.place.hash == self.ends.last_hash || is_empty);
        if !is_end {
            return Err(broken(Some(self.place.seq), None, "changed"));
        }
        if self.ends.last_seq == 0 {
            self.nothing_is_sealed().await?;
        }
        match &self.anchor {
            None => return Err(broken(None, None, "unreadable")),
            Some(anchor) if anchor.seq > self.ends.last_seq => {
                return Err(broken(Some(self.ends.last_seq + 1), None, "missing"));
            }
            Some(anchor) if !anchor.is_within(&self.ends) => {
                return Err(broken(Some(anchor.seq), None, "changed"));
            }
            Some(_) => {}
        }
        self.outside_of_chain().await?;
        self.not_sealed().await?;
        Ok(false)
    }

    /// Refuses seals and segments of a chain that has no ends.
    async fn nothing_is_sealed(&self) -> std::result::Result<(), Stop> {
        let batch = vec![
            sql::Segments { after: 0, limit: 1 }.statement(),
            sql::Seals { after: 0, limit: 1 }.statement(),
        ];
        let found = self.app.database.batch(batch).await?;
        match found.iter().all(Vec::is_empty) {
            true => Ok(()),
            false => Err(broken(None, None, "missing")),
        }
    }

    /// Whether this call has done enough.
    fn is_full(&self) -> bool {
        self.checked >= ENTRIES_PER_CALL || self.calls >= CALLS_PER_TRY
    }

    /// Verifies the segments that follow.
    async fn segments(&mut self) -> std::result::Result<(), Stop> {
        let page = sql::Segments { after: self.last_segment, limit: 20 };
        self.calls += 1;
        for row in self.app.database.query(page.statement()).await? {
            let run: SealedRun = read(row)?;
            if run.first_seq > self.place.seq + 1 || self.is_full() {
                break;
            }
            self.begin(&run)?;
            self.last_segment = run.first_seq;
            self.calls += 1;
            let rows = match &run.object {
                Some(object) => self.app.read_segment(object).await?,
                None => None,
            };
            let Some(rows) = rows else { return Err(broken(Some(run.first_seq), None, "unreadable")) };
            for row in &rows {
                self.entry(row, run.legacy == 1, false)?;
            }
            self.end(&run)?;
        }
        Ok(())
    }

    /// Verifies the seals that follow, with their entries.
    async fn seals(&mut self) -> std::result::Result<(), Stop> {
        let page = sql::Seals { after: self.last_seal, limit: ENTRIES_PER_SEAL };
        self.calls += 1;
        let seals = self.app.database.query(page.statement()).await?;
        let mut rows = Vec::new().into_iter();
        for seal in seals {
            let run: SealedRun = read(seal)?;
            // The chain may have grown since its end was read.
            let is_next = run.first_seq <= self.place.seq + 1 && run.last_seq <= self.ends.last_seq;
            if !is_next || self.is_full() {
                break;
            }
            self.begin(&run)?;
            self.last_seal = run.first_seq;
            while self.place.seq < run.last_seq {
                let row = match rows.next() {
                    Some(row) => row,
                    None => {
                        rows = self.page_of_entries().await?.into_iter();
                        rows.next().ok_or_else(|| broken(Some(self.place.seq + 1), None, "missing"))?
                    }
                };
                self.entry(&row, run.legacy == 1, true)?;
            }
            self.end(&run)?;
        }
        Ok(())
    }

    async fn page_of_entries(&mut self) -> std::result::Result<Vec<AuditRow>, Stop> {
        self.calls += 2;
        let page = sql::Sealed { after: self.place.seq, limit: ENTRIES_PER_SEAL };
        let rows = self.app.database.query(page.statement()).await?;
        let rows = rows.into_iter().map(read).collect::<std::result::Result<Vec<AuditRow>, Stop>>()?;
        self.erased_early(&rows).await?;
        Ok(rows)
    }

    /// Refuses young entries whose texts are erased although neither their file nor their account was deleted.
    async fn erased_early(&self, rows: &[AuditRow]) -> std::result::Result<(), Stop> {
        let now = self.app.now();
        let is_young = |row: &AuditRow| {
            let time = Timestamp::parse(&row.timestamp);
            time.is_some_and(|time| time > now.plus(-NOT_ERASED_BEFORE))
        };
        let lost_caller = |row: &AuditRow| row.caller_digest.is_some() && row.caller_salt.is_none();
        let lost_message = |row: &AuditRow| row.message_digest.is_some() && row.message_salt.is_none();
        let is_erased = |row: &&AuditRow| is_young(row) && (lost_caller(row) || lost_message(row));
        let erased: Vec<_> = rows.iter().filter(is_erased).collect();
        if erased.is_empty() {
            return Ok(());
        }
        let ids = json!(erased.iter().map(|row| &row.id).collect::<Vec<_>>()).to_string();
        let found = self.app.database.query(sql::ErasedEarly { ids: &ids }.statement()).await?;
        let is_deleted = |row: &AuditRow, what: &str| {
            let found = found.iter().find(|found| found.get("id").and_then(Value::as_str) == Some(&row.id));
            found.and_then(|found| found.get(what)?.as_i64()) == Some(1)
        };
        // A deleted file erases the error text, a deleted account also the address and the user agent.
        let is_allowed =
            |row: &AuditRow| is_deleted(row, "account") || !lost_caller(row) && is_deleted(row, "file");
        match erased.into_iter().find(|row| !is_allowed(row)) {
            Some(row) => Err(broken(row.seq, Some(&row.id), "changed")),
            None => Ok(()),
        }
    }

    fn begin(&mut self, run: &SealedRun) -> std::result::Result<(), Stop> {
        // Entries without codes are older than the chain, so they can only be its first entries.
        if run.first_seq <= self.place.seq || run.legacy == 1 && self.place.has_codes {
            return Err(broken(Some(run.first_seq), None, "inserted"));
        }
        let is_next = self.place.hash.is_empty() || self.place.hash == run.prev_hash;
        if !is_next || !run.is_signed(&self.keys) {
            return Err(broken(Some(run.first_seq), None, "changed"));
        }
        self.place.has_codes |= run.legacy == 0;
        self.place.hash.clone_from(&run.prev_hash);
        Ok(())
    }

    fn end(&self, run: &SealedRun) -> std::result::Result<(), Stop> {
        match self.place.seq == run.last_seq && self.place.hash == run.hash {
            true => Ok(()),
            false => Err(broken(Some(self.place.seq + 1), None, "missing")),
        }
    }

    /// Verifies the next entry. `is_stored` says whether the texts that can be erased are in the row.
    fn entry(&mut self, row: &AuditRow, legacy: bool, is_stored: bool) -> std::result::Result<(), Stop> {
        let seq = self.place.seq + 1;
        match row.seq {
            Some(found) if found == seq => {}
            Some(found) if found > seq => return Err(broken(Some(seq), None, "missing")),
            _ => return Err(broken(row.seq, Some(&row.id), "inserted")),
        }
        let is_genuine = match legacy {
            true => row.code.is_none(),
            false => row.has_right_code(&self.keys) && (!is_stored || row.has_right_texts()),
        };
        let chained = row.chained(seq, &self.place.hash);
        let is_in_place = row.prev_hash.as_deref() == Some(self.place.hash.as_str())
            && row.hash.as_deref() == Some(&chained);
        match (is_genuine, is_in_place) {
            (true, true) if self.is_anchored(seq, &chained) => {}
            (true, false) if !legacy => return Err(broken(Some(seq), Some(&row.id), "moved")),
            _ => return Err(broken(Some(seq), Some(&row.id), "changed")),
        }
        (self.place.seq, self.place.hash) = (seq, chained);
        self.checked += 1;
        Ok(())
    }

    /// Whether the hash of an entry is that of the anchor, if the anchor is at this entry.
    fn is_anchored(&self, seq: i64, hash: &str) -> bool {
        self.anchor.as_ref().is_none_or(|anchor| anchor.seq != seq || anchor.hash == hash)
    }

    /// Refuses entries with numbers outside of the chain.
    async fn outside_of_chain(&self) -> std::result::Result<(), Stop> {
        let batch = vec![
            sql::FirstSealed {}.statement(),
            sql::Seals { after: BEFORE_ALL, limit: 1 }.statement(),
            sql::Chain {}.statement(),
            sql::Sealed { after: self.ends.last_seq, limit: 1 }.statement(),
            sql::Segments { after: BEFORE_ALL, limit: 1 }.statement(),
        ];
        let mut results = self.app.database.batch(batch).await?.into_iter().map(|mut rows| rows.pop());
        let mut next = || results.next().flatten();
        let (first, seal, ends, behind, segment) = (next(), next(), next(), next(), next());
        let segment: Option<SealedRun> = segment.map(read).transpose()?;
        if let Some(run) = segment.filter(|run| run.first_seq < self.ends.first_seq) {
            return Err(broken(Some(run.first_seq), None, "inserted"));
        }
        let first: Option<AuditRow> = first.map(read).transpose()?;
        let seal: Option<SealedRun> = seal.map(read).transpose()?;
        if let Some(row) = first.filter(|row| row.seq != seal.as_ref().map(|seal| seal.first_seq)) {
            return Err(broken(row.seq, Some(&row.id), "inserted"));
        }
        let ends: Option<ChainEnds> = ends.map(read).transpose()?;
        // If another run has sealed entries meanwhile, the next verification checks them.
        let has_grown = ends.is_some_and(|ends| ends.last_seq != self.ends.last_seq);
        let behind: Option<AuditRow> = behind.map(read).transpose()?;
        match behind.filter(|_| !has_grown) {
            Some(row) => Err(broken(row.seq, Some(&row.id), "inserted")),
            None => Ok(()),
        }
    }

    /// Verifies the codes of the entries that are not sealed yet.
    async fn not_sealed(&mut self) -> std::result::Result<(), Stop> {
        let found = self.app.database.query(sql::HasSeal {}.statement()).await?;
        let has_seal = self.ends.first_seq > 1 || !found.is_empty();
        let mut after = String::new();
        for _ in 0..UNSEALED_PER_CALL / 1000 {
            let page = sql::Unsealed { after: &after, limit: ENTRIES_PER_SEAL };
            let rows = self.app.database.query(page.statement()).await?;
            let rows = rows.into_iter().map(read).collect::<std::result::Result<Vec<AuditRow>, Stop>>()?;
            self.erased_early(&rows).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.id);
            for row in &rows {
                let waits = row.code.is_none() && !has_seal;
                let is_genuine = row.has_right_code(&self.keys) && row.has_right_texts();
                if !(waits || is_genuine) {
                    return Err(broken(
                        None,
                        Some(&row.id),
                        if row.code.is_none() { "inserted" } else { "changed" },
                    ));
                }
                self.checked += 1;
                self.unsealed += 1;
            }
        }
        Ok(())
    }
}
