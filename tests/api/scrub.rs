//! The scrub reads every stored byte periodically. It records and reports damage, and the service does not send damaged
//! bytes.

use chrono::TimeDelta;
use cutty::sweeps::report::SweepRun;
use serde_json::{Value, json};

use crate::support::app::{OPERATOR_TOKEN, break_every_call};
use crate::support::client::{get, post, post_json};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";

async fn scrub(app: &TestApp) -> SweepRun {
    app.run_sweep("scrub").await.unwrap().runs.swap_remove(0)
}

/// Creates an application with one file that is due for the scrub. Returns four items: the application, the token of
/// the file's owner, the path of the file, and the object key of the file.
async fn with_a_file_due(variables: &[(&str, &str)], bytes: &str) -> (TestApp, String, String, String) {
    let app = TestApp::with(variables);
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", bytes.to_owned()).await;
    app.advance(TimeDelta::days(30));
    let key = app.objects.keys().swap_remove(0);
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    (app, token, path, key)
}

async fn findings(app: &TestApp, query: &str) -> Vec<Value> {
    let response =
        app.send(get(&format!("/api/admin/findings{query}")).bearer(OPERATOR_TOKEN)).await.expect(200);
    response.json()["findings"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_file_is_scrubbed_once_per_period() {
    let (app, token, _, _) = with_a_file_due(&[], CSV).await;
    app.upload(&token, "b.csv", "fresh\n").await;
    let run = scrub(&app).await;
    assert_eq!((run.examined, run.changed, run.failed, run.cursor), (1, 0, 0, None));
    assert_eq!(run.details, json!({"readBytes": CSV.len()}));
    app.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert_eq!(scrub(&app).await.examined, 0);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(scrub(&app).await.examined, 2);
    assert_eq!(findings(&app, "?open=false").await, Vec::<Value>::new());
}

#[tokio::test]
async fn each_kind_of_damage_is_found_and_reported_and_damaged_bytes_are_not_sent() {
    type Damage = fn(&TestApp, &str);
    let harms: [(&str, Damage); 5] = [
        ("missing", |app, key| app.objects.lose(key)),
        ("truncated", |app, key| app.objects.truncate(key, 5)),
        ("replaced", |app, key| drop(app.objects.plant(key, "x".repeat(CSV.len())))),
        ("replaced", |app, key| drop(app.objects.plant(key, "x".repeat(CSV.len() + 1)))),
        ("changed", |app, key| app.objects.corrupt(key)),
    ];
    for (kind, harm) in harms {
        let (app, token, path, key) = with_a_file_due(&[], CSV).await;
        harm(&app, &key);
        let run = scrub(&app).await;
        assert_eq!((run.examined, run.changed, &run.details[kind]), (1, 1, &json!(1)), "{kind}");
        let lines = app.log.with("message", "stored bytes are damaged");
        assert_eq!(
            (lines.len(), &lines[0]["level"], &lines[0]["finding"]),
            (1, &json!("error"), &json!(kind))
        );
        let found = findings(&app, "").await;
        assert_eq!((found.len(), &found[0]["kind"], &found[0]["r2Key"]), (1, &json!(kind), &json!(key)));
        assert_eq!(found[0]["details"]["row"]["size"], CSV.len());
        for read in [path.clone(), format!("{path}/cut"), format!("{path}/rows")] {
            app.send(get(&read).bearer(&token)).await.expect_problem(500, "integrity_error");
        }
        let ranges = get(&path).header("range", "bytes=0-0,2-2").bearer(&token);
        app.send(ranges).await.expect_problem(500, "integrity_error");
        app.send(get(&format!("{path}/metadata")).bearer(&token)).await.expect(200);
        assert!(app.log.with("service", "cutty-files").len() > 3);

        // If the scrub finds the same damage again, it updates the finding and adds no second finding.
        app.advance(TimeDelta::days(30));
        scrub(&app).await;
        let again = findings(&app, "").await;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0]["firstSeenAt"], found[0]["firstSeenAt"]);
        assert_ne!(again[0]["lastSeenAt"], found[0]["lastSeenAt"]);

        // After a repair, the next scrub resolves the finding.
        app.objects.plant(&key, CSV);
        app.advance(TimeDelta::days(30));
        assert_eq!(scrub(&app).await.changed, 0);
        assert_eq!(findings(&app, "").await, Vec::<Value>::new());
        assert_eq!(findings(&app, "?open=false").await.len(), 1);
        assert_eq!(app.send(get(&path).bearer(&token)).await.expect(200).text(), CSV);
        app.assert_consistent();
    }
}

#[tokio::test]
async fn the_next_scrub_reads_the_file_of_a_resolved_finding() {
    let (app, token, path, key) = with_a_file_due(&[], CSV).await;
    app.objects.corrupt(&key);
    scrub(&app).await;
    let id = findings(&app, "").await[0]["id"].as_str().unwrap().to_owned();
    let resolve = || post(&format!("/api/admin/findings/{id}/resolve")).bearer(OPERATOR_TOKEN);
    for _ in 0..2 {
        let finding = app.send(resolve()).await.expect(200).json()["finding"].clone();
        assert!(!finding["resolvedAt"].is_null());
    }
    app.send(get(&path).bearer(&token)).await.expect(200);

    // The file was not repaired, so the next scrub finds the damage again.
    assert_eq!(scrub(&app).await.changed, 1);
    app.send(get(&path).bearer(&token)).await.expect_problem(500, "integrity_error");
    assert_eq!((findings(&app, "").await.len(), findings(&app, "?open=false").await.len()), (1, 2));
    for missing in ["018f0000-0000-7000-8000-000000000001", "x"] {
        let resolve = post(&format!("/api/admin/findings/{missing}/resolve")).bearer(OPERATOR_TOKEN);
        app.send(resolve).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_file_longer_than_the_read_limit_is_hashed_in_several_runs() {
    for (harmed, expected) in [(false, 0), (true, 1)] {
        let (app, _, _, key) = with_a_file_due(&[("SCRUB_BYTES_PER_RUN", "5")], CSV).await;
        if harmed {
            app.objects.corrupt(&key);
        }
        let mut runs = Vec::new();
        for _ in 0..3 {
            let run = scrub(&app).await;
            runs.push((run.examined, run.cursor.is_some(), run.details["readBytes"].as_u64().unwrap()));
        }
        assert_eq!(runs, [(0, true, 5), (0, true, 5), (1, false, 2)]);
        assert_eq!(findings(&app, "").await.len(), expected);
        assert_eq!(scrub(&app).await.examined, 0);
    }
}

#[tokio::test]
async fn each_scrub_run_respects_the_read_limit_and_later_runs_read_the_other_files() {
    let app = TestApp::with(&[("SCRUB_BYTES_PER_RUN", "40")]);
    let token = app.user("ada");
    for _ in 0..12 {
        app.upload(&token, "a.csv", CSV).await;
    }
    app.advance(TimeDelta::days(30));
    let mut read = 0;
    for _ in 0..4 {
        let bytes = scrub(&app).await.details["readBytes"].as_u64().unwrap();
        assert!(bytes <= 40);
        read += bytes;
    }
    assert_eq!(read, 12 * CSV.len() as u64);
    assert_eq!(app.database.value("SELECT count(*) AS n FROM files WHERE scrubbed_at IS NULL"), 0);
    assert_eq!(scrub(&app).await.examined, 0);
}

#[tokio::test]
async fn a_run_reads_at_most_70_files_and_leaves_the_others_to_the_next_run() {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..71 {
        app.upload(&token, "a.csv", "a\n").await;
    }
    app.advance(TimeDelta::days(30));
    let first = scrub(&app).await;
    assert_eq!((first.examined, first.cursor.is_some()), (70, true));
    let second = scrub(&app).await;
    assert_eq!((second.examined, second.cursor), (1, None));
}

#[tokio::test]
async fn a_file_without_a_hash_is_compared_by_size_and_etag() {
    let (app, _, _, key) = with_a_file_due(&[], CSV).await;
    app.database.execute("UPDATE files SET checksum = NULL");
    app.objects.corrupt(&key);
    app.faults.forget_calls();
    assert_eq!(scrub(&app).await.changed, 0, "without a hash, the scrub cannot detect changed bytes");
    assert_eq!((app.faults.count(&On::objects()), app.faults.count(&On::objects().method("head"))), (1, 1));
    app.objects.truncate(&key, 3);
    app.advance(TimeDelta::days(30));
    assert_eq!(scrub(&app).await.details["truncated"], 1);
}

#[tokio::test]
async fn unreadable_bytes_are_reported_and_read_again_the_next_day() {
    let (app, token, path, key) = with_a_file_due(&[], CSV).await;
    app.objects.break_reads(&key, 5);
    assert_eq!(scrub(&app).await.details["unreadable"], 1);
    app.faults.inject(Fault::Failed, On::objects().method("get"), 1);
    app.advance(TimeDelta::days(1));
    assert_eq!(
        scrub(&app).await.details["unreadable"],
        1,
        "an object is unreadable if the store returns its metadata, but not its bytes"
    );
    assert_eq!(findings(&app, "").await.len(), 1);
    app.objects.plant(&key, CSV);
    assert_eq!(
        app.send(get(&path).bearer(&token)).await.expect(200).text(),
        CSV,
        "a finding of the kind `unreadable` must not prevent downloads"
    );
    assert_eq!(scrub(&app).await.examined, 0);
    app.advance(TimeDelta::days(1));
    assert_eq!(scrub(&app).await.examined, 1);
    assert_eq!(findings(&app, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_outage_of_the_store_creates_no_finding() {
    let (app, token, _, _) = with_a_file_due(&[], CSV).await;
    app.upload(&token, "b.csv", CSV).await;
    app.advance(TimeDelta::days(30));
    app.faults.always(Fault::Failed, On::objects());
    app.faults.forget_calls();
    let run = scrub(&app).await;
    assert_eq!((run.failed, run.changed), (1, 0));
    assert_eq!(
        app.faults.count(&On::objects()),
        2,
        "after the first failure, the scrub must read no second file"
    );
    app.faults.clear();
    assert_eq!(findings(&app, "?open=false").await, Vec::<Value>::new());
    // The next run reads the other file, and the run after that reads the failed file again.
    assert_eq!((scrub(&app).await.examined, scrub(&app).await.examined), (1, 1));
    assert_eq!(app.database.value("SELECT count(*) AS n FROM files WHERE scrubbed_at IS NULL"), 0);
}

#[tokio::test]
async fn the_scrub_can_be_turned_off() {
    let (app, _, _, key) = with_a_file_due(&[("SCRUB_BYTES_PER_RUN", "0")], CSV).await;
    app.objects.lose(&key);
    assert_eq!(scrub(&app).await.examined, 0);
}

#[tokio::test]
async fn a_scrub_that_is_turned_off_deletes_its_cursor_once_and_writes_no_report() {
    let (app, _, _, _) = with_a_file_due(&[("SCRUB_BYTES_PER_RUN", "5")], CSV).await;
    assert!(scrub(&app).await.cursor.is_some());
    let app = app.reconfigured(&[("SCRUB_BYTES_PER_RUN", "0")]);
    app.log.take();
    for writes in [1, 0, 0] {
        app.advance(TimeDelta::minutes(5));
        app.faults.forget_calls();
        let run = scrub(&app).await;
        assert_eq!((run.examined, run.cursor), (0, None));
        assert_eq!(app.faults.count(&On::database()), 1 + writes);
        assert!(app.log.with("message", "sweep").is_empty());
    }
    assert_eq!(app.database.row_counts()["sweep_runs"], 1, "only the first run may have a report");
    let app = app.reconfigured(&[]);
    let run = scrub(&app).await;
    assert_eq!(
        (run.examined, &run.details["readBytes"]),
        (1, &json!(CSV.len())),
        "the scrub must read the file from its first byte"
    );
}

/// Returns an application with three files that are due for the scrub. The scrub reads `a.csv` first.
async fn with_three_files_due() -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    for name in ["a.csv", "b.csv", "c.csv"] {
        app.upload(&token, name, CSV).await;
        app.advance(TimeDelta::seconds(1));
    }
    app.advance(TimeDelta::days(30));
    app
}

const FILES_SCRUBBED: &str = "SELECT group_concat(filename) AS names FROM
    (SELECT filename FROM files WHERE scrubbed_at IS NOT NULL ORDER BY filename)";

#[tokio::test]
async fn a_finding_that_cannot_be_written_does_not_block_the_other_files() {
    let app = with_three_files_due().await;
    for name in ["a.csv", "c.csv"] {
        let key = app.database.value(&format!("SELECT r2_key FROM files WHERE filename = '{name}'"));
        app.objects.corrupt(key.as_str().unwrap());
    }
    app.database.execute(
        "CREATE TRIGGER no_a BEFORE INSERT ON findings
         WHEN NEW.file_id = (SELECT id FROM files WHERE filename = 'a.csv')
         BEGIN SELECT RAISE(ABORT, 'a'); END",
    );
    let run = scrub(&app).await;
    assert_eq!((run.examined, run.changed, run.failed, run.error), (3, 1, 1, None));
    assert_eq!(app.database.value(FILES_SCRUBBED), "b.csv,c.csv");
    app.database.execute("DROP TRIGGER no_a");
    assert_eq!(scrub(&app).await.changed, 1);
    assert_eq!(findings(&app, "").await.len(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_marked_as_scrubbed_does_not_block_the_other_files() {
    let app = with_three_files_due().await;
    app.database.execute(
        "CREATE TRIGGER no_a BEFORE UPDATE ON files WHEN NEW.filename = 'a.csv' BEGIN SELECT RAISE(ABORT, 'a'); END",
    );
    let run = scrub(&app).await;
    assert_eq!((run.examined, run.failed, run.error, run.cursor), (3, 1, None, None));
    assert_eq!(app.database.value(FILES_SCRUBBED), "b.csv,c.csv");
}

#[tokio::test]
async fn the_scrub_reads_the_file_from_its_first_byte_if_the_cursor_is_invalid() {
    let (app, _, _, key) = with_a_file_due(&[], CSV).await;
    app.objects.corrupt(&key);
    let attempt = app.database.value("SELECT attempt FROM files");
    for hash in [json!({"offset": 5, "state": "00"}), json!({"offset": 500, "state": "00"}), json!(null)] {
        let cursor = json!({"behind": {"at": "", "id": ""}, "inside": {"attempt": attempt, "hash": hash}});
        app.database.execute(&format!(
            "INSERT INTO sweep_cursors VALUES ('scrub', '{cursor}', '{now}') ON CONFLICT DO UPDATE SET cursor = '{cursor}';
             UPDATE files SET scrubbed_at = NULL",
            now = app.now()
        ));
        assert_eq!(scrub(&app).await.details["changed"], 1, "{hash}");
    }
}

#[tokio::test]
async fn later_scrubs_complete_the_work_of_a_scrub_in_which_a_call_failed() {
    let broken = break_every_call(
        async || {
            let app = TestApp::with(&[("SCRUB_BYTES_PER_RUN", "20")]);
            let token = app.user("ada");
            for name in ["whole.csv", "changed.csv", "lost.csv"] {
                app.upload(&token, name, CSV).await;
            }
            let key = |name: &str| {
                let sql = format!("SELECT r2_key FROM files WHERE filename = '{name}'");
                app.database.value(&sql).as_str().unwrap().to_owned()
            };
            app.objects.corrupt(&key("changed.csv"));
            app.objects.lose(&key("lost.csv"));
            app.advance(TimeDelta::days(31));
            app
        },
        async |app| {
            for _ in 0..2 {
                let _ = app.run_sweep("scrub").await;
            }
        },
        async |app, case| {
            for _ in 0..4 {
                app.advance(TimeDelta::days(1));
                scrub(app).await;
            }
            let kinds = "SELECT group_concat(kind) AS kinds FROM
                (SELECT kind FROM findings WHERE resolved_at IS NULL ORDER BY kind)";
            assert_eq!(app.database.value(kinds), "changed,missing", "{case}");
            let damaged = "SELECT group_concat(filename) AS names FROM
                (SELECT filename FROM files WHERE damaged_at IS NOT NULL ORDER BY filename)";
            assert_eq!(app.database.value(damaged), "changed.csv,lost.csv", "{case}");
            assert_eq!(app.database.value("SELECT count(*) AS n FROM files WHERE scrubbed_at IS NULL"), 0);
        },
    )
    .await;
    assert!(broken >= 4 * 10, "{broken}");
}

#[tokio::test]
async fn two_concurrent_scrubs_record_one_finding() {
    let (app, token, _, key) = with_a_file_due(&[("SCRUB_BYTES_PER_RUN", "5")], CSV).await;
    app.objects.corrupt(&key);
    let late = app.upload(&token, "b.csv", CSV).await;
    app.advance(TimeDelta::days(30));
    for _ in 0..6 {
        tokio::join!(scrub(&app), scrub(&app));
    }
    assert_eq!(findings(&app, "?open=false").await.len(), 1);
    let path = format!("/api/files/{}/save", late["id"].as_str().unwrap());
    app.send(post_json(&path, &json!({})).bearer(&token)).await.expect(201);
}
