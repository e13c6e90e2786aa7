//! Rate limits by the platform's binding, which counts in memory near the client: approximate, and no round trip.

use async_trait::async_trait;

use crate::ports::{Limit, LimitError, RateLimiter};

/// One binding for each limit, whose numbers are the binding's.
pub struct RateLimits {
    logins_of_account: worker::RateLimiter,
    sign_ins_from_address: worker::RateLimiter,
}

impl RateLimits {
    /// Wraps the bindings.
    pub fn new(logins_of_account: worker::RateLimiter, sign_ins_from_address: worker::RateLimiter) -> Self {
        Self { logins_of_account, sign_ins_from_address }
    }
}

#[async_trait]
impl RateLimiter for RateLimits {
    async fn admits(&self, limit: Limit, key: &str) -> Result<bool, LimitError> {
        let binding = match limit {
            Limit::LoginsOfAccount => &self.logins_of_account,
            Limit::SignInsFromAddress => &self.sign_ins_from_address,
        };
        let outcome = worker::send::SendFuture::new(binding.limit(key.to_owned())).await;
        outcome.map(|outcome| outcome.success).map_err(|error| LimitError(error.to_string()))
    }
}
