//! Compares the two ways to profile rows: column by column, and row by row. Both must give the same profile.
#![allow(clippy::unwrap_used)]

use super::ROW_BY_ROW;
use crate::csv::profile::{Profile, Profiler, RowIndex};
use proptest::prelude::*;

/// The pseudorandom number generator SplitMix64.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_of<'a>(&mut self, cells: &[&'a str]) -> &'a str {
        cells[self.below(cells.len() as u64) as usize]
    }

    fn letters(&mut self, most: u64) -> String {
        let length = self.below(most + 1);
        (0..length).map(|_| char::from(b"etaoinshrdlufTF\xE9z"[self.below(16) as usize])).collect()
    }
}

const KINDS: u64 = 14;

/// Returns a random cell for a column. `kind` is the kind of the column: a number below [`KINDS`].
fn cell(random: &mut Seeded, kind: u64, row: u64) -> String {
    let digits = 10_u64.pow(1 + random.below(18) as u32);
    match kind {
        0 => row.to_string(),
        1 => random.below(10_000).to_string(),
        2 => random.below(digits).to_string(),
        3 => format!("{}.{:02}", random.below(1_000), random.below(100)),
        4 => format!("2024-{:02}-{:02}", 1 + random.below(13), 1 + random.below(28)),
        5 => {
            format!("2024-01-{:02}T10:{:02}:{:02}Z", 1 + random.below(28), random.below(60), random.below(60))
        }
        6 => random.one_of(&["true", "False", "fals", "TRUE ", "falsehood"]).to_owned(),
        7 => random.one_of(&["Bern", "Basel", "Z\u{fc}rich", ""]).to_owned(),
        8 => random.letters(12),
        9 => format!("customer-{:06}{}", random.below(1_000_000), random.letters(20)),
        10 => format!("\"{}{}\"", random.letters(9), random.one_of(&["", ",", "\n", "\"\"", "\r\n"])),
        11 => format!("\"{}\"", random.below(digits)),
        12 => random
            .one_of(&["-1", "+2", "-0", "0", ".5", "5.", "1e3", "-1.25", "1e999", "99999999"])
            .to_owned(),
        _ => random
            .one_of(&[
                " 7",
                "7 ",
                "00501",
                "-",
                ".",
                "+",
                "1-2",
                "12 Main St",
                "\0",
                "1\0",
                "\"\"",
                " ",
                "\t1.5",
                "n/a",
                "",
                "999999999999999",
                "1234567890123456",
                "0123456789",
                "2023-02-29",
                "2024-02-29 10:00+02:00",
                "a\0",
            ])
            .to_owned(),
    }
}

/// Returns a file. In each column, all or most cells are of the same kind. A few rows may be malformed.
fn file_of(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = Seeded(seed);
    let columns: Vec<u64> = (0..1 + random.below(6)).map(|_| random.below(KINDS)).collect();
    // In units of 1/100,000: the probability that a cell is of another kind than its column, and the probability that a
    // row is malformed.
    let other_kinds = [0, 200, 10_000][random.below(3) as usize];
    let malformed = [0, 50, 2_000][random.below(3) as usize];
    let line_break = random.one_of(&["\n", "\r\n"]);
    let mut file = columns.iter().map(|_| "name").collect::<Vec<_>>().join(",") + line_break;
    for row in 0.. {
        if file.len() >= bytes {
            break;
        }
        let mut cells: Vec<String> = Vec::new();
        for &kind in &columns {
            let kind = if random.below(100_000) < other_kinds { random.below(KINDS) } else { kind };
            cells.push(cell(&mut random, kind, row));
        }
        if random.below(100_000) < malformed {
            match random.below(4) {
                0 => cells.push("one more".to_owned()),
                1 => drop(cells.pop()),
                2 => cells[0] = "st\"ray".to_owned(),
                _ => cells[0] = "\"closed\"early".to_owned(),
            }
        }
        file += &cells.join(",");
        file += line_break;
        if random.below(100_000) < malformed {
            file += line_break;
        }
    }
    file.into_bytes()
}

fn row_by_row<T>(profile: impl FnOnce() -> T) -> T {
    ROW_BY_ROW.set(true);
    let result = profile();
    ROW_BY_ROW.set(false);
    result
}

/// Profiles a file in pieces. Saves and restores the state at each split point. Returns the saved states and the
/// profile.
fn states_and_profile(file: &[u8], split_points: &[usize]) -> (Vec<Vec<u8>>, Profile) {
    let mut profiler = Profiler::new(4 << 20);
    let mut states = Vec::new();
    let mut from = 0;
    for &at in split_points {
        profiler.push(&file[from..at]);
        states.push(profiler.save().unwrap());
        profiler = Profiler::restore(&states[states.len() - 1]).unwrap();
        from = at;
    }
    profiler.push(&file[from..]);
    (states, profiler.finish())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn profiling_by_column_equals_profiling_by_row_at_every_split(
        seed in any::<u64>(), split_points in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let file = file_of(seed, 300_000);
        let mut split_points: Vec<usize> = split_points.iter().map(|at| at.index(file.len())).collect();
        split_points.sort_unstable();
        let wanted = row_by_row(|| states_and_profile(&file, &split_points));
        let (states, profile) = states_and_profile(&file, &split_points);
        prop_assert!(states == wanted.0, "the states differ");
        prop_assert_eq!(&profile, &wanted.1);
        prop_assert_eq!(states_and_profile(&file, &[]).1, profile);
    }

    #[test]
    fn profiling_by_column_equals_profiling_by_row_with_zones_of_any_size(seed in any::<u64>(), stride in 6_u32..14) {
        let file = file_of(seed, 30_000);
        let profile = || Profile::with_bounds(&file, RowIndex::with_bounds(64, 1 << stride), 200);
        prop_assert_eq!(profile(), row_by_row(profile));
    }
}
