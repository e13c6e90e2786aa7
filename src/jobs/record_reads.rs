//! Writes the rows of the audit log for reads, sign-ins, refusals and operators' acts. A successful read also increases
//! the read count of the file.
//! Costs 1 D1 call for all reads of a queue batch. If the database refuses the statements, the job writes each read
//! with a separate D1 call. So a read that can never be written does not block the other reads.

use async_trait::async_trait;

use super::job::{Delivery, Job};
use super::message::{Message, RecordRead};
use crate::app::App;
use crate::domain::budget::CallBudget;
use crate::ports::DatabaseError;

pub struct RecordReads;

#[async_trait]
impl Job for RecordReads {
    fn name(&self) -> &'static str {
        RecordRead::JOB
    }

    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut CallBudget) {
        let mut readable = Vec::new();
        for delivery in deliveries {
            match delivery.read::<RecordRead>() {
                Ok(message) => readable.push((delivery, message.operation)),
                Err(error) => super::leave_unreadable(app, delivery, &error),
            }
        }
        if readable.is_empty() || !calls.take(1) {
            return;
        }
        let operations: Vec<_> = readable.iter().map(|(_, operation)| operation.clone()).collect();
        match app.audit().write_reads(&operations).await {
            Ok(()) => readable.into_iter().for_each(|(delivery, _)| delivery.acknowledge()),
            Err(error @ DatabaseError::Unknown(_)) => super::log_failure(app, self.name(), &error),
            Err(error @ DatabaseError::Constraint(_)) => {
                super::log_failure(app, self.name(), &error);
                for (delivery, operation) in readable {
                    if calls.take(1) && app.audit().write_reads(&[operation]).await.is_ok() {
                        delivery.acknowledge();
                    }
                }
            }
        }
    }
}
