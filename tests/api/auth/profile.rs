//! Changes of the username and the email.

use serde_json::{Value, json};

use super::{DJANGO_HASH, PASSWORD, access_token, login, register, send, whoami};
use crate::support::client::{TestResponse, patch_json};
use crate::support::{Fault, On, TestApp};

async fn change(app: &TestApp, session: &Value, mut body: Value) -> TestResponse {
    body["current_password"] = json!(PASSWORD);
    send(app, patch_json("/api/auth/user", &body).bearer(access_token(session))).await
}

#[tokio::test]
async fn a_user_changes_the_name_and_the_email_and_signs_in_with_the_new_ones() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    app.database.execute("UPDATE users SET email_verified_at = created_at");
    assert_eq!(whoami(&app, access_token(&ada)).await.json()["user"]["email_verified"], true);

    let named = change(&app, &ada, json!({"username": " Ada.L "})).await.expect(200).json();
    assert_eq!(
        (&named["user"]["username"], &named["user"]["email"], &named["user"]["email_verified"]),
        (&json!("Ada.L"), &json!("ada@example.com"), &json!(true))
    );
    let same = change(&app, &ada, json!({"email": "ADA@example.com"})).await.expect(200).json();
    assert_eq!(same["user"]["email_verified"], true, "the same address stays verified");
    let moved = change(&app, &ada, json!({"email": "l@example.com"})).await.expect(200).json();
    assert_eq!(
        (&moved["user"]["email"], &moved["user"]["email_verified"]),
        (&json!("l@example.com"), &json!(false))
    );
    for (name, status) in [("ada", 401), ("ada@example.com", 401), ("ADA.L", 200), ("l@example.com", 200)] {
        login(&app, name, PASSWORD).await.expect(status);
    }
    let none = change(&app, &ada, json!({"email": null})).await.expect(200).json();
    assert_eq!(none["user"]["email"], Value::Null);
    assert_eq!(whoami(&app, access_token(&ada)).await.expect(200).json()["user"], none["user"]);
    // The old name and address are free.
    register(&app, "ada").await;
}

#[tokio::test]
async fn a_wrong_change_of_the_profile_changes_nothing() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    register(&app, "bob").await;
    let before = app.database.rows("SELECT * FROM users ORDER BY id");
    for (body, field) in [
        (json!({"username": "BOB"}), "username"),
        (json!({"email": "Bob@Example.com"}), "email"),
        (json!({"username": "eve", "email": "bob@example.com"}), "email"),
    ] {
        let problem = change(&app, &ada, body).await.expect_problem(409, "user_exists");
        assert_eq!(problem["field"], field);
    }
    for body in [
        json!({}),
        json!({"username": "a b"}),
        json!({"username": null}),
        json!({"email": "nobody"}),
        json!({"email": 7}),
        json!({"username": "eve", "role": "admin"}),
        json!({"username": "user:1"}),
        json!({"username": "deleted:1"}),
    ] {
        change(&app, &ada, body).await.expect_problem(400, "bad_request");
    }
    let call = |body: Value| patch_json("/api/auth/user", &body).bearer(access_token(&ada));
    send(&app, call(json!({"username": "eve"}))).await.expect_problem(400, "bad_request");
    let wrong = json!({"username": "eve", "current_password": "wrong password"});
    let problem = send(&app, call(wrong)).await.expect_problem(403, "forbidden");
    assert_eq!(problem["field"], "current_password");
    assert_eq!(app.database.rows("SELECT * FROM users ORDER BY id"), before);

    // An account without a password cannot confirm the change.
    let token = app.user("cyd");
    let body = json!({"username": "eve", "current_password": ""});
    send(&app, patch_json("/api/auth/user", &body).bearer(&token)).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn of_two_users_who_take_the_same_name_at_once_one_gets_it() {
    let app = TestApp::new();
    let (ada, bob) = (register(&app, "ada").await, register(&app, "bob").await);
    app.faults.set_yield_before_calls(true);
    let body = || json!({"username": "eve", "email": "eve@example.com"});
    let (one, other) = tokio::join!(change(&app, &ada, body()), change(&app, &bob, body()));
    app.faults.set_yield_before_calls(false);
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let eves = "SELECT count(*) AS n FROM users WHERE username = 'eve' AND email = 'eve@example.com'";
    assert_eq!(app.database.value(eves), 1);
}

#[tokio::test]
async fn a_change_of_the_profile_is_refused_if_the_password_changes_meanwhile() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    app.faults.set_yield_before_calls(true);
    app.faults.forget_calls();
    let mut pending = std::pin::pin!(change(&app, &ada, json!({"username": "eve"})));
    while app.faults.count(&On::database()) < 2 {
        assert!(crate::support::turns::poll_once(pending.as_mut()).is_pending());
    }
    app.database.execute(&format!("UPDATE users SET password_hash = '{DJANGO_HASH}'"));
    pending.await.expect_problem(409, "conflict");
    assert_eq!(app.database.value("SELECT username FROM users"), "ada");
}

#[tokio::test]
async fn a_change_of_the_profile_happens_wholly_or_not_at_all() {
    for fault in Fault::ALL {
        for nth in 1..=3 {
            let app = TestApp::new();
            let ada = register(&app, "ada").await;
            app.faults.inject(fault, On::database(), nth);
            let call = change(&app, &ada, json!({"username": "eve", "email": "eve@example.com"}));
            let response = app.faults.until_crash(call).await;
            assert_eq!(app.faults.fired(), 1);
            app.faults.clear();
            let row = app.database.rows("SELECT username, email FROM users").remove(0);
            let is_new = row["username"] == "eve";
            assert_eq!(row["email"], if is_new { "eve@example.com" } else { "ada@example.com" });
            assert!(response.is_none_or(|response| response.status == 503), "{fault:?} {nth}");
            change(&app, &ada, json!({"username": "eve"})).await.expect(200);
        }
    }
}
