//! Metrics: sums of the audit log, exactly once, their ranges, and the text for Prometheus.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{get, post_json, upload};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";

async fn read(app: &TestApp, path: &str) -> Value {
    app.send(get(&format!("/api/admin/metrics/{path}")).bearer(OPERATOR_TOKEN)).await.expect(200).json()
}

/// Makes every entry arrive, seals the entries and adds them to the sums.
async fn roll_up(app: &TestApp) {
    app.deliver().await;
    app.run_sweep("seal_audit").await.unwrap();
    app.run_sweep("roll_up_metrics").await.unwrap();
}

/// Ada uploads two files, downloads one, cuts one, and asks for a missing one. Ben uploads one.
async fn some_operations(app: &TestApp) {
    let (ada, ben) = (app.user("ada"), app.user("ben"));
    let file = app.upload(&ada, "a.csv", CSV).await;
    app.upload(&ada, "b.csv", CSV).await;
    app.upload(&ben, "c.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    app.send(get(&path).bearer(&ada)).await.expect(200);
    app.send(get(&format!("{path}/cut?a__eq=1")).bearer(&ada)).await.expect(200);
    app.send(get("/api/files/019b7ca9-0000-7000-8000-000000000000").bearer(&ada)).await.expect(404);
}

/// The sums that the entries of the log have, by SQL: action, operations, failures and bytes.
fn from_log(app: &TestApp, of: &str) -> Value {
    let rows = app.database.rows(&format!(
        "SELECT json_group_object(action, json_array(operations, failures, bytes)) AS sums FROM
            (SELECT action, count(*) AS operations, sum(success = 0) AS failures,
                sum(coalesce(bytes_transferred, 0)) AS bytes
            FROM file_access_logs WHERE seq IS NOT NULL AND {of} GROUP BY action ORDER BY action)"
    ));
    serde_json::from_str(rows[0]["sums"].as_str().unwrap()).unwrap()
}

/// The same from the sums, for one step and user.
fn from_sums(app: &TestApp, step: &str, user: &str) -> Value {
    let rows = app.database.rows(&format!(
        "SELECT json_group_object(action, json_array(operations, failures, bytes)) AS sums FROM
            (SELECT action, sum(operations) AS operations, sum(failures) AS failures, sum(bytes) AS bytes
            FROM metric_sums WHERE step = '{step}' AND user_id = '{user}' GROUP BY action ORDER BY action)"
    ));
    serde_json::from_str(rows[0]["sums"].as_str().unwrap()).unwrap()
}

/// Panics unless every sum is the sum that the log has.
fn assert_agrees(app: &TestApp) {
    for step in ["5m", "1h", "1d"] {
        assert_eq!(from_sums(app, step, ""), from_log(app, "true"), "{step}");
    }
    for user in ["ada", "ben"] {
        for step in ["1h", "1d"] {
            assert_eq!(
                from_sums(app, step, user),
                from_log(app, &format!("user_id = '{user}'")),
                "{step} {user}"
            );
        }
    }
    let totals = app.database.value("SELECT sum(operations) FROM metric_totals");
    assert_eq!(totals, app.database.value("SELECT count(*) FROM file_access_logs WHERE seq IS NOT NULL"));
}

#[tokio::test]
async fn the_sums_agree_with_the_log_however_the_runs_are_split() {
    let app = TestApp::new();
    some_operations(&app).await;
    roll_up(&app).await;
    assert_agrees(&app);
    for page in [1, 2, 3] {
        app.advance(TimeDelta::minutes(47));
        some_more(&app).await;
        app.deliver().await;
        app.run_sweep("seal_audit").await.unwrap();
        while app.metrics().add_entries(page).await.unwrap().examined > 0 {}
        assert_agrees(&app);
    }
    // Nothing is left, so a further run changes nothing.
    app.run_sweep("roll_up_metrics").await.unwrap();
    assert_agrees(&app);
}

async fn some_more(app: &TestApp) {
    for token in [app.token_of("ada"), app.token_of("ben")] {
        app.send(upload("d.csv", CSV).bearer(&token)).await.expect(201);
        app.send(get("/api/files").bearer(&token)).await.expect(200);
    }
}

#[tokio::test]
async fn an_entry_is_added_once_after_any_fault() {
    for fault in Fault::ALL {
        for nth in 1.. {
            let app = TestApp::new();
            some_operations(&app).await;
            app.deliver().await;
            app.run_sweep("seal_audit").await.unwrap();
            app.faults.inject(fault, On::any(), nth);
            let _outcome = app.faults.until_crash(app.metrics().add_entries(4)).await;
            if app.faults.fired() == 0 {
                assert!(nth > 3, "the page makes three calls");
                break;
            }
            app.faults.clear();
            while app.metrics().add_entries(4).await.unwrap().examined > 0 {}
            assert_agrees(&app);
        }
    }
}

#[tokio::test]
async fn two_runs_at_once_add_each_entry_once() {
    let app = TestApp::new();
    some_operations(&app).await;
    app.deliver().await;
    app.run_sweep("seal_audit").await.unwrap();
    app.faults.set_yield_before_calls(true);
    let (first, second) = (app.metrics(), app.metrics());
    let (first, second) = tokio::join!(first.add_entries(100), second.add_entries(100));
    assert_eq!(first.unwrap().added.min(second.unwrap().added), 0);
    assert_agrees(&app);
}

#[tokio::test]
async fn the_summary_has_the_names_of_the_plan_and_the_numbers_of_the_log() {
    let app = TestApp::new();
    some_operations(&app).await;
    roll_up(&app).await;
    let summary = &read(&app, "summary").await["summary"];
    assert_eq!(summary["operationBreakdown"]["upload"], json!({"operations": 3, "failures": 0}));
    assert_eq!(summary["operationBreakdown"]["process"], json!({"operations": 1, "failures": 0}));
    assert_eq!(summary["errorBreakdown"], json!({"not_found": 1}));
    assert_eq!(summary["totalOperations"], 6);
    assert_eq!(summary["successRate"], 5.0 / 6.0);
    assert_eq!(summary["bytesIn"], 3 * CSV.len());
    assert_eq!(summary["scannedBytes"], CSV.len());
    assert_eq!(summary["cacheHitRate"], Value::Null);
    let top = &summary["topUsers"];
    assert_eq!((&top[0]["userId"], &top[0]["operations"]), (&json!("ada"), &json!(5)));
    assert_eq!((&top[1]["userId"], &top[1]["operations"]), (&json!("ben"), &json!(1)));
    let of_ben = &read(&app, "summary?user=ben").await["summary"];
    assert_eq!((&of_ben["totalOperations"], &of_ben["topUsers"]), (&json!(1), &json!([])));

    let performance = &read(&app, "performance").await["performance"];
    assert_eq!(performance["uploadMetrics"]["totalUploads"], 3);
    assert_eq!(performance["uploadMetrics"]["successRate"], 1.0);
    assert_eq!(performance["downloadMetrics"]["totalDownloads"], 2);
    assert_eq!(performance["processingMetrics"]["totalProcessingOperations"], 1);
}

#[tokio::test]
async fn a_series_has_every_bucket_and_what_is_stored() {
    let app = TestApp::new();
    some_operations(&app).await;
    roll_up(&app).await;
    let series =
        &read(&app, "series?from=2026-01-02T00:00:00Z&to=2026-01-02T06:00:00Z&step=1h").await["series"];
    let points = series["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    assert_eq!(points[3]["at"], "2026-01-02T03:00:00.000Z");
    assert_eq!(points[3]["operations"], 6);
    assert_eq!(points[3]["failures"], 1);
    assert_eq!((&points[3]["storedBytes"], &points[3]["files"]), (&json!(3 * CSV.len()), &json!(3)));
    assert_eq!((&points[2]["operations"], &points[2]["storedBytes"]), (&json!(0), &Value::Null));
    assert!(points[3]["r2ClassA"].as_u64().unwrap() >= 3);
}

#[tokio::test]
async fn an_empty_installation_has_empty_metrics() {
    let app = TestApp::new();
    roll_up(&app).await;
    let summary = &read(&app, "summary").await["summary"];
    assert_eq!((&summary["totalOperations"], &summary["successRate"]), (&json!(0), &Value::Null));
    assert_eq!((&summary["p95"], &summary["topUsers"]), (&Value::Null, &json!([])));
    read(&app, "performance").await;
    read(&app, "series?step=5m").await;
}

#[tokio::test]
async fn a_bad_range_is_refused() {
    let app = TestApp::new();
    for query in [
        "summary?from=yesterday",
        "summary?from=2026-01-02T03:00:00Z&to=2026-01-02T03:00:00Z",
        "summary?from=2020-01-02T03:00:00Z&to=2026-01-02T03:00:00Z",
        "summary?user=%20",
        "series?step=1m",
        "series?step=5m&user=ada",
        "series?step=5m&from=2025-12-02T03:00:00Z&to=2026-01-02T03:00:00Z",
    ] {
        let call = get(&format!("/api/admin/metrics/{query}")).bearer(OPERATOR_TOKEN);
        app.send(call).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn requests_read_only_the_sums() {
    let app = TestApp::new();
    for path in ["summary", "performance", "series"] {
        app.faults.forget_calls();
        read(&app, path).await;
        assert_eq!(app.faults.count(&On::database()), 1, "{path}");
        assert_eq!(app.faults.count(&On::database().about("file_access_logs")), 0, "{path}");
    }
}

#[tokio::test]
async fn old_buckets_are_forgotten_by_their_step() {
    let app = TestApp::new();
    some_operations(&app).await;
    roll_up(&app).await;
    let steps = || app.database.rows("SELECT DISTINCT step FROM metric_sums ORDER BY step").len();
    let tables = ["metric_sums", "metric_errors", "metric_latencies", "metric_gauges"];
    for (days, left) in [(0, 3), (3, 2), (28, 1), (720, 0)] {
        app.advance(TimeDelta::days(days));
        app.run_sweep("forget_metrics").await.unwrap();
        assert_eq!(steps(), left, "after {days} more days");
    }
    for table in tables {
        assert_eq!(app.database.value(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert!(app.database.value("SELECT count(*) FROM metric_totals").as_u64().unwrap() > 0);
}

#[tokio::test]
async fn what_is_stored_is_counted_by_triggers() {
    let app = TestApp::new();
    some_operations(&app).await;
    let stored = || app.database.rows("SELECT stored_bytes, files FROM metric_stored").remove(0);
    let counted = || {
        let sums = "SELECT (SELECT coalesce(sum(used_bytes), 0) FROM quotas) AS stored_bytes,
            (SELECT coalesce(sum(files), 0) FROM usage) AS files";
        app.database.rows(sums).remove(0)
    };
    assert_eq!(stored(), counted());
    assert_eq!(stored()["files"], 3);
    app.database.execute("DELETE FROM quotas WHERE user_id = 'ben'; DELETE FROM usage WHERE user_id = 'ben'");
    assert_eq!(stored(), counted());
}

#[tokio::test]
async fn refused_requests_of_unknown_senders_are_counted() {
    let app = TestApp::new();
    for _ in 0..3 {
        app.send(post_json("/api/auth/login", &json!({"username": "nobody", "password": "wrong password"})))
            .await
            .expect(401);
        app.send(get("/api/files")).await.expect(401);
    }
    app.advance(TimeDelta::minutes(10));
    app.send(get("/api/files")).await.expect(401);
    app.audit().send_waiting().await;
    roll_up(&app).await;
    let summary = &read(&app, "summary").await["summary"];
    assert_eq!(summary["errorBreakdown"]["bad_credentials"], 3);
    assert!(summary["errorBreakdown"]["unauthenticated"].as_u64().unwrap() >= 3, "{summary}");
}

#[tokio::test]
async fn the_text_for_prometheus_has_counters_with_totals_and_ends() {
    let app = TestApp::new();
    some_operations(&app).await;
    roll_up(&app).await;
    let response = app.send(get("/api/admin/metrics/prometheus").bearer(OPERATOR_TOKEN)).await.expect(200);
    assert_eq!(response.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.text();
    for line in [
        "# TYPE cutty_operations counter",
        "cutty_operations_total{action=\"upload\",code=\"\"} 3",
        "cutty_operations_total{action=\"download\",code=\"not_found\"} 1",
        "cutty_received_bytes_total 36",
        "cutty_stored_bytes 36",
        "cutty_files 3",
        "cutty_sweep_stopped{sweep=\"seal_audit\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
    // No sample comes before its family, and no family comes twice.
    let mut families = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(family.split(' ').next().unwrap()), "{line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_total", "_count", "_sum", "_info"].iter().find_map(|end| name.strip_suffix(end));
            assert!(families.contains(family.unwrap_or(name)), "{line}");
        }
    }
}

#[tokio::test]
async fn log_lines_have_the_trace_of_the_request_and_responses_their_time() {
    let app = TestApp::new();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = upload("a.csv", CSV).bearer(&app.user("ada"));
    let call = call.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let response = app.send(call).await.expect(201);
    assert!(response.header("server-timing").starts_with("total;dur="));
    let lines = app.log.lines();
    assert!(lines.iter().any(|line| line["trace_id"] == trace), "{lines:?}");
}
