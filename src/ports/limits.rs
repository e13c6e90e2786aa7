//! Rate limits that the platform counts.

use async_trait::async_trait;

/// What the platform counts, each by keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateLimit {
    /// Tries to log in to one account.
    LoginsOfAccount,
    /// Tries to log in or to register from one address.
    SignInsFromAddress,
}

impl RateLimit {
    /// Every limit.
    pub const ALL: [Self; 2] = [Self::LoginsOfAccount, Self::SignInsFromAddress];

    /// The name of its binding in `wrangler.toml`, which repeats the numbers below for the platform.
    pub fn binding(self) -> &'static str {
        match self {
            Self::LoginsOfAccount => "LOGIN_LIMIT",
            Self::SignInsFromAddress => "ADDRESS_LIMIT",
        }
    }

    /// How many the limit admits in a window.
    pub fn per_window(self) -> u32 {
        match self {
            Self::LoginsOfAccount => 10,
            Self::SignInsFromAddress => 30,
        }
    }

    /// How long a window lasts, in seconds: 10 or 60, as the platform has it.
    pub fn window_s(self) -> u32 {
        60
    }
}

/// What a limit says of one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Whether it is within the limit.
    pub is_admitted: bool,
    /// How many the limit admits in a window.
    pub limit: u32,
    /// How many more it would admit now; `None` where the counter does not tell.
    pub remaining: Option<u32>,
    /// After how many seconds, at most, it admits as many as ever.
    pub reset_s: u32,
}

impl Admission {
    /// What is known where the counter tells only whether it admits.
    pub fn of(limit: RateLimit, is_admitted: bool) -> Self {
        let remaining = if is_admitted { None } else { Some(0) };
        Self { is_admitted, limit: limit.per_window(), remaining, reset_s: limit.window_s() }
    }
}

/// Rate limits of the platform: approximate, and counted anew in every place. A shield, not an account.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one more for `key`.
    ///
    /// # Errors
    /// It was not counted.
    async fn count(&self, limit: RateLimit, key: &str) -> std::result::Result<Admission, LimitError>;
}

/// Something that was not counted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rate limit: {0}")]
pub struct LimitError(pub String);
