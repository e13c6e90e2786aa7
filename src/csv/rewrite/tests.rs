//! Compares the converted text with the cells from which a text was written, and with the crate `csv`.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::csv::checkpoint::Seal;
use crate::csv::csv_crate::read_with_csv_crate;
use crate::csv::dialect::{Delimiter, Quote};
use proptest::prelude::*;

const SEAL: Seal = Seal { magic: *b"TEST", version: 1 };

/// Converts a text that is split into two pieces. Saves and restores the rewriter between them.
fn rewritten(dialect: &TableDialect, text: &[u8], split: usize) -> Vec<u8> {
    let (first, second) = text.split_at(split.min(text.len()));
    let mut out = Vec::new();
    let mut rewriter = Rewriter::new(dialect.clone());
    rewriter.push(first, &mut out);
    let mut state = SEAL.writer();
    rewriter.save(&mut state);
    let state = state.sealed();
    let mut state = SEAL.open(&state).unwrap();
    let mut rewriter = Rewriter::new(dialect.clone()).restored(&mut state).unwrap();
    state.end().unwrap();
    rewriter.push(second, &mut out);
    rewriter.finish(&mut out);
    let length = out.len();
    rewriter.finish(&mut out);
    assert_eq!(out.len(), length, "the second call of finish must append nothing");
    out
}

fn cells_of(dialect: &TableDialect, text: &str, split: usize) -> Vec<Vec<String>> {
    let out = rewritten(dialect, text.as_bytes(), split);
    let records = read_with_csv_crate(&out, dialect.scanned_delimiter());
    let text = |cell: Vec<u8>| String::from_utf8(cell).unwrap();
    records.into_iter().map(|record| record.into_iter().map(text).collect()).collect()
}

fn dialect(delimiter: &str, quote: Quote, escape: Escape) -> TableDialect {
    TableDialect { delimiter: Delimiter::new(delimiter).unwrap(), quote, escape, ..TableDialect::default() }
}

#[test]
fn texts_in_unusual_dialects_have_the_expected_cells() {
    let single = dialect(",", Quote::Single, Escape::Double);
    let none = dialect(",", Quote::None, Escape::Double);
    let backslash = dialect(",", Quote::Double, Escape::Backslash);
    let bars = dialect("||", Quote::Double, Escape::Double);
    let trimmed = TableDialect { trim: Trim::Cells, ..TableDialect::default() };
    let comments = TableDialect { comment: Some(b'#'), ..TableDialect::default() };
    let nulls = TableDialect {
        null_values: Some(vec!["NA".to_owned(), "-".to_owned()].into()),
        ..TableDialect::default()
    };
    let footer = TableDialect { skip_footer: 2, ..TableDialect::default() };
    let joined = TableDialect { repeated_headers: RepeatedHeaders::Skip, ..TableDialect::default() };
    let joined_with_footer = TableDialect { skip_footer: 1, ..joined.clone() };
    for (dialect, text, records) in [
        (
            &joined,
            "a,\"b\nc\"\n1,2\na,\"b\nc\"\n\na,b\n",
            vec![vec!["a", "b\nc"], vec!["1", "2"], vec!["a", "b"]],
        ),
        (&joined, "a,b\n\"a\",\"b\"\n\"a,b\"\n", vec![vec!["a", "b"], vec!["a,b"]]),
        (&joined, "\"x\"\"y\",\"\"\n\"x\"\"y\",\n\"x\"y,\n", vec![vec!["x\"y", ""], vec!["xy", ""]]),
        (&joined, "a\r\na\r\nab\r\na", vec![vec!["a"], vec!["ab"]]),
        (&joined_with_footer, "a\n1\na\n2\na\n", vec![vec!["a"], vec!["1"]]),
        (&single, "'a, b',it's\n'it''s',\"q\"\n", vec![vec!["a, b", "it's"], vec!["it's", "\"q\""]]),
        (&single, "'two\nlines',b", vec![vec!["two\nlines", "b"]]),
        (&none, "\"a,b\"\n12\" x,'\n", vec![vec!["\"a", "b\""], vec!["12\" x", "'"]]),
        (
            &backslash,
            "\"say \\\"hi\\\"\",b\\,c\n\\\\,\"a\"\"b\"\n",
            vec![vec!["say \"hi\"", "b,c"], vec!["\\", "a\"b"]],
        ),
        (&bars, "a||b|c\n\"x||y\"||z\n", vec![vec!["a", "b|c"], vec!["x||y", "z"]]),
        (&bars, "a|||b\n", vec![vec!["a", "|b"]]),
        (&trimmed, " a , \"b, c\" ,\t d\n", vec![vec!["a", "b, c", "d"]]),
        (&comments, "# x\na,b\n#c,\"d\n\"#e\",f\n", vec![vec!["a", "b"], vec!["#e", "f"]]),
        (&nulls, "NA,b\n\"-\",NAN\n", vec![vec!["NA", "b"], vec!["", "NAN"]]),
        (&nulls, "a\nNA\n", vec![vec!["a"], vec![""]]),
        (&footer, "a,b\n1,2\n\nTotal,3\nmade,by\n", vec![vec!["a", "b"], vec!["1", "2"]]),
        (&footer, "a,b\n1,2\nTotal,3\n\"made\nby\",me", vec![vec!["a", "b"], vec!["1", "2"]]),
        (&footer, "a,b\n", vec![vec!["a", "b"]]),
    ] {
        for split in 0..=text.len() {
            assert_eq!(cells_of(dialect, text, split), records, "{dialect:?} {text:?} split at {split}");
        }
    }
}

#[test]
fn malformed_fields_stay_malformed() {
    let single = dialect(",", Quote::Single, Escape::Double);
    assert_eq!(rewritten(&single, b"'a'b,c\n", 3), b"\"a\"b,c\n");
    assert_eq!(rewritten(&single, b"a,'b\nc", 3), b"a,\"b\nc");
    let trimmed = TableDialect { trim: Trim::Cells, ..TableDialect::default() };
    assert_eq!(rewritten(&trimmed, b"12\" x,\"a\" b\n", 3), b"12\" x,\"a\"b\n");
}

#[test]
fn a_cell_that_is_longer_than_the_buffer_is_converted() {
    let long = "x'\"".repeat(100_000);
    let backslash = dialect("::", Quote::Single, Escape::Backslash);
    let text = format!("'{}'::b\n{}::c\n", long.replace('\'', "\\'"), long.replace('\'', "\\'"));
    assert_eq!(cells_of(&backslash, &text, 70_001), [[long.clone(), "b".to_owned()], [long, "c".to_owned()]]);
}

#[test]
fn a_quote_that_is_never_closed_does_not_hold_back_the_file() {
    let dialect = TableDialect { skip_footer: 1, ..TableDialect::default() };
    let mut rewriter = Rewriter::new(dialect);
    let mut out = Vec::new();
    rewriter.push(b"a,b\n1,\"", &mut out);
    for _ in 0..100 {
        rewriter.push(&[b'x'; 50_000], &mut out);
        assert!(rewriter.held_bytes() < 500_000, "{}", rewriter.held_bytes());
    }
    rewriter.finish(&mut out);
    assert!(out.starts_with(b"a,b\n1,\"xxx") && out.len() > 5_000_000);
}

#[test]
fn lines_of_comments_become_empty_lines() {
    let comments = TableDialect { comment: Some(b'#'), ..TableDialect::default() };
    assert_eq!(rewritten(&comments, b"# one\r\na,b\n#two\n1,2\n", 4), b"\r\na,b\n\n1,2\n");
}

/// Reads a text with the crate `csv`, in a dialect without backslashes and with a delimiter of one byte.
fn oracle(dialect: &TableDialect, text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).comment(dialect.comment);
    builder.delimiter(dialect.delimiter.single().unwrap());
    match dialect.quote.byte() {
        Some(quote) => builder.quote(quote),
        None => builder.quoting(false),
    };
    let mut reader = builder.from_reader(text);
    reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_has_the_cells_that_the_csv_crate_finds(
        text in "[a,;'\"#\n\r ]{0,24}",
        quote in prop::sample::select(Quote::ALL.to_vec()),
        comment in prop::sample::select(vec![None, Some(b'#')]),
        split in 0_usize..24,
    ) {
        // Without these two rules, the text would not be converted.
        prop_assume!(quote != Quote::Double || comment.is_some());
        // In a comment that no line break ends, the crate finds an empty record. In the crate, only LF ends a comment.
        let text = if comment.is_some() { text.replace('\r', "\n") + "\n" } else { text + "\n" };
        let dialect = TableDialect { quote, comment, ..dialect(";", quote, Escape::Double) };
        let out = rewritten(&dialect, text.as_bytes(), split);
        prop_assert_eq!(read_with_csv_crate(&out, b';'), oracle(&dialect, text.as_bytes()), "{:?}", out);
    }

    #[test]
    fn any_cells_survive_in_any_dialect(
        rows in prop::collection::vec(prop::collection::vec("[a|:'\"\\\\\n, #]{1,6}", 2..4), 1..5),
        quote in prop::sample::select(vec![Quote::Double, Quote::Single]),
        escape in prop::sample::select(Escape::ALL.to_vec()),
        delimiter in prop::sample::select(vec![",", "::", "|", "|:|", "§"]),
        split in 0_usize..40,
    ) {
        let dialect = dialect(delimiter, quote, escape);
        let mark = char::from(quote.byte().unwrap());
        let field = |cell: &String| {
            let inner = match escape {
                Escape::Double => cell.replace(mark, &format!("{mark}{mark}")),
                Escape::Backslash => cell.replace('\\', "\\\\").replace(mark, &format!("\\{mark}")),
            };
            format!("{mark}{inner}{mark}")
        };
        let text: String = rows
            .iter()
            .map(|row| row.iter().map(field).collect::<Vec<_>>().join(delimiter) + "\n")
            .collect();
        let split = (0..=split).rev().find(|&at| text.is_char_boundary(at.min(text.len()))).unwrap();
        prop_assert_eq!(cells_of(&dialect, &text, split), rows);
    }
}
