//! The real migrations, applied to native SQLite.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use chrono::NaiveDateTime;
use rusqlite::Connection;
use rusqlite::backup::Backup;

/// Returns the name and the text of each migration, in the order in which they are applied.
pub fn migrations() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Returns an empty in-memory database with all migrations applied and foreign keys enforced, as on the platform.
///
/// The migrations run once. Each database is a copy of the result, because a copy needs a tenth of the time that the
/// migrations need.
pub fn migrated() -> Connection {
    // A failed migration is kept as an `Err`, so that every test reports the name of the migration. A panic would
    // report the name only in the first test.
    static MIGRATED: LazyLock<Result<Mutex<Connection>, String>> = LazyLock::new(|| {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        for (name, sql) in migrations() {
            connection.execute_batch(&sql).map_err(|error| format!("migrations/{name}: {error}"))?;
        }
        Ok(Mutex::new(connection))
    });
    let mut copy = Connection::open_in_memory().unwrap();
    let original = MIGRATED.as_ref().unwrap_or_else(|error| panic!("{error}")).lock().unwrap();
    Backup::new(&original, &mut copy).unwrap().run_to_completion(1000, Duration::ZERO, None).unwrap();
    copy.pragma_update(None, "foreign_keys", true).unwrap();
    copy
}

/// Returns the names of all tables.
pub fn tables(connection: &Connection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// Returns the columns of a table: name and declared type.
pub fn columns(connection: &Connection, table: &str) -> Vec<(String, String)> {
    let mut statement = connection.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    columns.map(Result::unwrap).collect()
}

/// Whether a column of this name holds a time. The name of a time column ends with `_at`. If it does not, add the name
/// to the list in this function.
pub fn is_time(column: &str) -> bool {
    column.ends_with("_at")
        || ["timestamp", "last_accessed", "not_before", "purge_after", "lease_until"].contains(&column)
}

/// Whether a text has the one format in which times are stored.
pub fn is_timestamp(text: &str) -> bool {
    text.len() == 24 && NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3fZ").is_ok()
}

/// Lists the stored times for which [`is_timestamp`] returns `false`. Each item of the list is `table.column: value`.
pub fn malformed_timestamps(connection: &Connection) -> Vec<String> {
    let mut odd = Vec::new();
    for table in tables(connection) {
        for (column, _) in columns(connection, &table).into_iter().filter(|(name, _)| is_time(name)) {
            let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
            let mut statement = connection.prepare_cached(&sql).unwrap();
            let values = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            let others = values.map(Result::unwrap).filter(|value| !is_timestamp(value));
            odd.extend(others.map(|value| format!("{table}.{column}: {value}")));
        }
    }
    odd
}
