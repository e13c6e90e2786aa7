//! The memory of a cut and of a profile does not depend on the length of the file.
//!
//! The files are generated while they are read. By default each test reads few bytes, because code without optimization
//! is slow. With `LONG=1 cargo test --release --test csv_memory`, the longest cuts read 10 GB each, and the profile of
//! a thousand columns reads 50 GiB.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/weighing.rs"]
#[allow(dead_code, unreachable_pub)]
mod weighing;

use cutty::csv::profile::{Profile, ProfiledBytes, Profiler};
use cutty::csv::request::CutRequest;
use cutty::csv::{CsvOpener, CutProgress, OpeningStatus, StreamingCsvProcessor};
use serde_json::json;
use weighing::peak_held_by;

const PIECE_BYTES: usize = 256 << 10;
const MAX_RECORD_BYTES: usize = 4 << 20;

/// The most memory that the state of the profiler may take, in bytes.
const MAX_PROFILER_BYTES: usize = 8 << 20;

fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

/// Returns the number of bytes that a test reads: `long` if `LONG=1` is set, otherwise `short`.
fn bytes_to_read(short: u64, long: u64) -> u64 {
    if is_long() { long } else { short }
}

/// A generated file: a header, and rows that differ only in their number.
struct Stream {
    row: Vec<u8>,
    number: u64,
    pending: Vec<u8>,
}

const DIGITS: usize = 12;

impl Stream {
    /// Creates the file. Every row is a copy of `row` in which the number of the row replaces the first `DIGITS`
    /// characters.
    fn new(header: &str, row: &str) -> Self {
        Self { row: format!("{row}\n").into(), number: 0, pending: format!("{header}\n").into() }
    }

    /// Fills `piece` with the next rows of the file. Returns the length of the piece in bytes.
    fn fill(&mut self, piece: &mut Vec<u8>) -> u64 {
        piece.clear();
        piece.append(&mut self.pending);
        while piece.len() < PIECE_BYTES {
            self.number += 1;
            let mut number = self.number;
            for digit in self.row[..DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
            piece.extend_from_slice(&self.row);
        }
        piece.len() as u64
    }
}

fn orders() -> Stream {
    Stream::new(
        "id,name,\"a, note\",amount",
        "000000000000,caf\u{e9} au lait,\"quoted, \"\"twice\"\"\",12.50",
    )
}

/// Cuts a file of `size_bytes` bytes and returns the number of rows in the output.
fn cut(request: &CutRequest, size_bytes: u64) -> u64 {
    let mut stream = orders();
    let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
    let mut read = stream.fill(&mut piece);
    let mut opening = CsvOpener::new(request.input.clone(), MAX_RECORD_BYTES).unwrap();
    let opened = loop {
        if let OpeningStatus::Ready(opened) = opening.push(&piece).unwrap() {
            break *opened;
        }
        read += stream.fill(&mut piece);
    };
    let plan = request.plan(&opened.header).unwrap();
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::with_capacity(2 * PIECE_BYTES);
    while read < size_bytes {
        read += stream.fill(&mut piece);
        let mut rest = piece.as_slice();
        while let CutProgress::Full { consumed } = processor.push(rest, &mut out).unwrap() {
            rest = &rest[consumed..];
            out.clear();
        }
        out.clear();
    }
    while let CutProgress::Full { .. } = processor.finish(&mut out).unwrap() {
        out.clear();
    }
    processor.tally().rows_out
}

#[test]
fn the_memory_of_a_cut_does_not_depend_on_the_file_length() {
    let requests = [
        json!({"selectedColumns": ["id", "amount"], "whereFilters": {"id": "> 10"}}),
        json!({"outputFormat": "json"}),
        json!({"filter": {"column": "name", "op": "contains", "value": "LAIT"}, "outputFormat": "ndjson"}),
    ];
    for request in requests {
        let parsed = CutRequest::from_json(&request).unwrap();
        let (short, long) = (bytes_to_read(2_000_000, 64_000_000), bytes_to_read(20_000_000, 10_000_000_000));
        let (held_by_short, _) = peak_held_by(|| cut(&parsed, short));
        let (held_by_long, rows) = peak_held_by(|| cut(&parsed, long));
        println!(
            "{long} bytes ({rows} rows): {held_by_long} bytes held; {short} bytes: {held_by_short} bytes held; {request}"
        );
        assert!(held_by_long.abs_diff(held_by_short) < 1024, "{request}");
        assert!(held_by_long < 2 << 20, "{held_by_long} bytes: {request}");
    }
}

/// Profiles a file of `size_bytes` bytes. Returns the peak of the held memory, in bytes, and the profile.
fn profile(mut stream: Stream, size_bytes: u64) -> (usize, Profile) {
    let mut piece = Vec::with_capacity(4 << 20);
    peak_held_by(|| {
        let mut profiler = Profiler::new(MAX_RECORD_BYTES);
        let mut read = 0;
        while read < size_bytes {
            read += stream.fill(&mut piece);
            profiler.push(&piece);
        }
        profiler.finish()
    })
}

#[test]
fn profiling_a_thousand_columns_takes_at_most_eight_mebibytes() {
    // Each row has about 1 MB, so almost every row starts a zone.
    let cell = |column: usize| format!(",{}", "x".repeat(900 + column % 200));
    let header = (0..1000).map(|column| format!("column {column}")).collect::<Vec<_>>().join(",");
    let row = format!("000000000000{}", (1..1000).map(cell).collect::<String>());
    let size = bytes_to_read(30 << 20, 50 << 30);
    let (held, profile) = profile(Stream::new(&header, &row), size);
    let zones = profile.index.unwrap().entries().len();
    println!("{size} bytes, {} rows, {zones} zones: {held} bytes held", profile.row_count);
    assert!(profile.failure.is_none() && profile.columns.len() == 1000);
    // The limit is for the state of the profiler. In addition, the profiler holds the bytes of the unfinished record.
    assert!(held <= MAX_PROFILER_BYTES + MAX_RECORD_BYTES, "{held} bytes");
}

#[test]
fn the_sidecar_of_a_file_with_twenty_columns_is_at_most_a_thousandth_as_long_as_the_file() {
    let header = (0..20).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let row =
        format!("000000000000{}", ",some text,12345.75,2024-02-29".repeat(7).rsplit_once(',').unwrap().0);
    let size = bytes_to_read(32 << 20, 256 << 20);
    let (held, profile) = profile(Stream::new(&header, &row), size);
    assert_eq!(profile.columns.len(), 20);
    let profiled_bytes = ProfiledBytes { attempt: "a".repeat(36), size_bytes: size, etag: "e".repeat(32) };
    let sidecar = profile.encode(&profiled_bytes).len() as u64;
    println!(
        "{size} bytes: a sidecar of {sidecar} bytes, {:.4} %; {held} bytes held",
        sidecar as f64 * 100.0 / size as f64
    );
    assert!(sidecar * 1000 <= size, "{sidecar} bytes of {size}");
}

#[test]
fn the_counting_allocator_measures_held_bytes() {
    let (held, bytes) = peak_held_by(|| std::hint::black_box(vec![1_u8; 1 << 20]));
    assert_eq!(held, bytes.len());
    let (held, ()) = peak_held_by(|| drop(bytes));
    assert_eq!(held, 0);
}
