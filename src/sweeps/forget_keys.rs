//! Idempotency keys past their time: their answers are no longer promised. Costs 1 D1 call, 10 at most.

use super::Outcome;
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    outcome.changed = app.forget_expired_keys(now).await?;
    outcome.examined = outcome.changed;
    Ok(())
}
