//! How many calls to other services one event of the platform may make.

/// The calls an event has left. Whoever is about to make some takes them first, the most it may need: what does not fit is
/// left for the next event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subrequests {
    left: u32,
}

impl Subrequests {
    /// What the platform allows one event: 1,000 subrequests (Workers, paid plan).
    pub const PER_EVENT: u32 = 1_000;

    /// The calls of a new event.
    pub fn of_event() -> Self {
        Self::of(Self::PER_EVENT)
    }

    /// So many calls.
    pub fn of(calls: u32) -> Self {
        Self { left: calls }
    }

    /// How many are left.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Takes so many calls; `false`, and none taken, if fewer are left.
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

    /// How many things can be done that take `each` calls and together `base` more; at most `most`.
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
    fn what_does_not_fit_is_not_taken() {
        let mut calls = Subrequests::of(10);
        assert!(calls.take(7));
        assert!(!calls.take(4));
        assert_eq!(calls.left(), 3);
        assert!(calls.take(3));
    }

    #[test]
    fn things_are_counted_by_what_all_of_them_take() {
        let calls = Subrequests::of(10);
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
