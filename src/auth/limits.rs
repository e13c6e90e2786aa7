//! Limits on sign-in attempts. The limits slow down password guessing. The service checks them before it reads a row or
//! hashes a password.
//!
//! Successful attempts count too. One limit counts the attempts from an address for one account, and another limit
//! counts all attempts from an address; `wrangler.toml` sets both limits. No limit adds up the attempts from all
//! addresses for one account: with such a limit, an attacker could lock the owner of the account out. A change of
//! the password counts like a sign-in, with the id of the account. The exchange of a refresh token is not counted.
//! Attempts with the username of an account, with its email address and with its id are counted separately, because only
//! the database knows that they belong to one account. If a counter fails, the service admits the attempt, so that users
//! can still sign in.
//!
//! All callers whose address cannot be read share one counter, as if they had one address.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::ShareId;
use crate::domain::log::LogLine;
use crate::error::{Code, Problem, Result};
use crate::ports::RateLimit;

impl App {
    /// Counts a sign-in attempt for both limits: all attempts from the caller's address, and the attempts from this
    /// address for one account. Refuses the attempt if one of the limits is exceeded.
    pub async fn admit_login(&self, login: &str, caller: &Caller) -> Result<()> {
        self.admit_address(caller).await?;
        self.admit_account(login, caller).await
    }

    /// Counts a sign-in attempt for an account from the caller's address. Call [`App::admit_address`] before this
    /// function.
    pub async fn admit_account(&self, login: &str, caller: &Caller) -> Result<()> {
        // Because of the hash, all keys have the same length, and contain no username and no email address. The text of
        // a network contains no space, so two different pairs never have the same text.
        let pair = format!("{} {}", network_of(caller), login.trim().to_ascii_lowercase());
        self.admit(RateLimit::LoginsOfAccount, &hex::encode(Sha256::digest(pair))).await
    }

    /// Counts a sign-in attempt or a registration from the caller's address.
    pub async fn admit_address(&self, caller: &Caller) -> Result<()> {
        self.admit(RateLimit::SignInsFromAddress, &network_of(caller)).await
    }

    /// Counts a try of the password of a share, like a sign-in attempt for an account.
    pub async fn admit_share_password(&self, share: ShareId, caller: &Caller) -> Result<()> {
        self.admit_login(&format!("share {share}"), caller).await
    }

    async fn admit(&self, limit: RateLimit, key: &str) -> Result<()> {
        if !self.config.limits.platform {
            return Ok(());
        }
        match self.limits.count(limit, key).await {
            Ok(admission) if admission.is_admitted => Ok(()),
            Ok(admission) => {
                let detail = "Too many attempts with a password. Wait a minute, then try again.";
                Err(Problem::new(Code::RateLimited, detail).retry_after(admission.reset_s))
            }
            Err(error) => {
                self.write_log(LogLine::warn("a sign-in attempt was not counted").caused_by(error));
                Ok(())
            }
        }
    }
}

/// Key of the counter for callers whose address cannot be read.
const UNKNOWN_NETWORK: &str = "unknown";

/// Returns the network of a caller, or `unknown` if the address cannot be read.
pub fn network_of(caller: &Caller) -> String {
    caller.ip_address.as_deref().and_then(network).unwrap_or_else(|| UNKNOWN_NETWORK.to_owned())
}

/// Returns the network that one customer uses: an IPv4 address, or the /64 of an IPv6 address, because a customer has
/// at least a /64 (RFC 6177). `None` if the text is not an address.
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
    fn all_addresses_of_one_customer_share_a_key() {
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
