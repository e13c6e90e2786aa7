//! Tests with large files, large rows and large cells, and tests of the limits.

use super::{MAX_RECORD_BYTES, TestCut, open};
use crate::csv::cut::processor::{
    CsvError, CutPlan, CutProgress, OUTPUT_TARGET_BYTES, StreamingCsvProcessor,
};
use crate::csv::dialect::Delimiter;
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::{OutputFormat, OutputOptions};
use crate::csv::{CsvOpener, Defect, MalformedCsv, SAMPLE_BYTES};

#[test]
fn a_file_of_ten_thousand_columns_is_cut() {
    let record = |prefix: &str| (0..10_000).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(",");
    let file = format!("{}\n{}\n{}\n", record("c"), record("x"), record("y"));
    let cut = TestCut { columns: Some(vec!["c9999", "c0", "c5000"]), ..TestCut::default() };
    for piece_bytes in [1, 1000, 1 << 20] {
        let (output, tally) = cut.run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), "c9999,c0,c5000\nx9999,x0,x5000\ny9999,y0,y5000\n");
        assert_eq!(tally.rows_ragged(), 0);
    }
    assert_eq!(TestCut::default().text(file.as_bytes()), file);
}

#[test]
fn a_cell_of_a_mebibyte_is_written_completely() {
    let cell = "0123456789abc\"\"\r\n,".repeat(1 << 16);
    let file = format!("a,b\n1,\"{cell}\"\n2,x\n");
    assert!(cell.len() > 1 << 20);
    for piece_bytes in [4096, 262_144, file.len()] {
        let (output, tally) = TestCut::default().run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert!(output == file.as_bytes(), "pieces of {piece_bytes} bytes");
        assert_eq!((tally.rows_in, tally.rows_malformed), (2, 0));
    }
}

#[test]
fn a_header_longer_than_the_sample_is_read_completely() {
    let long_name = "n".repeat(SAMPLE_BYTES + 1000);
    let file = format!("b;{long_name}\n2;1\n");
    for piece_bytes in [4096, SAMPLE_BYTES, file.len()] {
        let cut = TestCut { columns: Some(vec!["b"]), ..TestCut::default() };
        let (output, _) = cut.run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert_eq!(output, b"b\n2\n");
    }
}

#[test]
fn a_header_that_is_too_long_is_refused_before_any_output() {
    let file = vec![b'n'; MAX_RECORD_BYTES + 1];
    let reason = Defect::TooLong { limit_bytes: MAX_RECORD_BYTES };
    let refused = MalformedCsv { record: 0, line: 1, byte: 0, reason };
    for piece_bytes in [65_536, file.len()] {
        let opened = open(InputOptions::default(), &mut file.chunks(piece_bytes));
        assert_eq!(opened.err(), Some(refused.into()));
    }
}

#[test]
fn options_that_are_invalid_for_every_file_are_refused() {
    for text in ["\"", "\n", "\r", "\0", "", "12345"] {
        assert_eq!(Delimiter::new(text), None, "{text:?}");
    }
    let options = InputOptions { encoding: Some(encoding_rs::REPLACEMENT.into()), ..InputOptions::default() };
    assert_eq!(CsvOpener::new(options, 100).err(), Some(CsvError::BadEncoding("replacement")));
}

#[test]
fn a_declared_delimiter_has_precedence_over_detection() {
    let mut cut = TestCut { columns: Some(vec!["b,c"]), ..TestCut::default() };
    cut.input.delimiter = Some(Delimiter::of(b'^'));
    assert_eq!(cut.text(b"a^b,c\n1^2,3\n"), "\"b,c\"\n\"2,3\"\n");
}

#[test]
fn a_large_output_from_little_input_is_returned_in_bounded_pieces() {
    let names = (0..1000).map(|i| format!("a_rather_long_name_{i}")).collect::<Vec<_>>().join(",");
    let file = format!("{names}\n{}", "1\n".repeat(5000));
    let opened = open(InputOptions::default(), &mut [file.as_bytes()].into_iter()).unwrap();
    let plan = CutPlan {
        columns: (0..1000).collect(),
        output: OutputOptions { format: OutputFormat::Ndjson, ..OutputOptions::default() },
        ..CutPlan::default()
    };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let (mut out, mut bytes_out, mut largest) = (Vec::new(), 0, 0);
    while let CutProgress::Full { .. } = processor.finish(&mut out).unwrap() {
        largest = largest.max(out.len());
        bytes_out += out.len();
        out.clear();
    }
    bytes_out += out.len();
    assert_eq!(processor.tally().rows_out, 5000);
    assert_eq!(processor.tally().bytes_out, bytes_out as u64);
    assert!(bytes_out > 100 << 20 && largest < OUTPUT_TARGET_BYTES + 30_000, "{bytes_out} {largest}");
}

#[test]
fn json_rows_of_ten_thousand_columns_are_returned_in_bounded_pieces() {
    let names = (0..10_000).map(|column| format!("{column:0100}")).collect::<Vec<_>>().join(",");
    let file = format!("{names}\n{}", "1\n".repeat(40));
    let opened = open(InputOptions::default(), &mut [file.as_bytes()].into_iter()).unwrap();
    let output = OutputOptions { format: OutputFormat::Ndjson, ..OutputOptions::default() };
    let plan = CutPlan { columns: (0..10_000).collect(), output, ..CutPlan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let (mut out, mut bytes_out) = (Vec::new(), 0);
    while let CutProgress::Full { .. } = processor.finish(&mut out).unwrap() {
        assert!(out.len() <= 2 * OUTPUT_TARGET_BYTES, "{}", out.len());
        bytes_out += out.len();
        out.clear();
    }
    assert!(processor.tally().rows_out == 40 && bytes_out + out.len() > 40 * 1_000_000);
}

#[test]
fn a_long_row_is_returned_in_bounded_pieces_even_if_escapes_make_it_longer() {
    let cell = "\u{1}".repeat(3 << 20);
    let file = format!("a,b\n1,{cell}\n{cell}");
    let opened = open(InputOptions::default(), &mut [file.as_bytes()].into_iter()).unwrap();
    let plan = CutPlan {
        columns: vec![1, 0, 1, 0, 1],
        output: OutputOptions { format: OutputFormat::Ndjson, ..OutputOptions::default() },
        ..CutPlan::default()
    };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let (mut out, mut bytes_out, mut rounds) = (Vec::new(), 0, 0);
    while let CutProgress::Full { .. } = processor.finish(&mut out).unwrap() {
        assert!(out.capacity() <= 4 * OUTPUT_TARGET_BYTES, "{}", out.capacity());
        (bytes_out, rounds) = (bytes_out + out.len(), rounds + 1);
        out.clear();
    }
    bytes_out += out.len();
    assert_eq!(processor.tally().rows_out, 2);
    assert_eq!(processor.tally().bytes_out, bytes_out as u64);
    assert!(
        bytes_out > 5 * 6 * cell.len() && rounds < 2 * bytes_out / OUTPUT_TARGET_BYTES,
        "{bytes_out} {rounds}"
    );
}

#[test]
fn the_line_and_the_byte_in_an_error_include_the_blank_lines_before_the_header() {
    let file = ["\r\n".repeat(5_000), "a,b\n1,2\n3\n".to_owned()].concat();
    for (header, record) in [(true, 2), (false, 3)] {
        let mut cut = TestCut { strict: true, sample_bytes: Some(4), ..TestCut::default() };
        cut.input.header = Some(header);
        cut.input.skip_rows = Some(0);
        cut.input.delimiter = Some(Delimiter::COMMA);
        for piece_bytes in [1, 7, 1_000, file.len()] {
            let CsvError::Malformed(fault) = cut.run(file.as_bytes().chunks(piece_bytes)).unwrap_err() else {
                unreachable!("the options are valid");
            };
            assert_eq!((fault.record, fault.line, fault.byte), (record, 5_003, 10_008), "{piece_bytes}");
        }
    }
}

#[test]
fn no_row_is_shorter_than_the_minimum_that_an_estimate_assumes() {
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson] {
        for typed in [false, true] {
            let cut = TestCut {
                output: OutputOptions { format, typed, ..OutputOptions::default() },
                ..TestCut::default()
            };
            for row in ["1,2,3", ",,", "a,,true"] {
                let file = format!("a,b,a longer name\n{row}\n");
                let opened = open(cut.input.clone(), &mut [file.as_bytes()].into_iter()).unwrap();
                let plan = CutPlan {
                    columns: vec![0, 1, 2],
                    predicate: None,
                    value_kinds: None,
                    output: cut.output,
                    limit: None,
                    offset: 0,
                    strict: false,
                };
                let minimum = StreamingCsvProcessor::new(opened, plan).row_overhead_bytes();
                let (without_rows, with_row) = (cut.text(b"a,b,a longer name\n"), cut.text(file.as_bytes()));
                let row_bytes = with_row.len() - without_rows.len();
                assert!(row_bytes >= minimum, "{format:?}, typed {typed}: {with_row}");
            }
        }
    }
}
