//! Moves old entries of the audit log into segments in R2, and deletes segments whose retention is over.

use async_trait::async_trait;

use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::error::Result;

/// Maximum number of segments of one run: about 20,000 entries, so 66 entries per second.
const SEGMENTS_PER_RUN: u64 = 5;

/// Moves old entries into segments. An item is a segment.
pub struct ArchiveAudit;

#[async_trait]
impl Sweep for ArchiveAudit {
    fn name(&self) -> &'static str {
        "archive_audit"
    }

    fn max_items(&self) -> u64 {
        SEGMENTS_PER_RUN
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 10 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        for _ in 0..step.limit {
            let moved = app.archive_entries(step.now).await?;
            step.examined += moved;
            step.changed += moved;
            if moved == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Deletes segments whose retention is over. An item is a segment.
pub struct ForgetSegments;

#[async_trait]
impl Sweep for ForgetSegments {
    fn name(&self) -> &'static str {
        "forget_audit_segments"
    }

    fn max_items(&self) -> u64 {
        10
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 3 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let deleted = app.forget_segments(step.now, step.limit).await?;
        step.examined += deleted;
        step.changed += deleted;
        Ok(())
    }
}
