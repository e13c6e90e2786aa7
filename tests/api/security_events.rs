//! Security events. The service writes one log line for each refused request, for each sign-in, and for each read of
//! the administration. The line has the id of the request. No event contains a secret.

use cutty::domain::ids::{ApiKeyId, UserId};
use cutty::domain::principal::{Principal, Scopes};
use cutty::ports::RateLimit;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, get, post, post_json};
use crate::support::contract::operations;
use crate::support::{Fault, On, TestApp};

const ID: &str = "018f0000-0000-7000-8000-000000000001";
const PASSWORD: &str = "correct horse battery";

/// Sends a request, and returns its events as `[action, principal, error_code, route]`.
async fn events_of(app: &TestApp, call: Call) -> Vec<Value> {
    app.log.take();
    app.send(call.header("x-request-id", "r-1").header("cf-connecting-ip", "192.0.2.1")).await;
    let events = app.log.lines().into_iter().filter(|line| line["action"].is_string());
    let events = events.inspect(|line| {
        assert_eq!(
            (&line["request_id"], &line["ip_address"]),
            (&json!("r-1"), &json!("192.0.2.1")),
            "{line}"
        );
        assert_eq!(line["success"], line["error_code"].is_null(), "{line}");
    });
    events.map(|line| json!([line["action"], line["principal"], line["error_code"], line["route"]])).collect()
}

fn login(password: &str) -> Call {
    post_json("/api/auth/login", &json!({"username": "eve", "password": password}))
}

#[tokio::test]
async fn each_operation_writes_one_event_for_a_refused_request() {
    let app = TestApp::new();
    let ada = app.user("ada");
    for operation in operations().into_iter().filter(|operation| !operation.is_open()) {
        let route = format!("{} {}", operation.method, operation.template);
        let call =
            || Call::new(operation.method.clone(), &operation.path(ID)).header("tus-resumable", "1.0.0");
        let is_admin = operation.template.starts_with("/api/admin/");
        let wrong = if is_admin { "refuse_operator_token" } else { "refuse" };
        let none = events_of(&app, call()).await;
        assert_eq!(none, [json!(["refuse", null, "unauthenticated", route])]);
        let forged = events_of(&app, call().bearer(&format!("{ada}x"))).await;
        assert_eq!(forged, [json!([wrong, null, "unauthenticated", route])]);
        app.advance(chrono::TimeDelta::days(11 * 365));
        let expired = events_of(&app, call().bearer(&ada)).await;
        assert_eq!(expired, [json!(["refuse", null, "token_expired", route])]);
        app.advance(chrono::TimeDelta::days(-11 * 365));
        if is_admin {
            let user = events_of(&app, call().bearer(&ada)).await;
            assert_eq!(user, [json!(["refuse", "user:ada", "forbidden", route])]);
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_principal_and_the_id_in_the_path() {
    let app = TestApp::new();
    let owner = UserId::parse("ada").unwrap();
    let key =
        Principal::ApiKey { id: ApiKeyId::parse(ID).unwrap(), owner, scopes: Scopes::of([]), tag: None };
    app.send(get(&format!("/api/v1/files/{ID}/rows/")).by(key)).await.expect(403);
    let line = app.log.with("action", "refuse").remove(0);
    assert_eq!(line["principal"], format!("api_key:{ID}"));
    assert_eq!((&line["user_id"], &line["subject"]), (&json!("ada"), &json!(ID)));
    assert_eq!(line["route"], "GET /api/files/{id}/rows");
}

#[tokio::test]
async fn a_success_or_another_error_is_no_refusal() {
    let app = TestApp::new();
    let ada = app.user("ada");
    for call in
        [get("/api/files"), get(&format!("/api/files/{ID}")), get("/nothing"), get("/api/files?limit=x")]
    {
        let events = events_of(&app, call.bearer(&ada)).await;
        assert!(events.iter().all(|event| event[0] == "list" || event[0] == "download"), "{events:?}");
    }
    app.faults.always(Fault::Failed, On::database());
    assert_eq!(events_of(&app, get("/api/files").bearer(&ada)).await, [Value::Null; 0]);
}

#[tokio::test]
async fn each_sign_in_and_each_failed_sign_in_is_one_event() {
    let app = TestApp::new();
    let body = json!({"username": "eve", "password": PASSWORD});
    let register = || post_json("/api/auth/register", &body);
    let created = events_of(&app, register()).await;
    let eve = created[0][1].as_str().unwrap().to_owned();
    assert_eq!(created, [json!(["register", eve, null, null])]);
    assert_eq!(events_of(&app, register()).await, [json!(["register", null, "user_exists", null])]);
    assert_eq!(events_of(&app, login(PASSWORD)).await, [json!(["login", eve, null, null])]);
    assert_eq!(events_of(&app, login("wrong")).await, [json!(["login", null, "bad_credentials", null])]);
    let refused = |action: &str| post_json(&format!("/api/auth/{action}"), &json!({"refresh_token": "x"}));
    for action in ["refresh", "logout"] {
        let wanted = json!(["refuse", null, "unauthenticated", format!("POST /api/auth/{action}")]);
        assert_eq!(events_of(&app, refused(action)).await, [wanted]);
    }
    app.limits.set(RateLimit::SignInsFromAddress, 0);
    for (call, action) in [(login(PASSWORD), "login"), (register(), "register")] {
        let wanted = json!(["refuse", null, "rate_limited", format!("POST /api/auth/{action}")]);
        assert_eq!(events_of(&app, call).await, [wanted]);
    }
}

#[tokio::test]
async fn each_read_of_the_administration_is_an_event() {
    let app = TestApp::with(&[("EMAIL_MAILBOX", "true")]);
    let ada = app.user("ada");
    app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'ada'");
    let pages = ["audit", "sweeps", "findings", "usage", "users", "mailbox"];
    let metrics = ["summary", "performance", "series", "prometheus"].map(|name| format!("metrics/{name}"));
    let others = ["isolate", "health", "switches"].map(str::to_owned).into_iter().chain(metrics);
    for view in pages.map(str::to_owned).into_iter().chain(others) {
        let path = format!("/api/admin/{view}");
        let action = format!("read_{}", view.split('/').next().unwrap());
        for (token, principal) in [(OPERATOR_TOKEN, "operator"), (&ada, "user:ada")] {
            let read = events_of(&app, get(&path).bearer(token)).await;
            assert_eq!(read, [json!([action, principal, null, null])]);
        }
        if pages.contains(&view.as_str()) {
            let bad = events_of(&app, get(&format!("{path}?limit=0")).bearer(OPERATOR_TOKEN)).await;
            assert_eq!(bad, [json!([action, "operator", "bad_request", null])]);
        }
    }
    let reads = operations().into_iter().filter(|operation| {
        operation.template.starts_with("/api/admin/") && operation.method == http::Method::GET
    });
    assert_eq!(reads.count(), 13, "add the new read of the administration to this test");
}

#[tokio::test]
async fn no_event_contains_a_secret() {
    let app = TestApp::new();
    let body = json!({"username": "eve", "password": PASSWORD});
    let session = app.send(post_json("/api/auth/register", &body)).await.expect(201).json();
    let [access, refresh] =
        ["access_token", "refresh_token"].map(|name| session["tokens"][name].as_str().unwrap());
    app.send(login("a wrong password")).await.expect(401);
    // A user may type the password into the field for the name, and a client may put a token into a path.
    let mixed_up = json!({"username": PASSWORD, "password": "eve"});
    app.send(post_json("/api/auth/login", &mixed_up)).await.expect(401);
    app.send(post_json("/api/auth/refresh", &json!({"refresh_token": access}))).await.expect(401);
    app.send(post_json("/api/auth/logout", &json!({"refresh_token": access}))).await.expect(401);
    let wrong_operator = OPERATOR_TOKEN.replace('0', "1");
    for token in [access, refresh, &wrong_operator, OPERATOR_TOKEN] {
        app.send(get("/api/admin/findings").bearer(token)).await;
        app.send(get("/api/files").bearer(&format!("{token}x"))).await;
        app.send(post("/api/admin/sweeps").header("authorization", format!("Basic {token}"))).await;
    }
    for text in [access, OPERATOR_TOKEN] {
        let path = format!("/api/files/{text}");
        let events = events_of(&app, get(&path)).await;
        assert_eq!(events, [json!(["refuse", null, "unauthenticated", "GET /api/files/{id}"])]);
    }
    for secret in [access, refresh, PASSWORD, "a wrong password", &wrong_operator, OPERATOR_TOKEN] {
        app.log.assert_never_contains(secret);
    }
}
