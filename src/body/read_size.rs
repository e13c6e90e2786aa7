//! How much of a stream is read at once.
//!
//! What the runtime does for one read costs as much as looking at tens of kilobytes, and leaves garbage in its heap that
//! stays for long: so reads are longer than the pieces that are looked at. But what a read of a request's body has taken
//! in is lost where the connection breaks: so those are long only where they have been quick for a while, and a burst
//! that some buffer on the way gives off does not count.

use super::stream::PIECE_BYTES;

/// A read of an object: as many buffers of that length are held as objects are read at once.
pub const OBJECT_READ_BYTES: usize = 2 * PIECE_BYTES;

/// A long read of a request's body.
pub const LONG_READ_BYTES: usize = 8 * PIECE_BYTES;

/// What comes at least so fast is quick: 4 MB/s, at which a long read takes half a second.
const QUICK_BYTES_PER_MS: f64 = 4_000.0;

/// After so many quick reads in a row come long ones: 2 MiB.
const QUICK_READS: u32 = 8;

/// Whether so many bytes came quickly.
fn is_quick(bytes: u64, took_ms: f64) -> bool {
    bytes as f64 >= took_ms * QUICK_BYTES_PER_MS
}

/// Whether a request's bytes came quickly, and were enough to tell.
pub fn was_quick(bytes: u64, took_ms: f64) -> bool {
    bytes >= LONG_READ_BYTES as u64 && is_quick(bytes, took_ms)
}

/// The length of the next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    short_bytes: usize,
    long_bytes: usize,
    quick_reads: u32,
}

impl Pace {
    /// Of an object.
    pub const OBJECT: Self =
        Self { short_bytes: OBJECT_READ_BYTES, long_bytes: OBJECT_READ_BYTES, quick_reads: 0 };
    /// Of a request's body.
    pub const BODY: Self = Self { short_bytes: PIECE_BYTES, long_bytes: LONG_READ_BYTES, quick_reads: 0 };

    /// How long the next read is.
    pub fn read_bytes(self) -> usize {
        if self.quick_reads < QUICK_READS { self.short_bytes } else { self.long_bytes }
    }

    /// Notes what a read brought in so many milliseconds.
    pub fn note(&mut self, bytes: u64, took_ms: f64) {
        self.quick_reads = if is_quick(bytes, took_ms) { self.quick_reads.saturating_add(1) } else { 0 };
    }

    /// From now on, as if it had been quick for a while.
    pub fn expect_quick(&mut self) {
        self.quick_reads = QUICK_READS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: u64 = PIECE_BYTES as u64;
    const LONG: u64 = LONG_READ_BYTES as u64;

    #[test]
    fn a_burst_makes_no_long_reads() {
        let mut pace = Pace::BODY;
        for _ in 0..3 {
            for _ in 0..QUICK_READS - 1 {
                pace.note(SHORT, 0.0);
                assert_eq!(pace.read_bytes(), PIECE_BYTES);
            }
            pace.note(SHORT, 66.0);
        }
    }

    #[test]
    fn what_is_quick_for_a_while_is_read_long_until_it_is_not() {
        let mut pace = Pace::BODY;
        (0..QUICK_READS).for_each(|_| pace.note(SHORT, 65.0));
        assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        pace.note(LONG, 524.0);
        assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        for slow_ms in [525.0, f64::INFINITY, f64::NAN] {
            pace.note(LONG, slow_ms);
            assert_eq!(pace.read_bytes(), PIECE_BYTES, "{slow_ms}");
            pace.expect_quick();
            assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        }
    }

    #[test]
    fn a_short_request_tells_nothing() {
        assert!(was_quick(LONG, 524.0));
        assert!(!was_quick(LONG, 525.0));
        assert!(!was_quick(LONG - 1, 0.0));
    }

    #[test]
    fn reads_of_objects_stay_as_they_are() {
        let mut pace = Pace::OBJECT;
        for took_ms in [0.0, 1_000.0].repeat(20) {
            pace.note(SHORT, took_ms);
            assert_eq!(pace.read_bytes(), OBJECT_READ_BYTES);
        }
    }
}
