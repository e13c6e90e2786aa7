//! Tests of the output: columns, formats, quotes, options.

use super::TestCut;
use crate::csv::write::options::{Newline, OutputFormat, OutputOptions};

#[test]
fn columns_have_the_requested_order_and_cells_keep_their_quotes() {
    let cut = TestCut { columns: Some(vec!["c", "A", "#2", "a"]), ..TestCut::default() };
    assert_eq!(
        cut.text(b"a,b,c\r\n1,\"2\",\"x,\"\"y\"\"\"\r\n\r\n4,,\"6\n7\""),
        "c,a,b,a\n\"x,\"\"y\"\"\",1,\"2\",1\n\"6\n7\",4,,4\n"
    );
}

#[test]
fn every_output_format_shows_the_same_rows() {
    let file = "id;näme;note\n1;\"Zoë \"\"Z\"\"\";a,b\n2;x\ty;\n".as_bytes();
    let text = |format| TestCut::format(format).text(file);
    assert_eq!(text(OutputFormat::Csv), "id,näme,note\n1,\"Zoë \"\"Z\"\"\",\"a,b\"\n2,x\ty,\n");
    assert_eq!(text(OutputFormat::Tsv), "id\tnäme\tnote\n1\t\"Zoë \"\"Z\"\"\"\ta,b\n2\t\"x\ty\"\t\n");
    assert_eq!(
        text(OutputFormat::Json),
        concat!(
            r#"[{"id":"1","näme":"Zoë \"Z\"","note":"a,b"},"#,
            "\n",
            r#"{"id":"2","näme":"x\ty","note":""}]"#,
            "\n"
        )
    );
    assert_eq!(
        text(OutputFormat::Ndjson),
        concat!(
            r#"{"id":"1","näme":"Zoë \"Z\"","note":"a,b"}"#,
            "\n",
            r#"{"id":"2","näme":"x\ty","note":""}"#,
            "\n"
        )
    );
}

#[test]
fn a_file_without_rows_gives_a_complete_output_in_every_format() {
    for file in [&b"a,b"[..], b"a,b\n", b"\xEF\xBB\xBFa,b\r\n\r\n"] {
        assert_eq!(TestCut::default().text(file), "a,b\n");
        assert_eq!(TestCut::format(OutputFormat::Tsv).text(file), "a\tb\n");
        assert_eq!(TestCut::format(OutputFormat::Json).text(file), "[]\n");
        assert_eq!(TestCut::format(OutputFormat::Ndjson).text(file), "");
    }
    for empty in [&b""[..], b"\n\r\n", b"\xEF\xBB\xBF"] {
        assert_eq!(TestCut::format(OutputFormat::Json).text(empty), "[]\n");
        assert_eq!(TestCut::default().tally(empty).rows_in, 0);
    }
}

#[test]
fn json_member_names_are_unique_and_typed_output_has_numbers_booleans_and_null() {
    let mut cut = TestCut::format(OutputFormat::Ndjson);
    cut.output.typed = true;
    assert_eq!(
        cut.text(b"n,n,,ok\n1.50,007,,TRUE\n"),
        "{\"n\":1.50,\"n_2\":\"007\",\"column_3\":null,\"ok\":true}\n"
    );
}

#[test]
fn the_options_bom_newline_and_header_are_applied() {
    let mut cut = TestCut::default();
    cut.output = OutputOptions { bom: true, newline: Newline::Crlf, header: false, ..cut.output };
    assert_eq!(cut.text(b"a,b\n1,\"2\n3\"\n"), "\u{FEFF}1,\"2\n3\"\r\n");
}

#[test]
fn a_row_of_one_empty_cell_does_not_become_a_blank_line() {
    let cut = TestCut { columns: Some(vec!["b"]), ..TestCut::default() };
    assert_eq!(cut.text(b"a,b\n1,\n2\n3,x\n"), "b\n\"\"\n\"\"\nx\n");
}

#[test]
fn rows_with_stray_quotes_become_well_formed_rows_in_the_output() {
    let file = b"size,b\n12\" x,\"ab\"cd\n\"open,\nto the end";
    assert_eq!(TestCut::default().text(file), "size,b\n\"12\"\" x\",abcd\n\"open,\nto the end\",\n");
    let tally = TestCut::default().tally(file);
    assert_eq!((tally.rows_malformed, tally.rows_short, tally.rows_in), (2, 1, 2));
}

#[test]
fn byte_order_marks_are_removed_at_the_start_but_not_inside_quotes() {
    let once = TestCut::default().text("\u{FEFF}\u{FEFF}a,b\n1,2\n".as_bytes());
    assert_eq!(once, "a,b\n1,2\n");
    let quoted = TestCut::default().text("\"\u{FEFF}a\",b\n1,2\n".as_bytes());
    assert_eq!(quoted, "\"\u{FEFF}a\",b\n1,2\n");
}

#[test]
fn no_output_starts_with_an_accidental_byte_order_mark() {
    for long_record_bytes in [None, Some(0)] {
        let mut cut = TestCut { columns: Some(vec!["#2"]), long_record_bytes, ..TestCut::default() };
        cut.input.encoding = Some(encoding_rs::UTF_8.into());
        cut.output.header = false;
        for mark in [&b"\xFF\xFE"[..], b"\xFE\xFF"] {
            let (output, _) = cut.run([&[b"a,b\n1,", mark, b"c\n"].concat()[..]]).unwrap();
            assert_eq!(output, [b"\"", mark, b"c\"\n"].concat());
        }
    }
}

#[test]
fn formulas_get_an_apostrophe_and_numbers_stay_unchanged() {
    let mut cut = TestCut::default();
    cut.output.spreadsheet_safe = true;
    assert_eq!(
        cut.text(b"=h,b,c\n=1+1,-5,\"@x,\"\"y\"\"\"\n+a,\"-1.5\",plain\n"),
        "'=h,b,c\n'=1+1,-5,\"'@x,\"\"y\"\"\"\n'+a,\"-1.5\",plain\n"
    );
}
