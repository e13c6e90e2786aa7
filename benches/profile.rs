//! What learning a file costs beyond finding its rows: both in one run, on one core.
//!
//! `cargo bench --bench profile [-- FILE.csv …]` counts the rows of a file and profiles it. The files are
//! generated from a seed and repeat no block; others can be given. Times are CPU time where the system tells it
//! (Linux); medians of several runs in turns. The size of the sidecar is that of the profile as it is stored.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use cutty::csv::profile::{Binding, Profile, Profiler};
use cutty::csv::{InputOptions, Opening, PageRequest, Readiness, RowPager};
use std::fmt::Write as _;
use std::time::Instant;

/// Bytes generated per file: enough that the names and samples of columns do not count in the sidecar.
const FILE_BYTES: usize = 256 << 20;
/// What the product hands over at once.
const PIECE_BYTES: usize = 256 << 10;
/// Runs per side, in turns; the median counts.
const RUNS: usize = 5;
const SEED: u64 = 0x5EED_C5F0;
const MAX_RECORD_BYTES: usize = 4 << 20;

fn main() {
    println!(
        "{:<10}{:>8}{:>12}{:>14}{:>18}{:>12}",
        "file", "MB", "rows s/GB", "profile s/GB", "beyond rows s/GB", "sidecar %"
    );
    measure("plain", file_of(plain_row).as_bytes());
    measure("mixed", file_of(mixed_row).as_bytes());
    measure("dense", file_of(dense_row).as_bytes());
    for path in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        measure("given", &std::fs::read(path).unwrap());
    }
}

fn measure(name: &str, file: &[u8]) {
    let (mut counted, mut profiled) = (Vec::new(), Vec::new());
    let mut sidecar_bytes = 0;
    for _ in 0..RUNS {
        let (rows_seconds, rows) = timed(|| count_rows(file));
        let (seconds, profile) = timed(|| profile_of(file));
        assert_eq!(profile.row_count, rows, "{name}");
        sidecar_bytes = profile.encode(&binding()).len();
        counted.push(rows_seconds);
        profiled.push(seconds);
    }
    let gigabytes = file.len() as f64 / 1e9;
    let [counted, profiled] = [median(counted) / gigabytes, median(profiled) / gigabytes];
    println!(
        "{name:<10}{:>8.1}{counted:>12.2}{profiled:>14.2}{:>18.2}{:>12.4}",
        file.len() as f64 / 1e6,
        profiled - counted,
        sidecar_bytes as f64 * 100.0 / file.len() as f64,
    );
}

fn binding() -> Binding {
    Binding { attempt: "attempt".to_owned(), size_bytes: 0, etag: String::new() }
}

fn profile_of(file: &[u8]) -> Profile {
    let mut profiler = Profiler::new(MAX_RECORD_BYTES);
    for piece in file.chunks(PIECE_BYTES) {
        profiler.push(piece);
    }
    profiler.finish()
}

fn count_rows(file: &[u8]) -> u64 {
    let mut pieces = file.chunks(PIECE_BYTES);
    let mut opening = Opening::new(InputOptions::default(), MAX_RECORD_BYTES).unwrap();
    let opened = loop {
        if let Readiness::Ready(opened) = opening.push(pieces.next().unwrap()).unwrap() {
            break *opened;
        }
    };
    let mut pager = RowPager::new(opened, PageRequest::default());
    for piece in pieces {
        pager.push(piece).unwrap();
    }
    pager.finish().unwrap().total
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

fn timed<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let (before, started) = (cpu_seconds(), Instant::now());
    let outcome = std::hint::black_box(run());
    let elapsed = started.elapsed().as_secs_f64();
    (before.zip(cpu_seconds()).map_or(elapsed, |(before, after)| after - before), outcome)
}

/// CPU time of this thread so far, where Linux tells it.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// SplitMix64.
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

fn file_of(row: fn(&mut Random, u64, &mut String)) -> String {
    let mut random = Random(SEED);
    let mut file = String::with_capacity(FILE_BYTES + 1024);
    row(&mut random, 0, &mut file);
    let columns = file.bytes().filter(|&byte| byte == b',').count() + 1;
    file.clear();
    file.push_str(&(0..columns).map(|column| format!("c{column}")).collect::<Vec<_>>().join(","));
    file.push('\n');
    let mut number = 0;
    while file.len() < FILE_BYTES {
        row(&mut random, number, &mut file);
        number += 1;
    }
    file
}

/// About 178 bytes in 20 columns: 15 of letters, 5 of numbers.
fn plain_row(random: &mut Random, _number: u64, file: &mut String) {
    for column in 0..20 {
        if column > 0 {
            file.push(',');
        }
        match column {
            0 | 7 | 15 => write!(file, "{}", random.below(10_000_000)).unwrap(),
            11 => write!(file, "{}", random.below(10_000)).unwrap(),
            19 => write!(file, "{}.{:02}", random.below(1000), random.below(100)).unwrap(),
            _ => letters(random, file),
        }
    }
    file.push('\n');
}

fn letters(random: &mut Random, file: &mut String) {
    const LETTERS: &[u8; 16] = b"etaoinshrdlucmfw";
    let (length, mut letters) = (5 + random.below(8), random.next());
    for _ in 0..length {
        file.push(char::from(LETTERS[(letters & 15) as usize]));
        letters >>= 4;
    }
}

/// What tables are often made of: ids in order, dates, points in time, amounts, few values, booleans, gaps.
fn mixed_row(random: &mut Random, number: u64, file: &mut String) {
    const CITIES: [&str; 5] = ["Bern", "Basel", "Zürich", "Genève", "Lugano"];
    let (day, second) = (1 + random.below(28), random.below(60));
    write!(
        file,
        "{number},2024-{:02}-{day:02},2024-01-{day:02}T10:20:{second:02}Z,{}.{:02},{},",
        1 + random.below(12),
        random.below(100_000),
        random.below(100),
        CITIES[random.below(5) as usize],
    )
    .unwrap();
    file.push_str(if random.below(2) == 0 { "true," } else { "false," });
    if random.below(4) > 0 {
        write!(file, "-{}", random.below(1000)).unwrap();
    }
    write!(file, ",customer-{:06},{:016x},", random.below(50_000), random.next()).unwrap();
    letters(random, file);
    file.push('\n');
}

/// About 20 bytes in 5 columns of numbers.
fn dense_row(random: &mut Random, _number: u64, file: &mut String) {
    writeln!(
        file,
        "{},{},{},{},{}",
        random.below(100_000),
        random.below(100),
        random.below(10_000),
        random.below(1000),
        random.below(1000),
    )
    .unwrap();
}
