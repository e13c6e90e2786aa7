//! Limits that hold for every reader of a file.

/// Maximum number of fields that a record may have. Real tables have far fewer fields: a spreadsheet has at most 16,384
/// columns.
pub const MAX_FIELDS: usize = 100_000;

/// Whether a byte can be a delimiter. A delimiter must be ASCII, so that it cannot be one byte of a longer character.
/// A delimiter must not be NUL, a quote or a line break.
pub fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\r' | b'\n')
}
