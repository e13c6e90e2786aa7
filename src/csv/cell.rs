//! Access to the cells of a record by the position of their column.

use super::short_cell::ShortCell;

/// The cells of a record.
pub trait Cells {
    /// Returns the bytes of the cell in `column` (from 0), unquoted and unescaped. Returns an empty slice if
    /// the record has too few fields.
    fn cell(&self, column: usize) -> &[u8];

    /// Returns the cell in `column` as a [`ShortCell`]. `None` if the cell is empty or longer than
    /// [`ShortCell::MAX_BYTES`]. If the field is quoted in the file, the short cell may have the bytes of the field,
    /// quotes included. An implementation may return `None` for any cell, to save time.
    fn short_cell(&self, column: usize) -> Option<ShortCell> {
        let cell = self.cell(column);
        let mut at_start = [0; 8];
        at_start.get_mut(..cell.len())?.copy_from_slice(cell);
        (!cell.is_empty()).then(|| ShortCell::new(u64::from_le_bytes(at_start), cell.len() as u32))
    }
}
