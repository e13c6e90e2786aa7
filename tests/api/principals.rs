//! Who is asking decides what may be done: every route, asked by every kind of principal.

use chrono::TimeDelta;
use cutty::domain::ids::{ApiKeyId, FileId, ShareId, UserId};
use cutty::domain::principal::{Principal, Role, Scope, Scopes, Service};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, delete, get, head, patch_json, post, post_json, upload};

const CSV: &str = "a,b\n1,2\n";
const ID: &str = "018f0000-0000-7000-8000-000000000001";

/// What a request needs, and how it is made of a file's path.
type Case = (Scope, &'static str, fn(&str) -> Call);

const CASES: [Case; 22] = [
    (Scope::List, "list", |_| get("/api/files")),
    (Scope::Read, "download", |path| get(path)),
    (Scope::Read, "head", |path| head(path)),
    (Scope::Read, "metadata", |path| get(&format!("{path}/metadata"))),
    (Scope::Read, "lineage", |path| get(&format!("{path}/lineage"))),
    (Scope::Read, "columns", |path| get(&format!("{path}/columns"))),
    (Scope::Read, "rows", |path| get(&format!("{path}/rows"))),
    (Scope::Read, "profile", |path| get(&format!("{path}/profile"))),
    (Scope::Read, "cut", |path| get(&format!("{path}/cut?columns=a"))),
    (Scope::Read, "cut by body", |path| post_json(&format!("{path}/cut"), &json!({}))),
    (Scope::Read, "estimate", |path| get(&format!("{path}/estimate"))),
    (Scope::Create, "upload", |_| upload("b.csv", CSV)),
    (Scope::Create, "upload, keyed", |_| upload("b.csv", CSV).header("idempotency-key", "k")),
    (Scope::Create, "save", |path| post_json(&format!("{path}/save"), &json!({}))),
    (Scope::Create, "tus", |_| {
        post("/api/uploads").header("tus-resumable", "1.0.0").header("upload-length", 4)
    }),
    (Scope::Create, "multipart", |_| {
        post_json("/api/files/multipart", &json!({"filename": "b.csv", "size": 4}))
    }),
    (Scope::Update, "rename", |path| patch_json(path, &json!({"filename": "c.csv"}))),
    (Scope::Update, "change nothing", |path| patch_json(path, &json!({}))),
    (Scope::Update, "trash", |path| delete(path)),
    (Scope::Update, "restore", |path| post(&format!("{path}/restore"))),
    (Scope::Delete, "delete for good", |path| delete(&format!("{path}?permanent=true"))),
    (Scope::Delete, "delete for good, keyed", |path| {
        delete(&format!("{path}?permanent=true")).header("idempotency-key", "k")
    }),
];

fn ada() -> UserId {
    UserId::parse("ada").unwrap()
}

fn key(scopes: impl IntoIterator<Item = Scope>) -> Principal {
    Principal::ApiKey { id: ApiKeyId::parse(ID).unwrap(), owner: ada(), scopes: Scopes::of(scopes) }
}

fn share(file: &Value, scopes: impl IntoIterator<Item = Scope>) -> Principal {
    let file = FileId::parse(file["id"].as_str().unwrap()).unwrap();
    Principal::Share { id: ShareId::parse(ID).unwrap(), owner: ada(), file, scopes: Scopes::of(scopes) }
}

fn path(file: &Value) -> String {
    format!("/api/files/{}", file["id"].as_str().unwrap())
}

async fn with_a_file() -> (TestApp, Value) {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    app.deliver().await;
    app.advance(TimeDelta::seconds(1));
    (app, file)
}

fn is_about_a_file(call: fn(&str) -> Call) -> bool {
    call("/file").request.uri().path().starts_with("/file")
}

/// Everything stored that a refused request could have changed.
fn stored(app: &TestApp) -> Vec<Value> {
    let tables = ["files", "quotas", "gc_queue", "multipart_uploads", "cuts", "file_access_logs"];
    let rows = tables.map(|table| json!(app.database.rows(&format!("SELECT * FROM {table} ORDER BY 1"))));
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_else() {
    for (needed, name, call) in CASES {
        let (app, file) = with_a_file().await;
        let before = stored(&app);
        let others = Scope::ALL.into_iter().filter(|scope| *scope != needed && *scope != Scope::Read);
        app.log.take();
        app.send(call(&path(&file)).by(key(others))).await.expect(403);
        assert_eq!(stored(&app), before, "{name}");
        let refusals = app.log.with("action", "refuse");
        assert_eq!(refusals.len(), 1, "{name}");
        assert_eq!(refusals[0]["principal"], format!("api_key:{ID}"), "{name}");
        assert_eq!(refusals[0]["user_id"], "ada");

        let reply = app.send(call(&path(&file)).by(key([needed, Scope::Read]))).await;
        let wanted = if name == "restore" { 409 } else { reply.status.as_u16() };
        assert_eq!(reply.status.as_u16(), wanted, "{name}");
        assert!(reply.status.is_success() || wanted == 409, "{name}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_share_opens_one_file_for_reading_and_leaves_no_trace_of_others() {
    for (needed, name, call) in CASES {
        let (app, file) = with_a_file().await;
        let other = app.upload(&app.token_of("ada"), "other.csv", CSV).await;
        let before = stored(&app);
        let reader = || share(&file, [Scope::Read]);
        let of_own = app.send(call(&path(&file)).by(reader())).await;
        match needed {
            Scope::Read => assert!(of_own.status.is_success(), "{name}: {}", of_own.text()),
            _ => {
                of_own.expect(403);
                assert_eq!(stored(&app), before, "{name}");
            }
        }
        let before = stored(&app);
        let of_other = app.send(call(&path(&other)).by(reader())).await;
        assert_eq!(of_other.status.as_u16(), if is_about_a_file(call) { 404 } else { 403 }, "{name}");
        assert_eq!(stored(&app), before, "{name}");
    }
}

#[tokio::test]
async fn whoever_has_no_files_reaches_none() {
    for (_, name, call) in CASES {
        let (app, file) = with_a_file().await;
        let before = stored(&app);
        for principal in [Principal::Operator, Principal::Service { part: Service::Job }] {
            let status = app.send(call(&path(&file)).by(principal)).await.status;
            assert_eq!(status.as_u16(), 403, "{name}");
        }
        let stranger = Principal::User { id: UserId::parse("bob").unwrap(), role: Role::Admin };
        let reply = app.send(call(&path(&file)).by(stranger)).await;
        assert!(!is_about_a_file(call) || reply.status.as_u16() == 404, "{name}");
        let kept = app.database.rows("SELECT * FROM files WHERE user_id = 'ada'");
        assert_eq!(json!(kept), before[0], "{name}");
    }
}

#[tokio::test]
async fn the_record_names_the_principal() {
    let (app, file) = with_a_file().await;
    app.log.take();
    app.send(get(&path(&file)).by(share(&file, [Scope::Read]))).await.expect(200);
    app.advance(TimeDelta::seconds(1));
    app.send(upload("b.csv", CSV).by(key([Scope::Create]))).await.expect(201);
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
async fn the_record_names_who_began_an_upload_in_several_requests() {
    let (app, _) = with_a_file().await;
    let begin = post("/api/uploads").header("tus-resumable", "1.0.0").header("upload-length", CSV.len());
    let begun = app.send(begin.by(key([Scope::Create]))).await.expect(201);
    let append = Call::new(http::Method::PATCH, begun.header("location"))
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream")
        .bytes(CSV);
    app.send(append.by(key([Scope::Create]))).await.expect(204);
    let row = app.database.rows("SELECT metadata FROM file_access_logs ORDER BY id DESC LIMIT 1");
    assert_eq!(json!(row), json!([{"metadata": json!({"principal": format!("api_key:{ID}")}).to_string()}]));
}

#[tokio::test]
async fn sign_ins_sign_outs_and_acts_of_operators_are_logged() {
    let app = TestApp::new();
    let body = json!({"username": "eve", "password": "correct horse battery"});
    let session = app.send(post_json("/api/auth/register", &body)).await.expect(201).json();
    app.send(post_json("/api/auth/login", &body)).await.expect(200);
    let wrong = json!({"username": "eve", "password": "correct horse"});
    app.send(post_json("/api/auth/login", &wrong)).await.expect(401);
    let token = json!({"refresh_token": session["tokens"]["refresh_token"]});
    app.send(post_json("/api/auth/logout", &token)).await.expect(200);
    let access = session["tokens"]["access_token"].as_str().unwrap();
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
async fn an_operators_acts_are_logged_by_name() {
    let app = TestApp::new();
    app.send(post("/api/admin/sweeps").bearer(crate::support::app::OPERATOR_TOKEN)).await.expect(200);
    let acts = app.log.with("action", "run_sweeps");
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0]["principal"], "operator");
}
