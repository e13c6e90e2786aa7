//! Files are read for their profile and checksum, a step of one file a message. A run reads for a few; the other messages
//! go back to the queue as new ones, so that waiting does not count as a failed try. A file that could not be read is left
//! to the sweep, which asks again.

use async_trait::async_trait;

use super::job::{Delivery, Job};
use super::message::{LearnFile, Message};
use crate::app::App;
use crate::domain::budget::Subrequests;
use crate::storage::profiling::pass::{STEP_BYTES, STEP_CALLS};

/// How many files one run reads: with the bytes of a step each, far less than a consumer's CPU time.
const FILES_PER_RUN: u64 = 4;

pub struct LearnFiles;

#[async_trait]
impl Job for LearnFiles {
    fn name(&self) -> &'static str {
        LearnFile::JOB
    }

    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut Subrequests) {
        // One call is kept back for each message that goes back to the queue.
        let waiting = u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
        let mut left = calls.affords(waiting, STEP_CALLS, FILES_PER_RUN);
        for delivery in deliveries {
            let message = match delivery.read::<LearnFile>() {
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
