//! Who cuts.

use crate::storage::R2StorageService;

/// Cuts a user's files.
#[derive(Clone)]
pub struct CutService {
    pub(super) storage: R2StorageService,
}

impl CutService {
    /// Cuts the files of this service.
    pub fn new(storage: R2StorageService) -> Self {
        Self { storage }
    }
}
