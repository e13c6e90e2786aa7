//! Database faults at each call of the account operations.

use serde_json::{Value, json};

use super::{DJANGO_HASH, PASSWORD, access_token, login, refresh_token, register, send};
use crate::support::client::{Call, get, post_json};
use crate::support::{Fault, On, TestApp};

/// Returns an application with a user whose password hash comes from Django, and a session of that user.
async fn with_a_session() -> (TestApp, Value) {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    app.database.execute(&format!("UPDATE users SET password_hash = '{DJANGO_HASH}'"));
    (app, session)
}

fn every_call(session: &Value) -> Vec<Call> {
    let token = json!({"refresh_token": refresh_token(session)});
    vec![
        post_json("/api/auth/register", &json!({"username": "bob", "password": PASSWORD})),
        post_json("/api/auth/login", &json!({"username": "ada", "password": PASSWORD})),
        post_json("/api/auth/refresh", &token),
        post_json("/api/auth/logout", &token),
        get("/api/auth/user").bearer(access_token(session)),
    ]
}

/// Returns all stored data about accounts.
fn stored(app: &TestApp) -> (Value, Value) {
    let users = "SELECT json_group_array(json_array(id, username, password_hash, role)) AS rows FROM users";
    let tokens =
        "SELECT json_group_array(json_array(jti, family, successor_jti, rotated_at, revoked_at)) AS rows
        FROM refresh_tokens";
    (app.database.value(users), app.database.value(tokens))
}

#[tokio::test]
async fn a_failed_database_call_leaves_no_partial_change_of_an_account() {
    let mut broken = 0;
    for index in 0..5 {
        for nth in 1.. {
            let (app, session) = with_a_session().await;
            let before = stored(&app);
            let call = || every_call(&session).swap_remove(index);
            app.faults.inject(Fault::Failed, On::database(), nth);
            let response = send(&app, call()).await;
            if app.faults.fired() == 0 {
                assert!(nth > 1 && response.status.is_success(), "call {index}: {response}");
                break;
            }
            broken += 1;
            assert_ne!(response.header("retry-after"), "");
            response.expect_problem(503, "unavailable");
            assert_eq!(stored(&app), before, "call {index}, database call {nth}");
            app.faults.clear();
            assert!(
                send(&app, call()).await.status.is_success(),
                "call {index} after the database has recovered"
            );
        }
    }
    assert_eq!(broken, 7, "database calls: register 1, login 2, refresh 1, logout 1, user 2");
}

#[tokio::test]
async fn every_user_can_log_in_after_a_write_that_is_wrongly_reported_as_failed() {
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
