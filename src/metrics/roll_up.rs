//! Adds sealed entries of the audit log to the stored sums, each exactly once.
//!
//! The batch that adds a page of entries also moves the position. If another run has moved the position, the batch fails
//! and adds nothing. If the outcome of the batch is unknown, the next run reads the position.

use serde::Deserialize;

use super::MetricsService;
use super::latency::{Latency, LatencyClass};
use super::rollup::{LoggedOperation, MetricStep, Rollup};
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::{DatabaseError, from_row};
use crate::sql::metrics as sql;

/// The result of adding one page of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedPage {
    /// Number of entries that were read.
    pub examined: u64,
    /// Number of entries that were added.
    pub added: u64,
    /// Number of entries that cannot be read, and are in no sum.
    pub unreadable: u64,
}

#[derive(Deserialize)]
struct StoredPosition {
    seq: i64,
}

#[derive(Deserialize)]
struct KeyedSketch {
    step: String,
    at: Timestamp,
    user_id: String,
    class: String,
    sketch: String,
}

impl MetricsService<'_> {
    /// Adds at most `limit` entries. Costs at most 3 D1 calls.
    ///
    /// # Errors
    /// `unavailable` if the database failed. Then the page was added completely or not at all.
    pub async fn add_entries(&self, limit: u64) -> Result<AddedPage> {
        let reads = vec![sql::Position {}.statement(), sql::ToAdd { limit }.statement()];
        let mut results = self.app.database.batch(reads).await?.into_iter();
        let position = results.next().and_then(|mut rows| rows.pop());
        let position = position.ok_or_else(|| Problem::internal("metric_position has no row"))?;
        let old_seq = from_row::<StoredPosition>(position)?.seq;
        let rows = results.next().unwrap_or_default();
        let examined = rows.len() as u64;
        if examined == 0 {
            return Ok(AddedPage { examined, added: 0, unreadable: 0 });
        }
        let mut rollup = Rollup::default();
        let mut seq = old_seq;
        for row in rows {
            // Somebody may have changed a row: its number is then still the end of the page.
            seq = row.get("seq").and_then(serde_json::Value::as_i64).unwrap_or(seq);
            match from_row::<LoggedOperation>(row) {
                Ok(entry) => rollup.add(&entry),
                Err(_) => rollup.unreadable += 1,
            }
        }
        self.merge_stored(&mut rollup).await?;
        let batch = vec![
            sql::MovePosition { old_seq, seq }.statement(),
            sql::AddSums { rows: &rollup.sum_rows().to_string() }.statement(),
            sql::AddErrors { rows: &rollup.error_rows().to_string() }.statement(),
            sql::SetLatencies { rows: &rollup.latency_rows().to_string() }.statement(),
            sql::AddTotals { rows: &rollup.total_rows().to_string() }.statement(),
        ];
        let unreadable = rollup.unreadable;
        match self.app.database.batch(batch).await {
            Ok(_) => Ok(AddedPage { examined, added: examined - unreadable, unreadable }),
            // Another run has added the page.
            Err(DatabaseError::Constraint(_)) => Ok(AddedPage { examined, added: 0, unreadable: 0 }),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes what all users together store now. Costs 1 D1 call.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn note_stored(&self) -> Result<()> {
        let now = self.app.now();
        let [step_5m, step_1h, step_1d] = MetricStep::ALL.map(|step| step.start_of(now).to_string());
        let note = sql::SetGauges { step_5m: &step_5m, step_1h: &step_1h, step_1d: &step_1d };
        self.app.database.query(note.statement()).await?;
        Ok(())
    }

    /// Merges the stored sketches of the same buckets into the new ones, which then replace them.
    async fn merge_stored(&self, rollup: &mut Rollup) -> Result<()> {
        let keys = rollup.latency_keys().to_string();
        for row in self.app.database.query(sql::LatenciesOf { keys: &keys }.statement()).await? {
            let row: KeyedSketch = from_row(row)?;
            let (Some(step), Some(class)) = (MetricStep::parse(&row.step), LatencyClass::parse(&row.class))
            else {
                continue;
            };
            if let Some(stored) = Latency::decode(&row.sketch) {
                rollup.merge_stored(step, row.at, row.user_id, class, &stored);
            }
        }
        Ok(())
    }
}
