//! Makes CSV files of real words in every encoding.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, IBM866, ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4,
    ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_8_I, ISO_8859_10, ISO_8859_13, ISO_8859_14,
    ISO_8859_15, ISO_8859_16, KOI8_R, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_874,
    WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256,
    WINDOWS_1257, WINDOWS_1258, X_MAC_CYRILLIC,
};
use std::fmt::Write;

const WESTERN: &[&str] = &["en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "is"];
const CENTRAL: &[&str] = &["pl", "cs", "sk", "hu", "ro", "hr", "sl", "de"];
const CYRILLIC: &[&str] = &["ru", "uk", "bg", "sr"];
const ALL: &[&str] = &[
    "en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "is", "pl", "cs", "sk", "hu", "ro",
    "hr", "sl", "ru", "uk", "bg", "sr", "el", "tr", "he", "ar", "fa", "lt", "lv", "et", "vi", "th", "ja",
    "zh", "tw", "ko",
];

/// The encodings, and the languages that are written in them.
pub const ENCODINGS: [(&Encoding, &[&str]); 38] = [
    (UTF_8, ALL),
    (UTF_16LE, ALL),
    (UTF_16BE, ALL),
    (WINDOWS_1252, WESTERN),
    (WINDOWS_1250, CENTRAL),
    (WINDOWS_1251, CYRILLIC),
    (WINDOWS_1253, &["el"]),
    (WINDOWS_1254, &["tr"]),
    (SHIFT_JIS, &["ja"]),
    (EUC_KR, &["ko"]),
    (GBK, &["zh"]),
    (BIG5, &["tw"]),
    (WINDOWS_1255, &["he"]),
    (WINDOWS_1256, &["ar", "fa"]),
    (WINDOWS_1257, &["lt", "lv", "et"]),
    (WINDOWS_1258, &["vi"]),
    (WINDOWS_874, &["th"]),
    (GB18030, &["zh", "tw"]),
    (EUC_JP, &["ja"]),
    (ISO_2022_JP, &["ja"]),
    (MACINTOSH, WESTERN),
    (X_MAC_CYRILLIC, CYRILLIC),
    (KOI8_R, &["ru", "bg"]),
    (KOI8_U, &["uk", "ru"]),
    (IBM866, &["ru", "bg"]),
    (ISO_8859_2, CENTRAL),
    (ISO_8859_3, &["mt", "eo"]),
    (ISO_8859_4, &["lt", "lv", "et"]),
    (ISO_8859_5, CYRILLIC),
    (ISO_8859_6, &["ar"]),
    (ISO_8859_7, &["el"]),
    (ISO_8859_8, &["he"]),
    (ISO_8859_8_I, &["he"]),
    (ISO_8859_10, &["lt", "is", "sv"]),
    (ISO_8859_13, &["lt", "lv", "et"]),
    (ISO_8859_14, &["cy", "de"]),
    (ISO_8859_15, WESTERN),
    (ISO_8859_16, &["ro", "pl", "hu"]),
];

/// A list of words.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The list: one language per line.
    pub list: &'a str,
    /// Whether the words are written in upper case.
    pub in_capitals: bool,
}

/// Returns a word in upper case. Greek words in upper case have no accents.
fn in_upper_case(word: &str) -> String {
    let accented = "ΆΈΉΊΌΎΏ".chars().zip("ΑΕΗΙΟΥΩ".chars());
    let plain =
        |letter| accented.clone().find(|(known, _)| *known == letter).map_or(letter, |(_, plain)| plain);
    word.to_uppercase().chars().map(plain).collect()
}

/// Returns the words of a language from a list. A list has one language per line. `_` stands for a blank.
fn words(list: &str, language: &str) -> Vec<String> {
    let line = list.lines().find_map(|line| line.strip_prefix(language)?.strip_prefix(": "));
    line.unwrap_or_default().split_whitespace().map(|word| word.replace('_', " ")).collect()
}

/// The vowels of Vietnamese without a tone mark.
const VOWELS: [char; 12] = ['a', 'ă', 'â', 'e', 'ê', 'i', 'o', 'ô', 'ơ', 'u', 'ư', 'y'];
/// The vowels of Vietnamese with a tone mark: for each of the [`VOWELS`], five characters in the order of [`TONES`].
const TONED: &str = "àáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ";
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{309}', '\u{303}', '\u{323}'];

/// Replaces characters that the encoding lacks with those that it uses instead. windows-1258 has separate tone marks
/// for Vietnamese. ISO-8859-16 has the Romanian letters with a comma below, not with a cedilla.
fn adapted(text: &str, encoding: &'static Encoding) -> String {
    if encoding == ISO_8859_16 {
        return text.replace('ş', "ș").replace('ţ', "ț").replace('Ş', "Ș").replace('Ţ', "Ț");
    }
    if encoding != WINDOWS_1258 {
        return text.to_owned();
    }
    let mut adapted = String::new();
    for character in text.chars() {
        let lower = character.to_lowercase().next().unwrap();
        match TONED.chars().position(|toned| toned == lower) {
            None => adapted.push(character),
            Some(at) => {
                let vowel = VOWELS[at / 5];
                if character == lower {
                    adapted.push(vowel);
                } else {
                    adapted.extend(vowel.to_uppercase());
                }
                adapted.push(TONES[at % 5]);
            }
        }
    }
    adapted
}

/// Encodes a text without a byte order mark. Returns `None` if the encoding lacks a character of the text.
pub fn encoded(text: &str, encoding: &'static Encoding) -> Option<Vec<u8>> {
    if encoding == UTF_16LE {
        return Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let (bytes, _, has_unmappable) = encoding.encode(text);
    (!has_unmappable).then(|| bytes.into_owned())
}

/// A seeded generator (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// Values of cells that have no word of the language. They are ASCII.
const PLAIN: [&str; 16] = [
    "Anna",
    "Berlin",
    "open",
    "closed",
    "A-17",
    "kg",
    "Martin",
    "yes",
    "OK",
    "N/A",
    "Peter",
    "Sum 2024",
    "total",
    "EUR",
    "info@example.com",
    "x12",
];
const COLUMNS: usize = 5;

/// Makes a CSV file with `cells` cells. About `share` percent of the cells, but at least one cell, have a word of the
/// language. The other cells have ASCII values. Returns `None` if the encoding lacks characters of every word of the
/// language.
pub fn csv(
    Words { list, in_capitals }: Words<'_>,
    language: &str,
    encoding: &'static Encoding,
    cells: usize,
    share: usize,
    random: &mut Random,
) -> Option<Vec<u8>> {
    let words: Vec<String> = words(list, language)
        .iter()
        .map(|word| adapted(&if in_capitals { in_upper_case(word) } else { word.clone() }, encoding))
        .filter(|word| encoded(word, encoding).is_some())
        .collect();
    if words.is_empty() {
        return None;
    }
    let certain = random.below(cells);
    let delimiter = [",", ";", "\t"][random.below(3)];
    let newline = ["\n", "\r\n"][random.below(2)];
    let mut text = String::new();
    for cell in 0..cells {
        if cell == certain || random.below(100) < share {
            text.push_str(&words[random.below(words.len())]);
        } else {
            let number = random.below(100_000);
            match random.below(4) {
                0 => write!(text, "{number}").unwrap(),
                1 => write!(text, "{}.{:02}", number / 100, number % 100).unwrap(),
                2 => write!(text, "2024-{:02}-{:02}", 1 + number % 12, 1 + number % 28).unwrap(),
                _ => text.push_str(PLAIN[number % PLAIN.len()]),
            }
        }
        text.push_str(if cell % COLUMNS == COLUMNS - 1 { newline } else { delimiter });
    }
    encoded(&text, encoding)
}
