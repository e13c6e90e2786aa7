//! Each table keeps its rows for a retention period. Then a sweep deletes the rows or erases personal data in them. If
//! a fault stops a sweep, later runs finish its work.

use chrono::TimeDelta;
use cutty::sweeps::SWEEPS;
use serde_json::{Value, json};

use super::with_a_file;
use crate::support::TestApp;
use crate::support::app::break_every_call;
use crate::support::client::{delete, get, post_json};

/// Returns an application with rows in each table that has a retention period.
async fn with_old_rows() -> TestApp {
    let (app, token, path) = with_a_file().await;
    let send = async |call: crate::support::client::Call| app.send(call.bearer(&token)).await;
    send(get(&format!("{path}/cut?a__eq=1")).header("user-agent", "browser")).await.expect(200);
    let call = get(&path).header("user-agent", "browser").header("cf-connecting-ip", "192.0.2.1");
    send(call).await.expect(200);
    let saved = send(post_json(&format!("{path}/save"), &json!({"limit": 1}))).await.expect(201).json();
    let gone = app.upload(&token, "gone.csv", "a\n1\n").await;
    let gone = format!("/api/files/{}", gone["id"].as_str().unwrap());
    send(get(&format!("{gone}/cut?a__eq=2"))).await.expect(200);
    send(delete(&format!("{gone}?permanent=true"))).await.expect(200);
    app.deliver().await;
    app.database.execute(
        "INSERT INTO findings (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details, resolved_at)
         SELECT id, id, user_id, r2_key, 'missing', created_at, created_at, '{}', created_at FROM files
         WHERE lifecycle_status = 'active';
         INSERT INTO jobs (id, kind, payload, status, created_at, updated_at)
         SELECT 'job', 'learn', '{}', 'running', created_at, created_at FROM files LIMIT 1;",
    );
    assert!(saved["success"] == true);
    app
}

/// Returns the number of rows of each kind that has a retention period.
fn counts(app: &TestApp) -> Value {
    let count = |table: &str| app.database.value(&format!("SELECT count(*) AS n FROM {table}"));
    json!({
        "receipts": count("cuts WHERE saved_file_id IS NULL"),
        "receipts of saved cuts": count("cuts WHERE saved_file_id IS NOT NULL"),
        "recipes": count("recipes"),
        "markers": count("commit_markers"),
        "entries": count("file_access_logs"),
        "entries with callers": count("file_access_logs WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL"),
        "tombstones": count("files WHERE lifecycle_status IN ('dead', 'purged')"),
        "findings": count("findings"),
        "jobs": count("jobs"),
        "erasures": count("erasures"),
        "tags": count("file_tags"),
    })
}

/// Runs all sweeps three times, which is enough to do all work that is due.
async fn sweep_all(app: &TestApp) {
    for _ in 0..3 {
        app.sweep(app.now()).await.unwrap();
    }
    app.assert_consistent();
}

#[tokio::test]
async fn each_row_is_deleted_when_its_retention_period_has_ended() {
    let app = with_old_rows().await;
    let mut before = counts(&app);
    let mut expect = |day: i64, changes: &[(&str, u64)]| {
        for (name, count) in changes {
            before[name] = json!(count);
        }
        assert_eq!(counts(&app), before, "day {day}");
    };
    expect(
        0,
        &[("receipts", 2), ("receipts of saved cuts", 1), ("recipes", 3), ("markers", 3), ("tombstones", 1)],
    );
    expect(0, &[("entries with callers", 2), ("findings", 2), ("jobs", 1), ("erasures", 1), ("tags", 2)]);
    app.advance(TimeDelta::milliseconds(1));
    let mut now = 0;
    for (day, changes) in [
        (1, &[("recipes", 2)][..]),
        (13, &[]),
        (14, &[("markers", 0)]),
        (30, &[("jobs", 0)]),
        (35, &[]),
        (36, &[]),
        (90, &[("receipts", 0), ("recipes", 1), ("findings", 0), ("entries with callers", 0)]),
        // Old entries leave for a segment in R2 a day after they are due, even if they are few.
        (92, &[("entries", 0)]),
        (35 + 90, &[("tombstones", 0)]),
        (729, &[]),
        (730, &[("erasures", 0)]),
    ] {
        app.advance(TimeDelta::days(day - now));
        now = day;
        sweep_all(&app).await;
        expect(day, changes);
    }
    assert_eq!(app.database.value("SELECT receipts FROM usage"), 0);
}

#[tokio::test]
async fn the_retention_periods_come_from_the_configuration() {
    let variables = [
        ("RECEIPT_RETENTION_DAYS", "2"),
        ("AUDIT_PERSONAL_DAYS", "7"),
        ("AUDIT_RETENTION_DAYS", "20"),
        ("TRASH_RETENTION_DAYS", "1"),
        ("PURGE_AFTER_DAYS", "1"),
        ("TOMBSTONE_RETENTION_DAYS", "30"),
    ];
    let app = TestApp::with(&variables);
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a\n1\n").await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    app.send(get(&format!("{path}/cut")).bearer(&token).header("user-agent", "browser")).await.expect(200);
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    for (day, names) in
        [(2, &["receipts"][..]), (7, &["entries with callers"]), (20, &["erasures"]), (31, &["tombstones"])]
    {
        app.clock.set("2026-01-02T03:04:05.678Z");
        app.advance(TimeDelta::days(day) - TimeDelta::milliseconds(1));
        sweep_all(&app).await;
        assert!(names.iter().all(|name| counts(&app)[name] != 0), "{names:?}");
        // An id contains the time of its row in whole milliseconds. Some sweeps compare ids instead of times, so they
        // may delete a row up to one millisecond late.
        app.advance(TimeDelta::milliseconds(2));
        sweep_all(&app).await;
        assert!(names.iter().all(|name| counts(&app)[name] == 0), "{names:?}");
    }
}

#[tokio::test]
async fn old_addresses_are_erased_in_pages_and_new_entries_keep_their_addresses() {
    let (app, ..) = with_a_file().await;
    app.database.execute(
        "DELETE FROM file_access_logs;
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
         INSERT INTO file_access_logs (id, user_id, action, success, ip_address, user_agent, timestamp)
         SELECT printf('%08x-0000-7000-8000-000000000000', n), 'ada', 'view', 1, '192.0.2.1', 'browser',
             '2026-01-02T03:04:05.678Z' FROM n;
         INSERT INTO file_access_logs (id, user_id, action, success, ip_address, timestamp)
         VALUES ('ffffffff-0000-7000-8000-000000000000', 'ada', 'view', 1, '192.0.2.1', '2026-01-02T03:04:05.678Z');",
    );
    let left = "SELECT count(*) AS n FROM file_access_logs WHERE ip_address IS NOT NULL";
    for expected in [7001, 2001, 1, 1] {
        app.run_sweep("erase_callers").await.unwrap();
        assert_eq!(app.database.value(left), expected);
    }
    // Without its cursor, the sweep starts at the first entry. Even then, the sweep must not erase the address of the
    // new entry.
    app.database.execute("DELETE FROM sweep_cursors");
    for _ in 0..4 {
        app.run_sweep("erase_callers").await.unwrap();
    }
    assert_eq!(app.database.value(left), 1);
    let reports = app.database.row_counts()["sweep_runs"];
    let line_count = app.log.with("message", "sweep").len();
    app.run_sweep("erase_callers").await.unwrap();
    assert_eq!(app.database.row_counts()["sweep_runs"], reports + 1);
    assert_eq!(
        app.log.with("message", "sweep").len(),
        line_count,
        "a run that found nothing must not be logged"
    );
}

#[tokio::test]
async fn a_run_deletes_a_limited_number_of_rows_and_the_next_run_deletes_the_rest() {
    let (app, ..) = with_a_file().await;
    app.database.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3500)
         INSERT INTO cuts (id, user_id, file_id, status, recipe, created_at)
         SELECT printf('%08d', n), 'ada', 'f', 'complete', '{}', '2025-01-02T03:04:05.678Z' FROM n",
    );
    for left in [500, 0] {
        app.run_sweep("forget_receipts").await.unwrap();
        assert_eq!(app.database.row_counts()["cuts"], left);
    }
}

#[tokio::test]
async fn every_sweep_finishes_its_work_after_any_fault() {
    let expected = {
        let app = with_old_rows().await;
        app.advance(TimeDelta::days(800));
        for _ in 0..4 {
            sweep_all(&app).await;
            app.advance(TimeDelta::days(50));
        }
        counts(&app)
    };
    for sweep in SWEEPS {
        let broken = break_every_call(
            async || {
                let app = with_old_rows().await;
                app.advance(TimeDelta::days(800));
                app
            },
            async |app| drop(app.run_sweep(sweep.name()).await),
            async |app, case| {
                app.assert_consistent();
                for _ in 0..4 {
                    sweep_all(app).await;
                    app.advance(TimeDelta::days(50));
                }
                assert_eq!(counts(app), expected, "{}: {case}", sweep.name());
            },
        )
        .await;
        assert!(broken >= 8, "{}: {broken}", sweep.name());
    }
}
