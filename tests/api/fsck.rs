//! The self-check finds the same violations as `tests/support/fsck.rs`. It names a repair for each violation. Each
//! request checks one page, and the number of calls for a page is limited.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use cutty::sql::checks::Table;
use serde_json::{Value, json};

use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{delete, post_json, upload};
use crate::support::{Fault, On, TestApp, parts, schema};

const CSV: &str = "a,b\n1,2\n3,4\n";

/// Returns all pages of a self-check.
async fn pages(app: &TestApp, deep: bool) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let body = json!({"deep": deep, "cursor": cursor});
        let page =
            app.send(post_json("/api/admin/fsck", &body).bearer(OPERATOR_TOKEN)).await.expect(200).json();
        cursor = page["cursor"].clone();
        let complete = page["complete"] == true;
        assert_eq!(complete, cursor.is_null());
        pages.push(page);
        if complete {
            return pages;
        }
        assert!(pages.len() < 200, "the self-check does not end: {:?}", pages.last());
    }
}

async fn violations(app: &TestApp, deep: bool) -> Vec<Value> {
    pages(app, deep).await.iter().flat_map(|page| page["violations"].as_array().unwrap().clone()).collect()
}

/// Returns the codes of the violations that the self-check finds, without repetition.
async fn codes(app: &TestApp, deep: bool) -> BTreeSet<String> {
    violations(app, deep).await.iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}

/// Returns an application with files in every state, their objects, and an open attempt.
async fn populated() -> TestApp {
    let app = TestApp::new();
    let token = app.user("ada");
    for query in [None, Some(""), Some("?permanent=true")] {
        let file = app.upload(&token, "a.csv", CSV).await;
        if let Some(query) = query {
            let path = format!("/api/files/{}{query}", file["id"].as_str().unwrap());
            app.send(delete(&path).bearer(&token)).await.expect(200);
        }
    }
    let path = format!("/api/files/{}", app.upload(&token, "b.csv", CSV).await["id"].as_str().unwrap());
    app.send(post_json(&format!("{path}/save"), &json!({})).bearer(&token)).await.expect(201);
    app.faults.inject(Fault::CrashAfter, On::objects().method("put_stream"), 1);
    app.faults.until_crash(app.send(upload("lost.csv", CSV).bearer(&token))).await;
    app.faults.clear();
    app.sweep(app.now()).await.unwrap();
    app.assert_consistent();
    app
}

#[tokio::test]
async fn the_self_check_accepts_the_stored_parts_of_an_open_upload() {
    let app = TestApp::new();
    let token = app.user("ada");
    let open = app.send(parts::create(8).bearer(&token)).await.expect(201).json();
    let path = format!("/api/files/multipart/{}", open["uploadId"].as_str().unwrap());
    app.send(parts::part(&path, 1, b"a,b\n1,2\n").bearer(&token)).await.expect(200);
    assert_eq!(violations(&app, true).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_consistent_state_has_no_violation() {
    for app in [TestApp::new(), populated().await] {
        for deep in [false, true] {
            assert_eq!(violations(&app, deep).await, Vec::<Value>::new());
        }
    }
}

#[tokio::test]
async fn the_self_check_finds_each_violation_and_names_a_repair() {
    const ACTIVE: &str = "SELECT r2_key FROM files WHERE lifecycle_status = 'active' ORDER BY id LIMIT 1";
    type Damage = fn(&TestApp, &str);
    let damages: [(&str, Damage); 19] = [
        ("missing_object", |app, key| app.objects.lose(key)),
        ("truncated_object", |app, key| app.objects.truncate(key, 3)),
        ("changed_object", |app, key| app.objects.corrupt(key)),
        ("replaced_object", |app, key| drop(app.objects.plant(key, "x".repeat(CSV.len())))),
        ("unreadable_object", |app, key| app.objects.break_reads(key, 3)),
        ("incomplete_row", |app, _| app.database.execute("UPDATE files SET etag = NULL")),
        ("damaged_file", |app, _| app.database.execute("UPDATE files SET damaged_at = created_at")),
        ("unreferenced_object", |app, _| drop(app.objects.plant("uploads/b", "x"))),
        ("unreferenced_object", |app, _| {
            app.database.execute("UPDATE files SET lifecycle_status = 'purged'")
        }),
        ("condemned_file", |app, _| {
            app.database.execute(
                "INSERT INTO gc_queue (r2_key, attempt, user_id, reason, not_before, created_at)
                 SELECT r2_key, attempt, user_id, 'deleted', created_at, created_at FROM files
                 WHERE lifecycle_status = 'active'",
            );
        }),
        ("unnamed_attempt", |app, _| app.database.execute("DELETE FROM gc_queue")),
        ("missing_quota", |app, _| app.database.execute("DELETE FROM quotas")),
        ("wrong_used_bytes", |app, _| app.database.execute("UPDATE quotas SET used_bytes = 5")),
        ("wrong_reserved_bytes", |app, _| app.database.execute("UPDATE quotas SET reserved_bytes = 5")),
        ("wrong_usage", |app, _| app.database.execute("UPDATE usage SET waiting_bytes = 5")),
        ("upload_without_file", |app, _| {
            app.database.execute(
                "INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, part_size, status, created_at,
                     expires_at)
                 SELECT 'u', 'gone', user_id, r2_key, filename, 5, 'open', created_at, created_at FROM files LIMIT 1",
            );
        }),
        ("odd_time", |app, _| app.database.execute("UPDATE cuts SET created_at = '2026-01-01 00:00:00'")),
        ("orphan_row", |app, _| app.database.execute("UPDATE commit_markers SET file_id = 'gone'")),
        ("orphan_row", |app, _| {
            app.database.execute(
                "INSERT INTO recipes (sha256, user_id, file_id, recipe, recipe_bytes, used_at)
                 SELECT 's', user_id, id, '{}', 2, created_at FROM files LIMIT 1",
            );
        }),
    ];
    for (wanted, damage) in damages {
        let app = populated().await;
        let key = app.database.value(ACTIVE).as_str().unwrap().to_owned();
        damage(&app, &key);
        let found = violations(&app, true).await;
        let violation = found.iter().find(|found| found["code"] == wanted);
        let violation = violation.unwrap_or_else(|| panic!("{wanted}: {found:?}"));
        for member in ["subject", "detail", "whatToDo"] {
            assert!(violation[member].as_str().is_some_and(|text| !text.is_empty()), "{wanted}: {violation}");
        }
        let found_without_reading = codes(&app, false).await;
        let needs_reading = ["changed_object", "unreadable_object"].contains(&wanted);
        assert_eq!(
            found_without_reading.contains(wanted),
            !needs_reading,
            "{wanted}: {found_without_reading:?}"
        );
    }
}

#[tokio::test]
async fn the_repairs_that_the_self_check_names_remove_the_violations() {
    let app = populated().await;
    app.database.execute(
        "DELETE FROM gc_queue;
         INSERT INTO gc_queue (r2_key, attempt, user_id, reason, not_before, created_at)
         SELECT r2_key, attempt, user_id, 'deleted', created_at, created_at FROM files WHERE lifecycle_status = 'active';
         INSERT INTO multipart_uploads (upload_id, file_id, user_id, r2_key, filename, part_size, status, created_at,
             expires_at)
         SELECT 'it''s', 'gone', user_id, r2_key, filename, 5, 'open', created_at, created_at FROM files LIMIT 1",
    );
    let found = violations(&app, true).await;
    let in_rows = |found: &&Value| found["code"] != "unreferenced_object";
    let found: Vec<_> = found.iter().filter(in_rows).collect();
    assert!(found.len() >= 4, "{found:?}");
    for violation in found {
        let repair = violation["whatToDo"].as_str().unwrap();
        app.database.execute(repair.strip_prefix("Before the next sweep, run: ").unwrap_or(repair));
    }
    assert_eq!(violations(&app, true).await, Vec::<Value>::new());
    app.assert_consistent();
}

#[tokio::test]
async fn the_self_check_accepts_backups_imports_and_the_sidecars_of_kept_and_waiting_files() {
    let app = populated().await;
    let attempt = |status: &str| {
        let sql = format!("SELECT attempt FROM files WHERE lifecycle_status = '{status}'");
        app.database.value(&sql).as_str().unwrap().to_owned()
    };
    let sidecar = |attempt: &str| {
        format!("uploads/user-ada/metadata/018f0000-0000-7000-8000-000000000001-{attempt}.profile")
    };
    for key in [
        sidecar(&attempt("active")),
        sidecar(&attempt("dead")),
        "backups/a".to_owned(),
        "imports/b".to_owned(),
    ] {
        app.objects.plant(&key, "x");
    }
    assert_eq!(violations(&app, true).await, Vec::<Value>::new());
    app.objects.plant(&sidecar("018f0000-0000-7000-8000-000000000009"), "x");
    assert_eq!(codes(&app, true).await, BTreeSet::from(["unreferenced_object".to_owned()]));
}

#[tokio::test]
async fn a_large_state_is_checked_completely_in_bounded_pages() {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..210 {
        app.upload(&token, "a.csv", CSV).await;
    }
    for key in app.objects.keys().iter().step_by(10) {
        app.objects.corrupt(key);
    }
    for index in 0..600 {
        app.objects.plant(&format!("uploads/stray-{index:04}"), "x");
    }
    app.faults.forget_calls();
    let (mut checked, mut found, mut max_calls) = (0, 0, 0);
    let mut cursor = Value::Null;
    loop {
        app.faults.forget_calls();
        let body = json!({"deep": true, "cursor": cursor});
        let page =
            app.send(post_json("/api/admin/fsck", &body).bearer(OPERATOR_TOKEN)).await.expect(200).json();
        max_calls = max_calls.max(app.faults.calls().len());
        checked += page["checked"].as_u64().unwrap();
        found += page["violations"].as_array().unwrap().len();
        cursor = page["cursor"].clone();
        if page["complete"] == true {
            break;
        }
    }
    // 21 files have changed bytes, and 600 objects belong to no file.
    assert_eq!(found, 21 + 600);
    assert!(checked >= 210 + 810, "{checked}");
    assert!(max_calls < 1_000, "{max_calls} calls for one page");
}

#[tokio::test]
async fn an_invalid_cursor_is_refused_and_the_self_check_is_unavailable_if_the_store_fails() {
    let app = populated().await;
    let check =
        |cursor: Value| post_json("/api/admin/fsck", &json!({"cursor": cursor})).bearer(OPERATOR_TOKEN);
    app.send(check(json!("x"))).await.expect_problem(400, "bad_cursor");
    app.send(check(json!(1))).await.expect_problem(400, "bad_request");
    app.faults.always(Fault::Failed, On::objects());
    app.send(check(Value::Null)).await.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn an_object_that_is_deleted_after_it_was_listed_is_no_violation() {
    let app = populated().await;
    app.advance(TimeDelta::hours(25));
    app.objects.plant("uploads/gone", "x");
    // After the list, the self-check calls `head` for the object to confirm the violation. This call fails, so the
    // self-check responds with a problem.
    app.faults.inject(Fault::Failed, On::objects().method("head").prefix("uploads/gone"), 1);
    let body = json!({"deep": true});
    let response = app.send(post_json("/api/admin/fsck", &body).bearer(OPERATOR_TOKEN)).await;
    response.expect_problem(503, "unavailable");
    app.objects.lose("uploads/gone");
    assert_eq!(violations(&app, false).await, Vec::<Value>::new());
}

/// If a migration adds a column with times, this test fails until the self-check covers the column.
#[test]
fn the_self_check_covers_every_time_column() {
    let connection = schema::migrated();
    for table in schema::tables(&connection) {
        let times: Vec<String> = schema::columns(&connection, &table)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| schema::is_time(name))
            .collect();
        let checked = Table::ALL.iter().find(|checked| checked.name() == table);
        for time in times {
            let checked = checked.unwrap_or_else(|| panic!("src/sql/checks.rs does not check {table}"));
            assert!(
                checked.sql().contains(&format!("THEN '{time}'")),
                "src/sql/checks.rs does not check {table}.{time}"
            );
        }
    }
}

#[test]
fn a_time_in_the_stored_format_is_never_reported() {
    let connection = schema::migrated();
    let now = "INSERT INTO outbox (id, payload, created_at) VALUES (?1, '', ?2)";
    for ms in 0..1000 {
        let time = format!("2026-12-31T23:59:{:02}.{ms:03}Z", ms % 60);
        connection.execute(now, (format!("{ms:04}"), time)).unwrap();
    }
    let mut statement = connection.prepare(Table::Outbox.sql()).unwrap();
    let read = |row: &rusqlite::Row| Ok((row.get::<_, Option<String>>("odd")?, row.get::<_, i64>("total")?));
    let rows: Vec<_> = statement.query_map(("", "", 5000), read).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, [(None, 1000)]);
    connection.execute(now, ("x", "2026-12-31T23:59:59Z")).unwrap();
    let rows: Vec<_> = statement.query_map(("", "", 5000), read).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, [(Some("created_at".to_owned()), 1001)]);
}
