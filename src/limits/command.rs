//! Commands to the Durable Objects that keep rate limits, and their replies.

use serde::{Deserialize, Serialize};

use super::bucket::BucketPolicy;
use super::delay::DelayPolicy;

/// A limit with a bucket. Its name is in rows and in headers, so it must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// Cuts and other calls that scan a file.
    Cuts,
    /// Bytes of files that these calls scan.
    Scan,
    /// Calls that send bytes of a file.
    Uploads,
    /// Registrations.
    SignUps,
    /// Calls with the link of a share.
    Shares,
}

impl LimitKind {
    /// Returns the name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuts => "cuts",
            Self::Scan => "scan",
            Self::Uploads => "uploads",
            Self::SignUps => "sign-ups",
            Self::Shares => "shares",
        }
    }
}

/// Tokens that an operation wants from one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The bucket.
    pub limit: LimitKind,
    /// The current settings of the bucket.
    pub policy: BucketPolicy,
    /// The number of tokens.
    pub tokens: u64,
}

/// A command to the object of one principal, address or share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum LimitCommand {
    /// Takes tokens from all of these buckets, or from none.
    Reserve {
        /// The tokens.
        asks: Vec<Ask>,
        /// Id for [`Self::Settle`]; `None` if the tokens are used for certain.
        reservation: Option<String>,
    },
    /// Corrects a reservation. A repeated command, or one for an unknown reservation, changes nothing.
    Settle {
        /// Id of the reservation.
        reservation: String,
        /// The tokens that were really used, for each bucket whose reservation was an estimate.
        used: Vec<(LimitKind, u64)>,
    },
    /// Counts a sign-in attempt as failed.
    Attempt {
        /// The current settings.
        policy: DelayPolicy,
    },
    /// Forgets all failed attempts, because an attempt has succeeded.
    Succeeded,
    /// Takes back an attempt that neither succeeded nor failed.
    TakeBack,
}

/// The state of a bucket after [`LimitCommand::Reserve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// The bucket.
    pub limit: LimitKind,
    /// Its settings.
    pub policy: BucketPolicy,
    /// Tokens in the bucket.
    pub remaining: u64,
    /// Seconds after which the bucket is full.
    pub reset_s: u32,
}

/// The bucket that has too few tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRefusal {
    /// The bucket.
    pub limit: LimitKind,
    /// Its settings.
    pub policy: BucketPolicy,
    /// Seconds after which it has enough tokens.
    pub wait_s: u32,
}

/// The reply to [`LimitCommand::Reserve`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The state of each bucket, in the order of the command.
    pub buckets: Vec<BucketState>,
    /// `None` if the tokens were taken.
    pub refusal: Option<LimitRefusal>,
}

/// The reply to [`LimitCommand::Attempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// Seconds to wait; 0 if the attempt may be made.
    pub wait_s: u32,
}
