//! Progress of a long row, which several calls write.

/// How far a row has been written.
#[derive(Debug, Clone, Default)]
pub(in crate::csv) struct RowProgress {
    /// Position of the current field in the list of columns to write.
    pub(super) field: usize,
    /// Number of bytes of the current field's text that have been written.
    pub(super) byte: usize,
    /// Whether the current field is quoted. This value is set when the first bytes of the field are written.
    pub(super) quoted: bool,
}

/// Returns how many bytes of a text can be written until `out` has `target_bytes` bytes, if each byte may become
/// `growth` bytes. Returns at least 1.
pub(super) fn bytes_that_fit(out: &[u8], target_bytes: usize, growth: usize) -> usize {
    (target_bytes.saturating_sub(out.len()) / growth).max(1)
}
