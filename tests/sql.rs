//! Prepares every SQL statement of the crate against the real migrations and checks that no statement scans a growing
//! table.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/schema.rs"]
#[allow(dead_code, unreachable_pub)]
mod schema;

use std::collections::BTreeSet;

use rusqlite::Connection;
use schema::{columns, is_time, is_timestamp, malformed_timestamps, migrated, migrations, tables};

/// Statements that may scan a table, each with the reason why that is harmless.
const MAY_SCAN: &[(&str, &str)] = &[];

/// The limits of the platform.
const MAX_PARAMS: usize = 100;
const MAX_SQL_BYTES: usize = 100_000;

/// The lines of a statement's query plan.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    for index in 1..=explain.parameter_count() {
        explain.raw_bind_parameter(index, rusqlite::types::Null).unwrap();
    }
    let mut rows = explain.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>("detail").unwrap());
    }
    lines
}

/// The tables, or their aliases, that a plan scans, directly or through an index.
///
/// Constant rows, table-valued functions and intermediate results (subqueries, common table expressions, views) do not
/// count. The plan has separate lines for the tables they read.
fn scanned(plan: &[String]) -> Vec<String> {
    let first_word = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let made: BTreeSet<String> = plan
        .iter()
        .filter_map(|line| line.strip_prefix("MATERIALIZE ").or_else(|| line.strip_prefix("CO-ROUTINE ")))
        .map(first_word)
        .collect();
    plan.iter()
        .filter(|line| !line.contains(" VIRTUAL TABLE ") && !line.ends_with(" VALUES CLAUSE"))
        .filter_map(|line| line.strip_prefix("SCAN "))
        .filter(|rest| !rest.starts_with("CONSTANT ROW") && !rest.starts_with('('))
        .map(first_word)
        .filter(|name| !made.contains(name))
        .collect()
}

fn scans(connection: &Connection, sql: &str) -> Vec<String> {
    scanned(&plan(connection, sql))
}

/// The child columns of foreign keys without an index that starts with them. Without one, deleting a parent would scan
/// the child table.
fn unindexed_references(connection: &Connection) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables(connection) {
        let sql = "SELECT \"from\" FROM pragma_foreign_key_list(?1) WHERE seq = 0";
        let mut keys = connection.prepare(sql).unwrap();
        let keys: Vec<String> =
            keys.query_map([&table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for column in keys {
            if !scans(connection, &format!("SELECT 1 FROM {table} WHERE {column} = ?1")).is_empty() {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}

#[test]
fn migrations_apply_from_nothing_and_are_numbered_without_gaps() {
    let names: Vec<String> = migrations().into_iter().map(|(name, _)| name).collect();
    for (number, name) in (1..).zip(&names) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name} must have number {number}");
    }
    let connection = migrated();
    assert!(tables(&connection).contains(&"files".to_owned()));
    let violations: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(violations, 0);
}

#[test]
fn every_table_checks_the_types_of_its_columns() {
    let connection = migrated();
    let mut statement =
        connection.prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict");
    let loose = statement.as_mut().unwrap().query_map([], |row| row.get::<_, String>(0)).unwrap();
    let loose: Vec<String> = loose.map(Result::unwrap).filter(|name| !name.starts_with("sqlite_")).collect();
    assert!(loose.is_empty(), "these tables are not STRICT: {loose:?}");
}

#[test]
fn every_foreign_key_is_indexed() {
    assert_eq!(unindexed_references(&migrated()), [""; 0]);
}

#[test]
fn a_foreign_key_without_an_index_is_found() {
    let connection = Connection::open_in_memory().unwrap();
    let sql = "CREATE TABLE a (id TEXT PRIMARY KEY); CREATE TABLE b (a_id TEXT REFERENCES a (id));";
    connection.execute_batch(sql).unwrap();
    assert_eq!(unindexed_references(&connection), ["b.a_id"]);
}

#[test]
fn every_statement_compiles_within_the_limits() {
    let connection = migrated();
    let mut names = BTreeSet::new();
    for (name, sql) in cutty::sql::all() {
        let statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
        let count = statement.parameter_count();
        assert!(
            count <= MAX_PARAMS && sql.len() <= MAX_SQL_BYTES,
            "{name} has too many parameters or is too long"
        );
        for index in 1..=count {
            let wanted = format!("?{index}");
            assert_eq!(statement.parameter_name(index), Some(wanted.as_str()), "parameter {index} of {name}");
        }
        assert!(names.insert((name, sql)), "{name} is listed twice");
    }
    assert!(!names.is_empty());
}

#[test]
fn no_statement_scans_a_table() {
    let connection = migrated();
    let allowed: BTreeSet<&str> = MAY_SCAN.iter().map(|(name, _)| *name).collect();
    let mut scanning = BTreeSet::new();
    for (name, sql) in cutty::sql::all() {
        let tables = scans(&connection, sql);
        if !tables.is_empty() {
            let complaint = format!("{name} scans {tables:?}: {:#?}", plan(&connection, sql));
            assert!(allowed.contains(name), "{complaint}");
            scanning.insert(name);
        }
    }
    for (name, reason) in MAY_SCAN {
        assert!(
            scanning.contains(name),
            "{name} no longer scans a table; remove it from MAY_SCAN ({reason})"
        );
    }
}

#[test]
fn a_statement_that_scans_a_table_is_found() {
    let connection = migrated();
    for (sql, wanted) in [
        ("SELECT id FROM files WHERE filename = ?1", "files"),
        ("SELECT f.id FROM files AS f ORDER BY f.access_count", "f"),
        ("SELECT count(*) FROM file_access_logs", "file_access_logs"),
        ("UPDATE multipart_uploads SET status = 'expired' WHERE file_id = ?1", "multipart_uploads"),
        ("DELETE FROM gc_queue WHERE file_id = ?1", "gc_queue"),
        ("WITH old AS MATERIALIZED (SELECT id FROM cuts WHERE file_id = ?1) SELECT * FROM old", "cuts"),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM refresh_tokens WHERE issued_at < ?1)", "refresh_tokens"),
        ("SELECT file_name FROM saved_files WHERE file_name = ?1", "files"),
        ("INSERT INTO outbox (id, payload, created_at) SELECT id, kind, created_at FROM jobs", "jobs"),
    ] {
        assert_eq!(scans(&connection, sql), [wanted], "{sql}: {:?}", plan(&connection, sql));
    }
}

#[test]
fn a_statement_that_uses_an_index_is_accepted() {
    let connection = migrated();
    for sql in [
        "SELECT 1",
        "SELECT id FROM files WHERE user_id = ?1 AND lifecycle_status = ?2 ORDER BY created_at DESC, id DESC LIMIT 50",
        "SELECT value FROM json_each(?1)",
        "WITH due AS MATERIALIZED (SELECT r2_key FROM gc_queue WHERE not_before < ?1 LIMIT 9) SELECT * FROM due",
        "SELECT * FROM (VALUES (1), (2))",
        "SELECT * FROM saved_files WHERE file_id = ?1",
    ] {
        assert!(scans(&connection, sql).is_empty(), "{sql}: {:?}", plan(&connection, sql));
    }
}

#[test]
fn times_are_text_in_one_format() {
    let connection = migrated();
    for table in tables(&connection) {
        for (column, kind) in columns(&connection, &table).into_iter().filter(|(name, _)| is_time(name)) {
            assert_eq!(kind, "TEXT", "{table}.{column}");
        }
    }
    assert!(is_timestamp("2026-01-02T03:04:05.678Z"));
    for text in
        ["2026-01-02 03:04:05", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+00:00", "1767323045", ""]
    {
        assert!(!is_timestamp(text), "{text}");
    }
}

#[test]
fn a_time_in_another_format_is_found() {
    let connection = migrated();
    let sql =
        "INSERT INTO quotas (user_id, updated_at) VALUES ('1', '2026-01-02T03:04:05.678Z'), ('2', 'today')";
    connection.execute_batch(sql).unwrap();
    assert_eq!(malformed_timestamps(&connection), ["quotas.updated_at: today"]);
}

#[test]
fn the_compatibility_view_has_the_old_column_names_and_only_kept_files() {
    let connection = migrated();
    for (id, status) in [("f", "active"), ("p", "pending"), ("d", "dead")] {
        let sql =
            "INSERT INTO files (id, user_id, filename, r2_key, mime_type, file_size, checksum, created_at,
                updated_at, lifecycle_status, metadata, attempt)
            VALUES (?1, '42', 'a.csv', 'key-' || ?1, 'text/csv', 7, 'abc', '2026-01-02T03:04:05.678Z',
                '2026-01-02T03:04:05.678Z', ?2, '{\"k\":1}', 'attempt-' || ?1)";
        connection.execute(sql, [id, status]).unwrap();
    }
    let tags = "INSERT INTO file_tags (file_id, kind, tag) VALUES ('f', 'user', 'b'), ('f', 'user', 'a'),
        ('f', 'system', 'uploaded')";
    connection.execute_batch(tags).unwrap();
    let sql = "SELECT json_object('file_id', file_id, 'user_id', user_id, 'file_name', file_name, 'file_size', file_size,
            'content_type', content_type, 'checksum', checksum, 'uploaded_at', uploaded_at, 'last_accessed', last_accessed,
            'access_count', access_count, 'system_tags', json(system_tags), 'user_tags', json(user_tags),
            'custom_metadata', json(custom_metadata), 'storage_class', storage_class,
            'lifecycle_status', lifecycle_status, 'expires_at', expires_at)
        FROM saved_files";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows: Vec<serde_json::Value> =
        rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect();
    let wanted = serde_json::json!([{
        "file_id": "f", "user_id": "42", "file_name": "a.csv", "file_size": 7, "content_type": "text/csv",
        "checksum": "abc", "uploaded_at": "2026-01-02T03:04:05.678Z", "last_accessed": null, "access_count": 0,
        "system_tags": ["uploaded"], "user_tags": ["a", "b"], "custom_metadata": {"k": 1},
        "storage_class": "Standard", "lifecycle_status": "active", "expires_at": null,
    }]);
    assert_eq!(serde_json::Value::from(rows), wanted);
}
