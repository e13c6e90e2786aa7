//! Checks that compare the application with its API description (OpenAPI).

use std::sync::LazyLock;

use cutty::http::cors::EXPOSED_HEADERS;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::{Map, Value};

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(cutty::routes::openapi::description()).unwrap());

/// Returns the whole API description.
pub fn description() -> &'static Value {
    &DESCRIPTION
}

/// One operation of the API description.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: Method,
    /// The path as the description gives it, with placeholders such as `{id}`.
    pub template: &'static str,
    pub spec: &'static Value,
}

impl Operation {
    /// Returns the path with `id` in place of `{id}` and 1 in place of `{number}`.
    pub fn path(&self, id: &str) -> String {
        self.template.replace("{id}", id).replace("{number}", "1")
    }

    /// Whether the operation can be called without credentials.
    pub fn is_open(&self) -> bool {
        match self.spec.get("security").and_then(Value::as_array) {
            None => false,
            Some(ways) => ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty)),
        }
    }

    /// Whether requests of the operation may have a JSON body.
    pub fn takes_json(&self) -> bool {
        !self.spec["requestBody"]["content"]["application/json"].is_null()
    }

    /// Returns the statuses that the description lists.
    pub fn statuses(&self) -> Vec<u16> {
        self.spec["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
    }
}

/// Returns all operations of the description.
pub fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for (template, item) in description()["paths"].as_object().unwrap() {
        for (method, spec) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && method.as_str().len() <= "OPTIONS".len()
            {
                found.push(Operation { method, template, spec });
            }
        }
    }
    found
}

/// Panics if the description does not list this status for the operation. Every operation may respond with a 5xx
/// status, so the function accepts every 5xx status except 507.
pub fn assert_described(method: &Method, path: &str, status: StatusCode) {
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        return;
    }
    let of_path = operations_at(path);
    let operation = of_path
        .iter()
        .find(|operation| operation.method == *method)
        .or_else(|| of_path.iter().find(|o| *method == Method::HEAD && o.method == Method::GET));
    let expected = match operation {
        Some(operation) => operation.statuses(),
        None if of_path.is_empty() => vec![404, 204],
        None => vec![405, 204],
    };
    assert!(
        expected.contains(&status.as_u16()),
        "{method} {path} responds with {status}; the description lists {expected:?}"
    );
}

/// Returns the operations at a path, for all methods.
fn operations_at(path: &str) -> Vec<Operation> {
    let path = canonical(path);
    let of_path: Vec<_> =
        operations().into_iter().filter(|operation| matches(operation.template, &path)).collect();
    // As in the router, a template without placeholders takes precedence over a template with placeholders.
    let literal = of_path.iter().any(|operation| operation.template == path);
    of_path.into_iter().filter(|operation| !literal || operation.template == path).collect()
}

/// Returns the operation that a request calls, as `METHOD /template`.
pub fn operation_of(method: &Method, path: &str) -> Option<String> {
    let found = operations_at(path).into_iter().find(|operation| operation.method == *method);
    found.map(|operation| format!("{method} {}", operation.template))
}

fn canonical(path: &str) -> String {
    let path = path.replacen("/api/v1", "/api", 1);
    path.trim_end_matches('/').to_owned()
}

fn matches(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    template.split('/').all(|wanted| {
        parts.next().is_some_and(|part| wanted == part || wanted.starts_with('{') && !part.is_empty())
    }) && parts.next().is_none()
}

/// Headers that need not be exposed. Some are CORS-safelisted response headers (Fetch standard), which every web page
/// may read. Only browsers and caches need the other headers.
const NEED_NO_EXPOSING: [&str; 20] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
    "allow",
    "content-encoding",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "date",
    "content-security-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "x-robots-tag",
    "strict-transport-security",
    // No page can read this header. Browsers do not store cookies from responses to pages of other origins.
    "set-cookie",
];

/// Headers that the description leaves out: every response has them for browsers and caches, or HTTP itself defines
/// them for this response.
const NEED_NO_DESCRIPTION: [&str; 14] = [
    "cache-control",
    "content-length",
    "content-type",
    "vary",
    "allow",
    "date",
    "x-content-type-options",
    "x-frame-options",
    "content-security-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "x-robots-tag",
    "strict-transport-security",
    "server-timing",
];

/// Panics if a response has a header that the description of the operation does not list for this status.
pub fn assert_headers_described(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap) {
    let of_path = operations_at(path);
    let Some(operation) = of_path.iter().find(|operation| operation.method == *method) else { return };
    let described = &operation.spec["responses"][status.as_str()];
    if described.is_null() {
        return;
    }
    let described = described["headers"].as_object();
    for name in headers.keys().map(HeaderName::as_str) {
        let is_described =
            described.is_some_and(|known| known.keys().any(|one| one.eq_ignore_ascii_case(name)));
        let exempt = NEED_NO_DESCRIPTION.contains(&name) || name.starts_with("access-control-");
        assert!(is_described || exempt, "{method} {path} {status}: the header {name} is not described");
    }
}

/// Panics if a response has a header that web pages of other origins cannot read.
pub fn assert_exposed(headers: &HeaderMap) {
    for name in headers.keys().map(HeaderName::as_str) {
        let exposed = EXPOSED_HEADERS.iter().any(|exposed| exposed.eq_ignore_ascii_case(name));
        let exempt = NEED_NO_EXPOSING.contains(&name) || name.starts_with("access-control-");
        assert!(exposed || exempt, "{name} is not among the exposed headers");
    }
}
