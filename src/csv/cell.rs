//! A record as filters and pages see it: cells by the position of their column.

use super::short_cell::ShortCell;

/// A record as a predicate sees it.
pub trait Cells {
    /// The bytes of the cell in `column` (from 0), unquoted and unescaped; empty when the record is short.
    fn cell(&self, column: usize) -> &[u8];

    /// The same cell as a word, if it is short, perhaps with the quotes it has in the file; none, too, where that would
    /// take time to tell.
    fn short_cell(&self, column: usize) -> Option<ShortCell> {
        let cell = self.cell(column);
        let mut at_start = [0; 8];
        at_start.get_mut(..cell.len())?.copy_from_slice(cell);
        (!cell.is_empty()).then(|| ShortCell::new(u64::from_le_bytes(at_start), cell.len() as u32))
    }
}
