//! Background jobs: the messages on the queue and the code that handles them.
//!
//! **To add a job**, add a message to [`message`], a file with a [`Job`] to this folder, and a line to [`JOBS`].

pub mod job;
mod learn_files;
pub mod message;
mod record_reads;
mod send_links;

use serde_json::Value;

use crate::app::App;
use crate::domain::budget::CallBudget;
use crate::domain::log::LogLine;
use job::{Delivery, DeliveryOutcome, Job};

/// Every job.
pub static JOBS: [&dyn Job; 4] = [
    &record_reads::RecordReads,
    &send_links::SendLinks,
    &send_links::RequestResets,
    &learn_files::LearnFiles,
];

impl App {
    /// Handles a batch of messages within the budget of one event. As soon as a job has handled all its messages, calls
    /// `settle` with the index and the outcome of each of them. So even if a later job crashes, the queue does not
    /// deliver the acknowledged messages again.
    pub async fn do_jobs(&self, messages: Vec<Value>, mut settle: impl FnMut(usize, DeliveryOutcome)) {
        let mut deliveries: Vec<_> =
            messages.into_iter().enumerate().map(|(index, body)| Delivery::new(body, index)).collect();
        let mut calls = CallBudget::of_event();
        deliveries.sort_by_key(|delivery| job_index(delivery.job()));
        for group in deliveries.chunk_by_mut(|one, other| one.job() == other.job()) {
            let name = group.first().map(Delivery::job).unwrap_or_default().to_owned();
            match JOBS.iter().find(|job| job.name() == name) {
                Some(job) => job.run(self, group, &mut calls).await,
                // During a deploy, two versions run at the same time, and the newer version may have sent the message.
                // The queue delivers the message again. If no version can read the message, the queue moves it to the
                // dead letter queue.
                None => log_failure(self, &name, &"this version does not know the job"),
            }
            group.iter().for_each(|delivery| settle(delivery.index(), delivery.outcome()));
        }
    }
}

/// Returns the index of a job in [`JOBS`], or the length of [`JOBS`] for an unknown job.
fn job_index(name: &str) -> usize {
    JOBS.iter().position(|job| job.name() == name).unwrap_or(JOBS.len())
}

/// Logs a malformed message and does not acknowledge it. A newer version may have sent the message and may be able to
/// read it when the queue delivers it again.
fn leave_unreadable(app: &App, delivery: &Delivery, cause: &dyn std::fmt::Display) {
    app.write_log(
        LogLine::error("a message cannot be read; the queue delivers it again")
            .with("job", delivery.job())
            .caused_by(cause),
    );
}

fn log_failure(app: &App, job: &str, cause: &dyn std::fmt::Display) {
    app.write_log(LogLine::error("a job failed").with("job", job).caused_by(cause));
}
