//! What an isolate knows about the switches.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use serde::Deserialize;

use crate::domain::switch::Switch;
use crate::domain::time::Timestamp;

/// Time for which an isolate uses what it has read.
const VALID_FOR: TimeDelta = TimeDelta::seconds(10);

/// What an isolate knows about the switches; nothing before it has read them.
#[derive(Default)]
pub struct KnownSwitches(Mutex<Option<ReadSwitches>>);

#[derive(Clone)]
struct ReadSwitches {
    read_at: Timestamp,
    set: Vec<SetSwitch>,
}

/// A switch that an operator has set.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SetSwitch {
    pub name: Switch,
    pub is_on: i64,
    pub changed_at: Timestamp,
}

impl KnownSwitches {
    /// Returns what operators have set, as far as the isolate knows.
    pub(super) fn set(&self) -> Vec<SetSwitch> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|known| known.set.clone()).unwrap_or_default()
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, read_at: Timestamp, set: Vec<SetSwitch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ReadSwitches { read_at, set });
    }

    /// Notes that a read begins now. Until it ends, other requests use what was read last. Returns `false` if what was read
    /// last can still be used.
    pub(super) fn begin_read(&self, now: Timestamp) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_mut() {
            Some(known) if now < known.read_at.plus(VALID_FOR) => false,
            Some(known) => {
                known.read_at = now;
                true
            }
            None => true,
        }
    }
}
