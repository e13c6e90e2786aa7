//! Abandons an attempt: undoes the intent (step 1 of the [storage protocol](super)).

use super::{Attempt, Leftover};
use crate::domain::log::LogLine;
use crate::ports::{DatabaseError, Row, Statement};
use crate::sql;

impl Attempt {
    /// Undoes step 1. If this fails, the sweep undoes step 1 later.
    pub async fn abandon(&self, leftover: Leftover) {
        if let Err(error) = self.try_abandon(leftover, Vec::new()).await {
            self.app.write_log(
                LogLine::warn("an attempt was not undone; the sweep will undo it")
                    .with_text("attempt", self.attempt)
                    .caused_by(error),
            );
        }
    }

    /// Undoes step 1 for a caller that can repeat this call. The same batch runs the statements in `extra`. Returns the
    /// rows of every statement. The rows of `extra` come first.
    ///
    /// # Errors
    /// [`DatabaseError`]: the batch may have taken effect or not. The caller may repeat the call.
    pub async fn try_abandon(
        &self,
        leftover: Leftover,
        extra: Vec<Statement>,
    ) -> std::result::Result<Vec<Vec<Row>>, DatabaseError> {
        let now = self.app.now();
        let (attempt, user, key) = (self.attempt, &self.owner, &self.key);
        let collect = match leftover {
            Leftover::Nothing => sql::gc::DropKeyUnlessPending { key, attempt }.statement(),
            Leftover::Perhaps => sql::gc::MakeDueNow { key, now }.statement(),
        };
        let mut statements = vec![
            sql::quotas::ReleasePending { user, attempt, now }.statement(),
            sql::files::DeletePending { attempt }.statement(),
            // The sweep may already have changed the row from pending to dead.
            sql::files::DeleteDeadAttempt { attempt }.statement(),
            collect,
            // A statement in `extra` may already have ended the upload with another status.
            sql::uploads::End { upload: attempt, status: "aborted", now }.statement(),
        ];
        statements.splice(0..0, extra);
        statements.extend(
            self.start_effect.as_ref().and_then(|start_effect| self.actor.release_undone(start_effect)),
        );
        self.app.database.batch(statements).await
    }
}
