//! Links that are sent by email: for a new password, and to verify an email. The mailbox of a development server.

use chrono::TimeDelta;
use cutty::ports::{EmailMessage, RateLimit};
use serde_json::{Value, json};

use super::{DJANGO_HASH, PASSWORD, access_token, login, refresh, refresh_token, register, send, whoami};
use crate::support::app::{OPERATOR_TOKEN, break_every_call};
use crate::support::client::{TestResponse, get, patch_json, post, post_json};
use crate::support::{Fault, On, TestApp};

const NEW: &str = "battery horse correct";
const SENDS: [(&str, &str); 2] =
    [("PUBLIC_URL", "https://cutty.example"), ("EMAIL_FROM", "cutty@cutty.example")];

/// Returns an application that sends email.
fn app() -> TestApp {
    TestApp::with(&SENDS)
}

async fn ask_for_reset(app: &TestApp, email: &str) -> TestResponse {
    send(app, post_json("/api/auth/password/reset", &json!({"email": email}))).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> TestResponse {
    let body = json!({"token": token, "new_password": password});
    send(app, post_json("/api/auth/password/reset/confirm", &body)).await
}

async fn verify(app: &TestApp, token: &str) -> TestResponse {
    send(app, post_json("/api/auth/email/verify", &json!({"token": token}))).await
}

async fn ask_for_verification(app: &TestApp, session: &Value) -> TestResponse {
    send(app, post("/api/auth/email/verification").bearer(access_token(session))).await
}

/// Delivers the messages of the queue, and returns the emails.
async fn emails(app: &TestApp) -> Vec<EmailMessage> {
    assert_eq!(app.deliver_twice().await, 0);
    app.email.take()
}

/// Returns the token of the link in an email, and checks the address of the link.
fn token(email: &EmailMessage, parameter: &str) -> String {
    let start = format!("https://cutty.example/#{parameter}=");
    let (_, rest) = email.text.split_once(&start).unwrap_or_else(|| panic!("{email:?}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Asks for a link for a new password, and returns its token.
async fn reset_token(app: &TestApp, email: &str) -> String {
    ask_for_reset(app, email).await.expect(202);
    let sent = emails(app).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].to, email.to_lowercase());
    token(&sent[0], "reset")
}

#[tokio::test]
async fn a_link_sets_a_new_password_once_and_ends_every_session() {
    let app = app();
    let ada = register(&app, "ada").await;
    let bob = register(&app, "bob").await;
    emails(&app).await;
    let link = reset_token(&app, "Ada@example.com").await;
    assert_eq!(link.len(), 43);
    let problem = reset(&app, &link, "ada").await.expect_problem(422, "weak_password");
    assert_eq!(problem["field"], "new_password");
    whoami(&app, access_token(&ada)).await.expect(200);
    reset(&app, &link, NEW).await.expect(200);
    whoami(&app, access_token(&ada)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&ada)).await.expect_problem(401, "unauthenticated");
    whoami(&app, access_token(&bob)).await.expect(200);
    reset(&app, &link, "another good password").await.expect_problem(410, "gone");
    login(&app, "ada", PASSWORD).await.expect_problem(401, "bad_credentials");
    let new = login(&app, "ada", NEW).await.expect(200).json();
    assert_eq!(new["user"]["email_verified"], true, "the link proves that the address is the user's");
    app.log.assert_never_contains(&link);
    app.log.assert_never_contains(NEW);
    app.log.assert_never_contains("ada@example.com");
}

#[tokio::test]
async fn nothing_stored_and_no_message_of_the_queue_contains_a_token() {
    let app = app();
    register(&app, "ada").await;
    ask_for_reset(&app, "ada@example.com").await.expect(202);
    let queued = app.queue.waiting();
    let sent = emails(&app).await;
    assert_eq!(sent.len(), 2);
    for (email, parameter) in sent.iter().zip(["verify", "reset"]) {
        let token = token(email, parameter);
        assert!(queued.iter().all(|message| !message.to_string().contains(&token)));
        let stored = app.database.rows("SELECT * FROM email_links");
        assert!(stored.iter().all(|row| !json!(row).to_string().contains(&token)), "{stored:?}");
        app.log.assert_never_contains(&token);
    }
}

#[tokio::test]
async fn a_request_for_a_reset_is_the_same_for_every_address() {
    let app = app();
    register(&app, "ada").await;
    app.database.execute(
        "INSERT INTO users (id, username, email, created_at, updated_at, disabled_at)
        SELECT 'off', 'off', 'off@example.com', created_at, created_at, created_at FROM users",
    );
    emails(&app).await;
    let mut seen = Vec::new();
    for email in ["ada@example.com", "nobody@example.com", "off@example.com", "ada@example.com"] {
        app.faults.forget_calls();
        let response = ask_for_reset(&app, email).await.expect(202);
        let calls = app.faults.calls();
        // The message that asks for the link, and the audit entry.
        assert_eq!((calls.len(), app.faults.count(&On::queue())), (2, 2), "{email}: {calls:?}");
        seen.push((response.body.clone(), response.header("cache-control").to_owned()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    let sent = emails(&app).await;
    assert_eq!(sent.iter().map(|email| email.to.as_str()).collect::<Vec<_>>(), ["ada@example.com"]);
    for wrong in ["", "  ", "ada", "a@b"] {
        ask_for_reset(&app, wrong).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn links_expire_and_a_new_link_replaces_the_old_one() {
    let app = app();
    register(&app, "ada").await;
    emails(&app).await;
    let old = reset_token(&app, "ada@example.com").await;
    app.advance(TimeDelta::seconds(61));
    let new = reset_token(&app, "ada@example.com").await;
    reset(&app, &old, NEW).await.expect_problem(410, "gone");
    app.advance(TimeDelta::seconds(3600));
    reset(&app, &new, NEW).await.expect_problem(410, "gone");
    for wrong in ["", "x", &"A".repeat(43), &format!("{new}x"), "spent:018f0000-0000-7000-8000-000000000001"]
    {
        reset(&app, wrong, NEW).await.expect_problem(410, "gone");
        verify(&app, wrong).await.expect_problem(410, "gone");
    }
    login(&app, "ada", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_time_between_two_messages_to_one_account_grows() {
    let app = app();
    register(&app, "ada").await;
    emails(&app).await;
    let mut waited = Vec::new();
    for _ in 0..6 {
        let mut minutes = 0;
        loop {
            ask_for_reset(&app, "ada@example.com").await.expect(202);
            if !emails(&app).await.is_empty() {
                break;
            }
            app.advance(TimeDelta::minutes(1));
            minutes += 1;
        }
        waited.push(minutes);
    }
    assert_eq!(waited, [0, 1, 4, 16, 60, 60]);
    app.advance(TimeDelta::hours(50));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.database.row_counts()["email_links"], 0);
    reset_token(&app, "ada@example.com").await;
}

#[tokio::test]
async fn requests_for_links_are_limited_for_each_address() {
    let app = app();
    register(&app, "ada").await;
    app.limits.set(RateLimit::LoginsOfAccount, 2);
    for _ in 0..2 {
        ask_for_reset(&app, "ada@example.com").await.expect(202);
    }
    ask_for_reset(&app, " ADA@example.com").await.expect_problem(429, "rate_limited");
    ask_for_reset(&app, "bob@example.com").await.expect(202);
    app.limits.set(RateLimit::SignInsFromAddress, 0);
    reset(&app, "x", NEW).await.expect_problem(429, "rate_limited");
    verify(&app, "x").await.expect_problem(429, "rate_limited");
    ask_for_reset(&app, "cyd@example.com").await.expect_problem(429, "rate_limited");
}

#[tokio::test]
async fn a_registration_with_an_email_sends_a_link_that_verifies_the_email() {
    let app = app();
    let ada = register(&app, "ada").await;
    assert_eq!(ada["user"]["email_verified"], false);
    let body = json!({"username": "bob", "password": PASSWORD});
    let bob = send(&app, post_json("/api/auth/register", &body)).await.expect(201).json();
    let sent = emails(&app).await;
    assert_eq!(sent.len(), 1, "only Ada has an email");
    let link = token(&sent[0], "verify");
    reset(&app, &link, NEW).await.expect_problem(410, "gone");
    for _ in 0..2 {
        verify(&app, &link).await.expect(200);
    }
    assert_eq!(whoami(&app, access_token(&ada)).await.json()["user"]["email_verified"], true);
    ask_for_verification(&app, &ada).await.expect_problem(409, "conflict");
    ask_for_verification(&app, &bob).await.expect_problem(409, "conflict");
    let reset_link = reset_token(&app, "ada@example.com").await;
    verify(&app, &reset_link).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn a_user_asks_for_another_link_to_verify_the_email() {
    let app = app();
    let ada = register(&app, "ada").await;
    let old = token(&emails(&app).await[0], "verify");
    let refused = ask_for_verification(&app, &ada).await;
    assert_eq!(refused.header("retry-after"), "61");
    refused.expect_problem(429, "rate_limited");
    app.advance(TimeDelta::seconds(61));
    ask_for_verification(&app, &ada).await.expect(202);
    let new = token(&emails(&app).await[0], "verify");
    verify(&app, &old).await.expect_problem(410, "gone");
    let body = json!({"email": "other@example.com", "current_password": PASSWORD});
    send(&app, patch_json("/api/auth/user", &body).bearer(access_token(&ada))).await.expect(200);
    verify(&app, &new).await.expect_problem(410, "gone");
    assert_eq!(whoami(&app, access_token(&ada)).await.json()["user"]["email_verified"], false);
}

#[tokio::test]
async fn a_link_to_an_old_address_does_not_set_a_password() {
    let app = app();
    let ada = register(&app, "ada").await;
    emails(&app).await;
    let link = reset_token(&app, "ada@example.com").await;
    let change = |email: &str| {
        let body = json!({"email": email, "current_password": PASSWORD});
        patch_json("/api/auth/user", &body).bearer(access_token(&ada))
    };
    send(&app, change("other@example.com")).await.expect(200);
    reset(&app, &link, NEW).await.expect_problem(410, "gone");
    send(&app, change("ada@example.com")).await.expect(200);
    reset(&app, &link, NEW).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn a_reset_works_for_a_hash_of_django_and_for_an_account_without_a_password() {
    for hash in [format!("'{DJANGO_HASH}'"), "NULL".to_owned()] {
        let app = app();
        register(&app, "ada").await;
        app.database.execute(&format!("UPDATE users SET password_hash = {hash}"));
        emails(&app).await;
        let link = reset_token(&app, "ada@example.com").await;
        reset(&app, &link, NEW).await.expect(200);
        login(&app, "ada", NEW).await.expect(200);
    }
    let app = app();
    register(&app, "ada").await;
    emails(&app).await;
    let link = reset_token(&app, "ada@example.com").await;
    app.database.execute("UPDATE users SET disabled_at = created_at");
    reset(&app, &link, NEW).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn of_two_requests_with_one_link_one_sets_the_password() {
    let app = app();
    register(&app, "ada").await;
    emails(&app).await;
    let link = reset_token(&app, "ada@example.com").await;
    app.faults.set_yield_before_calls(true);
    let (one, other) = tokio::join!(reset(&app, &link, NEW), reset(&app, &link, "another good password"));
    app.faults.set_yield_before_calls(false);
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
}

#[tokio::test]
async fn a_reset_happens_wholly_or_not_at_all() {
    let prepare = async || {
        let app = app();
        register(&app, "ada").await;
        ask_for_reset(&app, "ada@example.com").await.expect(202);
        app.deliver().await;
        app
    };
    let work = async |app: &TestApp| {
        let link = token(&app.email.take()[1], "reset");
        reset(app, &link, NEW).await;
    };
    let check = async |app: &TestApp, note: &str| {
        let old = login(app, "ada", PASSWORD).await.status == 200;
        let new = login(app, "ada", NEW).await.status == 200;
        assert!(old != new, "{note}");
        let live = "SELECT count(*) AS n FROM refresh_tokens WHERE revoked_at IS NULL";
        assert_eq!(app.database.value(live), if old { 2 } else { 1 }, "{note}");
        let spent = "SELECT token_sha256 LIKE 'spent:%' AS n FROM email_links WHERE kind = 'reset'";
        assert_eq!(app.database.value(spent) == 1, new, "{note}");
    };
    assert_eq!(break_every_call(prepare, work, check).await, 2 * Fault::ALL.len());
}

#[tokio::test]
async fn a_link_is_sent_at_least_once_whatever_fails() {
    let prepare = async || {
        let app = app();
        register(&app, "ada").await;
        emails(&app).await;
        app
    };
    let work = async |app: &TestApp| {
        ask_for_reset(app, "ada@example.com").await;
        app.deliver().await;
    };
    let check = async |app: &TestApp, note: &str| {
        // The queue delivers again what was not acknowledged.
        if app.queue.waiting().is_empty() && app.database.row_counts()["email_links"] == 1 {
            ask_for_reset(app, "ada@example.com").await.expect(202);
        }
        for _ in 0..6 {
            app.deliver().await;
            app.run_sweep("send_links").await.unwrap();
            app.advance(TimeDelta::minutes(5));
        }
        let sent = app.email.take();
        assert!(!sent.is_empty(), "{note}");
        reset(app, &token(sent.last().unwrap(), "reset"), NEW).await.expect(200);
    };
    assert!(break_every_call(prepare, work, check).await >= 4 * Fault::ALL.len());
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_breaks_no_request_and_is_sent_later() {
    let app = app();
    app.email.set_broken(true);
    app.faults.always(Fault::Failed, On::queue());
    let ada = register(&app, "ada").await;
    app.faults.clear();
    whoami(&app, access_token(&ada)).await.expect(200);
    let mut tries = 0;
    for _ in 0..400 {
        app.run_sweep("send_links").await.unwrap();
        app.advance(TimeDelta::minutes(5));
        tries = app.log.with("message", "a message was not sent; it is sent again later").len();
    }
    assert_eq!(tries, 8, "5, 10, 20, … minutes apart");
    assert_eq!(app.database.value("SELECT count(*) AS n FROM email_links WHERE send_at IS NOT NULL"), 0);
    app.email.set_broken(false);
    let ada = login(&app, "ada", PASSWORD).await.expect(200).json();
    ask_for_verification(&app, &ada).await.expect(202);
    app.email.set_broken(true);
    app.deliver().await;
    app.email.set_broken(false);
    app.advance(TimeDelta::minutes(5));
    app.run_sweep("send_links").await.unwrap();
    let sent = app.email.take();
    verify(&app, &token(&sent[0], "verify")).await.expect(200);
}

#[tokio::test]
async fn without_email_a_registration_works_and_the_routes_say_so() {
    for variables in [&[][..], &SENDS[..1], &SENDS[1..]] {
        let app = TestApp::with(variables);
        let ada = register(&app, "ada").await;
        let is_mail = |message: &serde_json::Value| message["job"] != "record_read";
        assert!(!app.queue.waiting().iter().any(is_mail));
        assert_eq!(app.database.row_counts()["email_links"], 0);
        for email in ["ada@example.com", "nobody@example.com"] {
            let problem = ask_for_reset(&app, email).await.expect_problem(503, "unavailable");
            assert!(problem["detail"].as_str().unwrap().contains("sends no email"));
        }
        ask_for_verification(&app, &ada).await.expect_problem(503, "unavailable");
        assert!(!app.queue.waiting().iter().any(is_mail));
    }
}

#[tokio::test]
async fn a_link_never_contains_a_host_that_a_client_sent() {
    let app = app();
    register(&app, "ada").await;
    let call = post_json("/api/auth/password/reset", &json!({"email": "ada@example.com"}));
    let call = call.header("host", "evil.example").header("x-forwarded-host", "evil.example");
    send(&app, call.header("origin", "https://evil.example")).await.expect(202);
    for email in emails(&app).await {
        assert!(!email.text.contains("evil") && email.text.contains("https://cutty.example/#"));
    }
}

#[tokio::test]
async fn a_link_of_another_key_is_not_sent() {
    let app = app();
    register(&app, "ada").await;
    let mut rotated = SENDS.to_vec();
    rotated.push(("JWT_SECRET", "another secret of tests, 32 bytes or more"));
    let app = app.reconfigured(&rotated);
    assert!(emails(&app).await.is_empty());
    assert_eq!(app.database.value("SELECT send_at FROM email_links"), Value::Null);
}

#[tokio::test]
async fn operators_read_the_mailbox_of_a_development_server() {
    let app = TestApp::with(&[("EMAIL_MAILBOX", "true")]);
    for name in ["ada", "bob", "cyd"] {
        register(&app, name).await;
        app.advance(TimeDelta::seconds(1));
    }
    app.deliver().await;
    let list = |query: &str| get(&format!("/api/admin/mailbox{query}")).bearer(OPERATOR_TOKEN);
    let all = send(&app, list("")).await.expect(200).json();
    let to = |page: &Value| {
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|message| message["to"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(to(&all), ["cyd@example.com", "bob@example.com", "ada@example.com"]);
    assert!(all["messages"][0]["text"].as_str().unwrap().contains("http://127.0.0.1:8787/#verify="));
    let first = send(&app, list("?limit=2")).await.expect(200).json();
    let next = format!("?limit=2&cursor={}", first["nextCursor"].as_str().unwrap());
    assert_eq!(to(&send(&app, list(&next)).await.expect(200).json()), ["ada@example.com"]);
    send(&app, list("?cursor=x")).await.expect_problem(400, "bad_cursor");
    let ada = app.user("user");
    send(&app, get("/api/admin/mailbox").bearer(&ada)).await.expect_problem(403, "forbidden");

    app.database.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
        INSERT INTO mailbox (id, recipient, subject, body, created_at)
        SELECT printf('ffffffff-%04d', n), 'x', 'x', 'x', '2026-01-02T03:04:05.678Z' FROM n",
    );
    assert_eq!(app.database.row_counts()["mailbox"], 200);
    app.advance(TimeDelta::hours(24));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.database.row_counts()["mailbox"], 0);
    send(&TestApp::with(&SENDS), list("")).await.expect_problem(404, "not_found");
}
