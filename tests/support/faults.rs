//! Every call to a port, in order, and which of them go wrong.
//!
//! One plan serves all doubles of an application, so that a test can break "the third call, whatever it is", and try
//! every such point in turn.

use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It reports failure, and nothing happened.
    Failed,
    /// It reports failure, but was done.
    DoneButReportedFailed,
    /// The isolate dies before anything happens: the call, and every later one, never returns.
    CrashBefore,
    /// The isolate dies when it is done: the same, but it happened.
    CrashAfter,
}

impl Fault {
    /// Every way, for tests that try them all.
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
}

/// A call as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub port: Port,
    /// The port's method.
    pub method: &'static str,
    /// An object's key, the text of the statements (a line break between them), or a job's JSON.
    pub subject: String,
    /// How many statements it ran; 1 for all but batches.
    pub statements: usize,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{} {}", self.port, self.method, self.subject)
    }
}

/// Which calls are meant.
#[derive(Debug, Clone, Default)]
pub struct On {
    port: Option<Port>,
    method: Option<&'static str>,
    prefix: Option<String>,
    part: Option<String>,
}

impl On {
    /// Every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// Batches and queries.
    pub fn database() -> Self {
        Self { port: Some(Port::Database), ..Self::default() }
    }

    /// Calls to the object store.
    pub fn objects() -> Self {
        Self { port: Some(Port::Objects), ..Self::default() }
    }

    /// Commands to named objects.
    pub fn named_objects() -> Self {
        Self { port: Some(Port::NamedObjects), ..Self::default() }
    }

    /// Jobs handed over.
    pub fn queue() -> Self {
        Self { port: Some(Port::Queue), ..Self::default() }
    }

    /// Only this method of the port, `put_stream` say.
    pub fn method(mut self, name: &'static str) -> Self {
        self.method = Some(name);
        self
    }

    /// Only keys (or other subjects) that begin so.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// Only subjects in which this text occurs, `INSERT INTO files` say.
    pub fn about(mut self, part: &str) -> Self {
        self.part = Some(part.to_owned());
        self
    }

    fn means(&self, call: &Call) -> bool {
        self.port.is_none_or(|port| port == call.port)
            && self.method.is_none_or(|method| method == call.method)
            && self.prefix.as_ref().is_none_or(|prefix| call.subject.starts_with(prefix.as_str()))
            && self.part.as_ref().is_none_or(|part| call.subject.contains(part.as_str()))
    }
}

/// When a rule applies, counted over the calls it means, since it was made.
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
    yields: bool,
}

/// The calls made, and the plan of what goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// Breaks the `nth` call (from 1, counted from now) of those meant, once.
    pub fn inject(&self, fault: Fault, on: On, nth: usize) {
        assert!(nth > 0, "calls are counted from 1");
        self.add(Rule { fault, on, when: When::Nth(nth), seen: 0 });
    }

    /// Breaks all calls meant until [`Self::clear`]: an outage.
    pub fn always(&self, fault: Fault, on: On) {
        self.add(Rule { fault, on, when: When::Always, seen: 0 });
    }

    fn add(&self, rule: Rule) {
        self.0.lock().unwrap().rules.push(rule);
    }

    /// Forgets the plan and revives a crashed isolate. What was called stays known.
    pub fn clear(&self) {
        let mut state = self.0.lock().unwrap();
        state.rules.clear();
        state.crashed = false;
        state.fired = 0;
    }

    /// Lets every call wait for one more turn before it does anything, so that requests polled together interleave.
    pub fn take_turns(&self, yields: bool) {
        self.0.lock().unwrap().yields = yields;
    }

    /// How many calls went wrong since the last [`Self::clear`]: 0 means that the plan never applied.
    pub fn fired(&self) -> usize {
        self.0.lock().unwrap().fired
    }

    /// Whether a crash has happened.
    pub fn crashed(&self) -> bool {
        self.0.lock().unwrap().crashed
    }

    /// Every call since the start or [`Self::forget_calls`].
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }

    /// How many calls were of those meant.
    pub fn count(&self, on: &On) -> usize {
        self.0.lock().unwrap().calls.iter().filter(|call| on.means(call)).count()
    }

    /// How many statements the calls meant ran.
    pub fn statements(&self, on: &On) -> usize {
        let state = self.0.lock().unwrap();
        state.calls.iter().filter(|call| on.means(call)).map(|call| call.statements).sum()
    }

    /// Starts counting again, for tests of what one request costs.
    pub fn forget_calls(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// Runs `work` as an isolate would: `None` if it crashed on the way. Its future is dropped where it stood.
    pub async fn until_crash<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.crashed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Notes a call, does it unless the plan says otherwise, and returns what the caller gets to see.
    ///
    /// `deed` must only become visible at its end: the plan stands before and after it, never within.
    pub async fn call<T, E>(
        &self,
        call: Call,
        report: impl FnOnce(String) -> E,
        deed: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let message =
            format!("injected fault at {}.{}", format!("{:?}", call.port).to_lowercase(), call.method);
        if self.0.lock().unwrap().yields {
            one_turn().await;
        }
        match self.decide(call) {
            None => deed.await,
            Some(Fault::Failed) => Err(report(message)),
            Some(Fault::DoneButReportedFailed) => deed.await.and(Err(report(message))),
            Some(Fault::CrashBefore) => pending().await,
            Some(Fault::CrashAfter) => {
                let _ = deed.await;
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
        for rule in state.rules.iter_mut().filter(|rule| rule.on.means(&call)) {
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

/// Lets whoever else is polled go first, once.
async fn one_turn() {
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
