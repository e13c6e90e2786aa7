//! Each table of the tests stands for a kind of file that people have.

use super::*;

fn sniffed(text: &str) -> Sniffed {
    sniff(text.as_bytes(), true, &InputOptions::DETECT)
}

fn delimiter_of(text: &str) -> String {
    sniffed(text).table.delimiter.as_str().to_owned()
}

#[test]
fn the_delimiter_of_common_tables_is_detected() {
    for (sample, delimiter) in [
        ("a,b,c\n1,2,3\n", ","),
        ("a;b;c\n1;2;3\n", ";"),
        ("a\tb\tc\n1\t2\t3\n", "\t"),
        ("a|b|c\r\n1|2|3\r\n", "|"),
        ("price;sum\n1,5;2,5\n3,5;4,5\n", ";"),
        ("id|text\n1|a, b, c\n2|d, e\n3|f\n", "|"),
        ("id,tags\n1,a|b\n2,c|d\n", ","),
        ("id,tags;more\n1,a;b\n2,c;d\n", ","),
        ("\"a,x\";\"b,y\"\n\"1,5\";\"2,5\"\n", ";"),
        ("a;b\n\"1\n,2,\n,3\";4\n", ";"),
        ("a;b", ";"),
        ("a;b\n1;2\n3,4,5;6", ";"),
    ] {
        assert_eq!(delimiter_of(sample), delimiter, "{sample:?}");
    }
}

#[test]
fn a_file_whose_header_no_candidate_splits_has_no_delimiter() {
    for sample in [
        "name\nAnna\nBo, Jr.\n",
        "Name\nDoe, John\nRoe, Jane\n",
        "Adresse\nBahnhofstr. 1, Bern\nHauptstr. 2, Basel\nSeeweg 3, Thun\n",
        "one column\n",
        "1\n2\n3\n",
        "Table 12\nPopulation\nYear;Sum\n2019;8\n2020;9\n____\nSource: office\n(C) 2024\n",
    ] {
        let found = sniffed(sample);
        let is_split = sample.contains(['Y', ',']);
        assert_eq!(found.confidence_percent <= UNCERTAIN_PERCENT, is_split, "{sample:?}");
        assert_eq!((found.table.delimiter, found.table.skip_rows), (Delimiter::NONE, 0), "{sample:?}");
    }
}

#[test]
fn a_sample_without_records_is_read_with_commas() {
    for sample in ["", "\n\r\n"] {
        assert_eq!(sniffed(sample).table.delimiter, Delimiter::COMMA, "{sample:?}");
    }
}

#[test]
fn lines_above_the_header_are_skipped() {
    for (sample, delimiter, skipped) in [
        ("sep=;\r\nName;City;Sum\r\nAnna;Bern;15\r\n", ";", 1),
        ("\"sep=\t\"\na\tb\n1\t2\n", "\t", 1),
        ("Kontoauszug 2024\nKonto: DE12\n\nDatum;Text;Betrag\n01.02.2024;Miete;-700,00\n", ";", 3),
        ("My list\n\nName,City\nAnna,Bern\nBo,Basel\n", ",", 2),
        ("Report of sales\nid,name,amount\n1,a,2\n2,b,3\n", ",", 1),
        (
            "Konto:;DE12\nVon:;2024-01-01\nDatum;Text;Betrag;Saldo\n2024-01-02;a;1;2\n2024-01-03;b;2;4\n",
            ";",
            2,
        ),
        ("sep=;\r\nSales of 2024\r\n\r\nName;City;Sum\r\nAnna;Bern;15\r\n", ";", 3),
        // Spreadsheets pad titles to the width of the table.
        ("Sales 2024,,,\nRegion,Product,Units,Sum\nNorth,Pen,5,10\nSouth,Ink,6,12\n", ",", 1),
        ("Sales;;\n;;\nRegion;Product;Note\nNorth;Pen;new\nSouth;Ink;old\n", ";", 2),
        ("Sales\nby region,,\nRegion,Product,Sum\nNorth,Pen,5\nSouth,Ink,6\n", ",", 2),
        ("# made by x\nid\tname\n1\ta\n2\tb\n", "\t", 1),
        ("# made by x, y\n# z\nid,name\n1,a\n2,b\n", ",", 2),
        ("#a comment\n#id,name\n1,a\n2,b\n", ",", 1),
    ] {
        let found = sniffed(sample);
        assert_eq!(
            (found.table.delimiter.as_str(), found.table.skip_rows),
            (delimiter, skipped),
            "{sample:?}"
        );
    }
}

#[test]
fn a_header_is_not_taken_for_a_title() {
    for sample in [
        // R writes no name for the column of row names.
        "a,b,c\n1,1,2,3\n2,4,5,6\n",
        "#id,name\n1,a\n2,b\n",
        "#id\n1\n2\n",
        "a,b\n1\n2\n3\n",
        "id,name,more\n1,a\n2,b\n3,c\n",
        "a,b,c\n1,2,3\n",
        // The other columns have no names.
        "name,,\nAnna,1,2\nBo,3,4\n",
        "name,,\nAnna,x,y\nBo,z,w\n",
        "name of person,,\nAnna,x,y\nBo,z,w\n",
        "Region,,\n,2019,2020\nNorth,1,2\nSouth,3,4\n",
        "id,name,more\n1,,\n2,,\n3,x,y\n",
    ] {
        assert_eq!(sniffed(sample).table.skip_rows, 0, "{sample:?}");
    }
}

#[test]
fn quotes_escapes_and_blanks_are_detected() {
    for (sample, table) in [
        ("'a','b'\n'1','x, y'\n'2','z'\n", TableDialect { quote: Quote::Single, ..TableDialect::default() }),
        (
            "id,name\n1,\"say \\\"hi\\\", Bo\"\n2,\"x\"\n",
            TableDialect { escape: Escape::Backslash, ..TableDialect::default() },
        ),
        ("\"a\", \"b\"\n\"1\", \"x, y\"\n", TableDialect { trim: Trim::Cells, ..TableDialect::default() }),
        ("id,name\n1,it's\n2,'tis\n3,x\n", TableDialect::default()),
        ("id,name\n1,12\" x\n2,y\n", TableDialect::default()),
        ("id,path\n1,C:\\\"x\n2,y\n", TableDialect::default()),
    ] {
        assert_eq!(sniffed(sample).table, table, "{sample:?}");
    }
}

#[test]
fn given_rules_are_not_detected() {
    let sample = b"title\na;b\n1;2\n";
    let options = InputOptions {
        delimiter: Some(Delimiter::COMMA),
        quote: Some(Quote::None),
        skip_rows: Some(0),
        header: Some(false),
        ..InputOptions::DETECT
    };
    let expected = TableDialect { quote: Quote::None, header_row: false, ..TableDialect::default() };
    assert_eq!(sniff(sample, true, &options).table, expected);
}

#[test]
fn a_declared_tsv_file_is_split_at_tabs_unless_another_delimiter_is_far_better() {
    let declared = InputOptions { declared_delimiter: Some(Delimiter::of(b'\t')), ..InputOptions::DETECT };
    let delimiter = |text: &str| sniff(text.as_bytes(), true, &declared).table.delimiter;
    assert_eq!(delimiter("a, b\tc\n1, 2\t3\n").as_str(), "\t");
    assert_eq!(delimiter("a,b\n1,2\n").as_str(), ",");
}

#[test]
fn an_uncertain_result_has_alternatives() {
    let found = sniffed("a,b;c\n1,2;3\n4,5;6\n");
    assert!(found.confidence_percent <= UNCERTAIN_PERCENT);
    assert_eq!(found.alternatives.len(), 1);
    assert_eq!(found.alternatives[0].delimiter.as_str(), ";");
    let found = sniffed("a,b\n1,2\n");
    assert_eq!((found.confidence_percent, found.alternatives.len()), (100, 0));
}

#[test]
fn a_file_that_may_have_another_delimiter_is_uncertain() {
    for delimiter in ["::", ":", "/", "¦", "，", "  ", "@@", "<>", ";;", "\t\t", "|~|", "~", " | ", " ; "] {
        let text = "id,name,v\n1,Ann,3\n2,Bo,6\n3,Cy,9\n".replace(',', delimiter);
        let found = sniffed(&text);
        assert!(found.confidence_percent <= UNCERTAIN_PERCENT, "{delimiter:?}");
        assert_eq!(found.alternatives[0].delimiter.as_str(), delimiter, "{delimiter:?}");
    }
    for text in [
        "time\n12:30\n13:45\n",
        "url\nhttps://example.org/\nhttps://example.com/\n",
        "a,b,c\n1,,2\n3,,4\n5,6,7\n",
        "a,,c\n1,x,2\n3,,4\n",
        "first name\nAnn\nBo\n",
        "a | b\n1 | 2\n3 |4\n",
    ] {
        let found = sniffed(text);
        assert_eq!((found.confidence_percent, found.alternatives.len()), (100, 0), "{text:?}");
    }
}

#[test]
fn an_unfinished_record_counts_only_if_it_is_the_first_record() {
    let delimiter = |sample: &[u8]| sniff(sample, false, &InputOptions::DETECT).table.delimiter;
    assert_eq!(delimiter(b"a;b,c;d\n1;2,3;4\n5;6,7").as_str(), ";");
    assert_eq!(delimiter(b"a first record; longer than the sample; with, both").as_str(), ";");
}

#[test]
fn a_separator_line_counts_only_if_its_delimiter_splits_the_header() {
    for (sample, delimiter, skipped, is_certain) in [
        ("sep=;\nName;City\nAnna;Bern\n", ";", 1, true),
        ("sep=::\na::b\n1::2\n", "::", 1, true),
        ("sep=; \nid;name\n1;a\n", ";", 1, true),
        ("sep=;;;\nName;City;Sum\nA;B;1\n", ";", 1, true),
        ("sep=;,,\nName,City,Sum\nA,B,1\n", ",", 1, false),
        ("sep=,\nName;City;Sum\nAnna;Bern;15\n", ";", 1, false),
        ("sep=,\nName\nAnna\nBo\n", "", 1, true),
        ("sep=a,b\n1,2\n3,4\n", ",", 0, true),
    ] {
        let found = sniffed(sample);
        assert_eq!(
            (found.table.delimiter.as_str(), found.table.skip_rows),
            (delimiter, skipped),
            "{sample:?}"
        );
        assert_eq!(found.confidence_percent > UNCERTAIN_PERCENT, is_certain, "{sample:?}");
    }
}

#[test]
fn one_column_with_a_rare_delimiter_is_not_certain() {
    for (sample, delimiter) in
        [("id~name~v\n1~a~2\n", "~"), ("a^b\n1^2\n3^4\n", "^"), ("a\u{1}b\n1\u{1}2\n", "\u{1}")]
    {
        let found = sniffed(sample);
        assert_eq!((found.table.delimiter, found.confidence_percent), (Delimiter::NONE, UNCERTAIN_PERCENT));
        assert_eq!(found.alternatives[0].delimiter.as_str(), delimiter, "{sample:?}");
    }
    for sample in ["name\nAnna\n", "formula\na=b\nc=d\n", "#1\n#2\n##3\n", "a!\n"] {
        assert_eq!(sniffed(sample).alternatives, [], "{sample:?}");
    }
}

#[test]
fn a_file_that_can_be_read_with_and_without_quotes_is_not_certain() {
    let found = sniffed("id,t,v\n1,\"open,2\n2,x,5\n3,y,6\n");
    assert_eq!((found.table.quote, found.confidence_percent), (Quote::None, UNCERTAIN_PERCENT));
    assert_eq!(found.alternatives[0].quote, Quote::Double);
    let found = sniffed("id,size,v\n1,\"1\" pipe,4\n2,\"2\" pipe,5\n3,\"3\" pipe,6\n");
    assert!(found.confidence_percent <= UNCERTAIN_PERCENT);
    assert_eq!(found.alternatives[0].quote, Quote::None);
}

#[test]
fn comments_between_rows_say_nothing_about_the_rows() {
    let mut sample = "# made by x\nid,name,score\n".to_owned();
    for id in 0..40 {
        sample += &format!("{id},Ann,5\n{}", if id % 2 == 0 { "# page\n" } else { "" });
    }
    let found = sniffed(&sample);
    assert_eq!((found.table.comment, found.table.skip_rows, found.confidence_percent), (Some(b'#'), 1, 100));
    // An owner who keeps these lines keeps the delimiter and the header.
    let kept = InputOptions { comment: Some(None), ..InputOptions::DETECT };
    let found = sniff(sample.as_bytes(), true, &kept);
    assert_eq!((found.table.delimiter.as_str(), found.table.skip_rows), (",", 1));
    assert!(found.confidence_percent < 80, "{}", found.confidence_percent);
}
