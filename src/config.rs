//! The configuration: `[vars]` and secrets, parsed once, by a pure function, into types.

use std::fmt;

use crate::http::cors::{CorsPolicy, DEFAULT_ALLOWED_ORIGINS};

/// Where a variable's text comes from.
pub trait Variables {
    /// The text of a variable or secret, or `None` if it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The typed configuration. Sizes are bytes, times are seconds unless the name says otherwise.
#[derive(Debug, Clone)]
pub struct Config {
    /// `MAX_FILE_SIZE`: the most bytes one request may upload. Default 99,614,720 (95 MiB), under the platform's 100 MB.
    pub max_file_size_bytes: u64,
    /// `MAX_UPLOAD_SIZE`: the most bytes a file uploaded in several requests may have. Default 50 GiB.
    pub max_upload_size_bytes: u64,
    /// `MAX_CHUNK_SIZE`: the least part in which such a file is stored, in bytes; longer where 10,000 of them would not
    /// hold it, and up to twice as long where the chunks of a resumable upload are a multiple of that. Default 5 MiB, the
    /// least R2 takes.
    pub max_chunk_size_bytes: u64,
    /// `MAX_RECORD_SIZE`: the longest record, in bytes, a cut will read. Default 4 MiB.
    pub max_record_size_bytes: usize,
    /// `ALLOWED_FILE_TYPES`: media types an upload may declare, comma-separated.
    pub allowed_file_types: Vec<String>,
    /// `ALLOWED_ORIGINS`: origins that browsers may call from, comma-separated, or `*`.
    pub cors: CorsPolicy,
    /// `DEFAULT_QUOTA_BYTES`: what a user may keep unless set otherwise. Default 10 GiB.
    pub default_quota_bytes: u64,
    /// `TRASH_RETENTION_DAYS`: how long a deleted file can be restored. Default 30.
    pub trash_retention_days: u32,
    /// `PURGE_AFTER_DAYS`: how long the bytes of a permanently deleted file stay. Default 35, longer than D1 rewinds.
    pub purge_after_days: u32,
    /// `SCRUB_PERIOD_DAYS`: within how many days all stored bytes are read back and compared. Default 30.
    pub scrub_period_days: u32,
    /// `SCRUB_BYTES_PER_RUN`: the most bytes one run of the scrub reads. Default 1 GiB, which at 288 runs a day is 9 TB
    /// in 30 days; 0 turns the scrub off.
    pub scrub_bytes_per_run: u64,
    /// `CACHE_TTL`: how long FileCache keeps what it was given; default 3,600 s, and 0 keeps nothing.
    pub cache_ttl_s: u32,
    /// `ACCESS_TOKEN_TTL`: default 900 s.
    pub access_token_ttl_s: u32,
    /// `REFRESH_TOKEN_TTL`: default 604,800 s (7 days).
    pub refresh_token_ttl_s: u32,
    /// `PROVISION_USERS`: whether a valid token of an unknown user makes that user. Default false.
    pub provision_users: bool,
    /// `OPERATOR_TOKEN` (secret, optional): opens `/api/admin` without an account; at least 32 bytes.
    pub operator_token: Option<Secret>,
    /// `JWT_SECRET` (secret): signs tokens; at least 32 bytes, used as they are.
    pub jwt_secret: Secret,
    /// `JWT_KEY_ID`: the `kid` of `JWT_SECRET`. Default `main`.
    pub jwt_key_id: String,
    /// `JWT_PREVIOUS_SECRET` (secret, optional): still accepted, never used to sign; for changing keys.
    pub jwt_previous_secret: Option<Secret>,
    /// `JWT_PREVIOUS_KEY_ID`: the `kid` of `JWT_PREVIOUS_SECRET`. Default `previous`.
    pub jwt_previous_key_id: String,
}

/// A secret's bytes, which no log shows.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps the literal bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one use they have.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A variable whose text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong and what would be right; never the value of a secret.
    pub problem: String,
}

impl Config {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// The first one that is missing or cannot be used, by name.
    pub fn parse(variables: &dyn Variables) -> Result<Self, ConfigError> {
        let config = Self {
            max_file_size_bytes: number(variables, "MAX_FILE_SIZE", 99_614_720, 1..=1 << 40)?,
            // 10,000 parts of 32 MiB, the most that is ever held in memory.
            max_upload_size_bytes: number(variables, "MAX_UPLOAD_SIZE", 50 << 30, 1..=10_000 << 25)?,
            max_chunk_size_bytes: number(variables, "MAX_CHUNK_SIZE", 5 << 20, 5 << 20..=32 << 20)?,
            max_record_size_bytes: usize_number(variables, "MAX_RECORD_SIZE", 4 << 20, 1024..=16 << 20)?,
            allowed_file_types: list(variables, "ALLOWED_FILE_TYPES", DEFAULT_TYPES),
            cors: CorsPolicy::new(list(variables, "ALLOWED_ORIGINS", &DEFAULT_ALLOWED_ORIGINS.join(",")))
                .map_err(|error| ConfigError { name: "ALLOWED_ORIGINS", problem: error.to_string() })?,
            default_quota_bytes: number(variables, "DEFAULT_QUOTA_BYTES", 10 << 30, 0..=1 << 50)?,
            trash_retention_days: u32_number(variables, "TRASH_RETENTION_DAYS", 30, 1..=3650)?,
            purge_after_days: u32_number(variables, "PURGE_AFTER_DAYS", 35, 1..=3650)?,
            scrub_period_days: u32_number(variables, "SCRUB_PERIOD_DAYS", 30, 1..=3650)?,
            scrub_bytes_per_run: number(variables, "SCRUB_BYTES_PER_RUN", 1 << 30, 0..=1 << 40)?,
            cache_ttl_s: u32_number(variables, "CACHE_TTL", 3600, 0..=86_400)?,
            access_token_ttl_s: u32_number(variables, "ACCESS_TOKEN_TTL", 900, 10..=86_400)?,
            refresh_token_ttl_s: u32_number(variables, "REFRESH_TOKEN_TTL", 604_800, 60..=31_536_000)?,
            provision_users: switch(variables, "PROVISION_USERS", false)?,
            operator_token: secret(variables, "OPERATOR_TOKEN")?,
            jwt_secret: secret(variables, "JWT_SECRET")?
                .ok_or(ConfigError { name: "JWT_SECRET", problem: MISSING_SECRET.to_owned() })?,
            jwt_key_id: variables.get("JWT_KEY_ID").unwrap_or_else(|| "main".to_owned()),
            jwt_previous_secret: secret(variables, "JWT_PREVIOUS_SECRET")?,
            jwt_previous_key_id: variables
                .get("JWT_PREVIOUS_KEY_ID")
                .unwrap_or_else(|| "previous".to_owned()),
        };
        config.check()
    }

    fn check(self) -> Result<Self, ConfigError> {
        if self.purge_after_days < self.trash_retention_days {
            let problem = "must not be shorter than TRASH_RETENTION_DAYS".to_owned();
            return Err(ConfigError { name: "PURGE_AFTER_DAYS", problem });
        }
        // RFC 6750 §2.1: anything else cannot stand behind `Bearer`.
        let can_be_sent = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        if self.operator_token.as_ref().is_some_and(|token| !token.bytes().iter().all(can_be_sent)) {
            let problem = "may hold only A-Z a-z 0-9 - . _ ~ + / =".to_owned();
            return Err(ConfigError { name: "OPERATOR_TOKEN", problem });
        }
        Ok(self)
    }
}

const DEFAULT_TYPES: &str =
    "text/csv,application/vnd.ms-excel,application/csv,text/tab-separated-values,text/plain";
const MISSING_SECRET: &str = "is not set; put it in .dev.vars locally, or use `wrangler secret put`";
const SECRET_BYTES: usize = 32;

fn number(
    variables: &dyn Variables,
    name: &'static str,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(default) };
    let wanted = || format!("{text:?} is not a whole number from {} to {}", allowed.start(), allowed.end());
    let value = text.trim().parse().map_err(|_| ConfigError { name, problem: wanted() })?;
    if allowed.contains(&value) { Ok(value) } else { Err(ConfigError { name, problem: wanted() }) }
}

fn u32_number(
    variables: &dyn Variables,
    name: &'static str,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let wide = u64::from(*allowed.start())..=u64::from(*allowed.end());
    let value = number(variables, name, default.into(), wide)?;
    u32::try_from(value).map_err(|error| ConfigError { name, problem: error.to_string() })
}

fn usize_number(
    variables: &dyn Variables,
    name: &'static str,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<usize, ConfigError> {
    u32_number(variables, name, default, allowed).map(|value| value as usize)
}

fn list(variables: &dyn Variables, name: &str, default: &str) -> Vec<String> {
    let text = variables.get(name).unwrap_or_else(|| default.to_owned());
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn switch(variables: &dyn Variables, name: &'static str, default: bool) -> Result<bool, ConfigError> {
    match variables.get(name).as_deref().map(str::trim) {
        None => Ok(default),
        Some("true" | "1" | "on") => Ok(true),
        Some("false" | "0" | "off" | "") => Ok(false),
        Some(other) => Err(ConfigError { name, problem: format!("{other:?} is neither true nor false") }),
    }
}

fn secret(variables: &dyn Variables, name: &'static str) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(None) };
    if text.len() < SECRET_BYTES {
        let problem = format!("must have at least {SECRET_BYTES} bytes, has {}", text.len());
        return Err(ConfigError { name, problem });
    }
    Ok(Some(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let secret = [("JWT_SECRET", KEY)];
        let all: Vec<_> =
            pairs.iter().chain(&secret).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Config::parse(&move |name: &str| all.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
    }

    #[test]
    fn defaults_serve_when_nothing_but_the_secret_is_set() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.max_file_size_bytes, 99_614_720);
        assert_eq!(config.allowed_file_types.len(), 5);
        assert!(!config.provision_users);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in [("MAX_FILE_SIZE", "10MB"), ("MAX_FILE_SIZE", "0"), ("PROVISION_USERS", "maybe")]
        {
            assert_eq!(parse(&[(name, value)]).unwrap_err().name, name);
        }
        let spaced = "a token with blanks that has 32 bytes";
        assert_eq!(parse(&[("OPERATOR_TOKEN", spaced)]).unwrap_err().name, "OPERATOR_TOKEN");
        assert!(parse(&[("OPERATOR_TOKEN", KEY)]).unwrap().operator_token.is_some());
        let error = parse(&[("TRASH_RETENTION_DAYS", "40")]).unwrap_err();
        assert_eq!(error.name, "PURGE_AFTER_DAYS");
    }

    #[test]
    fn a_short_secret_is_refused_and_never_printed() {
        for name in ["JWT_SECRET", "JWT_PREVIOUS_SECRET", "OPERATOR_TOKEN"] {
            let error = parse(&[(name, "short-secret")]).unwrap_err();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("short-secret"));
        }
        assert!(!format!("{:?}", parse(&[]).unwrap()).contains(KEY));
    }
}
