//! The switches: refused operations, their variables, what operators set at run time, and failures of the database.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{get, patch_json, post, post_json, upload};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";

async fn set(app: &TestApp, change: Value) -> Value {
    let call = patch_json("/api/admin/switches", &change).bearer(OPERATOR_TOKEN);
    app.send(call).await.expect(200).json()["switches"].clone()
}

/// Stores a file and its profile, and returns the path of the file.
async fn stored(app: &TestApp, token: &str) -> String {
    let file = app.upload(token, "a.csv", CSV).await;
    app.deliver().await;
    format!("/api/files/{}", file["id"].as_str().unwrap())
}

#[tokio::test]
async fn each_switch_refuses_its_operations_and_no_others() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = stored(&app, &token).await;
    let share = post_json(&format!("{file}/share"), &json!({"kind": "download"})).bearer(&token);
    let shared = app.send(share).await.expect(201).json()["share"]["url"].as_str().unwrap().to_owned();
    let shared = format!("/api/shared/{}", shared.rsplit(['/', '#']).next().unwrap());
    let requests = || {
        [
            ("upload", upload("b.csv", CSV).bearer(&token)),
            ("cut", get(&format!("{file}/cut")).bearer(&token)),
            ("rows", get(&format!("{file}/rows")).bearer(&token)),
            ("save", post_json(&format!("{file}/save"), &json!({"filename": "c.csv"})).bearer(&token)),
            ("share", post_json(&format!("{file}/share"), &json!({"kind": "download"})).bearer(&token)),
            (
                "shared cut",
                post_json(&format!("{file}/share"), &json!({"kind": "cut", "recipe": {}})).bearer(&token),
            ),
            ("link", get(&shared)),
            ("rename", patch_json(&file, &json!({"filename": "d.csv"})).bearer(&token)),
            ("download", get(&file).bearer(&token)),
            ("list", get("/api/files").bearer(&token)),
            (
                "ticket",
                post_json("/api/downloads", &json!({"fileId": file.rsplit('/').next()})).bearer(&token),
            ),
        ]
    };
    let refused = async || {
        let mut refused = Vec::new();
        for (name, call) in requests() {
            let response = app.send(call).await;
            match response.status.as_u16() {
                503 => {
                    assert_eq!(response.header("retry-after"), "60");
                    response.expect_problem(503, "switched_off");
                    refused.push(name);
                }
                status => assert!(status < 400, "{name}: {response}"),
            }
        }
        refused
    };
    assert_eq!(refused().await, [""; 0]);
    let table = [
        ("uploadsEnabled", false, vec!["upload"]),
        ("cutsEnabled", false, vec!["cut", "rows", "save", "shared cut"]),
        ("sharesEnabled", false, vec!["share", "shared cut", "link"]),
        ("readOnly", true, vec!["upload", "save", "share", "shared cut", "rename"]),
        ("cacheEnabled", false, vec![]),
    ];
    for (name, position, expected) in table {
        set(&app, json!({ name: position })).await;
        assert_eq!(refused().await, expected, "{name}");
        set(&app, json!({ name: null })).await;
    }
    assert_eq!(refused().await, [""; 0]);
}

#[tokio::test]
async fn a_refused_upload_leaves_nothing() {
    let app = TestApp::with(&[("UPLOADS_ENABLED", "false")]);
    let token = app.user("ada");
    app.send(upload("b.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
    assert_eq!(app.database.value("SELECT count(*) FROM files"), 0);
    app.assert_consistent();
}

#[tokio::test]
async fn an_operator_overrules_the_variable_and_can_give_the_switch_back() {
    let app = TestApp::with(&[("READ_ONLY", "true")]);
    let token = app.user("ada");
    let by_variable = json!({"value": true, "source": "variable", "changedAt": null});
    let shown = app.send(get("/api/admin/switches").bearer(OPERATOR_TOKEN)).await.expect(200).json();
    assert_eq!(shown["switches"]["readOnly"], by_variable);
    app.send(upload("b.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
    let switches = set(&app, json!({"readOnly": false})).await;
    assert_eq!(
        switches["readOnly"],
        json!({"value": false, "source": "operator", "changedAt": app.now().to_string()})
    );
    app.send(upload("b.csv", CSV).bearer(&token)).await.expect(201);
    assert_eq!(set(&app, json!({"readOnly": null})).await["readOnly"], by_variable);
    app.send(upload("c.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
}

#[tokio::test]
async fn a_change_without_a_known_member_is_refused() {
    let app = TestApp::new();
    let change = |body: &Value| patch_json("/api/admin/switches", body).bearer(OPERATOR_TOKEN);
    for body in [json!({}), json!({"readonly": true}), json!({"readOnly": "on"}), json!({"readOnly": 1})] {
        app.send(change(&body)).await.expect_problem(400, "bad_request");
    }
    app.send(patch_json("/api/admin/switches", &json!({"readOnly": true})).bearer(&app.user("ada")))
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(app.database.value("SELECT count(*) FROM switches"), 0);
}

#[tokio::test]
async fn another_isolate_knows_a_change_after_ten_seconds_and_reads_the_switches_once() {
    let app = TestApp::new();
    let token = app.user("ada");
    // Another isolate changes the row.
    app.database.execute("INSERT INTO switches VALUES ('uploads', 0, '2026-01-01T00:00:00.000Z')");
    let reads = || app.faults.count(&On::database().about("FROM switches"));
    app.send(upload("b.csv", CSV).bearer(&token)).await.expect(201);
    let before = reads();
    app.advance(TimeDelta::seconds(10));
    app.send(upload("c.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
    app.send(upload("d.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
    assert_eq!(reads() - before, 1);
}

#[tokio::test]
async fn the_last_known_positions_hold_while_the_switches_cannot_be_read() {
    let app = TestApp::new();
    let token = app.user("ada");
    set(&app, json!({"uploadsEnabled": false})).await;
    app.advance(TimeDelta::minutes(5));
    app.faults.always(Fault::Failed, On::database().about("FROM switches"));
    app.send(upload("c.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
    // A new isolate knows only the variables.
    let app = app.reconfigured(&[]);
    app.faults.clear();
    app.send(upload("c.csv", CSV).bearer(&token)).await.expect_problem(503, "switched_off");
}

#[tokio::test]
async fn without_the_cache_every_profile_is_read() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = stored(&app, &token).await;
    let profile = || get(&format!("{file}/profile")).bearer(&token);
    let mut reads = Vec::new();
    for position in [json!(true), json!(false)] {
        set(&app, json!({ "cacheEnabled": position })).await;
        app.send(profile()).await.expect(200);
        app.faults.forget_calls();
        app.send(profile()).await.expect(200);
        reads.push(app.faults.count(&On::objects()));
    }
    assert_eq!(reads[0], 0);
    assert!(reads[1] > 0);
}

#[tokio::test]
async fn users_sign_in_and_end_access_while_nothing_can_be_changed() {
    let app = TestApp::new();
    let register =
        json!({"username": "eve", "password": "a long password of eve", "email": "eve@example.org"});
    let session = app.send(post_json("/api/auth/register", &register)).await.expect(201).json();
    let token = session["tokens"]["access_token"].as_str().unwrap().to_owned();
    let key = json!({"name": "k", "scopes": ["read"]});
    let key = app.send(post_json("/api/keys", &key).bearer(&token)).await.expect(201).json();
    set(&app, json!({"readOnly": true})).await;
    let login = json!({"username": "eve", "password": "a long password of eve"});
    app.send(post_json("/api/auth/login", &login)).await.expect(200);
    let revoke = crate::support::client::delete(&format!("/api/keys/{}", key["key"]["id"].as_str().unwrap()));
    let revoked = app.send(revoke.bearer(&token)).await;
    assert!(revoked.status.is_success(), "{revoked}");
    app.send(post_json("/api/auth/register", &json!({"username": "bob", "password": "a long password"})))
        .await
        .expect_problem(503, "switched_off");
    app.send(post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)).await.expect(200);
}
