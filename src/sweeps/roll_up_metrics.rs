//! Adds sealed entries of the audit log to the sums of the metrics, and notes what is stored. A run adds up to 10,000
//! entries. Costs 1 D1 call per run, and 3 for each 500 entries.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Maximum number of entries that one batch adds.
const ENTRIES_PER_PAGE: u64 = 500;

/// Maximum number of pages of one run.
const PAGES_PER_RUN: u32 = 20;

/// Adds entries to the sums.
pub struct RollUpMetrics;

#[async_trait]
impl Sweep for RollUpMetrics {
    fn name(&self) -> &'static str {
        "roll_up_metrics"
    }

    fn max_items(&self) -> u64 {
        ENTRIES_PER_PAGE * u64::from(PAGES_PER_RUN)
    }

    fn cost(&self) -> Cost {
        Cost { base: 1 + 3 * PAGES_PER_RUN, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        app.metrics().note_stored().await?;
        for _ in 0..PAGES_PER_RUN {
            let page = app.metrics().add_entries(ENTRIES_PER_PAGE).await?;
            step.examined += page.examined;
            step.changed += page.added;
            step.failed += page.unreadable;
            if page.examined < ENTRIES_PER_PAGE {
                break;
            }
        }
        Ok(())
    }
}
