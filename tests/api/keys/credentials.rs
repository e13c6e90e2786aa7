//! API keys as credentials: bearer tokens and HTTP Basic, challenges, forged keys, the scope `admin`, and the record of
//! the last use.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CSV, Scene, basic, path_in, secret_in};
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, delete, get, head, patch_json, post, post_json, upload};
use crate::support::tus::{create, tus};
use crate::support::{Fault, On};

#[tokio::test]
async fn a_key_is_a_bearer_token_or_the_password_or_the_user_name_of_basic() {
    let scene = Scene::new();
    let secret = scene.secret(&["read"]).await;
    let files = || get("/api/files");
    for call in [
        files().bearer(&secret),
        // curl -u "me:$KEY", and requests with auth=("me", key)
        basic(files(), "me", &secret),
        basic(files(), "", &secret),
        // curl -u "$KEY:"
        basic(files(), &secret, ""),
        files().header("authorization", format!("bearer {secret}")),
    ] {
        scene.app.send(call).await.expect(200);
    }
    for (call, status, code) in [
        (basic(files(), "ada", "correct horse battery"), 401, "unauthenticated"),
        (basic(files(), &secret, "x"), 401, "unauthenticated"),
        (basic(files(), "", ""), 401, "unauthenticated"),
        (basic(files(), "me", &format!("{secret}0")), 401, "unauthenticated"),
        (basic(files(), "me", &scene.token), 401, "unauthenticated"),
        (files().header("authorization", "Basic x"), 400, "bad_request"),
        (basic(files(), "me", &secret).bearer(&secret), 400, "bad_request"),
    ] {
        scene.app.send(call).await.expect_problem(status, code);
    }
}

#[tokio::test]
async fn an_api_key_is_no_operator_token_and_an_operator_token_is_no_api_key() {
    let scene = Scene::new();
    scene.app.send(basic(get("/api/admin/sweeps"), "me", OPERATOR_TOKEN)).await.expect(401);
    let secret = scene.secret(&["read", "write", "cut", "share"]).await;
    scene.app.send(get("/api/admin/sweeps").bearer(&secret)).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_401_offers_basic_to_programs_and_not_to_pages() {
    let scene = Scene::new();
    let challenges = async |call: Call| {
        let response = scene.app.send(call).await.expect(401);
        let all = response.headers.get_all("www-authenticate").iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = ["Basic realm=\"Cutty\"", "Bearer"];
    assert_eq!(challenges(get("/api/files")).await, both);
    assert_eq!(challenges(basic(get("/api/files"), "ada", "wrong")).await, both);
    let login = post_json("/api/auth/login", &json!({"username": "ada", "password": "wrong"}));
    for call in [
        get("/api/files").bearer("x"),
        get("/api/files").header("sec-fetch-mode", "cors"),
        get("/api/files").header("sec-fetch-site", "same-origin"),
        get("/api/files").header("origin", "http://localhost:3000"),
        get("/api/auth/user"),
        login,
    ] {
        assert_eq!(challenges(call).await, ["Bearer"]);
    }
}

#[tokio::test]
async fn no_forged_key_is_accepted() {
    let scene = Scene::new();
    let secret = scene.secret(&["read"]).await;
    // A secret of another service has a right checksum, but no row here.
    let stranger = Scene::new();
    stranger.app.fresh_id::<cutty::domain::ids::EventId>();
    let mut forged = vec![stranger.secret(&["read"]).await];
    for at in 0..secret.len() {
        let mut changed = secret.clone().into_bytes();
        changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
        forged.push(String::from_utf8(changed).unwrap());
        forged.push(format!("{}{}", &secret[..at], &secret[at + 1..]));
    }
    forged.extend((0..20).map(|number| format!("cutty_{number:036}")));
    forged.retain(|forged| *forged != secret);
    assert!(forged.len() >= 100, "{}", forged.len());
    scene.app.faults.forget_calls();
    let mut accepted = 0;
    for forged in &forged {
        for call in [get("/api/files").bearer(forged), basic(get("/api/files"), "me", forged)] {
            accepted += usize::from(scene.app.send(call).await.status != 401);
        }
    }
    assert_eq!(accepted, 0);
    assert!(
        scene.app.faults.count(&On::database()) <= 2,
        "only a secret with a right checksum may be looked up: {:?}",
        scene.app.faults.calls()
    );
}

#[tokio::test]
async fn a_request_with_a_key_makes_as_many_calls_as_with_an_access_token() {
    let scene = Scene::new();
    let secret = scene.secret(&["read", "write", "cut"]).await;
    let file = scene.app.upload(&scene.token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    scene.app.send(get("/api/files").bearer(&secret)).await.expect(200);
    let calls: [fn(&str) -> Call; 5] = [
        |_| get("/api/files"),
        |path| get(&format!("{path}/metadata")),
        |path| get(&format!("{path}/cut")),
        |path| patch_json(path, &json!({"filename": "b.csv"})),
        |_| upload("c.csv", CSV),
    ];
    for call in calls {
        // The first request fills the cache.
        scene.app.send(call(&path).bearer(&scene.token)).await;
        let cost = async |credential: &str| {
            scene.app.faults.forget_calls();
            let response = scene.app.send(call(&path).bearer(credential)).await;
            assert!(response.status.is_success(), "{response}");
            scene.app.faults.calls().len()
        };
        assert_eq!(cost(&secret).await, cost(&scene.token).await);
    }
}

#[tokio::test]
async fn the_last_use_is_recorded_once_a_minute_and_after_the_response() {
    let scene = Scene::new();
    let secret = scene.secret(&["read"]).await;
    let last_use = || scene.app.database.value("SELECT last_used_at FROM api_keys");
    assert_eq!(last_use(), Value::Null);
    let mut writes = 0;
    for _ in 0..3 {
        scene.app.faults.forget_calls();
        for _ in 0..5 {
            assert_eq!(scene.status_of(&secret).await, 200);
            scene.app.advance(TimeDelta::seconds(1));
        }
        // Each request makes two calls: one identifies the sender, and one reads the list.
        writes += scene.app.faults.count(&On::database()) - 10;
        scene.app.advance(TimeDelta::minutes(1));
    }
    assert_eq!(writes, 3);
    let used = last_use();
    assert!(used.as_str().unwrap().ends_with(":00.000Z"), "{used}");
    let listed = scene.send(get("/api/keys")).await.expect(200).json();
    assert_eq!(listed["keys"][0]["lastUsedAt"], used);
    // A refused request is a use too. The use does not change the response if it cannot be recorded.
    scene.app.advance(TimeDelta::minutes(1));
    scene.app.send(delete("/api/files/x").bearer(&secret)).await.expect(403);
    assert_ne!(last_use(), used);
    scene.app.advance(TimeDelta::minutes(1));
    scene.app.faults.inject(Fault::Failed, On::database(), 3);
    assert_eq!(scene.status_of(&secret).await, 200);
    assert!(
        scene
            .app
            .log
            .lines()
            .iter()
            .any(|line| line["message"].as_str().unwrap_or("").contains("use of an API key"))
    );
    scene.app.faults.clear();
    assert_eq!(scene.status_of(&secret).await, 200);
}

#[tokio::test]
async fn a_key_manages_no_keys_and_reads_nothing_about_the_account() {
    let scene = Scene::new();
    scene.app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'ada'");
    let made = scene.make(&json!({"name": "k", "scopes": ["read", "write", "cut", "share", "admin"]})).await;
    let (path, secret) = (path_in(&made), secret_in(&made));
    let password = json!({"current_password": "x", "new_password": "correct horse battery"});
    for call in [
        get("/api/keys"),
        post_json("/api/keys", &json!({"name": "x", "scopes": ["read"]})),
        patch_json(&path, &json!({"expiresAt": null})),
        delete(&path),
        post(&format!("{path}/rotate")),
        get("/api/auth/user"),
        get("/api/auth/sessions"),
        delete("/api/auth/sessions"),
        post_json("/api/auth/password", &password),
        get("/api/usage"),
    ] {
        scene.app.send(call.bearer(&secret)).await.expect_problem(403, "forbidden");
    }
    scene.app.send(get("/api/admin/sweeps").bearer(&secret)).await.expect(200);
}

#[tokio::test]
async fn the_scope_admin_works_while_the_owner_is_an_admin() {
    let scene = Scene::new();
    let role = |role: &str| {
        scene.app.database.execute(&format!("UPDATE users SET role = '{role}' WHERE id = 'ada'"))
    };
    role("admin");
    let tagged = json!({"name": "t", "scopes": ["admin"], "tag": "x"});
    scene.send(post_json("/api/keys", &tagged)).await.expect_problem(400, "bad_request");
    let (secret, other) = (scene.secret(&["admin"]).await, scene.secret(&["read"]).await);
    let users = || get("/api/admin/users");
    scene.app.log.take();
    scene.app.send(users().bearer(&secret)).await.expect(200);
    scene.app.send(basic(users(), "me", &secret)).await.expect(200);
    let principal = scene.app.log.with("action", "read_users").remove(0)["principal"].clone();
    assert!(principal.as_str().unwrap().starts_with("api_key:"), "{principal}");
    let demote = patch_json("/api/admin/users/ada", &json!({"role": "user"}));
    scene.app.send(demote.bearer(&secret)).await.expect_problem(409, "conflict");
    scene.app.send(users().bearer(&other)).await.expect_problem(403, "forbidden");
    scene.app.send(get("/api/files").bearer(&secret)).await.expect_problem(403, "forbidden");
    role("user");
    scene.app.send(users().bearer(&secret)).await.expect_problem(403, "forbidden");
    role("admin");
    scene.app.send(users().bearer(&secret)).await.expect(200);
}

#[tokio::test]
async fn a_dead_key_ends_its_uploads_and_tickets() {
    for act in ["revoke", "disable", "expire"] {
        let scene = Scene::new();
        let made = scene.make(&json!({"name": "k", "scopes": ["read", "write", "cut"]})).await;
        let secret = secret_in(&made);
        let stored = scene.app.send(upload("a.csv", CSV).bearer(&secret)).await.expect(201).json();
        let begun = scene.app.send(create(CSV.len()).bearer(&secret)).await.expect(201);
        let upload_path = begun.header("location").to_owned();
        let ticket = post_json("/api/downloads", &json!({"fileId": stored["file"]["id"]}));
        let ticket = scene.app.send(ticket.bearer(&secret)).await.expect(201).json();
        let url = ticket["download"]["url"].as_str().unwrap();
        scene.app.send(get(url)).await.expect(200);
        scene.app.send(tus(head(&upload_path)).bearer(&secret)).await.expect(200);
        match act {
            "revoke" => drop(scene.send(delete(&path_in(&made))).await.expect(200)),
            "expire" => scene.app.database.execute("UPDATE api_keys SET expires_at = created_at"),
            _ => scene.app.database.execute("UPDATE users SET disabled_at = created_at"),
        }
        scene.app.send(get(url)).await.expect_problem(404, "not_found");
        assert_eq!(scene.app.send(tus(head(&upload_path)).bearer(&secret)).await.status, 401, "{act}");
        assert_eq!(scene.status_of(&secret).await, 401, "{act}");
    }
}
