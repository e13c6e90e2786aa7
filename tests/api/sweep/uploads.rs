//! The sweep `expire_uploads`. It ends each upload in several requests that the client did not complete in time.

use chrono::TimeDelta;
use cutty::ports::ObjectStore;
use cutty::storage::protocol::{Attempt, Leftover};
use serde_json::{Value, json};

use super::attempts::begin_attempt;
use super::{CSV, SweepEffects, status, sweep};
use crate::support::TestApp;
use crate::support::app::break_every_call;

/// Returns an application with an unfinished upload, and the attempt of the upload. The upload has an intent, one
/// stored part, and a row in `multipart_uploads` that expires in seven days.
async fn with_an_upload_under_way() -> (TestApp, Attempt) {
    let app = TestApp::new();
    app.objects.set_min_part_bytes(1);
    app.user("ada");
    let attempt = begin_attempt(&app).await;
    let object = attempt.object();
    let id = app.objects.create_multipart(&object).await.unwrap();
    attempt.remember_multipart(&id).await.unwrap();
    app.objects.put_part(&object.key, &id, 1, CSV.as_bytes()).await.unwrap();
    app.database.execute(
        "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, part_size, status, created_at,
             expires_at)
         SELECT attempt, id, user_id, r2_key, filename, 5, 'open', created_at,
             strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+7 days') FROM files;
         UPDATE gc_queue SET not_before = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+8 days');",
    );
    app.assert_consistent();
    (app, attempt)
}

fn upload_status(app: &TestApp) -> Value {
    app.database.value("SELECT status FROM multipart_uploads")
}

#[tokio::test]
async fn the_sweep_ends_an_expired_upload_and_deletes_its_row_a_week_later() {
    let (app, attempt) = with_an_upload_under_way().await;
    app.advance(TimeDelta::days(7) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!((upload_status(&app), app.objects.open_uploads().len()), (json!("open"), 1));
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects { deleted: 1, ..SweepEffects::default() });
    assert_eq!((upload_status(&app), status(&app)), (json!("expired"), json!("dead")));
    assert_eq!(app.objects.open_uploads(), []);
    assert_eq!(app.database.value("SELECT reserved_bytes FROM quotas"), 0);
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, SweepEffects { forgotten: 1, ..SweepEffects::default() });
    assert_eq!((status(&app), app.database.row_counts()["gc_queue"]), (Value::Null, 0));
    attempt.abandon(Leftover::Nothing).await;
    app.advance(TimeDelta::days(6));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!(upload_status(&app), Value::Null, "the row must be deleted a week after the upload has ended");
}

#[tokio::test]
async fn an_upload_that_was_completed_before_the_sweep_stays_completed() {
    for status in ["open", "completing"] {
        let (app, _) = with_an_upload_under_way().await;
        let facts = app.objects.plant(app.database.value("SELECT r2_key FROM files").as_str().unwrap(), CSV);
        for (id, key) in app.objects.open_uploads() {
            app.objects
                .abort_multipart(&cutty::domain::storage_key::StorageKey::Known(key), &id)
                .await
                .unwrap();
        }
        app.database.execute(&format!(
            "INSERT INTO commit_markers SELECT attempt, id, created_at FROM files;
             UPDATE files SET lifecycle_status = 'active', etag = '{}';
             UPDATE quotas SET used_bytes = 4, reserved_bytes = 0; DELETE FROM gc_queue;
             UPDATE multipart_uploads SET status = '{status}'",
            facts.etag
        ));
        app.advance(TimeDelta::days(8));
        assert_eq!(sweep(&app).await, SweepEffects::default());
        assert_eq!(upload_status(&app), "completed");
        assert_eq!(self::status(&app), "active");
    }
}

#[tokio::test]
async fn an_upload_that_continues_during_the_sweep_is_kept() {
    let (app, _) = with_an_upload_under_way().await;
    app.advance(TimeDelta::days(7));
    // After the sweep has read the row of the upload, and before the sweep updates this row, this trigger extends the
    // expiry.
    app.database.execute(
        "CREATE TRIGGER goes_on BEFORE UPDATE ON quotas BEGIN
             UPDATE multipart_uploads SET expires_at = '2099-01-01T00:00:00.000Z'; END",
    );
    let report = app.sweep(app.now()).await.unwrap();
    assert_eq!(report.failed, 0);
    app.database.execute("DROP TRIGGER goes_on");
    assert_eq!((upload_status(&app), status(&app)), (json!("open"), json!("pending")));
    assert_eq!(app.objects.open_uploads().len(), 1);
}

#[tokio::test]
async fn later_sweeps_end_an_expired_upload_if_a_sweep_fails_at_any_call() {
    let broken = break_every_call(
        async || {
            let (app, _) = with_an_upload_under_way().await;
            app.advance(TimeDelta::days(7));
            app
        },
        async |app| {
            let _ = app.sweep(app.now()).await;
        },
        async |app, case| {
            app.assert_consistent();
            for hours in [0, 25, 25] {
                app.advance(TimeDelta::hours(hours));
                assert_eq!(app.sweep(app.now()).await.unwrap().failed, 0, "{case}");
                app.assert_consistent();
            }
            assert_eq!((upload_status(app), status(app)), (json!("expired"), Value::Null), "{case}");
            assert_eq!(app.objects.open_uploads(), [], "{case}");
            assert_eq!(
                app.database.value("SELECT used_bytes + reserved_bytes AS n FROM quotas"),
                0,
                "{case}"
            );
        },
    )
    .await;
    assert!(broken >= 4 * 15, "{broken}");
}
