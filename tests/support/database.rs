//! An in-memory SQLite database with the real migrations. As in D1, a batch is one transaction. The database panics at
//! a statement that exceeds a limit of D1.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cutty::ports::{Database, DatabaseError, Param, Row, Statement};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};
use serde_json::Value;

use super::faults::{Call, Faults, Port};
use super::schema;

/// D1's limit on the bound parameters of a statement.
const MAX_PARAMS: usize = 100;
/// D1's limit on the text of a statement, in bytes.
const MAX_SQL_BYTES: usize = 100_000;
/// D1's limit on a row, in bytes. This database checks the limit for each bound value.
const MAX_VALUE_BYTES: usize = 2_000_000;
/// A JavaScript number holds every integer up to this limit exactly.
const MAX_EXACT_INTEGER: i64 = 1 << 53;

/// Number of prepared statements that the cache keeps. SQLite needs more time to prepare a statement than to execute
/// it.
const STATEMENTS_KEPT: usize = 256;

pub struct MemoryDatabase {
    connection: Mutex<Connection>,
    faults: Faults,
}

impl MemoryDatabase {
    pub fn new(faults: Faults) -> Arc<Self> {
        let connection = schema::migrated();
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Arc::new(Self { connection: Mutex::new(connection), faults })
    }

    /// Returns the connection itself, for tests that bypass the service. Its statements are not counted, and no fault
    /// applies to them.
    pub fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap()
    }

    /// Runs statements that bypass the service.
    pub fn execute(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs a query that bypasses the service.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        let statement = Statement { sql: sql.to_owned().into(), params: Vec::new() };
        run(&self.connection(), &statement).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Returns the first value of the first row of a query's result; null if the result has no row.
    pub fn value(&self, sql: &str) -> Value {
        self.rows(sql)
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .map_or(Value::Null, |(_, value)| value)
    }

    /// Returns the number of rows in each table, for tests that assert which rows were written.
    pub fn row_counts(&self) -> BTreeMap<String, u64> {
        let tables = schema::tables(&self.connection());
        let count =
            |table: &String| self.value(&format!("SELECT count(*) AS n FROM {table}")).as_u64().unwrap();
        tables.into_iter().map(|table| (table.clone(), count(&table))).collect()
    }

    fn transaction(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(|error| d1_error(&error))?;
        let results: Result<Vec<_>, _> =
            statements.iter().map(|statement| run(&transaction, statement)).collect();
        let results = results.map_err(|error| d1_error(&error))?;
        transaction.commit().map_err(|error| d1_error(&error))?;
        Ok(results)
    }
}

#[async_trait]
impl Database for MemoryDatabase {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseError> {
        assert!(!statements.is_empty(), "the batch is empty, and D1 refuses an empty batch");
        let subject =
            statements.iter().map(|statement| statement.sql.as_ref()).collect::<Vec<_>>().join("\n");
        let call = Call { port: Port::Database, method: "batch", subject, statements: statements.len() };
        self.faults.call(call, DatabaseError::Unknown, async { self.transaction(&statements) }).await
    }
}

/// Converts an SQLite error into the message that D1 gives for this error. Then parses this message as the service
/// parses the messages of D1.
fn d1_error(error: &rusqlite::Error) -> DatabaseError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => "SQLITE_CONSTRAINT",
        _ => "SQLITE_ERROR",
    };
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    DatabaseError::from_message(&format!("D1_ERROR: {message}: {kind}"))
}

fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Row>> {
    check_limits(statement);
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let params = statement.params.iter().map(bound);
    let mut rows = prepared.query(params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Row::new();
        for (index, name) in names.iter().enumerate() {
            let previous = values.insert(name.clone(), read(row.get_ref(index)?));
            assert!(
                previous.is_none(),
                "the query selects two columns named {name}, and D1 returns only one of them: {}",
                statement.sql
            );
        }
        found.push(values);
    }
    Ok(found)
}

fn check_limits(statement: &Statement) {
    let sql = &statement.sql;
    assert!(
        statement.params.len() <= MAX_PARAMS,
        "{} bound parameters, more than D1 allows: {sql}",
        statement.params.len()
    );
    assert!(sql.len() <= MAX_SQL_BYTES, "the statement has {} bytes, more than D1 allows", sql.len());
    for param in &statement.params {
        match param {
            Param::Text(text) => assert!(
                text.len() <= MAX_VALUE_BYTES,
                "a bound value has {} bytes, more than D1 allows: {sql}",
                text.len()
            ),
            Param::Integer(value) => assert!(
                value.abs() <= MAX_EXACT_INTEGER,
                "a JavaScript number cannot hold {value} exactly: {sql}"
            ),
            Param::Null => {}
        }
    }
}

fn bound(param: &Param) -> Box<dyn ToSql> {
    match param {
        Param::Null => Box::new(rusqlite::types::Null),
        Param::Integer(value) => Box::new(*value),
        Param::Text(text) => Box::new(text.clone()),
    }
}

fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).unwrap().into(),
        ValueRef::Blob(_) => panic!("a stored value is a blob, but no column holds blobs"),
    }
}
