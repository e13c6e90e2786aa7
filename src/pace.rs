//! How much of a stream is read at once.
//!
//! Every read leaves garbage in the runtime's heap, and what is thrown away stays there for long: so reads of a request's
//! body grow while they are quick. What a read has taken in is lost where its connection breaks: so they shrink again at
//! once when they are not.

use crate::ports::PIECE_BYTES;

/// The longest read.
pub const LONGEST_READ_BYTES: usize = 8 * PIECE_BYTES;

/// What a read may take so that the next may be twice as long.
const QUICK_MS: f64 = 100.0;

/// The length of the next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    read_bytes: usize,
    longest_bytes: usize,
}

impl Pace {
    /// Reads of one piece each.
    pub const STEADY: Self = Self { read_bytes: PIECE_BYTES, longest_bytes: PIECE_BYTES };
    /// Reads that grow while they are quick.
    pub const GROWING: Self = Self { read_bytes: PIECE_BYTES, longest_bytes: LONGEST_READ_BYTES };

    /// How long the next read is.
    pub fn read_bytes(self) -> usize {
        self.read_bytes
    }

    /// Notes how many milliseconds a read took.
    pub fn note(&mut self, took_ms: f64) {
        self.read_bytes = match took_ms <= QUICK_MS {
            true => self.longest_bytes.min(2 * self.read_bytes),
            false => PIECE_BYTES,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_grow_while_they_are_quick_and_shrink_at_once() {
        let mut pace = Pace::GROWING;
        let mut lengths = Vec::new();
        for took_ms in [0.0, 100.0, 1.0, 1.0, 101.0, 5.0, 60_000.0, f64::NAN] {
            pace.note(took_ms);
            lengths.push(pace.read_bytes() / PIECE_BYTES);
        }
        assert_eq!(lengths, [2, 4, 8, 8, 1, 2, 1, 1]);
    }

    #[test]
    fn steady_reads_stay_as_they_are() {
        let mut pace = Pace::STEADY;
        for took_ms in [0.0, 1.0, 1_000.0] {
            pace.note(took_ms);
            assert_eq!(pace.read_bytes(), PIECE_BYTES);
        }
    }
}
