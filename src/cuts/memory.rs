//! How much memory of the isolate a cut leases.

use crate::memory::budget::Memory;
use crate::storage::part_writer::STREAM_PART_BYTES;

/// A cut without long records. In wasm: a piece of the file, two pieces of output and the state of the filter. In
/// JavaScript: the buffer for reads from R2 and the buffer of the response.
pub const CUT: Memory = Memory { wasm: 896 << 10, js: 1 << 20 };

/// The part that is stored while a cut is saved or spooled. A saved cut is profiled, too.
pub const CUT_AND_PART: Memory = Memory { wasm: 2 << 20, js: (1 << 20) + STREAM_PART_BYTES };

/// A page of rows, and the piece of the file that it is read from.
pub const PAGE: Memory = Memory { wasm: 1 << 20, js: 1 << 20 };

/// A record that is longer than this, in bytes, needs a lease for a long record.
pub const LONG_RECORD_BYTES: usize = 512 << 10;
