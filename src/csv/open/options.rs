//! How to read a file, as far as the client says.

use encoding_rs::Encoding;

/// How to read a file, as far as the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputOptions {
    /// Whether the first record holds the names of the columns.
    pub header: bool,
    /// The byte between fields; detected when absent.
    pub delimiter: Option<u8>,
    /// The file's encoding; detected when absent. A byte order mark overrules it.
    pub encoding: Option<&'static Encoding>,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self { header: true, delimiter: None, encoding: None }
    }
}
