//! The audit log: which entries there are, the chain, segments, and what the verification finds.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, delete, get, patch_json, post, post_json, upload};
use crate::support::seeds::Rng;
use crate::support::{Fault, On, TestApp};

const PASSWORD: &str = "correct horse battery";

async fn verify(app: &TestApp) -> Value {
    let mut body = json!({});
    loop {
        let call = post_json("/api/admin/audit/verify", &body).bearer(OPERATOR_TOKEN);
        let result = app.send(call).await.expect(200).json();
        if result["complete"] == true {
            return result;
        }
        body = json!({"cursor": result["nextCursor"]});
    }
}

/// Delivers the waiting messages and seals all entries.
async fn seal(app: &TestApp) {
    app.deliver().await;
    app.run_sweep("seal_audit").await.unwrap();
}

async fn entries(app: &TestApp, query: &str) -> Vec<Value> {
    let call = get(&format!("/api/admin/audit{query}")).bearer(OPERATOR_TOKEN);
    app.send(call).await.expect(200).json()["entries"].as_array().unwrap().clone()
}

/// An application with entries of several kinds, all sealed.
async fn with_entries() -> (TestApp, String, String) {
    let app = TestApp::new();
    let ada = app.user("ada");
    let file = app.upload(&ada, "list.csv", "a,b\n1,2\n").await["id"].as_str().unwrap().to_owned();
    let as_ada = |call: Call| {
        let call = call.header("cf-connecting-ip", "192.0.2.1").header("user-agent", "browser").bearer(&ada);
        app.send(call)
    };
    for _ in 0..3 {
        as_ada(get(&format!("/api/files/{file}"))).await.expect(200);
        as_ada(get(&format!("/api/files/{file}/metadata"))).await.expect(200);
        as_ada(get(&format!("/api/files/{file}/cut?a__eq=1"))).await.expect(200);
        as_ada(get("/api/files")).await.expect(200);
        as_ada(patch_json(&format!("/api/files/{file}"), &json!({"filename": "other.csv"})))
            .await
            .expect(200);
        as_ada(get("/api/admin/users")).await.expect(403);
        as_ada(get("/api/files/018f0000-0000-7000-8000-000000000001")).await.expect(404);
        seal(&app).await;
        app.advance(TimeDelta::minutes(5));
    }
    (app, ada, file)
}

#[tokio::test]
async fn each_act_has_one_entry_with_its_principal_and_the_chain_verifies() {
    let (app, _, file) = with_entries().await;
    let count = |action: &str, success: bool| {
        let sql = format!(
            "SELECT count(*) FROM file_access_logs WHERE action = '{action}' AND success = {success}"
        );
        app.database.value(&sql).as_u64().unwrap()
    };
    let found: Vec<_> =
        [("upload", true), ("download", true), ("process", true), ("list", true), ("refuse", false)]
            .map(|(action, success)| count(action, success))
            .to_vec();
    assert_eq!(found, [1, 3, 3, 3, 3]);
    assert_eq!((count("update", true), count("view", true), count("download", false)), (3, 3, 3));
    let result = verify(&app).await;
    assert_eq!((&result["valid"], &result["firstBroken"]), (&json!(true), &Value::Null), "{result}");
    assert_eq!(result["lastSeq"], app.database.value("SELECT max(seq) FROM file_access_logs"));
    let of_file = entries(&app, &format!("?file={file}&action=download")).await;
    assert_eq!((&of_file[0]["principal"], &of_file[0]["userId"]), (&json!("user:ada"), &json!("ada")));
    assert_eq!(
        (&of_file[0]["ipAddress"], &of_file[0]["userAgent"]),
        (&json!("192.0.2.1"), &json!("browser"))
    );
}

#[tokio::test]
async fn a_queue_that_delivers_twice_writes_one_entry_and_a_queue_that_fails_fails_no_read() {
    let app = TestApp::new();
    let ada = app.user("ada");
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    app.deliver_twice().await;
    let lists = "SELECT count(*) FROM file_access_logs WHERE action = 'list'";
    assert_eq!(app.database.value(lists), 1);
    app.faults.always(Fault::Failed, On::queue());
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    app.faults.clear();
    assert_eq!(app.log.lines().iter().filter(|line| line["message"] == "an audit entry was lost").count(), 1);
}

#[tokio::test]
async fn refusals_of_unknown_senders_are_counted_and_not_stored_one_by_one() {
    let app = TestApp::new();
    for _ in 0..50 {
        app.send(get("/api/files")).await.expect(401);
        app.send(get("/api/admin/users").bearer("wrong")).await.expect(401);
    }
    app.advance(TimeDelta::minutes(1));
    app.send(get("/api/files")).await.expect(401);
    app.deliver().await;
    let rows = app.database.rows("SELECT * FROM file_access_logs ORDER BY id");
    assert_eq!(rows.len(), 2);
    let counts = |row: &Value| row["counts"]["unauthenticated"].as_u64().unwrap();
    let listed = entries(&app, "?action=count_refusals").await;
    assert_eq!(listed.iter().map(counts).sum::<u64>(), 101);
}

/// Changes one thing in the database that the verification must find, and returns a description of it.
fn tamper(app: &TestApp, rng: &mut Rng) -> String {
    let last = app.database.value("SELECT max(seq) FROM file_access_logs").as_u64().unwrap();
    let seq = 1 + rng.below(usize::try_from(last).unwrap());
    let other = 1 + (seq + rng.below(usize::try_from(last).unwrap() - 1)) % usize::try_from(last).unwrap();
    let columns = [
        ("user_id", "'eve'"),
        ("action", "'other'"),
        ("success", "1 - success"),
        ("timestamp", "'2020-01-01T00:00:00.000Z'"),
        ("metadata", "'{\"principal\": \"user:eve\"}'"),
        ("bytes_transferred", "coalesce(bytes_transferred, 0) + 1"),
        ("file_id", "'018f0000-0000-7000-8000-00000000000f'"),
        ("ip_address", "'198.51.100.1'"),
        ("error_message", "'nothing'"),
        ("request_id", "'r'"),
        ("hash", "prev_hash"),
        ("code", "NULL"),
    ];
    let copy = "file_id, user_id, action, success, metadata, timestamp, code";
    let sql = match rng.below(8) {
        0 => format!("DELETE FROM file_access_logs WHERE seq = {seq}"),
        1 => format!(
            "INSERT INTO file_access_logs (id, {copy}) SELECT 'f18f0000-0000-7000-8000-000000000001', {copy} \
             FROM file_access_logs WHERE seq = {seq}"
        ),
        2 => format!(
            "INSERT INTO file_access_logs (id, seq, prev_hash, hash, {copy}) SELECT \
             'f18f0000-0000-7000-8000-000000000001', {last} + 1, prev_hash, hash, {copy} FROM file_access_logs \
             WHERE seq = {seq}"
        ),
        3 => format!(
            "UPDATE file_access_logs SET seq = -1 WHERE seq = {seq}; UPDATE file_access_logs SET seq = {seq} WHERE \
             seq = {other}; UPDATE file_access_logs SET seq = {other} WHERE seq = -1"
        ),
        4 => format!(
            "DELETE FROM file_access_logs WHERE seq >= {seq}; DELETE FROM audit_seals WHERE last_seq >= {seq}; \
             UPDATE audit_chain SET last_seq = {seq} - 1"
        ),
        _ => {
            let (column, value) = columns[rng.below(columns.len())];
            format!("UPDATE file_access_logs SET {column} = {value} WHERE seq = {seq}")
        }
    };
    app.database.connection().execute_batch(&sql).unwrap();
    sql
}

#[tokio::test]
async fn the_verification_finds_each_of_50_random_changes_of_the_database() {
    let (app, ..) = with_entries().await;
    let tables = ["file_access_logs", "audit_seals", "audit_chain"];
    for table in tables {
        app.database.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"));
    }
    let mut rng = Rng::new(20);
    for n in 0..50 {
        let sql = tamper(&app, &mut rng);
        let result = verify(&app).await;
        assert_eq!(result["valid"], false, "{n}: {sql}");
        assert!(result["firstBroken"]["reason"].is_string(), "{n}: {sql}: {result}");
        if let Some((_, seq)) =
            sql.split_once(" WHERE seq = ").filter(|_| sql.starts_with("UPDATE") && !sql.contains(';'))
        {
            assert_eq!(result["firstBroken"]["seq"].to_string(), seq, "{n}: {sql}: {result}");
        }
        for table in tables {
            let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}");
            app.database.connection().execute_batch(&sql).unwrap();
        }
        assert_eq!(verify(&app).await["valid"], true, "{n}: the change was taken back: {sql}");
    }
}

#[tokio::test]
async fn no_run_signs_what_somebody_changed() {
    let (app, ada, _) = with_entries().await;
    let last = app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap();
    for (change, sweep) in [
        // Somebody shortens the chain, and moves its end.
        (
            "DELETE FROM file_access_logs WHERE seq > 5; DELETE FROM audit_seals WHERE first_seq > 5;
             UPDATE audit_chain SET last_seq = 5, last_hash = (SELECT hash FROM file_access_logs WHERE seq = 5)",
            "seal_audit",
        ),
        ("UPDATE file_access_logs SET user_id = 'eve' WHERE seq = 3", "archive_audit"),
        ("UPDATE audit_seals SET hash = prev_hash WHERE first_seq = 1", "archive_audit"),
        ("DELETE FROM audit_chain", "seal_audit"),
    ] {
        let tables = ["file_access_logs", "audit_seals", "audit_chain"];
        for table in tables {
            app.database.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"));
        }
        app.database.connection().execute_batch(change).unwrap();
        app.send(get("/api/files").bearer(&ada)).await.expect(200);
        app.deliver().await;
        app.advance(TimeDelta::days(if sweep == "archive_audit" { 95 } else { 0 }));
        app.run_sweep(sweep).await.unwrap();
        let result = verify(&app).await;
        assert_eq!(result["valid"], false, "{change}");
        assert_eq!(app.database.value("SELECT count(*) FROM audit_segments"), 0, "{change}");
        for table in tables {
            let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}; DROP TABLE kept_{table}");
            app.database.connection().execute_batch(&sql).unwrap();
        }
        app.deliver().await;
    }
    app.run_sweep("seal_audit").await.unwrap();
    let result = verify(&app).await;
    assert_eq!(result["valid"], true, "{result}");
    assert!(result["lastSeq"].as_u64().unwrap() > last);
}

/// Runs `change` on a copy of the log's tables, checks that the log is broken, and takes the change back.
async fn expect_broken(app: &TestApp, change: &str, sweeps: &[&str]) {
    let tables = ["file_access_logs", "audit_seals", "audit_segments", "audit_chain"];
    for table in tables {
        app.database.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"));
    }
    let anchor = app.objects.bytes(ANCHOR);
    app.database.connection().execute_batch(change).unwrap();
    for sweep in sweeps {
        app.run_sweep(sweep).await.unwrap();
    }
    let result = verify(app).await;
    assert_eq!(result["valid"], false, "{change}");
    for table in tables {
        let sql = format!(
            "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}; DROP TABLE kept_{table}"
        );
        app.database.connection().execute_batch(&sql).unwrap();
    }
    app.objects.plant(ANCHOR, anchor);
    app.deliver().await;
    assert_eq!(verify(app).await["valid"], true, "the change was taken back: {change}");
}

#[tokio::test]
async fn changed_and_surplus_seals_and_segments_are_found_and_no_sweep_believes_them() {
    let (app, ada, _) = with_entries().await;
    app.advance(TimeDelta::days(95));
    app.run_sweep("archive_audit").await.unwrap();
    for _ in 0..2 {
        app.send(get("/api/files").bearer(&ada)).await.expect(200);
        app.send(get("/api/usage").bearer(&ada)).await.expect(200);
        seal(&app).await;
    }
    let objects = || app.objects.keys().into_iter().filter(|key| key.ends_with(".ndjson.gz")).count();
    assert_eq!(objects(), 1);
    let copy = "prev_hash, hash, legacy, key_id, signature";
    let changes = [
        // Retention must not delete what is not old, nor what the service did not write.
        ("UPDATE audit_segments SET newest_at = '1970-01-01T00:00:00.000Z'".to_owned(), "forget_audit_segments"),
        ("UPDATE audit_segments SET r2_key = (SELECT r2_key FROM files)".to_owned(), "forget_audit_segments"),
        (
            "DELETE FROM audit_segments; DELETE FROM file_access_logs; INSERT INTO audit_segments
                 SELECT 1, last_seq, prev_hash, hash, 'x', 1, 'x', 0, key_id, signature, '1970', '1970', '1970' FROM
                 audit_seals ORDER BY first_seq DESC LIMIT 1".to_owned(),
            "forget_audit_segments",
        ),
        // Entries must not leave the database before their time.
        ("UPDATE audit_seals SET sealed_at = '2020-01-01T00:00:00.000Z'".to_owned(), "archive_audit"),
        // Surplus rows, inside of other runs and before the first.
        (
            format!("INSERT INTO audit_seals (first_seq, last_seq, sealed_at, {copy}) SELECT 2, 3, sealed_at, {copy}
                     FROM audit_seals LIMIT 1"),
            "archive_audit",
        ),
        (
            format!("INSERT INTO audit_seals (first_seq, last_seq, sealed_at, {copy}) SELECT first_seq + 1, last_seq + 1,
                     sealed_at, {copy} FROM audit_seals ORDER BY first_seq LIMIT 1"),
            "archive_audit",
        ),
        (
            "INSERT INTO audit_segments SELECT 0, 0, prev_hash, hash, 'x', 1, 'x', legacy, key_id, signature, oldest_at,
             newest_at, created_at FROM audit_segments"
                .to_owned(),
            "forget_audit_segments",
        ),
        // Rows that are too long to read.
        ("UPDATE file_access_logs SET metadata = printf('%.2000000c', 'x') WHERE seq IS NOT NULL".to_owned(), "seal_audit"),
        // An erasure of a file does not erase addresses.
        (
            "UPDATE file_access_logs SET caller_digest = 'x', caller_salt = NULL, ip_address = NULL, user_agent = NULL
             WHERE seq = (SELECT max(seq) FROM file_access_logs)"
                .to_owned(),
            "seal_audit",
        ),
    ];
    for (change, sweep) in &changes {
        expect_broken(&app, change, &[sweep, "collect_garbage"]).await;
        assert_eq!(objects(), 1, "{change}");
    }
    assert!(app.objects.keys().iter().any(|key| key.starts_with("uploads/")));
}

const LOG_TABLES: [&str; 3] = ["file_access_logs", "audit_seals", "audit_chain"];
const ANCHOR: &str = "audit/anchor.json";

fn keep_log(app: &TestApp, name: &str) {
    for table in LOG_TABLES {
        app.database.execute(&format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}"));
    }
}

fn put_log_back(app: &TestApp, name: &str) {
    for table in LOG_TABLES {
        let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {name}_{table}");
        app.database.connection().execute_batch(&sql).unwrap();
    }
}

#[tokio::test]
async fn a_chain_that_was_put_back_or_removed_is_found_by_its_anchor() {
    let (app, ada, _) = with_entries().await;
    keep_log(&app, "old");
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    seal(&app).await;
    keep_log(&app, "new");
    let last = app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap();
    let old_last = app.database.value("SELECT last_seq FROM old_audit_chain").as_u64().unwrap();
    let unnumbered = "seq = NULL, prev_hash = NULL, hash = NULL";
    let changes = [
        // The whole chain is removed: every entry seems to wait for its seal.
        (
            format!(
                "DELETE FROM audit_chain; DELETE FROM audit_seals; UPDATE file_access_logs SET {unnumbered}"
            ),
            json!({"seq": 1, "id": null, "reason": "missing"}),
        ),
        // The whole log is removed.
        (
            LOG_TABLES.map(|table| format!("DELETE FROM {table}")).join(";"),
            json!({"seq": 1, "id": null, "reason": "missing"}),
        ),
        // An old end is put back, and the entries behind it are removed.
        (
            format!(
                "DELETE FROM audit_chain; INSERT INTO audit_chain SELECT * FROM old_audit_chain;
                 DELETE FROM audit_seals WHERE first_seq > {old_last};
                 DELETE FROM file_access_logs WHERE seq > {old_last}"
            ),
            json!({"seq": old_last + 1, "id": null, "reason": "missing"}),
        ),
    ];
    for (change, wanted) in changes {
        app.database.connection().execute_batch(&change).unwrap();
        for _ in 0..2 {
            // A later run must not hide the loss.
            assert_eq!(verify(&app).await["firstBroken"], wanted, "{change}");
            app.deliver().await;
            let report = app.run_sweep("seal_audit").await.unwrap();
            assert!(report.runs[0].error.is_some(), "{report:?}");
        }
        put_log_back(&app, "new");
        let result = verify(&app).await;
        assert_eq!(
            (&result["valid"], &result["lastSeq"]),
            (&json!(true), &json!(last)),
            "{change}: {result}"
        );
    }
    // An older copy of the database continues only after an operator has deleted the anchor.
    put_log_back(&app, "old");
    let anchor = app.objects.bytes(ANCHOR);
    app.objects.lose(ANCHOR);
    for _ in 0..2 {
        app.send(get("/api/usage").bearer(&ada)).await.expect(200);
        seal(&app).await;
    }
    assert_eq!(verify(&app).await["valid"], true);
    assert!(app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap() > last);
    // With the old anchor, the other entry at its place is found.
    app.objects.plant(ANCHOR, anchor);
    assert_eq!(verify(&app).await["firstBroken"]["seq"], last);
}

#[tokio::test]
async fn an_anchor_that_lags_behind_is_moved_by_the_next_seal_and_a_changed_anchor_is_found() {
    let (app, ada, _) = with_entries().await;
    let before = app.objects.bytes(ANCHOR);
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    app.faults.always(Fault::Failed, On::objects().prefix(ANCHOR).method("replace_bytes"));
    seal(&app).await;
    app.faults.clear();
    assert_eq!(app.objects.bytes(ANCHOR), before);
    assert_eq!(app.log.with("message", "the anchor of the audit log was not moved").len(), 1);
    assert_eq!(verify(&app).await["valid"], true);
    seal(&app).await;
    assert_ne!(app.objects.bytes(ANCHOR), before);
    // Without the anchor, nothing is sealed, because an older end of the chain may have been put back.
    let unsealed = "SELECT count(*) > 0 FROM file_access_logs WHERE seq IS NULL";
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    app.deliver().await;
    app.faults.always(Fault::Failed, On::objects().prefix(ANCHOR));
    app.run_sweep("seal_audit").await.unwrap();
    assert_eq!(app.database.value(unsealed), 1);
    app.faults.clear();
    app.objects.corrupt(ANCHOR);
    let unreadable = json!({"seq": null, "id": null, "reason": "unreadable"});
    assert_eq!(verify(&app).await["firstBroken"], unreadable);
    app.run_sweep("seal_audit").await.unwrap();
    assert_eq!(app.database.value(unsealed), 1);
    app.objects.lose(ANCHOR);
    seal(&app).await;
    assert_eq!((app.database.value(unsealed), &verify(&app).await["valid"]), (json!(0), &json!(true)));
}

#[tokio::test]
async fn entries_without_codes_are_never_sealed_behind_entries_with_codes() {
    let (app, ..) = with_entries().await;
    let hide = "CREATE TABLE hidden AS SELECT * FROM audit_seals; DELETE FROM audit_seals";
    app.database.connection().execute_batch(hide).unwrap();
    app.database.execute(
        "INSERT INTO file_access_logs (id, user_id, action, success, timestamp)
         VALUES ('018f0000-0000-7000-8000-00000000000a', 'ada', 'upload', 1, '2026-01-01T00:00:00.000Z')",
    );
    app.run_sweep("seal_audit").await.unwrap();
    app.database.execute("INSERT INTO audit_seals SELECT * FROM hidden");
    let result = verify(&app).await;
    assert_eq!(result["firstBroken"]["reason"], "inserted", "{result}");
}

#[tokio::test]
async fn an_empty_rest_of_a_chain_verifies() {
    let (app, ..) = with_entries().await;
    app.database.execute("DELETE FROM file_access_logs WHERE seq IS NULL");
    app.advance(TimeDelta::days(92));
    app.run_sweep("archive_audit").await.unwrap();
    app.advance(TimeDelta::days(700));
    app.run_sweep("forget_audit_segments").await.unwrap();
    let chain = app.database.value("SELECT first_seq - last_seq FROM audit_chain");
    assert_eq!((chain, app.database.row_counts()["file_access_logs"]), (json!(1), 0));
    assert_eq!(verify(&app).await["valid"], true);
}

#[tokio::test]
async fn a_value_that_no_code_reads_is_a_changed_entry_and_not_an_error() {
    let (app, ..) = with_entries().await;
    app.database.execute(
        "UPDATE file_access_logs SET duration_ms = 9223372036854775807, bytes_transferred = -1 WHERE seq = 2",
    );
    assert_eq!(verify(&app).await["firstBroken"]["seq"], 2);
    app.database.execute("UPDATE audit_chain SET last_seq = 9223372036854775807");
    assert_eq!(verify(&app).await["valid"], false);
}

#[tokio::test]
async fn an_entry_without_a_right_code_is_never_sealed() {
    let (app, ..) = with_entries().await;
    app.database.execute(
        "INSERT INTO file_access_logs (id, user_id, action, success, timestamp)
         VALUES ('018f0000-0000-7000-8000-00000000000a', 'ada', 'upload', 1, '2026-01-01T00:00:00.000Z')",
    );
    let before = app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap();
    let report = app.run_sweep("seal_audit").await.unwrap();
    assert_eq!(report.runs[0].failed, 1);
    app.send(get("/api/files").bearer(&app.token_of("ada"))).await.expect(200);
    seal(&app).await;
    // The entries behind the wrong one are sealed: those of the two requests and of the verification.
    assert!(app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap() > before);
    let result = verify(&app).await;
    assert_eq!(
        result["firstBroken"],
        json!({"seq": null, "id": "018f0000-0000-7000-8000-00000000000a", "reason": "inserted"})
    );
}

#[tokio::test]
async fn entries_from_before_the_chain_are_sealed_first() {
    let app = TestApp::new();
    for n in 0..3 {
        app.database.execute(&format!(
            "INSERT INTO file_access_logs (id, user_id, action, success, timestamp, ip_address)
             VALUES ('018f0000-0000-7000-8000-00000000000{n}', 'ada', 'upload', 1, '2026-01-01T00:00:00.000Z', 'x')"
        ));
    }
    app.send(get("/api/files").bearer(&app.user("ada"))).await.expect(200);
    seal(&app).await;
    let result = verify(&app).await;
    assert_eq!((&result["valid"], &result["lastSeq"]), (&json!(true), &json!(4)), "{result}");
    app.database.execute("UPDATE file_access_logs SET action = 'delete' WHERE seq = 2");
    assert_eq!(verify(&app).await["firstBroken"]["seq"], 2);
}

#[tokio::test]
async fn two_runs_at_the_same_time_seal_each_entry_once() {
    let (app, ada, _) = with_entries().await;
    for _ in 0..20 {
        app.send(get("/api/files").bearer(&ada)).await.expect(200);
    }
    app.deliver().await;
    let runs = (0..4).map(|_| app.app.seal_entries("", 1000));
    futures_util::future::join_all(runs).await.into_iter().for_each(|run| drop(run.unwrap()));
    let unsealed = "SELECT count(*) FROM file_access_logs WHERE seq IS NULL";
    assert_eq!(app.database.value(unsealed), 0);
    assert_eq!(verify(&app).await["valid"], true);
}

#[tokio::test]
async fn old_entries_leave_as_segments_that_still_verify_and_have_no_personal_data() {
    let (app, ada, file) = with_entries().await;
    app.advance(TimeDelta::days(92));
    app.send(get(&format!("/api/files/{file}")).bearer(&ada)).await.expect(200);
    seal(&app).await;
    let before = verify(&app).await;
    let last = app.database.value("SELECT last_seq FROM audit_chain").as_u64().unwrap();
    app.run_sweep("archive_audit").await.unwrap();
    let segments = app.database.rows("SELECT * FROM audit_segments");
    assert_eq!(segments.len(), 1);
    let moved = segments[0]["last_seq"].as_u64().unwrap();
    assert!(moved < last);
    assert_eq!(app.database.value("SELECT min(seq) FROM file_access_logs"), moved + 1);
    let after = verify(&app).await;
    assert_eq!((&after["valid"], &after["lastSeq"]), (&json!(true), &before["lastSeq"]), "{after}");
    app.assert_consistent();
    // The segment is one ordinary gzip file, without addresses.
    let key = segments[0]["r2_key"].as_str().unwrap();
    let bytes = app.objects.object(key).unwrap().bytes.clone();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert_eq!(text.lines().count() as u64, moved + 1);
    assert!(
        text.contains("\"download\"") && !text.contains("192.0.2.1") && !text.contains("browser"),
        "{text}"
    );
    // Changed bytes are found.
    app.objects.corrupt(key);
    let broken = verify(&app).await;
    assert_eq!(broken["firstBroken"], json!({"seq": 1, "id": null, "reason": "unreadable"}));
}

#[tokio::test]
async fn forgotten_segments_leave_a_chain_that_verifies_and_cannot_be_shortened_further() {
    let (app, ada, _) = with_entries().await;
    app.advance(TimeDelta::days(92));
    app.run_sweep("archive_audit").await.unwrap();
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    seal(&app).await;
    app.advance(TimeDelta::days(700));
    app.run_sweep("forget_audit_segments").await.unwrap();
    assert_eq!(app.database.value("SELECT count(*) FROM audit_segments"), 0);
    app.assert_consistent();
    app.run_sweep("collect_garbage").await.unwrap();
    assert!(app.objects.keys().iter().all(|key| !key.ends_with(".ndjson.gz")));
    assert_eq!(verify(&app).await["valid"], true);
    app.database.execute("UPDATE audit_chain SET first_seq = first_seq + 1");
    assert_eq!(verify(&app).await["valid"], false);
}

#[tokio::test]
async fn erased_texts_leave_the_chain_valid_and_texts_cannot_be_erased_early() {
    let (app, ada, file) = with_entries().await;
    let sql =
        "UPDATE file_access_logs SET ip_address = NULL, user_agent = NULL, caller_salt = NULL WHERE seq = 2";
    app.database.execute("CREATE TABLE kept AS SELECT * FROM file_access_logs");
    app.database.execute(sql);
    assert_eq!(verify(&app).await["firstBroken"]["reason"], "changed");
    app.database.execute("DELETE FROM file_access_logs");
    app.database.execute("INSERT INTO file_access_logs SELECT * FROM kept");
    app.send(delete(&format!("/api/files/{file}?permanent=true")).bearer(&ada)).await.expect(200);
    app.run_sweep("erase_files").await.unwrap();
    seal(&app).await;
    assert_eq!(verify(&app).await["valid"], true);
    app.advance(TimeDelta::days(91));
    app.run_sweep("erase_callers").await.unwrap();
    assert_eq!(
        app.database.value("SELECT count(*) FROM file_access_logs WHERE ip_address IS NOT NULL AND seq < 20"),
        0
    );
    assert_eq!(verify(&app).await["valid"], true);
}

#[tokio::test]
async fn a_new_key_verifies_what_the_previous_key_signed() {
    const OLD: &str = "the first secret that signs the audit log";
    const NEW: &str = "the second secret that signs the audit log";
    let app = TestApp::with(&[("SIGNING_SECRET", OLD)]);
    app.send(get("/api/files").bearer(&app.user("ada"))).await.expect(200);
    seal(&app).await;
    let app = app.reconfigured(&[("SIGNING_SECRET", NEW), ("SIGNING_PREVIOUS_SECRET", OLD)]);
    app.send(get("/api/files").bearer(&app.token_of("ada"))).await.expect(200);
    seal(&app).await;
    assert_eq!(verify(&app).await["valid"], true);
    let app = app.reconfigured(&[("SIGNING_SECRET", NEW)]);
    assert_eq!(verify(&app).await["valid"], false);
}

#[tokio::test]
async fn the_owner_sees_the_history_of_a_file_without_the_addresses_of_others() {
    let (app, ada, file) = with_entries().await;
    let path = format!("/api/files/{file}/history");
    let share = json!({"kind": "account", "username": "eve", "may": "read"});
    let eve = app.user("eve");
    app.send(post_json(&format!("/api/files/{file}/share"), &share).bearer(&ada)).await.expect(201);
    let read = get(&format!("/api/files/{file}")).header("cf-connecting-ip", "203.0.113.9").bearer(&eve);
    app.send(read).await.expect(200);
    app.deliver().await;
    let history = app.send(get(&path).bearer(&ada)).await.expect(200).json();
    let listed = history["entries"].as_array().unwrap();
    assert!(listed.iter().any(|entry| entry["action"] == "share" && entry["principal"] == "user:ada"));
    let by_others: Vec<_> = listed.iter().filter(|entry| entry["principal"] != "user:ada").collect();
    assert!(by_others.iter().any(|entry| entry["action"] == "download"), "{history}");
    assert!(by_others.iter().all(|entry| entry["ipAddress"].is_null()));
    assert!(!history.to_string().contains("203.0.113.9"));
    app.send(get(&path).bearer(&eve)).await.expect(403);
    let first = app.send(get(&format!("{path}?limit=2")).bearer(&ada)).await.expect(200).json();
    let cursor = first["nextCursor"].as_str().unwrap();
    let next =
        app.send(get(&format!("{path}?limit=1000&cursor={cursor}")).bearer(&ada)).await.expect(200).json();
    assert_eq!(next["hasMore"], false);
    app.send(get(&format!("{path}?cursor=x")).bearer(&ada)).await.expect_problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_user_sees_the_own_sign_ins_and_failed_attempts() {
    let app = TestApp::new();
    let body = json!({"username": "eve", "password": PASSWORD});
    let session = app.send(post_json("/api/auth/register", &body)).await.expect(201).json();
    let access = session["tokens"]["access_token"].as_str().unwrap();
    let login = |password: &str| {
        let body = json!({"username": "eve", "password": password});
        app.send(post_json("/api/auth/login", &body).header("cf-connecting-ip", "192.0.2.7"))
    };
    login("a wrong password").await.expect(401);
    login(PASSWORD).await.expect(200);
    let unknown = json!({"username": "nobody", "password": PASSWORD});
    app.send(post_json("/api/auth/login", &unknown)).await.expect(401);
    app.deliver().await;
    let listed = app.send(get("/api/auth/sign-ins").bearer(access)).await.expect(200).json();
    let shown: Vec<_> = listed["sign_ins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].clone(), entry["success"].clone()))
        .collect();
    let wanted = [("login", true), ("login", false), ("register", true)];
    assert_eq!(shown, wanted.map(|(action, success)| (json!(action), json!(success))));
    assert_eq!(listed["sign_ins"][1]["ip_address"], "192.0.2.7");
}

#[tokio::test]
async fn an_operator_filters_pages_and_exports() {
    let (app, ..) = with_entries().await;
    let all = entries(&app, "?limit=1000").await;
    let first = app.send(get("/api/admin/audit?limit=5").bearer(OPERATOR_TOKEN)).await.expect(200).json();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = entries(&app, &format!("?limit=1000&cursor={cursor}")).await;
    assert_eq!([first["entries"].as_array().unwrap().clone(), rest].concat(), all);
    for (query, wanted) in [
        ("?user=ada&action=list", 3),
        ("?user=eve", 0),
        ("?success=false&action=refuse", 3),
        ("?address=192.0.2.1&action=view", 3),
        ("?from=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(entries(&app, query).await.len(), wanted, "{query}");
    }
    for bad in [
        "action=x",
        "success=2",
        "from=today",
        "user=%20",
        "file=x",
        "format=xml",
        "format=csv&limit=3",
        "limit=0",
    ] {
        app.send(get(&format!("/api/admin/audit?{bad}")).bearer(OPERATOR_TOKEN))
            .await
            .expect_problem(400, "bad_request");
    }
    let ndjson = app.send(get("/api/admin/audit?format=ndjson").bearer(OPERATOR_TOKEN)).await.expect(200);
    let lines: Vec<Value> = ndjson.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all);
    let csv = app.send(get("/api/admin/audit?format=csv").bearer(OPERATOR_TOKEN)).await.expect(200);
    let mut reader = csv::Reader::from_reader(csv.text().as_bytes());
    let ids: Vec<_> = reader.records().map(|record| json!(record.unwrap()[1])).collect();
    assert_eq!(ids, all.iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_texts_of_entries_contain_no_nul_and_the_sweeps_seal_whatever_has_arrived() {
    let app = TestApp::new();
    let ada = app.user("ada");
    app.send(upload("list.csv", "a\n1\n").bearer(&ada)).await.expect(201);
    app.deliver().await;
    app.send(post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)).await.expect(200);
    assert_eq!(app.database.value("SELECT count(*) FROM file_access_logs WHERE seq IS NULL"), 0);
}
