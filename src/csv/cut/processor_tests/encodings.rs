//! Tests of files in many encodings, and of bytes that cannot be decoded.

use super::{TestCut, open, utf16};
use crate::csv::csv_crate::read_with_csv_crate;
use crate::csv::dialect::Delimiter;
use crate::csv::error::{CsvError, Defect, MalformedCsv};
use crate::csv::write::options::OutputFormat;
use crate::csv::{EncodingSource, FileEncoding};
use encoding_rs::{MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

#[test]
fn every_encoding_is_read_and_the_encoding_source_is_reported() {
    let text = "name;città\nZoë;Zürich\n";
    let csv = "name,città\nZoë,Zürich\n";
    let with_bom = |bom: &[u8], bytes: Vec<u8>| [bom, &bytes].concat();
    let declared = EncodingSource::Declared;
    for (file, encoding, declared_as, source) in [
        (text.as_bytes().to_vec(), UTF_8, None, EncodingSource::Detected),
        (with_bom(b"\xEF\xBB\xBF", text.into()), UTF_8, None, EncodingSource::ByteOrderMark),
        (with_bom(b"\xFF\xFE", utf16(text, u16::to_le_bytes)), UTF_16LE, None, EncodingSource::ByteOrderMark),
        (with_bom(b"\xFE\xFF", utf16(text, u16::to_be_bytes)), UTF_16BE, None, EncodingSource::ByteOrderMark),
        (utf16(text, u16::to_le_bytes), UTF_16LE, Some(UTF_16LE), declared),
        (utf16(text, u16::to_be_bytes), UTF_16BE, Some(UTF_16BE), declared),
        (WINDOWS_1252.encode(text).0.into_owned(), WINDOWS_1252, Some(WINDOWS_1252), declared),
        (WINDOWS_1252.encode(text).0.into_owned(), WINDOWS_1252, None, EncodingSource::Detected),
        (MACINTOSH.encode(text).0.into_owned(), MACINTOSH, Some(MACINTOSH), declared),
    ] {
        let mut cut = TestCut::default();
        cut.input.encoding = declared_as.map(FileEncoding::Standard);
        let opened = open(cut.input.clone(), &mut [&file[..]].into_iter()).unwrap();
        assert_eq!(
            (opened.dialect.encoding, opened.dialect.encoding_source),
            (encoding.into(), source),
            "{}",
            encoding.name()
        );
        assert_eq!(opened.dialect.table.delimiter, Delimiter::of(b';'));
        for piece_bytes in 1..=5 {
            let (output, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!(String::from_utf8_lossy(&output), csv, "{}, pieces of {piece_bytes}", encoding.name());
            assert_eq!((tally.undecodable, tally.bytes_in), (0, file.len() as u64));
        }
    }
}

#[test]
fn common_encodings_of_the_web_are_read() {
    for (label, text) in [
        ("shift_jis", "名前,値\n漢字,カナ\n"),
        ("euc-jp", "名前,値\n漢字,カナ\n"),
        ("gb18030", "名字,值\n汉字,😀\n"),
        ("big5", "名字,值\n漢字,一\n"),
        ("euc-kr", "이름,값\n한글,가\n"),
        ("koi8-r", "имя,число\nМир,1\n"),
        ("windows-1251", "имя,число\nМир,1\n"),
        ("iso-8859-7", "όνομα,τιμή\nγη,1\n"),
        ("windows-1255", "שם,ערך\nא,1\n"),
    ] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let (file, used, failed) = encoding.encode(text);
        assert!(used == encoding && !failed, "{label}");
        let mut cut = TestCut::default();
        cut.input.encoding = crate::csv::encoding_for_label(label);
        let (output, _) = cut.run(file.chunks(1)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), text, "{label}");
    }
}

#[test]
fn no_byte_splits_the_rows_of_a_table_without_a_delimiter() {
    let plain = (1..=u8::MAX).filter(|byte| !b"\r\n\"".contains(byte)).map(|byte| vec![b'x', byte, b'y']);
    let cells: Vec<Vec<u8>> =
        plain.chain(["a, b", "two\nlines", "q\"q", "last"].map(|cell| cell.as_bytes().to_vec())).collect();
    let quoted = |cell: &Vec<u8>| match cell.as_slice() {
        b"two\nlines" => b"\"two\nlines\"".to_vec(),
        b"q\"q" => b"\"q\"\"q\"".to_vec(),
        plain => plain.to_vec(),
    };
    let mut cut = TestCut::default();
    cut.input.encoding = Some(UTF_8.into());
    cut.input.delimiter = Some(Delimiter::NONE);
    for end in ["\n", "\r\n", "\r"] {
        let file = cells.iter().map(quoted).collect::<Vec<_>>().join(end.as_bytes());
        for piece_bytes in [1, 3, 64, file.len()] {
            let (output, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!((tally.rows_in as usize, tally.rows_ragged()), (cells.len() - 1, 0), "{end:?}");
            let read: Vec<Vec<u8>> = read_with_csv_crate(&output, b',').into_iter().flatten().collect();
            assert_eq!(read, cells, "{end:?}, pieces of {piece_bytes}");
        }
    }
}

#[test]
fn code_pages_of_dos_are_read() {
    for (label, file, csv) in [
        ("cp437", &b"n\x84me,\x9c\n\xe1,\xe4\n"[..], "näme,£\nß,Σ\n"),
        ("cp850", b"n\x84me,\x9c\n\xe1,\xb8\n", "näme,£\nß,©\n"),
        ("cp852", b"mi\xa9,\xa8\n", "mię,Ę\n"),
        ("ibm00858", b"a\n\xd5\n", "a\n€\n"),
    ] {
        let mut cut = TestCut::default();
        cut.input.encoding = crate::csv::encoding_for_label(label);
        for piece_bytes in [1, 3, file.len()] {
            let (output, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!((String::from_utf8_lossy(&output).as_ref(), tally.undecodable), (csv, 0), "{label}");
        }
    }
}

#[test]
fn undecodable_sequences_are_replaced_and_counted() {
    let mut cut = TestCut::default();
    cut.input.encoding = Some(UTF_16LE.into());
    let mut file = utf16("a\nx", u16::to_le_bytes);
    file.extend_from_slice(b"\x00\xDC\n\0y\0z");
    for piece_bytes in 1..=file.len() {
        let (output, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), "a\nx\u{FFFD}\ny\u{FFFD}\n");
        assert_eq!(tally.undecodable, 2);
    }
}

#[test]
fn a_file_that_ends_inside_a_character_of_its_header_is_opened() {
    let file = b"\xFF\xFEa\0,\0b\0c";
    let (output, tally) = TestCut::default().run([&file[..]]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output), "a,b\u{FFFD}\n");
    assert_eq!((tally.rows_in, tally.undecodable), (0, 1));
}

#[test]
fn csv_output_keeps_bytes_that_are_not_utf8_and_json_output_replaces_and_counts_them() {
    let mut cut = TestCut::default();
    cut.input.encoding = Some(UTF_8.into());
    let file = b"a,b\n\xFF,\xC3\x28\n";
    assert_eq!(cut.run([&file[..]]).unwrap().0, file);
    cut.output.format = OutputFormat::Ndjson;
    let (output, tally) = cut.run([&file[..]]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output), "{\"a\":\"\u{FFFD}\",\"b\":\"\u{FFFD}(\"}\n");
    assert_eq!(tally.invalid_utf8, 2);
}

#[test]
fn a_cut_of_utf8_counts_the_sequences_that_are_not_utf8() {
    let file = b"id,name\n1,Ren\xE9\n2,Zo\xC3\xAB\n3,\xE2\x82\n";
    for format in [OutputFormat::Csv, OutputFormat::Ndjson] {
        for piece_bytes in 1..=file.len() {
            let mut cut = TestCut::format(format);
            cut.input.encoding = Some(UTF_8.into());
            let (_, tally) = cut.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!(tally.undecodable, 2, "{piece_bytes}");
        }
    }
}

#[test]
fn all_byte_order_marks_at_the_start_are_removed() {
    for file in
        [&b"\xEF\xBB\xBF\xEF\xBB\xBFid,n\n1,2\n"[..], b"\xFF\xFE\xFF\xFEi\0d\0,\0n\0\n\x001\0,\x002\0\n\0"]
    {
        let (output, tally) =
            TestCut { columns: Some(vec!["id"]), ..TestCut::default() }.run([file]).unwrap();
        assert_eq!((String::from_utf8_lossy(&output).as_ref(), tally.undecodable), ("id\n1\n", 0));
    }
}

#[test]
fn damaged_utf8_and_utf16_without_a_mark_are_read() {
    for (file, encoding, expected) in [
        (
            b"id,name\n1,Zo\xC3\xAB\n2,\xC5\x81ukasz\n3,Jos\xC3\xA9\n4,Ren\xE9\n".to_vec(),
            UTF_8,
            "id,name\n1,Zoë\n",
        ),
        (utf16("id,name\n1,Zoë\n", u16::to_le_bytes), UTF_16LE, "id,name\n1,Zoë\n"),
        (utf16("id,name\n1,Zoë\n", u16::to_be_bytes), UTF_16BE, "id,name\n1,Zoë\n"),
    ] {
        let cut = TestCut { filter: Some("= Zoë"), ..TestCut::default() };
        assert_eq!(cut.text(&file), expected);
        assert_eq!(open(cut.input.clone(), &mut [&file[..]].into_iter()).unwrap().dialect.encoding, encoding);
    }
}

#[test]
fn strict_mode_judges_the_header_like_a_row() {
    for (file, reason) in
        [(&b"\"a,b\n1,2\n3,4\n"[..], Defect::UnclosedQuote), (b"\"a\"x,b\n1,2\n", Defect::StrayQuote)]
    {
        let mut cut = TestCut::default();
        assert_eq!(cut.tally(file).rows_malformed, 1);
        cut.strict = true;
        let expected = MalformedCsv { record: 0, line: 1, byte: 0, reason };
        assert_eq!(cut.run([file]).unwrap_err(), CsvError::Malformed(expected));
    }
}
