//! Tests that users cannot reach the files of other users, that texts of users cannot change the structure of response
//! headers, and that the log contains no secrets.

use cutty::domain::ids::TokenId;
use http::Method;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, TestResponse, get, head, patch_json, post_json, upload};
use crate::support::contract::{Operation, operations};
use crate::support::faults::Port;
use crate::support::tus::{self, tus};
use crate::support::{TestApp, parts};

const CSV: &str = "a,b\n1,2\n";

/// Returns a valid request for an operation. `id` is the id of a file, a cut or an upload.
fn request(operation: &Operation, id: &str) -> Call {
    let call = Call::new(operation.method.clone(), &operation.path(id));
    match (operation.method.as_str(), operation.template) {
        ("PATCH", "/api/uploads/{id}") => tus::patch(&operation.path(id), 0).bytes(CSV),
        (_, template) if template.starts_with("/api/uploads") => tus(call),
        ("PUT", _) => call.bytes(CSV),
        _ if operation.takes_json() => call.json(&json!({})),
        _ => call,
    }
}

/// Whether only an operator may call the operation.
fn is_for_operators(operation: &Operation) -> bool {
    operation.template.starts_with("/api/admin/")
}

/// Returns all operations that a user can call on one file, cut or upload.
fn operations_on_one() -> Vec<Operation> {
    let of_one = |operation: &Operation| {
        operation.template.contains('{') && !is_for_operators(operation) && !operation.is_open()
    };
    let found: Vec<_> = operations().into_iter().filter(of_one).collect();
    assert!(found.len() >= 14, "{}", found.len());
    found
}

/// The ids of Ada's file, cut, recipe, API key and uploads.
struct AdasIds {
    file: String,
    cut: String,
    recipe: String,
    key: String,
    session: String,
    share: String,
    /// A tus upload that has received no bytes.
    upload: String,
    /// An upload in parts that has received no part.
    multipart: String,
}

/// Returns an application, the tokens of Ada and Bob, and the ids of Ada's file, cut and uploads.
async fn with_adas_file() -> (TestApp, String, String, AdasIds) {
    let app = TestApp::new();
    let (ada, bob) = (app.user("ada"), app.user("bob"));
    let file = app.upload(&ada, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let response = app.send(get(&format!("/api/files/{file}/cut")).bearer(&ada)).await.expect(200);
    let cut = response.receipt_path().strip_prefix("/api/cuts/").unwrap().to_owned();
    let response = app.send(tus::create(CSV.len()).bearer(&ada)).await.expect(201);
    let upload = response.header("location").strip_prefix("/api/uploads/").unwrap().to_owned();
    let response = app.send(parts::create(CSV.len()).bearer(&ada)).await.expect(201);
    let multipart = response.json()["uploadId"].as_str().unwrap().to_owned();
    let saved = post_json("/api/recipes", &json!({"name": "r", "cut": {}}));
    let saved = app.send(saved.bearer(&ada)).await.expect(201).json();
    let recipe = saved["recipe"]["id"].as_str().unwrap().to_owned();
    let made = post_json("/api/keys", &json!({"name": "k", "scopes": ["read"]}));
    let made = app.send(made.bearer(&ada)).await.expect(201).json();
    let key = made["key"]["id"].as_str().unwrap().to_owned();
    let shared = post_json(&format!("/api/files/{file}/share"), &json!({"kind": "download"}));
    let shared = app.send(shared.bearer(&ada)).await.expect(201).json();
    let share = shared["share"]["id"].as_str().unwrap().to_owned();
    let session = app.fresh_id::<TokenId>().to_string();
    app.database.execute(&format!(
        "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at)
         VALUES ('{session}', '{session}', 'ada', '2025-01-02T03:04:05.678Z', '2030-01-02T03:04:05.678Z')"
    ));
    (app, ada, bob, AdasIds { file, cut, recipe, key, session, share, upload, multipart })
}

/// Returns a request about one thing. If it runs a recipe, the recipe runs on Ada's file.
fn request_of(operation: &Operation, id: &str, adas: &AdasIds) -> Call {
    let call = request(operation, id);
    match (&operation.method, operation.template) {
        (_, template) if template.ends_with("/run") => call.json(&json!({"fileId": adas.file})),
        (_, template) if template.ends_with("/share") => call.json(&json!({"kind": "download"})),
        (&Method::PATCH, "/api/shares/{id}") => call.json(&json!({"expiresIn": 60})),
        _ => call,
    }
}

fn id_for<'a>(operation: &Operation, adas: &'a AdasIds) -> &'a str {
    match operation.template {
        template if template.starts_with("/api/cuts/") => &adas.cut,
        template if template.starts_with("/api/recipes/") => &adas.recipe,
        template if template.starts_with("/api/keys/") => &adas.key,
        template if template.starts_with("/api/auth/sessions/") => &adas.session,
        template if template.starts_with("/api/shares/") => &adas.share,
        template if template.starts_with("/api/uploads/") => &adas.upload,
        template if template.starts_with("/api/files/multipart/") => &adas.multipart,
        _ => &adas.file,
    }
}

#[tokio::test]
async fn every_route_authenticates_before_it_calls_a_store() {
    let (app, ada, _, adas) = with_adas_file().await;
    let mut open = Vec::new();
    for operation in operations() {
        if operation.is_open() {
            open.push(format!("{} {}", operation.method, operation.template));
            continue;
        }
        let before = app.database.row_counts();
        app.faults.forget_calls();
        // This text has the form of an API key, but its checksum is wrong.
        let no_key = format!("cutty_{}", "0".repeat(36));
        let tokens = [None, Some("x".to_owned()), Some(format!("{ada}x")), Some(String::new()), Some(no_key)];
        for token in tokens {
            let mut call =
                request(&operation, id_for(&operation, &adas)).header("origin", "http://localhost:3000");
            if let Some(token) = token {
                call = call.bearer(&token);
            }
            let response = app.send(call).await;
            assert_eq!(response.status.as_u16(), 401, "{operation:?}: {response}");
            assert_eq!(response.header("www-authenticate"), "Bearer");
            if operation.method != Method::HEAD {
                response.expect_problem(401, "unauthenticated");
            }
        }
        // The queue gets the number of refused requests.
        let mut calls = app.faults.calls();
        calls.retain(|call| call.port != Port::Queue);
        assert!(calls.is_empty(), "{operation:?} called a store before authentication");
        assert_eq!(app.database.row_counts(), before);
    }
    open.sort();
    assert_eq!(
        open,
        [
            "DELETE /api/shared/{token}/uploads/{id}",
            "GET /api/auth/session",
            "GET /api/downloads/{ticket}",
            "GET /api/openapi.json",
            "GET /api/shared/{token}",
            "GET /api/shared/{token}/info",
            "GET /api/shared/{token}/rows",
            "GET /health",
            "GET /health/ready",
            "GET /health/storage",
            "HEAD /api/shared/{token}/uploads/{id}",
            "OPTIONS /api/shared/{token}/uploads",
            "OPTIONS /api/shared/{token}/uploads/{id}",
            "OPTIONS /api/uploads",
            "OPTIONS /api/uploads/{id}",
            "PATCH /api/shared/{token}/uploads/{id}",
            "POST /api/auth/email/verify",
            "POST /api/auth/login",
            "POST /api/auth/logout",
            "POST /api/auth/password/reset",
            "POST /api/auth/password/reset/confirm",
            "POST /api/auth/refresh",
            "POST /api/auth/register",
            "POST /api/shared/{token}",
            "POST /api/shared/{token}/uploads",
        ]
    );
}

/// Panics unless the operator was admitted. The change of switches refuses the empty body of these requests.
fn assert_admitted(response: &TestResponse, operation: &Operation) {
    let refuses_body = operation.template == "/api/admin/switches" && response.status == 400;
    assert!([200, 404].contains(&response.status.as_u16()) || refuses_body, "{operation:?}: {response}");
}

#[tokio::test]
async fn operator_routes_refuse_everyone_except_operators() {
    let (app, ada, _, AdasIds { file, .. }) = with_adas_file().await;
    let operations: Vec<_> = operations().into_iter().filter(is_for_operators).collect();
    assert!(operations.len() >= 5);
    for operation in &operations {
        let before = app.database.row_counts();
        app.send(request(operation, &file).bearer(&ada)).await.expect_problem(403, "forbidden");
        for wrong in [&OPERATOR_TOKEN[..OPERATOR_TOKEN.len() - 1], &format!("{OPERATOR_TOKEN}x"), "operator"]
        {
            app.send(request(operation, &file).bearer(wrong)).await.expect_problem(401, "unauthenticated");
        }
        assert_eq!(app.database.row_counts(), before, "{operation:?}");
        assert_admitted(&app.send(request(operation, &file).bearer(OPERATOR_TOKEN)).await, operation);
    }
    app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'ada'");
    for operation in &operations {
        assert_admitted(&app.send(request(operation, &file).bearer(&ada)).await, operation);
    }
    app.send(get("/api/files").bearer(OPERATOR_TOKEN)).await.expect_problem(401, "unauthenticated");
    app.log.assert_never_contains(OPERATOR_TOKEN);

    let closed = TestApp::with(&[]).without_operator_token();
    for token in [OPERATOR_TOKEN, "x"] {
        closed.send(get("/api/admin/sweeps").bearer(token)).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn every_route_returns_the_same_404_for_a_missing_file_and_a_file_of_another_user() {
    let missing = "018f0000-0000-7000-8000-000000000001";
    for operation in operations_on_one() {
        let (app, ada, bob, adas) = with_adas_file().await;
        let id = id_for(&operation, &adas);
        let before = (app.database.rows("SELECT * FROM files"), app.database.row_counts());
        let mut problems = Vec::new();
        for (token, id) in [(&bob, id), (&bob, missing), (&ada, missing), (&ada, "x"), (&ada, "..%2f..")] {
            let response = app.send(request_of(&operation, id, &adas).bearer(token)).await;
            assert_eq!(response.status.as_u16(), 404, "{operation:?}: {response}");
            let body = String::from_utf8(response.body).unwrap();
            let mut document: Value = serde_json::from_str(&body).unwrap_or_default();
            document["instance"] = Value::Null;
            document["requestId"] = Value::Null;
            problems.push(document);
        }
        assert!(problems.iter().all(|problem| *problem == problems[0]), "{operation:?}: {problems:?}");
        let after = (app.database.rows("SELECT * FROM files"), app.database.row_counts());
        assert_eq!(after, before, "{operation:?} changed the database");
        let response = app.send(request_of(&operation, id, &adas).bearer(&ada)).await;
        let reached = response.status.is_success() || response.status == 409;
        assert!(reached, "{operation:?}: the owner's request must reach the handler: {response}");
    }
}

#[tokio::test]
async fn a_file_name_cannot_change_the_structure_of_a_header() {
    let app = TestApp::new();
    let token = app.user("ada");
    let names = [
        "a%22%3b filename=evil.csv",
        "%22%22%22.csv",
        "a;b,c=d.csv",
        "%e2%80%aefdp.csv",
        "na%c3%afve %e6%bc%a2.csv",
        "%27%28%29*.csv",
        "<script>.csv",
    ];
    for name in names {
        let response = app.send(upload(name, CSV).bearer(&token)).await.expect(201);
        for call in [get(response.header("location")), head(response.header("location"))] {
            let read = app.send(call.bearer(&token)).await.expect(200);
            let disposition = read.header("content-disposition");
            let quoted = disposition.strip_prefix("attachment; filename=\"").unwrap();
            let (inside, after) = quoted.split_once('"').unwrap();
            assert!(!inside.contains(['\\', '\r', '\n']), "{disposition}");
            assert!(after.is_empty() || after.starts_with("; filename*=UTF-8''"), "{disposition}");
            assert!(after.matches(['"', '\r', '\n']).next().is_none(), "{disposition}");
        }
    }
    let cut = app.send(upload("x.csv", CSV).bearer(&token)).await.expect(201);
    for bad in ["a\r\nSet-Cookie: x=1", "a\u{0}b", "a\u{2028}b"] {
        let path = cut.header("location");
        app.send(patch_json(path, &json!({"filename": bad})).bearer(&token))
            .await
            .expect_problem(422, "bad_name");
        let save = post_json(&format!("{path}/save"), &json!({"filename": bad}));
        app.send(save.bearer(&token)).await.expect_problem(422, "bad_name");
    }
}

#[tokio::test]
async fn the_log_contains_no_tokens_no_keys_and_no_cells() {
    let (app, ada, bob, adas) = with_adas_file().await;
    let secret_cell = "cell-that-nobody-should-see";
    app.upload(&ada, "a.csv", format!("a\n{secret_cell}\n")).await;
    for operation in operations_on_one() {
        for token in [&ada, &bob] {
            app.send(request(&operation, id_for(&operation, &adas)).bearer(token)).await;
        }
    }
    app.send(get("/api/files").bearer(&format!("{ada}x"))).await.expect(401);
    app.faults.always(crate::support::Fault::Failed, crate::support::On::any());
    app.send(get("/api/files").bearer(&ada)).await.expect_problem(503, "unavailable");
    app.send(upload("a.csv", CSV).bearer(&ada)).await.expect_problem(503, "unavailable");
    assert!(app.log.lines().len() > 5);
    for secret in [ada.as_str(), &bob, ada.rsplit('.').next().unwrap(), "a secret of tests", secret_cell] {
        app.log.assert_never_contains(secret);
    }
}

#[tokio::test]
async fn a_server_error_shows_the_request_id_and_only_the_log_has_the_cause() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.always(crate::support::Fault::Failed, crate::support::On::database());
    let response = app.send(get("/api/files").bearer(&token).header("x-request-id", "trace-7")).await;
    assert_eq!(response.header("retry-after"), "2");
    assert_eq!(response.header("cache-control"), "no-store");
    assert!(!response.text().contains("injected"), "{response}");
    let problem = response.expect_problem(503, "unavailable");
    assert_eq!((&problem["requestId"], &problem["instance"]), (&json!("trace-7"), &json!("/api/files")));
    let lines = app.log.with("request_id", "trace-7");
    assert_eq!(lines.len(), 1, "the error must be logged once: {lines:?}");
    assert!(lines[0]["cause"].as_str().unwrap().contains("injected"));
}

#[tokio::test]
async fn a_valid_request_id_is_returned_and_an_invalid_request_id_is_replaced() {
    let app = TestApp::new();
    let sent = |id: &str| get("/health").header("x-request-id", id);
    assert_eq!(app.send(sent("a-b_c.d:1")).await.expect(200).header("x-request-id"), "a-b_c.d:1");
    for bad in ["a b", "<x>", "", &"x".repeat(129)] {
        let made = app.send(sent(bad)).await.expect(200);
        assert_eq!(made.header("x-request-id").len(), 36, "{bad}");
    }
    for path in ["/nothing", "/api/files/x/y/z"] {
        let response = app.send(get(path)).await;
        assert_eq!(response.header("x-request-id").len(), 36);
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("x-frame-options"), "DENY");
        response.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_route_returns_a_problem_document_for_an_invalid_request() {
    let (app, ada, _, adas) = with_adas_file().await;
    for operation in operations() {
        let id = id_for(&operation, &adas);
        let path = operation.path(id);
        let mut calls = vec![Call::new(Method::PUT, &path), Call::new(Method::TRACE, &path)];
        if operation.takes_json() {
            let call = || Call::new(operation.method.clone(), &path).bearer(&ada);
            calls.push(call().header("content-type", "application/json").bytes("{"));
            calls.push(call().header("content-type", "text/plain").bytes("{}"));
            calls.push(call().json(&json!([1])));
            calls.push(call().json(&json!({"pad": "x".repeat(2 << 20)})));
        }
        for call in calls {
            let response = app.send(call).await;
            assert!(response.status.is_client_error(), "{operation:?}: {response}");
            assert_eq!(
                response.header("content-type"),
                "application/problem+json",
                "{operation:?}: {response}"
            );
            let problem = response.json();
            for member in
                ["type", "title", "status", "detail", "instance", "code", "error", "message", "requestId"]
            {
                assert!(!problem[member].is_null(), "{member}: {problem}");
            }
        }
    }
}

#[tokio::test]
async fn cors_allows_only_the_configured_origins() {
    let app = TestApp::new();
    let preflight = |origin: &str| {
        Call::new(Method::OPTIONS, "/api/files")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization, range")
    };
    let allowed = app.send(preflight("http://localhost:3000")).await.expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), "http://localhost:3000");
    assert!(allowed.header("access-control-allow-methods").contains("PATCH"));
    let refused = app.send(preflight("https://evil.example")).await;
    assert!(!refused.has("access-control-allow-origin"), "{refused}");
    let token = app.user("ada");
    let read =
        app.send(get("/api/files").bearer(&token).header("origin", "https://cutty.com")).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), "https://cutty.com");
    assert!(read.header("access-control-expose-headers").contains("ETag"));
    let failed = app.send(get("/api/files").header("origin", "https://cutty.com")).await;
    assert_eq!(
        failed.header("access-control-allow-origin"),
        "https://cutty.com",
        "a web page of an allowed origin must be able to read errors too"
    );
    failed.expect_problem(401, "unauthenticated");
}
