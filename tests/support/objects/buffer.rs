//! An in-memory buffer for one part.

use std::any::Any;
use std::ops::Range;

use bytes::Bytes;
use cutty::ports::PartBuffer;

/// The bytes of one part.
pub(super) struct MemoryBuffer {
    bytes: Vec<u8>,
    length_bytes: usize,
}

impl MemoryBuffer {
    /// Creates a buffer that holds at most `length_bytes` bytes.
    pub(super) fn new(length_bytes: usize) -> Self {
        Self { bytes: Vec::new(), length_bytes }
    }
}

impl PartBuffer for MemoryBuffer {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        assert!(self.bytes.len() <= self.length_bytes, "the buffer is too small");
    }

    fn copy(&self, range: Range<usize>) -> Vec<u8> {
        self.bytes[range].to_vec()
    }

    fn clear(&mut self) {
        self.bytes.clear();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Returns the bytes in a buffer that this store made.
pub(super) fn buffered(buffer: &dyn PartBuffer) -> Bytes {
    Bytes::copy_from_slice(
        &buffer.as_any().downcast_ref::<MemoryBuffer>().expect("another store made the buffer").bytes,
    )
}
