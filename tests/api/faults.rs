//! Injects each fault into each call that a change makes to a port. Afterwards every acknowledged change must be
//! visible, and no partial change may be visible. When the sweeps have run ([`sweep_up`]), no temporary row or object
//! may be left.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::form::long_csv;
use crate::support::app::break_every_call;
use crate::support::client::{Call, Form, TestResponse, delete, get, patch_json, post, post_json, upload};
use crate::support::{Fault, On, TestApp, TestBody};
use std::cell::RefCell;

const CSV: &[u8] = b"origin,dep_delay\nJFK,61\nLGA,3\n";

/// Data that a test needs in addition to its application.
struct Scene {
    token: String,
    /// A file that exists before the test starts.
    kept: Value,
}

impl Scene {
    async fn new() -> (TestApp, Self) {
        let app = TestApp::new();
        let token = app.user("ada");
        let kept = app.upload(&token, "kept.csv", CSV).await;
        (app, Self { token, kept })
    }

    fn path(&self) -> String {
        format!("/api/files/{}", self.kept["id"].as_str().unwrap())
    }

    async fn send(&self, app: &TestApp, call: Call) -> TestResponse {
        app.send(call.bearer(&self.token)).await
    }

    /// Returns the files in the default list.
    async fn listed(&self, app: &TestApp) -> Vec<Value> {
        let response = self.send(app, get("/api/files?limit=1000")).await.expect(200);
        response.json()["files"].as_array().unwrap().clone()
    }
}

/// Moves the clock forward by 25 hours and runs all sweeps twice. Moves the clock forward by 25 hours again and runs
/// all sweeps twice again. Asserts that no temporary row or object is left.
pub async fn sweep_up(app: &TestApp, case: &str) {
    for hours in [25, 0, 25, 0] {
        app.advance(TimeDelta::hours(hours));
        let report = app.sweep(app.now()).await.unwrap();
        assert_eq!(report.failed, 0, "{case}");
    }
    app.assert_consistent();
    let reserved = "SELECT coalesce(sum(reserved_bytes), 0) AS bytes FROM quotas";
    assert_eq!(app.database.value(reserved), 0, "{case}");
    let pending = "SELECT count(*) AS n FROM files WHERE lifecycle_status = 'pending'";
    assert_eq!(app.database.value(pending), 0, "{case}");
    assert_eq!(app.objects.open_uploads(), Vec::new(), "{case}");
}

/// Tests one request with each fault in each call that the request makes to a port. For each fault and each call,
/// injects the fault into the call, sends the request, and checks rows and objects. Then calls `check` with the
/// response (`None` if the isolate crashed) and a text that names the fault and the call. Returns the number of
/// injected faults: four for each call.
async fn break_request(
    prepare: impl AsyncFn(&TestApp, &Scene),
    make: impl Fn(&Scene) -> Call,
    check: impl AsyncFn(&TestApp, &Scene, Option<TestResponse>, &str),
) -> usize {
    let (scene, seen): (RefCell<Option<Scene>>, RefCell<Option<TestResponse>>) = Default::default();
    break_every_call(
        async || {
            let (app, made) = Scene::new().await;
            prepare(&app, &made).await;
            scene.replace(Some(made));
            seen.take();
            app
        },
        async |app| {
            let call = {
                let scene = scene.borrow();
                let scene = scene.as_ref().unwrap();
                make(scene).bearer(&scene.token)
            };
            let response = app.send(call).await;
            seen.replace(Some(response));
        },
        async |app, case| {
            let (scene, seen) = (scene.take().unwrap(), seen.take());
            app.assert_consistent();
            check(app, &scene, seen, case).await;
        },
    )
    .await
}

/// Injects each fault into each call that an upload of `bytes` makes to a port. Asserts that the file is complete or
/// absent afterwards. Returns the number of injected faults.
async fn upload_survives(make: impl Fn() -> Call, bytes: &[u8]) -> usize {
    break_request(
        async |_, _| {},
        |_| make(),
        async |app, scene, seen, case| {
            let new_files = |files: Vec<Value>| -> Vec<Value> {
                files.into_iter().filter(|file| file["id"] != scene.kept["id"]).collect()
            };
            let before = new_files(scene.listed(app).await);
            match &seen {
                Some(response) if response.status == 201 => {
                    assert_eq!(
                        before.len(),
                        1,
                        "{case}: the upload was acknowledged, but the file is missing"
                    );
                    assert_eq!(before[0]["id"], response.json()["file"]["id"], "{case}");
                }
                Some(response) => {
                    assert_eq!(response.status.as_u16(), 503, "{case}: {response}");
                    assert!(before.is_empty(), "{case}: the upload was refused, but the file exists");
                }
                None => assert!(before.len() <= 1, "{case}"),
            }
            sweep_up(app, case).await;
            let after = scene.listed(app).await;
            assert_eq!(new_files(after.clone()), before, "{case}: the sweeps changed the list of files");
            for file in after {
                let expected = if file["id"] == scene.kept["id"] { CSV } else { bytes };
                let path = format!("/api/files/{}", file["id"].as_str().unwrap());
                let read = scene.send(app, get(&path)).await.expect(200);
                assert!(read.body == expected, "{case}: the file has other bytes");
            }
            assert_eq!(app.objects.file_keys().len(), 1 + before.len(), "{case}: an object is left over");
            assert_eq!(app.database.row_counts()["gc_queue"], 0, "{case}");
            scene.send(app, make()).await.expect(201);
            app.assert_consistent();
        },
    )
    .await
}

#[tokio::test]
async fn a_raw_upload_is_complete_or_absent_after_any_fault() {
    let bytes = b"a,b\n1,2\n";
    assert_eq!(upload_survives(|| upload("a.csv", bytes.as_slice()), bytes).await, 4 * 6);
}

/// If a connection breaks after the last byte of a body, but before the body reports its end, the store has received
/// all bytes and stores the object.
#[tokio::test]
async fn the_sweep_deletes_the_object_of_a_body_that_failed_after_its_last_byte() {
    let (app, scene) = Scene::new().await;
    let before = app.objects.keys();
    let bytes = long_csv(300 << 10);
    let broken = upload("a.csv", bytes.clone()).stream(TestBody::broken(&bytes, bytes.len()));
    scene.send(&app, broken).await.expect_problem(503, "unavailable");
    assert_eq!(app.objects.keys().len(), before.len() + 1, "the object must be stored");
    assert_eq!(scene.listed(&app).await.len(), 1, "no file may be created");
    app.assert_consistent();
    assert_eq!(
        app.database.value("SELECT reserved_bytes FROM quotas"),
        0,
        "the reservation must be released"
    );
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.objects.keys(), before, "the next run of the sweeps must delete the object");
    sweep_up(&app, "a failed body").await;
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
    scene.send(&app, upload("a.csv", bytes)).await.expect(201);
}

#[tokio::test]
async fn a_small_form_is_complete_or_absent_after_any_fault() {
    let bytes = b"a,b\n1,2\n";
    let form = || Form::default().file("a.csv", bytes).field("tags", "x").post();
    assert_eq!(upload_survives(form, bytes).await, 4 * 7);
}

#[tokio::test]
async fn a_form_stored_in_parts_is_complete_or_absent_after_any_fault() {
    let bytes = long_csv((5 << 20) + 10);
    let form = || Form::default().file("a.csv", &bytes).post();
    assert!(upload_survives(form, &bytes).await >= 4 * 9);
}

#[tokio::test]
async fn a_saved_cut_is_complete_or_absent_after_any_fault() {
    let expected = b"dep_delay\n61\n";
    let body = json!({"selectedColumns": ["dep_delay"], "whereFilters": {"origin": "JFK"}});
    let save = |scene: &Scene| post_json(&format!("{}/save", scene.path()), &body);
    let broken = break_request(
        async |_, _| {},
        save,
        async |app, scene, seen, case| {
            let derived = |files: Vec<Value>| -> Vec<Value> {
                files.into_iter().filter(|file| file["id"] != scene.kept["id"]).collect()
            };
            let before = derived(scene.listed(app).await);
            if let Some(response) = &seen {
                let acknowledged = response.status == 201;
                assert!(acknowledged || response.status == 503, "{case}: {response}");
                assert_eq!(before.len(), usize::from(acknowledged), "{case}: {response}");
                if acknowledged {
                    let cut = response.json()["cutId"].as_str().unwrap().to_owned();
                    let receipt = scene.send(app, get(&format!("/api/cuts/{cut}"))).await.expect(200).json();
                    assert_eq!(receipt["cut"]["complete"], true, "{case}");
                }
            }
            sweep_up(app, case).await;
            assert_eq!(derived(scene.listed(app).await), before, "{case}");
            for file in &before {
                let path = format!("/api/files/{}", file["id"].as_str().unwrap());
                assert_eq!(scene.send(app, get(&path)).await.expect(200).body, expected, "{case}");
                let lineage = scene.send(app, get(&format!("{path}/lineage"))).await.expect(200).json();
                assert_eq!(lineage["parents"][0]["fileId"], scene.kept["id"], "{case}");
            }
            let lineage = scene.send(app, get(&format!("{}/lineage", scene.path()))).await.expect(200).json();
            assert_eq!(lineage["children"].as_array().unwrap().len(), before.len(), "{case}");
            let running = "SELECT count(*) AS n FROM cuts WHERE status = 'running'";
            assert_eq!(app.database.value(running), 0, "{case}: a receipt stays at `running`");
            let complete = "SELECT count(*) AS n FROM cuts WHERE status = 'complete'";
            assert_eq!(app.database.value(complete), before.len(), "{case}");
            assert_eq!(app.objects.file_keys().len(), 1 + before.len(), "{case}");
            scene.send(app, save(scene)).await.expect(201);
            app.assert_consistent();
        },
    )
    .await;
    assert!(broken >= 4 * 7, "{broken}");
}

/// Injects each fault into each call that a change makes to a port. The change is one batch, so it must be applied
/// completely or not at all. If it was not applied, a retry must apply it. Returns the number of injected faults.
async fn change_survives(
    change: impl Fn(&Scene) -> Call,
    prepare: impl AsyncFn(&TestApp, &Scene),
    is_done: impl Fn(&TestApp) -> bool,
) -> usize {
    break_request(
        async |app, scene| {
            prepare(app, scene).await;
            assert!(!is_done(app), "the change was applied before the request");
        },
        &change,
        async |app, scene, seen, case| {
            if let Some(response) = &seen {
                assert!(response.status == 200 || response.status == 503, "{case}: {response}");
                assert!(
                    response.status == 503 || is_done(app),
                    "{case}: the change was acknowledged, but not applied"
                );
            }
            if !is_done(app) {
                scene.send(app, change(scene)).await.expect(200);
            }
            assert!(is_done(app), "{case}");
            sweep_up(app, case).await;
            assert!(is_done(app), "{case}: the sweeps reverted the change");
            let audit = "SELECT count(*) AS n FROM file_access_logs WHERE success = 1 AND action <> 'upload'";
            let done = app.database.value(audit).as_u64().unwrap();
            let prepared = app.database.value(
                "SELECT count(*) AS n FROM file_access_logs WHERE request_id = 'prepared' AND success = 1",
            );
            assert_eq!(
                done - prepared.as_u64().unwrap(),
                1,
                "{case}: the change must have exactly one audit entry"
            );
            assert_eq!(app.objects.file_keys().len(), 1, "{case}: the bytes must stay until the purge");
        },
    )
    .await
}

fn status_of(app: &TestApp) -> Value {
    app.database.value("SELECT lifecycle_status FROM files")
}

async fn trash(app: &TestApp, scene: &Scene) {
    scene.send(app, delete(&scene.path()).header("x-request-id", "prepared")).await.expect(200);
}

#[tokio::test]
async fn a_deletion_is_applied_once_after_any_fault() {
    let done = |app: &TestApp| status_of(app) == "deleted";
    let broken = change_survives(|scene| delete(&scene.path()), async |_, _| {}, done).await;
    assert_eq!(broken, 4 * 2);
}

#[tokio::test]
async fn a_permanent_deletion_is_applied_once_after_any_fault() {
    let used = "SELECT used_bytes FROM quotas";
    let done = |app: &TestApp| status_of(app) == "dead" && app.database.value(used) == 0;
    let change = |scene: &Scene| delete(&format!("{}?permanent=true", scene.path()));
    assert!(change_survives(change, async |_, _| {}, done).await >= 4 * 2);
}

#[tokio::test]
async fn a_permanent_deletion_from_the_trash_is_applied_once_after_any_fault() {
    let done = |app: &TestApp| status_of(app) == "dead";
    let change = |scene: &Scene| delete(&format!("{}?permanent=true", scene.path()));
    assert!(change_survives(change, trash, done).await >= 4 * 2);
}

#[tokio::test]
async fn a_repeated_deletion_changes_nothing_after_any_fault() {
    let rows = |app: &TestApp| app.database.rows("SELECT * FROM files");
    let broken = break_request(
        trash,
        |scene| delete(&scene.path()),
        async |app, scene, seen, case| {
            let before = rows(app);
            assert_eq!(before[0]["lifecycle_status"], "deleted", "{case}");
            if let Some(response) = &seen {
                assert!(response.status == 200 || response.status == 503, "{case}: {response}");
            }
            let again = scene.send(app, delete(&scene.path())).await.expect(200);
            assert_eq!(again.json()["file"]["revision"], 2, "{case}");
            assert_eq!(rows(app), before, "{case}");
            scene.send(app, post(&format!("{}/restore", scene.path()))).await.expect(200);
        },
    )
    .await;
    assert_eq!(broken, 4 * 2);
}

#[tokio::test]
async fn a_restore_is_applied_once_after_any_fault() {
    let done = |app: &TestApp| status_of(app) == "active";
    let change = |scene: &Scene| post(&format!("{}/restore", scene.path()));
    assert_eq!(change_survives(change, trash, done).await, 4 * 2);
}

#[tokio::test]
async fn a_patch_is_applied_once_after_any_fault() {
    let done = |app: &TestApp| {
        let tags = app.database.value("SELECT group_concat(tag) AS tags FROM file_tags WHERE kind = 'user'");
        app.database.value("SELECT filename FROM files") == "b.csv" && tags == "x"
    };
    let change = |scene: &Scene| patch_json(&scene.path(), &json!({"filename": "b.csv", "tags": ["x"]}));
    assert_eq!(change_survives(change, async |_, _| {}, done).await, 4 * 2);
}

#[tokio::test]
async fn later_runs_of_the_sweeps_finish_the_work_of_a_run_in_which_a_call_failed() {
    let broken = break_every_call(
        async || {
            let (app, scene) = Scene::new().await;
            let gone = app.upload(&scene.token, "gone.csv", "a\n1\n").await;
            let path = format!("/api/files/{}?permanent=true", gone["id"].as_str().unwrap());
            scene.send(&app, delete(&path)).await.expect(200);
            let old = app.upload(&scene.token, "old.csv", "a\n2\n").await;
            scene
                .send(&app, delete(&format!("/api/files/{}", old["id"].as_str().unwrap())))
                .await
                .expect(200);
            app.faults.inject(Fault::CrashAfter, On::objects().method("put_stream"), 1);
            app.faults.until_crash(app.send(upload("lost.csv", "a\n3\n").bearer(&scene.token))).await;
            app.faults.clear();
            app.advance(TimeDelta::days(40));
            app
        },
        async |app| {
            let _ = app.sweep(app.now()).await;
            app.advance(TimeDelta::hours(25));
            let _ = app.sweep(app.now()).await;
        },
        async |app, case| {
            app.assert_consistent();
            for _ in 0..4 {
                app.advance(TimeDelta::days(20));
                app.sweep(app.now()).await.unwrap();
            }
            app.assert_consistent();
            assert_eq!(app.objects.file_keys().len(), 1, "{case}");
            assert_eq!(app.database.row_counts()["gc_queue"], 0, "{case}");
            let states = "SELECT group_concat(lifecycle_status) AS s FROM
                (SELECT lifecycle_status FROM files ORDER BY 1)";
            assert_eq!(app.database.value(states), "active,purged,purged", "{case}");
            app.advance(TimeDelta::days(90));
            app.sweep(app.now()).await.unwrap();
            assert_eq!(
                app.database.value(states),
                "active",
                "{case}: tombstones must be deleted after 90 days"
            );
            assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), CSV.len(), "{case}");
        },
    )
    .await;
    assert!(broken > 4 * 15, "{broken}");
}
