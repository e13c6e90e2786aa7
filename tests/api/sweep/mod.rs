//! Tests of the sweeps. The sweeps delete each file and object at the right time and keep all others.

mod attempts;
mod retention;
mod runs;
mod uploads;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use cutty::sweeps::SweepReport;
use cutty::sweeps::report::SweepRun;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{delete, patch_json};

const CSV: &str = "a\n1\n";

/// The numbers of files and objects that a run of all sweeps changed, and the number of items that failed.
#[derive(Debug, Default, PartialEq)]
struct SweepEffects {
    expired: u64,
    emptied_from_trash: u64,
    deleted: u64,
    forgotten: u64,
    failed: u64,
}

impl From<SweepReport> for SweepEffects {
    fn from(report: SweepReport) -> Self {
        let of = |kind: &str| report.runs.iter().find(|run| run.kind == kind).unwrap();
        let detail = |run: &SweepRun, name: &str| run.details[name].as_u64().unwrap_or(0);
        Self {
            expired: of("expire_files").changed,
            emptied_from_trash: of("empty_trash").changed,
            deleted: detail(of("collect_garbage"), "deleted"),
            forgotten: detail(of("collect_garbage"), "forgotten"),
            failed: report.failed,
        }
    }
}

async fn sweep(app: &TestApp) -> SweepEffects {
    let report = app.sweep(app.now()).await.unwrap();
    app.assert_consistent();
    report.into()
}

/// Returns the row counts of the tables that a sweep without due items must not change. Leaves out the tables in which
/// the sweeps keep their own state. Also leaves out `commit_markers`, because the sweeps delete each commit marker
/// after 14 days.
fn kept_rows(app: &TestApp) -> BTreeMap<String, u64> {
    let mut counts = app.database.row_counts();
    let moves = |table: &str| ["sweep_", "audit_", "metric_"].iter().any(|prefix| table.starts_with(prefix));
    counts.retain(|table, _| !moves(table) && table != "commit_markers" && table != "file_access_logs");
    counts
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
async fn sweeps_without_due_items_change_nothing() {
    let (app, _, _) = with_a_file().await;
    let before = kept_rows(&app);
    assert_eq!(sweep(&app).await, SweepEffects::default());
    app.advance(TimeDelta::days(400));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!((kept_rows(&app), status(&app)), (before, json!("active")));
}

#[tokio::test]
async fn an_expired_file_moves_to_the_trash_and_later_it_is_permanently_deleted_and_purged() {
    let (app, token, path) = with_a_file().await;
    for change in [json!({"expiresAt": "2026-01-10T00:00:00Z"}), json!({"archived": true})] {
        app.send(patch_json(&path, &change).bearer(&token)).await.expect(200);
    }
    app.clock.set("2026-01-09T23:59:59.999Z");
    assert_eq!(sweep(&app).await, SweepEffects::default());
    app.clock.set("2026-01-10T00:00:00.000Z");
    assert_eq!(sweep(&app).await, SweepEffects { expired: 1, ..SweepEffects::default() });
    assert_eq!(status(&app), "deleted");

    app.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), CSV.len());
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects { emptied_from_trash: 1, ..SweepEffects::default() });
    assert_eq!(status(&app), "dead");
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), 0);

    app.advance(TimeDelta::days(35) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects::default());
    assert_eq!(
        app.objects.file_keys().len(),
        1,
        "the bytes must exist, because the database may be restored to its state of 30 days ago"
    );
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, SweepEffects { deleted: 1, ..SweepEffects::default() });
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, SweepEffects { forgotten: 1, ..SweepEffects::default() });
    assert_eq!((status(&app), app.database.row_counts()["gc_queue"]), (json!("purged"), 0));
    app.advance(TimeDelta::days(100));
    assert_eq!(sweep(&app).await, SweepEffects::default());
}

#[tokio::test]
async fn the_trash_period_and_the_purge_period_come_from_the_configuration() {
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
