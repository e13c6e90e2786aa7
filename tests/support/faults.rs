//! A log of all calls to ports, and a plan that says which faults to inject into which calls.
//!
//! All doubles of an application share one log and one plan. A test can therefore break the third call of an operation
//! without knowing to which port this call goes. A test can also repeat the operation and break another call each time.

use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// A failure that a double injects into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call returns an error and has no effect.
    Failed,
    /// The call takes effect, but returns an error.
    DoneButReportedFailed,
    /// The isolate stops before the effect: this call and all later calls never return.
    CrashBefore,
    /// The isolate stops after the effect: this call and all later calls never return.
    CrashAfter,
}

impl Fault {
    /// All faults, for tests that try each one.
    pub const ALL: [Fault; 4] =
        [Self::Failed, Self::DoneButReportedFailed, Self::CrashBefore, Self::CrashAfter];
}

/// The ports that do I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    Database,
    Objects,
    Queue,
    NamedObjects,
    Scanner,
}

/// A call to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub port: Port,
    /// The method of the port.
    pub method: &'static str,
    /// An object key, the SQL of the statements (separated by line breaks), or the JSON of a message or command.
    pub subject: String,
    /// The number of statements of a database batch; 1 for all other calls.
    pub statements: usize,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{} {}", self.port, self.method, self.subject)
    }
}

/// Selects the calls to which a fault applies.
#[derive(Debug, Clone, Default)]
pub struct On {
    port: Option<Port>,
    method: Option<&'static str>,
    prefix: Option<String>,
    part: Option<String>,
}

impl On {
    /// Selects all calls.
    pub fn any() -> Self {
        Self::default()
    }

    /// Selects database batches. A query is a batch of one statement.
    pub fn database() -> Self {
        Self { port: Some(Port::Database), ..Self::default() }
    }

    /// Selects calls to the object store.
    pub fn objects() -> Self {
        Self { port: Some(Port::Objects), ..Self::default() }
    }

    /// Selects commands to named objects.
    pub fn named_objects() -> Self {
        Self { port: Some(Port::NamedObjects), ..Self::default() }
    }

    /// Selects messages sent to the queue.
    pub fn queue() -> Self {
        Self { port: Some(Port::Queue), ..Self::default() }
    }

    /// Selects only calls of this method of the port, for example `put_stream`.
    pub fn method(mut self, name: &'static str) -> Self {
        self.method = Some(name);
        self
    }

    /// Selects only calls whose subject (for example an object key) starts with `prefix`.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// Selects only calls whose subject contains `part`, for example `INSERT INTO files`.
    pub fn about(mut self, part: &str) -> Self {
        self.part = Some(part.to_owned());
        self
    }

    fn selects(&self, call: &Call) -> bool {
        self.port.is_none_or(|port| port == call.port)
            && self.method.is_none_or(|method| method == call.method)
            && self.prefix.as_ref().is_none_or(|prefix| call.subject.starts_with(prefix.as_str()))
            && self.part.as_ref().is_none_or(|part| call.subject.contains(part.as_str()))
    }
}

/// Whether a rule applies to one of the selected calls or to all of them. `Nth(1)` is the first selected call after the
/// rule was added.
#[derive(Debug)]
enum When {
    Nth(usize),
    Always,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    on: On,
    when: When,
    seen: usize,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    fired: usize,
    crashed: bool,
    yield_before_calls: bool,
}

/// The log of calls and the plan of faults.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// Injects a fault once, into the `nth` selected call. Calls are counted from 1, starting now.
    pub fn inject(&self, fault: Fault, on: On, nth: usize) {
        assert!(nth > 0, "calls are counted from 1, so `nth` must not be 0");
        self.add(Rule { fault, on, when: When::Nth(nth), seen: 0 });
    }

    /// Injects a fault into all selected calls until [`Self::clear`], like an outage.
    pub fn always(&self, fault: Fault, on: On) {
        self.add(Rule { fault, on, when: When::Always, seen: 0 });
    }

    fn add(&self, rule: Rule) {
        self.0.lock().unwrap().rules.push(rule);
    }

    /// Removes all faults and restarts a crashed isolate. The log of calls is kept.
    pub fn clear(&self) {
        let mut state = self.0.lock().unwrap();
        state.rules.clear();
        state.crashed = false;
        state.fired = 0;
    }

    /// Sets whether each call first yields once to the other tasks. If each call yields, the calls of concurrent
    /// requests interleave.
    pub fn set_yield_before_calls(&self, yield_before_calls: bool) {
        self.0.lock().unwrap().yield_before_calls = yield_before_calls;
    }

    /// Returns the number of calls into which a fault was injected since the last [`Self::clear`].
    pub fn fired(&self) -> usize {
        self.0.lock().unwrap().fired
    }

    /// Whether a fault has crashed the isolate.
    pub fn crashed(&self) -> bool {
        self.0.lock().unwrap().crashed
    }

    /// Returns all calls since the start or since [`Self::forget_calls`].
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Returns the number of logged calls that `on` selects.
    pub fn count(&self, on: &On) -> usize {
        self.0.lock().unwrap().calls.iter().filter(|call| on.selects(call)).count()
    }

    /// Returns the number of statements in the logged calls that `on` selects.
    pub fn statements(&self, on: &On) -> usize {
        let state = self.0.lock().unwrap();
        state.calls.iter().filter(|call| on.selects(call)).map(|call| call.statements).sum()
    }

    /// Clears the log of calls, for tests that count the calls of one request.
    pub fn forget_calls(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// Runs `work` until it returns or the isolate crashes. After a crash, `work` is dropped unfinished and the result
    /// is `None`.
    pub async fn until_crash<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.crashed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Logs a call, runs `action` unless a fault prevents it, and returns the result for the caller.
    ///
    /// `action` must take effect only at its end, because faults apply before it or after it, never within it.
    pub async fn call<T, E>(
        &self,
        call: Call,
        error: impl FnOnce(String) -> E,
        action: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let message =
            format!("injected fault at {}.{}", format!("{:?}", call.port).to_lowercase(), call.method);
        if self.0.lock().unwrap().yield_before_calls {
            yield_once().await;
        }
        match self.decide(call) {
            None => action.await,
            Some(Fault::Failed) => Err(error(message)),
            Some(Fault::DoneButReportedFailed) => action.await.and(Err(error(message))),
            Some(Fault::CrashBefore) => pending().await,
            Some(Fault::CrashAfter) => {
                let _ = action.await;
                pending().await
            }
        }
    }

    fn decide(&self, call: Call) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        if state.crashed {
            return Some(Fault::CrashBefore);
        }
        let mut fault = None;
        for rule in state.rules.iter_mut().filter(|rule| rule.on.selects(&call)) {
            rule.seen += 1;
            let applies = match rule.when {
                When::Nth(nth) => rule.seen == nth,
                When::Always => true,
            };
            if applies {
                fault = fault.or(Some(rule.fault));
            }
        }
        state.calls.push(call);
        state.fired += usize::from(fault.is_some());
        state.crashed = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
        fault
    }
}

/// Yields once to the other tasks.
async fn yield_once() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
