//! Files that nobody has learned from are read for their profile by a job each. Costs 1 D1 call, and a file 1 message.

use super::{Outcome, PER_RUN};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    outcome.changed = app.remind_of_unlearned(now, PER_RUN).await?;
    outcome.examined = outcome.changed;
    Ok(())
}
