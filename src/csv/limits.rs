//! Bounds and rules that hold for every file, whichever way it is read.

/// The most fields a record may have. Real tables stay far below; sixteen-bit spreadsheets end at 16,384.
pub const MAX_FIELDS: usize = 100_000;

/// Whether a byte can stand between fields: ASCII (so that it cannot be part of a character), and neither
/// NUL nor a byte that has another meaning.
pub fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\r' | b'\n')
}
