//! Idempotency: a request with an `Idempotency-Key` has its effect at most once, even if the client repeats it
//! after a failure.
//!
//! 1. A request *claims* its key for the time of a lease. While this request holds the key, a retry gets
//!    `in_progress`. A different request with the same key has another fingerprint and gets `idempotency_reuse`.
//! 2. The batch that has the effect also *records* the effect ([`Claim::record`]). If the claim of the request no
//!    longer holds the key, the whole batch fails. So only one of the repeated requests can have an effect, even if the
//!    database applies the batch of an earlier request late.
//! 3. The response is stored for 24 hours. A request that failed without an effect releases its key.
//!
//! After a crash, a retry finds one of these three:
//!
//! - the response, which is sent only if the file of the effect can still be read;
//! - the effect: the service makes a response from the effect and the current data;
//! - a lease: the retry gets `in_progress`. The first retry after the end of the lease claims the key and runs.
//!
//! If the outcome of a request is unknown, the request releases its key immediately. If the database applies the batch
//! of this request later, the batch fails, because the claim of the request no longer holds the key (step 2).
//!
//! An upload in several requests begins with one request. The effect of this request is the new upload. The batch that
//! undoes this effect also deletes the record of the effect ([`Claim::release_undone`]). Then a repeated request can
//! begin another upload.
//!
//! A key adds two D1 calls to the cost of a request: one claims the key, and one stores the response or releases the
//! key.

pub mod fingerprint;
pub mod key;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::domain::ids::{AttemptId, ClaimId, CutId, FileId};
use crate::domain::log::LogLine;
use crate::domain::principal::{Principal, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{DatabaseError, Statement, from_row};
use crate::sql::idempotency as sql;
use fingerprint::RequestFingerprint;
use key::IdempotencyKey;

/// Time for which a response is stored.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Time for which a request may hold its key before it stores a response or releases the key. Most requests need less
/// time. If a request needs more time and a retry claims the key, only the retry can have an effect.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Maximum `Retry-After` of an `in_progress` response, in seconds. This time is shorter than the lease, because most
/// requests end long before the end of their lease.
const MAX_WAIT_S: i64 = 5;

/// Maximum length of a stored response body, in bytes. A response with a longer body is not stored: a retry gets a
/// response that is made from the effect.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// Maximum number of keys in one [`KeyScope`]. A user who sends a thousand keys a day is far below this number.
const MOST_KEYS: u64 = 10_000;

/// One statement of the sweep deletes at most `SWEEP_KEYS` expired keys. One run of the sweep executes at most
/// `SWEEP_ROUNDS` of these statements.
const SWEEP_KEYS: u64 = 1000;
const SWEEP_ROUNDS: usize = 10;

/// The namespace of a key. Equal texts in two namespaces are two different keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope(String);

impl KeyScope {
    /// Returns the namespace of a principal's keys.
    pub fn of(principal: &Principal) -> Self {
        match principal {
            Principal::User { id, .. } => Self(id.to_string()),
            // A user may have the id "operator", but no user id has a colon.
            Principal::Operator { .. } => Self("operator:".to_owned()),
            other => Self(other.to_string()),
        }
    }

    /// Returns the namespace for registrations of a username. The namespace has a colon, so it differs from
    /// the namespace of every user.
    pub fn registration(username: &str) -> Self {
        Self(format!("register:{}", username.to_ascii_lowercase()))
    }
}

/// A request's hold on a key.
#[derive(Debug, Clone)]
pub struct Claim {
    scope: KeyScope,
    key: IdempotencyKey,
    id: ClaimId,
    claimed_at: Timestamp,
}

/// The change that a request made, with the ids of the things that changed. The response to a retry is made from these
/// ids and the current data. The JSON names are a stored contract: a later version of the program reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A file was uploaded.
    Created {
        /// The file.
        file: FileId,
    },
    /// A cut was saved.
    Saved {
        /// The new file.
        file: FileId,
        /// The receipt of the cut.
        cut: CutId,
    },
    /// A file was changed, moved to the trash, or restored.
    Changed {
        /// The file.
        file: FileId,
    },
    /// A file was deleted permanently.
    Purged {
        /// The file.
        file: FileId,
    },
    /// A resumable upload was begun.
    Begun {
        /// The upload.
        upload: AttemptId,
    },
    /// A multipart upload was begun.
    BegunInParts {
        /// The upload.
        upload: AttemptId,
    },
    /// A multipart upload was aborted.
    GivenUp {
        /// The upload.
        upload: AttemptId,
    },
    /// An account was created.
    Registered,
}

impl Effect {
    /// Returns the scope that a principal needs for this effect. Also returns the file, if the file existed before the
    /// effect. Returns `None` for a registration, because a registration has no principal.
    pub fn needs(&self) -> Option<(Scope, Option<FileId>)> {
        match self {
            Self::Created { .. }
            | Self::Saved { .. }
            | Self::Begun { .. }
            | Self::BegunInParts { .. }
            | Self::GivenUp { .. } => Some((Scope::Write, None)),
            Self::Changed { file } => Some((Scope::Write, Some(*file))),
            Self::Purged { file } => Some((Scope::Write, Some(*file))),
            Self::Registered => None,
        }
    }
}

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The status code.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The outcome of claiming a key.
#[derive(Debug)]
pub enum ClaimOutcome {
    /// The request holds the key. The caller continues with the request.
    Acquired(Claim),
    /// An earlier request with this key has a stored response. The items are: (1) this response; (2) the effect of the
    /// earlier request, `None` if the request had no effect.
    Replayed(StoredResponse, Option<Effect>),
    /// An earlier request with this key had an effect, but its response is not stored.
    EffectRecorded(Done),
}

/// A recorded effect without a stored response.
#[derive(Debug)]
pub struct Done {
    /// The recorded effect.
    pub effect: Effect,
    /// Seconds until the end of the lease of the request that had the effect; 0 if the lease has ended.
    lease_left_s: i64,
    key: (KeyScope, IdempotencyKey),
}

impl Done {
    /// Checks that the lease of the earlier request has ended. After some effects, the earlier request does more work,
    /// and the response depends on the result of this work. While the lease runs, the work may be unfinished.
    ///
    /// # Errors
    /// `in_progress` while the lease runs.
    pub fn expect_left_alone(&self) -> Result<()> {
        match self.lease_left_s {
            0 => Ok(()),
            left => Err(Problem::in_progress(left.min(MAX_WAIT_S))),
        }
    }

    /// Returns the statement that releases the key. The caller adds this statement to the batch that undoes the effect.
    pub fn release_undone(&self) -> Statement {
        release_undone(&self.key.0, &self.key.1, &self.effect)
    }
}

fn release_undone(scope: &KeyScope, key: &IdempotencyKey, effect: &Effect) -> Statement {
    let effect = serde_json::to_string(effect).unwrap_or_default();
    sql::ReleaseUndone { scope: &scope.0, key: key.as_str(), effect: &effect }.statement()
}

#[derive(Deserialize)]
struct KeyRow {
    fingerprint: String,
    claim: String,
    lease_until: Option<Timestamp>,
    effect: Option<String>,
    status: Option<u16>,
    response: Option<String>,
}

/// Headers and body of a response, stored as JSON. The JSON names are a stored contract.
#[derive(Serialize, Deserialize)]
pub struct ResponseColumn {
    headers: Vec<(String, String)>,
    body: String,
}

impl Claim {
    /// Returns the statement that records `effect`. The caller puts the returned statement directly after the
    /// statement that has the effect, in the same batch.
    pub fn record(&self, effect: &Effect) -> Statement {
        let effect = serde_json::to_string(effect).unwrap_or_default();
        let record = sql::RecordEffect {
            scope: &self.scope.0,
            key: self.key.as_str(),
            claim: self.id,
            effect: &effect,
            claimed_at: self.claimed_at,
        };
        record.statement()
    }

    /// Returns the statement that releases the key after `effect` was undone. The caller adds this statement to the
    /// batch that undoes the effect.
    pub fn release_undone(&self, effect: &Effect) -> Statement {
        release_undone(&self.scope, &self.key, effect)
    }
}

impl App {
    /// Claims a key for a request. Costs one D1 call.
    ///
    /// # Errors
    /// `idempotency_reuse`, `in_progress`, `rate_limited` if `scope` has too many keys, or `unavailable` if the
    /// database failed.
    pub async fn claim(
        &self,
        scope: KeyScope,
        key: IdempotencyKey,
        fingerprint: &RequestFingerprint,
    ) -> Result<ClaimOutcome> {
        let now = self.now();
        let id = self.fresh_id::<ClaimId>();
        let claim = Claim { scope, key, id, claimed_at: now };
        let (scope, key) = (claim.scope.0.as_str(), claim.key.as_str());
        let take = sql::ClaimKey {
            scope,
            key,
            fingerprint: fingerprint.as_str(),
            claim: id,
            lease_until: now.plus(LEASE),
            now,
            expires_at: now.plus(KEPT_FOR),
            most_keys: MOST_KEYS,
        };
        let get = sql::Get { scope, key };
        let row = match self.database.batch(vec![take.statement(), get.statement()]).await {
            Ok(mut rows) => rows.pop().and_then(|mut rows| rows.pop()),
            Err(error @ DatabaseError::Constraint(_)) => return Err(error.into()),
            Err(error) => {
                // The database may have stored the claim although the call failed.
                self.release(&claim).await;
                return Err(error.into());
            }
        };
        let row: KeyRow =
            from_row(row.ok_or_else(|| Problem::unavailable("the row of a claimed key is missing"))?)?;
        if row.claim == claim.id.to_string() {
            return Ok(ClaimOutcome::Acquired(claim));
        }
        row.outcome(fingerprint, now, (claim.scope, claim.key))
    }

    /// Stores the response of a request. Writes a log line if the response cannot be stored. A response with a body of
    /// more than `MAX_RESPONSE_BYTES` is not stored. A retry of a request without a stored response gets a response
    /// that is made from the effect.
    pub async fn store_response(&self, claim: &Claim, response: StoredResponse) {
        if response.body.len() > MAX_RESPONSE_BYTES {
            return;
        }
        let stored = ResponseColumn { headers: response.headers, body: response.body };
        let keep = sql::Complete {
            scope: &claim.scope.0,
            key: claim.key.as_str(),
            claim: claim.id,
            status: response.status,
            response: serde_json::to_string(&stored).unwrap_or_default(),
        };
        self.settle_key(claim, keep.statement()).await;
    }

    /// Releases the key of a failed request. If the effect of the request is recorded, changes nothing. Writes a log
    /// line if the call to the database fails. In this case, the key is free when the lease ends.
    pub async fn release(&self, claim: &Claim) {
        let release = sql::Release { scope: &claim.scope.0, key: claim.key.as_str(), claim: claim.id };
        self.settle_key(claim, release.statement()).await;
    }

    async fn settle_key(&self, claim: &Claim, statement: Statement) {
        if let Err(error) = self.database.query(statement).await {
            self.write_log(
                LogLine::warn(
                    "the outcome of a request was not stored under its idempotency key; the key stays claimed until \
                     the lease ends",
                )
                .with_text("claim", claim.id)
                .caused_by(error),
            );
        }
    }

    /// Deletes expired keys, at most 10,000 in one call. Returns the number of deleted keys.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn forget_expired_keys(&self, now: Timestamp) -> Result<u64> {
        let mut forgotten = 0;
        for _ in 0..SWEEP_ROUNDS {
            let delete = sql::DeleteExpired { now, limit: SWEEP_KEYS };
            let round = self.database.query(delete.statement()).await?.len() as u64;
            forgotten += round;
            if round < SWEEP_KEYS {
                break;
            }
        }
        Ok(forgotten)
    }
}

impl KeyRow {
    /// Returns the outcome for a request whose key an earlier request holds or held.
    fn outcome(
        self,
        fingerprint: &RequestFingerprint,
        now: Timestamp,
        key: (KeyScope, IdempotencyKey),
    ) -> Result<ClaimOutcome> {
        if self.fingerprint != fingerprint.as_str() {
            return Err(reused());
        }
        if let (Some(status), Some(response)) = (self.status, self.response) {
            let stored: ResponseColumn = serde_json::from_str(&response).map_err(Problem::internal)?;
            let effect = self.effect.and_then(|effect| serde_json::from_str(&effect).ok());
            let response = StoredResponse { status, headers: stored.headers, body: stored.body };
            return Ok(ClaimOutcome::Replayed(response, effect));
        }
        let left = self.lease_until.map_or(0, |until| (until.instant() - now.instant()).num_seconds() + 1);
        if let Some(effect) = self.effect {
            let effect = serde_json::from_str(&effect).map_err(Problem::internal)?;
            return Ok(ClaimOutcome::EffectRecorded(Done { effect, lease_left_s: left.max(0), key }));
        }
        Err(Problem::in_progress(left.clamp(1, MAX_WAIT_S)))
    }
}

/// Returns the problem for a key that was used for another request.
pub fn reused() -> Problem {
    let detail = "This Idempotency-Key was used for another request. Use a new key for each new request. Send the \
        same key only to repeat a request.";
    Problem::new(Code::IdempotencyReuse, detail)
}
