//! Headers that make every response safe by default, for browsers and caches.

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use ::http::{HeaderName, HeaderValue};

/// The header that says which sites may embed a response (Fetch standard, `Cross-Origin-Resource-Policy`).
pub const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The header with the id of the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The default headers. A route that needs another value sets the header itself.
const DEFAULTS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    // If a browser shows a response as a page, the page loads nothing and runs no script. The browser gives the page a
    // new origin, so the page has no access to other pages of this host.
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Adds each default header that the response does not have yet.
///
/// If `hsts_max_age_s` is not 0, also sets `Strict-Transport-Security` (RFC 6797): for this number of seconds, browsers
/// use only HTTPS for this host. The caller passes 0 if the response is sent over plain HTTP, because RFC 6797 §7.2
/// forbids the header in such a response.
pub fn add_defaults(response: &mut HeaderMap, hsts_max_age_s: u32) {
    for (name, value) in DEFAULTS {
        response.entry(name).or_insert(value);
    }
    let hsts = HeaderValue::from_str(&format!("max-age={hsts_max_age_s}")).ok();
    if let Some(value) = hsts.filter(|_| hsts_max_age_s > 0) {
        response.insert(STRICT_TRANSPORT_SECURITY, value);
    }
}

/// Returns the id in the `X-Request-Id` of a request, if it has 1 to 128 letters, digits or `-_.:`. Cutty ignores any
/// other id, because Cutty copies the id into responses and log lines.
pub fn request_id(request: &HeaderMap) -> Option<&str> {
    let id = request.get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    ((1..=128).contains(&id.len()) && id.bytes().all(is_plain)).then_some(id)
}

/// Returns the trace id in the header `traceparent` (W3C Trace Context, level 1); `None` if the header is malformed. A
/// version above 00 may have more fields at the end.
pub fn trace_id(header: &str) -> Option<&str> {
    let fields: Vec<&str> = header.trim().split('-').collect();
    let [version, trace, parent, flags, rest @ ..] = fields.as_slice() else { return None };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let is_known = *version != "ff" && (*version != "00" || rest.is_empty());
    let is_valid = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    (is_known && is_valid && !is_zero(trace) && !is_zero(parent)).then_some(*trace)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_id_is_read_from_valid_headers_only() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let read = |text: &str| trace_id(text).map(str::to_owned);
        assert_eq!(read(&format!("00-{trace}-{parent}-01")).as_deref(), Some(trace));
        assert_eq!(read(&format!("cc-{trace}-{parent}-01-more")).as_deref(), Some(trace));
        for bad in [
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{parent}"),
            String::new(),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_response_gets_every_default_and_keeps_its_own_values() {
        let mut response = HeaderMap::new();
        response.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        response.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        add_defaults(&mut response, 0);
        assert_eq!(response[CACHE_CONTROL], "private, no-cache");
        assert_eq!(response[RESOURCE_POLICY], "cross-origin");
        assert_eq!(response[CONTENT_SECURITY_POLICY], "default-src 'none'; sandbox");
        assert_eq!(response[REFERRER_POLICY], "no-referrer");
        assert_eq!(response.len(), DEFAULTS.len());
    }

    #[test]
    fn strict_transport_security_is_sent_only_with_a_time() {
        for (seconds, expected) in [(0, None), (1, Some("max-age=1")), (31_536_000, Some("max-age=31536000"))]
        {
            let mut response = HeaderMap::new();
            add_defaults(&mut response, seconds);
            let sent = response.get(STRICT_TRANSPORT_SECURITY).map(|value| value.to_str().unwrap());
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn only_a_plain_request_id_is_used() {
        let id_of = |value: &str| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request_id(&HeaderMap::from_iter([(REQUEST_ID, value)])).map(str::to_owned)
        };
        for id in ["a", "018f0000-0000-7000", "A_b.c:9", &"x".repeat(128)] {
            assert_eq!(id_of(id).as_deref(), Some(id));
        }
        for id in ["", "a b", "a\"", "é", &"x".repeat(129)] {
            assert_eq!(id_of(id), None, "{id}");
        }
    }
}
