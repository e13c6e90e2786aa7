//! The length of one read of a stream.
//!
//! In the time of one read, Cutty could process tens of kilobytes. Each read also leaves garbage that stays in the
//! JavaScript heap for a long time. Reads are therefore longer than the pieces that Cutty processes.
//!
//! If a client's connection breaks, the bytes of the read in progress are lost. Reads of a request body are therefore
//! long only after `FAST_READS` fast reads in a row. Fewer fast reads do not make reads long: these bytes may come from
//! a buffer between client and Worker, so they do not show the speed of the client.

use super::stream::PIECE_BYTES;

/// Length of a read of an object, in bytes. Each object that is being read holds one buffer of this length.
pub const OBJECT_READ_BYTES: usize = 2 * PIECE_BYTES;

/// Length of a long read of a request body, in bytes.
pub const LONG_READ_BYTES: usize = 8 * PIECE_BYTES;

/// Length of each step of a short read, in bytes. A short read of a request body reads one piece. While other requests
/// wait for memory, a client must send the bytes of one step in two seconds, which is 8 KiB in a second.
const STEP_BYTES: usize = PIECE_BYTES / 16;

/// Minimum speed of a fast read: 4 MB/s. At this speed a long read takes half a second.
const FAST_BYTES_PER_MS: f64 = 4_000.0;

/// Number of fast reads in a row (2 MiB) after which reads become long.
const FAST_READS: u32 = 8;

/// Whether `bytes` arrived at 4 MB/s or more.
fn is_fast(bytes: u64, took_ms: f64) -> bool {
    bytes as f64 >= took_ms * FAST_BYTES_PER_MS
}

/// Whether a request's body arrived at 4 MB/s or more. `false` if the body is shorter than [`LONG_READ_BYTES`], because
/// the time of a short body does not show the speed of the client.
pub fn was_fast(bytes: u64, took_ms: f64) -> bool {
    bytes >= LONG_READ_BYTES as u64 && is_fast(bytes, took_ms)
}

/// Returns the length in bytes of each step of a read. `read_bytes` is the length of the read. A transfer stalls if a
/// step takes longer than [`crate::memory::MAX_STALL`]. A long read is one step.
pub fn step_bytes(read_bytes: usize) -> usize {
    if read_bytes > PIECE_BYTES { read_bytes } else { STEP_BYTES }
}

/// Decides the length of the next read of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    short_bytes: usize,
    long_bytes: usize,
    fast_reads: u32,
}

impl Pace {
    /// Pace of the reads of an object.
    pub const OBJECT: Self =
        Self { short_bytes: OBJECT_READ_BYTES, long_bytes: OBJECT_READ_BYTES, fast_reads: 0 };
    /// Pace of the reads of a request body.
    pub const BODY: Self = Self { short_bytes: PIECE_BYTES, long_bytes: LONG_READ_BYTES, fast_reads: 0 };

    /// Returns the length of the next read, in bytes.
    pub fn read_bytes(self) -> usize {
        if self.fast_reads < FAST_READS { self.short_bytes } else { self.long_bytes }
    }

    /// Records the bytes and the duration of a read.
    pub fn note(&mut self, bytes: u64, took_ms: f64) {
        self.fast_reads = if is_fast(bytes, took_ms) { self.fast_reads.saturating_add(1) } else { 0 };
    }

    /// Makes the next read long, as if `FAST_READS` fast reads had been recorded.
    pub fn expect_fast(&mut self) {
        self.fast_reads = FAST_READS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: u64 = PIECE_BYTES as u64;
    const LONG: u64 = LONG_READ_BYTES as u64;

    #[test]
    fn a_burst_does_not_make_reads_long() {
        let mut pace = Pace::BODY;
        for _ in 0..3 {
            for _ in 0..FAST_READS - 1 {
                pace.note(SHORT, 0.0);
                assert_eq!(pace.read_bytes(), PIECE_BYTES);
            }
            pace.note(SHORT, 66.0);
        }
    }

    #[test]
    fn reads_are_long_after_fast_reads_and_short_after_a_slow_read() {
        let mut pace = Pace::BODY;
        (0..FAST_READS).for_each(|_| pace.note(SHORT, 65.0));
        assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        pace.note(LONG, 524.0);
        assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        for slow_ms in [525.0, f64::INFINITY, f64::NAN] {
            pace.note(LONG, slow_ms);
            assert_eq!(pace.read_bytes(), PIECE_BYTES, "{slow_ms}");
            pace.expect_fast();
            assert_eq!(pace.read_bytes(), LONG_READ_BYTES);
        }
    }

    #[test]
    fn a_short_request_does_not_count_as_fast() {
        assert!(was_fast(LONG, 524.0));
        assert!(!was_fast(LONG, 525.0));
        assert!(!was_fast(LONG - 1, 0.0));
    }

    #[test]
    fn only_short_reads_have_several_steps() {
        assert_eq!(step_bytes(PIECE_BYTES), 16 << 10);
        assert_eq!(
            [LONG_READ_BYTES, OBJECT_READ_BYTES].map(step_bytes),
            [LONG_READ_BYTES, OBJECT_READ_BYTES]
        );
    }

    #[test]
    fn all_reads_of_an_object_have_the_same_length() {
        let mut pace = Pace::OBJECT;
        for took_ms in [0.0, 1_000.0].repeat(20) {
            pace.note(SHORT, took_ms);
            assert_eq!(pace.read_bytes(), OBJECT_READ_BYTES);
        }
    }
}
