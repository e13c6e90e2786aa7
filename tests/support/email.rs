//! An email service that keeps messages until the test reads them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::ports::{Email, EmailError, EmailMessage};

#[derive(Default)]
pub struct RecordingEmail {
    sent: Mutex<Vec<EmailMessage>>,
    is_broken: Mutex<bool>,
}

impl RecordingEmail {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes all later calls fail, or succeed again.
    pub fn set_broken(&self, is_broken: bool) {
        *self.is_broken.lock().unwrap() = is_broken;
    }

    /// Removes the messages and returns them, oldest first.
    pub fn take(&self) -> Vec<EmailMessage> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }
}

#[async_trait]
impl Email for RecordingEmail {
    async fn send(&self, message: &EmailMessage) -> Result<(), EmailError> {
        if *self.is_broken.lock().unwrap() {
            return Err(EmailError("injected fault".to_owned()));
        }
        self.sent.lock().unwrap().push(message.clone());
        Ok(())
    }
}
