//! Guesses the encoding of a file that is neither ASCII nor UTF-8 nor UTF-16.
//!
//! The guess compares the costs of the text in each encoding. A cost is the length of the text in an ideal code, in
//! bits: a frequent letter within a word costs little, a symbol within a word costs much. The encoding with the least
//! cost wins. The guess of `chardetng` makes its encoding a few bits cheaper.
//!
//! windows-1252 has the least prior cost, because it is the fallback of the Encoding Standard. So symbols such as `£`
//! or `³` stay symbols, unless letters of another code page are more likely at these places.

mod double_byte;
mod kind;
mod languages;
mod single_byte;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use double_byte::DOUBLE_BYTE;
use encoding_rs::Encoding;
use languages::SINGLE_BYTE;
use std::collections::HashSet;

/// Maximum number of bytes in the cells that the guess compares.
const MAX_CELL_BYTES: usize = 24 * 1024;
/// The encoding that `chardetng` guesses costs this number of bits less.
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

/// Returns the distinct cells that are not ASCII, in their order. A value that a file repeats is no new evidence. No
/// encoding uses the bytes of these separators within a longer character.
fn distinct_cells(sample: &[u8]) -> Vec<&[u8]> {
    let mut seen = HashSet::new();
    let mut room = MAX_CELL_BYTES;
    let mut cells = Vec::new();
    let separators = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\t' | b',' | b';' | b'"');
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
