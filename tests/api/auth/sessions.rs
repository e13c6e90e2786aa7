//! Refresh and logout.

use serde_json::json;

use super::{
    PASSWORD, access_token, advance_seconds, login, logout, refresh, refresh_token, register, whoami,
};
use crate::support::TestApp;

#[tokio::test]
async fn each_refresh_returns_new_tokens_at_the_top_level_and_in_the_object_tokens() {
    let app = TestApp::new();
    let mut session = register(&app, "ada").await;
    for _ in 0..5 {
        advance_seconds(&app, 3600);
        let response = refresh(&app, refresh_token(&session)).await.expect(200);
        assert_eq!(response.header("cache-control"), "no-store");
        let next = response.json();
        assert_ne!(refresh_token(&next), refresh_token(&session));
        for name in ["access_token", "refresh_token", "expires_in"] {
            assert_eq!(next[name], next["tokens"][name]);
        }
        whoami(&app, access_token(&next)).await.expect(200);
        session = next;
    }
}

#[tokio::test]
async fn two_concurrent_refreshes_get_the_same_successor() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let (one, other) =
        tokio::join!(refresh(&app, refresh_token(&session)), refresh(&app, refresh_token(&session)));
    let (one, other) = (one.expect(200).json(), other.expect(200).json());
    assert_eq!(refresh_token(&one), refresh_token(&other));
    advance_seconds(&app, 30);
    let late = refresh(&app, refresh_token(&session)).await.expect(200).json();
    assert_eq!(
        refresh_token(&late),
        refresh_token(&one),
        "for 30 s, a repeated refresh must return the same token"
    );
    refresh(&app, refresh_token(&one)).await.expect(200);
    assert_eq!(app.database.row_counts()["refresh_tokens"], 3);
}

#[tokio::test]
async fn a_refresh_token_that_is_reused_after_30_s_ends_only_its_own_session() {
    let app = TestApp::new();
    let stolen = register(&app, "ada").await;
    let phone = login(&app, "ada", PASSWORD).await.expect(200).json();
    let successor = refresh(&app, refresh_token(&stolen)).await.expect(200).json();
    advance_seconds(&app, 31);
    refresh(&app, refresh_token(&stolen)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&successor)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&stolen)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&phone)).await.expect(200);
    let lines = app.log.with("action", "reuse_token");
    assert_eq!(lines[0]["user_id"], stolen["user"]["id"]);
    assert_eq!(lines.len(), 1, "only the end of the session must be logged: {lines:?}");
    app.log.assert_never_contains(refresh_token(&stolen));
}

#[tokio::test]
async fn logout_ends_the_session_immediately_and_may_be_repeated() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let other = login(&app, "ada", PASSWORD).await.expect(200).json();
    let successor = refresh(&app, refresh_token(&session)).await.expect(200).json();
    for _ in 0..2 {
        let response_json = logout(&app, refresh_token(&session)).await.expect(200).json();
        assert_eq!(response_json, json!({"success": true}));
    }
    refresh(&app, refresh_token(&session)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&successor)).await.expect_problem(401, "unauthenticated");
    refresh(&app, refresh_token(&other)).await.expect(200);
    logout(&app, "not.a.token").await.expect_problem(401, "unauthenticated");
    logout(&app, access_token(&other)).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn logout_with_an_expired_refresh_token_revokes_the_newer_token_of_the_session() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    advance_seconds(&app, 604_000);
    let successor = refresh(&app, refresh_token(&session)).await.expect(200).json();
    advance_seconds(&app, 1000);
    logout(&app, refresh_token(&session)).await.expect(200);
    refresh(&app, refresh_token(&successor)).await.expect_problem(401, "unauthenticated");
}
