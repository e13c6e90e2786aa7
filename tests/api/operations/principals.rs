//! Sends each request in [`CASES`] as each kind of principal. The service must refuse each request that the principal
//! may not make.

use chrono::TimeDelta;
use cutty::domain::ids::{ApiKeyId, FileId, ShareId, UserId};
use cutty::domain::principal::{OperatorToken, Principal, Role, Scope, Scopes, Service};
use cutty::idempotency::KeyScope;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{All, CASES, CSV, Case, Operator, Setup, User, With};
use crate::support::client::{Call, delete, get, post, post_json, upload};
use crate::support::{Fault, On, TestApp};

const ID: &str = "018f0000-0000-7000-8000-000000000001";

fn ada() -> UserId {
    UserId::parse("ada").unwrap()
}

fn key(scopes: impl IntoIterator<Item = Scope>) -> Principal {
    Principal::ApiKey {
        id: ApiKeyId::parse(ID).unwrap(),
        owner: ada(),
        scopes: Scopes::of(scopes),
        tag: None,
    }
}

/// Returns a share that may read one file.
fn share(file: &str) -> Principal {
    let (file, scopes) = (FileId::parse(file).unwrap(), Scopes::of([Scope::Read]));
    Principal::Share { id: ShareId::parse(ID).unwrap(), owner: ada(), file: Some(file), scopes }
}

async fn with_a_file() -> (TestApp, Value) {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    app.deliver().await;
    app.advance(TimeDelta::seconds(1));
    (app, file)
}

fn path(file: &Value) -> String {
    format!("/api/files/{}", file["id"].as_str().unwrap())
}

/// Returns the cases that need scopes, with their scopes. Leaves out replays, because an idempotency key belongs to the
/// principal of the first request.
fn guarded() -> impl Iterator<Item = (&'static Case, &'static [Scope])> {
    let guarded = CASES.iter().filter_map(|case| match case.1 {
        With(scopes) => Some((case, scopes)),
        All | User | Operator => None,
    });
    guarded.filter(|(case, _)| !matches!(case.2, Setup::Repeat | Setup::LostResponse))
}

/// Returns all stored rows that a refused request could have changed.
fn stored(app: &TestApp) -> Vec<Value> {
    let tables =
        ["files", "quotas", "gc_queue", "multipart_uploads", "multipart_parts", "cuts", "file_access_logs"];
    let rows = tables.map(|table| json!(app.database.rows(&format!("SELECT * FROM {table} ORDER BY 1"))));
    rows.into_iter().collect()
}

#[tokio::test]
async fn an_api_key_may_send_exactly_the_requests_that_its_scopes_allow() {
    for (case, needed) in guarded() {
        let name = case.0;
        for missing in needed {
            let scene = Scene::new(case).await;
            let (app, before) = (&scene.app, stored(&scene.app));
            app.log.take();
            let others = Scope::ALL.into_iter().filter(|scope| scope != missing);
            let status = app.send(scene.call(case).by(key(others))).await.status;
            let is_refused_before = name.ends_with("refused") && status == 415;
            assert!(status == 403 || is_refused_before, "{name} without {missing:?}: {status}");
            assert_eq!(stored(app), before, "{name}");
            let refusals = app.log.with("action", "refuse");
            assert_eq!(refusals.len(), usize::from(status == 403), "{name}");
            for refusal in refusals {
                assert_eq!(refusal["principal"], format!("api_key:{ID}"), "{name}");
                assert_eq!(refusal["user_id"], "ada");
            }
        }
        let scene = Scene::new(case).await;
        let (by_owner, scene_of_key) =
            (scene.app.send(scene.call(case)).await.status, Scene::new(case).await);
        let call = scene_of_key.call(case).by(key(needed.iter().copied()));
        let by_key = scene_of_key.app.send(call).await;
        assert_eq!(by_key.status, by_owner, "{name}: {by_key}");
    }
}

/// Returns the cases that change something and have an idempotency key. If the setup of a case already sends the first
/// request, the returned case has a setup that only uploads a file.
fn keyed_cases() -> impl Iterator<Item = (Case, &'static [Scope])> {
    CASES.iter().filter_map(|case| match (case.1, case.2) {
        _ if !case.0.contains(", keyed") || case.0.ends_with("refused") => None,
        (With(scopes), Setup::Repeat | Setup::LostResponse) => {
            Some((Case(case.0, case.1, Setup::File, case.3), scopes))
        }
        (With(scopes), before) => Some((Case(case.0, case.1, before, case.3), scopes)),
        _ => None,
    })
}

#[tokio::test]
async fn an_api_key_gets_a_replay_only_if_its_scopes_allow_the_request() {
    let mut replayed = 0;
    for (case, scopes) in keyed_cases() {
        for is_response_lost in [false, true] {
            let name = format!("{}, response lost: {is_response_lost}", case.0);
            let scene = Scene::new(&case).await;
            let send = async |scopes: &[Scope]| {
                scene.app.send(scene.call(&case).by(key(scopes.iter().copied()))).await
            };
            let first = send(scopes).await;
            assert!(
                first.status.is_success() && !first.headers.contains_key("idempotency-replayed"),
                "{name}"
            );
            if is_response_lost {
                scene.app.database.execute("UPDATE idempotency_keys SET status = NULL, response = NULL");
            }
            let before = stored(&scene.app);
            let again = send(scopes).await;
            assert_eq!(again.status, first.status, "{name}: {again}");
            assert_eq!(again.header("idempotency-replayed"), "true", "{name}");
            let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| !scopes.contains(scope)).collect();
            assert_eq!(
                send(&others).await.status,
                403,
                "{name}: an API key without the scopes must be refused"
            );
            assert_eq!(stored(&scene.app), before, "{name}");
            replayed += 1;
        }
    }
    assert!(replayed >= 2 * 8, "{replayed}");
}

#[tokio::test]
async fn an_api_key_does_not_share_the_idempotency_keys_of_its_owner() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = |name: &str| upload(name, CSV).header("idempotency-key", "k");
    let of_owner = app.send(call("a.csv").bearer(&token)).await.expect(201).json();
    let of_key = app.send(call("b.csv").by(key([Scope::Write]))).await.expect(201);
    assert!(!of_key.headers.contains_key("idempotency-replayed"));
    assert_ne!(of_key.json()["file"]["id"], of_owner["file"]["id"]);
    let user = Principal::user(UserId::parse("operator").unwrap());
    assert_ne!(
        KeyScope::of(&user),
        KeyScope::of(&Principal::Operator { token: OperatorToken::Current }),
        "the keys of a user with the id `operator` must not be the keys of the operator"
    );
}

#[tokio::test]
async fn a_share_allows_reading_one_file_and_hides_all_other_files() {
    for (case, needed) in guarded() {
        let name = case.0;
        let is_about_a_file = case.operation().contains("/api/files/{id}")
            || ["POST /api/downloads", "POST /api/filters/parse"].contains(&case.operation());
        for is_its_file in [true, false] {
            let scene = Scene::new(case).await;
            let other = scene.app.upload(&scene.token, "other.csv", CSV).await;
            let file = match is_its_file && is_about_a_file {
                true => scene.subject.trim_start_matches("/api/files/"),
                false => other["id"].as_str().unwrap(),
            };
            let before = stored(&scene.app);
            let status = scene.app.send(scene.call(case).by(share(file))).await.status;
            match (needed == [Scope::Read] && is_about_a_file, is_its_file) {
                (true, true) => assert!(status.is_success() || status == 304, "{name}: {status}"),
                (_, true) => assert!(status == 403 || name.ends_with("refused"), "{name}: {status}"),
                (true, false) => assert_eq!(status, 404, "{name}"),
                (false, false) => {
                    let is_hidden = status == 404 && is_about_a_file;
                    assert!(status == 403 || is_hidden || name.ends_with("refused"), "{name}: {status}");
                }
            }
            let may_read = is_its_file && is_about_a_file && needed == [Scope::Read];
            assert!(may_read || stored(&scene.app) == before, "{name}");
        }
    }
}

#[tokio::test]
async fn a_principal_that_owns_no_file_cannot_read_or_change_any_file() {
    for (case, _) in guarded() {
        let name = case.0;
        for principal in
            [Principal::Operator { token: OperatorToken::Current }, Principal::Service { part: Service::Job }]
        {
            let scene = Scene::new(case).await;
            let before = stored(&scene.app);
            let status = scene.app.send(scene.call(case).by(principal)).await.status;
            assert!(status == 403 || name.ends_with("refused"), "{name}: {status}");
            assert_eq!(stored(&scene.app), before, "{name}");
        }
        let scene = Scene::new(case).await;
        let rows = || json!(scene.app.database.rows("SELECT * FROM files WHERE user_id = 'ada'"));
        let before = rows();
        let stranger = Principal::User { id: UserId::parse("bob").unwrap(), role: Role::Admin };
        let status = scene.app.send(scene.call(case).by(stranger)).await.status;
        assert!(!name.contains("{id}") || status == 404, "{name}: {status}");
        assert_eq!(rows(), before, "{name}");
    }
}

#[tokio::test]
async fn the_audit_log_names_the_principal_of_each_request() {
    let (app, file) = with_a_file().await;
    app.log.take();
    app.send(get(&path(&file)).by(share(file["id"].as_str().unwrap()))).await.expect(200);
    app.advance(TimeDelta::seconds(1));
    app.send(upload("b.csv", CSV).by(key([Scope::Write]))).await.expect(201);
    app.advance(TimeDelta::seconds(1));
    app.send(delete(&path(&file)).bearer(&app.token_of("ada"))).await.expect(200);
    app.deliver().await;
    let rows = app.database.rows(
        "SELECT user_id, action, metadata ->> 'principal' AS principal FROM file_access_logs ORDER BY id LIMIT -1 OFFSET 1",
    );
    let wanted = [
        json!({"user_id": "ada", "action": "download", "principal": format!("share:{ID}")}),
        json!({"user_id": "ada", "action": "upload", "principal": format!("api_key:{ID}")}),
        json!({"user_id": "ada", "action": "delete", "principal": "user:ada"}),
    ];
    assert_eq!(json!(rows), json!(wanted));
    let logged: Vec<_> = app.log.lines().iter().map(|line| line["principal"].clone()).collect();
    assert_eq!(logged, wanted.map(|row| row["principal"].clone()));
}

#[tokio::test]
async fn the_audit_log_names_the_principal_that_created_an_upload() {
    let (app, _) = with_a_file().await;
    let begin = post("/api/uploads").header("tus-resumable", "1.0.0").header("upload-length", CSV.len());
    let begun = app.send(begin.by(key([Scope::Write]))).await.expect(201);
    let append = Call::new(http::Method::PATCH, begun.header("location"))
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream")
        .bytes(CSV);
    app.send(append.by(key([Scope::Write]))).await.expect(204);
    let row = app.database.rows("SELECT metadata FROM file_access_logs ORDER BY id DESC LIMIT 1");
    assert_eq!(json!(row), json!([{"metadata": json!({"principal": format!("api_key:{ID}")}).to_string()}]));
}

#[tokio::test]
async fn the_audit_log_names_the_principal_that_completed_an_upload_in_parts() {
    let case = CASES.iter().find(|case| case.0 == "POST /api/files/multipart/{id}/complete").unwrap();
    let scene = Scene::new(case).await;
    let completion = scene.call(case).header("x-request-id", "completion").header("user-agent", "script");
    scene.app.send(completion.by(key([Scope::Write]))).await.expect(201);
    let row = scene.app.database.rows(
        "SELECT action, user_id, user_agent, metadata ->> 'principal' AS principal FROM file_access_logs",
    );
    let wanted = json!([
        {"action": "upload", "user_id": "ada", "user_agent": "script", "principal": format!("api_key:{ID}")}
    ]);
    assert_eq!(json!(row), wanted);
    let logged = scene.app.log.with("action", "upload");
    assert_eq!(logged[0]["principal"], format!("api_key:{ID}"));
}

#[tokio::test]
async fn logins_logouts_and_refused_requests_are_logged() {
    let app = TestApp::new();
    let body = json!({"username": "eve", "password": "correct horse battery"});
    let session = app.send(post_json("/api/auth/register", &body)).await.expect(201).json();
    let again = app.send(post_json("/api/auth/login", &body)).await.expect(200).json();
    let wrong = json!({"username": "eve", "password": "correct horse"});
    app.send(post_json("/api/auth/login", &wrong)).await.expect(401);
    let token = json!({"refresh_token": session["tokens"]["refresh_token"]});
    app.send(post_json("/api/auth/logout", &token)).await.expect(200);
    let access = again["tokens"]["access_token"].as_str().unwrap();
    app.send(post("/api/admin/sweeps").bearer(access)).await.expect(403);
    let eve = format!("user:{}", session["user"]["id"].as_str().unwrap());
    let logged: Vec<_> = app
        .log
        .lines()
        .into_iter()
        .map(|line| json!([line["action"], line["principal"], line["success"], line["error_code"]]))
        .collect();
    let wanted = [
        json!(["register", eve, true, null]),
        json!(["login", eve, true, null]),
        json!(["login", null, false, "bad_credentials"]),
        json!(["logout", eve, true, null]),
        json!(["refuse", eve, false, "forbidden"]),
    ];
    assert_eq!(logged, wanted);
}

#[tokio::test]
async fn the_log_names_the_principal_of_each_operator_action() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.upload(&token, "a.csv", CSV).await;
    app.database.execute(&format!(
        "INSERT INTO findings (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details)
         SELECT '{ID}', id, user_id, r2_key, 'unreadable', created_at, created_at, '{{}}' FROM files"
    ));
    let missing = ID.replace("0001", "0002");
    let fsck = |body: &Value| post_json("/api/admin/fsck", body);
    let resolve = |id: &str| post(&format!("/api/admin/findings/{id}/resolve"));
    let acts = [
        (post("/api/admin/sweeps"), false, 200, json!(["run_sweeps", null, true, null])),
        (post("/api/admin/sweeps"), true, 503, json!(["run_sweeps", null, false, "unavailable"])),
        (post("/api/admin/sweeps?kind=all"), false, 400, json!(["run_sweeps", "all", false, "bad_request"])),
        (post("/api/admin/sweeps?kind=scrub"), false, 200, json!(["run_sweeps", "scrub", true, null])),
        (fsck(&json!({"deep": true})), false, 200, json!(["run_fsck", null, true, null])),
        (fsck(&json!({"cursor": "x"})), false, 400, json!(["run_fsck", null, false, "bad_cursor"])),
        (fsck(&json!({})), true, 503, json!(["run_fsck", null, false, "unavailable"])),
        (resolve(&missing), false, 404, json!(["resolve_finding", missing, false, "not_found"])),
        (resolve("x"), false, 404, json!(["resolve_finding", "x", false, "not_found"])),
        (resolve(ID), true, 503, json!(["resolve_finding", ID, false, "unavailable"])),
        (resolve(ID), false, 200, json!(["resolve_finding", ID, true, null])),
    ];
    for (call, is_database_down, status, wanted) in acts {
        app.log.take();
        if is_database_down {
            app.faults.always(Fault::Failed, On::database());
        }
        app.send(call.bearer(crate::support::app::OPERATOR_TOKEN)).await.expect(status);
        app.faults.clear();
        let acts = app.log.with("principal", "operator");
        let logged: Vec<_> = acts
            .iter()
            .map(|line| json!([line["action"], line["subject"], line["success"], line["error_code"]]))
            .collect();
        assert_eq!(json!(logged), json!([wanted]));
    }
}
