//! Tests of files in many encodings, and of bytes that cannot be decoded.

use super::{TestCut, open, utf16};
use crate::csv::EncodingSource;
use crate::csv::dialect::Delimiter;
use crate::csv::write::options::OutputFormat;
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
        cut.input.encoding = declared_as;
        let opened = open(cut.input.clone(), &mut [&file[..]].into_iter()).unwrap();
        assert_eq!(
            (opened.dialect.encoding, opened.dialect.encoding_source),
            (encoding, source),
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
        let encoding = crate::csv::encoding_for_label(label).unwrap();
        let (file, used, failed) = encoding.encode(text);
        assert!(used == encoding && !failed, "{label}");
        let mut cut = TestCut::default();
        cut.input.encoding = Some(encoding);
        let (output, _) = cut.run(file.chunks(1)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), text, "{label}");
    }
}

#[test]
fn undecodable_sequences_are_replaced_and_counted() {
    let mut cut = TestCut::default();
    cut.input.encoding = Some(UTF_16LE);
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
    cut.input.encoding = Some(UTF_8);
    let file = b"a,b\n\xFF,\xC3\x28\n";
    assert_eq!(cut.run([&file[..]]).unwrap().0, file);
    cut.output.format = OutputFormat::Ndjson;
    let (output, tally) = cut.run([&file[..]]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output), "{\"a\":\"\u{FFFD}\",\"b\":\"\u{FFFD}(\"}\n");
    assert_eq!(tally.invalid_utf8, 2);
}
