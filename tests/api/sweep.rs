//! The sweep: what it takes away, when, and that it never takes more.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use cutty::ids::UserId;
use cutty::metrics::Caller;
use cutty::ports::ObjectStore;
use cutty::storage::Actor;
use cutty::storage::protocol::{Attempt, Description, Leftover, NewFile, Origin};
use cutty::storage::sweep::report::SweepRun;
use cutty::storage::sweep::{SweepKind, SweepReport};
use serde_json::{Value, json};

use crate::support::app::{OPERATOR_TOKEN, break_every_call};
use crate::support::client::{delete, get, patch_json, post, upload};
use crate::support::{Fault, On, TestApp};

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
        let of = |kind: &str| report.runs.iter().find(|run| run.kind.name() == kind).unwrap();
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
    app.assert_sound();
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

/// An application whose process died before or after the bytes of an upload were stored.
async fn with_crashed_upload(crash: Fault) -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(crash, On::objects().method("put_stream"), 1);
    app.faults.until_crash(app.send(upload("a.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    app
}

#[tokio::test]
async fn an_attempt_that_may_still_be_under_way_is_left_alone() {
    let app = with_crashed_upload(Fault::CrashAfter).await;
    app.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!((status(&app), app.objects.file_keys().len()), (json!("pending"), 1));
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done { deleted: 1, ..Done::default() });
    assert_eq!(app.database.value("SELECT reserved_bytes FROM quotas"), 0);
    assert_eq!(app.objects.keys(), Vec::<String>::new());
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, Done { forgotten: 1, ..Done::default() });
    assert_eq!(status(&app), Value::Null);
}

#[tokio::test]
async fn a_put_that_lands_after_the_first_deletion_is_deleted_by_the_second() {
    let app = with_crashed_upload(Fault::CrashBefore).await;
    let key = app.database.value("SELECT r2_key FROM files").as_str().unwrap().to_owned();
    app.advance(TimeDelta::hours(25));
    assert_eq!(sweep(&app).await.deleted, 1);
    app.objects.plant(&key, CSV);
    app.assert_sound();
    app.advance(TimeDelta::hours(23));
    assert_eq!(sweep(&app).await, Done::default());
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
        assert_eq!(sweep(&app).await, Done::default());
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
    assert_eq!(report, Done { failed: 1, ..Done::default() });
    assert_eq!(app.log.with("message", "something stays for the next sweep").len(), 1);
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

/// The intent of a file of four bytes.
async fn begin_attempt(app: &TestApp) -> Attempt {
    let actor = Actor { user: UserId::parse("ada").unwrap(), caller: Caller::default(), claim: None };
    let new = NewFile {
        filename: "a.csv".to_owned(),
        content_type: "text/csv",
        encoding: None,
        description: Description::default(),
        expected_sha256: None,
        origin: Origin::Upload,
    };
    Attempt::begin(app.app.clone(), actor, new, 4).await.unwrap()
}

#[tokio::test]
async fn an_attempt_given_up_after_the_sweep_took_it_leaves_no_row() {
    let app = TestApp::new();
    app.user("ada");
    let attempt = begin_attempt(&app).await;
    app.advance(TimeDelta::hours(25));
    sweep(&app).await;
    assert_eq!(status(&app), "dead");
    attempt.abandon(Leftover::Nothing).await;
    app.assert_sound();
    assert_eq!(status(&app), Value::Null);
}

/// An upload in several requests as it stands between two of them: the intent, a part in the store, and its row, which
/// ends in 24 hours.
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
         SELECT 'u', id, user_id, r2_key, filename, 5, 'open', created_at,
             strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+7 days') FROM files;
         UPDATE gc_queue SET not_before = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+8 days');",
    );
    app.assert_sound();
    (app, attempt)
}

fn upload_status(app: &TestApp) -> Value {
    app.database.value("SELECT status FROM multipart_uploads")
}

#[tokio::test]
async fn an_upload_that_is_not_finished_in_time_leaves_nothing() {
    let (app, attempt) = with_an_upload_under_way().await;
    app.advance(TimeDelta::days(7) - TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!((upload_status(&app), app.objects.open_uploads().len()), (json!("open"), 1));
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(sweep(&app).await, Done { deleted: 1, ..Done::default() });
    assert_eq!((upload_status(&app), status(&app)), (json!("expired"), json!("dead")));
    assert_eq!(app.objects.open_uploads(), []);
    assert_eq!(app.database.value("SELECT reserved_bytes FROM quotas"), 0);
    app.advance(TimeDelta::hours(24));
    assert_eq!(sweep(&app).await, Done { forgotten: 1, ..Done::default() });
    assert_eq!((status(&app), app.database.row_counts()["gc_queue"]), (Value::Null, 0));
    attempt.abandon(Leftover::Nothing).await;
    app.advance(TimeDelta::days(6));
    assert_eq!(sweep(&app).await, Done::default());
    assert_eq!(upload_status(&app), Value::Null, "forgotten a week after its end");
}

#[tokio::test]
async fn an_upload_that_was_finished_before_it_could_be_ended_is_complete() {
    for status in ["open", "completing"] {
        let (app, _) = with_an_upload_under_way().await;
        let facts = app.objects.plant(app.database.value("SELECT r2_key FROM files").as_str().unwrap(), CSV);
        for (id, key) in app.objects.open_uploads() {
            app.objects.abort_multipart(&cutty::storage::key::StorageKey::Known(key), &id).await.unwrap();
        }
        app.database.execute(&format!(
            "INSERT INTO commit_markers SELECT attempt, id, created_at FROM files;
             UPDATE files SET lifecycle_status = 'active', etag = '{}';
             UPDATE quotas SET used_bytes = 4, reserved_bytes = 0; DELETE FROM gc_queue;
             UPDATE multipart_uploads SET status = '{status}'",
            facts.etag
        ));
        app.advance(TimeDelta::days(8));
        assert_eq!(sweep(&app).await, Done::default());
        assert_eq!(upload_status(&app), "completed");
        assert_eq!(self::status(&app), "active");
    }
}

#[tokio::test]
async fn an_upload_that_goes_on_while_it_is_ended_is_left_alone() {
    let (app, _) = with_an_upload_under_way().await;
    app.advance(TimeDelta::days(7));
    // Its end is put off between the sweep's reading and its step.
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
async fn the_end_of_an_upload_survives_every_fault() {
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
            app.assert_sound();
            for hours in [0, 25, 25] {
                app.advance(TimeDelta::hours(hours));
                assert_eq!(app.sweep(app.now()).await.unwrap().failed, 0, "{case}");
                app.assert_sound();
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

#[tokio::test]
async fn a_file_that_cannot_be_swept_keeps_no_other() {
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
        let report = app.run_sweeps(&[SweepKind::EmptyTrash], app.now()).await.unwrap();
        (report.runs[0].changed, report.runs[0].failed)
    };
    assert_eq!(emptied().await, (0, 50), "a full page of files whose quota does not add up");
    assert_eq!(emptied().await, (1, 0), "and the next run goes on behind them");
    assert_eq!(emptied().await, (0, 50), "and the one after that tries again");
}

#[tokio::test]
async fn a_sweep_that_fails_is_reported_and_keeps_no_other() {
    let (app, token, path) = with_a_file().await;
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(36));
    app.faults.always(Fault::Failed, On::database().about("FROM multipart_uploads"));
    let report = app.sweep(app.now()).await.unwrap();
    assert_eq!((report.failed, report.runs.len()), (1, SweepKind::ALL.len()));
    assert_eq!(Done::from(report).deleted, 1);
    app.faults.clear();
    let reply =
        app.send(get("/api/admin/sweeps?kind=expire_uploads").bearer(OPERATOR_TOKEN)).await.expect(200);
    let failed = &reply.json()["sweeps"][0];
    assert!(failed["error"].as_str().unwrap().contains("injected"), "{failed}");
}

#[tokio::test]
async fn every_run_leaves_a_report_and_they_come_page_by_page() {
    let (app, _, _) = with_a_file().await;
    for _ in 0..3 {
        app.send(post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)).await.expect(200);
        app.advance(TimeDelta::minutes(5));
    }
    let kinds = SweepKind::ALL.len();
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
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first, none twice: {ids:?}");
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
    assert_eq!(app.database.row_counts()["sweep_runs"], kinds as u64, "reports are kept for 30 days");
}

/// Puts something in the way of each sweep: as many things as one run takes on, where that is bounded.
async fn busy(kind: SweepKind) -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    let count = if kind == SweepKind::Scrub { 100 } else { 50 };
    for _ in 0..count {
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        match kind {
            SweepKind::EmptyTrash => drop(app.send(delete(&path).bearer(&token)).await.expect(200)),
            SweepKind::CollectGarbage => {
                app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
            }
            SweepKind::FailStaleCuts => {
                app.leave_after(get(&format!("{path}/cut")).bearer(&token), 0).await;
            }
            _ => {}
        }
    }
    app.database.execute(match kind {
        SweepKind::ExpireFiles => "UPDATE files SET expires_at = created_at",
        SweepKind::ExpireUploads => {
            "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, part_size, status, created_at,
                 expires_at)
             SELECT 'u' || id, id, user_id, r2_key, filename, 5, 'open', created_at, created_at FROM files"
        }
        SweepKind::CollectGarbage => "UPDATE gc_queue SET upload_id = 'u'",
        SweepKind::FailStaleCuts => "UPDATE cuts SET status = 'running'",
        _ => "SELECT 1 FROM users",
    });
    app.advance(TimeDelta::days(36));
    app
}

/// Calls to the database and to the object store, and statements.
async fn cost(app: &TestApp, kinds: &[SweepKind]) -> String {
    app.faults.forget_calls();
    app.run_sweeps(kinds, app.now()).await.unwrap();
    let [database, objects] = [On::database(), On::objects()].map(|port| app.faults.count(&port));
    assert!(database + objects < 1000, "more than a Worker's subrequests");
    format!("{database} D1 ({} statements), {objects} R2", app.faults.statements(&On::database()))
}

#[tokio::test]
async fn each_sweep_costs_what_the_table_says() {
    let mut table = format!("{:<18} {}\n", "all, nothing due", cost(&TestApp::new(), &SweepKind::ALL).await);
    for kind in SweepKind::ALL {
        let app = busy(kind).await;
        table += &format!("{:<18} {}\n", kind.name(), cost(&app, &[kind]).await);
    }
    insta::assert_snapshot!(table, @r"
    all, nothing due   12 D1 (46 statements), 0 R2
    expire_files       4 D1 (55 statements), 0 R2
    expire_uploads     53 D1 (208 statements), 0 R2
    empty_trash        53 D1 (154 statements), 0 R2
    collect_garbage    103 D1 (304 statements), 150 R2
    fail_stale_cuts    3 D1 (4 statements), 0 R2
    forget_tokens      3 D1 (4 statements), 0 R2
    forget_keys        3 D1 (4 statements), 0 R2
    learn_files        3 D1 (5 statements), 0 R2
    scrub              4 D1 (7 statements), 100 R2
    forget_reports     3 D1 (4 statements), 0 R2
    ");
}
