//! The cost of a text in a single-byte encoding.
//!
//! The cost depends on the place of each character in its word, on the frequency of each letter in a language, and on
//! the frequency of each symbol. Only characters that are not ASCII have a cost. All costs are in bits: the cost of
//! something with the probability `p` is `-log2(p)`.

use super::kind::Kind;
use super::languages::{Script, SingleByte};

/// The cost of a letter that is not in the list of its language.
const FOREIGN_LETTER: f32 = 10.5;
/// The cost of a character that does not belong in a text, such as a control character.
const INVALID: f32 = 20.0;
/// The additional cost of a letter in upper case.
const UPPER_CASE: f32 = 2.0;
/// The sum of these costs for a text of at least [`MIN_CAPITALS`] letters, all of them in upper case, in a script
/// without ASCII letters. Some files are in upper case throughout.
const CAPITALS: f32 = 3.0;
const MIN_CAPITALS: u32 = 24;

/// Computes the cost of the text in each language of the encoding, and returns the least cost.
pub(super) fn cost(candidate: &SingleByte, cells: &[&[u8]]) -> f32 {
    let characters = candidate.characters.get_or_init(|| characters(candidate));
    let kind_of = |byte: Option<&u8>| byte.map_or(Kind::Edge, |&byte| characters[usize::from(byte)].1);
    let (mut places, mut capitals, mut has_lower) = (0.0, 0_u32, false);
    let mut counts = [0_u32; 256];
    for cell in cells {
        for (at, &byte) in cell.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()) {
            counts[usize::from(byte)] += 1;
            let before = at.checked_sub(1).and_then(|at| cell.get(at));
            let earlier = kind_of(at.checked_sub(2).and_then(|at| cell.get(at)));
            let (kind, previous, next) = (kind_of(Some(&byte)), kind_of(before), kind_of(cell.get(at + 1)));
            has_lower |= kind == Kind::Lower;
            capitals += u32::from(kind == Kind::Upper);
            places += match kind {
                Kind::Symbol(symbol) => {
                    symbol_place(symbol, previous, next)
                        + unit_place(symbol, before.copied(), cell.get(at + 1).copied())
                }
                Kind::Invalid | Kind::Edge | Kind::Digit => 0.0,
                _ => {
                    let follows = before.is_some_and(|byte| !byte.is_ascii()) && previous.is_letter();
                    let beside_ascii = [before, cell.get(at + 1)]
                        .into_iter()
                        .flatten()
                        .filter(|byte| byte.is_ascii_alphabetic())
                        .count();
                    letter_place(candidate.script, kind, (earlier, previous, next), follows, beside_ascii)
                }
            };
        }
    }
    let least = candidate
        .languages
        .iter()
        .map(|letters| frequency_cost(letters, characters, &counts))
        .fold(f32::INFINITY, f32::min);
    let is_in_capitals = candidate.script == Script::Other && !has_lower && capitals >= MIN_CAPITALS;
    let case = if is_in_capitals { CAPITALS } else { UPPER_CASE * capitals as f32 };
    candidate.prior + places + case + least
}

/// Returns the character of each byte, and its kind.
fn characters(candidate: &SingleByte) -> Vec<(char, Kind)> {
    let decode = |byte: u8| {
        let bytes = [byte];
        let (text, _) = candidate.encoding.decode_without_bom_handling(&bytes);
        let character = text.chars().next().unwrap_or('\u{FFFD}');
        (character, Kind::of(character))
    };
    (0..=u8::MAX).map(decode).collect()
}

/// Returns the part of the cost that depends on the frequency of the characters in one language. `letters` are the
/// letters of the language. `counts` has the number of times that each byte occurs.
fn frequency_cost(letters: &str, characters: &[(char, Kind)], counts: &[u32; 256]) -> f32 {
    let weight = |rank: usize| 1.0 / (rank as f32 + 3.0);
    let total: f32 = (0..letters.chars().count()).map(weight).sum();
    let mut cost = 0.0;
    for byte in (0x80..=0xFF).filter(|&byte| counts[byte] > 0) {
        let (character, kind) = characters[byte];
        cost += counts[byte] as f32
            * match kind {
                Kind::Symbol(symbol) => symbol_cost(symbol),
                Kind::Invalid | Kind::Edge | Kind::Digit => INVALID,
                _ => {
                    let lower = character.to_lowercase().next().unwrap_or(character);
                    let rank = letters.chars().position(|letter| letter == lower);
                    match rank {
                        Some(rank) => (total / weight(rank)).log2(),
                        None => FOREIGN_LETTER,
                    }
                }
            };
    }
    cost
}

fn symbol_cost(symbol: char) -> f32 {
    match symbol {
        '\u{A0}' | '€' | '£' | '°' | '’' | '–' => 5.0,
        '“' | '”' | '§' | '®' | '©' | '™' | '«' | '»' | '²' | '³' | 'µ' | 'º' | 'ª' | '·' | '•' | '…'
        | '—' | '‘' | '„' | '×' | '±' | '¿' | '¡' | '½' | '№' => 6.5,
        '¼' | '¾' | '¥' | '¢' | '¹' | '÷' | '¶' | '‰' | '†' | '\u{AD}' => 8.0,
        '¬' | '¦' | '¯' | '´' | '¨' | '¸' | '‹' | '›' | '‡' | '‚' | 'ˆ' | '˜' | 'ƒ' => 9.5,
        '\u{2500}'..='\u{25FF}' => 15.0,
        _ => 12.5,
    }
}

/// Returns the cost of the place of a symbol between the characters `previous` and `next`.
fn symbol_place(symbol: char, previous: Kind, next: Kind) -> f32 {
    let is_symbol = |kind: Kind| matches!(kind, Kind::Symbol(_) | Kind::Invalid);
    let neighbours = 3.0 * f32::from(u8::from(is_symbol(previous)) + u8::from(is_symbol(next)));
    let place = match (previous.is_letter(), next.is_letter()) {
        (true, true) => match symbol {
            '’' | '\u{A0}' => 0.0,
            '·' | '\u{AD}' | '´' | '–' | '‘' | '×' => 3.0,
            _ => 10.0,
        },
        (true, false) => match symbol {
            '®' | '™' | '²' | '³' | '¹' | 'ª' | 'º' | '°' | '’' | '”' | '»' | '…' | '\u{A0}' | '†' => {
                0.0
            }
            _ => 3.0,
        },
        (false, true) => match symbol {
            '«' | '“' | '„' | '‘' | '¿' | '¡' | '©' | 'µ' | '€' | '£' | '¥' | '§' | '•' | '\u{A0}' | '°'
            | '’' => 0.0,
            _ => 3.0,
        },
        (false, false) => 0.0,
    };
    neighbours + place
}

/// Returns a negative cost for a symbol in a unit, such as `m³` or `µg`.
fn unit_place(symbol: char, before: Option<u8>, after: Option<u8>) -> f32 {
    match (symbol, before, after) {
        ('²' | '³', Some(b'm'), _) | ('µ', _, Some(b'g' | b'm' | b'l' | b's' | b'S' | b'V' | b'A')) => {
            -7.0
        }
        ('°', _, Some(b'C' | b'F')) => -3.0,
        ('º' | 'ª', Some(b'0'..=b'9'), _) => -2.0,
        _ => 0.0,
    }
}

/// Returns the cost of the place of a letter. `earlier` and `previous` are the two characters before the letter, and
/// `next` is the character after it. `follows` is `true` if the previous character is a letter that is not ASCII.
/// `beside_ascii` is the number of ASCII letters directly beside the letter.
fn letter_place(
    script: Script,
    kind: Kind,
    (earlier, previous, next): (Kind, Kind, Kind),
    follows: bool,
    beside_ascii: usize,
) -> f32 {
    let mut cost = 0.0;
    if !previous.is_letter() && !next.is_letter() {
        cost += if script == Script::Latin { 5.0 } else { 2.0 };
    }
    if previous == Kind::Digit || next == Kind::Digit {
        cost += 4.0;
    }
    // The letter is the second letter of a word of two letters.
    if previous.is_letter() && !earlier.is_letter() && !next.is_letter() {
        cost += 2.0;
    }
    for neighbour in [previous, next] {
        if matches!(neighbour, Kind::Symbol(symbol) if !matches!(symbol, '’' | '\u{A0}' | '«' | '»' | '“' | '”' | '„' | '–' | '·'))
        {
            cost += 2.0;
        }
    }
    match script {
        Script::Latin if follows => cost += 2.0,
        Script::Latin => {}
        Script::Other => cost += 7.0 * beside_ascii as f32,
    }
    match kind {
        Kind::Upper if previous == Kind::Lower => cost += 7.0,
        Kind::Upper if previous == Kind::Upper && next == Kind::Lower => cost += 3.0,
        Kind::Lower if previous == Kind::Upper && earlier == Kind::Upper => cost += 4.0,
        _ => {}
    }
    cost
}
