//! The verdict of the content scanner that is kept with a file.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Timestamp;

/// The verdict on a stored file. A file in which the scanner found something is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScanVerdict {
    /// The scanner read the file and found nothing.
    Clean,
    /// The scan failed, and the setting `SCAN_FAILURE` accepts such files.
    Unscanned,
    /// A saved cut. It is not scanned, because it has only values of a file that Cutty keeps.
    Derived,
}

impl ScanVerdict {
    /// Returns the name in rows and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Unscanned => "unscanned",
            Self::Derived => "derived",
        }
    }
}

/// A verdict and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanMark {
    /// The verdict.
    pub verdict: ScanVerdict,
    /// When the scanner answered, or when the scan failed.
    pub at: Timestamp,
}
