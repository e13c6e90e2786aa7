//! Refresh tokens that have expired: their signature alone refuses them. Costs 1 D1 call.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Refresh tokens that have expired are forgotten.
pub struct ForgetTokens;

#[async_trait]
impl Sweep for ForgetTokens {
    fn name(&self) -> &'static str {
        "forget_tokens"
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        step.examined = app.accounts().forget_expired_tokens().await? as u64;
        step.changed = step.examined;
        Ok(())
    }
}
