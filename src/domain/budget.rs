//! The budget of an event: how many calls to other services it may still make.

/// The calls that an event may still make. Before code makes calls, it must take the maximum number of these calls from
/// the budget. Work that does not fit into the budget waits for the next event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallBudget {
    left: u32,
}

impl CallBudget {
    /// Maximum number of calls of one event: the platform allows 1,000 subrequests (Workers, paid plan).
    pub const PER_EVENT: u32 = 1_000;

    /// Budget of a new event.
    pub fn of_event() -> Self {
        Self::of(Self::PER_EVENT)
    }

    /// Budget of `calls` calls.
    pub fn of(calls: u32) -> Self {
        Self { left: calls }
    }

    /// Returns the number of calls that are left.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Takes `calls` calls from the budget. If fewer calls are left, takes none and returns `false`.
    #[must_use]
    pub fn take(&mut self, calls: u32) -> bool {
        match self.left.checked_sub(calls) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Returns the number of items, at most `most`, for which the budget is enough. Each item needs `each` calls, and
    /// all items together need `base` additional calls.
    pub fn affords(&self, base: u32, each: u32, most: u64) -> u64 {
        match (self.left.checked_sub(base), each) {
            (None, _) => 0,
            (Some(_), 0) => most,
            (Some(left), each) => most.min(u64::from(left / each)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_exceed_the_budget_are_refused_and_change_nothing() {
        let mut calls = CallBudget::of(10);
        assert!(calls.take(7));
        assert!(!calls.take(4));
        assert_eq!(calls.left(), 3);
        assert!(calls.take(3));
    }

    #[test]
    fn the_budget_must_cover_the_base_calls_and_the_calls_of_each_item() {
        let calls = CallBudget::of(10);
        for (base, each, most, wanted) in [
            (0, 2, 9, 5),
            (1, 2, 9, 4),
            (2, 2, 3, 3),
            (10, 2, 9, 0),
            (11, 2, 9, 0),
            (3, 0, 9, 9),
            (11, 0, 9, 0),
        ] {
            assert_eq!(calls.affords(base, each, most), wanted, "{base} + {each} each");
        }
    }
}
