//! The outermost layer of the router: request ids, canonical paths, and problem documents.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde_json::Value;

use crate::app::{App, SharedApp};
use crate::domain::caller::Caller;
use crate::domain::ids::EventId;
use crate::domain::log::{Level, LogLine};
use crate::error::{Code, Problem};
use crate::http::authorization::Authorization;
use crate::http::safe_headers;
use crate::routes::extract::observed::Observed;

/// Maximum length of a stored `User-Agent`, in characters. Longer values are truncated.
const USER_AGENT_CHARACTERS: usize = 256;

/// Maximum length of a stored IP address, in characters. An IPv6 address has at most 45 characters.
const ADDRESS_CHARACTERS: usize = 64;

impl IntoResponse for Problem {
    /// Returns a response with the status of the problem and with the problem in an extension. [`render_problems`]
    /// writes the document later, because the document contains the path and the request id, which a handler does not
    /// know.
    fn into_response(self) -> Response {
        let mut response = self.code().status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The path that the client sent. The router receives the canonical path.
#[derive(Debug, Clone)]
pub struct OriginalPath(pub String);

/// Returns the path for logs and problems. The path of a download contains a ticket, and the path of a shared file
/// contains the token of a link. Both are secrets, also in a path that no route has.
fn without_secrets(path: &str) -> String {
    let mut hidden = None;
    let segments = path.split('/').map(|segment| {
        let text = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().to_ascii_lowercase();
        let is_secret = text.starts_with("s1.") || text.starts_with("t1.");
        let shown = hidden.take().filter(|_| !segment.is_empty() || is_secret);
        hidden = match text.as_str() {
            "downloads" => Some("{ticket}"),
            "shared" => Some("{token}"),
            _ => None,
        };
        match (shown, is_secret) {
            (Some(name), _) => name,
            (None, true) if text.starts_with("t1.") => "{ticket}",
            (None, true) => "{token}",
            (None, false) => segment,
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Gives each request an id, renders problems as documents, and logs refusals and the causes of problems.
pub async fn render_problems(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let (caller, started) = (caller_of(&app, request.headers()), app.now());
    let path = request.extensions().get::<OriginalPath>().map_or(request.uri().path(), |path| &path.0);
    let path = without_secrets(path);
    let puts_file = *request.method() == Method::PUT && request.uri().path().starts_with("/api/files");
    let offers_basic = offers_basic(request.headers(), request.uri().path());
    let observed = Observed::default();
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(observed.clone());
    let response = next.run(request).await;
    let mut response = match problem_of(&response, puts_file) {
        Some(problem) => {
            if let Some(refusal) = observed.refusal(problem.code(), &path) {
                app.audit().report(&refusal, &caller);
            } else if let Some(entry) = observed.entry(&app, &caller, &path, Some(&problem)) {
                app.audit().record(entry.since(started));
            }
            let mut rendered = render(&app, &problem, &path, &caller.request_id, response.headers());
            if offers_basic && problem.code() == Code::Unauthenticated {
                // Basic comes first, because some clients read only the first challenge.
                let challenges = rendered.headers_mut();
                challenges.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Cutty\""));
                challenges.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            rendered
        }
        None => {
            let has_read = response.status() != StatusCode::NOT_MODIFIED;
            if let Some(entry) = observed.entry(&app, &caller, &path, None).filter(|_| has_read) {
                app.audit().record(entry.since(started));
            }
            response
        }
    };
    set_request_id(response.headers_mut(), &caller.request_id);
    response
}

/// Whether a 401 offers the scheme `Basic`. Some programs, such as wget, send their API key only after this challenge. A
/// browser would ask its user for a password, so a request of a page in a browser gets no such challenge. A client that
/// sends a bearer token needs none. The operations below `/api/auth` accept no API key.
fn offers_basic(headers: &HeaderMap, path: &str) -> bool {
    let is_of_browser =
        ["origin", "sec-fetch-mode", "sec-fetch-site"].iter().any(|name| headers.contains_key(*name));
    let has_token = matches!(Authorization::from_headers(headers), Authorization::Bearer(_));
    !is_of_browser && !has_token && !path.starts_with("/api/auth/")
}

/// Returns the canonical form of a URI: `/api/…` for `/api/v1/…`, and without slashes at the end. Returns `None` if the
/// URI is canonical already.
pub fn canonical_uri(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let unversioned = match path.strip_prefix("/api/v1") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/api{rest}"),
        _ => path.to_owned(),
    };
    let trimmed = unversioned.trim_end_matches('/');
    let canonical = if trimmed.is_empty() { "/" } else { trimmed };
    if canonical == path {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{canonical}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Returns the id of a request: the id that the client sent, or a new id if the client sent no valid id.
fn request_id_of(app: &App, headers: &HeaderMap) -> String {
    let sent = safe_headers::request_id(headers).map(str::to_owned);
    sent.unwrap_or_else(|| app.fresh_id::<EventId>().to_string())
}

/// Returns the response to a request whose URL or method cannot be read. No route handles such a request.
pub fn respond_unrouted(app: &App, headers: &HeaderMap, problem: &Problem) -> Response {
    let request_id = request_id_of(app, headers);
    let mut response = render(app, problem, "/", &request_id, &HeaderMap::new());
    set_request_id(response.headers_mut(), &request_id);
    response
}

/// Sets the id of a request in a response that no route made.
pub fn identify_response(app: &App, headers: &HeaderMap, response: &mut HeaderMap) {
    set_request_id(response, &request_id_of(app, headers));
}

fn caller_of(app: &App, headers: &HeaderMap) -> Caller {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let agent = headers.get("user-agent").map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    Caller {
        request_id: request_id_of(app, headers),
        ip_address: text("cf-connecting-ip")
            .map(|address| address.chars().take(ADDRESS_CHARACTERS).collect()),
        user_agent: agent.map(|agent| agent.chars().take(USER_AGENT_CHARACTERS).collect()),
        trace_id: text("traceparent").and_then(|text| safe_headers::trace_id(&text).map(str::to_owned)),
        ..Caller::default()
    }
}

/// Returns the problem that a handler returned, or the problem for a 405 that the router made. Returns `None` for other
/// responses.
///
/// `puts_file` says whether the request is a `PUT` of a file, as `curl -T` sends it.
fn problem_of(response: &Response, puts_file: bool) -> Option<Arc<Problem>> {
    if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
        return Some(problem.clone());
    }
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if puts_file => {
            let detail = "A file is not created by PUT, because Cutty chooses its URL and a repeated PUT would create \
                another file. Send POST to /api/files: curl -X POST -T data.csv -H 'X-File-Name: data.csv' \
                https://…/api/files. For large files, use tus (POST /api/uploads).";
            Some(Arc::new(Problem::new(Code::MethodNotAllowed, detail)))
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail =
                "Use a method that the Allow header lists. GET /api/openapi.json describes all routes.";
            Some(Arc::new(Problem::new(Code::MethodNotAllowed, detail)))
        }
        _ => None,
    }
}

fn render(app: &App, problem: &Problem, path: &str, request_id: &str, headers: &HeaderMap) -> Response {
    let document = logged_document(app, problem, path, request_id).to_string();
    let mut response = (problem.code().status(), Body::from(document)).into_response();
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in headers.iter().filter(|(name, _)| *name == ALLOW || name.as_str() == "content-range")
    {
        out.insert(name.clone(), value.clone());
    }
    if problem.code().status() == StatusCode::UNAUTHORIZED {
        out.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after_s() {
        out.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Returns the document of a problem, and writes its cause to the log.
pub fn logged_document(app: &App, problem: &Problem, path: &str, request_id: &str) -> Value {
    log_cause(app, problem, path, request_id);
    problem.document(path, request_id)
}

fn log_cause(app: &App, problem: &Problem, path: &str, request_id: &str) {
    let Some(cause) = problem.cause() else { return };
    let level = if problem.code().status().is_server_error() { Level::Error } else { Level::Warn };
    app.write_log(
        LogLine::new(level, problem.detail())
            .with("error_code", problem.code().name())
            .with("path", path)
            .with("request_id", request_id)
            .caused_by(cause),
    );
}

fn set_request_id(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(safe_headers::REQUEST_ID, id);
    }
}
