//! Headers that every response has, and the headers that pages of other origins may send.

use std::collections::BTreeSet;

use cutty::http::cors::ALLOWED_HEADERS;
use cutty::http::safe_headers::add_defaults;
use http::{HeaderMap, Method, Uri};

use super::scene::Scene;
use super::{CASES, Case};
use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, get};
use crate::support::contract::operations;

const DEFAULTS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// The client's own cache may keep the successful responses of these operations. Before the client uses a kept
/// response, it must ask the service whether this response is still current.
const REVALIDATED: [&str; 8] = [
    "GET /api/downloads/{ticket}",
    "GET /api/files/{id}",
    "HEAD /api/files/{id}",
    "GET /api/files/{id}/cut",
    "GET /api/files/{id}/process",
    "POST /api/files/{id}/cut",
    "POST /api/files/{id}/process",
    "POST /api/recipes/{id}/run",
];

#[track_caller]
fn assert_safe(what: &str, response: &TestResponse, is_revalidated: bool) {
    let is_shared = what.contains("/api/shared/") && response.status.as_u16() < 400;
    for (name, value) in DEFAULTS {
        let expected = match name {
            "cache-control" if is_shared => "private, no-store",
            "cache-control" if is_revalidated => "private, no-cache",
            _ => value,
        };
        assert_eq!(response.header(name), expected, "{what}: {name}\n{response}");
        assert_eq!(response.headers.get_all(name).iter().count(), 1, "{what}: {name}");
    }
    assert!(!response.header("x-request-id").is_empty(), "{what}: {response}");
    assert!(!response.has("strict-transport-security"), "{what}: {response}");
}

/// Returns the request with the URL that `change` returns.
fn at(call: Call, change: impl FnOnce(&Uri) -> String) -> Call {
    let mut call = call;
    *call.request.uri_mut() = change(call.request.uri()).parse().unwrap();
    call
}

fn with_query(uri: &Uri, pair: &str) -> String {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{separator}{pair}")
}

#[tokio::test]
async fn every_response_of_every_operation_has_the_safe_headers() {
    for case in CASES {
        let scene = Scene::new(case).await;
        let errors = [
            ("without a token", scene.call(case).without("authorization")),
            ("an unknown parameter", at(scene.call(case), |uri| with_query(uri, "zzz=1"))),
            ("a query that is not UTF-8", at(scene.call(case), |uri| with_query(uri, "a=%E9"))),
            ("an unreadable header", scene.call(case).header("x-file-tags", "\u{fffd}")),
            ("another method", {
                let mut call = Call::new(Method::GET, "/");
                *call.request.uri_mut() = scene.call(case).request.uri().clone();
                *call.request.method_mut() = Method::TRACE;
                call
            }),
        ];
        for (error, call) in errors {
            let response = scene.app.send(call).await;
            let is_file = is_revalidated(case) && response.status.is_success();
            assert_safe(&format!("{}, {error}", case.0), &response, is_file);
        }
        let response = scene.app.send(scene.call(case)).await;
        let is_file = is_revalidated(case) && response.status.as_u16() < 400;
        assert_safe(case.0, &response, is_file);
    }
}

fn is_revalidated(case: &Case) -> bool {
    REVALIDATED.contains(&case.operation())
}

#[tokio::test]
async fn an_unknown_path_and_a_preflight_have_the_safe_headers() {
    let app = TestApp::new();
    assert_safe("no route", &app.send(get("/nowhere")).await.expect(404), false);
    for origin in ["https://cutty.com", "https://evil.example"] {
        let preflight = Call::new(Method::OPTIONS, "/api/files")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH");
        let response = app.send(preflight).await.expect(204);
        assert_safe("a preflight", &response, false);
        let named = Call::new(Method::OPTIONS, "/api/files")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("x-request-id", "r-1");
        assert_eq!(app.send(named).await.header("x-request-id"), "r-1");
    }
}

#[tokio::test]
async fn a_request_whose_url_cannot_be_read_gets_a_problem_with_the_safe_headers() {
    let app = TestApp::new();
    let headers = HeaderMap::from_iter([("x-request-id".parse().unwrap(), "r-2".parse().unwrap())]);
    let (parts, body) = cutty::routes::refuse_unrouted(&app.app, &headers, "The URL is wrong.").await;
    let cutty::body::outgoing::ResponseBody::Bytes(bytes) = body else { panic!("the problem has no body") };
    let response =
        TestResponse { status: parts.status, headers: parts.headers, body: bytes.to_vec(), broken: false };
    assert_safe("no URL", &response, false);
    assert_eq!(response.header("x-request-id"), "r-2");
    let problem = response.expect_problem(400, "bad_request");
    assert_eq!((&problem["requestId"], &problem["detail"]), (&"r-2".into(), &"The URL is wrong.".into()));
}

#[tokio::test]
async fn only_pages_of_allowed_origins_may_embed_the_bytes_of_a_file() {
    let embeddable = |case: &&Case| is_revalidated(case);
    for case in CASES.iter().filter(embeddable) {
        let scene = Scene::new(case).await;
        for (origin, policy) in
            [("https://cutty.com", "cross-origin"), ("https://evil.example", "same-origin")]
        {
            let response = scene.app.send(scene.call(case).header("origin", origin)).await;
            assert_eq!(response.header("cross-origin-resource-policy"), policy, "{}: {response}", case.0);
        }
        if case.operation() == "GET /api/downloads/{ticket}" {
            continue;
        }
        let refused = scene.call(case).without("authorization").header("origin", "https://cutty.com");
        let refused = scene.app.send(refused).await.expect(401);
        assert_eq!(refused.header("cross-origin-resource-policy"), "same-origin", "{}", case.0);
    }
}

#[tokio::test]
async fn strict_transport_security_is_sent_only_over_https_and_only_if_it_is_set() {
    for (seconds, scheme, expected) in
        [("31536000", "https", "max-age=31536000"), ("31536000", "http", ""), ("0", "https", "")]
    {
        let app = TestApp::with(&[("HSTS_MAX_AGE", seconds)]);
        let preflight = Call::new(Method::OPTIONS, "/api/files")
            .header("origin", "https://cutty.com")
            .header("access-control-request-method", "PATCH");
        for call in [get("/health"), get("/api/files"), get("/nowhere"), get("/health/"), preflight] {
            let call = at(call, |uri| format!("{scheme}://api.example{uri}"));
            let response = app.send(call).await;
            assert_eq!(response.header("strict-transport-security"), expected, "{seconds} {scheme}");
        }
    }
}

#[test]
fn the_constant_defaults_lists_every_default_header() {
    let mut headers = HeaderMap::new();
    add_defaults(&mut headers, 0);
    let names: BTreeSet<_> = headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, DEFAULTS.iter().map(|(name, _)| *name).collect());
}

/// Headers that a web page may send to any route. The description of an operation does not name them.
const FOR_ALL_ROUTES: [&str; 13] = [
    "authorization",
    "content-length",
    "content-type",
    "x-request-id",
    "want-content-digest",
    "want-repr-digest",
    "x-file-id",
    "x-upload-type",
    // Libraries that trace or send requests add the following headers.
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "x-requested-with",
];

/// Headers that only some routes read. The description of an operation need not name them.
const NOT_DESCRIBED: [&str; 5] =
    ["cache-control", "if-range", "range", "upload-concat", "x-http-method-override"];

#[test]
fn cors_allows_every_described_header_and_no_unknown_header() {
    let mut described = BTreeSet::new();
    for operation in operations() {
        let parameters = operation.spec["parameters"].as_array().cloned().unwrap_or_default();
        let of_head = parameters.iter().filter(|parameter| parameter["in"] == "header");
        described.extend(of_head.map(|parameter| parameter["name"].as_str().unwrap().to_lowercase()));
    }
    let allowed: BTreeSet<_> = ALLOWED_HEADERS.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(allowed.len(), ALLOWED_HEADERS.len());
    let missing: Vec<_> = described.difference(&allowed).collect();
    assert!(missing.is_empty(), "add to ALLOWED_HEADERS: {missing:?}");
    let known = |name: &&String| {
        described.contains(*name)
            || FOR_ALL_ROUTES.contains(&name.as_str())
            || NOT_DESCRIBED.contains(&name.as_str())
    };
    let unknown: Vec<_> = allowed.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "no route reads these headers: {unknown:?}");
    let needless: Vec<_> = NOT_DESCRIBED.iter().filter(|name| described.contains(**name)).collect();
    assert!(needless.is_empty(), "these headers are described: {needless:?}");
}
