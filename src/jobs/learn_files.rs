//! Runs the background pass. Each message asks for one step of the pass over one file. The job handles a few messages
//! of each batch. It sends a copy of each other message to the queue and acknowledges the message. So waiting does not
//! count as a failed delivery. If a step fails, the sweep `learn_files` queues the file again later.

use async_trait::async_trait;

use super::job::{Delivery, Job};
use super::message::{Message, ProfileFile};
use crate::app::App;
use crate::domain::budget::CallBudget;
use crate::storage::profiling::pass::{STEP_BYTES, STEP_CALLS};

/// Maximum number of files per batch. The steps for all these files together need far less CPU time than a queue
/// consumer may use.
const FILES_PER_BATCH: u64 = 4;

pub struct LearnFiles;

#[async_trait]
impl Job for LearnFiles {
    fn name(&self) -> &'static str {
        ProfileFile::JOB
    }

    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut CallBudget) {
        // Reserve one call for each message, because the job may send the message to the queue again.
        let waiting = u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
        let mut left = calls.affords(waiting, STEP_CALLS, FILES_PER_BATCH);
        for delivery in deliveries {
            let message = match delivery.read::<ProfileFile>() {
                Ok(message) => message,
                Err(error) => {
                    super::leave_unreadable(app, delivery, &error);
                    continue;
                }
            };
            if left > 0 && calls.take(STEP_CALLS) {
                left -= 1;
                if let Err(problem) = app.learn(message.attempt, STEP_BYTES).await {
                    super::log_failure(app, self.name(), &problem);
                }
                delivery.acknowledge();
            } else if calls.take(1) && app.enqueue(&message).await.is_ok() {
                delivery.acknowledge();
            }
        }
    }
}
