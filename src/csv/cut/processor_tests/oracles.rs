//! Checks cuts with two other parsers, `csv` and `serde_json`. The crate `csv` reads the cells of the file. Then one of
//! the parsers reads the output of the cut and must find the same cells.

use super::{TestCut, number_rows};
use crate::csv::csv_crate::read_with_csv_crate;
use crate::csv::dialect::{Delimiter, Escape, Quote, Trim};
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::{Newline, OutputFormat};
use encoding_rs::UTF_8;
use proptest::prelude::*;

/// Whether a record may be one field of blanks in quotes. Such a record is a row, but its cell does not show the quotes.
fn has_quoted_blanks(file: &[u8]) -> bool {
    let records = read_with_csv_crate(file, b';');
    let is_blank =
        |record: &Vec<Vec<u8>>| record.len() == 1 && record[0].iter().all(|byte| b" \t".contains(byte));
    file.contains(&b'"') && records.iter().any(is_blank)
}

/// The options for a file whose rules are not detected.
fn plain(delimiter: u8) -> InputOptions {
    InputOptions {
        delimiter: Some(Delimiter::of(delimiter)),
        encoding: Some(UTF_8.into()),
        quote: Some(Quote::Double),
        escape: Some(Escape::Double),
        skip_rows: Some(0),
        comment: Some(None),
        trim: Some(Trim::None),
        ..InputOptions::DETECT
    }
}

/// Gives each record as many fields as the first record has: adds empty fields or removes the last fields.
fn padded(mut records: Vec<Vec<Vec<u8>>>) -> Vec<Vec<Vec<u8>>> {
    let columns = records.first().map_or(0, Vec::len);
    // In a table with several columns, a line of blanks is no row.
    let is_blank =
        |record: &Vec<Vec<u8>>| record.len() == 1 && record[0].iter().all(|byte| b" \t".contains(byte));
    let mut is_header = true;
    records.retain(|record| {
        std::mem::take(&mut is_header) || columns < 2 || record[0].is_empty() || !is_blank(record)
    });
    records.iter_mut().for_each(|record| record.resize(columns, Vec::new()));
    records
}

fn any_csv() -> impl Strategy<Value = Vec<u8>> {
    const ALPHABET: &[u8; 20] = b"aaaaaa\"\"\";;;,\t\n\n\r=\0\xFF";
    proptest::collection::vec((0..ALPHABET.len()).prop_map(|index| ALPHABET[index]), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn another_parser_reads_the_same_cells_from_the_output_and_from_the_file(
        file in any_csv(), tsv in any::<bool>(), crlf in any::<bool>(), split in any::<usize>(),
    ) {
        let mut cut = TestCut { input: plain(b';'), ..TestCut::default() };
        cut.output.format = if tsv { OutputFormat::Tsv } else { OutputFormat::Csv };
        cut.output.newline = if crlf { Newline::Crlf } else { Newline::Lf };
        prop_assume!(!has_quoted_blanks(&file));
        let (one, other) = file.split_at(split % (file.len() + 1));
        let (output, tally) = cut.run([one, other]).unwrap();
        let expected = padded(read_with_csv_crate(&file, b';'));
        prop_assert_eq!(tally.rows_in as usize, expected.len().saturating_sub(1));
        prop_assert_eq!(read_with_csv_crate(&output, if tsv { b'\t' } else { b',' }), expected);
    }

    #[test]
    fn cutting_the_output_of_a_cut_returns_the_same_bytes(file in any_csv()) {
        let mut cut = TestCut { input: plain(b';'), ..TestCut::default() };
        let (once, _) = cut.run([&file[..]]).unwrap();
        cut.input = plain(b',');
        let (twice, tally) = cut.run([&once[..]]).unwrap();
        prop_assert_eq!(once, twice);
        prop_assert_eq!((tally.rows_ragged(), tally.rows_malformed), (0, 0));
    }

    #[test]
    fn a_json_parser_reads_the_cells_of_the_file_from_the_output(file in any_csv(), split in any::<usize>()) {
        let cut = TestCut { input: plain(b';'), ..TestCut::format(OutputFormat::Json) };
        prop_assume!(!has_quoted_blanks(&file));
        let (one, other) = file.split_at(split % (file.len() + 1));
        let (output, _) = cut.run([one, other]).unwrap();
        let rows: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&output).unwrap();
        let expected = padded(read_with_csv_crate(&file, b';'));
        prop_assert_eq!(rows.len(), expected.len().saturating_sub(1));
        for (row, record) in rows.iter().zip(expected.iter().skip(1)) {
            let mut cells: Vec<&str> = row.values().filter_map(|cell| cell.as_str()).collect();
            let mut wanted: Vec<_> = record.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
            // The map does not keep the order of the members, so both lists are sorted before they are compared.
            cells.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(cells, wanted);
        }
    }
}

/// Returns the header and the rows whose second cell is a number that `passes` accepts. The `csv` crate reads the file,
/// and the standard library parses the numbers as doubles.
fn matching_rows(file: &[u8], passes: impl Fn(f64) -> bool) -> Vec<Vec<Vec<u8>>> {
    let mut rows = padded(read_with_csv_crate(file, b','));
    let number = |row: &[Vec<u8>]| std::str::from_utf8(&row[1]).ok()?.trim_matches(' ').parse().ok();
    let header = rows.remove(0);
    rows.retain(|row| number(row).is_some_and(&passes));
    rows.insert(0, header);
    rows
}

#[test]
fn record_groups_yield_exactly_the_matching_rows() {
    let file = number_rows();
    let within = |low: f64, high: f64| move |number: f64| low <= number && number <= high;
    type Passes = Box<dyn Fn(f64) -> bool>;
    let cases: [(&str, Passes); 6] = [
        (">= 600", Box::new(|number| number >= 600.0)),
        ("> 600.5", Box::new(|number| number > 600.5)),
        ("< -290", Box::new(|number| number < -290.0)),
        ("<= -290.50", Box::new(|number| number <= -290.5)),
        ("BETWEEN -10 AND 10.5", Box::new(within(-10.0, 10.5))),
        (">= 1e9", Box::new(|number| number >= 1e9)),
    ];
    for (filter, passes) in cases {
        let expected = matching_rows(&file, passes);
        assert!(expected.len() > 1, "{filter}");
        for piece_bytes in [7, 64, 100, 1000, file.len()] {
            let cut = TestCut { filter: Some(filter), sample_bytes: Some(4), ..TestCut::default() };
            let (output, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!(
                read_with_csv_crate(&output, b','),
                expected,
                "{filter} in pieces of {piece_bytes} bytes"
            );
            assert_eq!((tally.rows_in, tally.rows_out), (400, expected.len() as u64 - 1));
            assert_eq!((tally.rows_short, tally.rows_long), (10, 10));
        }
    }
}
