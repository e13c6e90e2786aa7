//! A request with an `Idempotency-Key` takes effect once, even if the client repeats the request or a call to a port
//! fails.

use std::cell::RefCell;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::app::break_every_call;
use crate::support::client::{Call, Form, TestResponse, delete, get, patch_json, post, post_json, upload};
use crate::support::contract::operations;
use crate::support::turns::poll_once;
use crate::support::{Fault, On, TestApp, TestBody};

const CSV: &str = "a,b\n1,2\n3,4\n";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// A request that accepts a key. The items are: (1) the name of the case; (2) a function that makes the request from
/// the path of the file; (3) whether the file is in the trash before the request.
struct Case(&'static str, fn(&str) -> Call, bool);

impl Case {
    /// Returns the number of changes that the request makes: 0 if the file already has the desired state, otherwise 1.
    fn changes(&self) -> u64 {
        u64::from(self.0 != ALREADY_IN_TRASH)
    }
}

const ALREADY_IN_TRASH: &str = "delete, already in the trash";

const CASES: [Case; 10] = [
    Case("upload", |_| upload("b.csv", CSV), false),
    Case("upload, alias path", |_| Call { request: renamed(upload("b.csv", CSV)), body: body() }, false),
    Case("form", |_| Form::default().file("b.csv", CSV.as_bytes()).field("tags", "x").post(), false),
    Case("patch", |path| patch_json(path, &json!({"filename": "c.csv", "tags": ["x"]})), false),
    Case("delete", delete, false),
    Case("permanent deletion", |path| delete(&format!("{path}?permanent=true")), false),
    Case(ALREADY_IN_TRASH, delete, true),
    Case("permanent deletion from the trash", |path| delete(&format!("{path}?permanent=true")), true),
    Case("restore", |path| post(&format!("{path}/restore")), true),
    Case("save", |path| post_json(&format!("{path}/save"), &json!({"selectedColumns": ["b"]})), false),
];

fn renamed(call: Call) -> http::Request<()> {
    let mut request = call.request;
    *request.uri_mut() = "/api/v1/files/upload/".parse().unwrap();
    request
}

fn body() -> Option<TestBody> {
    Some(TestBody::from_bytes(CSV))
}

/// An application in which Ada has one file.
struct Scene {
    app: TestApp,
    token: String,
    path: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        Self { app, token, path }
    }

    async fn for_case(case: &Case) -> Self {
        let scene = Self::new().await;
        if case.2 {
            scene.plain(delete(&scene.path)).await.expect(200);
        }
        scene
    }

    async fn plain(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn keyed(&self, call: Call) -> TestResponse {
        self.plain(call.header("idempotency-key", KEY)).await
    }

    async fn send(&self, case: &Case) -> TestResponse {
        self.keyed((case.1)(&self.path)).await
    }

    /// Returns the number of file changes in the audit log.
    fn effects(&self) -> u64 {
        effects(&self.app)
    }

    fn rows(&self) -> (Vec<cutty::ports::Row>, Vec<cutty::ports::Row>) {
        let all = |sql| self.app.database.rows(sql);
        (all("SELECT * FROM files ORDER BY id"), all("SELECT * FROM file_tags ORDER BY 1, 2, 3"))
    }
}

fn effects(app: &TestApp) -> u64 {
    let sql = "SELECT count(*) AS n FROM file_access_logs WHERE success = 1
        AND action IN ('upload', 'save', 'update', 'delete', 'restore')";
    app.database.value(sql).as_u64().unwrap()
}

/// Whether the effect of the request is recorded under the key.
fn is_recorded(app: &TestApp) -> bool {
    let sql = "SELECT count(*) AS n FROM idempotency_keys WHERE effect IS NOT NULL";
    app.database.value(sql) == 1
}

fn is_replay(response: &TestResponse) -> bool {
    response.header("idempotency-replayed") == "true"
}

/// Returns the status, the body and the headers that must be the same in a response and its replay.
fn comparable(response: &TestResponse) -> (u16, String, [String; 4]) {
    let headers =
        ["location", "etag", "content-type", "cache-control"].map(|name| response.header(name).to_owned());
    (response.status.as_u16(), response.text().to_owned(), headers)
}

/// Sends a request until it succeeds. After each failure, advances the clock by the seconds in `Retry-After`.
async fn retry_until_success(app: &TestApp, fault_case: &str, make: impl Fn() -> Call) -> TestResponse {
    for _ in 0..40 {
        let response = app.send(make()).await;
        match response.status.as_u16() {
            200 | 201 => return response,
            409 => assert_eq!(response.json()["code"], "in_progress", "{fault_case}: {response}"),
            status => assert_eq!(status, 503, "{fault_case}: {response}"),
        }
        let wait: i64 = response.header("retry-after").parse().unwrap();
        app.advance(TimeDelta::seconds(wait));
    }
    panic!("{fault_case}: the request never succeeds");
}

#[tokio::test]
async fn a_repeated_request_is_replayed_and_changes_nothing() {
    for case in &CASES {
        let scene = Scene::for_case(case).await;
        let before = scene.effects();
        let first = scene.send(case).await;
        assert!(first.status.is_success() && !is_replay(&first), "{}: {first}", case.0);
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        let rows = scene.rows();
        scene.app.advance(TimeDelta::hours(23));
        scene.app.know_switches();
        for _ in 0..2 {
            scene.app.faults.forget_calls();
            let again = scene.send(case).await;
            assert!(is_replay(&again), "{}: {again}", case.0);
            assert_eq!(comparable(&again), comparable(&first), "{}", case.0);
            let calls = [On::database(), On::objects()].map(|on| scene.app.faults.count(&on));
            // A replay makes one call for the account and one for the key. Except after a permanent deletion, it also
            // makes one call for the file.
            let has_file = !case.0.starts_with("permanent");
            assert_eq!(calls, [2 + usize::from(has_file), 0], "{}", case.0);
        }
        assert_eq!(scene.rows(), rows, "{}", case.0);
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn a_replay_returns_the_first_response_even_after_later_changes() {
    let scene = Scene::new().await;
    let rename = || patch_json(&scene.path, &json!({"filename": "one.csv"}));
    let first = scene.keyed(rename()).await.expect(200);
    scene.plain(patch_json(&scene.path, &json!({"filename": "two.csv"}))).await.expect(200);
    assert_eq!(comparable(&scene.keyed(rename()).await), comparable(&first));
    let now = scene.plain(get(&format!("{}/metadata", scene.path))).await.json();
    assert_eq!(now["file"]["filename"], "two.csv");
}

#[tokio::test]
async fn a_response_that_an_older_version_stored_is_replayed() {
    let scene = Scene::new().await;
    scene.keyed(delete(&scene.path)).await.expect(200);
    scene.app.database.execute(
        r#"UPDATE idempotency_keys SET status = 200, response = '{"headers":[["x-cache","1"]],"body":"{}"}'"#,
    );
    let kept = scene.keyed(delete(&scene.path)).await;
    assert_eq!((kept.status.as_u16(), kept.header("x-cache"), kept.text()), (200, "1", "{}"));
}

#[tokio::test]
async fn a_different_request_with_the_same_key_is_refused_and_changes_nothing() {
    for case in &CASES {
        let scene = Scene::for_case(case).await;
        scene.send(case).await;
        let rows = scene.rows();
        let others = [
            patch_json(&scene.path, &json!({"filename": "other.csv"})),
            delete(&format!("{}?permanent=false", scene.path)),
            upload("b.csv", "a,b\n1,2\n"),
            upload("c.csv", CSV),
            upload("b.csv", CSV)
                .header("repr-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
            post_json(&format!("{}/save", scene.path), &json!({"selectedColumns": ["a"]})),
        ];
        for other in others {
            scene.keyed(other).await.expect_problem(422, "idempotency_reuse");
        }
        assert_eq!(scene.rows(), rows, "{}", case.0);
    }
}

#[tokio::test]
async fn a_request_with_another_condition_digest_or_body_is_not_answered_with_a_replay() {
    type Change = fn(Call) -> Call;
    let others: [(&str, Change); 9] = [
        ("if-match", |call| call.header("if-match", "\"x\"")),
        ("if-unmodified-since", |call| call.header("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT")),
        ("content-md5", |call| call.header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")),
        ("content-encoding", |call| call.header("content-encoding", "gzip")),
        ("content-range", |call| call.header("content-range", "bytes 0-1/2")),
        ("digest", |call| call.header("digest", "md5=AA==")),
        ("upload-checksum", |call| call.header("upload-checksum", "sha1 AA==")),
        ("text", |call| call.bytes("x")),
        ("chunks", |call| call.stream(TestBody::from_bytes("[1]"))),
    ];
    for case in &CASES {
        let scene = Scene::for_case(case).await;
        scene.send(case).await;
        for (name, change) in others {
            let is_upload = ["upload", "form"].iter().any(|upload| case.0.starts_with(upload));
            if is_upload && ["text", "chunks"].contains(&name) {
                continue;
            }
            let other = scene.keyed(change((case.1)(&scene.path))).await;
            assert_eq!(other.status, 422, "{}, {name}: {other}", case.0);
            other.expect_problem(422, "idempotency_reuse");
        }
        assert!(is_replay(&scene.send(case).await), "{}", case.0);
    }
}

#[tokio::test]
async fn the_second_of_two_concurrent_requests_with_one_key_must_wait() {
    for case in &CASES {
        let scene = Scene::for_case(case).await;
        let before = scene.effects();
        scene.app.faults.set_yield_before_calls(true);
        let (one, two) = tokio::join!(scene.send(case), scene.send(case));
        let (done, waits) = if one.status.is_success() { (one, two) } else { (two, one) };
        assert!(done.status.is_success(), "{}: {done}", case.0);
        assert_eq!(waits.header("retry-after"), "5");
        waits.expect_problem(409, "in_progress");
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        assert_eq!(comparable(&scene.send(case).await), comparable(&done), "{}", case.0);
    }
}

#[tokio::test]
async fn a_request_whose_lease_has_ended_has_no_effect_after_another_request_claimed_the_key() {
    for case in &CASES {
        let scene = Scene::for_case(case).await;
        let before = scene.effects();
        scene.app.faults.set_yield_before_calls(true);
        let mut slow = Box::pin(scene.send(case));
        let claims = || scene.app.database.row_counts()["idempotency_keys"];
        let claims_before = claims();
        while claims() == claims_before {
            assert!(poll_once(slow.as_mut()).is_pending(), "{}", case.0);
        }
        scene.app.faults.set_yield_before_calls(false);
        scene.app.advance(TimeDelta::seconds(61));
        let done = scene.send(case).await;
        assert!(done.status.is_success() && !is_replay(&done), "{}: {done}", case.0);
        let late = slow.await;
        assert!(!late.status.is_success(), "{}: {late}", case.0);
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        assert_eq!(comparable(&scene.send(case).await), comparable(&done), "{}", case.0);
        sweep_up(&scene.app, case.0).await;
    }
}

#[tokio::test]
async fn a_retry_with_the_same_key_leaves_one_effect_after_any_fault() {
    for case in &CASES {
        let (token, path, seen) =
            (RefCell::new(String::new()), RefCell::new(String::new()), RefCell::new(None));
        let before = RefCell::new(0);
        let make = || {
            let call = (case.1)(&path.borrow()).bearer(&token.borrow());
            call.header("idempotency-key", KEY)
        };
        let broken = break_every_call(
            async || {
                let scene = Scene::for_case(case).await;
                before.replace(scene.effects());
                token.replace(scene.token);
                path.replace(scene.path);
                seen.take();
                scene.app
            },
            async |app| {
                let call = make();
                let response = app.send(call).await;
                seen.replace(Some(response));
            },
            async |app, fault_case| {
                let fault_case = format!("{}, {fault_case}", case.0);
                app.assert_consistent();
                let expected = *before.borrow() + case.changes();
                assert!(effects(app) <= expected, "{fault_case}");
                if let Some(first) = seen.take() {
                    let first: TestResponse = first;
                    assert!(first.status.is_success() || first.status == 503, "{fault_case}: {first}");
                    assert!(!first.status.is_success() || effects(app) == expected, "{fault_case}");
                    assert!(!first.status.is_success() || is_recorded(app), "{fault_case}");
                }
                let known = is_recorded(app);
                assert!(effects(app) == expected || !known, "{fault_case}");
                let retry = retry_until_success(app, &fault_case, make).await;
                assert_eq!(is_replay(&retry), known, "{fault_case}: {retry}");
                assert_eq!(effects(app), expected, "{fault_case}");
                let again = retry_until_success(app, &fault_case, make).await;
                assert!(is_replay(&again), "{fault_case}");
                assert_eq!(comparable(&again).0, comparable(&retry).0, "{fault_case}");
                sweep_up(app, &fault_case).await;
                assert_eq!(effects(app), expected, "{fault_case}");
            },
        )
        .await;
        assert!(broken >= 4 * 4, "{}: {broken}", case.0);
    }
}

#[tokio::test]
async fn a_write_with_an_unknown_outcome_releases_the_key_immediately() {
    for fault in [Fault::Failed, Fault::DoneButReportedFailed] {
        let scene = Scene::new().await;
        let rename = || patch_json(&scene.path, &json!({"filename": "one.csv"}));
        scene.app.faults.inject(fault, On::database().about("UPDATE files"), 1);
        scene.keyed(rename()).await.expect_problem(503, "unavailable");
        let retry = scene.keyed(rename()).await.expect(200);
        assert_eq!(
            is_replay(&retry),
            fault == Fault::DoneButReportedFailed,
            "the key must be released immediately"
        );
        assert_eq!(retry.json()["file"]["revision"], 2);
    }
}

#[tokio::test]
async fn a_failed_request_releases_its_key_for_a_corrected_request() {
    let scene = Scene::new().await;
    let save = |body: Value| post_json(&format!("{}/save", scene.path), &body);
    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let failing = vec![
        (upload("b.csv", "\0"), 415),
        (upload("b.csv", CSV).header("repr-digest", digest), 422),
        (upload("a%2Fb", CSV), 422),
        (Form::default().field("tags", "x").post(), 400),
        (patch_json(&scene.path, &json!({"filename": "a/b"})), 422),
        (patch_json(&scene.path, &json!({})).header("if-match", "\"x\""), 412),
        (post_json(&scene.path, &json!({})), 405),
        (delete(&format!("{}?permanent=perhaps", scene.path)), 400),
        (post(&format!("{}/restore", scene.path)), 409),
        (save(json!({"columns": ["nope"]})), 400),
        (delete("/api/files/018f0000-0000-7000-8000-000000000001"), 404),
    ];
    for (call, status) in failing {
        let response = scene.keyed(call).await;
        assert_eq!(response.status.as_u16(), status, "{response}");
        assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0, "{response}");
    }
    let mended = scene.keyed(save(json!({"columns": ["a"]}))).await.expect(201);
    assert!(!is_replay(&mended));
    let over = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "3")]);
    let token = over.user("ada");
    let call = || upload("a.csv", CSV).bearer(&token).header("idempotency-key", KEY);
    over.send(call()).await.expect_problem(507, "quota_exceeded");
    over.database.execute(&format!(
        "INSERT INTO quotas (user_id, quota_bytes, updated_at) VALUES ('ada', 1000, '{}')",
        over.now()
    ));
    over.send(call()).await.expect(201);
}

#[tokio::test]
async fn a_key_is_bound_to_its_user_and_expires_after_a_day() {
    let scene = Scene::new().await;
    let bob = scene.app.user("bob");
    let first = scene.keyed(upload("b.csv", CSV)).await.expect(201);
    let other = scene.app.send(upload("c.csv", "x\n1\n").bearer(&bob).header("idempotency-key", KEY)).await;
    assert!(!is_replay(&other.expect(201)));
    scene.app.advance(TimeDelta::hours(24));
    let next_day = scene.keyed(upload("b.csv", CSV)).await.expect(201);
    assert!(!is_replay(&next_day) && next_day.header("location") != first.header("location"));
    scene.app.sweep(scene.app.now()).await.unwrap();
    let left = "SELECT group_concat(user_id) AS users FROM idempotency_keys";
    assert_eq!(scene.app.database.value(left), "ada", "only Ada's new key may be left");
    scene.app.advance(TimeDelta::hours(24));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0);
}

#[tokio::test]
async fn a_sweep_deletes_many_expired_keys_in_several_calls() {
    let app = TestApp::new();
    app.database.execute(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at, expires_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         SELECT 'ada', i, 'x', '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z' FROM n",
    );
    assert_eq!(app.forget_expired_keys(app.now()).await.unwrap(), 2500);
    assert_eq!(app.faults.count(&On::database()), 3);
}

#[tokio::test]
async fn a_malformed_key_is_refused_before_any_effect() {
    let scene = Scene::new().await;
    let rows = scene.rows();
    for bad in ["", "a b", &"x".repeat(256)] {
        for case in CASES.iter().filter(|case| !case.2) {
            let call = (case.1)(&scene.path).header("idempotency-key", bad);
            scene.plain(call).await.expect_problem(400, "bad_request");
        }
    }
    let twice = upload("b.csv", CSV).header("idempotency-key", "a").header("idempotency-key", "b");
    scene.plain(twice).await.expect_problem(400, "bad_request");
    assert_eq!(scene.rows(), rows);
    let stranger = upload("b.csv", CSV).header("idempotency-key", KEY);
    scene.app.send(stranger).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn reads_and_cuts_ignore_a_key() {
    let scene = Scene::new().await;
    let cut = || post_json(&format!("{}/cut", scene.path), &json!({"selectedColumns": ["a"]}));
    for call in [get(&scene.path), get("/api/files"), cut(), cut()] {
        let response = scene.keyed(call).await.expect(200);
        assert!(!is_replay(&response));
    }
    assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0);
}

#[tokio::test]
async fn the_handler_of_a_keyed_request_gets_the_whole_body() {
    let scene = Scene::new().await;
    let long: Vec<_> = (0..9_000).map(|n| format!("{n:040}")).collect();
    let cut = json!({"filter": {"column": "a", "op": "in", "value": long}});
    let call = || post_json(&format!("{}/save", scene.path), &cut);
    let first = scene.keyed(call()).await.expect(201);
    assert_eq!(first.json()["file"]["size"], "a,b\n".len());
    assert!(is_replay(&scene.keyed(call()).await));
    let pad = json!({"pad": "x".repeat(2 << 20)});
    scene.keyed(post_json(&format!("{}/save", scene.path), &pad)).await.expect_problem(413, "too_large");
}

#[tokio::test]
async fn a_repeated_registration_needs_the_same_password() {
    const PASSWORD: &str = "correct horse battery";
    let call = |name: &str, password: &str, key: &str| {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "password": password});
        post_json("/api/auth/register", &body).header("idempotency-key", key)
    };
    let app = TestApp::new();
    let first = app.send(call("ada", PASSWORD, KEY)).await.expect(201);
    assert!(!is_replay(&first));
    let again = app.send(call("ada", PASSWORD, KEY)).await.expect(201);
    assert!(is_replay(&again));
    assert_eq!(again.json()["user"], first.json()["user"]);
    let token = again.json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    app.send(get("/api/auth/user").bearer(&token)).await.expect(200);

    app.send(call("ada", "another password", KEY)).await.expect_problem(422, "idempotency_reuse");
    app.send(call("ada", PASSWORD, "another")).await.expect_problem(409, "user_exists");
    app.send(call("bob", PASSWORD, KEY)).await.expect(201);
    assert_eq!(app.database.row_counts()["users"], 2);
    assert_eq!(app.database.row_counts()["idempotency_keys"], 2, "the refused request must release its key");
    let kept = format!("{:?}", app.database.rows("SELECT * FROM idempotency_keys"));
    assert!(!kept.contains(&token) && !kept.contains("token") && !kept.contains(PASSWORD), "{kept}");
    app.send(call("eve", "short", KEY)).await.expect_problem(422, "weak_password");
    app.send(call("eve", PASSWORD, KEY)).await.expect(201);
}

#[tokio::test]
async fn a_retried_registration_creates_one_account_after_any_fault() {
    let body = json!({"username": "ada", "password": "correct horse battery"});
    let make = || post_json("/api/auth/register", &body).header("idempotency-key", KEY);
    let broken = break_every_call(
        async || TestApp::new(),
        async |app| drop(app.send(make()).await),
        async |app, fault_case| {
            let response = retry_until_success(app, fault_case, make).await;
            assert_eq!(response.status, 201, "{fault_case}");
            assert_eq!(app.database.row_counts()["users"], 1, "{fault_case}");
            let token = response.json()["tokens"]["access_token"].as_str().unwrap().to_owned();
            app.send(get("/api/auth/user").bearer(&token)).await.expect(200);
        },
    )
    .await;
    assert_eq!(broken, 4 * 3);
}

#[tokio::test]
async fn cors_allows_the_key_and_exposes_the_replay_header() {
    let app = TestApp::new();
    let from_page = |call: Call| call.header("origin", "https://cutty.com");
    let preflight =
        Call::new(http::Method::OPTIONS, "/api/files").header("access-control-request-method", "POST");
    let allowed = app.send(from_page(preflight)).await.expect(204);
    assert!(allowed.header("access-control-allow-headers").contains("Idempotency-Key"));
    let actual = app.send(from_page(get("/health"))).await.expect(200);
    assert!(actual.header("access-control-expose-headers").contains("Idempotency-Replayed"));
}

#[test]
fn the_openapi_description_lists_the_responses_of_every_keyed_operation() {
    let mut taking = Vec::new();
    for operation in operations() {
        let parameters = operation.spec["parameters"].as_array().cloned().unwrap_or_default();
        if parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key") {
            for status in [400, 409, 422] {
                assert!(operation.statuses().contains(&status), "{operation:?}: {status}");
            }
            taking.push(format!("{} {}", operation.method, operation.template));
        }
    }
    taking.sort();
    assert_eq!(
        taking,
        [
            "DELETE /api/files/multipart/{id}",
            "DELETE /api/files/{id}",
            "DELETE /api/uploads/{id}",
            "PATCH /api/files/{id}",
            "PATCH /api/uploads/{id}",
            "POST /api/auth/register",
            "POST /api/files",
            "POST /api/files/multipart",
            "POST /api/files/multipart/{id}/complete",
            "POST /api/files/upload",
            "POST /api/files/{id}/restore",
            "POST /api/files/{id}/save",
            "POST /api/uploads",
            "PUT /api/files/multipart/{id}/parts/{number}",
        ]
    );
}

#[tokio::test]
async fn a_repeated_request_does_not_report_a_file_that_is_gone_and_sends_nothing_that_was_erased() {
    for case in &CASES {
        for (permanent, lost) in [(false, false), (false, true), (true, false), (true, true)] {
            let scene = Scene::for_case(case).await;
            let first = scene.send(case).await;
            let made = first.json()["file"]["id"].as_str().map(|id| format!("/api/files/{id}"));
            let path = made.unwrap_or_else(|| scene.path.clone());
            if lost {
                scene.app.database.execute("UPDATE idempotency_keys SET status = NULL, response = NULL");
            }
            // The file may be gone already.
            scene.plain(delete(&format!("{path}?permanent={permanent}"))).await;
            let again = scene.send(case).await;
            let is_purge = case.0.starts_with("permanent");
            let is_in_trash = !permanent && case.0.starts_with("delete");
            let expected = if is_purge || is_in_trash { 200 } else { 410 };
            let name = case.0;
            assert_eq!(again.status.as_u16(), expected, "{name}, purged: {permanent}, lost: {lost}: {again}");
            let has_name = [".csv", "\"tags\""].iter().any(|text| again.text().contains(text));
            assert!(!permanent || !has_name, "{name}: {again}");
        }
    }
}
