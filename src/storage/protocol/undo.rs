//! An attempt that is given up: what step 1 wrote goes away again.

use super::Attempt;
use crate::domain::log::LogLine;
use crate::ports::{DatabaseError, Row, Statement};
use crate::sql;

/// What is left in the object store when an attempt is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing: the store refused the bytes.
    Nothing,
    /// An object or parts of one, perhaps.
    Perhaps,
}

impl Attempt {
    /// Undoes step 1. What cannot be undone now, the sweep will undo.
    pub async fn abandon(&self, leftover: Leftover) {
        if let Err(error) = self.try_abandon(leftover, Vec::new()).await {
            self.app.write_log(
                LogLine::warn("an attempt is left to the sweep")
                    .with_text("attempt", self.attempt)
                    .caused_by(error),
            );
        }
    }

    /// Undoes step 1, for who can come back to it; `also` takes effect with it, or not at all. Returns what `also`
    /// answers, and more behind it.
    ///
    /// # Errors
    /// It may have been done or not; doing it again does no harm.
    pub async fn try_abandon(
        &self,
        leftover: Leftover,
        also: Vec<Statement>,
    ) -> std::result::Result<Vec<Vec<Row>>, DatabaseError> {
        let now = self.app.now();
        let attempt = self.attempt.to_string();
        let key = self.key.to_string();
        let collect = match leftover {
            Leftover::Nothing => Statement::new(sql::gc::DROP_UNLESS_KEPT).bind(key).bind(attempt.as_str()),
            Leftover::Perhaps => Statement::new(sql::gc::HASTEN).bind(key).bind(now),
        };
        let mut statements = vec![
            Statement::new(sql::quotas::RELEASE_PENDING)
                .bind(self.actor.user.as_str())
                .bind(attempt.as_str())
                .bind(now),
            Statement::new(sql::files::DELETE_PENDING).bind(attempt.as_str()),
            // The sweep may have come first.
            Statement::new(sql::files::DELETE_DEAD_ATTEMPT).bind(attempt.as_str()),
            collect,
            // What `also` says of it, if anything, comes first.
            Statement::new(sql::uploads::END).bind(attempt.as_str()).bind("aborted").bind(now),
        ];
        statements.splice(0..0, also);
        statements.extend(self.begun.as_ref().and_then(|begun| self.actor.take_back(begun)));
        self.app.database.batch(statements).await
    }
}
