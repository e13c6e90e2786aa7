//! Limits of storage: the quota with its waiting allowance and the spools, the number of rows that a user may have in
//! each table, and the length of a row in bytes.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, delete, get, patch_json, post_json, upload};
use crate::support::faults::{Fault, On};
use crate::support::parts::create as create_in_parts;
use crate::support::schema;
use crate::support::tus::create;

const CSV: &str = "a,b\n1,2\n";

/// An application in which Ada has an account.
struct Scene {
    app: TestApp,
    token: String,
}

impl Scene {
    fn with(variables: &[(&str, &str)]) -> Self {
        let app = TestApp::with(variables);
        let token = app.user("ada");
        Self { app, token }
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn upload(&self, bytes: usize) -> TestResponse {
        self.send(upload("a.csv", "a".repeat(bytes))).await
    }

    async fn delete_for_good(&self, uploaded: &TestResponse) -> TestResponse {
        let id = uploaded.json()["file"]["id"].as_str().unwrap().to_owned();
        self.send(delete(&format!("/api/files/{id}?permanent=true"))).await
    }

    async fn usage(&self) -> Value {
        self.send(get("/api/auth/user")).await.expect(200).json()["usage"].clone()
    }
}

#[tokio::test]
async fn an_upload_is_refused_if_kept_and_waiting_bytes_would_exceed_the_quota_plus_the_waiting_allowance() {
    let scene = Scene::with(&[("DEFAULT_QUOTA_BYTES", "100")]);
    for _ in 0..4 {
        let file = scene.upload(40).await.expect(201);
        scene.delete_for_good(&file).await.expect(200);
    }
    let usage = scene.usage().await;
    let expected = json!({
        "quotaBytes": 100, "usedBytes": 0, "reservedBytes": 0, "spoolBytes": 0, "waitingBytes": 160, "waitingAllowanceBytes": 100,
        "files": 0, "waitingFiles": 4, "maxFiles": 100_000,
        "purgeBytes": 160, "purgeAllowanceBytes": 100, "purgeFiles": 4, "quotaFiles": 100_000,
        "budgetUsd": null, "whenBudgetSpent": "warn", "budgetSpent": false,
        "kinds": {
            "uploads": {"bytes": 0, "files": 0}, "derived": {"bytes": 0, "files": 0},
            "trash": {"bytes": 0, "files": 0}, "imports": {"bytes": 0, "files": 0},
        },
    });
    assert_eq!(usage, expected);
    let kept = scene.upload(40).await.expect(201);
    let refused = scene.upload(1).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("wait for their purge"), "{refused}");
    refused.expect_problem(507, "quota_exceeded");
    scene.send(create(1)).await.expect_problem(507, "quota_exceeded");
    scene.send(create_in_parts(1)).await.expect_problem(507, "quota_exceeded");
    let form = crate::support::client::Form::default().file("b.csv", b"a\n1\n").post();
    scene.send(form).await.expect_problem(507, "quota_exceeded");
    // A deletion is never refused, although it adds waiting bytes.
    scene.delete_for_good(&kept).await.expect(200);
    assert_eq!(scene.usage().await["waitingBytes"], 200);
    scene.app.assert_consistent();
    scene.app.advance(TimeDelta::days(35));
    for _ in 0..2 {
        scene.app.sweep(scene.app.now()).await.unwrap();
        scene.app.advance(TimeDelta::days(1));
    }
    assert_eq!(scene.usage().await["waitingBytes"], 0);
    scene.upload(100).await.expect(201);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn the_waiting_allowance_is_a_setting() {
    for (percent, admitted) in [("0", 1), ("50", 3), ("300", 8)] {
        let scene = Scene::with(&[("DEFAULT_QUOTA_BYTES", "100"), ("WAITING_QUOTA_PERCENT", percent)]);
        let mut count = 0;
        while count < 20 {
            let file = scene.upload(if percent == "0" { 60 } else { 50 }).await;
            if !file.status.is_success() {
                file.expect_problem(507, "quota_exceeded");
                break;
            }
            scene.delete_for_good(&file).await.expect(200);
            count += 1;
        }
        assert_eq!(count, admitted, "{percent} %");
    }
}

#[tokio::test]
async fn a_spool_counts_against_the_quota_while_it_exists() {
    let scene = Scene::with(&[("DEFAULT_QUOTA_BYTES", "20000000")]);
    let csv = format!("a,b\n{}", "1234567,1234567\n".repeat(600_000));
    let file = scene.send(upload("a.csv", csv)).await.expect(201);
    let path = format!("/api/files/{}/cut?streaming=false", file.json()["file"]["id"].as_str().unwrap());
    let cut = scene.send(get(&path)).await.expect(200);
    assert_eq!(scene.usage().await["spoolBytes"], 0, "the spool must be deleted after it was sent");
    // The file and the spool have 9.6 MB each. The quota of 20 MB has space for both, but not for another file of 4 MB.
    let small = scene.upload(4_000_000).await.expect(201);
    let refused = scene.send(get(&path)).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("without streaming=false"), "{refused}");
    refused.expect_problem(507, "quota_exceeded");
    assert_eq!(scene.usage().await["spoolBytes"], 0, "a refused spool must not count");
    scene.app.assert_consistent();
    scene.delete_for_good(&small).await.expect(200);
    assert_eq!(scene.send(get(&path)).await.expect(200).body, cut.body);
    // A spool that could not be deleted counts until the sweep has deleted it.
    scene.app.faults.always(Fault::Failed, On::objects().prefix("temp/").method("delete"));
    scene.send(get(&path)).await.expect(200);
    scene.app.faults.clear();
    // The spool reserved all bytes of the quota that the file of 9,600,004 bytes leaves free.
    assert_eq!(scene.usage().await["spoolBytes"], 20_000_000 - 9_600_004);
    scene.upload(4_000_000).await.expect_problem(507, "quota_exceeded");
    scene.app.assert_consistent();
    scene.app.advance(TimeDelta::hours(25));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.usage().await["spoolBytes"], 0);
    scene.upload(4_000_000).await.expect(201);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn the_number_of_accounts_is_limited() {
    let app = TestApp::with(&[("MAX_USERS", "2"), ("PROVISION_USERS", "true")]);
    let register = |name: &str| {
        post_json("/api/auth/register", &json!({"username": name, "password": "a long password"}))
    };
    for name in ["ada", "bob"] {
        app.send(register(name)).await.expect(201);
    }
    let refused = app.send(register("eve")).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("MAX_USERS"), "{refused}");
    refused.expect_problem(507, "quota_exceeded");
    let stranger = app.token_of("stranger");
    app.send(get("/api/auth/user").bearer(&stranger)).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_number_of_files_of_a_user_is_limited() {
    let scene = Scene::with(&[("MAX_FILES_PER_USER", "3")]);
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(scene.upload(1).await.expect(201));
    }
    let path = format!("/api/files/{}", files[0].json()["file"]["id"].as_str().unwrap());
    let save = post_json(&format!("{path}/save"), &json!({}));
    for call in [upload("a.csv", CSV), create(1), create_in_parts(1), save] {
        let refused = scene.send(call).await;
        assert!(refused.json()["detail"].as_str().unwrap().contains("as many files"), "{refused}");
        refused.expect_problem(507, "quota_exceeded");
    }
    // Files in the trash count toward the limit, and waiting files do not. A second limit holds for kept files and
    // waiting files together. The second limit is twice as high.
    scene.send(delete(&path)).await.expect(200);
    scene.upload(1).await.expect_problem(507, "quota_exceeded");
    for _ in 0..3 {
        scene.delete_for_good(&files.remove(0)).await.expect(200);
        files.push(scene.upload(1).await.expect(201));
    }
    scene.delete_for_good(&files.remove(0)).await.expect(200);
    scene.upload(1).await.expect_problem(507, "quota_exceeded");
    assert_eq!((&scene.usage().await["files"], &scene.usage().await["waitingFiles"]), (&json!(2), &json!(4)));
    scene.app.assert_consistent();
    assert_eq!(scene.app.database.row_counts()["files"], 6);
}

#[tokio::test]
async fn the_number_of_uploads_in_several_requests_is_limited() {
    let scene = Scene::with(&[]);
    scene.send(create_in_parts(8)).await.expect(201);
    scene.app.database.execute("UPDATE usage SET uploads = 10000");
    for call in [create(8), create_in_parts(8)] {
        scene.send(call).await.expect_problem(507, "quota_exceeded");
    }
    assert_eq!(scene.app.database.row_counts()["multipart_uploads"], 1);
    scene.app.database.execute("UPDATE usage SET uploads = 9999");
    scene.send(create(8)).await.expect(201);
}

#[tokio::test]
async fn a_new_idempotency_key_is_refused_at_the_limit_and_a_known_key_gets_its_replay() {
    let scene = Scene::with(&[]);
    let keyed = |key: &str| upload("a.csv", CSV).header("idempotency-key", key);
    scene.send(keyed("first")).await.expect(201);
    scene.app.database.execute("UPDATE usage SET idempotency_keys = 10000");
    let refused = scene.send(keyed("second")).await;
    assert_eq!(refused.header("retry-after"), "3600");
    refused.expect_problem(429, "rate_limited");
    assert!(scene.send(keyed("first")).await.expect(201).has("idempotency-replayed"));
    scene.send(upload("a.csv", CSV)).await.expect(201);
    assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 1);
    scene.app.database.execute("UPDATE usage SET idempotency_keys = 1");
    scene.app.advance(TimeDelta::hours(25));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.app.database.value("SELECT idempotency_keys FROM usage"), 0);
}

#[tokio::test]
async fn refresh_tokens_are_limited_and_the_newest_are_kept() {
    let app = TestApp::new();
    let eve = json!({"username": "eve", "password": "correct horse battery"});
    let session = app.send(post_json("/api/auth/register", &eve)).await.expect(201).json();
    let (token, user) = (session["tokens"]["access_token"].as_str().unwrap(), &session["user"]["id"]);
    let user = user.as_str().unwrap();
    app.database.execute(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10050)
         INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at)
         SELECT printf('%08d', n), 'f', '{user}', '2025-01-02T03:04:05.678Z', '2030-01-02T03:04:05.678Z' FROM n;",
    ));
    let counts = app.database.row_counts();
    assert_eq!(counts["refresh_tokens"], 10_000);
    app.upload(token, "a.csv", CSV).await;
    app.send(post_json("/api/auth/login", &eve)).await.expect(200);
    let counts = app.database.row_counts();
    assert_eq!(counts["refresh_tokens"], 10_000);
    let refresh = json!({"refresh_token": session["tokens"]["refresh_token"]});
    app.send(post_json("/api/auth/refresh", &refresh)).await.expect(200);
    app.assert_consistent();
}

/// Returns the number of bytes in the longest row of each table.
fn longest_rows(app: &TestApp) -> Map<String, Value> {
    let connection = app.database.connection();
    let mut longest = Map::new();
    for table in schema::tables(&connection) {
        let lengths = schema::columns(&connection, &table);
        let lengths = lengths.iter().map(|(name, _)| format!("coalesce(length(CAST({name} AS BLOB)), 0)"));
        let sql = format!("SELECT max({}) FROM {table}", lengths.collect::<Vec<_>>().join(" + "));
        let bytes: Option<i64> = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        longest.insert(table, bytes.into());
    }
    longest
}

/// The names of the database tables that the test below fills, each with the maximum length of a row, in bytes.
/// `docs/operations.md` has the same maxima.
const BYTES: [(&str, u64); 32] = [
    ("users", 600),
    ("refresh_tokens", 1_300),
    ("quotas", 300),
    ("usage", 300),
    ("usage_months", 200),
    ("storage_days", 200),
    ("files", 100_000),
    ("file_tags", 200),
    ("file_relationships", 300),
    ("recipes", 1_600_000),
    ("saved_recipes", 140_000),
    ("shares", 4_000),
    ("api_keys", 600),
    ("api_key_secrets", 300),
    ("cuts", 3_000),
    ("commit_markers", 200),
    ("gc_queue", 800),
    ("multipart_uploads", 20_000),
    ("multipart_parts", 400),
    ("idempotency_keys", 100_000),
    ("file_access_logs", 4_000),
    ("metric_sums", 300),
    ("metric_errors", 200),
    ("metric_latencies", 20_000),
    ("metric_totals", 200),
    ("metric_gauges", 100),
    ("metric_stored", 100),
    ("metric_position", 100),
    ("audit_chain", 300),
    ("audit_seals", 500),
    ("email_links", 700),
    ("mailbox", 2_000),
];

/// Returns a text of `bytes` backslashes. In JSON, each backslash has two bytes.
fn long_text(bytes: usize) -> String {
    "\\".repeat(bytes)
}

/// Returns metadata that is almost as long as the limit.
fn long_metadata() -> Value {
    json!({"k": long_text(4000)})
}

fn long_tags() -> Vec<String> {
    (0..32).map(|number| format!("{number:02}{}", "t".repeat(62))).collect()
}

fn long_name(extension: &str) -> String {
    format!("{}{extension}", "n".repeat(255 - extension.len()))
}

#[tokio::test]
async fn the_longest_accepted_values_make_rows_within_the_limits() {
    let app = TestApp::with(&[("EMAIL_MAILBOX", "true")]);
    let register = json!({
        "username": "u".repeat(64), "password": "correct horse battery",
        "email": format!("{}@{}.com", "m".repeat(64), "d".repeat(60)),
    });
    let agent = "\u{1f600}".repeat(2000);
    let send = async |call: Call| {
        let call = call.header("user-agent", &agent).header("cf-connecting-ip", "f".repeat(5000));
        app.send(call.header("x-request-id", "r".repeat(128))).await
    };
    let keyed = |call: Call, key: &str| call.header("idempotency-key", format!("{key}{}", "k".repeat(250)));
    let session = send(post_json("/api/auth/register", &register)).await.expect(201).json();
    let token = session["tokens"]["access_token"].as_str().unwrap().to_owned();
    let header: Vec<_> = (0..480).map(|number| format!("{number}{}", "c".repeat(100))).collect();
    let row = vec!["1"; 480].join(",");
    let csv = format!("{}\n{row}\n{row},\"{}\"\n", header.join(","), "x".repeat(1000));
    let file = send(keyed(upload(&long_name(".csv"), csv), "a").bearer(&token)).await.expect(201).json();
    let path = format!("/api/files/{}", file["file"]["id"].as_str().unwrap());
    let change =
        json!({"tags": long_tags(), "metadata": long_metadata(), "expiresAt": "2030-01-02T03:04:05Z"});
    send(keyed(patch_json(&path, &change), "b").bearer(&token)).await.expect(200);
    let cut = json!({"whereFilters": {&header[0]: format!("IN (1,{})", "z".repeat(1_000_000))}});
    send(post_json(&format!("{path}/cut"), &cut).bearer(&token)).await.expect(200);
    let recipe = json!({"name": "r".repeat(255), "cut": {"columns": ["z".repeat(65_000)]}});
    send(post_json("/api/recipes", &recipe).bearer(&token)).await.expect(201);
    let share = json!({
        "kind": "upload", "name": "s".repeat(255), "tags": long_tags(), "password": format!("{}q", "p".repeat(1023)),
        "maxUses": 1_000_000, "expiresIn": 604_800,
    });
    send(post_json("/api/shares", &share).bearer(&token)).await.expect(201);
    let key = json!({
        "name": "k".repeat(100), "tag": "t".repeat(64), "scopes": ["read", "write", "cut", "share"],
        "expiresAt": "2030-01-02T03:04:05Z",
    });
    let key = send(post_json("/api/keys", &key).bearer(&token)).await.expect(201).json();
    send(get("/api/files").bearer(key["secret"].as_str().unwrap())).await.expect(200);
    let rotate = format!("/api/keys/{}/rotate", key["key"]["id"].as_str().unwrap());
    send(crate::support::client::post(&rotate).bearer(&token)).await.expect(200);
    let strict = json!({"strict": true});
    send(post_json(&format!("{path}/cut"), &strict).bearer(&token)).await.expect(422);
    let save = json!({
        "filename": long_name(".csv"), "tags": long_tags(), "metadata": long_metadata(), "limit": 1,
        "whereFilters": cut["whereFilters"],
    });
    send(keyed(post_json(&format!("{path}/save"), &save), "c").bearer(&token)).await.expect(201);
    let parts = json!({
        "filename": long_name(".csv"), "size": 8, "tags": long_tags(), "metadata": long_metadata(),
        "contentType": format!("text/csv; charset=utf-8; x={}", "y".repeat(227)),
    });
    let begun = send(post_json("/api/files/multipart", &parts).bearer(&token)).await.expect(201).json();
    let part_path = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    send(crate::support::parts::part(&part_path, 1, b"a,b\n1,2\n").bearer(&token)).await.expect(200);
    send(get(&path).bearer(&token)).await.expect(200);
    app.deliver().await;
    app.run_sweep("seal_audit").await.unwrap();
    app.run_sweep("roll_up_metrics").await.unwrap();
    let longest = longest_rows(&app);
    assert!(
        longest["files"].as_u64().unwrap() > 60_000,
        "the row in the table `files` is too short to contain the names of all CSV columns"
    );
    for (table, most) in BYTES {
        let bytes = longest[table].as_u64().unwrap_or_else(|| panic!("{table} has no row"));
        assert!((1..=most).contains(&bytes), "a row of {table} has {bytes} bytes, more than {most}");
    }
    // This test does not check the rows of the tables in `others`. The service never writes to the tables in `unused`.
    let others =
        ["audit_segments", "erasures", "findings", "jobs", "sweep_cursors", "sweep_runs", "switches"];
    let unused = ["migration_batches", "migration_ledger", "outbox"];
    let known: Vec<_> = BYTES.iter().map(|(table, _)| *table).chain(others).chain(unused).collect();
    let document = include_str!("../../docs/operations.md");
    for table in longest.keys() {
        assert!(known.contains(&table.as_str()), "{table} has no limit in this test");
        assert!(document.contains(&format!("| `{table}` |")), "docs/operations.md has no limit for {table}");
    }
}

#[tokio::test]
async fn a_value_longer_than_its_limit_is_refused() {
    let scene = Scene::with(&[]);
    let create = |member: &str, value: Value| {
        let mut body = json!({"filename": "a.csv", "size": 1});
        body[member] = value;
        post_json("/api/files/multipart", &body)
    };
    for (call, status, code) in [
        (create("contentType", json!("x".repeat(900_000))), 415, "unsupported_type"),
        (create("contentType", json!(format!("text/csv; a={}", "b".repeat(300)))), 415, "unsupported_type"),
        (create("filename", json!(long_name(".csv"))), 201, ""),
        (create("filename", json!("n".repeat(256))), 422, "bad_name"),
        (create("tags", json!(["t".repeat(65)])), 400, "bad_metadata"),
        (create("tags", json!(vec!["t"; 33])), 201, ""),
        (create("metadata", json!({"k": "v".repeat(9000)})), 400, "bad_metadata"),
        (upload("a.csv", CSV).header("idempotency-key", "k".repeat(256)), 400, "bad_request"),
    ] {
        let response = scene.send(call).await;
        match code {
            "" => drop(response.expect(status)),
            code => drop(response.expect_problem(status, code)),
        }
    }
    let stored = "SELECT coalesce(max(length(session_data)), 0) AS bytes FROM multipart_uploads";
    assert!(scene.app.database.value(stored).as_u64().unwrap() < 1000);
}
