//! The state of an upload in the memory of its session.

use super::observers::UploadObservers;
use super::record::{RestRows, UploadRecord};
use crate::csv::profile::{AppendOnlyCounts, SavedState};
use crate::http::tus::Checksum;
use crate::ports::PartBuffer;
use crate::storage::profiling::memory::ProfilerMemory;

/// The state of an upload in memory.
pub(super) struct UploadState {
    pub(super) record: UploadRecord,
    /// The unfinished part; `None` if it is not in memory.
    pub(super) work: Option<PartInProgress>,
    /// Whether the last request sent its bytes fast. The next request then starts with long reads.
    pub(super) last_was_fast: bool,
}

impl UploadState {
    /// Returns the number of bytes that have arrived, including the bytes in memory that are not stored yet.
    pub(super) fn received(&self) -> u64 {
        match &self.work {
            Some(work) => {
                let received = self.record.bytes_in_parts() + work.part.len() as u64;
                self.record.plan.length.map_or(received, |length| received.min(length))
            }
            None => self.record.offset(),
        }
    }
}

/// The length and the hashes that a request announces for its body.
pub(super) struct DeclaredBody {
    pub(super) checksum: Option<Checksum>,
    /// The SHA-256 in `Repr-Digest` or `Content-Digest`.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) body_bytes: Option<u64>,
}

impl DeclaredBody {
    /// Whether the request announces a hash. If it does, the session keeps either all bytes of the body or none.
    pub(super) fn is_checked(&self) -> bool {
        self.checksum.is_some() || self.digest.is_some()
    }
}

/// The part that is not full yet, and the state that belongs to it.
pub(super) struct PartInProgress {
    pub(super) part: Box<dyn PartBuffer>,
    pub(super) rest: RestRows,
    pub(super) observers: UploadObservers,
    pub(super) profiler_memory: ProfilerMemory,
    /// The state of the observers at the end of the last full part; `None` after this state was saved.
    pub(super) at_last_part: Option<SavedState>,
    /// How many entries of the append-only state are saved.
    pub(super) grown: AppendOnlyCounts,
    /// The names of the rows that are deleted after the next save.
    pub(super) replaced: Vec<String>,
    /// The first bytes of the file. Empty after the content check.
    pub(super) sample: Vec<u8>,
}
