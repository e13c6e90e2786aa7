//! Deletes expired refresh tokens. The service needs no row to refuse an expired token, because the token itself
//! contains its expiry. Costs 1 D1 call per run.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Deletes expired refresh tokens.
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
