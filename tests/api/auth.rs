//! Accounts, sessions and who is let in.

use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get as on_get;
use chrono::TimeDelta;
use cutty::answer::Incoming;
use cutty::auth::identity::{Identity, Operator};
use cutty::ports::NativeBody;
use cutty::routes::boundary;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::client::{Call, Reply, get, post, post_json};
use crate::support::{Fault, On, TestApp};

const PASSWORD: &str = "correct horse battery";

/// What the tokens below are signed with.
const DJANGO_KEY: (&str, &str) = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
/// When they were issued; the access token expires 900 s later.
const DJANGO_ISSUED: &str = "2026-01-02T02:50:00Z";
// Made with Python's hmac, json and base64, as simplejwt does for user 42.
const DJANGO_ACCESS: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzY3MzIzMTAwLCJpYXQiOjE3NjczMjIyMDAsImp0aSI6IjBmNWI3YzFkMmUzYTRiNWM4ZDllMGYxYTJiM2M0ZDVlIiwidXNlcl9pZCI6NDJ9.6ZEyQDZvN6_V1FzGYp-AL_XH4g7Y6ssLNtqu9s7cVaQ";
const DJANGO_REFRESH: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTc2NzkyNzAwMCwiaWF0IjoxNzY3MzIyMjAwLCJqdGkiOiIxZjViN2MxZDJlM2E0YjVjOGQ5ZTBmMWEyYjNjNGQ1ZSIsInVzZXJfaWQiOjQyfQ.B4qXBaFoVM0_n_aqCEMiKP1ubff1_ml4PtrJru2N7fM";
// Made with Python's hashlib.pbkdf2_hmac, of PASSWORD.
const DJANGO_HASH: &str = "pbkdf2_sha256$1000$Zq3nT8xWc1Lr$i7SQQXStdnB8jZ6+5QjJ2dOU5zysHOYiwjDGEArD5XQ=";

async fn for_users(identity: Identity) -> String {
    identity.user.to_string()
}

async fn for_admins(operator: Operator) -> String {
    match operator {
        Operator::Token => "operator".to_owned(),
        Operator::Account(identity) => identity.user.to_string(),
    }
}

/// The real router, or, for the two routes that only stand for others, one with the same guards and the same edge.
async fn send(app: &TestApp, call: Call) -> Reply {
    match call.request.uri().path() {
        "/users-only" | "/admins-only" => send_guarded(app, call).await,
        _ => app.send(call).await,
    }
}

async fn send_guarded(app: &TestApp, call: Call) -> Reply {
    let router = axum::Router::new()
        .route("/users-only", on_get(for_users))
        .route("/admins-only", on_get(for_admins))
        .layer(from_fn_with_state(app.app.clone(), boundary::render_problems))
        .with_state(app.app.clone());
    let incoming = Incoming::new(call.body.map(|body| Box::new(body) as Box<dyn NativeBody>));
    let mut request = call.request.map(|()| Body::empty());
    request.extensions_mut().insert(incoming);
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Reply { status: parts.status, headers: parts.headers, body, broken: false }
}

async fn register(app: &TestApp, username: &str) -> Value {
    let email = format!("{username}@example.com");
    let body = json!({"username": username, "email": email, "password": PASSWORD, "password2": PASSWORD});
    send(app, post_json("/api/auth/register", &body)).await.expect(201).json()
}

async fn login(app: &TestApp, username: &str, password: &str) -> Reply {
    let body = json!({"username": username, "password": password});
    send(app, post_json("/api/auth/login", &body)).await
}

async fn refresh(app: &TestApp, token: &str) -> Reply {
    send(app, post_json("/api/auth/refresh", &json!({"refresh_token": token}))).await
}

async fn logout(app: &TestApp, token: &str) -> Reply {
    send(app, post_json("/api/auth/logout", &json!({"refresh_token": token}))).await
}

async fn whoami(app: &TestApp, access_token: &str) -> Reply {
    send(app, get("/api/auth/user").bearer(access_token)).await
}

fn access(session: &Value) -> &str {
    session["tokens"]["access_token"].as_str().unwrap()
}

fn refresh_of(session: &Value) -> &str {
    session["tokens"]["refresh_token"].as_str().unwrap()
}

fn seconds(app: &TestApp, count: i64) {
    app.advance(TimeDelta::seconds(count));
}

#[tokio::test]
async fn registering_makes_a_user_who_is_logged_in_and_whose_answer_nobody_stores() {
    let app = TestApp::new();
    let body = json!({"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD});
    let reply = send(&app, post_json("/api/auth/register", &body)).await.expect(201);
    assert_eq!(reply.header("cache-control"), "no-store");
    let session = reply.json();
    assert_eq!(session["success"], true);
    assert_eq!(session["tokens"]["expires_in"], 900);
    let id = session["user"]["id"].as_str().unwrap();
    let user = json!({"id": id, "username": "Ada", "email": "ada@example.com", "role": "user"});
    assert_eq!(session["user"], user);
    let seen = whoami(&app, access(&session)).await.expect(200).json();
    assert_eq!(seen, json!({"success": true, "user": user}));
    app.log.assert_never_says(PASSWORD);
}

#[tokio::test]
async fn an_email_may_be_left_out_by_any_number_of_users() {
    let app = TestApp::new();
    for name in ["ada", "bob"] {
        let body = json!({"username": name, "email": "", "password": PASSWORD});
        let session = send(&app, post_json("/api/auth/register", &body)).await.expect(201).json();
        assert_eq!(session["user"]["email"], Value::Null);
    }
}

#[tokio::test]
async fn a_user_logs_in_by_name_or_email_in_any_case() {
    let app = TestApp::new();
    let id = register(&app, "ada").await["user"]["id"].clone();
    let bodies = [
        json!({"username": "ada", "password": PASSWORD}),
        json!({"username": " ADA ", "password": PASSWORD}),
        json!({"email": "Ada@example.COM", "password": PASSWORD}),
        json!({"username": "ada@example.com", "password": PASSWORD}),
        json!({"username": "", "email": "ada@example.com", "password": PASSWORD}),
    ];
    for body in bodies {
        let reply = send(&app, post_json("/api/auth/login", &body)).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.json()["user"]["id"], id, "{body}");
    }
}

#[tokio::test]
async fn a_name_that_looks_like_anothers_email_wins_its_own_login_only() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await["user"]["id"].clone();
    let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
    app.database.execute(&format!("{sql} ('7', 'ada@example.com', '{DJANGO_HASH}', 't', 't')"));
    let found = login(&app, "ada@example.com", PASSWORD).await.expect(200).json();
    assert_eq!(found["user"]["id"], "7");
    assert_eq!(login(&app, "ada", PASSWORD).await.expect(200).json()["user"]["id"], ada);
}

#[tokio::test]
async fn a_taken_name_or_email_is_refused_whatever_its_case_and_nothing_is_written() {
    let app = TestApp::new();
    register(&app, "ada").await;
    let before = app.database.row_counts();
    for (username, email, field) in
        [("ADA", "new@example.com", "username"), ("bob", "ADA@example.com", "email")]
    {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        let problem =
            send(&app, post_json("/api/auth/register", &body)).await.expect_problem(409, "user_exists");
        assert_eq!(problem["field"], field);
    }
    assert_eq!(app.database.row_counts(), before);
}

#[tokio::test]
async fn of_two_registrations_at_once_one_wins() {
    let app = TestApp::new();
    let body = json!({"username": "ada", "password": PASSWORD});
    let call = || send(&app, post_json("/api/auth/register", &body));
    let (one, other) = tokio::join!(call(), call());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(app.database.row_counts()["users"], 1);
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_by_name_of_field_before_anything_is_written() {
    let app = TestApp::new();
    let cases = [
        (json!({"username": "a b", "password": PASSWORD}), 400, "bad_request", "username"),
        (json!({"username": "ada", "email": "ada", "password": PASSWORD}), 400, "bad_request", "email"),
        (json!({"username": "ada", "password": "12345678901"}), 422, "weak_password", "password"),
        (json!({"username": "ada.lovelace", "password": "Ada.Lovelace"}), 422, "weak_password", "password"),
        (
            json!({"username": "ada", "password": PASSWORD, "password2": "another"}),
            400,
            "bad_request",
            "password2",
        ),
        (json!({"username": 7, "password": PASSWORD}), 400, "bad_request", "username"),
        (json!({"username": "ada", "email": ["x"], "password": PASSWORD}), 400, "bad_request", "email"),
    ];
    for (body, status, code, field) in cases {
        let problem = send(&app, post_json("/api/auth/register", &body)).await.expect_problem(status, code);
        assert_eq!(problem["field"], field, "{body}");
    }
    let missing = send(&app, post_json("/api/auth/register", &json!({"username": "ada"}))).await;
    let missing = missing.expect_problem(400, "bad_request");
    assert!(missing["detail"].as_str().unwrap().contains("`password`"), "{missing}");
    assert_eq!(app.faults.count(&On::any()), 0);
}

#[tokio::test]
async fn a_body_that_is_not_json_or_far_too_long_is_refused() {
    let app = TestApp::new();
    let form = post("/api/auth/login").header("content-type", "application/x-www-form-urlencoded");
    send(&app, form.bytes("username=ada")).await.expect_problem(415, "unsupported_type");
    let broken = post("/api/auth/login").header("content-type", "application/json").bytes("{\"username\":");
    send(&app, broken).await.expect_problem(400, "bad_request");
    let long = json!({"username": "a".repeat(2 << 20), "password": PASSWORD});
    send(&app, post_json("/api/auth/login", &long)).await.expect_problem(413, "too_large");
    let neither = json!({"password": PASSWORD});
    send(&app, post_json("/api/auth/login", &neither)).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn no_request_makes_an_admin_and_the_operators_statement_does() {
    let app = TestApp::new();
    let plain = json!({"username": "mallory", "password": PASSWORD});
    let claims = json!({
        "role": "admin", "is_admin": true, "is_staff": true, "user": {"role": "admin"}, "id": "1",
    });
    for (name, claim) in claims.as_object().unwrap() {
        let mut claimed = plain.clone();
        claimed[name] = claim.clone();
        for route in ["register", "login"] {
            let call = post_json(&format!("/api/auth/{route}"), &claimed);
            send(&app, call).await.expect_problem(400, "bad_request");
        }
    }
    assert_eq!(app.database.row_counts()["users"], 0);
    let session = send(&app, post_json("/api/auth/register", &plain)).await.expect(201).json();
    assert_eq!(session["user"]["role"], "user");
    let again = send(&app, post_json("/api/auth/login", &plain)).await.expect(200).json();
    assert_eq!(again["user"]["role"], "user");
    assert_eq!(app.database.value("SELECT group_concat(role) AS roles FROM users"), "user");

    let admins_only = || get("/admins-only").bearer(access(&session));
    send(&app, admins_only()).await.expect_problem(403, "forbidden");
    send(&app, get("/admins-only")).await.expect_problem(401, "unauthenticated");
    app.database.execute("UPDATE users SET role='admin' WHERE username='mallory'");
    send(&app, admins_only()).await.expect(200);
    app.database.execute("UPDATE users SET role='user' WHERE username='mallory'");
    send(&app, admins_only()).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_no_password_look_the_same() {
    let app = TestApp::new();
    register(&app, "ada").await;
    app.database
        .execute("INSERT INTO users (id, username, created_at, updated_at) VALUES ('7', 'none', 't', 't')");
    let mut answers = Vec::new();
    for (name, password) in [("ada", "wrong password"), ("nobody", PASSWORD), ("none", PASSWORD), ("ada", "")]
    {
        app.faults.forget_calls();
        let mut problem = login(&app, name, password).await.expect_problem(401, "bad_credentials");
        problem["requestId"] = Value::Null;
        answers.push((problem, app.faults.calls().len()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    app.log.assert_never_says("wrong password");
}

#[tokio::test]
async fn a_password_of_django_logs_in_once_more_and_is_replaced() {
    let app = TestApp::new();
    let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
    app.database.execute(&format!("{sql} ('42', 'ada', '{DJANGO_HASH}', 't', 't')"));
    let stored = || app.database.value("SELECT password_hash FROM users");
    login(&app, "ada", "correct horse batterx").await.expect_problem(401, "bad_credentials");
    assert_eq!(stored(), DJANGO_HASH, "a wrong password replaces nothing");
    let session = login(&app, "ada", PASSWORD).await.expect(200).json();
    assert_eq!(session["user"]["id"], "42");
    let replaced = stored();
    assert!(replaced.as_str().unwrap().starts_with("$argon2id$"), "{replaced}");
    login(&app, "ada", PASSWORD).await.expect(200);
    login(&app, "ada", "correct horse batterx").await.expect_problem(401, "bad_credentials");
    assert_eq!(stored(), replaced, "a present hash stays");
}

#[tokio::test]
async fn a_refresh_gives_a_new_pair_at_top_level_too_and_works_again_and_again() {
    let app = TestApp::new();
    let mut session = register(&app, "ada").await;
    for _ in 0..5 {
        seconds(&app, 3600);
        let reply = refresh(&app, refresh_of(&session)).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        let next = reply.json();
        assert_ne!(refresh_of(&next), refresh_of(&session));
        for name in ["access_token", "refresh_token", "expires_in"] {
            assert_eq!(next[name], next["tokens"][name]);
        }
        whoami(&app, access(&next)).await.expect(200);
        session = next;
    }
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_get_the_same_successor_and_both_live_on() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let (one, other) = tokio::join!(refresh(&app, refresh_of(&session)), refresh(&app, refresh_of(&session)));
    let (one, other) = (one.expect(200).json(), other.expect(200).json());
    assert_eq!(refresh_of(&one), refresh_of(&other));
    seconds(&app, 30);
    let late = refresh(&app, refresh_of(&session)).await.expect(200).json();
    assert_eq!(refresh_of(&late), refresh_of(&one), "the same to the byte for 30 s");
    refresh(&app, refresh_of(&one)).await.expect(200);
    assert_eq!(app.database.row_counts()["refresh_tokens"], 3);
}

#[tokio::test]
async fn a_token_used_again_later_ends_its_session_and_no_other() {
    let app = TestApp::new();
    let stolen = register(&app, "ada").await;
    let phone = login(&app, "ada", PASSWORD).await.expect(200).json();
    let successor = refresh(&app, refresh_of(&stolen)).await.expect(200).json();
    seconds(&app, 31);
    refresh(&app, refresh_of(&stolen)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&successor)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&stolen)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&phone)).await.expect(200);
    let lines = app.log.with("user_id", stolen["user"]["id"].clone());
    assert_eq!(lines.len(), 1, "one line when the session is ended: {lines:?}");
    app.log.assert_never_says(refresh_of(&stolen));
}

#[tokio::test]
async fn logging_out_ends_the_whole_session_at_once_and_twice_is_no_error() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let other = login(&app, "ada", PASSWORD).await.expect(200).json();
    let successor = refresh(&app, refresh_of(&session)).await.expect(200).json();
    for _ in 0..2 {
        let answer = logout(&app, refresh_of(&session)).await.expect(200).json();
        assert_eq!(answer, json!({"success": true}));
    }
    refresh(&app, refresh_of(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&successor)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&other)).await.expect(200);
    logout(&app, "not.a.token").await.expect_problem(401, "unauthenticated");
    logout(&app, access(&other)).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_expired_refresh_token_still_logs_out_what_came_of_it() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    seconds(&app, 604_000);
    let successor = refresh(&app, refresh_of(&session)).await.expect(200).json();
    seconds(&app, 1000);
    logout(&app, refresh_of(&session)).await.expect(200);
    refresh(&app, refresh_of(&successor)).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn tokens_expire_when_they_say_and_the_answer_tells_which() {
    let app = TestApp::with(&[("ACCESS_TOKEN_TTL", "60"), ("REFRESH_TOKEN_TTL", "600")]);
    let session = register(&app, "ada").await;
    assert_eq!(session["tokens"]["expires_in"], 60);
    seconds(&app, 59);
    whoami(&app, access(&session)).await.expect(200);
    seconds(&app, 1);
    let reply = whoami(&app, access(&session)).await;
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    reply.expect_problem(401, "token_expired");
    seconds(&app, 540);
    refresh(&app, refresh_of(&session)).await.expect_problem(401, "token_expired");
}

#[tokio::test]
async fn each_kind_of_token_serves_its_own_use_only() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    whoami(&app, refresh_of(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, access(&session)).await.expect_problem(401, "unauthenticated");
    for token in ["", "x", "a.b.c", &"x".repeat(100_000)] {
        refresh(&app, token).await.expect_problem(401, "unauthenticated");
        whoami(&app, token).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_request_needs_exactly_one_bearer_token() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let bearer = format!("Bearer {}", access(&session));
    let route = || get("/users-only");
    let good = send(&app, route().header("authorization", &bearer)).await.expect(200);
    assert_eq!(good.text(), session["user"]["id"]);
    let twice = route().header("authorization", &bearer).header("authorization", &bearer);
    let joined = route().header("authorization", format!("{bearer}, {bearer}"));
    for call in [route(), twice, joined, route().header("authorization", access(&session))] {
        send(&app, call).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn tokens_of_a_deleted_account_open_nothing() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.database.execute("DELETE FROM users");
    whoami(&app, access(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_of(&session)).await.expect_problem(401, "unauthenticated");
    logout(&app, refresh_of(&session)).await.expect(200);
}

#[tokio::test]
async fn an_access_token_of_django_is_its_users_while_that_user_has_a_row() {
    let app = TestApp::with(&[DJANGO_KEY]);
    app.clock.set(DJANGO_ISSUED);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "unauthenticated");
    assert_eq!(app.database.row_counts()["users"], 0);
    let sql = "INSERT INTO users (id, username, created_at, updated_at) VALUES ('42', 'ada', 't', 't')";
    app.database.execute(sql);
    assert_eq!(whoami(&app, DJANGO_ACCESS).await.expect(200).json()["user"]["username"], "ada");
    refresh(&app, DJANGO_REFRESH).await.expect_problem(401, "unauthenticated");
    seconds(&app, 900);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "token_expired");
}

#[tokio::test]
async fn with_provisioning_an_unknown_user_of_a_valid_token_gets_a_plain_account() {
    let app = TestApp::with(&[DJANGO_KEY, ("PROVISION_USERS", "true")]);
    app.clock.set(DJANGO_ISSUED);
    let (one, other) = tokio::join!(whoami(&app, DJANGO_ACCESS), whoami(&app, DJANGO_ACCESS));
    let user = json!({"id": "42", "username": "user:42", "email": null, "role": "user"});
    assert_eq!(one.expect(200).json()["user"], user);
    assert_eq!(other.expect(200).json()["user"], user);
    assert_eq!(app.database.row_counts()["users"], 1);
    login(&app, "user:42", "").await.expect_problem(401, "bad_credentials");
    let body = json!({"username": "user:43", "password": PASSWORD});
    send(&app, post_json("/api/auth/register", &body)).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn expired_tokens_are_forgotten_and_living_ones_are_not() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    refresh(&app, refresh_of(&ada)).await.expect(200);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 0);
    seconds(&app, 604_000);
    let bob = register(&app, "bob").await;
    seconds(&app, 1000);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 2);
    refresh(&app, refresh_of(&bob)).await.expect(200);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 0);
}

/// An application with a user whose hash is Django's, and that user's session.
async fn with_a_session() -> (TestApp, Value) {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.database.execute(&format!("UPDATE users SET password_hash = '{DJANGO_HASH}'"));
    (app, session)
}

fn every_call(session: &Value) -> Vec<Call> {
    let token = json!({"refresh_token": refresh_of(session)});
    vec![
        post_json("/api/auth/register", &json!({"username": "bob", "password": PASSWORD})),
        post_json("/api/auth/login", &json!({"username": "ada", "password": PASSWORD})),
        post_json("/api/auth/refresh", &token),
        post_json("/api/auth/logout", &token),
        get("/api/auth/user").bearer(access(session)),
    ]
}

/// Everything stored about accounts.
fn stored(app: &TestApp) -> (Value, Value) {
    let users = "SELECT json_group_array(json_array(id, username, password_hash, role)) AS rows FROM users";
    let tokens =
        "SELECT json_group_array(json_array(jti, family, successor_jti, rotated_at, revoked_at)) AS rows
        FROM refresh_tokens";
    (app.database.value(users), app.database.value(tokens))
}

#[tokio::test]
async fn a_database_that_fails_at_any_call_leaves_nothing_half_done() {
    let mut broken = 0;
    for index in 0..5 {
        for nth in 1.. {
            let (app, session) = with_a_session().await;
            let before = stored(&app);
            let call = || every_call(&session).swap_remove(index);
            app.faults.inject(Fault::Failed, On::database(), nth);
            let reply = send(&app, call()).await;
            if app.faults.fired() == 0 {
                assert!(nth > 1 && reply.status.is_success(), "call {index}: {reply}");
                break;
            }
            broken += 1;
            assert_ne!(reply.header("retry-after"), "");
            reply.expect_problem(503, "unavailable");
            assert_eq!(stored(&app), before, "call {index}, database call {nth}");
            app.faults.clear();
            assert!(send(&app, call()).await.status.is_success(), "call {index} once the database is back");
        }
    }
    assert_eq!(broken, 7, "register 1, login 2, refresh 1, logout 1, user 2");
}

#[tokio::test]
async fn a_write_reported_as_failed_though_it_was_done_locks_nobody_out() {
    for index in 0..5 {
        let (app, session) = with_a_session().await;
        let call = || every_call(&session).swap_remove(index);
        app.faults.always(Fault::DoneButReportedFailed, On::database());
        send(&app, call()).await.expect_problem(503, "unavailable");
        app.faults.clear();
        let again = send(&app, call()).await;
        match index {
            0 => {
                again.expect_problem(409, "user_exists");
                login(&app, "bob", PASSWORD).await.expect(200);
            }
            _ => drop(again.expect(200)),
        }
        login(&app, "ada", PASSWORD).await.expect(200);
    }
}
