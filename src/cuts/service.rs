//! The service that cuts files.

use crate::storage::R2StorageService;

/// Cuts a user's files.
#[derive(Clone)]
pub struct CutService {
    pub(super) storage: R2StorageService,
}

impl CutService {
    /// Creates a service that cuts the files of `storage`.
    pub fn new(storage: R2StorageService) -> Self {
        Self { storage }
    }
}
