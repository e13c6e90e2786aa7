//! Seals the entries of the audit log that have arrived. A run seals up to 20,000 entries; the cursor is the id of the
//! last entry that was examined, if there are more. For each 1,000 entries, it costs 3 D1 calls, 1 R2
//! get and 1 R2 put.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::audit::seal::ENTRIES_PER_SEAL;
use crate::error::Result;

/// Maximum number of seals of one run.
const SEALS_PER_RUN: u32 = 20;

/// Seals the entries of the audit log.
pub struct SealAudit;

#[async_trait]
impl Sweep for SealAudit {
    fn name(&self) -> &'static str {
        "seal_audit"
    }

    fn max_items(&self) -> u64 {
        ENTRIES_PER_SEAL * u64::from(SEALS_PER_RUN)
    }

    fn cost(&self) -> Cost {
        Cost { base: 5 * SEALS_PER_RUN, each: 0 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let mut after = step.cursor.take().unwrap_or_default();
        for _ in 0..SEALS_PER_RUN {
            let page = app.seal_entries(&after, ENTRIES_PER_SEAL).await?;
            step.examined += page.examined;
            step.changed += page.sealed;
            if page.refused > 0 {
                step.failed += page.refused;
                step.details.insert("withoutRightCode".to_owned(), page.refused.into());
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
        step.cursor = Some(after);
        Ok(())
    }
}
