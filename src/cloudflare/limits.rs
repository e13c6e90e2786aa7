//! Rate limits. The platform's bindings count the requests. Each data centre counts separately, in memory. So a call
//! needs no network round trip, but the limit is approximate.

use async_trait::async_trait;

use worker::Env;
use worker::send::SendFuture;

use crate::ports::{Admission, LimitError, PlatformLimits, RateLimit};

/// The bindings, one for each limit. `wrangler.toml` sets the time window of each limit, and the number of requests
/// that the limit admits in this window.
pub struct RateLimits {
    logins_of_account: worker::RateLimiter,
    sign_ins_from_address: worker::RateLimiter,
}

impl RateLimits {
    /// Looks up the binding of each limit.
    ///
    /// # Errors
    /// A binding is missing.
    pub fn bound(env: &Env) -> worker::Result<Self> {
        let binding = |limit: RateLimit| env.rate_limiter(limit.binding());
        Ok(Self {
            logins_of_account: binding(RateLimit::LoginsOfAccount)?,
            sign_ins_from_address: binding(RateLimit::SignInsFromAddress)?,
        })
    }
}

#[async_trait]
impl PlatformLimits for RateLimits {
    async fn count(&self, limit: RateLimit, key: &str) -> Result<Admission, LimitError> {
        let binding = match limit {
            RateLimit::LoginsOfAccount => &self.logins_of_account,
            RateLimit::SignInsFromAddress => &self.sign_ins_from_address,
        };
        let outcome = SendFuture::new(binding.limit(key.to_owned())).await;
        outcome
            .map(|outcome| Admission::of(limit, outcome.success))
            .map_err(|error| LimitError(error.to_string()))
    }
}
