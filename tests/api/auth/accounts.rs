//! Registration and login.

use serde_json::{Value, json};

use super::{DJANGO_HASH, PASSWORD, access_token, login, register, send, whoami};
use crate::support::client::{get, post, post_json};
use crate::support::{On, TestApp};

#[tokio::test]
async fn registration_creates_a_user_and_a_session_and_the_response_must_not_be_cached() {
    let app = TestApp::new();
    let body = json!({"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD});
    let response = send(&app, post_json("/api/auth/register", &body)).await.expect(201);
    assert_eq!(response.header("cache-control"), "no-store");
    let session = response.json();
    assert_eq!(session["success"], true);
    assert_eq!(session["tokens"]["expires_in"], 900);
    let id = session["user"]["id"].as_str().unwrap();
    let user = json!({
        "id": id, "username": "Ada", "email": "ada@example.com", "email_verified": false, "role": "user",
    });
    assert_eq!(session["user"], user);
    let seen = whoami(&app, access_token(&session)).await.expect(200).json();
    assert_eq!((&seen["success"], &seen["user"]), (&json!(true), &user));
    assert_eq!((&seen["usage"]["usedBytes"], &seen["usage"]["files"]), (&json!(0), &json!(0)));
    app.log.assert_never_contains(PASSWORD);
}

#[tokio::test]
async fn several_users_may_register_without_an_email() {
    let app = TestApp::new();
    for name in ["ada", "bob"] {
        let body = json!({"username": name, "email": "", "password": PASSWORD});
        let session = send(&app, post_json("/api/auth/register", &body)).await.expect(201).json();
        assert_eq!(session["user"]["email"], Value::Null);
    }
}

#[tokio::test]
async fn login_accepts_the_username_or_the_email_in_any_letter_case() {
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
        let response = send(&app, post_json("/api/auth/login", &body)).await.expect(200);
        assert_eq!(response.header("cache-control"), "no-store");
        assert_eq!(response.json()["user"]["id"], id, "{body}");
    }
}

#[tokio::test]
async fn login_prefers_the_user_with_this_username_to_the_user_with_this_email() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await["user"]["id"].clone();
    let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
    app.database.execute(&format!("{sql} ('7', 'ada@example.com', '{DJANGO_HASH}', 't', 't')"));
    let found = login(&app, "ada@example.com", PASSWORD).await.expect(200).json();
    assert_eq!(found["user"]["id"], "7");
    assert_eq!(login(&app, "ada", PASSWORD).await.expect(200).json()["user"]["id"], ada);
}

#[tokio::test]
async fn a_username_or_email_that_is_taken_in_another_letter_case_is_refused_and_nothing_is_written() {
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
async fn exactly_one_of_two_concurrent_registrations_of_the_same_username_succeeds() {
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
async fn an_invalid_registration_is_refused_with_the_name_of_the_field_and_writes_nothing() {
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
    assert_eq!(app.faults.count(&On::database()), 0);
}

#[tokio::test]
async fn a_login_body_that_is_too_long_or_is_not_json_is_refused() {
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
async fn a_registration_and_a_sign_in_cannot_claim_a_role() {
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

    let admins_only = || get("/api/admin/isolate").bearer(access_token(&session));
    send(&app, admins_only()).await.expect_problem(403, "forbidden");
    send(&app, get("/api/admin/isolate")).await.expect_problem(401, "unauthenticated");
    app.database.execute("UPDATE users SET role='admin' WHERE username='mallory'");
    send(&app, admins_only()).await.expect(200);
    app.database.execute("UPDATE users SET role='user' WHERE username='mallory'");
    send(&app, admins_only()).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_failed_login_has_the_same_response_for_every_reason() {
    let app = TestApp::new();
    register(&app, "ada").await;
    app.database
        .execute("INSERT INTO users (id, username, created_at, updated_at) VALUES ('7', 'none', 't', 't')");
    let mut problems = Vec::new();
    for (name, password) in [("ada", "wrong password"), ("nobody", PASSWORD), ("none", PASSWORD), ("ada", "")]
    {
        app.faults.forget_calls();
        let mut problem = login(&app, name, password).await.expect_problem(401, "bad_credentials");
        problem["requestId"] = Value::Null;
        problems.push((problem, app.faults.calls().len()));
    }
    assert!(problems.iter().all(|problem| *problem == problems[0]), "{problems:?}");
    app.log.assert_never_contains("wrong password");
}

#[tokio::test]
async fn a_django_hash_is_replaced_at_the_first_successful_login() {
    let app = TestApp::new();
    let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
    app.database.execute(&format!("{sql} ('42', 'ada', '{DJANGO_HASH}', 't', 't')"));
    let stored = || app.database.value("SELECT password_hash FROM users");
    login(&app, "ada", "correct horse batterx").await.expect_problem(401, "bad_credentials");
    assert_eq!(stored(), DJANGO_HASH, "a wrong password must not replace the hash");
    let session = login(&app, "ada", PASSWORD).await.expect(200).json();
    assert_eq!(session["user"]["id"], "42");
    let replaced = stored();
    assert!(replaced.as_str().unwrap().starts_with("$argon2id$"), "{replaced}");
    login(&app, "ada", PASSWORD).await.expect(200);
    login(&app, "ada", "correct horse batterx").await.expect_problem(401, "bad_credentials");
    assert_eq!(stored(), replaced, "an Argon2id hash must not be replaced");
}

#[tokio::test]
async fn a_wrong_password_costs_the_same_for_every_user_and_a_right_password_costs_only_one_hash() {
    let app = TestApp::new();
    register(&app, "ada").await;
    let work = async |login: &str, password: &str| {
        let work = app.accounts().compare_password(login, password).await.unwrap().work;
        (work.argon2id_runs, work.pbkdf2_iterations)
    };
    assert_eq!(work("ada", "wrong password").await, (1, 0));
    let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
    app.database.execute(&format!("{sql} ('42', 'bob', '{DJANGO_HASH}', 't', 't')"));
    for login in ["ada", "bob", "nobody"] {
        assert_eq!(work(login, "wrong password").await, (1, 1000), "{login}");
    }
    assert_eq!(work("ada", PASSWORD).await, (1, 0), "a right password must cost only its own hash");
    assert_eq!(work("bob", PASSWORD).await, (0, 1000));
}

#[tokio::test]
async fn a_wrong_password_costs_as_many_iterations_as_the_slowest_valid_django_hash() {
    let app = TestApp::new();
    let most = async || {
        let most = cutty::sql::accounts::MostDjangoIterations { most: 2_000_000 };
        app.app.database.query(most.statement()).await.unwrap()[0]["iterations"].clone()
    };
    assert_eq!(most().await, Value::Null);
    let hash_with_iterations = |iterations: &str| DJANGO_HASH.replace("$1000$", &format!("${iterations}$"));
    let hashes = [
        hash_with_iterations("-1"),
        hash_with_iterations("0"),
        hash_with_iterations("nonsense"),
        hash_with_iterations("2000001"),
        hash_with_iterations("99999999999999999999"),
        "$argon2id$v=19".to_owned(),
        hash_with_iterations("700"),
        hash_with_iterations("1000"),
    ];
    for (id, hash) in hashes.iter().enumerate() {
        let sql = "INSERT INTO users (id, username, password_hash, created_at, updated_at) VALUES";
        app.database.execute(&format!("{sql} ('{id}', 'user {id}', '{hash}', 't', 't')"));
        let wanted = match id {
            6 => json!(700),
            7 => json!(1000),
            _ => Value::Null,
        };
        assert_eq!(most().await, wanted, "{hash}");
    }
    app.database.execute("DELETE FROM users WHERE password_hash NOT LIKE '%$-1$%'");
    login(&app, "nobody", PASSWORD).await.expect_problem(401, "bad_credentials");
}
