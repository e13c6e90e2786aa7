//! Deletion of accounts. The account is unreachable at once; sweeps erase its data, whatever fails.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    DJANGO_ACCESS, DJANGO_ISSUED, DJANGO_KEY, PASSWORD, access_token, login, refresh, refresh_token, register,
};
use super::{send, whoami};
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, TestResponse, delete, get, patch_json, post_json, upload};
use crate::support::parts::{create as create_in_parts, part};
use crate::support::tus::create_with;
use crate::support::{Fault, On, TestApp, schema};

/// A text that no row may contain after the erasure.
const PERSON: &str = "Hopper";

async fn close(app: &TestApp, session: &Value) -> TestResponse {
    let body = json!({"current_password": PASSWORD});
    send(app, post_json("/api/auth/user/delete", &body).bearer(access_token(session))).await
}

/// Returns the columns that contain `text`, as `table.column`.
fn holding(app: &TestApp, text: &str) -> Vec<String> {
    let connection = app.database.connection();
    let mut found = Vec::new();
    for table in schema::tables(&connection) {
        for (column, kind) in schema::columns(&connection, &table) {
            let sql = format!("SELECT count(*) FROM {table} WHERE instr({column}, ?1) > 0");
            let rows: i64 = connection.query_row(&sql, [text], |row| row.get(0)).unwrap();
            if kind == "TEXT" && rows > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}

/// An account whose rows in many tables name a person.
struct Scene {
    app: TestApp,
    session: Value,
    file: String,
    ticket: String,
    tus: String,
    multipart: String,
    link: String,
    key: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::with_parts_and_mailbox(8);
        let body = json!({"username": PERSON, "email": "Hopper@example.com", "password": PASSWORD});
        let call = post_json("/api/auth/register", &body).header("user-agent", PERSON);
        let session = app.send(call).await.expect(201).json();
        let mut scene = Self {
            app,
            session,
            file: String::new(),
            ticket: String::new(),
            tus: String::new(),
            multipart: String::new(),
            link: String::new(),
            key: String::new(),
        };
        let name = format!("{PERSON}.csv");
        let call = upload(&name, format!("{PERSON},b\n{PERSON},1\n")).header("x-file-tags", PERSON);
        let call = call.header("idempotency-key", "k").header("x-file-metadata", json!({"about": PERSON}));
        let stored = scene.send(call).await.expect(201).json();
        scene.file = format!("/api/files/{}", stored["file"]["id"].as_str().unwrap());
        let trashed = scene.send(upload(&name, "a\n1\n")).await.expect(201);
        scene.send(delete(trashed.header("location"))).await.expect(200);
        let archived = scene.send(upload(&name, "a\n1\n")).await.expect(201);
        scene.send(patch_json(archived.header("location"), &json!({"archived": true}))).await.expect(200);
        let cut = json!({"whereFilters": {PERSON: PERSON}});
        scene.send(post_json(&format!("{}/cut", scene.file), &cut)).await.expect(200);
        scene.send(post_json(&format!("{}/save", scene.file), &cut)).await.expect(201);
        scene.send(post_json("/api/recipes", &json!({"name": PERSON, "cut": cut}))).await.expect(201);
        let ticket = post_json("/api/downloads", &json!({"fileId": stored["file"]["id"]}));
        scene.ticket =
            scene.send(ticket).await.expect(201).json()["download"]["url"].as_str().unwrap().to_owned();
        scene.tus =
            scene.send(create_with(12, b"a,b\n1,2\n")).await.expect(201).header("location").to_owned();
        let begun = scene.send(create_in_parts(12)).await.expect(201).json();
        scene.multipart = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
        scene.send(part(&scene.multipart, 1, b"a,b\n1,2\n")).await.expect(200);
        let share = json!({"kind": "download", "name": PERSON});
        let share = scene.send(post_json(&format!("{}/share", scene.file), &share)).await.expect(201).json();
        scene.link = share["share"]["url"].as_str().unwrap().to_owned();
        let key = scene.send(post_json("/api/keys", &json!({"name": PERSON, "scopes": ["read"]}))).await;
        scene.key = key.expect(201).json()["secret"].as_str().unwrap().to_owned();
        scene.app.deliver().await;
        scene.send(get(&scene.file)).await.expect(200);
        scene.app.deliver().await;
        scene
    }

    async fn send(&self, call: Call) -> TestResponse {
        let call = call.header("user-agent", PERSON).header("cf-connecting-ip", "192.0.2.77");
        self.app.send(call.bearer(access_token(&self.session))).await
    }

    /// Runs alarms and sweeps for `hours` hours.
    async fn pass(&self, hours: i64) {
        for _ in 0..hours {
            self.app.advance(TimeDelta::hours(1));
            self.app.ring_alarms().await;
            self.app.sweep(self.app.now()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_deleted_account_is_unreachable_at_once() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let wrong = json!({"current_password": "wrong password"});
    let problem =
        scene.send(post_json("/api/auth/user/delete", &wrong)).await.expect_problem(403, "forbidden");
    assert_eq!(problem["field"], "current_password");
    whoami(app, access_token(&scene.session)).await.expect(200);

    close(app, &scene.session).await.expect(200);
    whoami(app, access_token(&scene.session)).await.expect_problem(401, "unauthenticated");
    refresh(app, refresh_token(&scene.session)).await.expect_problem(401, "unauthenticated");
    for name in [PERSON, "hopper@example.com"] {
        login(app, name, PASSWORD).await.expect_problem(401, "bad_credentials");
    }
    for call in
        [get("/api/files"), get(&scene.file), get(&scene.multipart), part(&scene.multipart, 2, b"3,4\n")]
    {
        scene.send(call).await.expect_problem(401, "unauthenticated");
    }
    app.send(get(&scene.ticket)).await.expect_problem(404, "not_found");
    app.send(get(&scene.link)).await.expect_problem(410, "gone");
    app.send(get("/api/files").bearer(&scene.key)).await.expect_problem(401, "unauthenticated");
    close(app, &scene.session).await.expect_problem(401, "unauthenticated");
    let users = app.send(get("/api/admin/users").bearer(OPERATOR_TOKEN)).await.expect(200).json();
    assert_eq!(users["users"], json!([]));
    let id = scene.session["user"]["id"].as_str().unwrap();
    let revive = patch_json(&format!("/api/admin/users/{id}"), &json!({"disabled": false, "quotaBytes": 5}));
    app.send(revive.bearer(OPERATOR_TOKEN)).await.expect_problem(404, "not_found");
    whoami(app, access_token(&scene.session)).await.expect_problem(401, "unauthenticated");

    // The name and the email are free, and the new account has nothing of the old one.
    let body = json!({"username": PERSON, "email": "hopper@example.com", "password": PASSWORD});
    let new = app.send(post_json("/api/auth/register", &body)).await.expect(201).json();
    assert_ne!(new["user"]["id"], scene.session["user"]["id"]);
    let files = app.send(get("/api/files").bearer(access_token(&new))).await.expect(200).json();
    assert_eq!(files["total"], 0);
    scene.pass(27).await;
    whoami(app, access_token(&new)).await.expect(401);
    login(app, PERSON, PASSWORD).await.expect(200);
    app.assert_consistent();
}

#[tokio::test]
async fn the_sweeps_erase_every_text_about_the_user() {
    let scene = Scene::new().await;
    let app = &scene.app;
    assert!(holding(app, PERSON).len() >= 8, "{:?}", holding(app, PERSON));
    assert!(!holding(app, "192.0.2.77").is_empty());
    close(app, &scene.session).await.expect(200);
    let pending = "SELECT count(*) AS n FROM files WHERE lifecycle_status = 'pending'";
    assert_eq!(app.database.value(pending), 0, "unfinished uploads must be dead at once");
    assert_eq!(holding(app, "hopper@"), Vec::<String>::new(), "the email must be erased at once");
    scene.pass(2).await;
    for text in [PERSON, "hopper", "192.0.2.77"] {
        // The key of a registration is the only row with a username that stays for a day. This scene has none.
        assert_eq!(holding(app, text), Vec::<String>::new(), "{text}");
    }
    let counts = app.database.row_counts();
    for table in [
        "refresh_tokens",
        "cuts",
        "recipes",
        "saved_recipes",
        "idempotency_keys",
        "multipart_uploads",
        "shares",
        "api_keys",
        "api_key_secrets",
    ] {
        assert_eq!(counts[table], 0, "{table}");
    }
    for table in ["multipart_parts", "file_tags", "quotas", "email_links"] {
        assert_eq!(counts[table], 0, "{table}");
    }
    let kept = "SELECT count(*) AS n FROM files WHERE lifecycle_status NOT IN ('dead', 'purged')";
    assert_eq!(app.database.value(kept), 0);
    app.assert_consistent();
    scene.pass(24).await;
    assert_eq!(app.database.value("SELECT count(*) AS n FROM users WHERE erase_at IS NOT NULL"), 0);
    app.advance(TimeDelta::days(36));
    scene.pass(27).await;
    assert_eq!(app.objects.keys(), Vec::<String>::new(), "all bytes must be purged");
    assert_eq!(counts["users"], 1, "a tombstone stays");
    app.assert_consistent();
}

#[tokio::test]
async fn an_upload_that_runs_while_its_account_is_deleted_stores_no_file() {
    let scene = Scene::new().await;
    let app = &scene.app;
    app.faults.set_yield_before_calls(true);
    app.faults.forget_calls();
    {
        let mut running = std::pin::pin!(scene.send(upload("late.csv", "a,b\n1,2\n")));
        while app.faults.count(&On::objects()) == 0 {
            assert!(crate::support::turns::poll_once(running.as_mut()).is_pending());
        }
        app.faults.set_yield_before_calls(false);
        close(app, &scene.session).await.expect(200);
        let late = running.await;
        assert!(!late.status.is_success(), "{late}");
    }
    scene.pass(27).await;
    assert_eq!(app.database.value("SELECT count(*) AS n FROM files WHERE filename <> ''"), 0);
    app.assert_consistent();
}

#[tokio::test]
async fn a_file_that_appears_after_the_deletion_is_deleted_by_a_later_run() {
    let scene = Scene::new().await;
    let app = &scene.app;
    close(app, &scene.session).await.expect(200);
    scene.pass(2).await;
    let id = scene.session["user"]["id"].as_str().unwrap();
    // As if a request that began before the deletion had ended only now.
    let late = app.token_of(id);
    app.database.execute("UPDATE users SET disabled_at = NULL");
    app.upload(&late, "late.csv", "a\n1\n").await;
    app.database.execute("UPDATE users SET disabled_at = deleted_at");
    scene.pass(25).await;
    assert_eq!(holding(app, "late.csv"), Vec::<String>::new());
    assert_eq!(app.database.row_counts()["quotas"], 0);
    app.assert_consistent();
}

#[tokio::test]
async fn the_erasure_ends_whatever_fails() {
    let mut broken = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let scene = Scene::new().await;
            let app = &scene.app;
            close(app, &scene.session).await.expect(200);
            app.faults.inject(fault, On::database(), nth);
            let _crashed = app.faults.until_crash(app.run_sweep("close_accounts")).await;
            if app.faults.fired() == 0 {
                break;
            }
            broken += 1;
            app.faults.clear();
            app.named_objects.evict();
            scene.pass(27).await;
            for text in [PERSON, "192.0.2.77"] {
                assert_eq!(holding(app, text), Vec::<String>::new(), "{fault:?} at call {nth}");
            }
            assert_eq!(app.database.value("SELECT count(*) AS n FROM users WHERE erase_at IS NOT NULL"), 0);
            app.assert_consistent();
        }
    }
    assert_eq!(broken, 5 * Fault::ALL.len(), "cursors, due accounts, one account, times, report");
}

#[tokio::test]
async fn a_deletion_happens_wholly_or_not_at_all() {
    for fault in Fault::ALL {
        for nth in 1..=3 {
            let scene = Scene::new().await;
            let app = &scene.app;
            app.faults.inject(fault, On::database(), nth);
            let response = app.faults.until_crash(close(app, &scene.session)).await;
            assert_eq!(app.faults.fired(), 1);
            app.faults.clear();
            assert!(response.is_none_or(|response| response.status == 503), "{fault:?} at call {nth}");
            let pending = "SELECT count(*) AS n FROM files WHERE lifecycle_status = 'pending'";
            let is_deleted = app.database.value("SELECT deleted_at IS NOT NULL AS n FROM users") == 1;
            assert_eq!(app.database.value(pending) == 0, is_deleted);
            assert_eq!(whoami(app, access_token(&scene.session)).await.status == 401, is_deleted);
            close(app, &scene.session).await.expect(if is_deleted { 401 } else { 200 });
            app.assert_consistent();
        }
    }
}

#[tokio::test]
async fn many_files_are_deleted_in_several_runs() {
    let app = TestApp::new();
    let ada = register(&app, "ada").await;
    for _ in 0..230 {
        app.upload(access_token(&ada), "a.csv", "a\n1\n").await;
        app.advance(TimeDelta::milliseconds(1));
    }
    close(&app, &ada).await.expect(200);
    let kept = "SELECT count(*) AS n FROM files WHERE lifecycle_status = 'active'";
    for left in [130, 30, 0] {
        app.run_sweep("close_accounts").await.unwrap();
        assert_eq!(app.database.value(kept), left);
        app.assert_consistent();
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_does_not_bring_a_deleted_account_back() {
    let app = TestApp::with(&[DJANGO_KEY, ("PROVISION_USERS", "true")]);
    app.clock.set(DJANGO_ISSUED);
    whoami(&app, DJANGO_ACCESS).await.expect(200);
    let session = register(&app, "ada").await;
    let hash = app.database.value("SELECT password_hash FROM users WHERE username = 'ada'");
    app.database
        .execute(&format!("UPDATE users SET password_hash = '{}' WHERE id = '42'", hash.as_str().unwrap()));
    let body = json!({"current_password": PASSWORD});
    let call = || post_json("/api/auth/user/delete", &body).bearer(DJANGO_ACCESS);
    send(&app, call()).await.expect(200);
    whoami(&app, DJANGO_ACCESS).await.expect_problem(401, "unauthenticated");
    whoami(&app, access_token(&session)).await.expect(200);
}
