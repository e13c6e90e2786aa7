//! The configuration: variables (`[vars]`) and secrets, parsed into types by a pure function.

use std::fmt;

use crate::http::cors::{CorsPolicy, DEFAULT_ALLOWED_ORIGINS};

/// Source of variables and secrets.
pub trait Variables {
    /// Returns the text of a variable or secret; `None` if it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The typed configuration. The name of a field with a unit ends with this unit.
#[derive(Debug, Clone)]
pub struct Config {
    /// `MAX_FILE_SIZE`: maximum size of an upload in one request. Default 99,614,720 (95 MiB), below the limit of the
    /// platform (100 MB).
    pub max_file_size_bytes: u64,
    /// `MAX_UPLOAD_SIZE`: maximum size of a file that is uploaded in several requests. Default 50 GiB.
    pub max_upload_size_bytes: u64,
    /// `MAX_CHUNK_SIZE`: despite its name, the minimum size of a part, for files that are uploaded in several requests.
    /// The last part may be shorter. Default 5 MiB, the minimum of R2. If 10,000 parts of this size cannot hold the
    /// file, parts are longer. A tus upload also uses a longer part length if this length divides the first chunk into
    /// equal parts, is at most twice the usual length, and is at most 32 MiB. For an upload part by part, the client
    /// may ask for shorter parts (at least 5 MiB).
    pub max_chunk_size_bytes: u64,
    /// `MAX_RECORD_SIZE`: maximum length of a record that a cut reads. Default 4 MiB.
    pub max_record_size_bytes: usize,
    /// `ALLOWED_FILE_TYPES`: media types that an upload may declare, comma-separated.
    pub allowed_file_types: Vec<String>,
    /// `ALLOWED_ORIGINS`: origins from which browsers may send requests, comma-separated, or `*`.
    pub cors: CorsPolicy,
    /// `HSTS_MAX_AGE`: seconds for which browsers use only HTTPS for this host (`Strict-Transport-Security`). This
    /// header is sent only in responses over HTTPS. Default 0: the header is never sent.
    pub hsts_max_age_s: u32,
    /// `DEFAULT_QUOTA_BYTES`: quota of a user for whom the database has no other quota. Default 10 GiB.
    pub default_quota_bytes: u64,
    /// `WAITING_QUOTA_PERCENT`: allowance for bytes of permanently deleted files that wait for their purge, in percent
    /// of the quota. An upload is refused if the bytes of kept files and the bytes of files that wait for their purge
    /// would together exceed the sum of quota and allowance. Default 100.
    pub waiting_quota_percent: u32,
    /// `MAX_USERS`: maximum number of accounts. Default: 1,000,000.
    pub max_users: u64,
    /// `MAX_FILES_PER_USER`: maximum number of files of a user, including files in the trash. Together with the files
    /// that wait for their purge, a user may have at most twice this number. Default 100,000.
    pub max_files_per_user: u64,
    /// `TRASH_RETENTION_DAYS`: days for which a deleted file can be restored. Default 30.
    pub trash_retention_days: u32,
    /// `PURGE_AFTER_DAYS`: days for which the bytes of a permanently deleted file are stored. Default 35. The default
    /// is longer than 30 days, because D1 can be rewound by up to 30 days, and a row that comes back needs its bytes.
    pub purge_after_days: u32,
    /// `TOMBSTONE_RETENTION_DAYS`: days for which the row of a purged file is kept. Default 90. The minimum of 30 days
    /// is longer than the 14 days for which a commit marker is kept.
    pub tombstone_retention_days: u32,
    /// `RECEIPT_RETENTION_DAYS`: days for which the receipt of a cut that was not saved is kept. Default 90.
    pub receipt_retention_days: u32,
    /// `AUDIT_RETENTION_DAYS`: days for which the audit log and the list of erasures are kept. Default 730 (2 years).
    pub audit_retention_days: u32,
    /// `PERSONAL_DATA_DAYS`: days for which the audit log keeps addresses and user agents. Default 90. The minimum of 7
    /// days is longer than a message can wait in the queue.
    pub personal_data_days: u32,
    /// `SCRUB_PERIOD_DAYS`: days within which the scrub reads and compares all stored bytes. Default 30.
    pub scrub_period_days: u32,
    /// `SCRUB_BYTES_PER_RUN`: maximum number of bytes that the scrub reads in one run. Default 1 GiB. With 288 runs a
    /// day, the scrub can then read 9 TB in 30 days. 0 turns the scrub off.
    pub scrub_bytes_per_run: u64,
    /// `CACHE_TTL`: seconds for which FileCache keeps an entry. Default 3,600; 0 turns the cache off.
    pub cache_ttl_s: u32,
    /// `ACCESS_TOKEN_TTL`: lifetime of an access token. Default 900 s.
    pub access_token_ttl_s: u32,
    /// `REFRESH_TOKEN_TTL`: lifetime of a refresh token. Default 604,800 s (7 days).
    pub refresh_token_ttl_s: u32,
    /// `SESSION_MAX_AGE`: time after the sign-in at which a session ends even if it is used. Default 7,776,000 s (90
    /// days).
    pub session_max_age_s: u32,
    /// `PROVISION_USERS`: whether a valid token of an unknown user creates the account. Default false.
    pub provision_users: bool,
    /// `OPERATOR_TOKEN` (secret, optional): gives access to `/api/admin` without an account; at least 32 bytes.
    pub operator_token: Option<Secret>,
    /// `OPERATOR_TOKEN_NEXT` (secret, optional): accepted like `OPERATOR_TOKEN`, so that the token can be replaced
    /// without an interruption.
    pub operator_token_next: Option<Secret>,
    /// `JWT_SECRET` (secret): signs tokens; at least 32 bytes. The text itself is the key: it is not decoded.
    pub jwt_secret: Secret,
    /// `JWT_KEY_ID`: the `kid` of `JWT_SECRET`. Default `main`.
    pub jwt_key_id: String,
    /// `JWT_PREVIOUS_SECRET` (secret, optional): the previous key. Tokens that this key has signed are accepted. The
    /// key signs no new tokens.
    pub jwt_previous_secret: Option<Secret>,
    /// `JWT_PREVIOUS_KEY_ID`: the `kid` of `JWT_PREVIOUS_SECRET`. Default `previous`.
    pub jwt_previous_key_id: String,
}

/// The bytes of a secret. `Debug` does not show them.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Makes a secret from its bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes. They are a key for signatures, or they are compared with a token.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A variable is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    /// Name of the variable.
    pub name: &'static str,
    /// The problem, and what to do about it. Never contains the value of a secret.
    pub problem: String,
}

impl Config {
    /// Parses and checks all variables.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or invalid.
    pub fn parse(variables: &dyn Variables) -> Result<Self, ConfigError> {
        let config = Self {
            max_file_size_bytes: number(variables, "MAX_FILE_SIZE", 99_614_720, 1..=1 << 40)?,
            // The maximum is 10,000 parts of 32 MiB. No part may be longer than 32 MiB, because a whole part is held in
            // memory.
            max_upload_size_bytes: number(variables, "MAX_UPLOAD_SIZE", 50 << 30, 1..=10_000 << 25)?,
            max_chunk_size_bytes: number(variables, "MAX_CHUNK_SIZE", 5 << 20, 5 << 20..=32 << 20)?,
            max_record_size_bytes: usize_number(variables, "MAX_RECORD_SIZE", 4 << 20, 1024..=16 << 20)?,
            allowed_file_types: list(variables, "ALLOWED_FILE_TYPES", DEFAULT_TYPES),
            cors: CorsPolicy::new(list(variables, "ALLOWED_ORIGINS", &DEFAULT_ALLOWED_ORIGINS.join(",")))
                .map_err(|error| ConfigError { name: "ALLOWED_ORIGINS", problem: error.to_string() })?,
            hsts_max_age_s: u32_number(variables, "HSTS_MAX_AGE", 0, 0..=63_072_000)?,
            default_quota_bytes: number(variables, "DEFAULT_QUOTA_BYTES", 10 << 30, 0..=1 << 50)?,
            waiting_quota_percent: u32_number(variables, "WAITING_QUOTA_PERCENT", 100, 0..=1000)?,
            max_users: number(variables, "MAX_USERS", 1_000_000, 1..=1_000_000_000)?,
            max_files_per_user: number(variables, "MAX_FILES_PER_USER", 100_000, 1..=10_000_000)?,
            trash_retention_days: u32_number(variables, "TRASH_RETENTION_DAYS", 30, 1..=3650)?,
            purge_after_days: u32_number(variables, "PURGE_AFTER_DAYS", 35, 1..=3650)?,
            tombstone_retention_days: u32_number(variables, "TOMBSTONE_RETENTION_DAYS", 90, 30..=3650)?,
            receipt_retention_days: u32_number(variables, "RECEIPT_RETENTION_DAYS", 90, 1..=3650)?,
            audit_retention_days: u32_number(variables, "AUDIT_RETENTION_DAYS", 730, 1..=3650)?,
            personal_data_days: u32_number(variables, "PERSONAL_DATA_DAYS", 90, 7..=3650)?,
            scrub_period_days: u32_number(variables, "SCRUB_PERIOD_DAYS", 30, 1..=3650)?,
            scrub_bytes_per_run: number(variables, "SCRUB_BYTES_PER_RUN", 1 << 30, 0..=1 << 40)?,
            cache_ttl_s: u32_number(variables, "CACHE_TTL", 3600, 0..=86_400)?,
            access_token_ttl_s: u32_number(variables, "ACCESS_TOKEN_TTL", 900, 10..=86_400)?,
            refresh_token_ttl_s: u32_number(variables, "REFRESH_TOKEN_TTL", 604_800, 60..=31_536_000)?,
            session_max_age_s: u32_number(variables, "SESSION_MAX_AGE", 7_776_000, 60..=315_360_000)?,
            provision_users: switch(variables, "PROVISION_USERS", false)?,
            operator_token: secret(variables, "OPERATOR_TOKEN")?,
            operator_token_next: secret(variables, "OPERATOR_TOKEN_NEXT")?,
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
            let problem = "must not be less than TRASH_RETENTION_DAYS".to_owned();
            return Err(ConfigError { name: "PURGE_AFTER_DAYS", problem });
        }
        // RFC 6750 §2.1 allows only these characters in a bearer token.
        let can_be_sent = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        for (name, token) in
            [("OPERATOR_TOKEN", &self.operator_token), ("OPERATOR_TOKEN_NEXT", &self.operator_token_next)]
        {
            if token.as_ref().is_some_and(|token| !token.bytes().iter().all(can_be_sent)) {
                let problem = "may contain only A-Z a-z 0-9 - . _ ~ + / =".to_owned();
                return Err(ConfigError { name, problem });
            }
        }
        Ok(self)
    }
}

const DEFAULT_TYPES: &str =
    "text/csv,application/vnd.ms-excel,application/csv,text/tab-separated-values,text/plain";
const MISSING_SECRET: &str = "is not set; write it to .dev.vars for local use, or run `wrangler secret put`";
const SECRET_BYTES: usize = 32;

fn number(
    variables: &dyn Variables,
    name: &'static str,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(default) };
    let problem = || format!("{text:?} is not a whole number from {} to {}", allowed.start(), allowed.end());
    let value = text.trim().parse().map_err(|_| ConfigError { name, problem: problem() })?;
    if allowed.contains(&value) { Ok(value) } else { Err(ConfigError { name, problem: problem() }) }
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

/// What the secret keys of Django's generator begin with when they are meant for development only.
const INSECURE_PREFIX: &[u8] = b"django-insecure-";

fn secret(variables: &dyn Variables, name: &'static str) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(None) };
    if text.len() < SECRET_BYTES {
        let problem = format!("must have at least {SECRET_BYTES} bytes, has {}", text.len());
        return Err(ConfigError { name, problem });
    }
    if text.as_bytes().starts_with(INSECURE_PREFIX) {
        let problem =
            "begins with django-insecure-, so it is a key for development that others may know. Make a new \
            key, and sign in again"
                .to_owned();
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
    fn every_variable_except_jwt_secret_has_a_default() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.max_file_size_bytes, 99_614_720);
        assert_eq!(config.allowed_file_types.len(), 5);
        assert!(!config.provision_users);
    }

    #[test]
    fn an_invalid_value_is_refused_with_the_name_of_its_variable() {
        for (name, value) in [("MAX_FILE_SIZE", "10MB"), ("MAX_FILE_SIZE", "0"), ("PROVISION_USERS", "maybe")]
        {
            assert_eq!(parse(&[(name, value)]).unwrap_err().name, name);
        }
        let spaced = "a token with blanks that has 32 bytes";
        assert_eq!(parse(&[("OPERATOR_TOKEN", spaced)]).unwrap_err().name, "OPERATOR_TOKEN");
        assert!(parse(&[("OPERATOR_TOKEN", KEY)]).unwrap().operator_token.is_some());
        assert_eq!(parse(&[("OPERATOR_TOKEN_NEXT", spaced)]).unwrap_err().name, "OPERATOR_TOKEN_NEXT");
        let insecure = "django-insecure-0123456789abcdef0123456789abcdef";
        for name in ["JWT_SECRET", "JWT_PREVIOUS_SECRET"] {
            let error = parse(&[(name, insecure)]).unwrap_err();
            assert_eq!(error.name, name);
            assert!(error.to_string().contains("django-insecure-") && !error.to_string().contains("0123"));
        }
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
