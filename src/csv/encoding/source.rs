//! How the encoding of a file was found.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// How the encoding of a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingSource {
    /// The file starts with a byte order mark.
    ByteOrderMark,
    /// The client declared the encoding.
    Declared,
    /// Cutty detected the encoding from the first bytes of the file, which are not plain ASCII text.
    Detected,
    /// The first bytes of the file are plain ASCII text, so Cutty assumes UTF-8.
    Assumed,
}

impl EncodingSource {
    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byteOrderMark",
            Self::Declared => "declared",
            Self::Detected => "detected",
            Self::Assumed => "assumed",
        }
    }

    pub(in crate::csv) fn save(self, state: &mut StateWriter) {
        state.byte(match self {
            Self::ByteOrderMark => 0,
            Self::Declared => 1,
            Self::Detected => 2,
            Self::Assumed => 3,
        });
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        match state.byte()? {
            0 => Ok(Self::ByteOrderMark),
            1 => Ok(Self::Declared),
            2 => Ok(Self::Detected),
            3 => Ok(Self::Assumed),
            _ => Err(StateError::Damaged),
        }
    }
}
