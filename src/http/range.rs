//! Ranges.

/// A range of bytes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte, from 0.
    pub start: u64,
    /// Last byte.
    pub end_inclusive: u64,
}

impl ByteRange {
    /// How many bytes it spans.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u64 {
        self.end_inclusive - self.start + 1
    }
}
