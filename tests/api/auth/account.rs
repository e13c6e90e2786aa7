//! Passwords and sessions of the signed-in user.

use serde_json::{Value, json};

use super::{
    DJANGO_ACCESS, DJANGO_HASH, DJANGO_ISSUED, DJANGO_KEY, PASSWORD, access_token, advance_seconds, login,
    refresh, refresh_token, register, send, whoami,
};
use crate::support::client::{TestResponse, delete, get, post_json};
use crate::support::turns::poll_once;
use crate::support::{Fault, On, TestApp};

const NEW: &str = "battery horse correct";

async fn change(app: &TestApp, token: &str, current: &str, new: &str) -> TestResponse {
    let body = json!({"current_password": current, "new_password": new});
    send(app, post_json("/api/auth/password", &body).bearer(token)).await
}

async fn sessions(app: &TestApp, token: &str, query: &str) -> Value {
    send(app, get(&format!("/api/auth/sessions{query}")).bearer(token)).await.expect(200).json()
}

/// Checks that neither token of a session is accepted.
async fn assert_over(app: &TestApp, session: &Value) {
    whoami(app, access_token(session)).await.expect_problem(401, "unauthenticated");
    refresh(app, refresh_token(session)).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_starts_one() {
    let app = TestApp::new();
    let one = register(&app, "ada").await;
    let other = login(&app, "ada", PASSWORD).await.expect(200).json();
    let strangers = register(&app, "bob").await;
    let problem =
        change(&app, access_token(&one), "wrong password", NEW).await.expect_problem(403, "forbidden");
    assert_eq!(problem["field"], "current_password");
    let problem =
        change(&app, access_token(&one), PASSWORD, "ada").await.expect_problem(422, "weak_password");
    assert_eq!(problem["field"], "new_password");
    whoami(&app, access_token(&other)).await.expect(200);

    let new = change(&app, access_token(&one), PASSWORD, NEW).await.expect(200).json();
    assert_eq!(new["user"], one["user"]);
    for ended in [&one, &other] {
        assert_over(&app, ended).await;
    }
    whoami(&app, access_token(&strangers)).await.expect(200);
    whoami(&app, access_token(&new)).await.expect(200);
    refresh(&app, refresh_token(&new)).await.expect(200);
    login(&app, "ada", PASSWORD).await.expect_problem(401, "bad_credentials");
    login(&app, "ada", NEW).await.expect(200);
    app.log.assert_never_contains(NEW);
}

#[tokio::test]
async fn a_change_of_the_password_happens_wholly_or_not_at_all() {
    let mut broken = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let app = TestApp::new();
            let session = register(&app, "ada").await;
            app.faults.inject(fault, On::database(), nth);
            let body = json!({"current_password": PASSWORD, "new_password": NEW});
            let call = post_json("/api/auth/password", &body).bearer(access_token(&session));
            let response = app.faults.until_crash(app.send(call)).await;
            if app.faults.fired() == 0 {
                break;
            }
            broken += 1;
            app.faults.clear();
            let note = format!("{fault:?} at call {nth}");
            let old = login(&app, "ada", PASSWORD).await.status;
            let new = login(&app, "ada", NEW).await.status;
            assert!((old == 200) != (new == 200), "{note}: {old} and {new}");
            assert!(response.is_none_or(|response| !response.status.is_success() || new == 200), "{note}");
            let is_old_session_valid = whoami(&app, access_token(&session)).await.status == 200;
            assert_eq!(is_old_session_valid, old == 200, "{note}");
        }
    }
    assert_eq!(broken, 3 * Fault::ALL.len());
}

#[tokio::test]
async fn sessions_are_listed_and_each_can_be_ended() {
    let app = TestApp::new();
    let first = register(&app, "ada").await;
    advance_seconds(&app, 10);
    let body = json!({"username": "ada", "password": PASSWORD});
    let phone = post_json("/api/auth/login", &body).header("user-agent", "phone");
    let phone = send(&app, phone).await.expect(200).json();
    advance_seconds(&app, 10);
    let first = refresh(&app, refresh_token(&first)).await.expect(200).json();
    let strangers = register(&app, "bob").await;

    let listed = sessions(&app, access_token(&phone), "").await;
    let listed = listed["sessions"].as_array().unwrap();
    let of = |name: &str| listed.iter().map(|session| session[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("is_current"), [json!(false), json!(true)]);
    assert_eq!(of("user_agent")[1], json!("phone"));
    assert_ne!(listed[0]["started_at"], listed[0]["last_used_at"]);
    assert_eq!(listed[1]["started_at"], listed[1]["last_used_at"]);
    let page = sessions(&app, access_token(&phone), "?limit=1").await;
    assert_eq!((&page["has_more"], &page["sessions"][0]), (&json!(true), &listed[0]));
    let next = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = sessions(&app, access_token(&phone), &next).await;
    assert_eq!((&page["next_cursor"], &page["sessions"][0]), (&json!(null), &listed[1]));
    let wrong = get("/api/auth/sessions?cursor=x").bearer(access_token(&phone));
    send(&app, wrong).await.expect_problem(400, "bad_cursor");

    let path = format!("/api/auth/sessions/{}", listed[1]["id"].as_str().unwrap());
    let end = |token: &str| delete(&path).bearer(token);
    send(&app, end(access_token(&strangers))).await.expect_problem(404, "not_found");
    send(&app, delete("/api/auth/sessions/x").bearer(access_token(&phone)))
        .await
        .expect_problem(404, "not_found");
    for _ in 0..2 {
        send(&app, end(access_token(&first))).await.expect(200);
    }
    assert_over(&app, &phone).await;
    assert_eq!(sessions(&app, access_token(&first), "").await["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_user_signs_out_everywhere() {
    let app = TestApp::new();
    let one = register(&app, "ada").await;
    let other = login(&app, "ada", PASSWORD).await.expect(200).json();
    send(&app, delete("/api/auth/sessions").bearer(access_token(&one))).await.expect(200);
    for ended in [&one, &other] {
        assert_over(&app, ended).await;
    }
    let new = login(&app, "ada", PASSWORD).await.expect(200).json();
    whoami(&app, access_token(&new)).await.expect(200);
}

#[tokio::test]
async fn tokens_of_another_issuer_end_too_when_the_user_signs_out_everywhere() {
    let app = TestApp::with(&[DJANGO_KEY, ("PROVISION_USERS", "true")]);
    app.clock.set(DJANGO_ISSUED);
    whoami(&app, DJANGO_ACCESS).await.expect(200);
    send(&app, delete("/api/auth/sessions").bearer(DJANGO_ACCESS)).await.expect(200);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_at_its_greatest_age_even_if_it_is_used() {
    let app = TestApp::with(&[("REFRESH_TOKEN_TTL", "600"), ("SESSION_MAX_AGE", "1000")]);
    let mut session = register(&app, "ada").await;
    for _ in 0..3 {
        advance_seconds(&app, 300);
        session = refresh(&app, refresh_token(&session)).await.expect(200).json();
    }
    advance_seconds(&app, 99);
    session = refresh(&app, refresh_token(&session)).await.expect(200).json();
    advance_seconds(&app, 1);
    refresh(&app, refresh_token(&session)).await.expect_problem(401, "token_expired");
    whoami(&app, access_token(&session)).await.expect_problem(401, "token_expired");
}

#[tokio::test]
async fn a_disabled_account_is_refused_everywhere_at_once() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.database.execute("UPDATE users SET disabled_at = created_at");
    assert_over(&app, &session).await;
    login(&app, "ada", PASSWORD).await.expect_problem(401, "bad_credentials");
    app.database.execute("UPDATE users SET disabled_at = NULL");
    whoami(&app, access_token(&session)).await.expect(200);
    advance_seconds(&app, 60);
    refresh(&app, refresh_token(&session)).await.expect(200);
}

#[tokio::test]
async fn two_sign_ins_at_once_that_replace_the_same_outdated_hash_both_succeed() {
    let app = TestApp::new();
    register(&app, "ada").await;
    app.database.execute(&format!("UPDATE users SET password_hash = '{DJANGO_HASH}'"));
    app.faults.set_yield_before_calls(true);
    let (one, other) = tokio::join!(login(&app, "ada", PASSWORD), login(&app, "ada", PASSWORD));
    app.faults.set_yield_before_calls(false);
    for session in [one, other] {
        whoami(&app, access_token(&session.expect(200).json())).await.expect(200);
    }
}

/// The sign-in has compared the password, and then waits until the password has changed.
#[tokio::test]
async fn a_sign_in_with_a_password_that_is_changed_meanwhile_begins_no_session() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.faults.forget_calls();
    app.faults.set_yield_before_calls(true);
    let mut sign_in = std::pin::pin!(login(&app, "ada", PASSWORD));
    while app.faults.count(&On::database()) == 0 {
        assert!(poll_once(sign_in.as_mut()).is_pending());
    }
    app.faults.set_yield_before_calls(false);
    change(&app, access_token(&session), PASSWORD, NEW).await.expect(200);
    sign_in.await.expect_problem(401, "bad_credentials");
    let live = app.database.value("SELECT count(*) AS n FROM refresh_tokens WHERE revoked_at IS NULL");
    assert_eq!(live, json!(1));
}
