//! Amounts of the isolate's memory that cuts and pages lease.

use crate::body::read_size::OBJECT_READ_BYTES;
use crate::body::stream::OUTGOING_BYTES;
use crate::memory::budget::Memory;
use crate::storage::part_writer::STREAM_PART_BYTES;

/// Memory for a cut without long records. In wasm: a piece of the file, two pieces of output and the state of the
/// filter. In JavaScript: the buffer for reads from R2 and the buffer of the response.
pub const CUT: Memory = Memory { wasm: 896 << 10, js: OBJECT_READ_BYTES + OUTGOING_BYTES };

/// Memory for a cut that is saved or spooled: the memory of [`CUT`], the buffer of a part, and the profile of the saved
/// file.
pub const CUT_AND_PART: Memory = Memory { wasm: 2 << 20, js: CUT.js + STREAM_PART_BYTES };

/// Memory for a page of rows and for the piece of the file from which the page is read.
pub const PAGE: Memory = Memory { wasm: 1 << 20, js: OBJECT_READ_BYTES };

/// Length of a record, in bytes, above which a cut or page needs an additional lease (`App::lease_large_memory`).
pub const LONG_RECORD_BYTES: usize = 512 << 10;

/// Memory for a count: the memory of a cut, and the marks of the matching rows.
pub const COUNT: Memory = Memory { wasm: CUT.wasm + MARKS_BYTES, js: CUT.js };

/// Memory for a page of matching rows: the memory of a page, and the marks.
pub const MATCHING_PAGE: Memory = Memory { wasm: PAGE.wasm + MARKS_BYTES, js: PAGE.js };

/// The marks of a count, in memory and encoded.
const MARKS_BYTES: usize = 512 << 10;
