//! Numbers of rows.

use serde::Serialize;
use utoipa::ToSchema;

/// The number of rows that a filter keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowCount {
    /// Number of rows.
    pub rows: u64,
    /// Whether the whole file was counted. In progress lines, `false`: there may be more rows.
    pub exact: bool,
    /// Bytes of the file that were read.
    pub bytes_scanned: u64,
    /// Bytes of the file that were skipped. No row of these bytes can match.
    pub bytes_skipped: u64,
}
