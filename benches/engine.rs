//! The engine against the `csv` crate: one filtered cut, both sides in one run, on one core.
//!
//! `cargo bench --bench engine [-- [--baseline] FILE.csv COLUMN MINIMUM]` keeps the rows whose numeric column is at
//! least a bound and writes three columns of them. The files are generated from a seed and repeat no block; a real
//! file can be given as well (its columns 2, 9 and 16 are written). `--baseline` has the engine use the vectors that
//! every machine of its kind has (SSE2 on x86-64), which is what WebAssembly has, too. Times are CPU time where the system tells it
//! (Linux), so that a busy machine does less harm; a ratio is printed only when both sides kept the same
//! number of rows and wrote the same number of bytes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use cutty::csv::filter::{Condition, Filter, Relation, Test};
use cutty::csv::{self as engine, InputOptions, Opening, Plan, Progress, Readiness, StreamingCsvProcessor};
use std::fmt::Write as _;
use std::time::Instant;

/// Bytes generated per file.
const FILE_BYTES: usize = 64 << 20;
/// What the product hands over at once.
const PIECE_BYTES: usize = 256 << 10;
/// Runs per side, in turns; the median counts.
const RUNS: usize = 7;
const SEED: u64 = 0x5EED_C5F0;

fn main() {
    let mut arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let baseline = arguments.iter().position(|argument| argument == "--baseline");
    baseline.map(|at| arguments.remove(at));
    engine::use_baseline_vectors(baseline.is_some());
    println!("{:<10}{:>9}{:>12}{:>12}{:>9}   rows kept", "file", "MB", "cut GB/s", "csv GB/s", "ratio");
    for (name, row, job) in [
        ("plain", plain as fn(&mut Random, &mut String), Job::new("c11", "9000", [2, 9, 16])),
        ("quoted", quoted, Job::new("c11", "9000", [2, 9, 16])),
        ("dense", dense, Job::new("c3", "900", [0, 1, 4])),
    ] {
        compare(name, &file_of(row).into_bytes(), &job);
    }
    if let [path, column, minimum] = arguments.as_slice() {
        compare("given", &std::fs::read(path).unwrap(), &Job::new(column, minimum, [2, 9, 16]));
    }
}

/// Keep the rows whose `column` is at least `minimum`; write `columns`.
struct Job {
    column: String,
    minimum: String,
    columns: [usize; 3],
}

impl Job {
    fn new(column: &str, minimum: &str, columns: [usize; 3]) -> Self {
        Self { column: column.to_owned(), minimum: minimum.to_owned(), columns }
    }
}

/// What one run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    rows_in: u64,
    rows_out: u64,
    bytes_out: u64,
}

fn compare(name: &str, file: &[u8], job: &Job) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(|| cut(file, job)));
        theirs.push(timed(|| by_the_csv_crate(file, job)));
    }
    let outcome = ours[0].1;
    assert!(ours.iter().chain(&theirs).all(|run| run.1 == outcome), "{name}: {outcome:?}, {:?}", theirs[0].1);
    let (ours, theirs) = (median(ours), median(theirs));
    let speed = |seconds: f64| file.len() as f64 / seconds / 1e9;
    println!(
        "{name:<10}{:>9.1}{:>12.2}{:>12.2}{:>8.1}x   {} of {}",
        file.len() as f64 / 1e6,
        speed(ours),
        speed(theirs),
        theirs / ours,
        outcome.rows_out,
        outcome.rows_in,
    );
}

fn median(mut runs: Vec<(f64, Outcome)>) -> f64 {
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    runs[runs.len() / 2].0
}

fn timed(run: impl FnOnce() -> Outcome) -> (f64, Outcome) {
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

fn cut(file: &[u8], job: &Job) -> Outcome {
    let mut pieces = file.chunks(PIECE_BYTES);
    let mut opening = Opening::new(InputOptions::default(), 1 << 20).unwrap();
    let opened = loop {
        match opening.push(pieces.next().unwrap()).unwrap() {
            Readiness::Ready(opened) => break *opened,
            Readiness::NeedMore => {}
        }
    };
    let test = Test {
        column: job.column.clone(),
        condition: Condition::Compares(Relation::GreaterOrEqual, job.minimum.clone()),
    };
    let predicate = Filter::Test(test).compile(&opened.header).unwrap();
    let plan = Plan { columns: job.columns.to_vec(), predicate: Some(predicate), ..Plan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::new();
    for mut piece in pieces {
        while let Progress::Full { consumed } = processor.push(piece, &mut out).unwrap() {
            piece = &piece[consumed..];
            std::hint::black_box(&out);
            out.clear();
        }
    }
    while processor.finish(&mut out).unwrap() != Progress::Done {
        out.clear();
    }
    let tally = processor.tally();
    Outcome { rows_in: tally.rows_in, rows_out: tally.rows_out, bytes_out: tally.bytes_out }
}

fn by_the_csv_crate(file: &[u8], job: &Job) -> Outcome {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.byte_headers().unwrap().clone();
    let column = header.iter().position(|name| name == job.column.as_bytes()).unwrap();
    let minimum: f64 = job.minimum.parse().unwrap();
    let mut writer = csv::Writer::from_writer(Counted::default());
    writer.write_record(job.columns.map(|column| &header[column])).unwrap();
    let mut record = csv::ByteRecord::new();
    let (mut rows_in, mut rows_out) = (0, 0);
    while reader.read_byte_record(&mut record).unwrap() {
        rows_in += 1;
        let number = std::str::from_utf8(&record[column]).ok().and_then(|text| text.parse::<f64>().ok());
        if number.is_some_and(|number| number >= minimum) {
            rows_out += 1;
            writer.write_record(job.columns.map(|column| &record[column])).unwrap();
        }
    }
    let bytes_out = writer.into_inner().unwrap().0;
    Outcome { rows_in, rows_out, bytes_out }
}

/// Counts what is written to it.
#[derive(Default)]
struct Counted(u64);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::hint::black_box(bytes);
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

fn file_of(row: fn(&mut Random, &mut String)) -> String {
    let mut random = Random(SEED);
    let mut file = String::with_capacity(FILE_BYTES + 1024);
    row(&mut random, &mut file);
    // Every other part of a text split at its quotes is outside of them.
    let columns = file.split('"').step_by(2).flat_map(str::bytes).filter(|&byte| byte == b',').count() + 1;
    file.clear();
    file.push_str(&(0..columns).map(|column| format!("c{column}")).collect::<Vec<_>>().join(","));
    file.push('\n');
    while file.len() < FILE_BYTES {
        row(&mut random, &mut file);
    }
    file
}

/// About 178 bytes in 20 columns; the twelfth is a number below 10,000.
fn plain(random: &mut Random, file: &mut String) {
    wide_row(random, file, 0);
}

/// The same columns, a quarter of the text cells quoted, with a line break or a comma inside.
fn quoted(random: &mut Random, file: &mut String) {
    wide_row(random, file, 25);
}

fn wide_row(random: &mut Random, file: &mut String, quoted_percent: u64) {
    for column in 0..20 {
        if column > 0 {
            file.push(',');
        }
        match column {
            0 | 7 | 15 => write!(file, "{}", random.below(10_000_000)).unwrap(),
            11 => write!(file, "{}", random.below(10_000)).unwrap(),
            19 => write!(file, "{}.{:02}", random.below(1000), random.below(100)).unwrap(),
            _ => text_cell(random, file, quoted_percent),
        }
    }
    file.push('\n');
}

fn text_cell(random: &mut Random, file: &mut String, quoted_percent: u64) {
    const LETTERS: &[u8; 16] = b"etaoinshrdlucmfw";
    let is_quoted = random.below(100) < quoted_percent;
    let (length, mut letters) = (5 + random.below(8), random.next());
    let inner = if letters >> 63 == 1 { '\n' } else { ',' };
    if is_quoted {
        file.push('"');
    }
    for at in 0..length {
        if is_quoted && at == length / 2 {
            file.push(inner);
        }
        file.push(char::from(LETTERS[(letters & 15) as usize]));
        letters >>= 4;
    }
    if is_quoted {
        file.push('"');
    }
}

/// About 20 bytes in 5 columns of numbers.
fn dense(random: &mut Random, file: &mut String) {
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
