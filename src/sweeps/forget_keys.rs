//! Deletes expired idempotency keys. Requests with these keys can no longer be replayed. Costs 1 to 10 D1 calls per
//! run.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Deletes expired idempotency keys.
pub struct ForgetKeys;

#[async_trait]
impl Sweep for ForgetKeys {
    fn name(&self) -> &'static str {
        "forget_keys"
    }

    fn cost(&self) -> Cost {
        Cost { base: 10, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let now = step.now;
        step.changed = app.forget_expired_keys(now).await?;
        step.examined = step.changed;
        Ok(())
    }
}
