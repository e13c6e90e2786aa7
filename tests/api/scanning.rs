//! The content scanner: each kind of upload, with a scanner that works, is slow, breaks or lies.

use chrono::TimeDelta;
use cutty::config::Config;
use serde_json::{Value, json};

use crate::support::app::break_every_call;
use crate::support::client::{Call, Form, TestResponse, get, head, post_json, upload};
use crate::support::faults::Port;
use crate::support::parts::{complete, create as create_in_parts};
use crate::support::scanner::{Behaviour, infected_csv};
use crate::support::tus::{create, create_with, patch, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{Fault, On, TestApp};

const URL: (&str, &str) = ("SCAN_URL", "http://127.0.0.1:9/scan");

/// An application with a scanner, short parts and an account for Ada.
fn scanning_app(more: &[(&str, &str)]) -> TestApp {
    let config = TestApp::with(&[&[URL], more].concat()).config.clone();
    let app = TestApp::configured(Config { max_chunk_size_bytes: PART as u64, ..config });
    app.objects.set_min_part_bytes(1);
    app.user("ada");
    app
}

fn scanning(more: &[(&str, &str)]) -> Uploader<'static> {
    let app = Box::leak(Box::new(scanning_app(more)));
    Uploader::new(app)
}

/// A kind of upload.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Raw,
    WithoutLength,
    FormFile,
    Tus,
    PartByPart,
}

const KINDS: [Kind; 5] = [Kind::Raw, Kind::WithoutLength, Kind::FormFile, Kind::Tus, Kind::PartByPart];

/// Uploads a file of several parts. Returns the last response, and the path of the upload if it has one.
async fn store(scene: &Uploader<'_>, kind: Kind, bytes: &[u8]) -> (TestResponse, String) {
    let call = match kind {
        Kind::Raw => upload("a.csv", bytes.to_vec()),
        Kind::WithoutLength => upload("a.csv", bytes.to_vec()).without("content-length"),
        Kind::FormFile => Form::default().file("a.csv", bytes).field("tags", "x").post(),
        Kind::Tus => {
            let path = scene.begin(bytes.len()).await;
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            scene.send(patch(&path, 0).bytes(first.to_vec())).await.expect(204);
            return (scene.send(patch(&path, first.len()).bytes(rest.to_vec())).await, path);
        }
        Kind::PartByPart => {
            let path = scene.begin_by(create_in_parts(bytes.len())).await;
            scene.put_parts(&path, bytes, 1..=bytes.len().div_ceil(PART)).await;
            let response = scene.send(complete(&path, &scene.parts(&path).await)).await;
            return (response, path);
        }
    };
    (scene.send(call).await, String::new())
}

fn success_of(kind: Kind) -> u16 {
    if kind == Kind::Tus { 204 } else { 201 }
}

/// Returns the only file, as `/metadata` shows it.
async fn only_file(scene: &Uploader<'_>, case: &str) -> Value {
    let files = scene.files().await;
    let [file] = files.as_slice() else { panic!("{case}: {files:?}") };
    let path = format!("/api/files/{}/metadata", file["id"].as_str().unwrap());
    let shown = scene.send(get(&path)).await.expect(200).json()["file"].clone();
    assert_eq!(shown["scan"], file["scan"], "{case}");
    shown
}

/// Asserts that no file, no object and no reservation is left after the sweeps.
async fn assert_nothing_is_stored(scene: &Uploader<'_>, case: &str) {
    assert_eq!(scene.files().await, Vec::<Value>::new(), "{case}");
    scene.app.assert_consistent();
    assert_eq!(scene.app.database.value("SELECT coalesce(sum(used_bytes), 0) AS n FROM quotas"), 0, "{case}");
    scene.assert_nothing_is_left(case).await;
    assert_eq!(scene.app.objects.keys(), Vec::<String>::new(), "{case}");
}

/// Ways in which a scanner fails.
fn failures() -> Vec<Behaviour> {
    let lie = |status: u16, body: &str| Behaviour::Lying(status, body.as_bytes().to_vec());
    vec![
        Behaviour::Slow,
        Behaviour::Broken,
        lie(200, "clean"),
        lie(200, r#"{"verdict":"perhaps"}"#),
        lie(302, r#"{"verdict":"clean"}"#),
        lie(500, r#"{"verdict":"clean"}"#),
        Behaviour::Lying(200, vec![b' '; 1 << 20]),
    ]
}

#[tokio::test]
async fn without_scan_url_nothing_is_scanned_and_no_response_mentions_a_scan() {
    let scene = Uploader::alone();
    for kind in KINDS {
        store(&scene, kind, &infected_csv(3 * PART)).await.0.expect(success_of(kind));
    }
    assert_eq!(scene.app.scanner.scans(), []);
    assert!(scene.files().await.iter().all(|file| file.get("scan").is_none()));
    let ready = scene.send(get("/health/ready")).await.expect(200).json();
    assert!(ready.get("scanner").is_none(), "{ready}");
}

#[tokio::test]
async fn every_kind_of_upload_is_scanned_once_and_keeps_the_verdict() {
    for kind in KINDS {
        for length in [PART / 2, 3 * PART + 1] {
            let (case, scene) = (format!("{kind:?} {length}"), scanning(&[]));
            let bytes = csv(length);
            store(&scene, kind, &bytes).await.0.expect(success_of(kind));
            let file = only_file(&scene, &case).await;
            let at = scene.app.now().to_string();
            assert_eq!(file["scan"], json!({"verdict": "clean", "scannedAt": at}), "{case}");
            assert_eq!(scene.app.scanner.scans(), [(length as u64, kind != Kind::PartByPart)], "{case}");
            scene.assert_file_is(&file["id"], &bytes).await;
            scene.app.assert_consistent();
        }
    }
}

#[tokio::test]
async fn infected_content_is_refused_by_every_kind_of_upload_and_leaves_nothing() {
    for kind in KINDS {
        for failure in ["refuse", "accept"] {
            let (case, scene) = (format!("{kind:?} {failure}"), scanning(&[("SCAN_FAILURE", failure)]));
            let bytes = infected_csv(3 * PART);
            let (response, path) = store(&scene, kind, &bytes).await;
            let problem = response.expect_problem(422, "infected");
            assert_eq!(problem["signature"], "Eicar-Test-Signature", "{case}");
            match kind {
                Kind::Tus => {
                    scene.send(tus(head(&path))).await.expect(410);
                    let gone = scene.send(patch(&path, 0).bytes("x")).await.expect_problem(410, "gone");
                    assert!(gone["detail"].as_str().unwrap().contains("scanner"), "{gone}");
                }
                Kind::PartByPart => {
                    let again = scene.send(complete(&path, &[])).await.expect_problem(422, "infected");
                    assert_eq!(again["signature"], problem["signature"]);
                }
                _ => {
                    store(&scene, kind, &bytes).await.0.expect_problem(422, "infected");
                }
            }
            assert_nothing_is_stored(&scene, &case).await;
        }
    }
    let scene = scanning(&[]);
    let bytes = infected_csv(2 * PART);
    scene.send(create_with(bytes.len(), &bytes)).await.expect_problem(422, "infected");
    assert_nothing_is_stored(&scene, "tus in one request").await;
}

#[tokio::test]
async fn a_scanner_that_fails_refuses_uploads_and_a_repeated_request_succeeds_later() {
    for kind in KINDS {
        for behaviour in failures() {
            let (case, scene) = (format!("{kind:?} {behaviour:?}"), scanning(&[]));
            let case = case.chars().take(60).collect::<String>();
            scene.app.scanner.behave(behaviour);
            let bytes = csv(3 * PART);
            let (response, path) = store(&scene, kind, &bytes).await;
            assert_eq!(response.header("retry-after"), "30", "{case}");
            let problem = response.expect_problem(503, "unavailable");
            assert!(problem["detail"].as_str().unwrap().contains("scanner"), "{problem}");
            assert_eq!(scene.files().await, Vec::<Value>::new(), "{case}");
            scene.app.assert_consistent();
            if !matches!(kind, Kind::Tus | Kind::PartByPart) {
                assert_nothing_is_stored(&scene, &case).await;
            }
            scene.app.scanner.behave(Behaviour::Honest);
            match kind {
                Kind::Tus => {
                    let response = scene.send(tus(head(&path))).await.expect(200);
                    assert!(response.has("x-file-id"), "{case}");
                }
                Kind::PartByPart => {
                    scene.send(complete(&path, &scene.parts(&path).await)).await.expect(201);
                }
                _ => drop(store(&scene, kind, &bytes).await.0.expect(201)),
            }
            assert_eq!(only_file(&scene, &case).await["scan"]["verdict"], "clean", "{case}");
            scene.app.assert_consistent();
        }
    }
}

#[tokio::test]
async fn uploads_in_several_requests_are_finished_by_their_alarm_or_given_up_if_the_scanner_never_works() {
    let scene = scanning(&[]);
    scene.app.scanner.behave(Behaviour::Broken);
    let bytes = csv(3 * PART);
    let (response, path) = store(&scene, Kind::Tus, &bytes).await;
    response.expect_problem(503, "unavailable");
    scene.app.advance(TimeDelta::minutes(2));
    scene.app.ring_alarms().await;
    scene.send(tus(head(&path))).await.expect(503);
    scene.app.scanner.behave(Behaviour::Honest);
    scene.app.advance(TimeDelta::minutes(2));
    scene.app.ring_alarms().await;
    assert_eq!(only_file(&scene, "by the alarm").await["scan"]["verdict"], "clean");

    for kind in [Kind::Tus, Kind::PartByPart] {
        let scene = scanning(&[]);
        scene.app.scanner.behave(Behaviour::Broken);
        store(&scene, kind, &bytes).await.0.expect_problem(503, "unavailable");
        assert_nothing_is_stored(&scene, &format!("{kind:?}")).await;
    }
}

#[tokio::test]
async fn with_accept_a_file_is_stored_unscanned_if_the_scanner_fails() {
    for kind in KINDS {
        for behaviour in failures() {
            let scene = scanning(&[("SCAN_FAILURE", "accept")]);
            scene.app.scanner.behave(behaviour);
            let bytes = csv(3 * PART);
            store(&scene, kind, &bytes).await.0.expect(success_of(kind));
            let file = only_file(&scene, &format!("{kind:?}")).await;
            let at = scene.app.now().to_string();
            assert_eq!(file["scan"], json!({"verdict": "unscanned", "scannedAt": at}));
            scene.assert_file_is(&file["id"], &bytes).await;
            scene.app.assert_consistent();
        }
    }
}

#[tokio::test]
async fn a_saved_cut_is_not_scanned() {
    let scene = scanning(&[]);
    store(&scene, Kind::Raw, &csv(100)).await.0.expect(201);
    let file = only_file(&scene, "upload").await;
    let path = format!("/api/files/{}/save", file["id"].as_str().unwrap());
    let saved = scene.send(post_json(&path, &json!({}))).await.expect(201).json();
    assert_eq!(saved["file"]["scan"]["verdict"], "derived");
    assert_eq!(scene.app.scanner.scans().len(), 1);
}

#[tokio::test]
async fn health_reports_whether_the_scanner_works() {
    let ready = |scene: &Uploader<'static>| {
        let app = scene.app;
        async move {
            let response = app.send(get("/health/ready")).await;
            let body = response.json();
            let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            (response.status.as_u16(), member("status"), member("scanner"))
        }
    };
    let state = |code: u16, status: &str, scanner: &str| (code, status.to_owned(), scanner.to_owned());
    for (failure, code) in [("refuse", 503), ("accept", 200)] {
        let scene = scanning(&[("SCAN_FAILURE", failure)]);
        assert_eq!(ready(&scene).await, state(200, "healthy", "healthy"));
        for behaviour in failures() {
            scene.app.scanner.behave(behaviour);
            scene.app.advance(TimeDelta::seconds(31));
            assert_eq!(ready(&scene).await, state(code, "degraded", "unhealthy"));
            // Within 30 s, the isolate does not probe again.
            let scans = scene.app.scanner.scans().len();
            assert_eq!(ready(&scene).await, state(code, "degraded", "unhealthy"));
            assert_eq!(scene.app.scanner.scans().len(), scans);
            scene.app.scanner.behave(Behaviour::Honest);
            // An upload shows at once that the scanner works again.
            store(&scene, Kind::Raw, &csv(50)).await.0.expect(201);
            assert_eq!(ready(&scene).await, state(200, "healthy", "healthy"));
        }
        scene.app.scanner.behave(Behaviour::Lying(200, br#"{"verdict":"infected"}"#.to_vec()));
        scene.app.advance(TimeDelta::seconds(31));
        assert_eq!(ready(&scene).await, state(code, "degraded", "unhealthy"));
    }
}

#[tokio::test]
async fn a_retry_with_an_idempotency_key_scans_again_only_if_nothing_was_stored() {
    let scene = scanning(&[]);
    let keyed = |bytes: Vec<u8>, key: &str| upload("a.csv", bytes).header("idempotency-key", key);
    let good = csv(100);
    scene.app.scanner.behave(Behaviour::Broken);
    scene.send(keyed(good.clone(), "k1")).await.expect_problem(503, "unavailable");
    scene.app.scanner.behave(Behaviour::Honest);
    let first = scene.send(keyed(good.clone(), "k1")).await.expect(201).json();
    let scans = scene.app.scanner.scans().len();
    let second = scene.send(keyed(good, "k1")).await.expect(201).json();
    assert_eq!((&first["file"]["id"], scene.app.scanner.scans().len()), (&second["file"]["id"], scans));
    for _ in 0..2 {
        scene.send(keyed(infected_csv(100), "k2")).await.expect_problem(422, "infected");
    }
    assert_eq!(scene.files().await.len(), 1);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn a_file_stays_stored_if_its_commit_is_repeated_and_the_scanner_has_changed_its_mind() {
    let changed = Behaviour::Lying(200, br#"{"verdict":"infected"}"#.to_vec());
    let bytes = csv(3 * PART);
    let crash = |app: &TestApp| {
        app.faults.inject(Fault::CrashAfter, On::database().about("INSERT INTO commit_markers"), 1);
    };
    let scene = scanning(&[]);
    let path = scene.begin(bytes.len()).await;
    crash(scene.app);
    let work = scene.send(patch(&path, 0).bytes(bytes.clone()));
    assert!(scene.app.faults.until_crash(work).await.is_none());
    scene.app.faults.clear();
    scene.app.scanner.behave(changed.clone());
    assert!(scene.send(tus(head(&path))).await.expect(200).has("x-file-id"));
    only_file(&scene, "tus").await;
    scene.app.assert_consistent();

    let scene = scanning(&[]);
    let path = scene.begin_by(create_in_parts(bytes.len())).await;
    scene.put_parts(&path, &bytes, 1..=3).await;
    let parts = scene.parts(&path).await;
    crash(scene.app);
    assert!(scene.app.faults.until_crash(scene.send(complete(&path, &parts))).await.is_none());
    scene.app.faults.clear();
    scene.app.scanner.behave(changed);
    scene.send(complete(&path, &parts)).await.expect(201);
    only_file(&scene, "part by part").await;
    scene.app.assert_consistent();
}

/// Runs an upload in several requests to its end, and repeats the last request after each failure.
async fn upload_with_faults(app: &TestApp, kind: Kind, bytes: &[u8]) {
    let scene = Uploader::new(app);
    let call = |path: &str, parts: &[Value]| -> Call {
        match kind {
            Kind::Tus => patch(path, 0).bytes(bytes.to_vec()),
            Kind::PartByPart => complete(path, parts),
            _ => upload("a.csv", bytes.to_vec()),
        }
    };
    let create = match kind {
        Kind::Tus => Some(create(bytes.len())),
        Kind::PartByPart => Some(create_in_parts(bytes.len())),
        _ => None,
    };
    let mut path = String::new();
    if let Some(create) = create {
        let created = scene.send(create).await;
        if created.status != 201 {
            return;
        }
        path = created.header("location").to_owned();
    }
    let mut parts = Vec::new();
    if kind == Kind::PartByPart {
        for (number, piece) in (1..).zip(bytes.chunks(PART)) {
            let put = scene.send(crate::support::parts::part(&path, number, piece)).await;
            if put.status != 200 {
                return;
            }
            parts.push(put.json()["part"].clone());
        }
    }
    scene.send(call(&path, &parts)).await;
}

#[tokio::test]
async fn no_failure_makes_infected_content_readable_and_no_failure_leaves_anything() {
    for kind in [Kind::Raw, Kind::Tus, Kind::PartByPart] {
        let bytes = infected_csv(3 * PART);
        let broken = break_every_call(
            async || scanning_app(&[]),
            async |app| upload_with_faults(app, kind, &bytes).await,
            async |app, case| {
                let case = format!("{kind:?}: {case}");
                assert_nothing_is_stored(&Uploader::new(app), &case).await;
            },
        )
        .await;
        assert!(broken > 20, "{kind:?}: {broken}");
    }
}

#[tokio::test]
async fn every_failure_of_a_clean_upload_leaves_the_whole_file_or_nothing() {
    for kind in [Kind::Raw, Kind::Tus, Kind::PartByPart] {
        let bytes = csv(3 * PART);
        break_every_call(
            async || scanning_app(&[]),
            async |app| upload_with_faults(app, kind, &bytes).await,
            async |app, case| {
                let (case, scene) = (format!("{kind:?}: {case}"), Uploader::new(app));
                scene.assert_nothing_is_left(&case).await;
                for file in scene.files().await {
                    assert_eq!(file["scan"]["verdict"], "clean", "{case}");
                    scene.assert_file_is(&file["id"], &bytes).await;
                }
                let scans = app.faults.calls().iter().filter(|call| call.port == Port::Scanner).count();
                assert!(scene.files().await.is_empty() || scans > 0, "{case}");
            },
        )
        .await;
    }
}
