//! The reservation of an attempt: bytes of the quota that are held until the commit. One statement checks the quota and
//! reserves the bytes.

use super::Attempt;
use crate::error::{Code, Problem, Result};
use crate::sql;

impl Attempt {
    /// Raises the reservation to at least `total_bytes`. The caller calls this function before it stores more bytes, so
    /// a stream of unknown length cannot exceed the quota.
    ///
    /// If the quota has room, the reservation at least doubles, so that a long stream needs only a few calls. Otherwise
    /// the reservation grows to exactly `total_bytes`.
    ///
    /// # Errors
    /// `quota_exceeded`; `unavailable` if the database cannot be reached or the attempt was abandoned.
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
            waiting_percent: self.app.config.waiting_quota_percent.into(),
            now: self.app.now(),
            attempt,
        };
        let grow = sql::files::GrowPending { attempt, total_bytes };
        let mut rows = self.app.database.batch(vec![reserve.statement(), grow.statement()]).await?;
        if rows.pop().unwrap_or_default().is_empty() {
            return Err(Problem::unavailable("the attempt was abandoned while its bytes were being stored"));
        }
        self.reserved_bytes = to_bytes;
        Ok(())
    }
}
