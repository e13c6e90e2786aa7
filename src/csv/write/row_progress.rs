//! Progress of a row that is written in parts.

/// How far a row has been written.
#[derive(Debug, Clone, Default)]
pub(in crate::csv) struct RowProgress {
    /// Index, among the written fields, of the current field.
    pub(super) field: usize,
    /// Bytes of its text that have been written.
    pub(super) byte: usize,
    /// Whether the field is quoted. Set when its first bytes are written.
    pub(super) quoted: bool,
}

/// Returns the number of bytes of a text that can be written before `out` has more than `target_bytes` bytes, if each
/// byte may become `growth` bytes. Returns at least 1.
pub(super) fn bytes_that_fit(out: &[u8], target_bytes: usize, growth: usize) -> usize {
    (target_bytes.saturating_sub(out.len()) / growth).max(1)
}
