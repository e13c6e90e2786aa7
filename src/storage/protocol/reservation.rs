//! The quota an attempt holds until it is settled: one statement checks and reserves.

use super::Attempt;
use crate::error::{Code, Problem, Result};
use crate::sql;

impl Attempt {
    /// Raises the reservation to at least `total_bytes`; how a stream of unknown length stays within the quota.
    ///
    /// It doubles while the quota has room, so that a long stream asks a handful of times, and asks for just what is
    /// needed when it has not.
    ///
    /// # Errors
    /// `quota_exceeded`.
    pub async fn reserve(&mut self, total_bytes: u64) -> Result<()> {
        if total_bytes <= self.reserved_bytes {
            return Ok(());
        }
        let generous = total_bytes.max(2 * self.reserved_bytes);
        match self.grow_reservation(generous).await {
            Err(problem) if problem.code() == Code::QuotaExceeded && generous > total_bytes => {
                self.grow_reservation(total_bytes).await
            }
            outcome => outcome,
        }
    }

    async fn grow_reservation(&mut self, to_bytes: u64) -> Result<()> {
        let (attempt, total_bytes) = (self.attempt, to_bytes);
        let reserve = sql::quotas::ReserveMore {
            user: &self.owner,
            total_bytes,
            default_quota_bytes: self.app.config.default_quota_bytes,
            now: self.app.now(),
            attempt,
        };
        let grow = sql::files::GrowPending { attempt, total_bytes };
        let mut rows = self.app.database.batch(vec![reserve.statement(), grow.statement()]).await?;
        if rows.pop().unwrap_or_default().is_empty() {
            return Err(Problem::unavailable("the attempt was given up while its bytes came in"));
        }
        self.reserved_bytes = to_bytes;
        Ok(())
    }
}
