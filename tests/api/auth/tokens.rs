//! Access with tokens, and the expiry of tokens.

use serde_json::json;

use super::{
    DJANGO_ACCESS, DJANGO_ISSUED, DJANGO_KEY, DJANGO_REFRESH, PASSWORD, access_token, advance_seconds, login,
    logout, refresh, refresh_token, register, send, whoami,
};
use crate::support::TestApp;
use crate::support::client::{get, post_json};

#[tokio::test]
async fn a_token_is_valid_before_its_announced_expiry_and_is_refused_with_token_expired_afterwards() {
    let app = TestApp::with(&[("ACCESS_TOKEN_TTL", "60"), ("REFRESH_TOKEN_TTL", "600")]);
    let session = register(&app, "ada").await;
    assert_eq!(session["tokens"]["expires_in"], 60);
    advance_seconds(&app, 59);
    whoami(&app, access_token(&session)).await.expect(200);
    advance_seconds(&app, 1);
    let response = whoami(&app, access_token(&session)).await;
    assert_eq!(response.header("www-authenticate"), "Bearer");
    response.expect_problem(401, "token_expired");
    advance_seconds(&app, 540);
    refresh(&app, refresh_token(&session)).await.expect_problem(401, "token_expired");
}

#[tokio::test]
async fn access_and_refresh_tokens_are_not_interchangeable() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    whoami(&app, refresh_token(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, access_token(&session)).await.expect_problem(401, "unauthenticated");
    for token in ["", "x", "a.b.c", &"x".repeat(100_000)] {
        refresh(&app, token).await.expect_problem(401, "unauthenticated");
        whoami(&app, token).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn only_the_log_says_why_a_token_is_refused() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let (good, other_kind) = (access_token(&session).to_owned(), refresh_token(&session));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(43));
    let long = "x".repeat(100_000);
    for (token, reason) in [
        (other_kind, "wrong token_type"),
        (forged.as_str(), "no configured key made the signature"),
        ("a.b.c", "unreadable header"),
        ("x", "not three parts"),
        (long.as_str(), "too long"),
    ] {
        app.log.take();
        let problem = whoami(&app, token).await.expect_problem(401, "unauthenticated");
        assert!(!problem.to_string().contains(reason), "{problem}");
        // Ignores the log line of the security event, because that line has no cause.
        let mut lines = app.log.with("error_code", "unauthenticated");
        lines.retain(|line| line["action"].is_null());
        assert_eq!((lines.len(), &lines[0]["cause"]), (1, &json!(reason)));
        app.log.assert_never_contains(token);
    }
}

#[tokio::test]
async fn a_request_needs_exactly_one_bearer_token() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let bearer = format!("Bearer {}", access_token(&session));
    let route = || get("/api/auth/user");
    let good = send(&app, route().header("authorization", &bearer)).await.expect(200);
    assert_eq!(good.json()["user"]["id"], session["user"]["id"]);
    let twice = route().header("authorization", &bearer).header("authorization", &bearer);
    let joined = route().header("authorization", format!("{bearer}, {bearer}"));
    for call in [route(), route().header("authorization", access_token(&session))] {
        send(&app, call).await.expect_problem(401, "unauthenticated");
    }
    for call in [twice, joined, route().header("authorization", format!("{bearer}\""))] {
        let problem = send(&app, call).await.expect_problem(400, "bad_request");
        assert_eq!(problem["header"], "authorization");
    }
}

#[tokio::test]
async fn tokens_of_a_deleted_account_are_refused() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.database.execute("DELETE FROM users");
    whoami(&app, access_token(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&session)).await.expect_problem(401, "unauthenticated");
    logout(&app, refresh_token(&session)).await.expect(200);
}

#[tokio::test]
async fn a_django_access_token_is_accepted_if_its_user_has_a_row() {
    let app = TestApp::with(&[DJANGO_KEY]);
    app.clock.set(DJANGO_ISSUED);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "unauthenticated");
    assert_eq!(app.database.row_counts()["users"], 0);
    let sql = "INSERT INTO users (id, username, created_at, updated_at) VALUES ('42', 'ada', 't', 't')";
    app.database.execute(sql);
    assert_eq!(whoami(&app, DJANGO_ACCESS).await.expect(200).json()["user"]["username"], "ada");
    refresh(&app, DJANGO_REFRESH).await.expect_problem(401, "unauthenticated");
    advance_seconds(&app, 900);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "token_expired");
}

#[tokio::test]
async fn provisioning_creates_an_ordinary_account_for_an_unknown_user_with_a_valid_token() {
    let app = TestApp::with(&[DJANGO_KEY, ("PROVISION_USERS", "true")]);
    app.clock.set(DJANGO_ISSUED);
    let (one, other) = tokio::join!(whoami(&app, DJANGO_ACCESS), whoami(&app, DJANGO_ACCESS));
    let user =
        json!({"id": "42", "username": "user:42", "email": null, "email_verified": false, "role": "user"});
    assert_eq!(one.expect(200).json()["user"], user);
    assert_eq!(other.expect(200).json()["user"], user);
    assert_eq!(app.database.row_counts()["users"], 1);
    login(&app, "user:42", "").await.expect_problem(401, "bad_credentials");
    let body = json!({"username": "user:43", "password": PASSWORD});
    send(&app, post_json("/api/auth/register", &body)).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn only_expired_refresh_tokens_are_deleted() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    refresh(&app, refresh_token(&ada)).await.expect(200);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 0);
    advance_seconds(&app, 604_000);
    let bob = register(&app, "bob").await;
    advance_seconds(&app, 1000);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 2);
    refresh(&app, refresh_token(&bob)).await.expect(200);
    assert_eq!(app.accounts().forget_expired_tokens().await.unwrap(), 0);
}
