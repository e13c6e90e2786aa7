//! The sweep: what it takes away, when, and that it never takes more.

mod attempts;
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

/// What a run of all sweeps did to files and objects.
#[derive(Debug, Default, PartialEq)]
struct Done {
    expired: u64,
    emptied_from_trash: u64,
    deleted: u64,
    forgotten: u64,
    failed: u64,
}

impl From<SweepReport> for Done {
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

async fn sweep(app: &TestApp) -> Done {
    let report = app.sweep(app.now()).await.unwrap();
    app.assert_consistent();
    report.into()
}

/// Rows of the tables that a sweep changes only when there is something to do.
fn kept_rows(app: &TestApp) -> BTreeMap<String, u64> {
    let mut counts = app.database.row_counts();
    counts.retain(|table, _| !table.starts_with("sweep_"));
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
async fn a_sweep_with_nothing_due_changes_nothing() {
    let (app, _, _) = with_a_file().await;
    let before = kept_rows(&app);
    assert_eq!(sweep(&app).await, Done::default());
    app.advance(TimeDelta::days(400));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!((kept_rows(&app), status(&app)), (before, json!("active")));
}

#[tokio::test]
async fn a_file_goes_from_its_expiry_to_the_trash_to_nothing_in_its_time() {
    let (app, token, path) = with_a_file().await;
    for change in [json!({"expiresAt": "2026-01-10T00:00:00Z"}), json!({"archived": true})] {
        app.send(patch_json(&path, &change).bearer(&token)).await.expect(200);
    }
    app.clock.set("2026-01-09T23:59:59.999Z");
    assert_eq!(sweep(&app).await, Done::default());
    app.clock.set("2026-01-10T00:00:00.000Z");
    assert_eq!(sweep(&app).await, Done { expired: 1, ..Done::default() });
    assert_eq!(status(&app), "deleted");

    app.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), CSV.len());
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done { emptied_from_trash: 1, ..Done::default() });
    assert_eq!(status(&app), "dead");
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), 0);

    app.advance(TimeDelta::days(35) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!(
        app.objects.file_keys().len(),
        1,
        "a restore of the database from 30 days ago finds its bytes"
    );
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done { deleted: 1, ..Done::default() });
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, Done { forgotten: 1, ..Done::default() });
    assert_eq!((status(&app), app.database.row_counts()["gc_queue"]), (json!("purged"), 0));
    app.advance(TimeDelta::days(100));
    assert_eq!(sweep(&app).await, Done::default());
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
