//! One effect under retries: a request with an `Idempotency-Key` is done at most once, whatever breaks on the way.
//!
//! 1. A try *claims* its key, for a lease. While someone else holds it the answer is `in_progress`; for a request with
//!    another fingerprint it is `idempotency_reuse`.
//! 2. The batch that has the effect also *records* it ([`Claim::record`]), and fails as a whole when the key is no
//!    longer held by this claim. So of all tries at most one has an effect, however late any of them arrives.
//! 3. The answer is kept for 24 hours. A failed request gives its key back, unless its effect is on record.
//!
//! A retry after a crash finds an answer, or the effect (and answers from what is stored now), or a lease to wait for
//! and take over. Because of step 2 an outcome that nobody knows needs no waiting: the key is given back at once, and
//! a batch that lands after that is refused.
//!
//! An upload in several requests begins with an effect of its own. Where that is undone, so is its record
//! ([`Claim::take_back`]): the same request may then begin another.
//!
//! Costs two D1 calls: to claim, and to keep the answer or give the key back.

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
use crate::ports::{Statement, from_row};
use crate::sql::idempotency as sql;
use fingerprint::RequestFingerprint;
use key::IdempotencyKey;

/// How long an answer is kept.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// How long a try may hold a key that it neither answers nor gives back: longer than most requests take. One that
/// takes longer may be overtaken, and then has no effect.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// A client that waits is asked to come back within so many seconds: most requests are done long before their lease.
const MAX_WAIT_S: i64 = 5;

/// The longest answer that is kept, in bytes; a longer one is made again from the effect.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// Keys one sweep forgets at a time, and how many times at most.
const SWEEP_KEYS: u64 = 1000;
const SWEEP_ROUNDS: usize = 10;

/// Whose keys are meant: the same key in two scopes is two keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope(String);

impl KeyScope {
    /// A principal's own.
    pub fn of(principal: &Principal) -> Self {
        match principal {
            Principal::User { id, .. } => Self(id.to_string()),
            // The colon keeps it apart from every user, whose id may be "operator".
            Principal::Operator => Self("operator:".to_owned()),
            other => Self(other.to_string()),
        }
    }

    /// Of those who want to register this name. The colon keeps it apart from every user.
    pub fn registration(username: &str) -> Self {
        Self(format!("register:{}", username.to_ascii_lowercase()))
    }
}

/// A key held by one try.
#[derive(Debug, Clone)]
pub struct Claim {
    scope: KeyScope,
    key: IdempotencyKey,
    id: ClaimId,
    taken_at: Timestamp,
}

/// What a request has done: enough to answer it again. The names are a stored contract: keys outlive a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A file came in.
    Created {
        /// The file.
        file: FileId,
    },
    /// A cut was saved.
    Saved {
        /// The file it made.
        file: FileId,
        /// Its receipt.
        cut: CutId,
    },
    /// A file was changed, put in the trash or taken out.
    Changed {
        /// The file.
        file: FileId,
    },
    /// A file was deleted for good.
    Purged {
        /// The file.
        file: FileId,
    },
    /// A resumable upload was begun.
    Begun {
        /// The upload.
        upload: AttemptId,
    },
    /// An upload part by part was begun.
    BegunInParts {
        /// The upload.
        upload: AttemptId,
    },
    /// An upload part by part was given up.
    GivenUp {
        /// The upload.
        upload: AttemptId,
    },
    /// An account was made.
    Registered,
}

impl Effect {
    /// The scope that a principal needs for this effect, and the file that the effect is about if it was there before.
    /// `None` for an account: nobody has it under a principal's key.
    pub fn needs(&self) -> Option<(Scope, Option<FileId>)> {
        match self {
            Self::Created { .. }
            | Self::Saved { .. }
            | Self::Begun { .. }
            | Self::BegunInParts { .. }
            | Self::GivenUp { .. } => Some((Scope::Create, None)),
            Self::Changed { file } => Some((Scope::Update, Some(*file))),
            Self::Purged { file } => Some((Scope::Delete, Some(*file))),
            Self::Registered => None,
        }
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What claiming a key came to.
#[derive(Debug)]
pub enum Claimed {
    /// It is ours: go on.
    Ours(Claim),
    /// The request has been answered, and has had this effect.
    Responded(StoredResponse, Option<Effect>),
    /// The request has had its effect; its answer was lost.
    Done(Done),
}

/// An effect on record whose answer nobody has kept.
#[derive(Debug)]
pub struct Done {
    /// What was done.
    pub effect: Effect,
    /// How long the one who did it may still be at it, in seconds.
    lease_left_s: i64,
    key: (KeyScope, IdempotencyKey),
}

impl Done {
    /// Waits for the end of the lease, for effects that are followed by more before they can be told of.
    ///
    /// # Errors
    /// `in_progress`.
    pub fn expect_left_alone(&self) -> Result<()> {
        match self.lease_left_s {
            0 => Ok(()),
            left => Err(Problem::in_progress(left.min(MAX_WAIT_S))),
        }
    }

    /// The statement that gives the key back: it stands in the batch that undoes the effect.
    pub fn take_back(&self) -> Statement {
        take_back(&self.key.0, &self.key.1, &self.effect)
    }
}

fn take_back(scope: &KeyScope, key: &IdempotencyKey, effect: &Effect) -> Statement {
    let effect = serde_json::to_string(effect).unwrap_or_default();
    sql::TakeBack { scope: &scope.0, key: key.as_str(), effect: &effect }.statement()
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

/// The part of an answer that is stored as JSON: a stored contract.
#[derive(Serialize, Deserialize)]
pub struct ResponseColumn {
    headers: Vec<(String, String)>,
    body: String,
}

impl Claim {
    /// The statement that records `effect`; it stands directly behind the one that has it, in the same batch.
    pub fn record(&self, effect: &Effect) -> Statement {
        let effect = serde_json::to_string(effect).unwrap_or_default();
        let record = sql::RecordEffect {
            scope: &self.scope.0,
            key: self.key.as_str(),
            claim: self.id,
            effect: &effect,
            taken_at: self.taken_at,
        };
        record.statement()
    }

    /// The statement that gives the key back once `effect` has been undone: it stands in the batch that undoes it.
    pub fn take_back(&self, effect: &Effect) -> Statement {
        take_back(&self.scope, &self.key, effect)
    }
}

impl App {
    /// Claims a key for a request. One D1 call.
    ///
    /// # Errors
    /// `idempotency_reuse`, `in_progress`, or the database did not answer.
    pub async fn claim(
        &self,
        scope: KeyScope,
        key: IdempotencyKey,
        fingerprint: &RequestFingerprint,
    ) -> Result<Claimed> {
        let now = self.now();
        let id = self.fresh_id::<ClaimId>();
        let claim = Claim { scope, key, id, taken_at: now };
        let (scope, key) = (claim.scope.0.as_str(), claim.key.as_str());
        let take = sql::ClaimKey {
            scope,
            key,
            fingerprint: fingerprint.as_str(),
            claim: id,
            lease_until: now.plus(LEASE),
            now,
            expires_at: now.plus(KEPT_FOR),
        };
        let get = sql::Get { scope, key };
        let row = match self.database.batch(vec![take.statement(), get.statement()]).await {
            Ok(mut rows) => rows.pop().and_then(|mut rows| rows.pop()),
            Err(error) => {
                // It may be ours without our knowing.
                self.release(&claim).await;
                return Err(error.into());
            }
        };
        let row: KeyRow = from_row(row.ok_or_else(|| Problem::unavailable("a claimed key is not there"))?)?;
        if row.claim == claim.id.to_string() {
            return Ok(Claimed::Ours(claim));
        }
        row.outcome(fingerprint, now, (claim.scope, claim.key))
    }

    /// Keeps an answer. What fails here costs nothing: a retry is answered from the effect.
    pub async fn store_response(&self, claim: &Claim, answer: StoredResponse) {
        if answer.body.len() > MAX_ANSWER_BYTES {
            return;
        }
        let stored = ResponseColumn { headers: answer.headers, body: answer.body };
        let keep = sql::Complete {
            scope: &claim.scope.0,
            key: claim.key.as_str(),
            claim: claim.id,
            status: answer.status,
            response: serde_json::to_string(&stored).unwrap_or_default(),
        };
        self.settle_key(claim, keep.statement()).await;
    }

    /// Gives a key back after a request that failed, unless its effect is on record. What fails here is made good by
    /// the end of the lease.
    pub async fn release(&self, claim: &Claim) {
        let release = sql::Release { scope: &claim.scope.0, key: claim.key.as_str(), claim: claim.id };
        self.settle_key(claim, release.statement()).await;
    }

    async fn settle_key(&self, claim: &Claim, statement: Statement) {
        if let Err(error) = self.database.query(statement).await {
            self.write_log(
                LogLine::warn("an idempotency key is left to its lease")
                    .with_text("claim", claim.id)
                    .caused_by(error),
            );
        }
    }

    /// Forgets keys past their time, a bounded number a run. Returns how many.
    ///
    /// # Errors
    /// The database does not answer.
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
    /// What a key that someone else holds, or held, says of this request.
    fn outcome(
        self,
        fingerprint: &RequestFingerprint,
        now: Timestamp,
        key: (KeyScope, IdempotencyKey),
    ) -> Result<Claimed> {
        if self.fingerprint != fingerprint.as_str() {
            return Err(reused());
        }
        if let (Some(status), Some(response)) = (self.status, self.response) {
            let stored: ResponseColumn = serde_json::from_str(&response).map_err(Problem::internal)?;
            let effect = self.effect.and_then(|effect| serde_json::from_str(&effect).ok());
            let response = StoredResponse { status, headers: stored.headers, body: stored.body };
            return Ok(Claimed::Responded(response, effect));
        }
        let left = self.lease_until.map_or(0, |until| (until.instant() - now.instant()).num_seconds() + 1);
        if let Some(effect) = self.effect {
            let effect = serde_json::from_str(&effect).map_err(Problem::internal)?;
            return Ok(Claimed::Done(Done { effect, lease_left_s: left.max(0), key }));
        }
        Err(Problem::in_progress(left.clamp(1, MAX_WAIT_S)))
    }
}

/// The problem of a key that stands for another request.
pub fn reused() -> Problem {
    let detail = "This Idempotency-Key was used for another request. Use a new key for each request, and the same \
        key only to repeat it.";
    Problem::new(Code::IdempotencyReuse, detail)
}
