//! Background work: the messages and who does them. Every job may be delivered twice.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::Result;
use crate::metrics::Operation;

/// A queue message. The tag and field names are a stored contract: messages outlive a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// A file was read: to be written to the audit log and counted.
    RecordRead {
        /// What happened.
        operation: Operation,
    },
}

impl App {
    /// Does a batch of jobs; all or, on an error, to be delivered again.
    ///
    /// # Errors
    /// The database did not take the batch.
    pub async fn work_off(&self, jobs: Vec<Job>) -> Result<()> {
        let reads = jobs.into_iter().map(|Job::RecordRead { operation }| operation).collect();
        self.metrics().write_reads(reads).await
    }
}
