//! The configuration: variables (`[vars]`) and secrets, parsed into types by a pure function.

use std::fmt;

use crate::domain::prices::{DEFAULT_PRICES, Prices};
use crate::domain::switch::SwitchPositions;
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
    /// `PRICES`: the prices from which the cost of an account is estimated, as JSON. Default: Cloudflare's list prices
    /// ([`DEFAULT_PRICES`]).
    pub prices: Prices,
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
    /// `AUDIT_PERSONAL_DAYS`: days for which the audit log keeps addresses, user agents and error texts. Older entries
    /// leave the database for R2. Default 90. The minimum of 7 days is longer than a message can wait in the queue.
    pub audit_personal_days: u32,
    /// `AUDIT_MAX_ROWS`: number of entries of the audit log above which the oldest entries leave the database for R2
    /// before their time. Default 2,000,000, about 2 GB.
    pub audit_max_rows: u64,
    /// `SCRUB_PERIOD_DAYS`: days within which the scrub reads and compares all stored bytes. Default 30.
    pub scrub_period_days: u32,
    /// `SCRUB_BYTES_PER_RUN`: maximum number of bytes that the scrub reads in one run. Default 1 GiB. With 288 runs a
    /// day, the scrub can then read 9 TB in 30 days. 0 turns the scrub off.
    pub scrub_bytes_per_run: u64,
    /// `SCAN_URL` and the other settings of the content scanner; `None` if `SCAN_URL` is empty (the default).
    pub scanning: Option<ScanSettings>,
    /// `CACHE_ENABLED`, `UPLOADS_ENABLED`, `CUTS_ENABLED` and `SHARES_ENABLED` (default true) and `READ_ONLY` (default
    /// false): the positions of the switches that no operator has set.
    pub switches: SwitchPositions,
    /// `CACHE_TTL`: seconds for which FileCache keeps an entry. Default 3,600; 0 turns the cache off.
    pub cache_ttl_s: u32,
    /// `ACCESS_TOKEN_TTL`: lifetime of an access token. Default 900 s.
    pub access_token_ttl_s: u32,
    /// `REFRESH_TOKEN_TTL`: lifetime of a refresh token. Default 604,800 s (7 days).
    pub refresh_token_ttl_s: u32,
    /// `SIGNED_URL_EXPIRY`: how long the link of a share can be used if its owner does not say. Default 1,800 s; at most
    /// 604,800 s (7 days).
    pub signed_url_expiry_s: u32,
    /// `SESSION_MAX_AGE`: time after the sign-in at which a session ends even if it is used. Default 7,776,000 s (90
    /// days).
    pub session_max_age_s: u32,
    /// `CUTS_PER_MINUTE` and the other rate limits.
    pub limits: LimitSettings,
    /// `PROVISION_USERS`: whether a valid token of an unknown user creates the account. Default false.
    pub provision_users: bool,
    /// `PUBLIC_URL`: the origin of the links in messages, such as `https://cutty.example`. Default empty: Cutty sends no
    /// messages. It is never taken from a request, because a client can send any `Host`.
    pub public_url: Option<String>,
    /// `EMAIL_FROM`: the sender of messages. Default empty: Cutty sends no messages.
    pub email_from: Option<String>,
    /// `EMAIL_MAILBOX`: whether messages are kept in the database instead of being sent, for development. Default
    /// false. `PUBLIC_URL` must then be an address of this machine; its default is then `http://127.0.0.1:8787`.
    pub email_mailbox: bool,
    /// `OPERATOR_TOKEN` (secret, optional): gives access to `/api/admin` without an account; at least 32 bytes.
    pub operator_token: Option<Secret>,
    /// `OPERATOR_TOKEN_NEXT` (secret, optional): accepted like `OPERATOR_TOKEN`, so that the token can be replaced
    /// without an interruption.
    pub operator_token_next: Option<Secret>,
    /// `SIGNING_SECRET` (secret, optional): signs the audit log; at least 32 bytes. Without it, a key that is made from
    /// `JWT_SECRET` signs.
    pub signing_secret: Option<Secret>,
    /// `SIGNING_PREVIOUS_SECRET` (secret, optional): the previous `SIGNING_SECRET`. What it has signed is accepted.
    pub signing_previous_secret: Option<Secret>,
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

/// The settings of the rate limits.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// `CUTS_PER_MINUTE`: calls of a principal that scan a file. Default 120; 0 turns the limit off.
    pub cuts_per_minute: u32,
    /// `SCAN_BYTES_PER_HOUR`: bytes of files that these calls of a principal scan. Default 100,000,000,000 (100 GB); 0
    /// turns the limit off.
    pub scan_bytes_per_hour: u64,
    /// `UPLOADS_PER_MINUTE`: calls of a principal that send a file or a part of a file. Default 600; 0 turns the limit off.
    pub uploads_per_minute: u32,
    /// `SIGN_UPS_PER_HOUR`: registrations from an address. Default 20; 0 turns the limit off.
    pub sign_ups_per_hour: u32,
    /// `SIGN_IN_FREE_FAILURES`: failed sign-in attempts for an account from an address that cause no delay. Default 3.
    pub sign_in_free_failures: u32,
    /// `SIGN_IN_MAX_DELAY`: the longest delay after failed sign-in attempts, in seconds. Default 900; 0 turns the delay
    /// off.
    pub sign_in_max_delay_s: u32,
    /// `SHARES_PER_MINUTE`: calls with the link of a share. Default 60; 0 turns the limit off.
    pub shares_per_minute: u32,
    /// `PLATFORM_LIMITS`: whether the limits of the platform on sign-in attempts apply. Default true. Turn them off only
    /// for development.
    pub platform: bool,
}

/// The settings of the content scanner.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// `SCAN_URL`: the `http` or `https` address to which the bytes of each upload are sent.
    pub url: String,
    /// `SCAN_TOKEN` (secret, optional): sent to the scanner as bearer token; at least 32 bytes.
    pub token: Option<Secret>,
    /// `SCAN_TIMEOUT`: seconds that a scan may take, and one second more for each 10 MB of the file. Default 30.
    pub timeout_s: u32,
    /// `SCAN_FAILURE`: what happens to an upload whose scan fails. Default `refuse`.
    pub failure: ScanFailure,
}

/// What happens to an upload whose scan fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFailure {
    /// The upload is refused.
    Refuse,
    /// The file is stored with the verdict `unscanned`.
    Accept,
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
            prices: Prices::parse(variables.get("PRICES").as_deref().unwrap_or(DEFAULT_PRICES))
                .map_err(|problem| ConfigError { name: "PRICES", problem })?,
            trash_retention_days: u32_number(variables, "TRASH_RETENTION_DAYS", 30, 1..=3650)?,
            purge_after_days: u32_number(variables, "PURGE_AFTER_DAYS", 35, 1..=3650)?,
            tombstone_retention_days: u32_number(variables, "TOMBSTONE_RETENTION_DAYS", 90, 30..=3650)?,
            receipt_retention_days: u32_number(variables, "RECEIPT_RETENTION_DAYS", 90, 1..=3650)?,
            audit_retention_days: u32_number(variables, "AUDIT_RETENTION_DAYS", 730, 1..=3650)?,
            audit_personal_days: u32_number(variables, "AUDIT_PERSONAL_DAYS", 90, 7..=3650)?,
            audit_max_rows: number(variables, "AUDIT_MAX_ROWS", 2_000_000, 1000..=100_000_000)?,
            scrub_period_days: u32_number(variables, "SCRUB_PERIOD_DAYS", 30, 1..=3650)?,
            scrub_bytes_per_run: number(variables, "SCRUB_BYTES_PER_RUN", 1 << 30, 0..=1 << 40)?,
            scanning: scanning(variables)?,
            switches: SwitchPositions::try_from_fn(|of| {
                switch(variables, of.variable(), of.default_position())
            })?,
            cache_ttl_s: u32_number(variables, "CACHE_TTL", 3600, 0..=86_400)?,
            access_token_ttl_s: u32_number(variables, "ACCESS_TOKEN_TTL", 900, 10..=86_400)?,
            refresh_token_ttl_s: u32_number(variables, "REFRESH_TOKEN_TTL", 604_800, 60..=31_536_000)?,
            signed_url_expiry_s: u32_number(variables, "SIGNED_URL_EXPIRY", 1800, 1..=604_800)?,
            session_max_age_s: u32_number(variables, "SESSION_MAX_AGE", 7_776_000, 60..=315_360_000)?,
            limits: limits(variables)?,
            provision_users: switch(variables, "PROVISION_USERS", false)?,
            public_url: origin(variables, "PUBLIC_URL")?,
            email_from: address(variables, "EMAIL_FROM")?,
            email_mailbox: switch(variables, "EMAIL_MAILBOX", false)?,
            operator_token: secret(variables, "OPERATOR_TOKEN")?,
            operator_token_next: secret(variables, "OPERATOR_TOKEN_NEXT")?,
            signing_secret: secret(variables, "SIGNING_SECRET")?,
            signing_previous_secret: secret(variables, "SIGNING_PREVIOUS_SECRET")?,
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

    fn check(mut self) -> Result<Self, ConfigError> {
        if self.email_mailbox {
            let url = self.public_url.get_or_insert_with(|| LOCAL_URL.to_owned());
            if !is_local(url) {
                let problem =
                    "must be false, because PUBLIC_URL is not an address of this machine. Operators could \
                    read the links with which users set a new password"
                        .to_owned();
                return Err(ConfigError { name: "EMAIL_MAILBOX", problem });
            }
        }
        if self.purge_after_days < self.trash_retention_days {
            let problem = "must not be less than TRASH_RETENTION_DAYS".to_owned();
            return Err(ConfigError { name: "PURGE_AFTER_DAYS", problem });
        }
        if self.audit_retention_days < self.audit_personal_days {
            let problem = "must not be less than AUDIT_PERSONAL_DAYS".to_owned();
            return Err(ConfigError { name: "AUDIT_RETENTION_DAYS", problem });
        }
        let scan_token = self.scanning.as_ref().and_then(|settings| settings.token.clone());
        // RFC 6750 §2.1 allows only these characters in a bearer token.
        let can_be_sent = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        for (name, token) in [
            ("OPERATOR_TOKEN", &self.operator_token),
            ("OPERATOR_TOKEN_NEXT", &self.operator_token_next),
            ("SCAN_TOKEN", &scan_token),
        ] {
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

/// The default of `PUBLIC_URL` if messages are kept in the mailbox.
const LOCAL_URL: &str = "http://127.0.0.1:8787";

/// Whether an origin is an address of this machine.
fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

/// Reads an origin: `https://`, a host and perhaps a port. `http://` is allowed only for addresses of this machine.
fn origin(variables: &dyn Variables, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(text) = variables.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let problem = || {
        let problem = format!("{text:?} is not an origin such as https://cutty.example, without a path");
        ConfigError { name, problem }
    };
    let origin = text.trim_end_matches('/');
    let uri: http::Uri = origin.parse().map_err(|_| problem())?;
    let authority = uri.authority().map(|authority| authority.as_str()).ok_or_else(problem)?;
    let is_secure = uri.scheme_str() == Some("https");
    let is_plain = uri.scheme_str() == Some("http") && is_local(origin);
    let is_whole = uri.scheme_str().is_some_and(|scheme| origin == format!("{scheme}://{authority}"));
    match (is_secure || is_plain) && is_whole && !authority.contains('@') {
        true => Ok(Some(origin.to_owned())),
        false => Err(problem()),
    }
}

/// Reads an email address.
fn address(variables: &dyn Variables, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(text) = variables.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let address = crate::auth::names::parse_email(&text).ok().flatten();
    address
        .map(Some)
        .ok_or_else(|| ConfigError { name, problem: format!("{text:?} is not an email address") })
}

/// Parses the settings of the rate limits.
fn limits(variables: &dyn Variables) -> Result<LimitSettings, ConfigError> {
    const MOST: u32 = 1_000_000_000;
    // Headers can show at most this number of bytes (15 digits).
    let scan_bytes_per_hour =
        number(variables, "SCAN_BYTES_PER_HOUR", 100_000_000_000, 0..=999_999_999_999_999)?;
    Ok(LimitSettings {
        cuts_per_minute: u32_number(variables, "CUTS_PER_MINUTE", 120, 0..=MOST)?,
        scan_bytes_per_hour,
        uploads_per_minute: u32_number(variables, "UPLOADS_PER_MINUTE", 600, 0..=MOST)?,
        sign_ups_per_hour: u32_number(variables, "SIGN_UPS_PER_HOUR", 20, 0..=MOST)?,
        sign_in_free_failures: u32_number(variables, "SIGN_IN_FREE_FAILURES", 3, 0..=MOST)?,
        sign_in_max_delay_s: u32_number(variables, "SIGN_IN_MAX_DELAY", 900, 0..=86_400)?,
        shares_per_minute: u32_number(variables, "SHARES_PER_MINUTE", 60, 0..=MOST)?,
        platform: switch(variables, "PLATFORM_LIMITS", true)?,
    })
}

/// Parses the settings of the content scanner. Checks them even if `SCAN_URL` is empty.
fn scanning(variables: &dyn Variables) -> Result<Option<ScanSettings>, ConfigError> {
    let url = variables.get("SCAN_URL").unwrap_or_default().trim().to_owned();
    let timeout_s = u32_number(variables, "SCAN_TIMEOUT", 30, 1..=600)?;
    let failure = match variables.get("SCAN_FAILURE").as_deref().map(str::trim) {
        None | Some("refuse") => ScanFailure::Refuse,
        Some("accept") => ScanFailure::Accept,
        Some(other) => {
            let problem = format!("{other:?} is neither refuse nor accept");
            return Err(ConfigError { name: "SCAN_FAILURE", problem });
        }
    };
    let token = secret(variables, "SCAN_TOKEN")?;
    if url.is_empty() {
        return Ok(None);
    }
    let parsed: Option<http::Uri> = url.parse().ok().filter(|_| !url.contains('#'));
    let is_address = parsed.is_some_and(|uri| {
        let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https")) && host.is_some()
    });
    if !is_address {
        // The text of the variable is not repeated, because it may have a password.
        let problem =
            "is not an http or https address without a user name, a password and a fragment; leave it \
            empty to turn scanning off"
                .to_owned();
        return Err(ConfigError { name: "SCAN_URL", problem });
    }
    Ok(Some(ScanSettings { url, token, timeout_s, failure }))
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
        for (name, value) in [
            ("MAX_FILE_SIZE", "10MB"),
            ("MAX_FILE_SIZE", "0"),
            ("PROVISION_USERS", "maybe"),
            ("PRICES", "{}"),
        ] {
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
    fn links_in_messages_begin_with_an_origin_and_the_mailbox_is_for_this_machine_only() {
        assert_eq!(parse(&[]).unwrap().public_url, None);
        let url = |text: &str| parse(&[("PUBLIC_URL", text)]).map(|config| config.public_url);
        assert_eq!(url("https://cutty.example/").unwrap().as_deref(), Some("https://cutty.example"));
        assert!(url("http://localhost:8787").is_ok() && url("https://cutty.example:8443").is_ok());
        for wrong in
            ["cutty.example", "http://cutty.example", "https://cutty.example/a", "https://a@b.example", "x y"]
        {
            assert_eq!(url(wrong).unwrap_err().name, "PUBLIC_URL", "{wrong}");
        }
        let local = parse(&[("EMAIL_MAILBOX", "true")]).unwrap();
        assert_eq!(local.public_url.as_deref(), Some("http://127.0.0.1:8787"));
        for public in ["https://cutty.example", "https://localhost.example"] {
            let error = parse(&[("EMAIL_MAILBOX", "true"), ("PUBLIC_URL", public)]).unwrap_err();
            assert_eq!(error.name, "EMAIL_MAILBOX");
        }
        assert_eq!(parse(&[("EMAIL_FROM", "nobody")]).unwrap_err().name, "EMAIL_FROM");
    }

    #[test]
    fn scanning_is_off_unless_scan_url_is_an_address() {
        assert!(parse(&[("SCAN_URL", " ")]).unwrap().scanning.is_none());
        for bad in [
            "scanner",
            "/scan",
            "ftp://a/",
            "http://",
            "http://user:password@a/",
            "http://a/#x",
            "http://a b/",
        ] {
            let error = parse(&[("SCAN_URL", bad)]).unwrap_err();
            assert_eq!(error.name, "SCAN_URL", "{bad}");
            assert!(!error.to_string().contains("password@"), "{error}");
        }
        let url = ("SCAN_URL", "http://127.0.0.1:9000/scan?x=1");
        let settings = parse(&[url]).unwrap().scanning.unwrap();
        assert_eq!((settings.url.as_str(), settings.timeout_s), (url.1, 30));
        assert_eq!((settings.failure, settings.token.is_none()), (ScanFailure::Refuse, true));
        let settings =
            parse(&[url, ("SCAN_FAILURE", "accept"), ("SCAN_TOKEN", KEY)]).unwrap().scanning.unwrap();
        assert_eq!((settings.failure, settings.token.is_some()), (ScanFailure::Accept, true));
        for (name, value) in [
            ("SCAN_FAILURE", "ignore"),
            ("SCAN_TIMEOUT", "0"),
            ("SCAN_TIMEOUT", "601"),
            ("SCAN_TOKEN", "short"),
            ("SCAN_TOKEN", "a token with blanks that has 32 bytes"),
        ] {
            assert_eq!(parse(&[url, (name, value)]).unwrap_err().name, name);
        }
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
