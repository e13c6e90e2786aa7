//! What a cut and a profile hold does not depend on how long the file is.
//!
//! The files are generated as they are read. By itself each test reads little, as code that is not optimised is slow;
//! `LONG=1 cargo test --release --test csv_memory` reads 10 GB of rows, and 50 GiB to fill a profile's index.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/weighing.rs"]
#[allow(dead_code, unreachable_pub)]
mod weighing;

use cutty::csv::profile::{Binding, Profile, Profiler};
use cutty::csv::request::CutRequest;
use cutty::csv::{CutProgress, Opening, Readiness, StreamingCsvProcessor};
use serde_json::json;
use weighing::most_held_by;

const PIECE_BYTES: usize = 256 << 10;
const MAX_RECORD_BYTES: usize = 4 << 20;

/// What a file may have taught at most.
const MOST_LEARNED_BYTES: usize = 8 << 20;

fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

/// How many bytes a test reads: the second number if it was asked for more.
fn bytes_of(short: u64, long: u64) -> u64 {
    if is_long() { long } else { short }
}

/// A file: its header, and rows made over and over from a template in which a number counts up.
struct Stream {
    row: Vec<u8>,
    number: u64,
    pending: Vec<u8>,
}

const DIGITS: usize = 12;

impl Stream {
    /// `row` begins with as many characters as a number has.
    fn new(header: &str, row: &str) -> Self {
        Self { row: format!("{row}\n").into(), number: 0, pending: format!("{header}\n").into() }
    }

    /// Appends rows until a piece is full; says how many bytes it has.
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

/// Cuts a file of so many bytes; how many rows came out.
fn cut(request: &CutRequest, size_bytes: u64) -> u64 {
    let mut stream = orders();
    let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
    let mut read = stream.fill(&mut piece);
    let mut opening = Opening::new(request.input, MAX_RECORD_BYTES).unwrap();
    let opened = loop {
        if let Readiness::Ready(opened) = opening.push(&piece).unwrap() {
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
fn a_cut_holds_the_same_whatever_the_length_of_the_file() {
    let requests = [
        json!({"selectedColumns": ["id", "amount"], "whereFilters": {"id": "> 10"}}),
        json!({"outputFormat": "json"}),
        json!({"filter": {"column": "name", "op": "contains", "value": "LAIT"}, "outputFormat": "ndjson"}),
    ];
    for request in requests {
        let parsed = CutRequest::from_json(&request).unwrap();
        let (short, long) = (bytes_of(2_000_000, 64_000_000), bytes_of(20_000_000, 10_000_000_000));
        let (held_by_short, _) = most_held_by(|| cut(&parsed, short));
        let (held_by_long, rows) = most_held_by(|| cut(&parsed, long));
        println!("{long} bytes, {rows} rows: {held_by_long} held; of {short}: {held_by_short}; {request}");
        assert!(held_by_long.abs_diff(held_by_short) < 1024, "{request}");
        assert!(held_by_long < 2 << 20, "{held_by_long} bytes: {request}");
    }
}

/// What learning a file of so many bytes holds, and what it learns.
fn profile(mut stream: Stream, size_bytes: u64) -> (usize, Profile) {
    let mut piece = Vec::with_capacity(4 << 20);
    most_held_by(|| {
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
fn a_profile_of_a_thousand_columns_is_learned_in_eight_mebibytes() {
    // Rows of a mebibyte, so that each begins a block of the index.
    let cell = |column: usize| format!(",{}", "x".repeat(900 + column % 200));
    let header = (0..1000).map(|column| format!("column {column}")).collect::<Vec<_>>().join(",");
    let row = format!("000000000000{}", (1..1000).map(cell).collect::<String>());
    let size = bytes_of(30 << 20, 50 << 30);
    let (held, profile) = profile(Stream::new(&header, &row), size);
    let blocks = profile.index.unwrap().entries().len();
    println!("{size} bytes, {} rows, {blocks} blocks: {held} held", profile.row_count);
    assert!(profile.failure.is_none() && profile.columns.len() == 1000);
    // The record in hand is none of what was learned.
    assert!(held <= MOST_LEARNED_BYTES + MAX_RECORD_BYTES, "{held} bytes");
}

#[test]
fn the_profile_of_twenty_columns_is_a_thousandth_of_its_file() {
    let header = (0..20).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let row =
        format!("000000000000{}", ",some text,12345.75,2024-02-29".repeat(7).rsplit_once(',').unwrap().0);
    let size = bytes_of(32 << 20, 256 << 20);
    let (held, profile) = profile(Stream::new(&header, &row), size);
    assert_eq!(profile.columns.len(), 20);
    let binding = Binding { attempt: "a".repeat(36), size_bytes: size, etag: "e".repeat(32) };
    let sidecar = profile.encode(&binding).len() as u64;
    println!(
        "{size} bytes: a sidecar of {sidecar}, {:.4} %; {held} held",
        sidecar as f64 * 100.0 / size as f64
    );
    assert!(sidecar * 1000 <= size, "{sidecar} bytes of {size}");
}

#[test]
fn what_is_held_is_weighed() {
    let (held, bytes) = most_held_by(|| std::hint::black_box(vec![1_u8; 1 << 20]));
    assert_eq!(held, bytes.len());
    let (held, ()) = most_held_by(|| drop(bytes));
    assert_eq!(held, 0);
}
