//! The database on D1.

use async_trait::async_trait;
use wasm_bindgen::JsValue;
use worker::send::SendFuture;
use worker::{D1Database, D1Result};

use crate::ports::{Database, DatabaseError, Param, Row, Statement};

/// A D1 database.
pub struct D1 {
    database: D1Database,
}

impl D1 {
    /// Wraps a binding.
    pub fn new(database: D1Database) -> Self {
        Self { database }
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let prepared: Vec<_> = statements
            .iter()
            .map(|statement| {
                let params: Vec<JsValue> = statement.params.iter().map(js_value).collect();
                self.database.prepare(statement.sql.as_ref()).bind(&params).map_err(failed)
            })
            .collect::<Result<_, _>>()?;
        let results = self.database.batch(prepared).await.map_err(failed)?;
        results.iter().map(rows).collect()
    }
}

#[async_trait]
impl Database for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseError> {
        SendFuture::new(self.run(statements)).await
    }
}

/// Converts a parameter. The integer type of the crate `worker` has only 32 bits. So integers become JavaScript
/// numbers, which are exact up to 2^53.
fn js_value(param: &Param) -> JsValue {
    match param {
        Param::Null => JsValue::NULL,
        Param::Integer(value) => JsValue::from_f64(*value as f64),
        Param::Text(text) => JsValue::from_str(text),
    }
}

fn rows(result: &D1Result) -> Result<Vec<Row>, DatabaseError> {
    if let Some(message) = result.error() {
        return Err(DatabaseError::from_message(&message));
    }
    result.results::<Row>().map_err(failed)
}

fn failed(error: worker::Error) -> DatabaseError {
    DatabaseError::from_message(&error.to_string())
}
