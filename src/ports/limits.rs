//! Rate limits that the platform counts.

use async_trait::async_trait;

/// What the platform counts, each by keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Tries to log in to one account.
    LoginsOfAccount,
    /// Tries to log in or to register from one address.
    SignInsFromAddress,
}

/// Rate limits of the platform: approximate, and counted anew in every place. A shield, not an account.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one more for `key`; whether it is within the limit.
    ///
    /// # Errors
    /// It was not counted.
    async fn admits(&self, limit: Limit, key: &str) -> std::result::Result<bool, LimitError>;
}

/// Something that was not counted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rate limit: {0}")]
pub struct LimitError(pub String);
