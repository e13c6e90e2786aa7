//! Rate limits. The platform counts the requests.

use async_trait::async_trait;

/// A rate limit. Each limit has its own counters, one counter for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateLimit {
    /// Sign-in attempts for one account from one address.
    LoginsOfAccount,
    /// Sign-in attempts and registrations from one address, for all accounts together.
    SignInsFromAddress,
}

impl RateLimit {
    /// Every limit.
    pub const ALL: [Self; 2] = [Self::LoginsOfAccount, Self::SignInsFromAddress];

    /// Returns the name of the limit's binding in `wrangler.toml`. The file `wrangler.toml` must repeat the values of
    /// [`Self::per_window`] and [`Self::window_s`], because the platform takes the values from this file.
    pub fn binding(self) -> &'static str {
        match self {
            Self::LoginsOfAccount => "LOGIN_LIMIT",
            Self::SignInsFromAddress => "ADDRESS_LIMIT",
        }
    }

    /// Returns the number of requests that the limit admits in one time window.
    pub fn per_window(self) -> u32 {
        match self {
            Self::LoginsOfAccount => 10,
            Self::SignInsFromAddress => 30,
        }
    }

    /// Returns the length of the time window in seconds. The platform supports only 10 and 60.
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
    /// Number of requests that the limit would still admit now; `None` if the counter does not report this number.
    pub remaining: Option<u32>,
    /// The full limit is available again after at most this many seconds.
    pub reset_s: u32,
}

impl Admission {
    /// Creates the result for a counter that reports only whether it admits a request.
    pub fn of(limit: RateLimit, is_admitted: bool) -> Self {
        let remaining = if is_admitted { None } else { Some(0) };
        Self { is_admitted, limit: limit.per_window(), remaining, reset_s: limit.window_s() }
    }
}

/// The platform's rate limits. The limits are approximate, because each data centre of Cloudflare counts separately.
/// The limits slow down password guessing, but do not limit the number of guesses exactly.
#[async_trait]
pub trait PlatformLimits: Send + Sync {
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
