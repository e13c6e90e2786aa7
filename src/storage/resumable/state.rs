//! An upload as it is in memory while its session lives.

use super::observers::Learned;
use super::record::{Rest, UploadRecord};
use crate::csv::profile::{Grown, SavedState};
use crate::http::tus::Checksum;
use crate::ports::PartBuffer;

/// The upload as it is in memory.
pub(super) struct UploadState {
    pub(super) record: UploadRecord,
    /// What it takes to receive, once somebody does.
    pub(super) work: Option<PartInProgress>,
    /// Whether the bytes of the last request came quickly.
    pub(super) came_quickly: bool,
}

impl UploadState {
    /// How many bytes have come in, kept or not.
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

/// What a request's bytes announce of themselves.
pub(super) struct Announced {
    pub(super) checksum: Option<Checksum>,
    /// A SHA-256, by another header.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) body_bytes: Option<u64>,
}

impl Announced {
    /// Whether they are kept as a whole or not at all.
    pub(super) fn is_checked(&self) -> bool {
        self.checksum.is_some() || self.digest.is_some()
    }
}

/// The part that is not full, and all that goes with it.
pub(super) struct PartInProgress {
    pub(super) part: Box<dyn PartBuffer>,
    pub(super) rest: Rest,
    pub(super) learned: Learned,
    /// What the observers knew at the end of the last part, while it is not saved.
    pub(super) at_last_part: Option<SavedState>,
    /// How much of what only grows of that is saved.
    pub(super) grown: Grown,
    /// The rows that what is saved next replaces.
    pub(super) replaced: Vec<String>,
    /// The first bytes of the file, until it is judged by them.
    pub(super) sample: Vec<u8>,
}
