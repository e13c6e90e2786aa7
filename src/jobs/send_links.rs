//! Sends links by email. Both jobs acknowledge a message as soon as the link is stored: if the email cannot be sent, the
//! sweep `send_links` sends it later. Each message costs at most 4 D1 calls and 1 email.

use async_trait::async_trait;

use super::job::{Delivery, Job};
use super::message::{Message, RequestReset, SendLink};
use crate::app::App;
use crate::domain::budget::CallBudget;

/// Maximum number of calls for one message.
const CALLS: u32 = 4;

/// Sends links that are stored.
pub struct SendLinks;

/// Stores and sends the links for a new password.
pub struct RequestResets;

#[async_trait]
impl Job for SendLinks {
    fn name(&self) -> &'static str {
        SendLink::JOB
    }

    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut CallBudget) {
        for delivery in deliveries {
            match delivery.read::<SendLink>() {
                Err(error) => super::leave_unreadable(app, delivery, &error),
                Ok(_) if !calls.take(CALLS) => {}
                Ok(message) => match app.accounts().send_link(message.link).await {
                    Ok(_) => delivery.acknowledge(),
                    Err(problem) => super::log_failure(app, self.name(), &problem),
                },
            }
        }
    }
}

#[async_trait]
impl Job for RequestResets {
    fn name(&self) -> &'static str {
        RequestReset::JOB
    }

    async fn run(&self, app: &App, deliveries: &mut [Delivery], calls: &mut CallBudget) {
        for delivery in deliveries {
            match delivery.read::<RequestReset>() {
                Err(error) => super::leave_unreadable(app, delivery, &error),
                Ok(_) if !calls.take(CALLS) => {}
                Ok(message) => match app.accounts().do_reset(&message).await {
                    Ok(()) => delivery.acknowledge(),
                    Err(problem) => super::log_failure(app, self.name(), &problem),
                },
            }
        }
    }
}
