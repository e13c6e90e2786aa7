//! Guesses the encoding of a file that is neither ASCII nor UTF-8 nor UTF-16.
//!
//! For each encoding, the guess computes the cost of the text: the number of bits that an ideal compression of the text
//! would need. A frequent letter inside a word costs few bits, and a symbol inside a word costs many. The guess is the
//! encoding with the least cost. The encoding that the crate `chardetng` guesses gets a small discount
//! ([`CHARDETNG_BONUS`]).
//!
//! windows-1252 has the least prior cost (the part of the cost that does not depend on the text), because windows-1252
//! is the fallback of the Encoding Standard. So Cutty reads a byte as a symbol such as `£` or `³`, unless a letter of
//! another code page is more likely at this place.

mod double_byte;
mod kind;
mod languages;
mod single_byte;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use double_byte::DOUBLE_BYTE;
use encoding_rs::Encoding;
use languages::SINGLE_BYTE;
use std::collections::HashSet;

/// Maximum number of bytes that the guess looks at, in all cells together.
const MAX_CELL_BYTES: usize = 24 * 1024;
/// The cost of the encoding that `chardetng` guesses is lower by this number of bits.
const CHARDETNG_BONUS: f32 = 2.0;

/// Guesses the encoding from the first bytes of a file. `whole` is `true` if the sample is the whole file.
pub(super) fn guess(sample: &[u8], whole: bool) -> &'static Encoding {
    let cells = distinct_cells(sample);
    let advised = advised_by_chardetng(sample, whole);
    let single =
        SINGLE_BYTE.iter().map(|candidate| (candidate.encoding, single_byte::cost(candidate, &cells)));
    let double =
        DOUBLE_BYTE.iter().map(|candidate| (candidate.encoding, double_byte::cost(candidate, &cells)));
    let mut best = (encoding_rs::WINDOWS_1252, f32::INFINITY);
    for (encoding, cost) in single.chain(double) {
        let cost = if encoding == advised { cost - CHARDETNG_BONUS } else { cost };
        if cost < best.1 {
            best = (encoding, cost);
        }
    }
    double_byte::superset(best.0)
}

fn advised_by_chardetng(sample: &[u8], whole: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, whole);
    detector.guess(None, Utf8Detection::Deny)
}

/// Returns the cells that are not ASCII, in the order of the file, up to [`MAX_CELL_BYTES`]. Each value is returned
/// once, because a repeated value is no new evidence. The bytes of the separators never occur inside a longer character
/// in any encoding that the guess considers, except `|`. So `|` is a separator only if the first line with text has it after
/// an ASCII character.
fn distinct_cells(sample: &[u8]) -> Vec<&[u8]> {
    let mut seen = HashSet::new();
    let mut room = MAX_CELL_BYTES;
    let mut cells = Vec::new();
    let mut lines = sample.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let has_pipes = line.windows(2).any(|pair| pair[0].is_ascii() && pair[1] == b'|');
    let separators = |byte: &u8| {
        matches!(byte, b'\n' | b'\r' | b'\t' | b',' | b';' | b'"') || (*byte == b'|' && has_pipes)
    };
    for cell in sample.split(separators).filter(|cell| !cell.is_ascii()) {
        if room == 0 {
            break;
        }
        let cell = &cell[..cell.len().min(room)];
        if seen.insert(cell) {
            room -= cell.len();
            cells.push(cell);
        }
    }
    cells
}
