//! The Durable Object that keeps the rate limits of one principal, address or share.
//!
//! The state is one row, so each change is one write, and an eviction loses nothing. Between reading the state and
//! writing it there is no `await`, so two commands never mix.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bucket::{Bucket, BucketPolicy};
use super::command::{Ask, Attempted, BucketState, LimitCommand, LimitKind, LimitRefusal, Reserved};
use super::delay::{DelayPolicy, FORGOTTEN_AFTER_MS, Failures};
use crate::app::SharedApp;
use crate::body::stream::NativeBody;
use crate::error::{Problem, Result};
use crate::ports::{NamedObject, ObjectStorage};

/// The name of the row.
const ROW: &str = "state";

/// Maximum number of reservations that are not settled. If there are more, the oldest stays charged and is forgotten.
const MAX_OPEN: usize = 1_000;

/// A reservation that is older stays charged and is forgotten, in milliseconds: 24 hours.
const OPEN_FOR_MS: i64 = 24 * 60 * 60 * 1000;

/// Everything that an object stores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct LimiterState {
    buckets: BTreeMap<LimitKind, KeptBucket>,
    /// From the oldest to the newest.
    open: Vec<Reservation>,
    failures: Failures,
}

/// A bucket with the settings of the last command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct KeptBucket {
    bucket: Bucket,
    policy: BucketPolicy,
}

/// Tokens whose use is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reservation {
    id: String,
    at_ms: i64,
    taken: Vec<(LimitKind, u64)>,
}

impl LimiterState {
    /// Returns the refilled bucket of a limit. A bucket that is not stored is full.
    fn bucket(&self, limit: LimitKind, policy: BucketPolicy, now_ms: i64) -> Bucket {
        match self.buckets.get(&limit) {
            Some(kept) => kept.bucket.refilled(policy, now_ms),
            None => Bucket::full(policy, now_ms),
        }
    }

    fn reserve(&mut self, asks: &[Ask], reservation: Option<String>, now_ms: i64) -> Reserved {
        let mut changed = Vec::new();
        let mut taken = Vec::new();
        let mut refusal: Option<LimitRefusal> = None;
        for &Ask { limit, policy, tokens } in asks {
            let before = self.bucket(limit, policy, now_ms);
            let mut bucket = before;
            match bucket.take(policy, tokens) {
                Ok(tokens) => taken.push((limit, tokens)),
                Err(wait_s) if refusal.is_none_or(|longest| longest.wait_s < wait_s) => {
                    refusal = Some(LimitRefusal { limit, policy, wait_s });
                }
                Err(_) => {}
            }
            changed.push((limit, policy, before, bucket));
        }
        let mut buckets = Vec::new();
        for (limit, policy, before, after) in changed {
            let bucket = if refusal.is_some() { before } else { after };
            let (remaining, reset_s) = (bucket.remaining(policy), bucket.reset_s(policy));
            buckets.push(BucketState { limit, policy, remaining, reset_s });
            self.buckets.insert(limit, KeptBucket { bucket, policy });
        }
        if let Some(id) = reservation.filter(|_| refusal.is_none()) {
            self.open.push(Reservation { id, at_ms: now_ms, taken });
            let surplus = self.open.len().saturating_sub(MAX_OPEN);
            drop(self.open.drain(..surplus));
        }
        Reserved { buckets, refusal }
    }

    /// Returns whether the reservation existed.
    fn settle(&mut self, id: &str, used: &[(LimitKind, u64)], now_ms: i64) -> bool {
        let Some(place) = self.open.iter().position(|open| open.id == id) else { return false };
        let Reservation { taken, .. } = self.open.remove(place);
        for (limit, taken) in taken {
            let used = used.iter().find(|(used, _)| *used == limit);
            if let (Some(kept), Some((_, used))) = (self.buckets.get_mut(&limit), used) {
                kept.bucket = kept.bucket.refilled(kept.policy, now_ms);
                kept.bucket.settle(kept.policy, taken, *used);
            }
        }
        true
    }

    fn attempt(&mut self, policy: DelayPolicy, now_ms: i64) -> Attempted {
        let wait_s = self.failures.attempt(policy, now_ms).err().unwrap_or(0);
        Attempted { wait_s }
    }

    /// Forgets old reservations. Returns the number of milliseconds after which nothing needs to be stored any more; 0
    /// if nothing needs to be stored now.
    fn tidy(&mut self, now_ms: i64) -> i64 {
        self.open.retain(|open| now_ms.saturating_sub(open.at_ms) < OPEN_FOR_MS);
        let mut wait_ms = if self.open.is_empty() { 0 } else { OPEN_FOR_MS };
        if !self.failures.is_forgotten(now_ms) {
            wait_ms = wait_ms.max(FORGOTTEN_AFTER_MS);
        }
        for kept in self.buckets.values_mut() {
            kept.bucket = kept.bucket.refilled(kept.policy, now_ms);
            wait_ms = wait_ms.max(i64::from(kept.bucket.reset_s(kept.policy)) * 1000);
        }
        wait_ms
    }
}

/// The object. It is created again from its row after an eviction.
pub struct LimiterObject {
    app: SharedApp,
    store: Arc<dyn ObjectStorage>,
    memory: Mutex<LimiterMemory>,
}

/// The data in memory: a copy of the row.
#[derive(Default)]
struct LimiterMemory {
    /// `None` until the row is read.
    state: Option<LimiterState>,
    /// Whether this instance has set the alarm.
    has_alarm: bool,
}

impl LimiterObject {
    /// Creates an object whose row is in `store`.
    pub fn new(app: SharedApp, store: Arc<dyn ObjectStorage>) -> Self {
        Self { app, store, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, LimiterMemory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        self.app.now().instant().timestamp_millis()
    }

    /// Reads the state, changes it and writes it. If it cannot be written, the next command reads the row again.
    fn update<T>(&self, change: impl FnOnce(&mut LimiterState) -> T) -> Result<T> {
        let mut memory = self.memory();
        let mut state = match memory.state.take() {
            Some(state) => state,
            // A row that this version cannot read counts as empty: a limit must not refuse a principal for ever.
            None => {
                self.store.get(ROW)?.and_then(|row| serde_json::from_slice(&row).ok()).unwrap_or_default()
            }
        };
        let result = change(&mut state);
        self.store.put(ROW, &serde_json::to_vec(&state).map_err(Problem::internal)?)?;
        memory.state = Some(state);
        Ok(result)
    }

    /// Sets the alarm, unless this instance has set it already. The alarm comes first: an alarm without rows does no
    /// harm, but rows without an alarm would stay for ever.
    async fn ensure_alarm(&self) -> Result<()> {
        if !self.memory().has_alarm {
            self.store.set_alarm(self.app.now().plus(TimeDelta::hours(1))).await?;
            self.memory().has_alarm = true;
        }
        Ok(())
    }
}

#[async_trait]
impl NamedObject for LimiterObject {
    async fn call(&self, command: Value, _: Option<Box<dyn NativeBody>>) -> Result<Value> {
        let command = serde_json::from_value(command).map_err(Problem::internal)?;
        self.ensure_alarm().await?;
        let now_ms = self.now_ms();
        let reply = match command {
            LimitCommand::Reserve { asks, reservation } => {
                let reserved = self.update(|state| state.reserve(&asks, reservation, now_ms))?;
                serde_json::to_value(reserved)
            }
            LimitCommand::Settle { reservation, used } => {
                let settled = self.update(|state| state.settle(&reservation, &used, now_ms))?;
                serde_json::to_value(settled)
            }
            LimitCommand::Attempt { policy } => {
                serde_json::to_value(self.update(|state| state.attempt(policy, now_ms))?)
            }
            LimitCommand::Succeeded => {
                self.update(|state| state.failures = Failures::default())?;
                Ok(Value::Null)
            }
            LimitCommand::TakeBack => {
                self.update(|state| state.failures.take_back())?;
                Ok(Value::Null)
            }
        };
        reply.map_err(Problem::internal)
    }

    /// Deletes the row if it holds nothing: all buckets are full, no reservation is open, and no failure counts.
    async fn alarm(&self) -> Result<()> {
        let now_ms = self.now_ms();
        let wait_ms = self.update(|state| state.tidy(now_ms))?;
        if wait_ms > 0 {
            self.memory().has_alarm = true;
            return Ok(self.store.set_alarm(self.app.now().plus(TimeDelta::milliseconds(wait_ms))).await?);
        }
        *self.memory() = LimiterMemory { state: Some(LimiterState::default()), has_alarm: false };
        Ok(self.store.clear().await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CALLS: BucketPolicy = BucketPolicy { capacity: 2, window_s: 60 };
    const BYTES: BucketPolicy = BucketPolicy { capacity: 1000, window_s: 3600 };

    fn asks(bytes: u64) -> [Ask; 2] {
        [
            Ask { limit: LimitKind::Cuts, policy: CALLS, tokens: 1 },
            Ask { limit: LimitKind::Scan, policy: BYTES, tokens: bytes },
        ]
    }

    fn remaining(reserved: &Reserved) -> [u64; 2] {
        [reserved.buckets[0].remaining, reserved.buckets[1].remaining]
    }

    #[test]
    fn all_buckets_are_taken_from_or_none() {
        let mut state = LimiterState::default();
        let first = state.reserve(&asks(800), Some("a".to_owned()), 0);
        assert_eq!((remaining(&first), first.refusal), ([1, 200], None));
        let second = state.reserve(&asks(300), Some("b".to_owned()), 0);
        assert_eq!(remaining(&second), [1, 200]);
        let refusal = second.refusal.unwrap();
        assert_eq!((refusal.limit, refusal.wait_s), (LimitKind::Scan, 360));
        assert_eq!(state.open.len(), 1);
    }

    #[test]
    fn a_settled_reservation_gives_back_or_takes_more_and_only_once() {
        for (used, left) in [(100, 900), (0, 1000), (1000, 0), (5000, 0)] {
            let mut state = LimiterState::default();
            state.reserve(&asks(800), Some("a".to_owned()), 0);
            assert!(state.settle("a", &[(LimitKind::Scan, used)], 0));
            let settled = state.clone();
            assert!(!state.settle("a", &[(LimitKind::Scan, 0)], 0) && !state.settle("b", &[], 0));
            assert_eq!(state, settled);
            assert_eq!(state.buckets[&LimitKind::Scan].bucket.remaining(BYTES), left);
            assert_eq!(state.buckets[&LimitKind::Cuts].bucket.remaining(CALLS), 1);
        }
    }

    #[test]
    fn the_number_of_open_reservations_is_bounded() {
        let mut state = LimiterState::default();
        for number in 0..MAX_OPEN + 5 {
            let ask = Ask { limit: LimitKind::Scan, policy: BYTES, tokens: 0 };
            state.reserve(&[ask], Some(number.to_string()), 0);
        }
        assert_eq!((state.open.len(), state.open[0].id.as_str()), (MAX_OPEN, "5"));
        assert!(serde_json::to_vec(&state).unwrap().len() < 128 << 10);
    }

    #[test]
    fn a_state_that_holds_nothing_can_be_deleted() {
        let mut state = LimiterState::default();
        assert_eq!(state.tidy(0), 0);
        state.reserve(&asks(500), Some("a".to_owned()), 0);
        assert_eq!(state.tidy(0), OPEN_FOR_MS);
        state.settle("a", &[(LimitKind::Scan, 500)], 0);
        assert_eq!(state.tidy(0), 1_800_000);
        assert_eq!(state.tidy(1_800_000), 0);
        state.attempt(DelayPolicy { free_failures: 3, max_delay_s: 900 }, 1_800_000);
        assert_eq!(state.tidy(1_800_000), FORGOTTEN_AFTER_MS);
        assert_eq!(state.tidy(1_800_000 + FORGOTTEN_AFTER_MS), 0);
    }

    #[test]
    fn the_stored_form_of_a_state_is_stable() {
        let mut state = LimiterState::default();
        state.reserve(&asks(500), Some("a".to_owned()), 7);
        state.attempt(DelayPolicy { free_failures: 3, max_delay_s: 900 }, 7);
        let text = r#"{"buckets":{"cuts":{"bucket":"60000 60000 7","policy":{"capacity":2,"window_s":60}},"scan":{"bucket":"1800000000 3600000 7","policy":{"capacity":1000,"window_s":3600}}},"open":[{"id":"a","at_ms":7,"taken":[["cuts",1],["scan",500]]}],"failures":{"count":1,"last_ms":7,"before_ms":0}}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
        assert_eq!(serde_json::from_str::<LimiterState>(text).unwrap(), state);
        assert_eq!(serde_json::from_str::<LimiterState>("{}").unwrap(), LimiterState::default());
    }
}
