//! Rows that leave in parts.

/// How far a row has been written.
#[derive(Debug, Clone, Default)]
pub(in crate::csv) struct RowProgress {
    /// The field in progress, of those that are written.
    pub(super) field: usize,
    /// Bytes of its text that have been written.
    pub(super) byte: usize,
    /// Whether it gets quotes; known once it has begun.
    pub(super) quoted: bool,
}

/// How many bytes of a text fit into the output until it has `target_bytes`, if each may become so many.
pub(super) fn bytes_that_fit(out: &[u8], target_bytes: usize, growth: usize) -> usize {
    (target_bytes.saturating_sub(out.len()) / growth).max(1)
}
