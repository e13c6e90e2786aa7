//! Runs several requests concurrently, step by step, in an order that a seed decides. A step of a request ends before
//! the request's next call to a port.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::faults::Faults;
use super::seeds::Rng;

/// A request that is running.
pub type PendingRequest<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs all requests to their end. In each turn, one randomly chosen request runs one step. If `crash_once_in` is
/// `Some(n)`, this request crashes before the step with a probability of 1 in `n`. Then its outcome is `None`, and the
/// effects of its earlier steps are kept.
pub fn run_interleaved<T>(
    faults: &Faults,
    rng: &mut Rng,
    work: Vec<PendingRequest<'_, T>>,
    crash_once_in: Option<usize>,
) -> Vec<Option<T>> {
    faults.set_yield_before_calls(true);
    let mut outcomes: Vec<Option<T>> = work.iter().map(|_| None).collect();
    let mut running: Vec<_> = work.into_iter().enumerate().collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut steps = 0;
    while !running.is_empty() {
        steps += 1;
        assert!(steps < 10_000, "a request makes no progress");
        let turn = rng.below(running.len());
        if crash_once_in.is_some_and(|times| rng.once_in(times)) {
            drop(running.swap_remove(turn));
            continue;
        }
        if let Poll::Ready(outcome) = running[turn].1.as_mut().poll(&mut context) {
            let (index, _) = running.swap_remove(turn);
            outcomes[index] = Some(outcome);
        }
    }
    faults.set_yield_before_calls(false);
    outcomes
}

/// Polls a request once, so that the request runs one step.
pub fn poll_once<T>(work: Pin<&mut dyn Future<Output = T>>) -> Poll<T> {
    work.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the output of a future that must be ready at its first poll.
pub fn expect_ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready at its first poll"),
    }
}
