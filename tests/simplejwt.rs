//! Tokens that Django's library simplejwt makes are accepted. The tests run versions 5.4 and 5.5 of the library, which
//! `scripts/fixtures` installs.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(unused_imports)]
mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::TestApp;
use support::client::{get, post_json};

const KEY: &str = "a key that Django and Cutty share, 32 bytes or more";
const VERSIONS: [&str; 2] = ["5.4", "5.5"];

/// Makes tokens of user 42 with a version of simplejwt.
fn tokens(version: &str, key: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(format!("target/simplejwt-{version}/bin/python"));
    assert!(python.exists(), "simplejwt {version} is missing. Install it: scripts/fixtures");
    let output = Command::new(python).arg(root.join("tests/simplejwt/tokens.py")).arg(key).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(made["version"].as_str().unwrap().starts_with(version), "{made}");
    made
}

fn text<'a>(made: &'a Value, name: &str) -> &'a str {
    made[name].as_str().unwrap()
}

/// Returns an application whose clock shows the time at which the tokens were made.
fn app(made: &Value, provision: &str) -> TestApp {
    let app = TestApp::with(&[("JWT_SECRET", KEY), ("PROVISION_USERS", provision)]);
    app.clock.set(&text(made, "now").replace("+00:00", "Z"));
    app
}

#[tokio::test]
async fn access_tokens_of_each_version_are_accepted() {
    for version in VERSIONS {
        let made = tokens(version, KEY);
        let app = app(&made, "true");
        for name in ["access", "access_of_refresh"] {
            let user = app.send(get("/api/auth/user").bearer(text(&made, name))).await.expect(200).json();
            assert_eq!(user["user"]["id"], "42", "simplejwt {version}, {name}");
        }
        let access = text(&made, "access");
        let file = app.upload(access, "a.csv", "a,b\n1,2\n").await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        assert_eq!(app.send(get(&path).bearer(access)).await.expect(200).body, b"a,b\n1,2\n");
    }
}

#[tokio::test]
async fn the_versions_write_the_id_of_a_user_as_a_number_or_as_text() {
    assert_eq!(VERSIONS.map(|version| tokens(version, KEY)["user_id"].clone()), [json!(42), json!("42")]);
}

#[tokio::test]
async fn wrong_tokens_of_each_version_are_refused() {
    for version in VERSIONS {
        let made = tokens(version, KEY);
        let app = app(&made, "true");
        let send = async |token: &str| app.send(get("/api/auth/user").bearer(token)).await;
        send(text(&made, "expired")).await.expect_problem(401, "token_expired");
        send(text(&made, "refresh")).await.expect_problem(401, "unauthenticated");
        let body = json!({"refresh_token": text(&made, "access")});
        app.send(post_json("/api/auth/refresh", &body)).await.expect_problem(401, "unauthenticated");
        let access = text(&made, "access");
        // The last character of a signature has bits that do not count, so it is left out.
        for position in (0..access.len() - 1).step_by(7) {
            let mut tampered = access.as_bytes().to_vec();
            tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
            send(&String::from_utf8(tampered).unwrap()).await.expect_problem(401, "unauthenticated");
        }
        let foreign = tokens(version, "another key that Cutty does not know, 32 bytes");
        send(text(&foreign, "access")).await.expect_problem(401, "unauthenticated");
        assert_eq!(app.database.row_counts()["users"], 0, "a refused token creates no account");
        send(access).await.expect(200);
        app.advance(chrono::TimeDelta::minutes(5));
        send(access).await.expect_problem(401, "token_expired");
    }
}

#[tokio::test]
async fn a_token_of_an_unknown_user_creates_an_account_only_if_the_setting_says_so() {
    let made = tokens("5.5", KEY);
    let app = app(&made, "false");
    let access = text(&made, "access");
    app.send(get("/api/auth/user").bearer(access)).await.expect_problem(401, "unauthenticated");
    assert_eq!(app.database.row_counts()["users"], 0);
}
