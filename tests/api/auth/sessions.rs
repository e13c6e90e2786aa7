//! Refreshing and logging out.

use serde_json::json;

use super::{PASSWORD, access, login, logout, refresh, refresh_of, register, seconds, whoami};
use crate::support::TestApp;

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
    let lines = app.log.with("message", "a spent refresh token was used again; its session was ended");
    assert_eq!(lines[0]["user_id"], stolen["user"]["id"]);
    assert_eq!(lines.len(), 1, "one line when the session is ended: {lines:?}");
    app.log.assert_never_contains(refresh_of(&stolen));
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
