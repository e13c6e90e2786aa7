//! The cost of a text in one of the encodings of Chinese, Japanese and Korean.
//!
//! The code tables of these encodings have separate parts for frequent and for rare characters, so the cost of a
//! character depends on its part of the table. The most frequent characters of a language are listed, and cost less.

use super::languages::{JAPANESE, KOREAN, SIMPLIFIED, TRADITIONAL};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};

/// An encoding whose characters have one to four bytes.
pub(super) struct DoubleByte {
    pub(super) encoding: &'static Encoding,
    /// The part of the cost that does not depend on the text, in bits.
    pub(super) prior: f32,
    /// Frequent characters of the language.
    frequent: &'static str,
    /// Returns the length in bytes and the cost of the first character of a text, or `None` if the text does not start
    /// with a valid character. The first byte must not be ASCII.
    read: fn(&[u8]) -> Option<(usize, f32)>,
}

/// The double-byte encodings that the guess considers.
pub(super) static DOUBLE_BYTE: [DoubleByte; 5] = [
    DoubleByte { encoding: SHIFT_JIS, prior: 2.0, frequent: JAPANESE, read: shift_jis },
    DoubleByte { encoding: GBK, prior: 2.0, frequent: SIMPLIFIED, read: gbk },
    DoubleByte { encoding: BIG5, prior: 2.0, frequent: TRADITIONAL, read: big5 },
    DoubleByte { encoding: EUC_KR, prior: 2.0, frequent: KOREAN, read: euc_kr },
    DoubleByte { encoding: EUC_JP, prior: 3.0, frequent: JAPANESE, read: euc_jp },
];

// The costs of characters in bits, by their part of the code table. The first level has the common characters, and the
// second level has less common characters.
const KANA: f32 = 6.0;
const FIRST_LEVEL: f32 = 12.5;
const SECOND_LEVEL: f32 = 15.0;
const SYMBOL: f32 = 11.0;
const RARE: f32 = 19.0;
/// The cost of a byte that does not start a valid character, and of each U+FFFD in the decoded text.
const INVALID: f32 = 22.0;
/// The cost of a frequent character is lower by this number of bits.
const FREQUENT: f32 = 4.0;
/// The additional cost of a character for each lower-case ASCII letter directly beside it. Because of this cost, the
/// guess does not read `é` inside a word of Latin letters as a part of a Chinese character.
const BESIDE_LETTER: f32 = 3.0;

/// Returns the cost of the text.
pub(super) fn cost(candidate: &DoubleByte, cells: &[&[u8]]) -> f32 {
    let mut frequent: Vec<char> = candidate.frequent.chars().collect();
    frequent.sort_unstable();
    let mut cost = candidate.prior;
    for cell in cells {
        let mut rest = *cell;
        let mut previous = b' ';
        while let Some(&first) = rest.first() {
            if first.is_ascii() {
                (previous, rest) = (first, &rest[1..]);
                continue;
            }
            let (length, bits) = (candidate.read)(rest).unwrap_or((1, INVALID));
            let next = rest.get(length).copied().unwrap_or(b' ');
            let letters = u8::from(previous.is_ascii_lowercase()) + u8::from(next.is_ascii_lowercase());
            cost += bits + BESIDE_LETTER * f32::from(letters);
            (previous, rest) = (0x80, &rest[length..]);
        }
        let (text, _) = candidate.encoding.decode_without_bom_handling(cell);
        let known = text.chars().filter(|character| frequent.binary_search(character).is_ok()).count();
        cost -= FREQUENT * known as f32;
        let invalid = text.chars().filter(|&character| character == '\u{FFFD}').count();
        cost += INVALID * invalid as f32;
    }
    cost
}

fn pair(bytes: &[u8]) -> Option<(u8, u8)> {
    Some((*bytes.first()?, *bytes.get(1)?))
}

fn shift_jis(bytes: &[u8]) -> Option<(usize, f32)> {
    if matches!(bytes.first()?, 0xA1..=0xDF) {
        // Half-width katakana have one byte each. They usually stand in groups, so a single one costs more.
        let is_alone = !matches!(bytes.get(1), Some(0xA1..=0xDF));
        return Some((1, if is_alone { 10.0 } else { 8.0 }));
    }
    let (first, second) = pair(bytes)?;
    let is_trail = matches!(second, 0x40..=0x7E | 0x80..=0xFC);
    let bits = match (first, second) {
        (0x82, 0x9F..=0xF1) | (0x83, 0x40..=0x96) => KANA,
        (0x81..=0x84, _) => SYMBOL,
        (0x88..=0x97, _) | (0x98, ..=0x72) => FIRST_LEVEL,
        (0x98..=0x9F | 0xE0..=0xEA, _) => SECOND_LEVEL,
        (0x87 | 0xED | 0xEE | 0xFA..=0xFC, _) => RARE,
        _ => return None,
    };
    is_trail.then_some((2, bits))
}

fn gbk(bytes: &[u8]) -> Option<(usize, f32)> {
    let (first, second) = pair(bytes)?;
    let bits = match (first, second) {
        (0xB0..=0xD7, 0xA1..=0xFE) => FIRST_LEVEL,
        (0xD8..=0xF7, 0xA1..=0xFE) => SECOND_LEVEL,
        (0xA1 | 0xA3, 0xA1..=0xFE) => SYMBOL,
        (0xA2 | 0xA4..=0xA9, 0xA1..=0xFE) => SECOND_LEVEL,
        (0x81..=0xFE, 0x30..=0x39) if matches!(bytes.get(2..4), Some([0x81..=0xFE, 0x30..=0x39])) => {
            return Some((4, 1.3 * RARE));
        }
        (0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE) => RARE,
        _ => return None,
    };
    Some((2, bits))
}

fn big5(bytes: &[u8]) -> Option<(usize, f32)> {
    let (first, second) = pair(bytes)?;
    let is_trail = matches!(second, 0x40..=0x7E | 0xA1..=0xFE);
    let bits = match (first, second) {
        (0xA4..=0xC5, _) | (0xC6, ..=0x7E) => FIRST_LEVEL,
        (0xC9..=0xF9, _) => SECOND_LEVEL + 1.0,
        (0xA1..=0xA3, _) => SYMBOL,
        (0x87..=0xFE, _) => RARE,
        _ => return None,
    };
    is_trail.then_some((2, bits))
}

fn euc_kr(bytes: &[u8]) -> Option<(usize, f32)> {
    let (first, second) = pair(bytes)?;
    let bits = match (first, second) {
        (0xB0..=0xC8, 0xA1..=0xFE) => FIRST_LEVEL - 0.5,
        (0xCA..=0xFD, 0xA1..=0xFE) => SECOND_LEVEL + 1.0,
        (0xA1..=0xA3, 0xA1..=0xFE) => SYMBOL,
        (0xA4..=0xAC, 0xA1..=0xFE) => SECOND_LEVEL,
        (0x81..=0xC6, 0x41..=0x5A | 0x61..=0x7A | 0x81..=0xFE) => RARE,
        _ => return None,
    };
    Some((2, bits))
}

fn euc_jp(bytes: &[u8]) -> Option<(usize, f32)> {
    let (first, second) = pair(bytes)?;
    let bits = match (first, second) {
        (0xA4 | 0xA5, 0xA1..=0xFE) => KANA,
        (0xA1 | 0xA3, 0xA1..=0xFE) => SYMBOL,
        (0xB0..=0xCF, 0xA1..=0xFE) => FIRST_LEVEL,
        (0xD0..=0xF4, 0xA1..=0xFE) => SECOND_LEVEL,
        (0x8E, 0xA1..=0xDF) => SYMBOL,
        (0x8F, 0xA1..=0xFE) if matches!(bytes.get(2), Some(0xA1..=0xFE)) => return Some((3, RARE + 4.0)),
        (0xA2 | 0xA6..=0xAF | 0xF5..=0xFE, 0xA1..=0xFE) => RARE,
        _ => return None,
    };
    Some((2, bits))
}

/// Returns the encoding in which Cutty reads the file if the guess is `encoding`. A GBK file is read as GB18030, which
/// has all characters of GBK and more.
pub(super) fn superset(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == GBK { GB18030 } else { encoding }
}
