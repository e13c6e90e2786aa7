//! Checks whether the object store can be written: stores a small object and deletes it.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use crate::domain::ids::EventId;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::domain::time::Timestamp;
use crate::ports::{NewObject, ObjectStore};

/// Time for which the outcome of a check is used, so that health checks cost few writes.
const VALID_FOR: TimeDelta = TimeDelta::seconds(30);

/// The outcome of a check: `Ok` if the object store can be written. The error is the reason for the failure, as a text
/// for the log.
type WriteOutcome = Result<(), String>;

/// The time and the outcome of the last check in this isolate; `None` before the first check.
#[derive(Default)]
pub struct WriteCheck(Mutex<Option<(Timestamp, WriteOutcome)>>);

impl WriteCheck {
    /// Returns the outcome of the last check. If there is none, or if it is at least 30 s old, makes a new check first.
    /// The key of the object that the check stores contains `id`. If the check cannot delete the object, the lifecycle
    /// rule of the bucket for `temp/` deletes the object later.
    ///
    /// # Errors
    /// The reason why the object store cannot be written, as a text for the log.
    pub async fn run(&self, objects: &dyn ObjectStore, id: EventId, now: Timestamp) -> WriteOutcome {
        if let Some(outcome) = self.begin(now) {
            return outcome;
        }
        let outcome = write_and_delete(objects, id).await;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, outcome.clone()));
        outcome
    }

    /// Returns the outcome of the last check if it can still be used. Otherwise returns `None` and notes that a check
    /// begins now. Until this check ends, other requests use the outcome of the last check, or `Ok` if this is the
    /// first check.
    fn begin(&self, now: Timestamp) -> Option<WriteOutcome> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, outcome)) if now < at.plus(VALID_FOR) => Some(outcome.clone()),
            _ => {
                let outcome = last.take().map_or(Ok(()), |(_, outcome)| outcome);
                *last = Some((now, outcome));
                None
            }
        }
    }
}

async fn write_and_delete(objects: &dyn ObjectStore, id: EventId) -> WriteOutcome {
    let key = StorageKey::Probe { id };
    let object = NewObject {
        key: key.clone(),
        content_type: "application/octet-stream",
        labels: Vec::new(),
        storage_class: StorageClass::Standard,
        expected_sha256: None,
    };
    objects.put_bytes(object, b"probe").await.map_err(|error| error.to_string())?;
    objects.delete(&key).await.map_err(|error| error.to_string())
}
