//! Queues a job for each file without a profile. Costs 1 D1 call per run and 1 message per file.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Queues a job for each file without a profile.
pub struct QueueUnlearnedFiles;

#[async_trait]
impl Sweep for QueueUnlearnedFiles {
    fn name(&self) -> &'static str {
        "learn_files"
    }

    fn max_items(&self) -> u64 {
        100
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        step.changed = app.queue_unprofiled_files(step.now, step.half()).await?;
        step.examined = step.changed;
        Ok(())
    }
}
