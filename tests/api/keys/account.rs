//! The list of keys of an account: making, changing, revoking and forgetting keys.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Scene, path_in, secret_in};
use crate::support::client::{delete, get, patch_json, post, post_json};
use crate::support::{Fault, On};

#[tokio::test]
async fn a_key_is_made_and_its_secret_is_shown_once() {
    let scene = Scene::new();
    let body = json!({
        "name": " nightly ", "scopes": ["cut", "read", "cut"], "tag": "prod", "expiresAt": "2030-01-31T12:00:00+02:00",
    });
    let response = scene.send(post_json("/api/keys", &body)).await.expect(201);
    let made = response.json();
    assert_eq!(
        (response.header("location"), response.header("cache-control")),
        (&*path_in(&made), "no-store")
    );
    let secret = secret_in(&made);
    let key = &made["key"];
    let wanted = json!({
        "id": key["id"], "name": "nightly", "scopes": ["read", "cut"], "tag": "prod", "createdAt": scene.app.now(),
        "expiresAt": "2030-01-31T10:00:00.000Z", "lastUsedAt": null, "hint": &secret[38..], "overlapEndsAt": null,
    });
    assert_eq!(key, &wanted);
    assert!(secret.starts_with("cutty_") && secret.len() == 42, "{secret}");
    let list = scene.send(get("/api/keys")).await.expect(200);
    assert_eq!(list.json(), json!({"success": true, "keys": [wanted], "hasMore": false, "nextCursor": null}));
    assert!(!list.text().contains(&secret));
    scene.app.log.assert_never_contains(&secret);
    for table in ["api_keys", "api_key_secrets"] {
        let rows = json!(scene.app.database.rows(&format!("SELECT * FROM {table}"))).to_string();
        assert!(!rows.contains(&secret) && !rows.contains(&secret[6..36]), "{rows}");
    }
}

#[tokio::test]
async fn bad_requests_for_keys_are_refused_and_make_no_key() {
    let scene = Scene::new();
    let long = "n".repeat(101);
    for (body, status) in [
        (json!({}), 400),
        (json!({"name": "k"}), 400),
        (json!({"name": "k", "scopes": []}), 400),
        (json!({"name": "k", "scopes": ["delete"]}), 400),
        (json!({"name": "k", "scopes": "read"}), 400),
        (json!({"name": "k", "scopes": ["read"], "extra": 1}), 400),
        (json!({"name": "", "scopes": ["read"]}), 422),
        (json!({"name": "a\nb", "scopes": ["read"]}), 422),
        (json!({"name": long, "scopes": ["read"]}), 422),
        (json!({"name": "k", "scopes": ["read"], "tag": ""}), 400),
        (json!({"name": "k", "scopes": ["read"], "tag": "t".repeat(65)}), 400),
        (json!({"name": "k", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}), 400),
        (json!({"name": "k", "scopes": ["read"], "expiresAt": "tomorrow"}), 400),
        (json!({"name": "k", "scopes": ["admin"]}), 403),
    ] {
        let response = scene.send(post_json("/api/keys", &body)).await;
        assert_eq!(response.status, status, "{body}: {response}");
    }
    assert_eq!(scene.app.database.row_counts()["api_keys"], 0);
    let made = scene.make(&json!({"name": "k", "scopes": ["read"], "expiresAt": null, "tag": null})).await;
    let path = path_in(&made);
    for (body, status) in [
        (json!({"name": null}), 400),
        (json!({"name": ""}), 422),
        (json!({"scopes": ["write"]}), 400),
        (json!({"tag": "x"}), 400),
        (json!({"expiresAt": "2020-01-01T00:00:00Z"}), 400),
    ] {
        let response = scene.send(patch_json(&path, &body)).await;
        assert_eq!(response.status, status, "{body}: {response}");
    }
    for body in
        [json!({"overlap": 604_801}), json!({"overlap": -1}), json!({"overlap": "1"}), json!({"x": 1})]
    {
        scene.send(post_json(&format!("{path}/rotate"), &body)).await.expect_problem(400, "bad_request");
    }
    assert_eq!(scene.send(get("/api/keys")).await.json()["keys"], json!([made["key"]]));
}

#[tokio::test]
async fn a_name_belongs_to_one_key_of_a_user() {
    let scene = Scene::new();
    let body = json!({"name": "k", "scopes": ["read"]});
    let made = scene.make(&body).await;
    let again = scene.send(post_json("/api/keys", &body)).await;
    assert_eq!(again.json()["id"], made["key"]["id"]);
    again.expect_problem(409, "conflict");
    let other = path_in(&scene.make(&json!({"name": "other", "scopes": ["read"]})).await);
    scene.send(patch_json(&other, &json!({"name": "k"}))).await.expect_problem(409, "conflict");
    scene.send(patch_json(&other, &json!({"name": "other"}))).await.expect(200);
    let bob = scene.app.user("bob");
    scene.app.send(post_json("/api/keys", &body).bearer(&bob)).await.expect(201);
}

#[tokio::test]
async fn a_key_is_renamed_and_its_expiry_is_changed() {
    let scene = Scene::new();
    let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
    let (path, secret) = (path_in(&made), secret_in(&made));
    let end = scene.app.now().plus(TimeDelta::hours(1));
    let key = scene.send(patch_json(&path, &json!({"expiresAt": end}))).await.expect(200).json();
    assert_eq!((&key["key"]["name"], &key["key"]["expiresAt"]), (&json!("k"), &json!(end)));
    assert_eq!(scene.status_of(&secret).await, 200);
    scene.app.advance(TimeDelta::hours(1));
    assert_eq!(scene.status_of(&secret).await, 401);
    let body = json!({"name": "renamed", "expiresAt": null});
    let key = scene.send(patch_json(&path, &body)).await.expect(200).json();
    assert_eq!((&key["key"]["name"], &key["key"]["expiresAt"]), (&json!("renamed"), &Value::Null));
    assert_eq!(scene.status_of(&secret).await, 200);
}

#[tokio::test]
async fn a_revoked_key_and_its_secrets_are_dead_at_once() {
    let scene = Scene::new();
    let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
    let (path, secret) = (path_in(&made), secret_in(&made));
    let newer = secret_in(&scene.send(post(&format!("{path}/rotate"))).await.expect(200).json());
    assert_eq!((scene.status_of(&secret).await, scene.status_of(&newer).await), (200, 200));
    scene.send(delete(&path)).await.expect(200);
    assert_eq!((scene.status_of(&secret).await, scene.status_of(&newer).await), (401, 401));
    for call in [delete(&path), patch_json(&path, &json!({})), post(&format!("{path}/rotate"))] {
        scene.send(call).await.expect_problem(404, "not_found");
    }
    let counts = scene.app.database.row_counts();
    assert_eq!((counts["api_keys"], counts["api_key_secrets"]), (0, 0));
}

#[tokio::test]
async fn the_number_of_keys_is_limited_and_lists_have_pages() {
    let scene = Scene::new();
    for number in 0..100 {
        scene.make(&json!({"name": format!("{number:03}"), "scopes": ["read"]})).await;
    }
    let one_more = post_json("/api/keys", &json!({"name": "x", "scopes": ["read"]}));
    let refused = scene.send(one_more).await;
    assert_eq!(refused.json()["limit"], 100);
    refused.expect_problem(409, "conflict");
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = scene.send(get(&format!("/api/keys?limit=30{cursor}"))).await.expect(200).json();
        names.extend(page["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()));
        assert_eq!(page["hasMore"], page["nextCursor"].is_string());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, (0..100).map(|number| json!(format!("{number:03}"))).collect::<Vec<_>>());
    scene.send(get("/api/keys?cursor=x")).await.expect_problem(400, "bad_cursor");
    scene.send(get("/api/keys?limit=0")).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn keys_belong_to_one_account() {
    let scene = Scene::new();
    let path = path_in(&scene.make(&json!({"name": "k", "scopes": ["read"]})).await);
    let bob = scene.app.user("bob");
    assert_eq!(scene.app.send(get("/api/keys").bearer(&bob)).await.expect(200).json()["keys"], json!([]));
    for call in [delete(&path), patch_json(&path, &json!({"name": "x"})), post(&format!("{path}/rotate"))] {
        scene.app.send(call.bearer(&bob)).await.expect_problem(404, "not_found");
    }
    assert_eq!(scene.app.database.row_counts()["api_key_secrets"], 1);
}

#[tokio::test]
async fn each_act_on_a_key_is_a_line_of_the_log() {
    let scene = Scene::new();
    scene.app.log.take();
    let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
    let path = path_in(&made);
    let rotated = scene.send(post(&format!("{path}/rotate"))).await.expect(200).json();
    scene.send(patch_json(&path, &json!({"name": "other"}))).await.expect(200);
    scene.send(delete(&path)).await.expect(200);
    let lines = scene.app.log.lines().into_iter().filter(|line| line["action"].is_string());
    let lines: Vec<_> = lines
        .map(|line| json!([line["action"], line["principal"], line["subject"], line["success"]]))
        .collect();
    let acts = ["key", "rotate_key", "change_key", "revoke_key"];
    let wanted: Vec<_> = acts.iter().map(|act| json!([act, "user:ada", made["key"]["id"], true])).collect();
    assert_eq!(lines, wanted);
    for secret in [secret_in(&made), secret_in(&rotated)] {
        scene.app.log.assert_never_contains(&secret);
    }
}

#[tokio::test]
async fn expired_keys_and_ended_secrets_are_forgotten() {
    let scene = Scene::new();
    let end = scene.app.now().plus(TimeDelta::days(1));
    scene.make(&json!({"name": "short", "scopes": ["read"], "expiresAt": end})).await;
    let path = path_in(&scene.make(&json!({"name": "long", "scopes": ["read"]})).await);
    scene.send(post(&format!("{path}/rotate"))).await.expect(200);
    let counts = || {
        let counts = scene.app.database.row_counts();
        (counts["api_keys"], counts["api_key_secrets"])
    };
    let mut day = 0;
    for (next, wanted) in [(0, (2, 3)), (1, (2, 2)), (30, (2, 2)), (31, (1, 1)), (3000, (1, 1))] {
        scene.app.advance(TimeDelta::days(next - day));
        day = next;
        scene.app.sweep(scene.app.now()).await.unwrap();
        assert_eq!(counts(), wanted, "day {day}");
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn a_deleted_account_has_no_keys_and_a_revoked_key_leaves_no_counts_for_long() {
    let scene = Scene::new();
    let made = scene.make(&json!({"name": "k", "scopes": ["write"]})).await;
    let call = crate::support::client::upload("a.csv", super::CSV).header("idempotency-key", "x");
    scene.app.send(call.bearer(&secret_in(&made))).await.expect(201);
    let counted = format!(
        "SELECT count(*) AS n FROM usage WHERE user_id = 'api_key:{}'",
        made["key"]["id"].as_str().unwrap()
    );
    assert_eq!(scene.app.database.value(&counted), 1);
    scene.send(delete(&path_in(&made))).await.expect(200);
    scene.app.assert_consistent();
    scene.app.advance(TimeDelta::hours(25));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.app.database.value(&counted), 0);
    scene.app.assert_consistent();
    scene.make(&json!({"name": "k", "scopes": ["write"]})).await;
    scene.app.database.execute("DELETE FROM users WHERE id = 'ada'");
    let counts = scene.app.database.row_counts();
    assert_eq!((counts["api_keys"], counts["api_key_secrets"]), (0, 0));
}

#[tokio::test]
async fn a_failed_database_makes_no_key_that_nobody_knows_and_a_repeated_request_says_what_to_do() {
    let scene = Scene::new();
    let body = json!({"name": "k", "scopes": ["read"]});
    scene.app.faults.inject(Fault::DoneButReportedFailed, On::database(), 2);
    scene.send(post_json("/api/keys", &body)).await.expect_problem(503, "unavailable");
    scene.app.faults.clear();
    let again = scene.send(post_json("/api/keys", &body)).await;
    let id = again.json()["id"].as_str().unwrap().to_owned();
    assert!(again.json()["detail"].as_str().unwrap().contains("/rotate"), "{again}");
    let rotated = scene.send(post(&format!("/api/keys/{id}/rotate"))).await.expect(200).json();
    assert_eq!(scene.status_of(&secret_in(&rotated)).await, 200);
}
