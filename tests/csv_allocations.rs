//! After the buffers of a cut have grown, no row, field or piece causes an allocation. In the profiler, only new zones
//! cause allocations.
#![allow(clippy::unwrap_used)]

use cutty::csv::{
    CsvOpener, CutPlan, CutProgress, InputOptions, OpeningStatus, OutputFormat, OutputOptions,
    StreamingCsvProcessor,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: each call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Returns rows with every kind of field.
fn rows() -> Vec<u8> {
    let mut rows = Vec::new();
    for i in 0..1000 {
        rows.extend_from_slice(
            format!("{i},plain text,\"quoted, with \"\"quotes\"\"\r\nand lines\",12\" x,caf\u{e9},{i}.5\r\n")
                .as_bytes(),
        );
        rows.extend_from_slice(b"short,row\r\n\"over\",long,row,with,too,many,fields\n\n");
    }
    rows
}

/// Cuts a file that consists of a header and many copies of the same rows. Returns the number of allocations during the
/// last five copies.
fn allocations_when_warm(input: InputOptions, output: OutputOptions, encode: fn(&[u8]) -> Vec<u8>) -> u64 {
    let mut opening = CsvOpener::new(input, 1 << 20).unwrap();
    let block = encode(&rows());
    assert!(matches!(opening.push(&encode(b"a,b,c,d,e,f\n")), Ok(OpeningStatus::NeedMore)));
    let opened = loop {
        if let OpeningStatus::Ready(opened) = opening.push(&block).unwrap() {
            break *opened;
        }
    };
    let plan = CutPlan { columns: vec![5, 0, 1, 2, 3, 4], output, ..CutPlan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::with_capacity(1 << 20);
    let mut feed = |zones: usize| {
        for piece in (0..zones).flat_map(|_| block.chunks(4099)) {
            let mut rest = piece;
            while let CutProgress::Full { consumed } = processor.push(rest, &mut out).unwrap() {
                rest = &rest[consumed..];
                out.clear();
            }
        }
    };
    feed(5);
    let before = ALLOCATIONS.with(Cell::get);
    feed(5);
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    assert!(processor.tally().rows_out > 20_000);
    allocations
}

#[test]
fn no_row_causes_an_allocation_in_any_output_format() {
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson] {
        for flag in [false, true] {
            let output = OutputOptions { format, spreadsheet_safe: flag, typed: flag, ..Default::default() };
            let allocations = allocations_when_warm(InputOptions::default(), output, <[u8]>::to_vec);
            assert_eq!(allocations, 0, "{format:?} {flag}");
        }
    }
}

#[test]
fn no_piece_in_utf_16_causes_an_allocation() {
    let utf16: fn(&[u8]) -> Vec<u8> =
        |text| String::from_utf8_lossy(text).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let input = InputOptions { encoding: Some(encoding_rs::UTF_16LE.into()), ..Default::default() };
    assert_eq!(allocations_when_warm(input, OutputOptions::default(), utf16), 0);
}

#[test]
fn only_new_zones_cause_allocations_in_the_profiler() {
    let mut profiler = cutty::csv::profile::Profiler::new(1 << 20);
    profiler.push(b"a,b,c,d,e,f\n");
    let block = rows();
    let mut feed = |zones: usize| {
        for piece in (0..zones).flat_map(|_| block.chunks(4099)) {
            profiler.push(piece);
        }
    };
    feed(20);
    let before = ALLOCATIONS.with(Cell::get);
    feed(20);
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    let profile = profiler.finish();
    assert!(profile.row_count > 20_000);
    // The row index and the zone maps grow with each zone.
    let zones = profile.index.unwrap().entries().len() as u64;
    assert!(allocations <= 3 * zones, "{allocations} allocations in {zones} zones");
}

#[test]
fn the_counting_allocator_counts_allocations() {
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 1);
}
