//! The accounts, as operators see and change them.

use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, TestResponse, get, patch_json, post_json};
use crate::support::{Fault, On, TestApp};

async fn list(app: &TestApp, query: &str) -> Value {
    let call = get(&format!("/api/admin/users{query}")).bearer(OPERATOR_TOKEN);
    app.send(call).await.expect(200).json()
}

fn change(user: &str, body: &Value) -> Call {
    patch_json(&format!("/api/admin/users/{user}"), body)
}

async fn changed(app: &TestApp, user: &str, body: &Value) -> TestResponse {
    app.send(change(user, body).bearer(OPERATOR_TOKEN)).await
}

async fn register(app: &TestApp, name: &str) -> Value {
    let body = json!({"username": name, "email": format!("{name}@example.org"), "password": "correct horse battery"});
    app.send(post_json("/api/auth/register", &body)).await.expect(201).json()
}

fn token(session: &Value) -> &str {
    session["tokens"]["access_token"].as_str().unwrap()
}

fn id(session: &Value) -> &str {
    session["user"]["id"].as_str().unwrap()
}

#[tokio::test]
async fn accounts_are_listed_by_name_with_their_quota_and_usage() {
    let app = TestApp::new();
    for name in ["Bob", "ada", "cyd"] {
        let session = register(&app, name).await;
        app.upload(token(&session), "a.csv", "a,b\n1,2\n").await;
    }
    let names = |page: &Value| {
        let users = page["users"].as_array().unwrap();
        users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = list(&app, "").await;
    assert_eq!(names(&all), ["ada", "Bob", "cyd"]);
    let ada = &all["users"][0];
    assert_eq!((&ada["files"], &ada["usedBytes"], &ada["quotaBytes"]), (&json!(1), &json!(8), &json!(null)));
    assert_eq!((&ada["role"], &ada["disabledAt"]), (&json!("user"), &json!(null)));
    assert!(!all.to_string().contains("argon2"), "{all}");

    let first = list(&app, "?limit=2").await;
    assert_eq!((names(&first).len(), &first["hasMore"]), (2, &json!(true)));
    let next = list(&app, &format!("?limit=2&cursor={}", first["nextCursor"].as_str().unwrap())).await;
    assert_eq!((names(&next), &next["nextCursor"]), (vec!["cyd".to_owned()], &json!(null)));
    assert_eq!(names(&list(&app, "?q=BO").await), ["Bob"]);
    assert_eq!(names(&list(&app, "?q=cyd%40example").await), ["cyd"]);
    assert!(names(&list(&app, "?q=%25").await).is_empty());
    let other = format!("/api/admin/users?q=b&cursor={}", first["nextCursor"].as_str().unwrap());
    app.send(get(&other).bearer(OPERATOR_TOKEN)).await.expect_problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_disabled_account_is_refused_everywhere_and_keeps_its_files() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let file = app.upload(token(&session), "a.csv", "a,b\n1,2\n").await;
    let ticket = post_json("/api/downloads", &json!({"fileId": file["id"]})).bearer(token(&session));
    let ticket = app.send(ticket).await.expect(201).json()["download"]["url"].as_str().unwrap().to_owned();
    let off = changed(&app, id(&session), &json!({"disabled": true})).await.expect(200).json();
    assert!(off["user"]["disabledAt"].is_string());
    let again = changed(&app, id(&session), &json!({"disabled": true})).await.expect(200).json();
    assert_eq!(again["user"], off["user"], "a repeated request must change nothing");

    app.send(get("/api/files").bearer(token(&session))).await.expect_problem(401, "unauthenticated");
    app.send(get(&ticket)).await.expect_problem(404, "not_found");
    let login = json!({"username": "ada", "password": "correct horse battery"});
    app.send(post_json("/api/auth/login", &login)).await.expect_problem(401, "bad_credentials");
    let refresh = json!({"refresh_token": session["tokens"]["refresh_token"]});
    app.send(post_json("/api/auth/refresh", &refresh)).await.expect_problem(401, "unauthenticated");

    let on = changed(&app, id(&session), &json!({"disabled": false})).await.expect(200).json();
    assert_eq!(on["user"]["disabledAt"], json!(null));
    // The sessions from before stay closed.
    app.send(get("/api/files").bearer(token(&session))).await.expect_problem(401, "unauthenticated");
    app.send(post_json("/api/auth/refresh", &refresh)).await.expect_problem(401, "unauthenticated");
    assert!(app.log.with("action", "reuse_token").is_empty());
    let again = app.send(post_json("/api/auth/login", &login)).await.expect(200).json();
    let files = app.send(get("/api/files").bearer(token(&again))).await.expect(200).json();
    assert_eq!(files["total"], 1);
    let changes: Vec<_> =
        app.log.with("action", "change_user").iter().map(|line| line["subject"].clone()).collect();
    let ada = id(&session);
    let wanted = ["true", "true", "false"].map(|value| json!(format!("{ada} disabled={value}")));
    assert_eq!(changes, wanted);
}

#[tokio::test]
async fn a_role_and_a_quota_can_be_changed_and_a_wrong_change_changes_nothing() {
    let app = TestApp::new();
    let session = register(&app, "ada").await;
    let ada = id(&session);
    let small = changed(&app, ada, &json!({"quotaBytes": 5})).await.expect(200).json();
    assert_eq!(small["user"]["quotaBytes"], 5);
    let upload = crate::support::client::upload("a.csv", "a,b\n1,2\n").bearer(token(&session));
    app.send(upload).await.expect_problem(507, "quota_exceeded");
    assert_eq!(changed(&app, ada, &json!({})).await.expect(200).json()["user"], small["user"]);
    let unlimited = changed(&app, ada, &json!({"quotaBytes": null})).await.expect(200).json();
    assert_eq!(unlimited["user"]["quotaBytes"], json!(null));
    app.upload(token(&session), "a.csv", "a,b\n1,2\n").await;

    for body in [
        json!({"role": "owner"}),
        json!({"quotaBytes": -1}),
        json!({"quotaBytes": 9_007_199_254_740_992_u64}),
        json!({"disabled": "yes"}),
        json!({"username": "eve"}),
    ] {
        changed(&app, ada, &body).await.expect_problem(400, "bad_request");
    }
    for missing in ["018f0000-0000-7000-8000-000000000001", "%20"] {
        changed(&app, missing, &json!({"role": "admin"})).await.expect_problem(404, "not_found");
    }
    assert_eq!(changed(&app, ada, &json!({})).await.expect(200).json()["user"]["role"], "user");

    changed(&app, ada, &json!({"role": "admin"})).await.expect(200);
    for own in [json!({"role": "user"}), json!({"disabled": true})] {
        app.send(change(ada, &own).bearer(token(&session))).await.expect_problem(409, "conflict");
    }
    let bob = register(&app, "bob").await;
    app.send(change(id(&bob), &json!({"disabled": true})).bearer(token(&session))).await.expect(200);
    app.send(change(ada, &json!({"role": "user"})).bearer(token(&bob)))
        .await
        .expect_problem(401, "unauthenticated");
    changed(&app, ada, &json!({"role": "user"})).await.expect(200);
    app.send(get("/api/admin/users").bearer(token(&session))).await.expect_problem(403, "forbidden");
    app.assert_consistent();
}

#[tokio::test]
async fn a_change_of_an_account_happens_wholly_or_not_at_all() {
    for fault in Fault::ALL {
        let app = TestApp::new();
        let session = register(&app, "ada").await;
        app.faults.inject(fault, On::database(), 1);
        let body = json!({"disabled": true, "quotaBytes": 5, "role": "admin"});
        let call = change(id(&session), &body).bearer(OPERATOR_TOKEN);
        let response = app.faults.until_crash(app.send(call)).await;
        assert_eq!(app.faults.fired(), 1);
        app.faults.clear();
        assert!(response.is_none_or(|response| response.status == 503), "{fault:?}");
        let user = list(&app, "").await["users"][0].clone();
        let done = [user["role"] == "admin", user["quotaBytes"] == 5, user["disabledAt"].is_string()];
        assert!(done == [true; 3] || done == [false; 3], "{fault:?}: {user}");
    }
}
