//! Step 3: the file becomes visible, once, whatever is heard of it.

use encoding_rs::Encoding;
use serde_json::Value;

use super::{Attempt, Leftover, Origin};
use crate::audit::entry::{Action, Operation};
use crate::error::{Code, Problem, Result};
use crate::ports::{DatabaseError, ObjectFacts, Statement, Stored};
use crate::sql;
use crate::storage::file::FileRow;

/// How often a commit with an unknown outcome is tried.
const COMMIT_TRIES: usize = 3;

impl Attempt {
    /// Step 3. Returns the file as it now is.
    ///
    /// # Errors
    /// `unavailable`: the file is not visible, or it cannot be known whether it is.
    pub async fn commit(self, stored: &Stored) -> Result<FileRow> {
        let failure = match self.settle(&stored.facts, Some(stored.sha256)).await {
            Ok(Some(row)) => return Ok(row),
            Ok(None) => Problem::unavailable("the attempt was given up before its commit"),
            Err(problem) => problem,
        };
        self.abandon(Leftover::Perhaps).await;
        Err(failure)
    }

    /// Step 3 for who can come back to it: nothing is given up when it fails. `None` when the attempt has lost its
    /// pending row for good; without a hash the file is not yet verified.
    ///
    /// # Errors
    /// It cannot be known whether the file is visible: to be done again.
    pub async fn settle(&self, facts: &ObjectFacts, sha256: Option<[u8; 32]>) -> Result<Option<FileRow>> {
        let operation = Operation::success(&self.app, &self.actor.user, Action::Upload, &self.actor.caller)
            .on(self.file)
            .moving(facts.size)
            .since(self.started);
        let mut failure = Problem::unavailable("no try was made");
        for _ in 0..COMMIT_TRIES {
            let outcome = self.app.database.batch(self.settlement(facts, sha256, &operation)).await;
            match self.resolve(outcome).await {
                Ok(Some(row)) => {
                    self.app.metrics().log(&operation);
                    return Ok(Some(row));
                }
                Ok(None) => return Ok(None),
                Err(problem) => failure = problem,
            }
            if failure.code() == Code::InProgress {
                break;
            }
        }
        Err(failure)
    }

    /// The committed row; `None` when the attempt has lost its pending row for good; an error when a repeat makes sense.
    async fn resolve(
        &self,
        outcome: std::result::Result<Vec<Vec<crate::ports::Row>>, DatabaseError>,
    ) -> Result<Option<FileRow>> {
        let failure = match outcome {
            Ok(mut rows) => {
                let row = rows.pop().and_then(|mut rows| rows.pop());
                return row.map(FileRow::read).transpose();
            }
            Err(error) => error,
        };
        let statement = Statement::new(sql::files::STATUS_OF_ATTEMPT).bind(self.attempt.to_string());
        let rows = self.app.database.query(statement).await?;
        let status = rows.first().and_then(|row| row.get("lifecycle_status")).and_then(Value::as_str);
        match status {
            Some("pending") => Err(failure.into()),
            Some("active" | "archived" | "deleted") => {
                let statement = self.get_statement();
                let row = self.app.database.query(statement).await?.pop();
                row.map(FileRow::read).transpose()
            }
            _ => Ok(None),
        }
    }

    fn settlement(
        &self,
        facts: &ObjectFacts,
        sha256: Option<[u8; 32]>,
        operation: &Operation,
    ) -> Vec<Statement> {
        let now = self.app.now();
        let attempt = self.attempt.to_string();
        let file = self.file.to_string();
        let system_tag = match self.new.origin {
            Origin::Upload => "uploaded",
            Origin::Cut { .. } => "cut",
        };
        let tags = |kind: &str, tags: Value| {
            Statement::new(sql::files::INSERT_TAGS).bind(file.as_str()).bind(kind).bind(tags.to_string())
        };
        let mut statements = vec![
            Statement::new(sql::files::INSERT_COMMIT_MARKER)
                .bind(attempt.as_str())
                .bind(file.as_str())
                .bind(now),
            Statement::new(sql::quotas::SETTLE)
                .bind(self.actor.user.as_str())
                .bind(attempt.as_str())
                .bind(facts.size)
                .bind(now),
            Statement::new(sql::files::ACTIVATE)
                .bind(attempt.as_str())
                .bind(facts.size)
                .bind(sha256.map(hex::encode))
                .bind(facts.etag.as_str())
                .bind(now)
                .bind(self.new.description.expires_at)
                .bind(Value::Object(self.new.description.metadata.clone()).to_string())
                .bind(self.new.content_type)
                .bind(self.summary.row_count)
                .bind(self.summary.column_count)
                .bind(self.summary.columns.clone())
                .bind(self.summary.dialect.clone())
                .bind(self.summary.profile_bytes)
                .bind(self.new.encoding.map(Encoding::name)),
        ];
        statements.extend(self.actor.record(&self.effect));
        statements.extend([
            tags("system", Value::from(vec![system_tag])),
            tags("user", Value::from(self.new.description.tags.clone())),
            Statement::new(sql::gc::DROP).bind(self.key.to_string()),
            operation.statement(),
        ]);
        statements.extend(self.also.iter().cloned());
        statements.push(self.get_statement());
        statements
    }

    fn get_statement(&self) -> Statement {
        Statement::new(sql::files::GET).bind(self.file.to_string()).bind(self.actor.user.as_str())
    }
}
