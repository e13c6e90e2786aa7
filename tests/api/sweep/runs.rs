//! Runs of the sweeps. A failed item does not block other items, and a failed sweep does not block other sweeps. Each
//! run writes reports and makes a limited number of calls.

use chrono::TimeDelta;
use cutty::domain::budget::CallBudget;
use cutty::sweeps::sweep::Sweep;
use cutty::sweeps::{SWEEPS, named};
use serde_json::json;

use super::{CSV, SweepEffects, with_a_file};
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{delete, get, post, post_json};
use crate::support::{Fault, On, TestApp};

#[tokio::test]
async fn a_file_that_the_sweep_cannot_delete_does_not_block_the_others() {
    let app = TestApp::new();
    let (ada, bob) = (app.user("ada"), app.user("bob"));
    for (token, count) in [(&ada, 50), (&bob, 1)] {
        for _ in 0..count {
            let file = app.upload(token, "a.csv", CSV).await;
            let path = format!("/api/files/{}", file["id"].as_str().unwrap());
            app.send(delete(&path).bearer(token)).await.expect(200);
            app.advance(TimeDelta::milliseconds(1));
        }
    }
    app.database.execute("UPDATE quotas SET used_bytes = 0 WHERE user_id = 'ada'");
    app.advance(TimeDelta::days(31));
    let emptied = async || -> (u64, u64) {
        let report = app
            .run_sweeps(&[named("empty_trash").unwrap()], app.now(), CallBudget::of_event())
            .await
            .unwrap();
        (report.runs[0].changed, report.runs[0].failed)
    };
    assert_eq!(
        emptied().await,
        (0, 50),
        "no file of the first page can be deleted, because used_bytes is too low"
    );
    assert_eq!(emptied().await, (1, 0), "the second run must continue after these files");
    assert_eq!(emptied().await, (0, 50), "the third run must try these files again");
}

#[tokio::test]
async fn a_file_that_cannot_expire_does_not_block_the_others() {
    let app = TestApp::new();
    let token = app.user("ada");
    for name in ["a.csv", "b.csv", "c.csv"] {
        app.upload(&token, name, CSV).await;
        app.advance(TimeDelta::seconds(1));
    }
    app.database.execute("UPDATE files SET expires_at = created_at");
    app.database.execute(
        "CREATE TRIGGER no_a BEFORE UPDATE ON files WHEN NEW.filename = 'a.csv' BEGIN SELECT RAISE(ABORT, 'a'); END",
    );
    app.faults.forget_calls();
    let given = named("expire_files").unwrap().cost();
    let run = app.run_sweep("expire_files").await.unwrap().runs.swap_remove(0);
    assert_eq!((run.examined, run.changed, run.failed, run.error), (3, 2, 1, None));
    assert!(calls(&app) <= 1 + given.base + 3 * given.each + 1);
    let active = "SELECT group_concat(filename) AS names FROM files WHERE lifecycle_status = 'active'";
    assert_eq!(app.database.value(active), "a.csv");
}

#[tokio::test]
async fn a_row_that_cannot_be_parsed_stays_and_does_not_block_the_others() {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..2 {
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}?permanent=true", file["id"].as_str().unwrap());
        app.send(delete(&path).bearer(&token)).await.expect(200);
    }
    // An attempt id in upper case matches no row of `files`. The sweep must not conclude that no file uses the object.
    let odd = app.database.value("SELECT min(r2_key) FROM gc_queue").as_str().unwrap().to_owned();
    app.database.execute(&format!("UPDATE gc_queue SET attempt = upper(attempt) WHERE r2_key = '{odd}'"));
    app.advance(TimeDelta::days(36));
    let report = app.run_sweep("collect_garbage").await.unwrap();
    let run = &report.runs[0];
    assert_eq!((run.examined, run.changed, run.failed), (2, 1, 1));
    assert!(app.objects.keys().contains(&odd));
}

#[tokio::test]
async fn a_failed_sweep_is_reported_and_does_not_block_the_others() {
    let (app, token, path) = with_a_file().await;
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(36));
    app.faults.always(Fault::Failed, On::database().about("FROM multipart_uploads"));
    let report = app.sweep(app.now()).await.unwrap();
    assert_eq!((report.failed, report.runs.len()), (1, SWEEPS.len()));
    assert_eq!(SweepEffects::from(report).deleted, 1);
    app.faults.clear();
    let response =
        app.send(get("/api/admin/sweeps?kind=expire_uploads").bearer(OPERATOR_TOKEN)).await.expect(200);
    let failed = &response.json()["sweeps"][0];
    assert!(failed["error"].as_str().unwrap().contains("injected"), "{failed}");
}

#[tokio::test]
async fn every_run_writes_a_report_and_reports_are_listed_in_pages() {
    let (app, _, _) = with_a_file().await;
    for _ in 0..3 {
        app.send(post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)).await.expect(200);
        app.advance(TimeDelta::minutes(5));
    }
    let kinds = SWEEPS.len();
    let list = async |query: &str| {
        app.send(get(&format!("/api/admin/sweeps{query}")).bearer(OPERATOR_TOKEN)).await.expect(200).json()
    };
    let (mut cursor, mut ids) = (String::new(), Vec::new());
    loop {
        let page = list(&format!("?limit=7{cursor}")).await;
        ids.extend(
            page["sweeps"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()),
        );
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 3 * kinds);
    assert!(
        ids.is_sorted_by(|a, b| a > b),
        "reports must be ordered from new to old without repetition: {ids:?}"
    );
    let scrubs = list("?kind=scrub").await;
    assert_eq!((scrubs["sweeps"].as_array().unwrap().len(), &scrubs["hasMore"]), (3, &json!(false)));
    assert_eq!(scrubs["sweeps"][0]["startedAt"], "2026-01-02T03:14:05.678Z");
    for (query, code) in
        [("?kind=all", "bad_request"), ("?cursor=x", "bad_cursor"), ("?limit=0", "bad_request")]
    {
        app.send(get(&format!("/api/admin/sweeps{query}")).bearer(OPERATOR_TOKEN))
            .await
            .expect_problem(400, code);
    }
    let one = app.send(post("/api/admin/sweeps?kind=scrub").bearer(OPERATOR_TOKEN)).await.expect(200).json();
    assert_eq!((one["sweeps"].as_array().unwrap().len(), &one["sweeps"][0]["kind"]), (1, &json!("scrub")));

    app.advance(TimeDelta::days(31));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(
        app.database.row_counts()["sweep_runs"],
        kinds as u64,
        "reports must be deleted after 30 days"
    );
}

/// Returns an application with 50 files that were stored 36 days ago (90 files for the scrub). If this function has a
/// case for `sweep`, many items of this sweep are due. Otherwise, possibly no item is due.
async fn busy(sweep: &str) -> TestApp {
    let app = TestApp::with(&[("EMAIL_MAILBOX", "true")]);
    let token = app.user("ada");
    let count = if sweep == "scrub" { 90 } else { 50 };
    for _ in 0..count {
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        match sweep {
            "empty_trash" => drop(app.send(delete(&path).bearer(&token)).await.expect(200)),
            "collect_garbage" | "erase_files" => {
                app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
            }
            "fail_stale_cuts" => {
                app.disconnect_after(get(&format!("{path}/cut")).bearer(&token), 0).await;
            }
            _ => {}
        }
    }
    for number in 0..if sweep == "send_links" { 12 } else { 0 } {
        let email = format!("{number}@example.com");
        let body =
            json!({"username": number.to_string(), "email": email, "password": "correct horse battery"});
        app.send(post_json("/api/auth/register", &body)).await.expect(201);
    }
    app.database.execute(match sweep {
        "close_accounts" => {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12)
             INSERT INTO users (id, username, created_at, updated_at, disabled_at, deleted_at, erase_at)
             SELECT n, 'deleted:' || n, created_at, created_at, created_at, created_at, created_at FROM n, users"
        }
        "send_links" => "UPDATE email_links SET expires_at = '2030-01-02T03:04:05.678Z'",
        "expire_files" => "UPDATE files SET expires_at = created_at",
        "expire_uploads" => {
            "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, part_size, status, created_at,
                 expires_at)
             SELECT attempt, id, user_id, r2_key, filename, 5, 'open', created_at, created_at FROM files"
        }
        "collect_garbage" => "UPDATE gc_queue SET upload_id = 'u'",
        "forget_receipts" => {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3500)
             INSERT INTO cuts (id, user_id, file_id, status, recipe, created_at)
             SELECT printf('%08d', n), 'ada', 'f', 'complete', '{}', '2025-01-02T03:04:05.678Z' FROM n"
        }
        "fail_stale_cuts" => "UPDATE cuts SET status = 'running'",
        "watch_budgets" => {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 520)
             INSERT INTO quotas (user_id, budget_micros, updated_at)
             SELECT printf('%08d', n), 0, '2025-01-02T03:04:05.678Z' FROM n"
        }
        "forget_months" => {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3500)
             INSERT INTO usage_months (user_id, month, action) SELECT printf('%08d', n), '2020-01', 'upload' FROM n"
        }
        "forget_days" => {
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3500)
             INSERT INTO storage_days (user_id, day, start_bytes, peak_bytes, end_bytes)
             SELECT printf('%08d', n), '2020-01-02', 0, 0, 0 FROM n"
        }
        _ => "SELECT 1 FROM users",
    });
    app.advance(TimeDelta::days(36));
    app
}

/// Runs the sweeps and returns a text with the numbers of their D1 calls, D1 statements and R2 calls.
async fn cost(app: &TestApp, sweeps: &[&dyn Sweep]) -> String {
    app.faults.forget_calls();
    app.run_sweeps(sweeps, app.now(), CallBudget::of_event()).await.unwrap();
    let [database, objects] = [On::database(), On::objects()].map(|port| app.faults.count(&port));
    assert!(database + objects < 1000, "the sweep makes more calls than a Worker may make");
    format!("{database} D1 ({} statements), {objects} R2", app.faults.statements(&On::database()))
}

#[tokio::test]
async fn each_sweep_makes_the_number_of_calls_in_the_table() {
    let mut table = format!("{:<18} {}\n", "all, nothing due", cost(&TestApp::new(), SWEEPS).await);
    for sweep in SWEEPS {
        let app = busy(sweep.name()).await;
        table += &format!("{:<18} {}\n", sweep.name(), cost(&app, &[*sweep]).await);
    }
    insta::assert_snapshot!(table, @r"
    all, nothing due   34 D1 (147 statements), 0 R2
    close_accounts     14 D1 (304 statements), 0 R2
    send_links         33 D1 (37 statements), 0 R2
    expire_files       4 D1 (30 statements), 0 R2
    expire_uploads     53 D1 (208 statements), 0 R2
    empty_trash        53 D1 (154 statements), 0 R2
    collect_garbage    103 D1 (304 statements), 150 R2
    erase_files        34 D1 (124 statements), 0 R2
    fail_stale_cuts    3 D1 (4 statements), 0 R2
    forget_tokens      3 D1 (4 statements), 0 R2
    forget_keys        3 D1 (4 statements), 0 R2
    learn_files        3 D1 (5 statements), 0 R2
    scrub              4 D1 (7 statements), 140 R2
    seal_audit         5 D1 (9 statements), 2 R2
    roll_up_metrics    4 D1 (6 statements), 0 R2
    archive_audit      3 D1 (5 statements), 0 R2
    forget_audit_segments 3 D1 (4 statements), 0 R2
    erase_callers      3 D1 (4 statements), 0 R2
    watch_budgets      4 D1 (504 statements), 0 R2
    forget_receipts    5 D1 (6 statements), 0 R2
    forget_markers     3 D1 (4 statements), 0 R2
    forget_tombstones  3 D1 (4 statements), 0 R2
    forget_findings    3 D1 (4 statements), 0 R2
    forget_progress    3 D1 (4 statements), 0 R2
    forget_erasures    3 D1 (4 statements), 0 R2
    forget_shares      3 D1 (4 statements), 0 R2
    forget_reports     3 D1 (4 statements), 0 R2
    forget_api_keys    3 D1 (4 statements), 0 R2
    forget_api_key_secrets 3 D1 (4 statements), 0 R2
    forget_months      5 D1 (6 statements), 0 R2
    forget_days        5 D1 (6 statements), 0 R2
    forget_metrics     3 D1 (15 statements), 0 R2
    ");
}

#[test]
fn no_two_sweeps_share_a_name() {
    let mut names: Vec<_> = SWEEPS.iter().map(|sweep| sweep.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SWEEPS.len());
    assert!(named("scrub").is_some() && named("").is_none());
}

/// Returns the number of calls to all ports since the last `forget_calls`.
fn calls(app: &TestApp) -> u32 {
    app.faults.count(&On::any()).try_into().unwrap()
}

#[tokio::test]
async fn no_sweep_exceeds_its_announced_number_of_calls() {
    for sweep in SWEEPS {
        let app = busy(sweep.name()).await;
        app.faults.forget_calls();
        let report = app.run_sweeps(&[*sweep], app.now(), CallBudget::of_event()).await.unwrap();
        let cost = sweep.cost();
        // A run also makes one call to read the cursors and one call to write the report.
        let announced = 1 + cost.base + cost.each * u32::try_from(report.runs[0].examined).unwrap() + 1;
        assert!(calls(&app) <= announced, "{}: {} calls, {announced} announced", sweep.name(), calls(&app));
    }
}

#[tokio::test]
async fn all_sweeps_share_the_budget_of_one_event() {
    let least: u32 = SWEEPS.iter().map(|sweep| 1 + sweep.cost().base + sweep.cost().each).sum();
    assert!(
        least < CallBudget::PER_EVENT / 2,
        "all sweeps together need {least} calls for one item each, which is too many for one event"
    );
    for given in [0, 1, 2, 10, least + 2, least + 60, least + 200] {
        let app = busy("collect_garbage").await;
        app.faults.forget_calls();
        let report = app.run_sweeps(SWEEPS, app.now(), CallBudget::of(given)).await;
        assert!(calls(&app) <= given, "{given}: {}", calls(&app));
        let collected = report.map_or(0, |report| SweepEffects::from(report).deleted);
        // 10 calls are too few to collect garbage, because a run also reads the cursors and writes the reports.
        assert_eq!(collected > 0, given > 10, "{given}: {collected}");
    }
}

/// Returns an application with due work for three sweeps: `empty_trash`, `collect_garbage` and `scrub`.
async fn busy_with_three_sweeps() -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    for suffix in ["", "?permanent=true"] {
        for _ in 0..60 {
            let file = app.upload(&token, "a.csv", CSV).await;
            let path = format!("/api/files/{}{suffix}", file["id"].as_str().unwrap());
            app.send(delete(&path).bearer(&token)).await.expect(200);
        }
    }
    for _ in 0..60 {
        app.upload(&token, "a.csv", CSV).await;
    }
    app.advance(TimeDelta::days(36));
    app
}

#[tokio::test]
async fn each_busy_sweep_examines_an_item_even_with_few_calls() {
    let least: u32 = SWEEPS.iter().map(|sweep| 1 + sweep.cost().base + sweep.cost().each).sum();
    for given in [least + 2, least + 5, least + 40, least + 100, least + 300] {
        let app = busy_with_three_sweeps().await;
        app.faults.forget_calls();
        let report = app.run_sweeps(SWEEPS, app.now(), CallBudget::of(given)).await.unwrap();
        assert!(calls(&app) <= given, "{given}: {} calls", calls(&app));
        for name in ["empty_trash", "collect_garbage", "scrub"] {
            let run = report.runs.iter().find(|run| run.kind == name).unwrap();
            assert!(run.examined >= 1, "{given}: {name} examined nothing");
        }
    }
}

#[tokio::test]
async fn a_run_that_found_work_is_logged_and_an_idle_run_is_not_logged() {
    let (app, token, path) = with_a_file().await;
    app.send(delete(&path).bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(31));
    app.log.take();
    app.run_sweep("empty_trash").await.unwrap();
    let lines = app.log.with("message", "sweep");
    assert_eq!(lines.len(), 1);
    let (level, report) = (&lines[0]["level"], &lines[0]["report"]);
    assert_eq!(
        (level, &report["kind"], &report["changed"]),
        (&json!("info"), &json!("empty_trash"), &json!(1))
    );
    app.log.take();
    app.run_sweep("empty_trash").await.unwrap();
    assert!(app.log.with("message", "sweep").is_empty());
    app.faults.always(Fault::Failed, On::database().about("FROM files"));
    let failed = app.run_sweep("empty_trash").await.unwrap();
    assert!(failed.runs[0].error.is_some());
    assert_eq!(app.log.with("message", "sweep")[0]["level"], "warn");
}

#[tokio::test]
async fn work_that_exceeds_the_budget_is_done_by_later_runs() {
    let app = busy("collect_garbage").await;
    let sweep = named("collect_garbage").unwrap();
    let mut deleted = 0;
    for _ in 0..20 {
        let report = app.run_sweeps(&[sweep], app.now(), CallBudget::of(30)).await.unwrap();
        deleted += report.runs[0].details["deleted"].as_u64().unwrap_or(0);
    }
    assert_eq!(deleted, 50);
}
