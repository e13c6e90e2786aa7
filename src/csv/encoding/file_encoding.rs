//! The encodings that files may have.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use oem_cp::code_table as tables;

/// The encoding of a file: one of the WHATWG Encoding Standard, or a code page of DOS, which old programs still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEncoding {
    /// An encoding of the Encoding Standard.
    Standard(&'static Encoding),
    /// A code page of DOS that the standard does not have.
    CodePage(&'static CodePage),
}

/// A code page of DOS. Its first 128 characters are ASCII.
#[derive(Debug, PartialEq, Eq)]
pub struct CodePage {
    number: u16,
    /// The name that IANA has registered.
    name: &'static str,
    /// The characters of the bytes from 0x80.
    upper: &'static [char; 128],
}

const fn page(number: u16, name: &'static str, upper: &'static [char; 128]) -> CodePage {
    CodePage { number, name, upper }
}

/// All code pages. Page 866 is not here, because the Encoding Standard has it.
static CODE_PAGES: [CodePage; 10] = [
    page(437, "IBM437", &tables::DECODING_TABLE_CP437),
    page(737, "cp737", &tables::DECODING_TABLE_CP737),
    page(775, "IBM775", &tables::DECODING_TABLE_CP775),
    page(850, "IBM850", &tables::DECODING_TABLE_CP850),
    page(852, "IBM852", &tables::DECODING_TABLE_CP852),
    page(855, "IBM855", &tables::DECODING_TABLE_CP855),
    page(858, "IBM00858", &tables::DECODING_TABLE_CP858),
    page(860, "IBM860", &tables::DECODING_TABLE_CP860),
    page(863, "IBM863", &tables::DECODING_TABLE_CP863),
    page(865, "IBM865", &tables::DECODING_TABLE_CP865),
];

impl CodePage {
    /// Returns the code page that a label such as `cp850`, `ibm850`, `IBM-850`, `IBM00858` or `dos-437` names. The label
    /// is in lower case and has `-` instead of `_`.
    pub(super) fn for_label(label: &str) -> Option<&'static Self> {
        let prefixes = ["csibm", "ibm", "cp", "dos", "oem", "csp", "pc"];
        let number = prefixes.iter().find_map(|prefix| label.strip_prefix(prefix))?;
        let number: u16 = number.trim_start_matches(['-', '0']).parse().ok()?;
        CODE_PAGES.iter().find(|page| page.number == number)
    }

    /// Returns the character of a byte.
    pub(super) fn character(&self, byte: u8) -> char {
        match byte.checked_sub(0x80) {
            None => char::from(byte),
            Some(position) => self.upper[usize::from(position)],
        }
    }
}

impl FileEncoding {
    /// UTF-8.
    pub const UTF_8: Self = Self::Standard(UTF_8);

    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard(encoding) => encoding.name(),
            Self::CodePage(page) => page.name,
        }
    }

    /// Whether this is UTF-16, in either byte order.
    pub fn is_utf16(self) -> bool {
        self == UTF_16LE || self == UTF_16BE
    }
}

impl From<&'static Encoding> for FileEncoding {
    fn from(encoding: &'static Encoding) -> Self {
        Self::Standard(encoding)
    }
}

impl PartialEq<&'static Encoding> for FileEncoding {
    fn eq(&self, other: &&'static Encoding) -> bool {
        matches!(self, Self::Standard(encoding) if encoding == other)
    }
}
