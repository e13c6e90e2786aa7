//! Generates benchmark files from a seed. Each cell has its own random value, so no long byte range repeats. A field is
//! quoted only if CSV requires it.

use std::fmt::Write as _;
use std::io::{Result, Write};

use sha2::{Digest, Sha256};

/// The version of the generator, stored with the facts of each file. A file that another version made is generated
/// again. Increase the version with each change of this module.
pub const VERSION: u32 = 1;

const SEED: u64 = 0x5EED_C5F0;
const BATCH_BYTES: usize = 1 << 20;
const LONG_CELL_BYTES: u64 = 8 << 10;

/// A kind of benchmark file.
pub struct Kind {
    pub name: &'static str,
    columns: usize,
    /// The numeric column that the filter compares. Its values are random numbers from 0 to `bound - 1`, all equally
    /// likely.
    pub filter: usize,
    pub bound: u64,
    pub selected: [usize; 3],
    row: fn(&mut Random, u64, &mut String),
}

/// All kinds of files, except [`MIXED`]. The values of the first column ascend.
pub const KINDS: [Kind; 5] = [
    Kind { name: "plain", columns: 20, filter: 11, bound: 10_000, selected: [2, 9, 16], row: plain },
    Kind { name: "quoted", columns: 20, filter: 11, bound: 10_000, selected: [2, 9, 16], row: quoted },
    Kind { name: "dense", columns: 5, filter: 3, bound: 1000, selected: [0, 1, 4], row: dense },
    Kind { name: "wide", columns: 200, filter: 111, bound: 10_000, selected: [2, 90, 160], row: wide },
    Kind { name: "long", columns: 6, filter: 1, bound: 10_000, selected: [0, 2, 5], row: long },
];

/// Typical table contents: ascending ids, dates, times, amounts, columns with few values, booleans, empty cells. Only
/// the profile benchmark uses it.
#[allow(dead_code)] // not every benchmark uses it
pub const MIXED: Kind =
    Kind { name: "mixed", columns: 10, filter: 3, bound: 100_000, selected: [0, 4, 9], row: mixed };

/// The facts of a written file.
pub struct Facts {
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// Writes a file of at least `bytes` bytes.
pub fn generate(kind: &Kind, bytes: u64, out: &mut impl Write) -> Result<Facts> {
    let mut random = Random(SEED);
    let mut digest = Sha256::new();
    let mut batch = (0..kind.columns).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    batch.push('\n');
    let (mut rows, mut written) = (0, 0);
    while written < bytes {
        while batch.len() < BATCH_BYTES && written + (batch.len() as u64) < bytes {
            (kind.row)(&mut random, rows, &mut batch);
            rows += 1;
        }
        digest.update(&batch);
        out.write_all(batch.as_bytes())?;
        written += batch.len() as u64;
        batch.clear();
    }
    Ok(Facts { rows, bytes: written, sha256: hex(&digest.finalize()) })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn number(random: &mut Random, bound: u64, csv: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = write!(csv, "{}", random.below(bound));
}

/// Appends an ascending number. It grows by about seven per row.
fn ordinal(random: &mut Random, row: u64, csv: &mut String) {
    let _ = write!(csv, "{}", row * 7 + random.below(7));
}

/// Appends a row of 20 columns, about 178 bytes.
fn plain(random: &mut Random, row: u64, csv: &mut String) {
    twenty_columns(random, row, csv, 0);
}

/// Appends a row with the same columns as [`plain`]. A fifth of all cells are quoted, because they contain a line
/// break, a comma or a quote.
fn quoted(random: &mut Random, row: u64, csv: &mut String) {
    twenty_columns(random, row, csv, 27);
}

fn twenty_columns(random: &mut Random, row: u64, csv: &mut String, quoted_percent: u64) {
    ordinal(random, row, csv);
    for column in 1..20 {
        csv.push(',');
        match column {
            7 | 15 => number(random, 10_000_000, csv),
            11 => number(random, 10_000, csv),
            19 => {
                let _ = write!(csv, "{}.{:02}", random.below(1000), random.below(100));
            }
            _ => text(random, csv, quoted_percent),
        }
    }
    csv.push('\n');
}

/// Appends a word of 5 to 12 letters. In `quoted_percent` percent of the calls, the word contains a character that
/// needs quotes, and is quoted.
fn text(random: &mut Random, csv: &mut String, quoted_percent: u64) {
    let is_quoted = quoted_percent > 0 && random.below(100) < quoted_percent;
    let (length, bits) = (5 + random.below(8) as usize, random.next());
    if is_quoted {
        csv.push('"');
        letters(bits, length / 2, csv);
        csv.push_str(["\n", ",", "\n", "\"\""][(bits >> 60) as usize & 3]);
        letters(bits >> 24, length - length / 2, csv);
        csv.push('"');
    } else {
        letters(bits, length, csv);
    }
}

/// Appends `count` letters, one for each four bits of `bits`. `count` must be at most 16.
fn letters(mut bits: u64, count: usize, csv: &mut String) {
    const LETTERS: &[u8; 16] = b"etaoinshrdlucmfw";
    for _ in 0..count {
        csv.push(char::from(LETTERS[(bits & 15) as usize]));
        bits >>= 4;
    }
}

/// Appends a row of 5 numbers, about 20 bytes.
fn dense(random: &mut Random, row: u64, csv: &mut String) {
    ordinal(random, row, csv);
    for bound in [10, 1000, 1000, 10] {
        csv.push(',');
        number(random, bound, csv);
    }
    csv.push('\n');
}

/// Appends a row of 200 columns, each about 7 bytes.
fn wide(random: &mut Random, row: u64, csv: &mut String) {
    ordinal(random, row, csv);
    for column in 1..200 {
        csv.push(',');
        match column % 3 {
            0 => number(random, 10_000, csv),
            1 => letters(random.next(), 8, csv),
            _ => number(random, 10_000_000, csv),
        }
    }
    csv.push('\n');
}

fn mixed(random: &mut Random, row: u64, csv: &mut String) {
    const CITIES: [&str; 5] = ["Bern", "Basel", "Zürich", "Genève", "Lugano"];
    let (month, day, second) = (1 + random.below(12), 1 + random.below(28), random.below(60));
    let (amount, hundredth, city) =
        (random.below(100_000), random.below(100), CITIES[random.below(5) as usize]);
    let _ = write!(csv, "{row},2024-{month:02}-{day:02},2024-01-{day:02}T10:20:{second:02}Z,");
    let _ = write!(csv, "{amount}.{hundredth:02},{city},{},", random.below(2) == 0);
    if random.below(4) > 0 {
        let _ = write!(csv, "-{}", random.below(1000));
    }
    let _ = write!(csv, ",customer-{:06},{:016x},", random.below(50_000), random.next());
    text(random, csv, 0);
    csv.push('\n');
}

/// Appends a row with two cells of 8 KiB. One of them is quoted and has line breaks inside.
fn long(random: &mut Random, row: u64, csv: &mut String) {
    ordinal(random, row, csv);
    csv.push(',');
    number(random, 10_000, csv);
    csv.push(',');
    text(random, csv, 0);
    csv.push(',');
    for _ in 0..LONG_CELL_BYTES / 16 {
        letters(random.next(), 16, csv);
    }
    csv.push_str(",\"");
    for _ in 0..LONG_CELL_BYTES / 64 {
        for _ in 0..3 {
            letters(random.next(), 16, csv);
        }
        letters(random.next(), 15, csv);
        csv.push('\n');
    }
    csv.push_str("\",");
    text(random, csv, 0);
    csv.push('\n');
}
