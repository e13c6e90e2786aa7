//! The headers `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), which are lists of structured
//! fields (RFC 9651), and their older forms `X-RateLimit-…`.

use ::http::{HeaderMap, HeaderName, HeaderValue};

/// The state of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// Name of the limit: letters and `-`.
    pub name: &'static str,
    /// Units in one window.
    pub quota: u64,
    /// Length of the window in seconds.
    pub window_s: u32,
    /// Whether the unit is a byte of content and not a request.
    pub counts_bytes: bool,
    /// Units that are left.
    pub remaining: u64,
    /// Seconds after which all units are available again.
    pub reset_s: u32,
}

impl LimitStatus {
    fn policy(&self) -> String {
        let unit = if self.counts_bytes { ";qu=\"content-bytes\"" } else { "" };
        format!("\"{}\";q={};w={}{unit}", self.name, self.quota, self.window_s)
    }

    fn state(&self) -> String {
        format!("\"{}\";r={};t={}", self.name, self.remaining, self.reset_s)
    }
}

/// Inserts the headers for these limits. The headers `X-RateLimit-…` hold one limit: the one of which the least is left.
pub fn insert(headers: &mut HeaderMap, limits: &[LimitStatus]) {
    let share =
        |limit: &&LimitStatus| u128::from(limit.remaining) * (1 << 32) / u128::from(limit.quota.max(1));
    let Some(tightest) = limits.iter().min_by_key(share) else { return };
    let list = |item: fn(&LimitStatus) -> String| limits.iter().map(item).collect::<Vec<_>>().join(", ");
    for (name, text) in [
        ("ratelimit-policy", list(LimitStatus::policy)),
        ("ratelimit", list(LimitStatus::state)),
        ("x-ratelimit-limit", tightest.quota.to_string()),
        ("x-ratelimit-remaining", tightest.remaining.to_string()),
        ("x-ratelimit-reset", tightest.reset_s.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_structured_fields() {
        let calls = LimitStatus {
            name: "cuts",
            quota: 120,
            window_s: 60,
            counts_bytes: false,
            remaining: 119,
            reset_s: 1,
        };
        let bytes = LimitStatus {
            name: "scan",
            quota: 100_000_000_000,
            window_s: 3600,
            counts_bytes: true,
            remaining: 50,
            reset_s: 3600,
        };
        let mut headers = HeaderMap::new();
        insert(&mut headers, &[]);
        assert!(headers.is_empty());
        insert(&mut headers, &[calls, bytes]);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = r#""cuts";q=120;w=60, "scan";q=100000000000;w=3600;qu="content-bytes""#;
        assert_eq!(text("ratelimit-policy"), policy);
        assert_eq!(text("ratelimit"), r#""cuts";r=119;t=1, "scan";r=50;t=3600"#);
        assert_eq!(
            [text("x-ratelimit-limit"), text("x-ratelimit-remaining"), text("x-ratelimit-reset")],
            ["100000000000", "50", "3600"]
        );
    }
}
