//! Requests under way at once, in an order that a seed decides: a step goes from one call of a port to the next.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::faults::Faults;
use super::seeds::Lots;

/// A request under way.
pub type UnderWay<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs all of them to their end, one step at a time. With `dying_in`, at each step the isolate of whoever's turn it is
/// dies once in so many times: its outcome is `None`, and what it had begun stays as it is.
pub fn run_in_turns<T>(
    faults: &Faults,
    lots: &mut Lots,
    work: Vec<UnderWay<'_, T>>,
    dying_in: Option<usize>,
) -> Vec<Option<T>> {
    faults.take_turns(true);
    let mut outcomes: Vec<Option<T>> = work.iter().map(|_| None).collect();
    let mut running: Vec<_> = work.into_iter().enumerate().collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut steps = 0;
    while !running.is_empty() {
        steps += 1;
        assert!(steps < 10_000, "a request makes no progress");
        let turn = lots.below(running.len());
        if dying_in.is_some_and(|times| lots.once_in(times)) {
            drop(running.swap_remove(turn));
            continue;
        }
        if let Poll::Ready(outcome) = running[turn].1.as_mut().poll(&mut context) {
            let (index, _) = running.swap_remove(turn);
            outcomes[index] = Some(outcome);
        }
    }
    faults.take_turns(false);
    outcomes
}

/// Lets one do one step.
pub fn poll_once<T>(work: Pin<&mut dyn Future<Output = T>>) -> Poll<T> {
    work.poll(&mut Context::from_waker(Waker::noop()))
}

/// What is done in one step, as nothing waits.
pub fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something waits"),
    }
}
