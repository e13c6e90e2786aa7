//! Tests of the rows that a cut writes, refuses and counts.

use super::{TestCut, open};
use crate::csv::cut::processor::{CutPlan, CutProgress, StreamingCsvProcessor};
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::OutputFormat;
use crate::csv::{Defect, MalformedCsv};

#[test]
fn limit_and_offset_are_numbers_of_rows_and_a_cut_reads_nothing_after_its_limit() {
    let file = b"a\n1\n2\n3\n4\n5\n";
    for (offset, limit, text) in [
        (0, Some(2), "a\n1\n2\n"),
        (3, None, "a\n4\n5\n"),
        (1, Some(2), "a\n2\n3\n"),
        (9, Some(2), "a\n"),
        (0, Some(0), "a\n"),
    ] {
        let cut = TestCut { offset, limit, ..TestCut::default() };
        assert_eq!(cut.text(file), text, "{offset} {limit:?}");
    }
    let cut = TestCut { limit: Some(1), ..TestCut::format(OutputFormat::Json) };
    let (output, tally) = cut.run([&file[..], b"\"never read"]).unwrap();
    assert_eq!(output, b"[{\"a\":\"1\"}]\n");
    assert_eq!((tally.rows_in, tally.rows_out), (1, 1));
}

#[test]
fn a_cut_that_reached_its_limit_needs_no_more_input() {
    let opened = open(InputOptions::default(), &mut [&b"a\n1\n2\n"[..]].into_iter()).unwrap();
    let plan = CutPlan { columns: vec![0], limit: Some(1), ..CutPlan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::new();
    assert_eq!(processor.push(b"", &mut out), Ok(CutProgress::Done));
    assert_eq!(processor.push(b"3\n", &mut out), Ok(CutProgress::Done));
    assert_eq!(processor.finish(&mut out), Ok(CutProgress::Done));
    assert_eq!(out, b"a\n1\n");
}

#[test]
fn ragged_rows_are_padded_or_truncated_and_counted() {
    let file = b"a,b,c\n1\n1,2,3,4,5\n1,2,3\n,\n";
    assert_eq!(TestCut::default().text(file), "a,b,c\n1,,\n1,2,3\n1,2,3\n,,\n");
    let tally = TestCut::default().tally(file);
    assert_eq!((tally.rows_short, tally.rows_long, tally.rows_ragged()), (2, 1, 3));
    let cut = TestCut { columns: Some(vec!["a"]), ..TestCut::default() };
    assert_eq!(cut.tally(file).rows_ragged(), 3, "rows_ragged must not depend on the picked columns");
}

#[test]
fn strict_mode_refuses_the_first_malformed_record_and_reports_its_position() {
    let ragged = |found| Defect::Ragged { expected: 2, found };
    for (file, record, line, byte, reason) in [
        ("a,b\n1,2\n\n3\n", 2, 4, 9, ragged(1)),
        ("a,b\r\n\"1\r\n1\",2\r\n1,2,3\r\n", 2, 4, 15, ragged(3)),
        ("a,b\n1,x\"y\n", 1, 2, 4, Defect::StrayQuote),
        ("a,b\n1,\"x\"y\n", 1, 2, 4, Defect::StrayQuote),
        ("\u{FEFF}a,b\n1,\"x", 1, 2, 7, Defect::UnclosedQuote),
    ] {
        let cut = TestCut { strict: true, ..TestCut::default() };
        let expected = MalformedCsv { record, line, byte, reason };
        let result = cut.run([file.as_bytes()]).map(|_| ());
        assert_eq!(result, Err(expected.into()), "{file:?}");
        assert!(TestCut::default().run([file.as_bytes()]).is_ok(), "{file:?} is read without strict mode");
    }
    let well_formed = TestCut { strict: true, ..TestCut::default() };
    assert_eq!(well_formed.text(b"a,b\n\"1\"\"\",2\n"), "a,b\n\"1\"\"\",2\n");
}

#[test]
fn a_refused_row_is_counted() {
    let opened = open(InputOptions::default(), &mut [&b"a,b\n1,2\n3\n"[..]].into_iter()).unwrap();
    let plan = CutPlan { columns: vec![0, 1], strict: true, ..CutPlan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    assert!(processor.push(b"", &mut Vec::new()).is_err());
    let tally = processor.tally();
    assert_eq!((tally.rows_in, tally.rows_out, tally.rows_rejected), (1, 1, 1));
}

#[test]
fn a_file_without_header_has_numbered_columns_and_keeps_its_first_row() {
    let mut cut = TestCut { columns: Some(vec!["column_2", "#1"]), ..TestCut::default() };
    cut.input.header = Some(false);
    assert_eq!(cut.text(b"1;x\n2;y\n"), "column_2,column_1\nx,1\ny,2\n");
    cut.strict = true;
    let refused = cut.run([&b"1;x\n2\n"[..]]).map(|_| ());
    let reason = Defect::Ragged { expected: 2, found: 1 };
    assert_eq!(refused, Err(MalformedCsv { record: 2, line: 2, byte: 4, reason }.into()));
}
