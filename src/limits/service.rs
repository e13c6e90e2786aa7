//! Asks the objects of [`super::object`], and decides what happens if one of them cannot be reached.

use chrono::TimeDelta;
use futures_util::future::Either;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::bucket::BucketPolicy;
use super::command::{Ask, Attempted, BucketState, LimitCommand, LimitKind, LimitRefusal, Reserved};
use super::delay::DelayPolicy;
use crate::app::App;
use crate::auth::limits::network_of;
use crate::config::LimitSettings;
use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, ShareId};
use crate::domain::log::LogLine;
use crate::domain::principal::Principal;
use crate::domain::read_meter::ReadMeter;
use crate::error::{Code, Problem, Result};
use crate::ports::ObjectClass;

/// Seconds after which a client should try again if a limit cannot be checked.
const RETRY_AFTER_FAILURE_S: u32 = 5;

/// Maximum number of bytes that a request reserves before it reads. What it reads beyond is charged when it ends. So a request
/// that is aborted before its end cannot use up the limit, and the parallel requests of a page for one large file are
/// admitted.
pub const MAX_RESERVED_BYTES: u64 = 1_000_000_000;

/// A call to an object that takes longer counts as failed.
const DEADLINE: TimeDelta = TimeDelta::seconds(3);

impl LimitSettings {
    /// Returns the bucket of a limit; `None` if the limit is turned off.
    pub fn policy(&self, limit: LimitKind) -> Option<BucketPolicy> {
        let (capacity, window_s) = match limit {
            LimitKind::Cuts => (self.cuts_per_minute.into(), 60),
            LimitKind::Scan => (self.scan_bytes_per_hour, 3600),
            LimitKind::Uploads => (self.uploads_per_minute.into(), 60),
            LimitKind::SignUps => (self.sign_ups_per_hour.into(), 3600),
            LimitKind::Shares => (self.shares_per_minute.into(), 60),
        };
        (capacity > 0).then_some(BucketPolicy { capacity, window_s })
    }

    fn delay(&self) -> Option<DelayPolicy> {
        let Self { sign_in_free_failures: free_failures, sign_in_max_delay_s: max_delay_s, .. } = *self;
        (max_delay_s > 0).then_some(DelayPolicy { free_failures, max_delay_s })
    }
}

impl LimitKind {
    /// Whether an operation goes on if the object of the limit cannot be reached. Uploads and cuts of a known principal
    /// do, because the quota bounds their bytes. Registrations do, because the limit of the platform stands in front of
    /// them. Requests with the link of a share do not: nobody knows who sends them.
    fn is_open_on_failure(self) -> bool {
        match self {
            Self::Cuts | Self::Scan | Self::Uploads | Self::SignUps => true,
            Self::Shares => false,
        }
    }

    /// Says what the limit counts, for the client.
    fn explain(self, BucketPolicy { capacity, window_s }: BucketPolicy) -> String {
        let window = if window_s == 60 { "a minute" } else { "an hour" };
        match self {
            Self::Cuts => format!("{capacity} cuts, counts and filtered pages of rows {window}"),
            Self::Scan => {
                format!("{capacity} bytes {window} that cuts, counts and filtered pages of rows read")
            }
            Self::Uploads => format!("{capacity} requests {window} that send a file or a part of a file"),
            Self::SignUps => format!("{capacity} registrations {window} from one address"),
            Self::Shares => format!("{capacity} requests {window} with the link of one share"),
        }
    }
}

/// What happens if the objects of a request's limits cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    Admit,
    Refuse,
}

/// A reservation or an attempt whose end must be reported.
#[derive(Debug)]
pub enum Unsettled {
    /// A reservation of bytes.
    Scan {
        /// Name of the object.
        object: String,
        /// Id of the reservation.
        reservation: String,
        /// The bytes that were really read.
        meter: ReadMeter,
    },
    /// A sign-in attempt that did not fail.
    SignIn {
        /// Name of the object.
        object: String,
        /// Whether the attempt succeeded. If not, it could not be checked, and does not count.
        has_succeeded: bool,
    },
}

/// The outcome of a reservation: the buckets for the headers, and what must be settled later.
#[derive(Debug, Default)]
pub struct Granted {
    /// The state of each bucket. Empty if no limit applies, or if the object cannot be reached.
    pub buckets: Vec<BucketState>,
    /// The reservation to settle; `None` if there is none.
    pub unsettled: Option<Unsettled>,
}

/// A reservation that is refused.
#[derive(Debug)]
pub struct Refused {
    /// The problem for the client.
    pub problem: Problem,
    /// The state of each bucket.
    pub buckets: Vec<BucketState>,
}

/// A sign-in attempt that is admitted.
#[derive(Debug)]
#[must_use]
pub struct SignInAttempt {
    /// Name of the object; `None` if nothing was counted.
    object: Option<String>,
}

impl SignInAttempt {
    /// Returns what must be reported about the attempt; `None` if it failed, because an attempt counts as failed from its
    /// beginning.
    pub fn ended<T>(self, outcome: &Result<T>) -> Option<Unsettled> {
        let object = self.object?;
        match outcome {
            Ok(_) => Some(Unsettled::SignIn { object, has_succeeded: true }),
            Err(problem) if problem.code() == Code::BadCredentials => None,
            Err(_) => Some(Unsettled::SignIn { object, has_succeeded: false }),
        }
    }
}

impl App {
    /// Reserves a call that scans a file, and the bytes of the file, at most [`MAX_RESERVED_BYTES`]. Costs 1 call to a named object; none if the
    /// principal is exempt.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn reserve_cut(
        &self,
        principal: &Principal,
        file_bytes: u64,
        meter: &ReadMeter,
    ) -> std::result::Result<Granted, Refused> {
        match principal.is_exempt_from_limits() {
            true => Ok(Granted::default()),
            false => {
                let wanted = [(LimitKind::Cuts, 1), (LimitKind::Scan, file_bytes.min(MAX_RESERVED_BYTES))];
                self.reserve(&object_of(principal), &wanted, Some(meter)).await
            }
        }
    }

    /// Reserves the bytes of a shared file from the limit of the share: so nobody who has a link can use up what its owner
    /// may read. Costs 1 call to a named object.
    ///
    /// # Errors
    /// `rate_limited`; `unavailable` if the object cannot be reached.
    pub async fn reserve_shared_scan(
        &self,
        share: ShareId,
        file_bytes: u64,
        meter: &ReadMeter,
    ) -> std::result::Result<Granted, Refused> {
        let wanted = [(LimitKind::Scan, file_bytes.min(MAX_RESERVED_BYTES))];
        self.reserve_or(OnFailure::Refuse, &format!("share:{share}"), &wanted, Some(meter)).await
    }

    /// Counts a call that sends bytes of a file. Costs 1 call to a named object; none if the principal is exempt.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn count_upload(&self, principal: &Principal) -> std::result::Result<Granted, Refused> {
        match principal.is_exempt_from_limits() {
            true => Ok(Granted::default()),
            false => self.reserve(&object_of(principal), &[(LimitKind::Uploads, 1)], None).await,
        }
    }

    /// Counts a call with the link of a share for each of these limits. Costs 1 call to a named object. The caller must
    /// have verified the link, so that changed links make no objects.
    ///
    /// # Errors
    /// `rate_limited`; `unavailable` if the object cannot be reached.
    pub async fn count_shared(
        &self,
        share: ShareId,
        limits: &[LimitKind],
    ) -> std::result::Result<Granted, Refused> {
        let wanted: Vec<_> = limits.iter().map(|limit| (*limit, 1)).collect();
        self.reserve_or(OnFailure::Refuse, &format!("share:{share}"), &wanted, None).await
    }

    /// Counts a registration from the network of the caller. Costs 1 call to a named object.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn count_sign_up(&self, caller: &Caller) -> std::result::Result<Granted, Refused> {
        let object = format!("sign_ups:{}", self.hashed(&network_of(caller)));
        self.reserve(&object, &[(LimitKind::SignUps, 1)], None).await
    }

    /// Begins a sign-in attempt for an account from the network of the caller. The attempt counts as failed until its
    /// outcome is reported ([`SignInAttempt::ended`]). Costs 1 call to a named object.
    ///
    /// # Errors
    /// `rate_limited` if the delay after the last failure is not over.
    pub async fn begin_attempt(&self, login: &str, caller: &Caller) -> Result<SignInAttempt> {
        let Some(policy) = self.config.limits.delay() else { return Ok(SignInAttempt { object: None }) };
        let network = network_of(caller);
        let account = self.hashed(&format!("{network} {}", login.trim().to_ascii_lowercase()));
        // One network has at most 256 objects, whatever names it tries.
        let object = format!("sign_ins:{}:{}", self.hashed(&network), account.get(..2).unwrap_or_default());
        match self.ask::<Attempted>(&object, &LimitCommand::Attempt { policy }).await {
            Ok(Attempted { wait_s: 0 }) => Ok(SignInAttempt { object: Some(object) }),
            Ok(Attempted { wait_s }) => {
                let detail = format!(
                    "Too many failed attempts to sign in to this account from your address. Wait {wait_s} seconds, then try \
                     again. After each failure the wait is twice as long, up to {} seconds; a success ends it.",
                    policy.max_delay_s
                );
                Err(Problem::new(Code::RateLimited, detail).with("limit", "sign-ins").retry_after(wait_s))
            }
            Err(problem) => {
                self.write_log(LogLine::warn("a sign-in attempt had no delay").caused_by(problem));
                Ok(SignInAttempt { object: None })
            }
        }
    }

    /// Reports the end of an operation. If the object cannot be reached, the reservation stays charged, and the attempt
    /// counts as failed.
    pub async fn settle(&self, unsettled: Unsettled) {
        let (object, command) = match unsettled {
            Unsettled::Scan { object, reservation, meter } => {
                let used = vec![(LimitKind::Scan, meter.bytes())];
                (object, LimitCommand::Settle { reservation, used })
            }
            Unsettled::SignIn { object, has_succeeded: true } => (object, LimitCommand::Succeeded),
            Unsettled::SignIn { object, has_succeeded: false } => (object, LimitCommand::TakeBack),
        };
        if let Err(problem) = self.ask::<serde_json::Value>(&object, &command).await {
            self.write_log(LogLine::warn("a rate limit was not settled").caused_by(problem));
        }
    }

    async fn reserve(
        &self,
        object: &str,
        wanted: &[(LimitKind, u64)],
        meter: Option<&ReadMeter>,
    ) -> std::result::Result<Granted, Refused> {
        let is_open = wanted.iter().all(|(limit, _)| limit.is_open_on_failure());
        let on_failure = if is_open { OnFailure::Admit } else { OnFailure::Refuse };
        self.reserve_or(on_failure, object, wanted, meter).await
    }

    async fn reserve_or(
        &self,
        on_failure: OnFailure,
        object: &str,
        wanted: &[(LimitKind, u64)],
        meter: Option<&ReadMeter>,
    ) -> std::result::Result<Granted, Refused> {
        let ask = |&(limit, tokens): &(LimitKind, u64)| {
            self.config.limits.policy(limit).map(|policy| Ask { limit, policy, tokens })
        };
        let asks: Vec<_> = wanted.iter().filter_map(ask).collect();
        if asks.is_empty() {
            return Ok(Granted::default());
        }
        let meter = meter.filter(|_| asks.iter().any(|ask| ask.limit == LimitKind::Scan));
        let reservation = meter.map(|_| self.fresh_id::<EventId>().to_string());
        let command = LimitCommand::Reserve { asks, reservation: reservation.clone() };
        match self.ask::<Reserved>(object, &command).await {
            Ok(Reserved { buckets, refusal: None }) => {
                let unsettled = meter.cloned().zip(reservation).map(|(meter, reservation)| Unsettled::Scan {
                    object: object.to_owned(),
                    reservation,
                    meter,
                });
                Ok(Granted { buckets, unsettled })
            }
            Ok(Reserved { buckets, refusal: Some(refusal) }) => {
                Err(Refused { problem: rate_limited(refusal), buckets })
            }
            Err(problem) if on_failure == OnFailure::Admit => {
                self.write_log(LogLine::warn("a rate limit was not checked").caused_by(problem));
                Ok(Granted::default())
            }
            Err(problem) => {
                let detail = "The rate limit of this link cannot be checked now. Try again in a few seconds.";
                let problem = Problem::new(Code::Unavailable, detail).caused_by(problem);
                Err(Refused { problem: problem.retry_after(RETRY_AFTER_FAILURE_S), buckets: Vec::new() })
            }
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, object: &str, command: &LimitCommand) -> Result<T> {
        let command = serde_json::to_value(command).map_err(Problem::internal)?;
        let call = self.named_objects.call(ObjectClass::RateLimiter, object, command, None);
        let deadline = self.clock.sleep(DEADLINE);
        let reply = match futures_util::future::select(call, deadline).await {
            Either::Left((reply, _)) => reply?,
            Either::Right(_) => return Err(Problem::unavailable("the rate limiter did not respond in time")),
        };
        serde_json::from_value(reply).map_err(Problem::unavailable)
    }

    /// Returns a keyed hash of a text. The names of objects contain no address and no username, and nobody can find them by
    /// trying all addresses.
    fn hashed(&self, text: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.config.jwt_secret.bytes());
        let mac = mac.map(|mac| mac.chain_update(b"cutty rate limits ").chain_update(text).finalize());
        mac.map(|mac| hex::encode(mac.into_bytes())).unwrap_or_default()
    }
}

/// Returns the name of the object with the limits of a principal. The keys of an account share the limits of the account,
/// so that more keys admit no more.
fn object_of(principal: &Principal) -> String {
    match principal {
        Principal::ApiKey { owner, .. } => Principal::user(owner.clone()).to_string(),
        other => other.to_string(),
    }
}

fn rate_limited(LimitRefusal { limit, policy, wait_s }: LimitRefusal) -> Problem {
    let detail =
        format!("The limit is {}. Wait {wait_s} seconds, then repeat the request.", limit.explain(policy));
    Problem::new(Code::RateLimited, detail).with("limit", limit.name()).retry_after(wait_s)
}
