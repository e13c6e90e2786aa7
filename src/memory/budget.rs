//! Memory budgets: they limit how much memory the requests of an isolate hold at the same time.
//!
//! The runtime may drop a request without running its destructors, so a dropped request cannot give its memory back. A
//! budget therefore forgets a lease that has not been used for 180 seconds. It also forgets a *waiter* (a request that
//! waits for a lease) that has not asked for memory within 5 seconds.

use std::collections::VecDeque;
use std::iter::Sum;
use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Limit of all leases of [`IsolateMemory::common`] together. The rest of the isolate's 128 MiB is for the other
/// budgets, the module, the hashing of a password (7 MiB), FileCache, small buffers, the runtime, and garbage that has
/// not been collected yet.
pub const COMMON_BUDGET: Memory = Memory { wasm: 28 << 20, js: 26 << 20 };

/// Limit of all leases of [`IsolateMemory::bodies`] together: for long JSON bodies and the values that a body is parsed
/// into.
pub const BODY_BUDGET: Memory = Memory { wasm: 8 << 20, js: 0 };

/// Limit of all leases of [`IsolateMemory::wide`] together: for long profiles and long headers, as files with many
/// columns have them.
pub const WIDE_BUDGET: Memory = Memory { wasm: 8 << 20, js: 0 };

/// Limit of all leases of [`IsolateMemory::large`] together: for long records, for long pages of rows, and for lists of
/// files.
pub const LARGE_BUDGET: Memory = Memory { wasm: 8 << 20, js: 4 << 20 };

/// A waiter loses its place if it does not ask for memory again within this time. The service then assumes that the
/// runtime has dropped the request of this waiter.
const WAITER_IS_GONE_AFTER: TimeDelta = TimeDelta::seconds(5);

/// A lease no longer counts if it is not used within this time. The service then assumes that the runtime has dropped
/// the request of this lease. This time is longer than any single call to a store. It is also longer than the time
/// after which a stalled request body is refused.
const LEASE_IS_LOST_AFTER: TimeDelta = TimeDelta::seconds(180);

/// An amount of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Bytes of wasm memory, which never shrinks.
    pub wasm: usize,
    /// Bytes of JavaScript memory, which a garbage collection frees.
    pub js: usize,
}

impl Memory {
    /// Creates an amount of wasm memory.
    pub const fn wasm(bytes: usize) -> Self {
        Self { wasm: bytes, js: 0 }
    }

    /// Creates an amount of JavaScript memory.
    pub const fn js(bytes: usize) -> Self {
        Self { wasm: 0, js: bytes }
    }

    fn fits(self, limit: Self) -> bool {
        self.wasm <= limit.wasm && self.js <= limit.js
    }

    fn min(self, other: Self) -> Self {
        Self { wasm: self.wasm.min(other.wasm), js: self.js.min(other.js) }
    }

    fn max(self, other: Self) -> Self {
        Self { wasm: self.wasm.max(other.wasm), js: self.js.max(other.js) }
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wasm: self.wasm + other.wasm, js: self.js + other.js }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// One memory budget of an isolate: its limit, its leases, and the requests that wait for a lease.
pub struct MemoryBudget {
    limit: Memory,
    state: Mutex<BudgetState>,
}

#[derive(Default)]
struct BudgetState {
    leases: Vec<HeldMemory>,
    waiting: VecDeque<Waiter>,
    next_id: u64,
    most: Memory,
}

struct HeldMemory {
    id: u64,
    amount: Memory,
    used_at: DateTime<Utc>,
}

struct Waiter {
    id: u64,
    asked_at: DateTime<Utc>,
}

impl BudgetState {
    fn held(&self) -> Memory {
        self.leases.iter().map(|lease| lease.amount).sum()
    }

    fn forget_dropped_requests(&mut self, now: DateTime<Utc>) {
        self.leases.retain(|lease| now - lease.used_at < LEASE_IS_LOST_AFTER);
        self.waiting.retain(|waiter| now - waiter.asked_at < WAITER_IS_GONE_AFTER);
    }
}

/// The state of a budget at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Limit of all leases together.
    pub limit: Memory,
    /// Sum of the current leases.
    pub held: Memory,
    /// Greatest sum of leases at any time so far, for each kind of memory.
    pub most: Memory,
    /// Number of leases.
    pub leases: usize,
    /// Number of requests that wait for a lease.
    pub waiting: usize,
}

/// The budgets of an isolate. A request takes at most one lease from each budget, in this order: first `bodies`, then
/// `common`, then `wide`, then `large`. Requests that wait for leases therefore cannot deadlock.
pub struct IsolateMemory {
    /// For JSON bodies of 2 KiB or more.
    pub bodies: Arc<MemoryBudget>,
    /// For the buffers that every upload, cut or page of rows needs.
    pub common: Arc<MemoryBudget>,
    /// For profiles and headers of more than 64 KiB.
    pub wide: Arc<MemoryBudget>,
    /// For long records, for long pages of rows, and for lists of files.
    pub large: Arc<MemoryBudget>,
}

impl IsolateMemory {
    /// Whether a request waits for memory.
    pub fn is_contended(&self) -> bool {
        self.budgets().iter().any(|(_, budget)| budget.usage().waiting > 0)
    }

    /// Returns the budgets with their names.
    pub fn budgets(&self) -> [(&'static str, &MemoryBudget); 4] {
        [("bodies", &self.bodies), ("common", &self.common), ("wide", &self.wide), ("large", &self.large)]
    }
}

impl Default for IsolateMemory {
    fn default() -> Self {
        Self {
            bodies: Arc::new(MemoryBudget::new(BODY_BUDGET)),
            common: Arc::new(MemoryBudget::new(COMMON_BUDGET)),
            wide: Arc::new(MemoryBudget::new(WIDE_BUDGET)),
            large: Arc::new(MemoryBudget::new(LARGE_BUDGET)),
        }
    }
}

impl MemoryBudget {
    /// Creates a budget of `limit`.
    pub fn new(limit: Memory) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the current state of the budget.
    pub fn usage(&self) -> MemoryUsage {
        let state = self.state();
        MemoryUsage {
            limit: self.limit,
            held: state.held(),
            most: state.most,
            leases: state.leases.len(),
            waiting: state.waiting.len(),
        }
    }

    /// Returns a lease if `amount` fits into the budget and no other request waits before the caller. Otherwise returns
    /// `None` and sets `place` to the caller's place in the queue. The caller passes this place when it asks again. If
    /// `amount` is more than the limit of the budget, the caller waits until it can get a lease of the whole limit.
    pub(super) fn try_lease(
        self: &Arc<Self>,
        amount: Memory,
        now: DateTime<Utc>,
        place: &mut Option<QueuePlace>,
    ) -> Option<Lease> {
        let amount = amount.min(self.limit);
        let mut state = self.state();
        state.forget_dropped_requests(now);
        let is_first = match place {
            Some(place) => state.waiting.front().is_none_or(|first| first.id == place.id),
            None => state.waiting.is_empty(),
        };
        let held = state.held() + amount;
        if is_first && held.fits(self.limit) {
            return Some(self.grant(&mut state, amount, now));
        }
        match place {
            None => {
                let id = state.next_id;
                state.next_id += 1;
                state.waiting.push_back(Waiter { id, asked_at: now });
                *place = Some(QueuePlace { budget: self.clone(), id });
            }
            Some(QueuePlace { id, .. }) => match state.waiting.iter_mut().find(|waiter| waiter.id == *id) {
                Some(waiter) => waiter.asked_at = now,
                None => state.waiting.push_back(Waiter { id: *id, asked_at: now }),
            },
        }
        None
    }

    /// Returns a lease if no request waits and if at least the amount `spare` stays free in the budget. Otherwise
    /// returns `None`, and the caller gets no place in the queue.
    pub fn try_lease_now(
        self: &Arc<Self>,
        amount: Memory,
        spare: Memory,
        now: DateTime<Utc>,
    ) -> Option<Lease> {
        let mut state = self.state();
        state.forget_dropped_requests(now);
        let is_free = state.waiting.is_empty() && (state.held() + amount + spare).fits(self.limit);
        is_free.then(|| self.grant(&mut state, amount, now))
    }

    fn grant(self: &Arc<Self>, state: &mut BudgetState, amount: Memory, now: DateTime<Utc>) -> Lease {
        let id = state.next_id;
        state.next_id += 1;
        state.leases.push(HeldMemory { id, amount, used_at: now });
        state.most = state.most.max(state.held());
        Lease { budget: self.clone(), id, beside: None }
    }
}

/// A request's place in the queue. When the place is dropped, the request no longer waits.
pub(super) struct QueuePlace {
    budget: Arc<MemoryBudget>,
    id: u64,
}

impl QueuePlace {
    /// Returns the number of waiters before this waiter in the queue. Returns `u16::MAX` if this waiter has lost its
    /// place.
    pub(super) fn waiters_before(&self) -> u16 {
        let before = self.budget.state().waiting.iter().position(|waiter| waiter.id == self.id);
        before.and_then(|count| u16::try_from(count).ok()).unwrap_or(u16::MAX)
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        self.budget.state().waiting.retain(|waiter| waiter.id != self.id);
    }
}

/// Memory that a request may use. When the lease is dropped, the budget gets the memory back.
pub struct Lease {
    budget: Arc<MemoryBudget>,
    id: u64,
    /// The joined lease, from another budget. Both leases end together.
    beside: Option<Box<Lease>>,
}

impl Lease {
    /// Records that the lease and its joined lease are still in use at `now`.
    pub fn touch(&self, now: DateTime<Utc>) {
        if let Some(lease) = self.budget.state().leases.iter_mut().find(|lease| lease.id == self.id) {
            lease.used_at = now;
        }
        if let Some(beside) = &self.beside {
            beside.touch(now);
        }
    }

    /// Joins `other`, a lease from another budget, to this lease. Both leases end together. If another lease was joined
    /// before, that lease ends. If `other` is `None`, nothing changes.
    pub fn join(&mut self, other: Option<Self>) {
        self.beside = other.map(Box::new).or(self.beside.take());
    }

    /// Returns the amount of this lease, without the amount of the joined lease.
    pub fn amount(&self) -> Memory {
        let state = self.budget.state();
        state.leases.iter().find(|lease| lease.id == self.id).map(|lease| lease.amount).unwrap_or_default()
    }

    /// Reduces the lease to at most `amount`. The budget gets the rest of the memory back.
    pub fn shrink_to(&self, amount: Memory) {
        if let Some(lease) = self.budget.state().leases.iter_mut().find(|lease| lease.id == self.id) {
            lease.amount = lease.amount.min(amount);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.state().leases.retain(|lease| lease.id != self.id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn budget() -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget::new(Memory { wasm: 10, js: 4 }))
    }

    fn lease(
        budget: &Arc<MemoryBudget>,
        bytes: usize,
        second: i64,
        place: &mut Option<QueuePlace>,
    ) -> Option<Lease> {
        budget.try_lease(Memory::wasm(bytes), at(second), place)
    }

    #[test]
    fn a_request_whose_lease_does_not_fit_waits_until_another_lease_ends() {
        let budget = budget();
        let first = lease(&budget, 7, 0, &mut None).unwrap();
        let mut place = None;
        assert!(lease(&budget, 4, 0, &mut place).is_none());
        drop(first);
        assert!(lease(&budget, 4, 1, &mut place).is_some());
    }

    #[test]
    fn a_small_request_does_not_overtake_a_large_request_that_waits() {
        let budget = budget();
        let held = lease(&budget, 5, 0, &mut None).unwrap();
        let (mut large, mut small) = (None, None);
        assert!(lease(&budget, 8, 0, &mut large).is_none());
        assert!(lease(&budget, 1, 0, &mut small).is_none(), "one byte would fit, but another request waits");
        drop(held);
        assert!(lease(&budget, 1, 1, &mut small).is_none(), "the large request is first");
        let leased = lease(&budget, 8, 1, &mut large).unwrap();
        drop(large);
        assert!(lease(&budget, 1, 1, &mut small).is_some());
        drop(leased);
    }

    #[test]
    fn the_next_waiter_gets_a_lease_when_the_waiter_before_it_leaves() {
        let budget = budget();
        let _held = lease(&budget, 5, 0, &mut None).unwrap();
        let (mut large, mut small) = (None, None);
        assert!(lease(&budget, 8, 0, &mut large).is_none());
        assert!(lease(&budget, 1, 0, &mut small).is_none());
        drop(large);
        assert!(lease(&budget, 1, 0, &mut small).is_some());
    }

    #[test]
    fn a_waiter_that_the_runtime_dropped_is_forgotten() {
        let budget = budget();
        let _held = lease(&budget, 5, 0, &mut None).unwrap();
        let mut large = None;
        assert!(lease(&budget, 8, 0, &mut large).is_none());
        std::mem::forget(large);
        assert!(lease(&budget, 1, 4, &mut None).is_none());
        assert!(lease(&budget, 1, 6, &mut None).is_some());
    }

    #[test]
    fn a_lease_of_a_dropped_request_ends_and_a_lease_in_use_stays() {
        let budget = budget();
        let used = lease(&budget, 5, 0, &mut None).unwrap();
        std::mem::forget(lease(&budget, 5, 0, &mut None));
        used.touch(at(170));
        assert!(lease(&budget, 5, 179, &mut None).is_none());
        let third = lease(&budget, 5, 185, &mut None);
        assert!(third.is_some());
        assert_eq!(budget.usage().held.wasm, 10, "the lease in use still counts");
    }

    #[test]
    fn a_request_that_needs_more_than_the_budget_waits_for_the_whole_budget() {
        let budget = budget();
        let small = lease(&budget, 1, 0, &mut None).unwrap();
        let mut place = None;
        assert!(lease(&budget, 99, 0, &mut place).is_none());
        drop(small);
        let all = lease(&budget, 99, 0, &mut place).unwrap();
        assert_eq!(budget.usage().held.wasm, 10);
        drop(all);
        let usage = budget.usage();
        assert_eq!((usage.held.wasm, usage.most.wasm, usage.leases), (0, 10, 0));
    }

    #[test]
    fn try_lease_now_keeps_the_spare_memory_free_and_does_not_overtake_a_waiting_request() {
        let budget = budget();
        let now = |bytes| budget.try_lease_now(Memory::wasm(bytes), Memory::wasm(5), at(0));
        let half = now(5).unwrap();
        assert!(now(1).is_none(), "five bytes stay free");
        drop(half);
        let _held = lease(&budget, 5, 0, &mut None).unwrap();
        let mut place = None;
        assert!(lease(&budget, 6, 0, &mut place).is_none());
        assert!(budget.try_lease_now(Memory::wasm(1), Memory::default(), at(0)).is_none(), "a request waits");
        drop(place);
        assert!(budget.try_lease_now(Memory::wasm(1), Memory::default(), at(0)).is_some());
    }

    #[test]
    fn joined_leases_are_touched_together_and_end_together() {
        let (one, other) = (budget(), budget());
        let mut lease_of_one = lease(&one, 10, 0, &mut None).unwrap();
        lease_of_one.join(lease(&other, 10, 0, &mut None));
        lease_of_one.join(None);
        lease_of_one.touch(at(170));
        assert!(lease(&other, 1, 185, &mut None).is_none());
        drop(lease_of_one);
        assert_eq!((one.usage().leases, other.usage().leases), (0, 0));
    }

    #[test]
    fn a_lease_can_shrink_but_not_grow() {
        let budget = budget();
        let held = lease(&budget, 8, 0, &mut None).unwrap();
        held.shrink_to(Memory::wasm(3));
        held.shrink_to(Memory::wasm(9));
        assert_eq!((held.amount().wasm, budget.usage().held.wasm), (3, 3));
        assert!(lease(&budget, 7, 0, &mut None).is_some());
    }

    #[test]
    fn a_lease_needs_free_memory_of_both_kinds() {
        let budget = budget();
        let _js = budget.try_lease(Memory::js(3), at(0), &mut None).unwrap();
        assert!(budget.try_lease(Memory { wasm: 1, js: 2 }, at(0), &mut None).is_none());
        assert!(budget.try_lease(Memory { wasm: 10, js: 1 }, at(0), &mut None).is_some());
    }
}
