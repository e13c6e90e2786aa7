//! `Idempotency-Key`: however often and however brokenly a request is repeated, it has one effect.

use std::cell::RefCell;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::app::break_every_call;
use crate::support::client::{Call, Form, Reply, delete, get, patch_json, post, post_json, upload};
use crate::support::contract::operations;
use crate::support::turns::poll_once;
use crate::support::{Fault, On, TestApp, TestBody};

const CSV: &str = "a,b\n1,2\n3,4\n";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// A keyed request: its name, how it is made of the file's path, and whether the file is in the trash before.
struct Case(&'static str, fn(&str) -> Call, bool);

impl Case {
    /// How many changes it comes to. One that finds things as it wants them is a success without any.
    fn changes(&self) -> u64 {
        u64::from(self.0 != IN_THE_TRASH_ALREADY)
    }
}

const IN_THE_TRASH_ALREADY: &str = "delete, in the trash already";

const CASES: [Case; 10] = [
    Case("upload", |_| upload("b.csv", CSV), false),
    Case("upload, the other path", |_| Call { request: renamed(upload("b.csv", CSV)), body: body() }, false),
    Case("form", |_| Form::default().file("b.csv", CSV.as_bytes()).field("tags", "x").post(), false),
    Case("patch", |path| patch_json(path, &json!({"filename": "c.csv", "tags": ["x"]})), false),
    Case("delete", delete, false),
    Case("delete for good", |path| delete(&format!("{path}?permanent=true")), false),
    Case(IN_THE_TRASH_ALREADY, delete, true),
    Case("empty the trash", |path| delete(&format!("{path}?permanent=true")), true),
    Case("restore", |path| post(&format!("{path}/restore")), true),
    Case("save", |path| post_json(&format!("{path}/save"), &json!({"selectedColumns": ["b"]})), false),
];

fn renamed(call: Call) -> http::Request<()> {
    let mut request = call.request;
    *request.uri_mut() = "/api/v1/files/upload/".parse().unwrap();
    request
}

fn body() -> Option<TestBody> {
    Some(TestBody::of(CSV))
}

/// An application with one file of ada's.
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

    async fn of(case: &Case) -> Self {
        let scene = Self::new().await;
        if case.2 {
            scene.plain(delete(&scene.path)).await.expect(200);
        }
        scene
    }

    async fn plain(&self, call: Call) -> Reply {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn keyed(&self, call: Call) -> Reply {
        self.plain(call.header("idempotency-key", KEY)).await
    }

    async fn send(&self, case: &Case) -> Reply {
        self.keyed((case.1)(&self.path)).await
    }

    /// Changes of files on record.
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
        AND action IN ('upload', 'update', 'delete', 'restore')";
    app.database.value(sql).as_u64().unwrap()
}

/// Whether the key's request is known to be done.
fn on_record(app: &TestApp) -> bool {
    let sql = "SELECT count(*) AS n FROM idempotency_keys WHERE effect IS NOT NULL";
    app.database.value(sql) == 1
}

fn is_replay(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == "true"
}

/// What must be the same in an answer and its repeat.
fn essence(reply: &Reply) -> (u16, String, [String; 4]) {
    let headers =
        ["location", "etag", "content-type", "cache-control"].map(|name| reply.header(name).to_owned());
    (reply.status.as_u16(), reply.text().to_owned(), headers)
}

/// Repeats a request as a patient client does, until it is answered with success.
async fn insist(app: &TestApp, what: &str, make: impl Fn() -> Call) -> Reply {
    for _ in 0..40 {
        let reply = app.send(make()).await;
        match reply.status.as_u16() {
            200 | 201 => return reply,
            409 => assert_eq!(reply.json()["code"], "in_progress", "{what}: {reply}"),
            status => assert_eq!(status, 503, "{what}: {reply}"),
        }
        let wait: i64 = reply.header("retry-after").parse().unwrap();
        app.advance(TimeDelta::seconds(wait));
    }
    panic!("{what}: never answered");
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_was_and_does_nothing() {
    for case in &CASES {
        let scene = Scene::of(case).await;
        let before = scene.effects();
        let first = scene.send(case).await;
        assert!(first.status.is_success() && !is_replay(&first), "{}: {first}", case.0);
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        let rows = scene.rows();
        scene.app.advance(TimeDelta::hours(23));
        for _ in 0..2 {
            scene.app.faults.forget_calls();
            let again = scene.send(case).await;
            assert!(is_replay(&again), "{}: {again}", case.0);
            assert_eq!(essence(&again), essence(&first), "{}", case.0);
            let calls = [On::database(), On::objects()].map(|on| scene.app.faults.count(&on));
            assert_eq!(calls, [2, 0], "{}: identity and key", case.0);
        }
        assert_eq!(scene.rows(), rows, "{}", case.0);
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn a_repeat_is_answered_as_it_was_then_whatever_happened_since() {
    let scene = Scene::new().await;
    let rename = || patch_json(&scene.path, &json!({"filename": "one.csv"}));
    let first = scene.keyed(rename()).await.expect(200);
    scene.plain(patch_json(&scene.path, &json!({"filename": "two.csv"}))).await.expect(200);
    assert_eq!(essence(&scene.keyed(rename()).await), essence(&first));
    let now = scene.plain(get(&format!("{}/metadata", scene.path))).await.json();
    assert_eq!(now["file"]["filename"], "two.csv");
}

#[tokio::test]
async fn an_answer_kept_by_an_older_deploy_is_given() {
    let scene = Scene::new().await;
    scene.keyed(delete(&scene.path)).await.expect(200);
    scene.app.database.execute(
        r#"UPDATE idempotency_keys SET status = 200, response = '{"headers":[["x-cache","1"]],"body":"{}"}'"#,
    );
    let kept = scene.keyed(delete(&scene.path)).await;
    assert_eq!((kept.status.as_u16(), kept.header("x-cache"), kept.text()), (200, "1", "{}"));
}

#[tokio::test]
async fn a_key_of_another_request_is_refused_and_nothing_is_done() {
    for case in &CASES {
        let scene = Scene::of(case).await;
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
async fn of_two_at_once_one_is_done_and_the_other_told_to_wait() {
    for case in &CASES {
        let scene = Scene::of(case).await;
        let before = scene.effects();
        scene.app.faults.take_turns(true);
        let (one, two) = tokio::join!(scene.send(case), scene.send(case));
        let (done, waits) = if one.status.is_success() { (one, two) } else { (two, one) };
        assert!(done.status.is_success(), "{}: {done}", case.0);
        assert_eq!(waits.header("retry-after"), "5");
        waits.expect_problem(409, "in_progress");
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        assert_eq!(essence(&scene.send(case).await), essence(&done), "{}", case.0);
    }
}

#[tokio::test]
async fn a_try_that_was_overtaken_has_no_effect() {
    for case in &CASES {
        let scene = Scene::of(case).await;
        let before = scene.effects();
        scene.app.faults.take_turns(true);
        let mut slow = Box::pin(scene.send(case));
        // Up to the point where the key is claimed, and not much further.
        for _ in 0..3 {
            assert!(poll_once(slow.as_mut()).is_pending(), "{}", case.0);
        }
        scene.app.faults.take_turns(false);
        scene.app.advance(TimeDelta::seconds(61));
        let done = scene.send(case).await;
        assert!(done.status.is_success() && !is_replay(&done), "{}: {done}", case.0);
        let late = slow.await;
        assert!(!late.status.is_success(), "{}: {late}", case.0);
        assert_eq!(scene.effects(), before + case.changes(), "{}", case.0);
        assert_eq!(essence(&scene.send(case).await), essence(&done), "{}", case.0);
        sweep_up(&scene.app, case.0).await;
    }
}

#[tokio::test]
async fn whatever_breaks_a_retry_under_the_same_key_makes_one_effect() {
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
                let scene = Scene::of(case).await;
                before.replace(scene.effects());
                token.replace(scene.token);
                path.replace(scene.path);
                seen.take();
                scene.app
            },
            async |app| {
                let call = make();
                let reply = app.send(call).await;
                seen.replace(Some(reply));
            },
            async |app, what| {
                let what = format!("{}, {what}", case.0);
                app.assert_consistent();
                let expected = *before.borrow() + case.changes();
                assert!(effects(app) <= expected, "{what}");
                if let Some(first) = seen.take() {
                    let first: Reply = first;
                    assert!(first.status.is_success() || first.status == 503, "{what}: {first}");
                    assert!(!first.status.is_success() || effects(app) == expected, "{what}");
                    assert!(!first.status.is_success() || on_record(app), "{what}");
                }
                let known = on_record(app);
                assert!(effects(app) == expected || !known, "{what}");
                let retry = insist(app, &what, make).await;
                assert_eq!(is_replay(&retry), known, "{what}: {retry}");
                assert_eq!(effects(app), expected, "{what}");
                let again = insist(app, &what, make).await;
                assert!(is_replay(&again), "{what}");
                assert_eq!(essence(&again).0, essence(&retry).0, "{what}");
                sweep_up(app, &what).await;
                assert_eq!(effects(app), expected, "{what}");
            },
        )
        .await;
        assert!(broken >= 4 * 4, "{}: {broken}", case.0);
    }
}

#[tokio::test]
async fn an_outcome_nobody_knows_gives_the_key_back_at_once() {
    for fault in [Fault::Failed, Fault::DoneButReportedFailed] {
        let scene = Scene::new().await;
        let rename = || patch_json(&scene.path, &json!({"filename": "one.csv"}));
        scene.app.faults.inject(fault, On::database().about("UPDATE files"), 1);
        scene.keyed(rename()).await.expect_problem(503, "unavailable");
        let retry = scene.keyed(rename()).await.expect(200);
        assert_eq!(is_replay(&retry), fault == Fault::DoneButReportedFailed, "without waiting");
        assert_eq!(retry.json()["file"]["revision"], 2);
    }
}

#[tokio::test]
async fn a_request_that_failed_gives_its_key_back_so_that_a_mended_one_works() {
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
        let reply = scene.keyed(call).await;
        assert_eq!(reply.status.as_u16(), status, "{reply}");
        assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0, "{reply}");
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
async fn a_key_belongs_to_its_user_for_a_day() {
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
    assert_eq!(scene.app.database.value(left), "ada", "bob's has expired, ada's is new");
    scene.app.advance(TimeDelta::hours(24));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0);
}

#[tokio::test]
async fn a_sweep_forgets_many_keys_in_bounded_batches() {
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
async fn a_key_that_cannot_be_used_is_refused_before_anything_is_done() {
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
async fn reading_and_cutting_take_no_notice_of_a_key() {
    let scene = Scene::new().await;
    let cut = || post_json(&format!("{}/cut", scene.path), &json!({"selectedColumns": ["a"]}));
    for call in [get(&scene.path), get("/api/files"), cut(), cut()] {
        let reply = scene.keyed(call).await.expect(200);
        assert!(!is_replay(&reply));
    }
    assert_eq!(scene.app.database.row_counts()["idempotency_keys"], 0);
}

#[tokio::test]
async fn a_body_of_a_keyed_request_reaches_its_handler_whole() {
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
async fn a_registration_can_be_repeated_by_who_knows_the_password() {
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
    assert_eq!(app.database.row_counts()["idempotency_keys"], 2, "the refused one was given back");
    let kept = format!("{:?}", app.database.rows("SELECT * FROM idempotency_keys"));
    assert!(!kept.contains(&token) && !kept.contains("token") && !kept.contains(PASSWORD), "{kept}");
    app.send(call("eve", "short", KEY)).await.expect_problem(422, "weak_password");
    app.send(call("eve", PASSWORD, KEY)).await.expect(201);
}

#[tokio::test]
async fn whatever_breaks_a_registration_a_retry_makes_one_account() {
    let body = json!({"username": "ada", "password": "correct horse battery"});
    let make = || post_json("/api/auth/register", &body).header("idempotency-key", KEY);
    let broken = break_every_call(
        async || TestApp::new(),
        async |app| drop(app.send(make()).await),
        async |app, what| {
            let reply = insist(app, what, make).await;
            assert_eq!(reply.status, 201, "{what}");
            assert_eq!(app.database.row_counts()["users"], 1, "{what}");
            let token = reply.json()["tokens"]["access_token"].as_str().unwrap().to_owned();
            app.send(get("/api/auth/user").bearer(&token)).await.expect(200);
        },
    )
    .await;
    assert_eq!(broken, 4 * 2);
}

#[tokio::test]
async fn a_page_may_send_a_key_and_read_whether_an_answer_is_a_repeat() {
    let app = TestApp::new();
    let asked = |call: Call| call.header("origin", "https://cutty.com");
    let preflight =
        Call::new(http::Method::OPTIONS, "/api/files").header("access-control-request-method", "POST");
    let allowed = app.send(asked(preflight)).await.expect(204);
    assert!(allowed.header("access-control-allow-headers").contains("Idempotency-Key"));
    let actual = app.send(asked(get("/health"))).await.expect(200);
    assert!(actual.header("access-control-expose-headers").contains("Idempotency-Replayed"));
}

#[test]
fn the_description_names_the_key_wherever_it_is_taken() {
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
