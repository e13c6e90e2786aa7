//! Deletes buckets of the metrics whose retention is over. Costs 1 D1 call per run.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;
use crate::metrics::rollup::MetricStep;
use crate::sql::metrics::{ForgetBuckets, MetricTable};

/// Deletes old buckets.
pub struct ForgetMetrics;

#[async_trait]
impl Sweep for ForgetMetrics {
    fn name(&self) -> &'static str {
        "forget_metrics"
    }

    fn max_items(&self) -> u64 {
        12_000
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let limit = (step.limit / (MetricStep::ALL.len() * MetricTable::ALL.len()) as u64).max(1);
        let forget = |table, of: MetricStep| {
            ForgetBuckets { table, step: of.name(), before: step.now.plus(-of.retention()), limit }
                .statement()
        };
        let tables = MetricTable::ALL.iter();
        let statements = tables.flat_map(|table| MetricStep::ALL.map(|of| forget(*table, of))).collect();
        let deleted: usize = app.database.batch(statements).await?.iter().map(Vec::len).sum();
        step.examined += deleted as u64;
        step.changed += deleted as u64;
        Ok(())
    }
}
