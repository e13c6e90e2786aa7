//! How often somebody may try to sign in: a shield against guessing, asked before a row is read or a password hashed.
//!
//! It counts tries by account and by address, those that succeed as well. The numbers stand in `wrangler.toml`. Who is
//! signed in already is not touched: exchanging a token is not counted. A user name and an email are counted apart, because
//! only a row could tell that they are one account's. A counter that fails lets everybody pass, because it must not become
//! the part of the service on which all others wait.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::log::LogLine;
use crate::error::{Code, Problem, Result};
use crate::ports::RateLimit;

impl App {
    /// Counts a try to log in.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_login(&self, login: &str, caller: &Caller) -> Result<()> {
        self.admit_address(caller).await?;
        self.admit_account(login).await
    }

    /// Counts a try at an account by a caller who is counted already.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_account(&self, login: &str) -> Result<()> {
        // Of one length, and no name or address in the hands of a counter.
        let account = hex::encode(Sha256::digest(login.trim().to_ascii_lowercase()));
        self.admit(RateLimit::LoginsOfAccount, &account).await
    }

    /// Counts a try to sign in as anybody, or to become somebody.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn admit_address(&self, caller: &Caller) -> Result<()> {
        match caller.ip_address.as_deref().and_then(network) {
            Some(network) => self.admit(RateLimit::SignInsFromAddress, &network).await,
            None => Ok(()),
        }
    }

    async fn admit(&self, limit: RateLimit, key: &str) -> Result<()> {
        match self.limits.count(limit, key).await {
            Ok(admission) if admission.is_admitted => Ok(()),
            Ok(admission) => {
                let detail = "Too many tries to sign in. Wait a minute, then try again.";
                Err(Problem::new(Code::RateLimited, detail).retry_after(admission.reset_s))
            }
            Err(error) => {
                self.write_log(LogLine::warn("a try to sign in was not counted").caused_by(error));
                Ok(())
            }
        }
    }
}

/// Whom an address belongs to: of IPv6, a customer is given a /64 at least (RFC 6177).
fn network(address: &str) -> Option<String> {
    match address.parse().ok()? {
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => Some(address.to_string()),
            None => {
                let prefix = u128::from(address) >> 64 << 64;
                Some(Ipv6Addr::from(prefix).to_string())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_customer_are_one() {
        let cases = [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
            ("2001:db8:1:2::", Some("2001:db8:1:2::")),
            ("2001:db8:1:3::1", Some("2001:db8:1:3::")),
            ("somewhere", None),
        ];
        for (address, wanted) in cases {
            assert_eq!(network(address).as_deref(), wanted, "{address}");
        }
    }
}
