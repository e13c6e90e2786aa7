//! Measures, on one core, the time to count the rows of a file, the time to profile the file, and the difference
//! between these two times.
//!
//! `cargo bench --bench profile [-- FILE.csv …]` measures generated files, and then the given files. The generated
//! files come from a seed, and no byte range in them repeats. Times are CPU time on Linux, and wall time on other
//! systems. Each time is the median of several alternating runs. The column `sidecar %` is the size of the stored
//! profile, in percent of the size of the file. The last column is the time to compare the file with its digests. This
//! time includes one copy of each block.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use cutty::csv::profile::{DIGEST_BLOCK_BYTES, Profile, ProfiledBytes, Profiler};
use cutty::csv::{CsvOpener, InputOptions, OpeningStatus, PageRequest, RowPager};
use std::time::Instant;

#[allow(dead_code)] // only the rivals use the other items of this module
#[path = "rivals/src/generate.rs"]
mod generate;

use generate::{KINDS, Kind, MIXED};

/// Length of each generated file, in bytes. The file is long, so that the names and samples of its columns hardly
/// change the column `sidecar %`.
const FILE_BYTES: u64 = 256 << 20;
/// The piece size of the product.
const PIECE_BYTES: usize = 256 << 10;
/// Number of runs of each measurement. The measurements alternate, and the result is the median.
const RUNS: usize = 5;
const MAX_RECORD_BYTES: usize = 4 << 20;

fn main() {
    println!(
        "{:<10}{:>8}{:>12}{:>14}{:>18}{:>12}{:>14}",
        "file", "MB", "rows s/GB", "profile s/GB", "difference s/GB", "sidecar %", "compare s/GB"
    );
    let kinds = KINDS.iter().filter(|kind| ["plain", "dense"].contains(&kind.name));
    for kind in kinds.chain([&MIXED]) {
        measure(kind.name, &file_of(kind));
    }
    for path in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        measure("given", &std::fs::read(path).unwrap());
    }
}

fn measure(name: &str, file: &[u8]) {
    let (mut counted, mut profiled, mut compared) = (Vec::new(), Vec::new(), Vec::new());
    let mut sidecar_bytes = 0;
    for _ in 0..RUNS {
        let (rows_seconds, rows) = timed(|| count_rows(file));
        let (seconds, profile) = timed(|| profile_of(file));
        assert_eq!(profile.row_count, rows, "{name}");
        sidecar_bytes = profile.encode(&profiled_bytes()).len();
        counted.push(rows_seconds);
        profiled.push(seconds);
        compared.push(timed(|| compare(file, &profile)).0);
    }
    let gigabytes = file.len() as f64 / 1e9;
    let [counted, profiled, compared] = [counted, profiled, compared].map(|runs| median(runs) / gigabytes);
    println!(
        "{name:<10}{:>8.1}{counted:>12.2}{profiled:>14.2}{:>18.2}{:>12.4}{compared:>14.3}",
        file.len() as f64 / 1e6,
        profiled - counted,
        sidecar_bytes as f64 * 100.0 / file.len() as f64,
    );
}

/// Compares each block with its digest. As in a cut, the block is first copied into a piece, so that its bytes are in
/// the processor's cache.
fn compare(file: &[u8], profile: &Profile) {
    let digests = profile.digests.as_ref().unwrap();
    let mut piece = Vec::with_capacity(DIGEST_BLOCK_BYTES);
    for (number, block) in (0..).zip(file.chunks(DIGEST_BLOCK_BYTES)) {
        piece.clear();
        piece.extend_from_slice(block);
        assert!(digests.is_intact(number, &piece));
    }
}

fn profiled_bytes() -> ProfiledBytes {
    ProfiledBytes { attempt: "attempt".to_owned(), size_bytes: 0, etag: String::new() }
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
    let mut opening = CsvOpener::new(InputOptions::default(), MAX_RECORD_BYTES).unwrap();
    let opened = loop {
        if let OpeningStatus::Ready(opened) = opening.push(pieces.next().unwrap()).unwrap() {
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

/// Returns the CPU time of this thread in seconds, or `None` if the system is not Linux.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn file_of(kind: &Kind) -> Vec<u8> {
    let mut file = Vec::with_capacity(FILE_BYTES as usize + 1024);
    generate::generate(kind, FILE_BYTES, &mut file).unwrap();
    file
}
