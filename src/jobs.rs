//! Background work: the messages and who does them. Every job may be delivered twice.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::Result;
use crate::ids::{AttemptId, FileId};
use crate::metrics::Operation;

/// A queue message. The tag and field names are a stored contract: messages outlive a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// A file was read: to be written to the audit log and counted.
    RecordRead {
        /// What happened.
        operation: Box<Operation>,
    },
    /// A file is stored of which nobody has seen all bytes: to be read once, hashed and so verified.
    LearnFile {
        /// The file.
        file: FileId,
        /// Its version.
        attempt: AttemptId,
    },
}

impl App {
    /// Does a batch of jobs; all or, on an error, to be delivered again.
    ///
    /// # Errors
    /// The database did not take the batch.
    pub async fn work_off(&self, jobs: Vec<Job>) -> Result<()> {
        let mut reads = Vec::new();
        let mut unlearned = Vec::new();
        for job in jobs {
            match job {
                Job::RecordRead { operation } => reads.push(*operation),
                Job::LearnFile { file, attempt } => unlearned.push((file, attempt)),
            }
        }
        self.metrics().write_reads(reads).await?;
        for (file, attempt) in unlearned {
            self.learn_file(file, attempt).await?;
        }
        Ok(())
    }
}
