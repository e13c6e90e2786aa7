//! How much of a stream is read at once.
//!
//! What the runtime does for one read costs as much as looking at tens of kilobytes, and leaves garbage in its heap that
//! stays for long: so reads are longer than the pieces that are looked at. But what a read of a request's body has taken
//! in is lost where the connection breaks: so those are long only while they are quick.

use crate::ports::PIECE_BYTES;

/// A read of an object: as many buffers of that length are held as objects are read at once.
pub const OBJECT_READ_BYTES: usize = 2 * PIECE_BYTES;

/// A long read of a request's body.
pub const LONG_READ_BYTES: usize = 8 * PIECE_BYTES;

/// What a read of a body may take so that the next is a long one.
const QUICK_MS: f64 = 100.0;

/// The length of the next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    read_bytes: usize,
    slow_bytes: usize,
    quick_bytes: usize,
}

impl Pace {
    /// Of an object.
    pub const OBJECT: Self = Self::between(OBJECT_READ_BYTES, OBJECT_READ_BYTES);
    /// Of a request's body.
    pub const BODY: Self = Self::between(PIECE_BYTES, LONG_READ_BYTES);

    const fn between(slow_bytes: usize, quick_bytes: usize) -> Self {
        Self { read_bytes: slow_bytes, slow_bytes, quick_bytes }
    }

    /// How long the next read is.
    pub fn read_bytes(self) -> usize {
        self.read_bytes
    }

    /// Notes how many milliseconds a read took.
    pub fn note(&mut self, took_ms: f64) {
        self.read_bytes = if took_ms <= QUICK_MS { self.quick_bytes } else { self.slow_bytes };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_bodies_are_long_while_they_are_quick() {
        let mut pace = Pace::BODY;
        let mut lengths = Vec::new();
        for took_ms in [0.0, 100.0, 1.0, 1.0, 101.0, 5.0, 60_000.0, f64::NAN] {
            pace.note(took_ms);
            lengths.push(pace.read_bytes() / PIECE_BYTES);
        }
        assert_eq!(lengths, [8, 8, 8, 8, 1, 8, 1, 1]);
    }

    #[test]
    fn reads_of_objects_stay_as_they_are() {
        let mut pace = Pace::OBJECT;
        for took_ms in [0.0, 1.0, 1_000.0] {
            pace.note(took_ms);
            assert_eq!(pace.read_bytes(), OBJECT_READ_BYTES);
        }
    }
}
