//! The sweep: what it takes away, when, and that it never takes more.

use chrono::TimeDelta;
use cutty::ids::UserId;
use cutty::metrics::Caller;
use cutty::storage::Actor;
use cutty::storage::protocol::{Attempt, Description, Leftover, NewFile, Origin};
use cutty::storage::sweep::SweepReport;
use serde_json::{Value, json};

use crate::support::client::{delete, get, patch_json, upload};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a\n1\n";

async fn sweep(app: &TestApp) -> SweepReport {
    let report = app.sweep(app.now()).await.unwrap();
    app.assert_sound();
    report
}

fn status(app: &TestApp) -> Value {
    app.database.value("SELECT lifecycle_status FROM files")
}

async fn with_a_file() -> (TestApp, String, String) {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    (app, token, format!("/api/files/{}", file["id"].as_str().unwrap()))
}

#[tokio::test]
async fn a_sweep_with_nothing_due_changes_nothing() {
    let (app, _, _) = with_a_file().await;
    let before = app.database.row_counts();
    assert_eq!(sweep(&app).await, SweepReport::default());
    app.advance(TimeDelta::days(400));
    assert_eq!(sweep(&app).await, SweepReport::default());
    assert_eq!((app.database.row_counts(), status(&app)), (before, json!("active")));
}

#[tokio::test]
async fn a_file_goes_from_its_expiry_to_the_trash_to_nothing_in_its_time() {
    let (app, token, path) = with_a_file().await;
    for change in [json!({"expiresAt": "2026-01-10T00:00:00Z"}), json!({"archived": true})] {
        app.send(patch_json(&path, &change).bearer(&token)).await.expect(200);
    }
    app.clock.set("2026-01-09T23:59:59.999Z");
    assert_eq!(sweep(&app).await, SweepReport::default());
    app.clock.set("2026-01-10T00:00:00.000Z");
    assert_eq!(sweep(&app).await, SweepReport { expired: 1, ..SweepReport::default() });
    assert_eq!(status(&app), "deleted");

    app.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport::default());
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), CSV.len());
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport { emptied_from_trash: 1, ..SweepReport::default() });
    assert_eq!(status(&app), "dead");
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), 0);

    app.advance(TimeDelta::days(35) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport::default());
    assert_eq!(app.objects.keys().len(), 1, "a restore of the database from 30 days ago finds its bytes");
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport { deleted: 1, ..SweepReport::default() });
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, SweepReport { forgotten: 1, ..SweepReport::default() });
    assert_eq!((status(&app), app.database.row_counts()["gc_queue"]), (json!("purged"), 0));
    app.advance(TimeDelta::days(100));
    assert_eq!(sweep(&app).await, SweepReport::default());
}

#[tokio::test]
async fn the_periods_are_those_of_the_configuration() {
    let app = TestApp::with(&[("TRASH_RETENTION_DAYS", "2"), ("PURGE_AFTER_DAYS", "3")]);
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    app.send(delete(&format!("/api/files/{}", file["id"].as_str().unwrap())).bearer(&token))
        .await
        .expect(200);
    app.advance(TimeDelta::days(2));
    assert_eq!(sweep(&app).await.emptied_from_trash, 1);
    app.advance(TimeDelta::days(3));
    assert_eq!(sweep(&app).await.deleted, 1);
}

#[tokio::test]
async fn an_attempt_that_may_still_be_under_way_is_left_alone() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::CrashAfter, On::objects().method("put_stream"), 1);
    app.faults.until_crash(app.send(upload("a.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    app.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport::default());
    assert_eq!((status(&app), app.objects.keys().len()), (json!("pending"), 1));
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepReport { deleted: 1, ..SweepReport::default() });
    assert_eq!(app.database.value("SELECT reserved_bytes FROM quotas"), 0);
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, SweepReport { forgotten: 1, ..SweepReport::default() });
    assert_eq!(status(&app), Value::Null);
}

#[tokio::test]
async fn a_put_that_lands_after_the_first_deletion_is_deleted_by_the_second() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::CrashBefore, On::objects().method("put_stream"), 1);
    app.faults.until_crash(app.send(upload("a.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    let key = app.database.value("SELECT r2_key FROM files").as_str().unwrap().to_owned();
    app.advance(TimeDelta::hours(25));
    assert_eq!(sweep(&app).await.deleted, 1);
    app.objects.plant(&key, CSV);
    app.assert_sound();
    app.advance(TimeDelta::hours(23));
    assert_eq!(sweep(&app).await, SweepReport::default());
    app.advance(TimeDelta::hours(1));
    assert_eq!(sweep(&app).await.forgotten, 1);
    assert_eq!(app.objects.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_commit_that_comes_after_the_sweep_has_lost() {
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
    assert!(app.database.connection().execute_batch(&late).is_err(), "the guard refuses it");
    assert_eq!(app.send(get("/api/files").bearer(&token)).await.expect(200).json()["total"], 0);
}

#[tokio::test]
async fn a_committed_file_still_named_for_collection_is_kept() {
    let (app, token, path) = with_a_file().await;
    app.database.execute(
        "INSERT INTO gc_queue (r2_key, file_id, attempt, user_id, reason, not_before, created_at)
         SELECT r2_key, id, attempt, user_id, 'upload', created_at, created_at FROM files",
    );
    for _ in 0..2 {
        assert_eq!(sweep(&app).await, SweepReport::default());
    }
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
    assert_eq!(app.send(get(&path).bearer(&token)).await.expect(200).text(), CSV);
}

#[tokio::test]
async fn two_sweeps_at_once_do_what_one_does() {
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
        app.assert_sound();
    }
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    assert_eq!(app.database.value("SELECT used_bytes + reserved_bytes AS bytes FROM quotas"), 0);
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
}

#[tokio::test]
async fn a_store_that_fails_keeps_the_object_for_the_next_sweep() {
    let (app, token, path) = with_a_file().await;
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(36));
    app.faults.always(Fault::Failed, On::objects());
    let report = sweep(&app).await;
    assert_eq!(report, SweepReport { failed: 1, ..SweepReport::default() });
    assert_eq!(app.log.with("message", "an object stays for the next sweep").len(), 1);
    app.faults.clear();
    assert_eq!(sweep(&app).await.deleted, 1);
}

#[tokio::test]
async fn one_sweep_takes_on_a_bounded_number_and_the_next_goes_on() {
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

#[tokio::test]
async fn an_attempt_given_up_after_the_sweep_took_it_leaves_no_row() {
    let app = TestApp::new();
    app.user("ada");
    let actor = Actor { user: UserId::parse("ada").unwrap(), caller: Caller::default(), claim: None };
    let new = NewFile {
        filename: "a.csv".to_owned(),
        content_type: "text/csv",
        description: Description::default(),
        expected_sha256: None,
        origin: Origin::Upload,
    };
    let attempt = Attempt::begin(app.app.clone(), actor, new, 4).await.unwrap();
    app.advance(TimeDelta::hours(25));
    sweep(&app).await;
    assert_eq!(status(&app), "dead");
    attempt.abandon(Leftover::Nothing).await;
    app.assert_sound();
    assert_eq!(status(&app), Value::Null);
}
