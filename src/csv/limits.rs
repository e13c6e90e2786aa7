//! Limits that hold for every reader of a file.

/// Maximum number of fields that a record may have. Real tables have far fewer fields: a spreadsheet has at most 16,384
/// columns.
pub const MAX_FIELDS: usize = 100_000;
