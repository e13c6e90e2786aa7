//! Refresh tokens that have expired: their signature alone refuses them. Costs 1 D1 call.

use super::Outcome;
use crate::app::App;
use crate::error::Result;

pub(super) async fn run(app: &App, outcome: &mut Outcome) -> Result<()> {
    outcome.examined = app.accounts().forget_expired_tokens().await? as u64;
    outcome.changed = outcome.examined;
    Ok(())
}
