//! The dialect that a request declares for a file.

use encoding_rs::Encoding;

/// The parts of a file's dialect that a request declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputOptions {
    /// Whether the first record is the header.
    pub header: bool,
    /// The delimiter; detected if absent.
    pub delimiter: Option<u8>,
    /// The encoding of the file; detected if absent. A byte order mark takes precedence.
    pub encoding: Option<&'static Encoding>,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self { header: true, delimiter: None, encoding: None }
    }
}
