//! A queue that keeps jobs until the test delivers them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::jobs::message::Job;
use cutty::ports::{JobQueue, QueueError};

use super::faults::{Call, Faults, Port};

pub struct RecordingQueue {
    jobs: Mutex<Vec<Job>>,
    faults: Faults,
}

impl RecordingQueue {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { jobs: Mutex::default(), faults })
    }

    /// The jobs waiting.
    pub fn waiting(&self) -> Vec<Job> {
        self.jobs.lock().unwrap().clone()
    }

    /// Takes them for delivery, as they would come over the wire: through JSON.
    pub fn take(&self) -> Vec<Job> {
        let jobs = std::mem::take(&mut *self.jobs.lock().unwrap());
        jobs.iter().map(|job| serde_json::from_value(serde_json::to_value(job).unwrap()).unwrap()).collect()
    }

    /// Puts jobs back whose delivery failed.
    pub fn put_back(&self, jobs: Vec<Job>) {
        self.jobs.lock().unwrap().splice(..0, jobs);
    }
}

#[async_trait]
impl JobQueue for RecordingQueue {
    async fn send(&self, job: Job) -> Result<(), QueueError> {
        let subject = serde_json::to_string(&job).unwrap();
        assert!(subject.len() <= 128 * 1024, "a message holds at most 128 KB");
        let call = Call { port: Port::Queue, method: "send", subject, statements: 1 };
        let deed = async {
            self.jobs.lock().unwrap().push(job);
            Ok(())
        };
        self.faults.call(call, QueueError, deed).await
    }
}
