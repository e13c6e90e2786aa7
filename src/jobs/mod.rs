//! Background work: messages on a queue, and who does them.
//!
//! **Another kind of work** is a message in [`message`], a file beside these with a [`Job`], and a line in
//! [`JOBS`].

pub mod job;
mod learn_files;
pub mod message;
mod record_reads;

use serde_json::Value;

use crate::app::App;
use crate::domain::budget::Subrequests;
use crate::domain::log::LogLine;
use job::{Delivery, DeliveryOutcome, Job};

/// Every kind of work.
pub static JOBS: [&dyn Job; 2] = [&record_reads::RecordReads, &learn_files::LearnFiles];

impl App {
    /// Does a batch of messages within the calls that one event may make. Passes the place and the outcome of each message
    /// to `settle` as soon as the messages of its job are done: a crash in a later job must not deliver them again.
    pub async fn do_jobs(&self, messages: Vec<Value>, mut settle: impl FnMut(usize, DeliveryOutcome)) {
        let mut deliveries: Vec<_> =
            messages.into_iter().enumerate().map(|(place, body)| Delivery::new(body, place)).collect();
        let mut calls = Subrequests::of_event();
        deliveries.sort_by_key(|delivery| place_of(delivery.job()));
        for group in deliveries.chunk_by_mut(|one, other| one.job() == other.job()) {
            let name = group.first().map(Delivery::job).unwrap_or_default().to_owned();
            match JOBS.iter().find(|job| job.name() == name) {
                Some(job) => job.run(self, group, &mut calls).await,
                // A newer version may have sent it, and this one runs beside it for a while: it comes again. What nobody
                // ever knows ends in the dead letter queue.
                None => log_failure(self, &name, &"this version knows no such job"),
            }
            group.iter().for_each(|delivery| settle(delivery.place(), delivery.outcome()));
        }
    }
}

/// The place of a kind of work among [`JOBS`].
fn place_of(name: &str) -> usize {
    JOBS.iter().position(|job| job.name() == name).unwrap_or(JOBS.len())
}

/// Logs a message that cannot be read and leaves it to the queue: a newer version, which can read it, may have sent it.
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
