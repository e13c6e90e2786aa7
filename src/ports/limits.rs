//! Rate limits, counted by the platform.

use async_trait::async_trait;

/// A rate limit. Each has its own counters, one for every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateLimit {
    /// Login attempts for one account.
    LoginsOfAccount,
    /// Login and registration attempts from one address.
    SignInsFromAddress,
}

impl RateLimit {
    /// Every limit.
    pub const ALL: [Self; 2] = [Self::LoginsOfAccount, Self::SignInsFromAddress];

    /// Name of the limit's binding in `wrangler.toml`, which repeats the numbers below for the platform.
    pub fn binding(self) -> &'static str {
        match self {
            Self::LoginsOfAccount => "LOGIN_LIMIT",
            Self::SignInsFromAddress => "ADDRESS_LIMIT",
        }
    }

    /// Requests that the limit admits in one time window.
    pub fn per_window(self) -> u32 {
        match self {
            Self::LoginsOfAccount => 10,
            Self::SignInsFromAddress => 30,
        }
    }

    /// Returns the length of the time window in seconds. The platform supports 10 and 60.
    pub fn window_s(self) -> u32 {
        60
    }
}

/// The result of counting one request against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Whether the request is within the limit.
    pub is_admitted: bool,
    /// Requests that the limit admits in one time window.
    pub limit: u32,
    /// Requests that the limit would still admit now; `None` if the counter does not report it.
    pub remaining: Option<u32>,
    /// Seconds after which, at the latest, the full limit is available again.
    pub reset_s: u32,
}

impl Admission {
    /// Returns the result from a counter that reports only whether it admits a request.
    pub fn of(limit: RateLimit, is_admitted: bool) -> Self {
        let remaining = if is_admitted { None } else { Some(0) };
        Self { is_admitted, limit: limit.per_window(), remaining, reset_s: limit.window_s() }
    }
}

/// The platform's rate limits. The limits are approximate, because each Cloudflare location counts separately: they
/// slow down guessing, but do not limit it exactly.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one request for `key`.
    ///
    /// # Errors
    /// [`LimitError`] if the request was not counted.
    async fn count(&self, limit: RateLimit, key: &str) -> std::result::Result<Admission, LimitError>;
}

/// The platform did not count a request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rate limit: {0}")]
pub struct LimitError(pub String);
