//! Who does the jobs. Every one may be delivered twice.

use super::message::Job;
use crate::app::App;
use crate::domain::ids::AttemptId;
use crate::error::Result;
use crate::storage::profiling::pass::STEP_BYTES;

/// How many files one batch learns from: with the bytes of a step each, far less than a consumer's CPU time.
const LEARNED_PER_BATCH: usize = 4;

impl App {
    /// Does a batch of jobs; all or, on an error, to be delivered again.
    ///
    /// A file that could not be learned from does not hold up the others: the sweep asks for it again.
    ///
    /// # Errors
    /// The database did not take the batch.
    pub async fn work_off(&self, jobs: Vec<Job>) -> Result<()> {
        let (mut reads, mut attempts) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::RecordRead { operation } => reads.push(*operation),
                Job::LearnFile { attempt } => attempts.push(attempt),
            }
        }
        self.audit().write_reads(reads).await?;
        for attempt in attempts.split_off(attempts.len().min(LEARNED_PER_BATCH)) {
            self.send_learn_job(attempt).await;
        }
        for attempt in attempts {
            self.learn_or_log(attempt).await;
        }
        Ok(())
    }

    async fn learn_or_log(&self, attempt: AttemptId) {
        if let Err(problem) = self.learn(attempt, STEP_BYTES).await {
            self.log.line(&serde_json::json!({
                "@timestamp": self.now(), "level": "error", "service": "cutty-files", "attempt": attempt,
                "message": "a file could not be learned from", "cause": problem.to_string(),
            }));
        }
    }
}
