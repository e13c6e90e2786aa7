//! Cross-origin requests: the CORS protocol (WHATWG Fetch standard, §3.2).
//!
//! Pages of other origins send their credentials in the `Authorization` header. The only cookie is for pages of the
//! service's own origin. So `Access-Control-Allow-Credentials` is not sent, and browsers neither send nor store the
//! cookie with a request of another origin.
//!
//! A request from an origin that is not allowed gets a response without CORS headers, and the browser hides this
//! response from the page.

use ::http::header::{self, HeaderMap, HeaderValue};
use ::http::{HeaderName, Method};

use super::safe_headers::RESOURCE_POLICY;

/// Origins that are allowed if `ALLOWED_ORIGINS` is not set.
pub const DEFAULT_ALLOWED_ORIGINS: [&str; 3] =
    ["https://cutty.com", "https://staging.cutty.com", "http://localhost:3000"];

/// Methods that a page may use.
pub const ALLOWED_METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/// Request headers that a page may set: the headers that routes read, and the headers that tracing libraries and HTTP
/// clients add. `tests/api/headers.rs` compares the list with the descriptions of the routes.
pub const ALLOWED_HEADERS: [&str; 38] = [
    "Content-Type",
    "Content-Length",
    "Authorization",
    "X-File-ID",
    "X-Upload-Type",
    "X-File-Name",
    "X-File-Tags",
    "X-File-Metadata",
    "X-File-Expires",
    "X-File-Storage-Class",
    "X-Share-Password",
    "Idempotency-Key",
    "X-Request-Id",
    "Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Defer-Length",
    "Upload-Concat",
    "Upload-Checksum",
    "X-HTTP-Method-Override",
    "Repr-Digest",
    "Content-Digest",
    "Digest",
    "Want-Repr-Digest",
    "Want-Content-Digest",
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "X-Requested-With",
    "Cache-Control",
];

/// Response headers that a page may read.
pub const EXPOSED_HEADERS: [&str; 36] = [
    "ETag",
    "X-Upload-ID",
    "Link",
    "Location",
    "Content-Disposition",
    "Content-Range",
    "Accept-Ranges",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Server-Timing",
    "X-Request-Id",
    "X-Cache",
    "X-Cut-Id",
    "X-Bytes-Scanned",
    "X-Cutty-Notice",
    "X-Bytes-Skipped",
    "Idempotency-Replayed",
    "Repr-Digest",
    "Content-Digest",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Defer-Length",
    "Upload-Concat",
    "Upload-Expires",
    "X-File-ID",
    "Content-Location",
];

/// Time for which a browser may cache a preflight response, in seconds.
pub const MAX_AGE_SECONDS: u32 = 3600;

/// The allowed origins, and the rendered values of the CORS headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsPolicy {
    origins: Vec<String>,
    methods: HeaderValue,
    headers: HeaderValue,
    exposed: HeaderValue,
    max_age: HeaderValue,
}

/// Error: a configured origin has a form that no browser sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{origin:?} is not an origin: write it in lower case and without a path, such as https://example.com, or write *"
)]
pub struct InvalidOrigin {
    /// Text from the configuration.
    pub origin: String,
}

/// How to respond to a request under the CORS protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsDecision {
    /// The request is a preflight: respond 204 with these headers, without calling a handler.
    Preflight(CorsHeaders),
    /// Any other request: handle it, then add these headers to the response.
    Actual(CorsHeaders),
}

/// Headers to add to a response. The headers always include `Vary: Origin`, because the response depends on the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsHeaders(Vec<(HeaderName, HeaderValue)>);

impl CorsPolicy {
    /// Makes a policy that allows these origins; `*` allows every origin.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if an origin has a form that no browser sends.
    pub fn new<T: AsRef<str>>(origins: impl IntoIterator<Item = T>) -> Result<Self, InvalidOrigin> {
        let origins =
            origins.into_iter().map(|origin| check_origin(origin.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self {
            origins,
            methods: join(&ALLOWED_METHODS),
            headers: join(&ALLOWED_HEADERS),
            exposed: join(&EXPOSED_HEADERS),
            max_age: HeaderValue::from(MAX_AGE_SECONDS),
        })
    }

    /// Returns the policy that allows every origin.
    pub fn any_origin() -> Self {
        Self {
            origins: vec!["*".to_owned()],
            methods: join(&ALLOWED_METHODS),
            headers: join(&ALLOWED_HEADERS),
            exposed: join(&EXPOSED_HEADERS),
            max_age: HeaderValue::from(MAX_AGE_SECONDS),
        }
    }

    /// Decides how to respond to a request. `OPTIONS` without `Access-Control-Request-Method` is not a preflight; tus
    /// clients use it to discover what the server supports.
    pub fn decide(&self, method: &Method, request: &HeaderMap) -> CorsDecision {
        let is_preflight = *method == Method::OPTIONS
            && request.contains_key(header::ORIGIN)
            && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut headers = vec![(header::VARY, HeaderValue::from_static("Origin"))];
        if let Some(origin) = self.allowed_origin(request) {
            headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin));
            if is_preflight {
                headers.push((header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone()));
                headers.push((header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone()));
                headers.push((header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone()));
            } else {
                headers.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone()));
            }
        }
        let headers = CorsHeaders(headers);
        if is_preflight { CorsDecision::Preflight(headers) } else { CorsDecision::Actual(headers) }
    }

    /// Returns the value of `Access-Control-Allow-Origin`. Origins are compared as text, as the Fetch standard
    /// requires. The origin `null`, which every sandboxed page has, matches only `*`.
    fn allowed_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        if self.origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

impl CorsHeaders {
    /// Adds the headers to a response. A `Vary` header that the response already has is kept.
    ///
    /// A route that sends the bytes of a file sets `Cross-Origin-Resource-Policy: cross-origin`. This header stays only
    /// if the origin is allowed. Otherwise the value becomes `same-origin`.
    pub fn apply(&self, response: &mut HeaderMap) {
        let is_allowed = self.0.iter().any(|(name, _)| name == header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if !is_allowed && response.contains_key(RESOURCE_POLICY) {
            response.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        }
        for (name, value) in &self.0 {
            if name == header::VARY {
                response.append(name, value.clone());
            } else {
                response.insert(name, value.clone());
            }
        }
    }

    /// Returns the headers as pairs.
    pub fn as_slice(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0
    }
}

/// Checks that an origin has the form that browsers send: scheme and host in lower case, and optionally a port.
fn check_origin(text: &str) -> Result<String, InvalidOrigin> {
    let origin = text.trim();
    let is_host = |host: &str| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
        !host.is_empty() && host.bytes().all(allowed)
    };
    let is_origin = origin
        .split_once("://")
        .is_some_and(|(scheme, host)| is_host(host) && scheme.bytes().all(|b| b.is_ascii_lowercase()));
    if origin == "*" || is_origin {
        Ok(origin.to_owned())
    } else {
        Err(InvalidOrigin { origin: origin.to_owned() })
    }
}

fn join(names: &[&str]) -> HeaderValue {
    // Names of headers and methods are visible ASCII, so the conversion cannot fail.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn policy() -> CorsPolicy {
        CorsPolicy::new(DEFAULT_ALLOWED_ORIGINS).unwrap()
    }

    fn request(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().map(pair).collect()
    }

    fn response_headers(decision: &CorsDecision) -> HeaderMap {
        let mut response = HeaderMap::new();
        match decision {
            CorsDecision::Preflight(headers) | CorsDecision::Actual(headers) => headers.apply(&mut response),
        }
        response
    }

    #[test]
    fn an_allowed_origin_may_read_the_response() {
        let decision = policy().decide(&Method::GET, &request(&[("origin", "https://cutty.com")]));
        assert!(matches!(decision, CorsDecision::Actual(_)));
        let response = response_headers(&decision);
        assert_eq!(response["access-control-allow-origin"], "https://cutty.com");
        assert!(
            response["access-control-expose-headers"]
                .to_str()
                .unwrap()
                .starts_with("ETag, X-Upload-ID, Link")
        );
        assert_eq!(response["vary"], "Origin");
        assert!(!response.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn the_response_to_a_preflight_lists_methods_and_headers() {
        let fields = [("origin", "http://localhost:3000"), ("access-control-request-method", "PATCH")];
        let decision = policy().decide(&Method::OPTIONS, &request(&fields));
        assert!(matches!(decision, CorsDecision::Preflight(_)));
        let response = response_headers(&decision);
        assert_eq!(response["access-control-allow-methods"], "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS");
        assert!(response["access-control-allow-headers"].to_str().unwrap().contains("Upload-Offset"));
        assert_eq!(response["access-control-max-age"], "3600");
        assert!(!response.contains_key("access-control-expose-headers"));
    }

    #[test]
    fn an_origin_that_is_not_allowed_gets_the_vary_header_but_no_cors_headers() {
        for origin in [
            "https://evil.example",
            "https://cutty.com.evil.example",
            "http://cutty.com",
            "https://cutty.com:8443",
            "null",
            "*",
        ] {
            for method in [Method::GET, Method::OPTIONS] {
                let fields = [("origin", origin), ("access-control-request-method", "GET")];
                let response = response_headers(&policy().decide(&method, &request(&fields)));
                assert_eq!(response.len(), 1, "{origin}");
                assert_eq!(response["vary"], "Origin");
            }
        }
    }

    #[test]
    fn an_options_request_without_an_origin_or_without_a_requested_method_is_not_a_preflight() {
        for fields in
            [&[][..], &[("origin", "https://cutty.com")], &[("access-control-request-method", "GET")]]
        {
            let decision = policy().decide(&Method::OPTIONS, &request(fields));
            assert!(matches!(decision, CorsDecision::Actual(_)), "{fields:?}");
        }
    }

    #[test]
    fn a_star_allows_every_origin() {
        let any = CorsPolicy::new(["*"]).unwrap();
        let headers = request(&[("origin", "https://anyone.example")]);
        let response = response_headers(&any.decide(&Method::GET, &headers));
        assert_eq!(response["access-control-allow-origin"], "*");
    }

    #[test]
    fn an_origin_in_a_form_that_no_browser_sends_is_a_configuration_error() {
        for origin in [
            "https://cutty.com/",
            "cutty.com",
            "HTTPS://cutty.com",
            "https://Cutty.com",
            "",
            "https://",
            "https://*.cutty.com",
        ] {
            assert!(CorsPolicy::new([origin]).is_err(), "{origin}");
        }
        assert!(CorsPolicy::new([" https://a.example ", "http://[::1]:3000"]).is_ok());
    }

    #[test]
    fn only_a_page_of_an_allowed_origin_may_embed_the_bytes_of_a_file() {
        for (origin, expected) in [
            (Some("https://cutty.com"), "cross-origin"),
            (Some("https://evil.example"), "same-origin"),
            (Some("null"), "same-origin"),
            (None, "same-origin"),
        ] {
            let fields: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
            let mut response =
                HeaderMap::from_iter([(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"))]);
            let CorsDecision::Actual(headers) = policy().decide(&Method::GET, &request(&fields)) else {
                unreachable!("the request is not a preflight")
            };
            headers.apply(&mut response);
            assert_eq!(response[RESOURCE_POLICY], expected, "{origin:?}");
        }
    }

    #[test]
    fn a_vary_header_of_the_response_is_kept() {
        let mut response = HeaderMap::from_iter([(header::VARY, HeaderValue::from_static("Authorization"))]);
        let CorsDecision::Actual(headers) = policy().decide(&Method::GET, &HeaderMap::new()) else {
            unreachable!("the request is not a preflight")
        };
        headers.apply(&mut response);
        let lines: Vec<_> = response.get_all(header::VARY).iter().collect();
        assert_eq!(lines, ["Authorization", "Origin"]);
    }
}
