//! Prepares every SQL statement of the crate against the real migrations and checks that no statement scans a growing
//! table.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/schema.rs"]
#[allow(dead_code, unreachable_pub)]
mod schema;

use std::collections::BTreeSet;

use rusqlite::Connection;
use schema::{columns, is_time, is_timestamp, malformed_timestamps, migrated, migrations, tables};
use sha2::{Digest, Sha256};

/// Statements that may scan a table, each with the reason why the scan is harmless.
const MAY_SCAN: &[(&str, &str)] = &[];

/// The SHA-256 of each migration. Databases have applied the released migrations, so a released migration is never
/// edited. To correct a mistake in a released migration, add a new migration.
const CHECKSUMS: &[(&str, &str)] = &[
    ("0001_users.sql", "ab8b4de98fa41cacc1ba9b89fb3c85d470cb93397d79a8a6ccbeb10bea5de134"),
    ("0002_file_relatives.sql", "17c2b46c1d67a5824a1c3afab2732cf1213aa817f6d263282c2f73f52366cac6"),
    ("0003_migration_ledger.sql", "40fc5e8159323b5b0cd880f16897ec9e5a41877f7257223b5c398d7d95bd3bdd"),
    ("0004_coordination.sql", "f8c8e20353210e176e5e8860cd9eae98298330b5781674e823d713c33a34ec4d"),
    ("0005_r2_storage_tables.sql", "743cf017735ee8d505251648d1fa6d4cbdb7265cd601f8bf7b41d7cbb1e0d626"),
    ("0006_sweeps.sql", "91651d305eb77e94d7bd9c90061bc2e63fdb3d5954d1091c2c54edc10de0e414"),
    ("0007_idempotency_leases.sql", "5af19ef2fc517219b95f3d844728d1d52b2e2f990de0aaf2fc9db652f6dc9396"),
    ("0008_multipart_parts.sql", "51a1281f59f7f4b9507b4e2d5de9e2953ad033956df6982ef11e3102bdd37a8b"),
    ("0009_profiles.sql", "61561cdc1b139f34d966e513a3587d43bc145f8bcc68a11fa912b8cc42f59730"),
    ("0010_declared_encodings.sql", "17fd96f334e729bcee088349ee5b411dd76510ab7398f141386267033fb9ae4d"),
    ("0011_django_hashes.sql", "e778cfce07a3506092c1c77f20933966dfffb7a3720f3a40e23ed0aef55541d9"),
    ("0012_recipes.sql", "e9e0c886b8f2c17f8a8e1425c4c17a168574f9bd22a36d303a7627c71257e5a1"),
    ("0013_erasure.sql", "cd40ed914d241321db8fa4a21e3d1c607a41b096cce326b0dac721c3256cf0ea"),
    ("0014_usage.sql", "9127793d02dfd66e765d7058f2f04e8bf81e6d2dfc6ed729f5d5df9216ffaaf4"),
    ("0015_spools.sql", "15bc998e712ff66688960c9129a130d31b0ac60f41ab876a51f5779d864621cb"),
    ("0016_dialects.sql", "25b2607a76cc98bed7876c63887ec6b8dcbb365fd4f91673d512859185f08379"),
    ("0017_labels_in_gc_queue.sql", "3d63d6a495f198dc906cf1b40d741cedfa32a32deeba8ab24046341c82c861ba"),
    ("0018_saved_recipes.sql", "53539df8ca01856aa827aac1a4f887676e2f6ac602f1776fe0721fc12a94938d"),
    ("0019_sessions.sql", "e798e8f6c732263782db7a4a1be47e0d300e7c861df55f0859424c90dfaa9e69"),
    ("0020_shares.sql", "68204c75cbfbacfba8aebf8d57627c8db42de911f733ec33aa677e7cb68e2f1c"),
    ("0021_api_keys.sql", "0dfc627f2a19f070c3c5d2eb73eb65f1e7e780c9e0e7501f2b5bb662ced7d453"),
    ("0022_accounts.sql", "888355d6c8d47c05abc82952cbc36a8a2549c414edeb7024b398aaf1289475ef"),
    ("0023_scans.sql", "d4a3626e2ed019010b37ca90537a4e95d70358969d589c8c8c7deb5564f5d013"),
    ("0024_uploads_of_shares.sql", "7b731924c6346902d211737dead06e1172b24f275fd168eeeea14da558cc867c"),
    ("0025_audit.sql", "34e7955a56d4007df7d216b06256717390b8bcd978f33020aa03a0c2ce4db739"),
    ("0026_usage_months.sql", "b1426d30af6e41ae0cd32c22004e887f40d6bc94ef835deab5830c8bc4bf940d"),
    ("0027_switches.sql", "60d9442f7f560655a3f56b0e42acaf7f7677b86fa6859309d295bee48bc4f4b9"),
    ("0028_metrics.sql", "36791dc8ad7a62da677192bcee93db319adc7fc32bd8fdefedcf3a5c32c4724d"),
];

/// Maximum number of parameters of a statement in D1.
const MAX_PARAMS: usize = 100;
/// Maximum length of a statement in D1, in bytes.
const MAX_SQL_BYTES: usize = 100_000;

/// Returns the lines of a statement's query plan.
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

/// Returns the tables, or their aliases, that a plan scans, directly or through an index.
///
/// Constant rows, table-valued functions and intermediate results (subqueries, common table expressions, views) do not
/// count. The plan has separate lines for the tables that an intermediate result reads.
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

/// Returns each column that references another table and is not the first column of any index. When a row of the
/// referenced table is deleted, SQLite looks for rows that reference the deleted row. Without an index that starts with
/// the column, SQLite scans the whole table of the column.
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
fn migrations_apply_to_an_empty_database_and_are_numbered_without_gaps() {
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
fn no_released_migration_was_edited() {
    let found = migrations().into_iter().map(|(name, sql)| (name, hex::encode(Sha256::digest(sql))));
    let found: Vec<(String, String)> = found.collect();
    let known: Vec<(String, String)> =
        CHECKSUMS.iter().map(|(name, sum)| ((*name).to_owned(), (*sum).to_owned())).collect();
    for (name, sum) in &found {
        assert!(
            known.contains(&(name.clone(), sum.clone())),
            "migrations/{name}: for a new migration, add (\"{name}\", \"{sum}\") to CHECKSUMS; \
             a released migration must not change"
        );
    }
    assert_eq!(found.len(), known.len(), "a released migration is missing");
}

/// Returns the columns that a migration adds to an existing table and that need a value (NOT NULL without a default).
/// After this migration, older code that still runs cannot insert rows into the table.
fn columns_that_break_running_code(migrations: &[(String, String)]) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    let mut found = Vec::new();
    for (name, sql) in migrations {
        let before: Vec<(String, Vec<(String, String)>)> = tables(&connection)
            .into_iter()
            .map(|table| (table.clone(), columns(&connection, &table)))
            .collect();
        connection.execute_batch(sql).unwrap();
        for (table, old) in before {
            let sql = "SELECT name FROM pragma_table_info(?1) WHERE \"notnull\" AND dflt_value IS NULL";
            let mut needed = connection.prepare(sql).unwrap();
            let needed =
                needed.query_map([&table], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
            let new = needed.filter(|column| old.iter().all(|(old, _)| old != column));
            found.extend(new.map(|column| format!("{name}: {table}.{column}")));
        }
    }
    found
}

#[test]
fn a_new_column_of_an_old_table_has_a_default_or_may_be_null() {
    let found = columns_that_break_running_code(&migrations());
    assert!(found.is_empty(), "code that runs during a rollout cannot insert rows any more: {found:?}");
    let mut planted = migrations();
    planted.push(("planted.sql".to_owned(), "ALTER TABLE sweep_runs ADD COLUMN x TEXT NOT NULL;".to_owned()));
    assert_eq!(columns_that_break_running_code(&planted), ["planted.sql: sweep_runs.x"]);
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
    let found = unindexed_references(&migrated());
    assert!(found.is_empty(), "these foreign keys need an index: {found:?}");
}

#[test]
fn a_foreign_key_without_an_index_is_found() {
    let connection = Connection::open_in_memory().unwrap();
    let sql = "CREATE TABLE a (id TEXT PRIMARY KEY); CREATE TABLE b (a_id TEXT REFERENCES a (id));";
    connection.execute_batch(sql).unwrap();
    assert_eq!(unindexed_references(&connection), ["b.a_id"]);
}

#[test]
fn every_statement_compiles_and_is_within_the_limits_of_d1() {
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

/// Returns the number of terms in the longest compound SELECT of a text. The text may have several statements.
fn most_compound_terms(sql: &str) -> usize {
    let words = |statement: &str| {
        let joins = ["UNION", "EXCEPT", "INTERSECT"];
        1 + statement.split_whitespace().filter(|word| joins.contains(word)).count()
    };
    sql.split(';').map(words).max().unwrap_or(0)
}

#[test]
fn no_compound_select_has_more_terms_than_d1_allows() {
    const MAX_TERMS: usize = 5;
    assert_eq!(most_compound_terms("SELECT 1; SELECT 1 UNION SELECT 2 EXCEPT SELECT 3; SELECT 1"), 3);
    for (name, sql) in migrations() {
        assert!(most_compound_terms(&sql) <= MAX_TERMS, "migrations/{name}");
    }
    for (name, sql) in cutty::sql::all() {
        assert!(most_compound_terms(sql) <= MAX_TERMS, "{name}");
    }
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
        ("WITH old AS MATERIALIZED (SELECT id FROM cuts WHERE checksum = ?1) SELECT * FROM old", "cuts"),
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
fn the_compatibility_view_has_the_old_column_names_and_lists_only_kept_files() {
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

/// Statements of a user's files, receipts and recipes that find nothing for a principal: they only store what a principal
/// made of a file that it had found.
const FIND_NOTHING: [&str; 6] =
    ["Insert", "InsertForAccount", "InsertPending", "MakeRoom", "MarkSaved", "Start"];

/// Returns the name and the fields of each statement in the source of a module of statements.
fn declared(source: &str) -> Vec<(&str, &str)> {
    let starts = source.match_indices("<'a> {").map(|(at, _)| at);
    let declared = starts.filter_map(|at| {
        let name = source[..at].rsplit(char::is_whitespace).next()?;
        let fields = source[at..].split('}').next()?;
        name.starts_with(char::is_uppercase).then_some((name, fields))
    });
    declared.collect()
}

#[test]
fn every_statement_that_finds_a_file_for_a_user_has_the_tag_of_the_principal() {
    let sources = [
        include_str!("../src/sql/files.rs"),
        include_str!("../src/sql/cuts.rs"),
        include_str!("../src/sql/recipes.rs"),
        include_str!("../src/sql/shares.rs"),
    ];
    let mut restricted = 0;
    for (name, fields) in sources.into_iter().flat_map(declared) {
        if fields.contains("user: &'a UserId") && !FIND_NOTHING.contains(&name) {
            assert!(fields.contains("tag: Option<&'a str>"), "{name} has an owner and no tag");
            restricted += 1;
        }
    }
    assert!(restricted >= 21, "{restricted}");
}
