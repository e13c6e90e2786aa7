//! Tests of the sweeps: abandoned and crashed attempts, concurrent runs, the limit of a run, and objects that cannot be
//! deleted.

use chrono::TimeDelta;
use cutty::domain::caller::Caller;
use cutty::domain::ids::UserId;
use cutty::domain::principal::Principal;
use cutty::storage::R2StorageService;
use cutty::storage::actor::Actor;
use cutty::storage::protocol::{Attempt, Description, Leftover, NewFile, Origin};
use serde_json::{Value, json};

use super::{CSV, SweepEffects, status, sweep, with_a_file};
use crate::support::client::{delete, get, patch_json, upload};
use crate::support::{Fault, On, TestApp};

/// Returns an application whose isolate crashed before or after the bytes of an upload were stored.
async fn with_crashed_upload(crash: Fault) -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(crash, On::objects().method("put_stream"), 1);
    app.faults.until_crash(app.send(upload("a.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    app
}

#[tokio::test]
async fn the_sweeps_keep_an_attempt_for_24_hours() {
    let app = with_crashed_upload(Fault::CrashAfter).await;
    app.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!((status(&app), app.objects.file_keys().len()), (json!("pending"), 1));
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects { deleted: 1, ..SweepEffects::default() });
    assert_eq!(app.database.value("SELECT reserved_bytes FROM quotas"), 0);
    let mut keys = app.objects.keys();
    keys.retain(|key| !key.starts_with("audit/"));
    assert_eq!(keys, Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, SweepEffects { forgotten: 1, ..SweepEffects::default() });
    assert_eq!(status(&app), Value::Null);
}

#[tokio::test]
async fn an_object_that_appears_after_the_first_deletion_is_deleted_by_the_second_deletion() {
    let app = with_crashed_upload(Fault::CrashBefore).await;
    let key = app.database.value("SELECT r2_key FROM files").as_str().unwrap().to_owned();
    app.advance(TimeDelta::hours(25));
    assert_eq!(sweep(&app).await.deleted, 1);
    app.objects.plant(&key, CSV);
    app.assert_consistent();
    app.advance(TimeDelta::hours(23));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    app.advance(TimeDelta::hours(1));
    assert_eq!(sweep(&app).await.forgotten, 1);
    let mut keys = app.objects.keys();
    keys.retain(|key| !key.starts_with("audit/"));
    assert_eq!(keys, Vec::<String>::new());
}

#[tokio::test]
async fn a_commit_after_the_sweep_is_refused() {
    let app = TestApp::new();
    let token = app.user("ada");
    let commit = On::database().about("INSERT INTO commit_markers");
    app.faults.inject(Fault::CrashBefore, commit, 1);
    app.faults.until_crash(app.send(upload("a.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    let row = &app.database.rows("SELECT id, attempt FROM files")[0];
    app.advance(TimeDelta::hours(25));
    sweep(&app).await;
    let late = format!(
        "INSERT INTO commit_markers (attempt, file_id, committed_at) VALUES ({attempt},
         (SELECT id FROM files WHERE id = {id} AND attempt = {attempt} AND lifecycle_status = 'pending'), 't')",
        attempt = row["attempt"].to_string().replace('"', "'"),
        id = row["id"].to_string().replace('"', "'"),
    );
    assert!(
        app.database.connection().execute_batch(&late).is_err(),
        "a commit must fail if the file is not pending"
    );
    assert_eq!(app.send(get("/api/files").bearer(&token)).await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn a_committed_file_in_the_gc_queue_is_kept() {
    let (app, token, path) = with_a_file().await;
    app.database.execute(
        "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
         SELECT r2_key, id, attempt, user_id, 'upload', created_at, created_at FROM files",
    );
    for _ in 0..2 {
        assert_eq!(sweep(&app).await, SweepEffects::default());
    }
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
    assert_eq!(app.send(get(&path).bearer(&token)).await.expect(200).text(), CSV);
}

#[tokio::test]
async fn two_concurrent_runs_of_the_sweeps_have_the_effect_of_one_run() {
    let app = TestApp::new();
    let token = app.user("ada");
    for index in 0..6 {
        let file = app.upload(&token, "a.csv", format!("{index}\n")).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        match index % 3 {
            0 => drop(app.send(delete(&path).bearer(&token)).await.expect(200)),
            1 => drop(app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200)),
            _ => {
                let expiry = json!({"expiresAt": "2026-01-03T00:00:00Z"});
                app.send(patch_json(&path, &expiry).bearer(&token)).await.expect(200);
            }
        }
    }
    for _ in 0..6 {
        app.advance(TimeDelta::days(36));
        let (one, two) = tokio::join!(app.sweep(app.now()), app.sweep(app.now()));
        assert_eq!((one.unwrap().failed, two.unwrap().failed), (0, 0));
        app.assert_consistent();
    }
    let mut keys = app.objects.keys();
    keys.retain(|key| !key.starts_with("audit/"));
    assert_eq!(keys, Vec::<String>::new());
    assert_eq!(app.database.value("SELECT used_bytes + reserved_bytes AS bytes FROM quotas"), 0);
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
}

#[tokio::test]
async fn an_object_that_cannot_be_deleted_waits_for_the_next_run() {
    let (app, token, path) = with_a_file().await;
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(36));
    app.faults.always(Fault::Failed, On::objects().prefix("uploads/"));
    let report = sweep(&app).await;
    assert_eq!(report, SweepEffects { failed: 1, ..SweepEffects::default() });
    assert_eq!(app.log.with("message", "an item failed and stays for a later run").len(), 1);
    app.faults.clear();
    assert_eq!(sweep(&app).await.deleted, 1);
}

#[tokio::test]
async fn a_run_is_bounded_and_the_next_run_continues() {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..60 {
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}?permanent=true", file["id"].as_str().unwrap());
        app.send(delete(&path).bearer(&token)).await.expect(200);
    }
    app.advance(TimeDelta::days(36));
    app.faults.forget_calls();
    assert_eq!(sweep(&app).await.deleted, 50);
    assert!(app.faults.calls().len() < 1000, "{}", app.faults.calls().len());
    assert_eq!(sweep(&app).await.deleted, 10);
}

/// Begins an attempt to store a file of four bytes.
pub(super) async fn begin_attempt(app: &TestApp) -> Attempt {
    let principal = Principal::user(UserId::parse("ada").unwrap());
    let service =
        R2StorageService::new(app.app.clone(), Actor { principal, caller: Caller::default(), claim: None });
    let new = NewFile {
        filename: "a.csv".to_owned(),
        content_type: "text/csv",
        encoding: None,
        dialect: cutty::csv::InputOptions::DETECT,
        description: Description::default(),
        expected_sha256: None,
        origin: Origin::Upload,
    };
    Attempt::begin(&service, new, 4).await.unwrap()
}

#[tokio::test]
async fn an_attempt_that_is_abandoned_after_the_sweep_leaves_no_row() {
    let app = TestApp::new();
    app.user("ada");
    let attempt = begin_attempt(&app).await;
    app.advance(TimeDelta::hours(25));
    sweep(&app).await;
    assert_eq!(status(&app), "dead");
    attempt.abandon(Leftover::Nothing).await;
    app.assert_consistent();
    assert_eq!(status(&app), Value::Null);
}
