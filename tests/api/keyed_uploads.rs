//! `Idempotency-Key` on uploads in several requests: a repeated request creates no second upload and has no second
//! effect.

use std::cell::RefCell;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::app::break_every_call;
use crate::support::client::{Call, TestResponse, delete, head, post};
use crate::support::parts::{self, complete, part};
use crate::support::tus::{self, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{Fault, On, TestApp, TestBody};

const KEY: &str = "5f1c2a44-4d8d-4a5e-a8a1-6f1f5d1f2c11";

/// The name of a case, and a function that returns a request. The request creates an upload of 100 bytes.
type Creation = (&'static str, fn() -> Call);

const CREATIONS: [Creation; 3] = [
    ("tus", || tus::create(100)),
    ("tus with bytes", || tus::create_with(100, &csv(100)[..70])),
    ("parts", || parts::create(100)),
];

impl Uploader<'_> {
    async fn keyed(&self, call: Call) -> TestResponse {
        self.send(call.header("idempotency-key", KEY)).await
    }

    /// Sends the missing bytes of an upload of 100 bytes and returns the last response.
    async fn finish(&self, path: &str) -> TestResponse {
        if path.starts_with("/api/uploads") {
            let status = self.send(tus(head(path))).await.expect(200);
            let offset: usize = status.header("upload-offset").parse().unwrap();
            let call = tus::patch(path, offset).bytes(csv(100)[offset..].to_vec());
            return self.send(call).await.expect(204);
        }
        self.put_parts(path, &csv(100), [1, 2]).await;
        let parts = self.parts(path).await;
        self.send(complete(path, &parts)).await.expect(201)
    }
}

fn is_replay(response: &TestResponse) -> bool {
    response.header("idempotency-replayed") == "true"
}

fn count(app: &TestApp, sql: &str) -> u64 {
    app.database.value(&format!("SELECT count(*) AS n FROM {sql}")).as_u64().unwrap()
}

fn lose_response(app: &TestApp) {
    app.database.execute("UPDATE idempotency_keys SET status = NULL, response = NULL");
}

/// Sends a request until it succeeds. After each failure, advances the clock by the seconds in `Retry-After`.
async fn retry_until_success(
    scene: &Uploader<'_>,
    fault_case: &str,
    make: impl Fn() -> Call,
) -> TestResponse {
    for _ in 0..40 {
        let response = scene.keyed(make()).await;
        match response.status.as_u16() {
            200 | 201 | 204 => return response,
            409 => assert_eq!(response.json()["code"], "in_progress", "{fault_case}: {response}"),
            status => assert_eq!(status, 503, "{fault_case}: {response}"),
        }
        let wait: i64 = response.header("retry-after").parse().unwrap();
        scene.app.advance(TimeDelta::seconds(wait));
    }
    panic!("{fault_case}: the request never succeeds");
}

#[tokio::test]
async fn a_repeated_creation_returns_the_same_upload() {
    for (name, make) in CREATIONS {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let first = scene.keyed(make()).await.expect(201);
        assert!(!is_replay(&first), "{name}");
        app.faults.forget_calls();
        let again = scene.keyed(make()).await.expect(201);
        let calls = [On::database(), On::objects(), On::named_objects()].map(|on| app.faults.count(&on));
        assert_eq!(
            (is_replay(&again), calls),
            (true, [2, 0, 1]),
            "{name}: a replay must make one call for the account, one for the key and one for the rate limit"
        );
        assert_eq!(again.header("location"), first.header("location"), "{name}");
        assert_eq!(again.header("upload-offset"), first.header("upload-offset"), "{name}");
        assert_eq!(again.text(), first.text(), "{name}");
        assert_eq!(count(&app, "multipart_uploads"), 1, "{name}");
        scene.finish(first.header("location")).await;
        assert_eq!(count(&app, "files WHERE lifecycle_status = 'active'"), 1, "{name}");
        app.assert_consistent();
    }
}

#[tokio::test]
async fn a_key_adds_two_database_calls_to_a_creation() {
    for (name, make) in CREATIONS {
        let cost = async |key: Option<&str>| {
            let app = Uploader::app();
            let call = key.into_iter().fold(make(), |call, key| call.header("idempotency-key", key));
            Uploader::new(&app).send(call).await.expect(201);
            [On::database(), On::objects(), On::named_objects()].map(|on| app.faults.count(&on))
        };
        let [database, objects, uploads] = cost(None).await;
        assert_eq!(cost(Some(KEY)).await, [database + 2, objects, uploads], "{name}");
    }
}

#[tokio::test]
async fn a_repeated_creation_whose_response_was_lost_returns_the_current_offset() {
    for (name, make) in CREATIONS {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let first = scene.keyed(make()).await.expect(201);
        lose_response(&app);
        app.advance(TimeDelta::seconds(61));
        let again = scene.keyed(make()).await.expect(201);
        assert!(is_replay(&again), "{name}");
        for header in ["location", "upload-offset", "upload-expires", "content-type", "tus-resumable"] {
            assert_eq!(again.header(header), first.header(header), "{name}: {header}");
        }
        assert_eq!(again.text(), first.text(), "{name}");
        assert_eq!(count(&app, "multipart_uploads"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_was_used_for_another_creation_is_refused() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    scene.keyed(tus::create(100)).await.expect(201);
    let other_name =
        tus::create(100).without("upload-metadata").header("upload-metadata", "filename Yi5jc3Y=");
    let deferred = tus::create(100).without("upload-length").header("upload-defer-length", 1);
    for other in [tus::create(101), other_name, deferred, CREATIONS[2].1()] {
        scene.keyed(other).await.expect_problem(422, "idempotency_reuse");
    }
    assert_eq!(count(&app, "multipart_uploads"), 1);
}

#[tokio::test]
async fn exactly_one_of_two_concurrent_creations_with_the_same_key_creates_a_usable_upload() {
    for (name, make) in CREATIONS {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        app.faults.set_yield_before_calls(true);
        let (one, two) = tokio::join!(scene.keyed(make()), scene.keyed(make()));
        app.faults.set_yield_before_calls(false);
        let (done, waits) = if one.status.is_success() { (one, two) } else { (two, one) };
        waits.expect_problem(409, "in_progress");
        let path = done.expect(201).header("location").to_owned();
        assert_eq!(scene.keyed(make()).await.expect(201).header("location"), path, "{name}");
        scene.finish(&path).await;
        sweep_up(&app, name).await;
        assert_eq!(count(&app, "files WHERE lifecycle_status = 'active'"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_refused_creation_releases_its_key() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let bytes = |bytes: &'static [u8]| tus::create_with(bytes.len(), bytes);
    scene.keyed(bytes(b"\0\0\0\0\0")).await.expect_problem(415, "unsupported_type");
    assert_eq!(app.database.row_counts()["idempotency_keys"], 0);
    assert!(!is_replay(&scene.keyed(bytes(b"a,b\n1")).await.expect(201)));
}

#[tokio::test]
async fn a_retried_creation_creates_one_usable_upload_after_any_fault() {
    for (name, make) in CREATIONS {
        let seen: RefCell<Option<TestResponse>> = RefCell::default();
        let broken = break_every_call(
            async || {
                seen.take();
                Uploader::app()
            },
            async |app| {
                let response = Uploader::new(app).keyed(make()).await;
                seen.replace(Some(response));
            },
            async |app, fault_case| {
                let fault_case = format!("{name}, {fault_case}");
                let scene = Uploader::new(app);
                let retry = retry_until_success(&scene, &fault_case, make).await;
                let path = retry.header("location").to_owned();
                if let Some(first) = seen.take().filter(|response| response.status.is_success()) {
                    assert_eq!(first.header("location"), path, "{fault_case}");
                }
                let again = retry_until_success(&scene, &fault_case, make).await;
                assert_eq!(
                    (is_replay(&again), again.header("location")),
                    (true, path.as_str()),
                    "{fault_case}"
                );
                scene.finish(&path).await;
                scene.assert_nothing_is_left(&fault_case).await;
                assert_eq!(count(app, "files WHERE lifecycle_status = 'active'"), 1, "{fault_case}");
            },
        )
        .await;
        assert!(broken >= 4 * 4, "{name}: {broken}");
    }
}

#[tokio::test]
async fn a_failed_creation_is_undone_and_can_be_retried() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    // Both the call to the upload session and the statement that undoes the intent fail.
    app.faults.always(Fault::Failed, On::named_objects());
    app.faults.always(Fault::Failed, On::database().about("multipart_uploads SET status"));
    scene.keyed(tus::create(100)).await.expect_problem(503, "unavailable");
    app.faults.clear();
    let waits = scene.keyed(tus::create(100)).await;
    assert_eq!(waits.header("retry-after"), "5");
    waits.expect_problem(409, "in_progress");
    app.advance(TimeDelta::seconds(61));
    scene.keyed(tus::create(100)).await.expect_problem(503, "unavailable");
    let begun = scene.keyed(tus::create(100)).await.expect(201);
    assert!(!is_replay(&begun));
    scene.finish(begun.header("location")).await;
    let reserved = app.database.value("SELECT sum(reserved_bytes) AS n FROM quotas");
    assert_eq!(reserved, json!(0), "the reservation of the first upload must be released");
}

#[tokio::test]
async fn a_repeated_request_for_a_chunk_or_a_part_or_a_deletion_gets_a_replay() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let by_tus = scene.begin_by(CREATIONS[0].1()).await;
    let in_parts = scene.begin_by(CREATIONS[2].1()).await;
    let bytes = csv(100);
    let chunk = |path: &str| tus::patch(path, 0).bytes(bytes[..70].to_vec());
    let steps: [(&str, &dyn Fn() -> Call, u16); 4] = [
        ("chunk", &|| chunk(&by_tus), 204),
        ("terminate", &|| tus(delete(&by_tus)), 204),
        ("part", &|| part(&in_parts, 1, &bytes[..PART]), 200),
        ("abort", &|| delete(&in_parts), 204),
    ];
    for (name, make, status) in steps {
        let keyed = || make().header("idempotency-key", name);
        let first = scene.send(keyed()).await.expect(status);
        let again = scene.send(keyed()).await.expect(status);
        assert!(!is_replay(&first) && is_replay(&again), "{name}");
        assert_eq!(again.text(), first.text(), "{name}");
        for header in ["upload-offset", "etag", "tus-resumable"] {
            assert_eq!(again.header(header), first.header(header), "{name}: {header}");
        }
    }
    for (name, path) in [("terminate", &by_tus), ("abort", &in_parts)] {
        for body in [TestBody::from_bytes("x"), TestBody::from_bytes("{}")] {
            let call = tus(delete(path)).header("transfer-encoding", "chunked").stream(body);
            let other = scene.send(call.header("idempotency-key", name)).await;
            other.expect_problem(422, "idempotency_reuse");
        }
        let other = tus(delete(path)).header("if-match", "*").header("idempotency-key", name);
        scene.send(other).await.expect_problem(422, "idempotency_reuse");
    }
    lose_response(&app);
    let given_up = scene.send(delete(&in_parts).header("idempotency-key", "abort")).await.expect(204);
    assert!(is_replay(&given_up));
    sweep_up(&app, "steps").await;
}

#[tokio::test]
async fn a_repeated_tus_request_does_not_report_a_file_that_is_gone() {
    for way in ["create", "patch"] {
        for permanent in [false, true] {
            let app = Uploader::app();
            let scene = Uploader::new(&app);
            let path = scene.begin_by(tus::create(100)).await;
            let make = || match way {
                "create" => tus::create_with(100, &csv(100)),
                _ => tus::patch(&path, 0).bytes(csv(100)),
            };
            let first = scene.keyed(make()).await;
            assert!(first.status.is_success() && first.has("x-file-id"), "{way}: {first}");
            app.faults.forget_calls();
            let again = scene.keyed(make()).await.expect(first.status.as_u16());
            assert!(is_replay(&again), "{way}");
            assert_eq!(again.header("x-file-id"), first.header("x-file-id"), "{way}");
            assert_eq!(app.faults.count(&On::database()), 3, "{way}: the account, the key and the file");
            let file = format!("/api/files/{}", first.header("x-file-id"));
            scene.send(delete(&format!("{file}?permanent={permanent}"))).await.expect(200);
            let again = scene.keyed(make()).await;
            assert!(!again.has("upload-offset") && !again.has("x-file-id"), "{way}: {again}");
            again.expect_problem(410, "gone");
        }
    }
}

#[tokio::test]
async fn a_repeated_completion_returns_the_same_file() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let path = scene.begin_by(CREATIONS[2].1()).await;
    scene.put_parts(&path, &csv(100), [1, 2]).await;
    let parts = scene.parts(&path).await;
    let first = scene.keyed(complete(&path, &parts)).await.expect(201);
    let effect = "SELECT effect FROM idempotency_keys";
    let recorded: Value = serde_json::from_str(app.database.value(effect).as_str().unwrap()).unwrap();
    assert_eq!(recorded, json!({"effect": "created", "file": first.json()["file"]["id"]}));
    let file = format!("/api/files/{}", first.json()["file"]["id"].as_str().unwrap());
    for lost in [false, true] {
        if lost {
            lose_response(&app);
        }
        let again = scene.keyed(complete(&path, &parts)).await.expect(201);
        assert!(is_replay(&again));
        assert_eq!(again.json()["file"]["id"], first.json()["file"]["id"]);
        scene.send(delete(&file)).await.expect(200);
        scene.keyed(complete(&path, &parts)).await.expect_problem(410, "gone");
        scene.send(complete(&path, &parts)).await.expect_problem(410, "gone");
        scene.send(post(&format!("{file}/restore"))).await.expect(200);
    }
    let other = complete(&path, &[]);
    scene.keyed(other).await.expect_problem(422, "idempotency_reuse");
}

#[tokio::test]
async fn a_retried_completion_creates_one_file_after_any_fault() {
    let (path, parts): (RefCell<String>, RefCell<Vec<Value>>) = Default::default();
    let make = || complete(&path.borrow(), &parts.borrow());
    let broken = break_every_call(
        async || {
            let app = Uploader::app();
            let scene = Uploader::new(&app);
            path.replace(scene.begin_by(CREATIONS[2].1()).await);
            let upload = path.borrow().clone();
            scene.put_parts(&upload, &csv(100), [1, 2]).await;
            parts.replace(scene.parts(&upload).await);
            app
        },
        async |app| drop(Uploader::new(app).keyed(make()).await),
        async |app, fault_case| {
            let scene = Uploader::new(app);
            let retry = retry_until_success(&scene, fault_case, make).await.expect(201);
            let again = retry_until_success(&scene, fault_case, make).await.expect(201);
            assert!(is_replay(&again), "{fault_case}");
            assert_eq!(again.json()["file"]["id"], retry.json()["file"]["id"], "{fault_case}");
            sweep_up(app, fault_case).await;
            assert_eq!(count(app, "files WHERE lifecycle_status = 'active'"), 1, "{fault_case}");
            assert_eq!(
                count(app, "file_access_logs WHERE action = 'upload' AND success = 1"),
                1,
                "{fault_case}"
            );
        },
    )
    .await;
    assert!(broken >= 4 * 4, "{broken}");
}

#[tokio::test]
async fn a_repeated_request_continues_a_creation_that_hangs_longer_than_the_lease() {
    let bytes = csv(100);
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let (body, _still_open) = TestBody::hanging(&bytes[..70]);
    let make = || tus::create(100).header("content-type", tus::CHUNK).header("content-length", 100);
    let (_, path) = tokio::join!(scene.keyed(make().stream(body)), async {
        tokio::task::yield_now().await;
        app.advance(cutty::idempotency::LEASE);
        let repeat = retry_until_success(&scene, "the repeat", || make().bytes(bytes.clone())).await;
        assert_eq!(repeat.header("upload-offset"), "70");
        repeat.header("location").to_owned()
    });
    scene.finish(&path).await;
    assert_eq!(scene.files().await.len(), 1);
    app.assert_consistent();
}
