//! Compares the records of the reader with the records of the `csv` crate, and tests the limits.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::csv::cell::Cells;
use crate::csv::csv_crate::read_with_csv_crate;
use crate::csv::scanner::block::BLOCK_BYTES;
use crate::csv::scanner::block::WINDOW_BLOCKS;
use proptest::prelude::*;

#[derive(Default)]
struct Collected(Vec<Vec<Vec<u8>>>);

impl RecordSink for Collected {
    fn record(&mut self, record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.0.push((0..record.fields).map(|field| record.cell(field).to_vec()).collect());
        Ok(Flow::Continue)
    }
}

pub(in crate::csv) fn read(
    pieces: &[&[u8]],
    delimiter: u8,
    max_record_bytes: usize,
) -> Result<Vec<Vec<Vec<u8>>>, CsvError> {
    let mut reader = RecordReader::new(delimiter, Wanted::first(1000), max_record_bytes, 1, 0);
    let mut collected = Collected::default();
    for piece in pieces {
        reader.feed(piece, &mut collected)?;
    }
    reader.finish(&mut collected)?;
    Ok(collected.0)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    const ALPHABET: &[u8; 16] = b"aaaaa \"\"\",,;\n\r\0\xE9";
    proptest::collection::vec((0..ALPHABET.len()).prop_map(|index| ALPHABET[index]), 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_reader_and_the_csv_crate_read_the_same_records(
        text in text(), split in any::<usize>(), semicolon in any::<bool>(),
    ) {
        let delimiter = if semicolon { b';' } else { b',' };
        let (one, other) = text.split_at(split % (text.len() + 1));
        let records = read(&[one, other], delimiter, usize::MAX);
        prop_assert_eq!(records, Ok(read_with_csv_crate(&text, delimiter)));
    }
}

#[test]
fn well_formed_and_malformed_records_are_read_as_documented() {
    for (text, records) in [
        ("a,b\r\nc,d", vec![vec!["a", "b"], vec!["c", "d"]]),
        ("a\rb\nc\r\n\r\n\nd", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
        ("\n\r\n  \n\"\"\n", vec![vec!["  "], vec![""]]),
        ("12\" x,b\n", vec![vec!["12\" x", "b"]]),
        (" \"a\",b", vec![vec![" \"a\"", "b"]]),
        ("\"ab\"cd,\"e\"\"f\"", vec![vec!["abcd", "e\"f"]]),
        ("\"ab\"c\"d,e\"\nf", vec![vec!["abc\"d", "e\""], vec!["f"]]),
        ("\"two\r\nlines\",x", vec![vec!["two\r\nlines", "x"]]),
        ("a,", vec![vec!["a", ""]]),
        (",", vec![vec!["", ""]]),
        ("\"open,\n", vec![vec!["open,\n"]]),
        ("", vec![]),
    ] {
        let expected: Vec<Vec<Vec<u8>>> = records
            .iter()
            .map(|record| record.iter().map(|value| value.as_bytes().to_vec()).collect())
            .collect();
        assert_eq!(read_with_csv_crate(text.as_bytes(), b','), expected, "{text:?}, read with the csv crate");
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(&single, b',', 100), Ok(expected), "{text:?}");
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_with_the_same_position_at_every_piece_size() {
    let text = b"a,b\r\n\"x\ny\",2\nlonger than ten\nc,d\n";
    let refused = MalformedCsv { record: 3, line: 4, byte: 13, reason: Defect::TooLong { limit_bytes: 10 } };
    for piece_bytes in 1..=text.len() {
        let pieces: Vec<&[u8]> = text.chunks(piece_bytes).collect();
        assert_eq!(read(&pieces, b',', 10), Err(refused.into()), "pieces of {piece_bytes} bytes");
    }
    assert_eq!(read(&[b"0123456789\n0123456789"], b',', 10).map(|records| records.len()), Ok(2));
}

#[test]
fn an_unclosed_quote_is_refused_at_the_record_limit_and_the_buffer_stays_bounded() {
    let mut reader = RecordReader::new(b',', Wanted::first(10), 1000, 1, 0);
    let mut collected = Collected::default();
    assert!(reader.feed(b"\"", &mut collected).is_ok());
    let fed: Vec<bool> = (0..11).map(|_| reader.feed(&[b'\n'; 100], &mut collected).is_ok()).collect();
    assert_eq!(fed.iter().filter(|is_ok| **is_ok).count(), 9);
    assert!(reader.carry.capacity() <= 2000);
}

#[test]
fn a_row_of_more_than_a_hundred_thousand_fields_is_refused() {
    let just_enough = ",".repeat(MAX_FIELDS - 1);
    assert_eq!(
        read(&[just_enough.as_bytes()], b',', usize::MAX).map(|records| records[0].len()),
        Ok(MAX_FIELDS)
    );
    let reason = Defect::TooManyFields { limit: MAX_FIELDS };
    let refused = MalformedCsv { record: 2, line: 2, byte: 2, reason };
    let too_many = format!("a\n{just_enough},\nb");
    assert_eq!(read(&[too_many.as_bytes()], b',', usize::MAX), Err(refused.into()));
}

/// Returns `shift` bytes and then rows of every kind. With different shifts, different bytes of the rows lie at the
/// edges of blocks, windows and pieces.
fn long_text(shift: usize) -> Vec<u8> {
    let mut text = vec![b'x'; shift];
    text.extend_from_slice(b",first\r\n");
    for row in 0..200 {
        let row_text = match row % 9 {
            0 => format!("{row},\"two\r\nlines, \"\"{row}\"\"\",end\r\n"),
            1 => format!("12\" x,{row}\n\n\r\n"),
            2 => format!("\"ab\"c\"d,{row}\",,\r"),
            3 => "\"\"\n".to_owned(),
            _ => format!("{row},plain {row},{},\n", "y".repeat(row % 70)),
        };
        text.extend_from_slice(row_text.as_bytes());
    }
    text.extend_from_slice(b"\"open,\nto the end");
    text
}

#[test]
fn splits_around_the_edges_of_blocks_and_windows_do_not_change_the_records() {
    for shift in [0, 1, 31, 63] {
        let text = long_text(shift);
        let expected = read_with_csv_crate(&text, b',');
        let window_bytes = WINDOW_BLOCKS * BLOCK_BYTES;
        let long = text.repeat(window_bytes / text.len() + 1);
        let expected_of_long = read_with_csv_crate(&long, b',');
        assert!(long.len() > window_bytes + 130);
        for split in (0..=130).chain(window_bytes - 130..=window_bytes + 130) {
            let (one, other) = long.split_at(split);
            let records = read(&[one, other], b',', usize::MAX);
            assert!(records.as_ref() == Ok(&expected_of_long), "{shift}: split at {split}");
        }
        for piece_bytes in 1..=130 {
            let pieces: Vec<&[u8]> = text.chunks(piece_bytes).collect();
            assert!(
                read(&pieces, b',', usize::MAX).as_ref() == Ok(&expected),
                "{shift}: pieces of {piece_bytes} bytes"
            );
        }
    }
}
