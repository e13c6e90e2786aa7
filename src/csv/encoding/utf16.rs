//! Recognizes UTF-16 without a byte order mark.
//!
//! UTF-16 writes a line break, a delimiter, a quote, a blank or a digit as two bytes, and one of them is NUL. Text in
//! another encoding has almost no NUL.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

/// In UTF-16 text, at least one unit in this many must be counted in [`Units::structure`].
const UNITS_PER_STRUCTURE: usize = 64;
/// In UTF-16 text, at most one unit in this many may be counted in [`Units::faults`].
const UNITS_PER_FAULT: usize = 200;

/// Returns UTF-16LE or UTF-16BE if the sample is UTF-16 text without a byte order mark. Otherwise returns `None`.
pub fn utf16_without_mark(sample: &[u8]) -> Option<&'static Encoding> {
    memchr::memchr(0, sample)?;
    let little = Units::count(sample, u16::from_le_bytes);
    let big = Units::count(sample, u16::from_be_bytes);
    match (little.is_text(), big.is_text()) {
        (true, true) if big.structure > little.structure => Some(UTF_16BE),
        (true, _) => Some(UTF_16LE),
        (false, true) => Some(UTF_16BE),
        (false, false) => None,
    }
}

/// The numbers of UTF-16 units in a sample, by kind, if the sample is read in one byte order. A unit has two bytes.
#[derive(Default)]
struct Units {
    all: usize,
    /// Line breaks, delimiters, quotes, blanks, digits, and the characters `-`, `.`, `/` and `:`.
    structure: usize,
    /// Line breaks and delimiters.
    separators: usize,
    /// Other units of ASCII and Latin-1 characters.
    latin: usize,
    /// Units whose two bytes are both ASCII characters, at least one of them a line break or a delimiter. If there are
    /// many of them, the sample is ASCII text.
    ascii_pairs: usize,
    /// Control characters, unpaired surrogates, private characters and noncharacters. Text has almost none of them.
    faults: usize,
}

impl Units {
    fn count(sample: &[u8], decode: fn([u8; 2]) -> u16) -> Self {
        /// The byte that ends a text file in DOS. It is no fault at the end of the sample.
        const END_MARK: u16 = 0x1A;
        let (pairs, _) = sample.as_chunks::<2>();
        let pairs = pairs.strip_suffix(&[END_MARK.to_le_bytes()]).unwrap_or(pairs);
        let pairs = pairs.strip_suffix(&[END_MARK.to_be_bytes()]).unwrap_or(pairs);
        let mut units = Self { all: pairs.len(), ..Self::default() };
        for unit in char::decode_utf16(pairs.iter().map(|pair| decode(*pair))) {
            match unit.map(u32::from).unwrap_or(0) {
                0x09 | 0x0A | 0x0D | 0x2C | 0x3B | 0x7C => {
                    units.structure += 1;
                    units.separators += 1;
                }
                0x20 | 0x22 | 0x2D..=0x3A => units.structure += 1,
                0..=0x1F | 0x7F..=0x9F | 0xE000..=0xF8FF | 0xFFFE..=0xFFFF => units.faults += 1,
                0x21..=0xFF => units.latin += 1,
                unit => {
                    let is_separator = |byte: u32| matches!(byte, 0x0A | 0x0D | 0x2C | 0x3B);
                    let (high, low) = (unit >> 8, unit & 0xFF);
                    let is_ascii = |byte: u32| matches!(byte, 0x20..=0x7E | 0x0A | 0x0D | 0x09);
                    let is_pair = is_ascii(high) && is_ascii(low);
                    units.ascii_pairs += usize::from(is_pair && (is_separator(high) || is_separator(low)));
                }
            }
        }
        units
    }

    fn is_text(&self) -> bool {
        self.separators > 0
            && self.structure * UNITS_PER_STRUCTURE >= self.all
            && self.faults * UNITS_PER_FAULT <= self.all
            && self.ascii_pairs <= self.separators / 4
            && self.structure + self.latin >= 4 * self.ascii_pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(encode).collect()
    }

    #[test]
    fn utf16_is_recognized_in_both_byte_orders_and_in_every_script() {
        for text in [
            "a,b\n1,2\n",
            "name;city\nZoë;Łódź\n",
            "имя;город\nЮлия;Москва\n",
            "名前,市\n花子,東京\n",
            "이름,도시\n김,서울\n",
            "שם,עיר\nדן,חיפה\n",
            "a\t😀\n1\t😀😀\n",
        ] {
            assert_eq!(utf16_without_mark(&encoded(text, u16::to_le_bytes)), Some(UTF_16LE), "{text}");
            assert_eq!(utf16_without_mark(&encoded(text, u16::to_be_bytes)), Some(UTF_16BE), "{text}");
            assert_eq!(utf16_without_mark(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn other_bytes_with_nul_are_not_utf16() {
        let mut padded = b"a,b\n".repeat(50);
        padded.extend([0; 8]);
        let records: Vec<u8> =
            (0..100_u32).flat_map(|n| [n as u8, 0, 0, 0, 1, 0, (n / 2) as u8, 9]).collect();
        for bytes in [&b"a,b\n1,\0\n"[..], b"a,b\n\0\0\0\0", b"\0\0\0\0", b"x\0", &padded, &records] {
            assert_eq!(utf16_without_mark(bytes), None, "{bytes:?}");
        }
        let damaged = "id,name\n1,Ann\n".repeat(40).replacen("Ann", "A\0n", 2);
        assert_eq!(utf16_without_mark(damaged.as_bytes()), None);
    }
}
