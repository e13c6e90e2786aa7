//! Whole cuts: files in, output out, in pieces of every size.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::csv::plan::{InputOptions, Newline, OutputFormat, OutputOptions};
use crate::csv::{Defect, EncodingSource, MalformedCsv, Opening, Readiness, SAMPLE_BYTES, filter};
use encoding_rs::{MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;

const MAX_RECORD_BYTES: usize = 4 << 20;

/// A cut to try: everything by default except what a test sets.
#[derive(Clone, Default)]
struct Trial {
    input: InputOptions,
    output: OutputOptions,
    /// Absent: all.
    columns: Option<Vec<&'static str>>,
    limit: Option<u64>,
    offset: u64,
    strict: bool,
    /// What the second column must be.
    filter: Option<&'static str>,
    output_target_bytes: Option<usize>,
    sample_bytes: Option<usize>,
}

impl Trial {
    fn format(format: OutputFormat) -> Self {
        Self { output: OutputOptions { format, ..OutputOptions::default() }, ..Self::default() }
    }

    fn run<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, Tally), CsvError> {
        let mut pieces = pieces.into_iter();
        let sample_bytes = self.sample_bytes.unwrap_or(SAMPLE_BYTES);
        let opened = open_by(sample_bytes, self.input, &mut pieces)?;
        let columns = match &self.columns {
            Some(names) => names.iter().map(|name| opened.header.resolve(name).unwrap()).collect(),
            None => (0..opened.header.len()).collect(),
        };
        let plan = Plan {
            columns,
            predicate: self.filter.map(|text| {
                let filter = filter::expression::parse("#2", text).unwrap().unwrap();
                filter.compile(&opened.header).unwrap()
            }),
            output: self.output,
            limit: self.limit,
            offset: self.offset,
            strict: self.strict,
        };
        let mut processor = StreamingCsvProcessor::new(opened, plan);
        if let Some(bytes) = self.output_target_bytes {
            processor.cut.output_target_bytes = bytes;
        }
        let mut output = Vec::new();
        drive(&mut processor, pieces, &mut output)?;
        Ok((output, processor.tally()))
    }

    fn text(&self, file: &[u8]) -> String {
        let (output, _) = self.run([file]).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn tally(&self, file: &[u8]) -> Tally {
        self.run([file]).unwrap().1
    }
}

fn open<'a>(options: InputOptions, pieces: &mut impl Iterator<Item = &'a [u8]>) -> Result<Opened, CsvError> {
    open_by(SAMPLE_BYTES, options, pieces)
}

fn open_by<'a>(
    sample_bytes: usize,
    options: InputOptions,
    pieces: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<Opened, CsvError> {
    let mut opening = Opening::new(options, MAX_RECORD_BYTES)?.judging_by(sample_bytes);
    for piece in pieces {
        if let Readiness::Ready(opened) = opening.push(piece)? {
            return Ok(*opened);
        }
    }
    opening.finish()
}

fn drive<'a>(
    processor: &mut StreamingCsvProcessor,
    pieces: impl Iterator<Item = &'a [u8]>,
    output: &mut Vec<u8>,
) -> Result<(), CsvError> {
    let mut out = Vec::new();
    'pieces: for mut piece in pieces {
        loop {
            let progress = processor.push(piece, &mut out)?;
            output.append(&mut out);
            match progress {
                Progress::More => continue 'pieces,
                Progress::Full { consumed } => piece = &piece[consumed..],
                Progress::Done => break 'pieces,
            }
        }
    }
    while processor.finish(&mut out)? != Progress::Done {
        output.append(&mut out);
    }
    output.append(&mut out);
    Ok(())
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(encode).collect()
}

#[test]
fn columns_come_in_the_order_asked_for_with_their_own_quotes() {
    let trial = Trial { columns: Some(vec!["c", "A", "#2", "a"]), ..Trial::default() };
    assert_eq!(
        trial.text(b"a,b,c\r\n1,\"2\",\"x,\"\"y\"\"\"\r\n\r\n4,,\"6\n7\""),
        "c,a,b,a\n\"x,\"\"y\"\"\",1,\"2\",1\n\"6\n7\",4,,4\n"
    );
}

#[test]
fn every_output_format_shows_the_same_rows() {
    let file = "id;näme;note\n1;\"Zoë \"\"Z\"\"\";a,b\n2;x\ty;\n".as_bytes();
    let text = |format| Trial::format(format).text(file);
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
fn a_table_without_rows_is_a_whole_document_in_every_format() {
    for file in [&b"a,b"[..], b"a,b\n", b"\xEF\xBB\xBFa,b\r\n\r\n"] {
        assert_eq!(Trial::default().text(file), "a,b\n");
        assert_eq!(Trial::format(OutputFormat::Tsv).text(file), "a\tb\n");
        assert_eq!(Trial::format(OutputFormat::Json).text(file), "[]\n");
        assert_eq!(Trial::format(OutputFormat::Ndjson).text(file), "");
    }
    for empty in [&b""[..], b"\n\r\n", b"\xEF\xBB\xBF"] {
        assert_eq!(Trial::format(OutputFormat::Json).text(empty), "[]\n");
        assert_eq!(Trial::default().tally(empty).rows_in, 0);
    }
}

#[test]
fn json_names_repeated_and_empty_columns_apart_and_types_on_request() {
    let mut trial = Trial::format(OutputFormat::Ndjson);
    trial.output.typed = true;
    assert_eq!(
        trial.text(b"n,n,,ok\n1.50,007,,TRUE\n"),
        "{\"n\":1.50,\"n_2\":\"007\",\"column_3\":null,\"ok\":true}\n"
    );
}

#[test]
fn output_options_shape_the_lines() {
    let mut trial = Trial::default();
    trial.output = OutputOptions { bom: true, newline: Newline::Crlf, header: false, ..trial.output };
    assert_eq!(trial.text(b"a,b\n1,\"2\n3\"\n"), "\u{FEFF}1,\"2\n3\"\r\n");
}

#[test]
fn a_row_of_one_empty_cell_does_not_become_a_blank_line() {
    let trial = Trial { columns: Some(vec!["b"]), ..Trial::default() };
    assert_eq!(trial.text(b"a,b\n1,\n2\n3,x\n"), "b\n\"\"\n\"\"\nx\n");
}

#[test]
fn stray_quotes_are_written_so_that_every_reader_agrees() {
    let file = b"size,b\n12\" x,\"ab\"cd\n\"open,\nto the end";
    assert_eq!(Trial::default().text(file), "size,b\n\"12\"\" x\",abcd\n\"open,\nto the end\",\n");
    let tally = Trial::default().tally(file);
    assert_eq!((tally.rows_malformed, tally.rows_short, tally.rows_in), (2, 1, 2));
}

#[test]
fn a_file_that_starts_with_two_byte_order_marks_can_be_cut_again() {
    let once = Trial::default().text("\u{FEFF}\u{FEFF}a,b\n1,2\n".as_bytes());
    assert_eq!(once, "\"\u{FEFF}a\",b\n1,2\n");
    assert_eq!(Trial::default().text(once.as_bytes()), once);
}

#[test]
fn formulas_are_disarmed_in_csv_and_numbers_left_alone() {
    let mut trial = Trial::default();
    trial.output.spreadsheet_safe = true;
    assert_eq!(
        trial.text(b"=h,b,c\n=1+1,-5,\"@x,\"\"y\"\"\"\n+a,\"-1.5\",plain\n"),
        "'=h,b,c\n'=1+1,-5,\"'@x,\"\"y\"\"\"\n'+a,\"-1.5\",plain\n"
    );
}

#[test]
fn limit_and_offset_count_rows_and_end_the_reading() {
    let file = b"a\n1\n2\n3\n4\n5\n";
    for (offset, limit, text) in [
        (0, Some(2), "a\n1\n2\n"),
        (3, None, "a\n4\n5\n"),
        (1, Some(2), "a\n2\n3\n"),
        (9, Some(2), "a\n"),
        (0, Some(0), "a\n"),
    ] {
        let trial = Trial { offset, limit, ..Trial::default() };
        assert_eq!(trial.text(file), text, "{offset} {limit:?}");
    }
    let trial = Trial { limit: Some(1), ..Trial::format(OutputFormat::Json) };
    let (output, tally) = trial.run([&file[..], b"\"never read"]).unwrap();
    assert_eq!(output, b"[{\"a\":\"1\"}]\n");
    assert_eq!((tally.rows_in, tally.rows_out), (1, 1));
}

#[test]
fn a_limit_reached_asks_for_no_more_input() {
    let opened = open(InputOptions::default(), &mut [&b"a\n1\n2\n"[..]].into_iter()).unwrap();
    let plan = Plan { columns: vec![0], limit: Some(1), ..Plan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::new();
    assert_eq!(processor.push(b"", &mut out), Ok(Progress::Done));
    assert_eq!(processor.push(b"3\n", &mut out), Ok(Progress::Done));
    assert_eq!(processor.finish(&mut out), Ok(Progress::Done));
    assert_eq!(out, b"a\n1\n");
}

#[test]
fn ragged_rows_are_filled_or_trimmed_and_counted() {
    let file = b"a,b,c\n1\n1,2,3,4,5\n1,2,3\n,\n";
    assert_eq!(Trial::default().text(file), "a,b,c\n1,,\n1,2,3\n1,2,3\n,,\n");
    let tally = Trial::default().tally(file);
    assert_eq!((tally.rows_short, tally.rows_long, tally.rows_ragged()), (2, 1, 3));
    let trial = Trial { columns: Some(vec!["a"]), ..Trial::default() };
    assert_eq!(trial.tally(file).rows_ragged(), 3, "whichever columns are picked");
}

#[test]
fn strict_mode_refuses_the_first_unsound_record_and_names_its_place() {
    let ragged = |found| Defect::Ragged { expected: 2, found };
    for (file, record, line, byte, reason) in [
        ("a,b\n1,2\n\n3\n", 2, 4, 9, ragged(1)),
        ("a,b\r\n\"1\r\n1\",2\r\n1,2,3\r\n", 2, 4, 15, ragged(3)),
        ("a,b\n1,x\"y\n", 1, 2, 4, Defect::StrayQuote),
        ("a,b\n1,\"x\"y\n", 1, 2, 4, Defect::StrayQuote),
        ("\u{FEFF}a,b\n1,\"x", 1, 2, 7, Defect::UnclosedQuote),
    ] {
        let trial = Trial { strict: true, ..Trial::default() };
        let expected = MalformedCsv { record, line, byte, reason };
        let result = trial.run([file.as_bytes()]).map(|_| ());
        assert_eq!(result, Err(expected.into()), "{file:?}");
        assert!(Trial::default().run([file.as_bytes()]).is_ok(), "{file:?} is read when not strict");
    }
    let sound = Trial { strict: true, ..Trial::default() };
    assert_eq!(sound.text(b"a,b\n\"1\"\"\",2\n"), "a,b\n\"1\"\"\",2\n");
}

#[test]
fn a_refused_row_is_on_the_tally() {
    let opened = open(InputOptions::default(), &mut [&b"a,b\n1,2\n3\n"[..]].into_iter()).unwrap();
    let plan = Plan { columns: vec![0, 1], strict: true, ..Plan::default() };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    assert!(processor.push(b"", &mut Vec::new()).is_err());
    let tally = processor.tally();
    assert_eq!((tally.rows_in, tally.rows_out, tally.rows_rejected), (1, 1, 1));
}

#[test]
fn a_file_without_header_has_numbered_columns_and_loses_no_row() {
    let mut trial = Trial { columns: Some(vec!["column_2", "#1"]), ..Trial::default() };
    trial.input.header = false;
    assert_eq!(trial.text(b"1;x\n2;y\n"), "column_2,column_1\nx,1\ny,2\n");
    trial.strict = true;
    let refused = trial.run([&b"1;x\n2\n"[..]]).map(|_| ());
    let reason = Defect::Ragged { expected: 2, found: 1 };
    assert_eq!(refused, Err(MalformedCsv { record: 2, line: 2, byte: 4, reason }.into()));
}

#[test]
fn every_encoding_is_read_and_what_was_assumed_is_reported() {
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
        let mut trial = Trial::default();
        trial.input.encoding = declared_as;
        let opened = open(trial.input, &mut [&file[..]].into_iter()).unwrap();
        assert_eq!((opened.encoding, opened.encoding_source), (encoding, source), "{}", encoding.name());
        assert_eq!(opened.delimiter, b';');
        for piece_bytes in 1..=5 {
            let (output, tally) = trial.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!(String::from_utf8_lossy(&output), csv, "{} by {piece_bytes}", encoding.name());
            assert_eq!((tally.undecodable, tally.bytes_in), (0, file.len() as u64));
        }
    }
}

#[test]
fn the_encodings_of_the_web_are_all_read() {
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
        let mut trial = Trial::default();
        trial.input.encoding = Some(encoding);
        let (output, _) = trial.run(file.chunks(1)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), text, "{label}");
    }
}

#[test]
fn what_cannot_be_decoded_is_replaced_and_counted() {
    let mut trial = Trial::default();
    trial.input.encoding = Some(UTF_16LE);
    let mut file = utf16("a\nx", u16::to_le_bytes);
    file.extend_from_slice(b"\x00\xDC\n\0y\0z");
    for piece_bytes in 1..=file.len() {
        let (output, tally) = trial.run(file.chunks(piece_bytes)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), "a\nx\u{FFFD}\ny\u{FFFD}\n");
        assert_eq!(tally.undecodable, 2);
    }
}

#[test]
fn a_file_that_ends_inside_a_character_of_its_header_is_opened() {
    let file = b"\xFF\xFEa\0,\0b\0c";
    let (output, tally) = Trial::default().run([&file[..]]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output), "a,b\u{FFFD}\n");
    assert_eq!((tally.rows_in, tally.undecodable), (0, 1));
}

#[test]
fn bytes_that_are_not_utf8_pass_through_csv_and_are_counted_in_json() {
    let mut trial = Trial::default();
    trial.input.encoding = Some(UTF_8);
    let file = b"a,b\n\xFF,\xC3\x28\n";
    assert_eq!(trial.run([&file[..]]).unwrap().0, file);
    trial.output.format = OutputFormat::Ndjson;
    let (output, tally) = trial.run([&file[..]]).unwrap();
    assert_eq!(String::from_utf8_lossy(&output), "{\"a\":\"\u{FFFD}\",\"b\":\"\u{FFFD}(\"}\n");
    assert_eq!(tally.invalid_utf8, 2);
}

#[test]
fn ten_thousand_columns_are_cut_like_ten() {
    let record = |prefix: &str| (0..10_000).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(",");
    let file = format!("{}\n{}\n{}\n", record("c"), record("x"), record("y"));
    let trial = Trial { columns: Some(vec!["c9999", "c0", "c5000"]), ..Trial::default() };
    for piece_bytes in [1, 1000, 1 << 20] {
        let (output, tally) = trial.run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert_eq!(String::from_utf8_lossy(&output), "c9999,c0,c5000\nx9999,x0,x5000\ny9999,y0,y5000\n");
        assert_eq!(tally.rows_ragged(), 0);
    }
    assert_eq!(Trial::default().text(file.as_bytes()), file);
}

#[test]
fn a_cell_of_a_mebibyte_passes_whole() {
    let cell = "0123456789abc\"\"\r\n,".repeat(1 << 16);
    let file = format!("a,b\n1,\"{cell}\"\n2,x\n");
    assert!(cell.len() > 1 << 20);
    for piece_bytes in [4096, 262_144, file.len()] {
        let (output, tally) = Trial::default().run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert!(output == file.as_bytes(), "pieces of {piece_bytes}");
        assert_eq!((tally.rows_in, tally.rows_malformed), (2, 0));
    }
}

#[test]
fn a_header_longer_than_the_sample_is_read_whole() {
    let long_name = "n".repeat(SAMPLE_BYTES + 1000);
    let file = format!("b;{long_name}\n2;1\n");
    for piece_bytes in [4096, SAMPLE_BYTES, file.len()] {
        let trial = Trial { columns: Some(vec!["b"]), ..Trial::default() };
        let (output, _) = trial.run(file.as_bytes().chunks(piece_bytes)).unwrap();
        assert_eq!(output, b"b\n2\n");
    }
}

#[test]
fn a_header_out_of_bounds_is_refused_before_any_output() {
    let file = vec![b'n'; MAX_RECORD_BYTES + 1];
    let reason = Defect::TooLong { limit_bytes: MAX_RECORD_BYTES };
    let refused = MalformedCsv { record: 0, line: 1, byte: 0, reason };
    for piece_bytes in [65_536, file.len()] {
        let opened = open(InputOptions::default(), &mut file.chunks(piece_bytes));
        assert_eq!(opened.err(), Some(refused.into()));
    }
}

#[test]
fn options_that_no_file_can_be_read_with_are_refused() {
    for byte in [b'"', b'\n', b'\r', 0, 0xE9] {
        let options = InputOptions { delimiter: Some(byte), ..InputOptions::default() };
        assert_eq!(Opening::new(options, 100).err(), Some(CsvError::BadDelimiter(byte)));
    }
    let options = InputOptions { encoding: Some(encoding_rs::REPLACEMENT), ..InputOptions::default() };
    assert_eq!(Opening::new(options, 100).err(), Some(CsvError::BadEncoding("replacement")));
}

#[test]
fn a_delimiter_that_was_declared_overrules_the_looks_of_the_file() {
    let mut trial = Trial { columns: Some(vec!["b,c"]), ..Trial::default() };
    trial.input.delimiter = Some(b'^');
    assert_eq!(trial.text(b"a^b,c\n1^2,3\n"), "\"b,c\"\n\"2,3\"\n");
}

#[test]
fn little_input_that_makes_much_output_is_handed_out_in_bounded_pieces() {
    let names = (0..1000).map(|i| format!("a_rather_long_name_{i}")).collect::<Vec<_>>().join(",");
    let file = format!("{names}\n{}", "1\n".repeat(5000));
    let opened = open(InputOptions::default(), &mut [file.as_bytes()].into_iter()).unwrap();
    let plan = Plan {
        columns: (0..1000).collect(),
        output: OutputOptions { format: OutputFormat::Ndjson, ..OutputOptions::default() },
        ..Plan::default()
    };
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let (mut out, mut bytes_out, mut largest) = (Vec::new(), 0, 0);
    while let Progress::Full { .. } = processor.finish(&mut out).unwrap() {
        largest = largest.max(out.len());
        bytes_out += out.len();
        out.clear();
    }
    bytes_out += out.len();
    assert_eq!(processor.tally().rows_out, 5000);
    assert_eq!(processor.tally().bytes_out, bytes_out as u64);
    assert!(bytes_out > 100 << 20 && largest < OUTPUT_TARGET_BYTES + 30_000, "{bytes_out} {largest}");
}

/// Files that hold everything that is odd, small enough to be split everywhere.
fn odd_files() -> Vec<Vec<u8>> {
    let long = "x".repeat(70);
    let mut files: Vec<Vec<u8>> = [
        format!(
            "\u{FEFF}a;b;{long}\r\n1;\"2\r\n;\"\"\";3\r\r\n\n12\" x;\"ab\"cd;{long}\n4\n1;2;3;4\n\"open;é"
        ),
        format!("a,\"b\"\"c\",{long}\r1,\"{long}\",\"\"\r\n,,\n\"\"\n\"x\"y\"z,\n"),
        "one\n\"\"\n\n\"a\n\"\nb".to_owned(),
        "a\tb\n=1\t-2\n\"=x\"\t\"a\tb\"\n".to_owned(),
    ]
    .map(String::into_bytes)
    .into();
    let mut utf16_file = b"\xFF\xFE".to_vec();
    utf16_file.extend(utf16("ä;b\r\n😀;\"\r\n\"\r\n\"\"\"\";", u16::to_le_bytes));
    files.push(utf16_file);
    files.push(b"caf\xE9|b\n\xFF\xC3|1\n".to_vec());
    files
}

fn odd_trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson] {
        for flag in [false, true] {
            let mut trial = Trial::format(format);
            trial.output = OutputOptions { spreadsheet_safe: flag, typed: flag, bom: flag, ..trial.output };
            trial.input.header = !flag;
            trial.limit = flag.then_some(3);
            trial.offset = u64::from(flag);
            trial.output_target_bytes = flag.then_some(1);
            trials.push(trial);
        }
    }
    trials.push(Trial { strict: true, ..Trial::default() });
    trials
}

#[test]
fn every_split_of_every_odd_file_gives_the_same_output() {
    for (file, sample_bytes) in odd_files().iter().flat_map(|file| [(file, 4), (file, SAMPLE_BYTES)]) {
        for mut trial in odd_trials() {
            trial.sample_bytes = Some(sample_bytes);
            let run = |pieces: &[&[u8]]| {
                // How many bytes were needed depends on the pieces when a limit ends the reading.
                trial
                    .run(pieces.iter().copied())
                    .map(|(out, tally)| (out, Tally { bytes_in: 0, bytes_scanned: 0, ..tally }))
            };
            let whole = run(&[file]);
            for split in 0..=file.len() {
                let (one, other) = file.split_at(split);
                assert_eq!(run(&[one, other]), whole, "split at {split}");
            }
            for piece_bytes in [1, 2, 3, 5, 63, 64, 65] {
                let pieces: Vec<&[u8]> = file.chunks(piece_bytes).collect();
                assert_eq!(run(&pieces), whole, "pieces of {piece_bytes}");
            }
        }
    }
}

fn values(csv: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(csv)
        .byte_records()
        .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
        .collect()
}

/// `values`, each record as wide as the first.
fn squared(mut records: Vec<Vec<Vec<u8>>>) -> Vec<Vec<Vec<u8>>> {
    let columns = records.first().map_or(0, Vec::len);
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
    fn another_parser_reads_from_the_output_what_it_reads_from_the_file(
        file in any_csv(), tsv in any::<bool>(), crlf in any::<bool>(), split in any::<usize>(),
    ) {
        let mut trial = Trial::default();
        trial.input.delimiter = Some(b';');
        trial.input.encoding = Some(UTF_8);
        trial.output.format = if tsv { OutputFormat::Tsv } else { OutputFormat::Csv };
        trial.output.newline = if crlf { Newline::Crlf } else { Newline::Lf };
        let (one, other) = file.split_at(split % (file.len() + 1));
        let (output, tally) = trial.run([one, other]).unwrap();
        let expected = squared(values(&file, b';'));
        prop_assert_eq!(tally.rows_in as usize, expected.len().saturating_sub(1));
        prop_assert_eq!(values(&output, if tsv { b'\t' } else { b',' }), expected);
    }

    #[test]
    fn what_was_cut_can_be_cut_again_without_a_change(file in any_csv()) {
        let mut trial = Trial::default();
        trial.input.encoding = Some(UTF_8);
        trial.input.delimiter = Some(b';');
        let (once, _) = trial.run([&file[..]]).unwrap();
        trial.input.delimiter = Some(b',');
        let (twice, tally) = trial.run([&once[..]]).unwrap();
        prop_assert_eq!(once, twice);
        prop_assert_eq!((tally.rows_ragged(), tally.rows_malformed), (0, 0));
    }

    #[test]
    fn a_json_reader_reads_the_same_cells(file in any_csv(), split in any::<usize>()) {
        let mut trial = Trial::format(OutputFormat::Json);
        trial.input.delimiter = Some(b';');
        trial.input.encoding = Some(UTF_8);
        let (one, other) = file.split_at(split % (file.len() + 1));
        let (output, _) = trial.run([one, other]).unwrap();
        let rows: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&output).unwrap();
        let expected = squared(values(&file, b';'));
        prop_assert_eq!(rows.len(), expected.len().saturating_sub(1));
        for (row, record) in rows.iter().zip(expected.iter().skip(1)) {
            let mut cells: Vec<&str> = row.values().filter_map(|cell| cell.as_str()).collect();
            let mut wanted: Vec<_> = record.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
            // An object has no order to rely on.
            cells.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(cells, wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_bytes_and_no_pieces_make_it_panic(
        file in proptest::collection::vec(any::<u8>(), 0..300), piece_bytes in 1usize..100,
    ) {
        for trial in odd_trials() {
            let _ = trial.run(file.chunks(piece_bytes));
        }
    }
}

/// Many short rows, most of them sound, with numbers in the second column.
fn numbers() -> Vec<u8> {
    let mut file = b"id,number,text\n".to_vec();
    for row in 0..400_i64 {
        let number = (row * 7919) % 1000 - 300;
        let line = match row % 41 {
            7 => format!("{row},\"{number}\",\"quoted, \"\"{row}\"\"\"\r\n"),
            12 => format!("{row},{number}\n\n"),
            19 => format!("{row},{number},x,long\n"),
            23 => format!("{row}, {number} ,12\" x\n"),
            29 => format!("{row},{number}.50,\"two\nlines\"\r"),
            33 => format!("{row},{number}00e-2,\n"),
            37 => format!("{row},1234567{number},\n"),
            39 => format!("{row},,\n"),
            _ => format!("{row},{number},t\n"),
        };
        file.extend_from_slice(line.as_bytes());
    }
    file
}

/// The rows that pass, as the `csv` crate and floating point see them.
fn passing(file: &[u8], passes: impl Fn(f64) -> bool) -> Vec<Vec<Vec<u8>>> {
    let mut rows = squared(values(file, b','));
    let number = |row: &[Vec<u8>]| std::str::from_utf8(&row[1]).ok()?.trim_matches(' ').parse().ok();
    let header = rows.remove(0);
    rows.retain(|row| number(row).is_some_and(&passes));
    rows.insert(0, header);
    rows
}

#[test]
fn rows_that_are_rejected_many_at_a_time_are_the_right_ones() {
    let file = numbers();
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
        let expected = passing(&file, passes);
        assert!(expected.len() > 1, "{filter}");
        for piece_bytes in [7, 64, 100, 1000, file.len()] {
            let trial = Trial { filter: Some(filter), sample_bytes: Some(4), ..Trial::default() };
            let (output, tally) = trial.run(file.chunks(piece_bytes)).unwrap();
            assert_eq!(values(&output, b','), expected, "{filter} in pieces of {piece_bytes}");
            assert_eq!((tally.rows_in, tally.rows_out), (400, expected.len() as u64 - 1));
            assert_eq!((tally.rows_short, tally.rows_long), (10, 10));
        }
    }
}

#[test]
fn splits_round_the_edges_of_blocks_and_batches_change_no_format() {
    let file = numbers();
    let batch = 64 * 64;
    for mut trial in odd_trials() {
        trial.sample_bytes = Some(4);
        trial.filter = Some(">= 550");
        let run = |pieces: &[&[u8]]| {
            trial
                .run(pieces.iter().copied())
                .map(|(out, tally)| (out, Tally { bytes_in: 0, bytes_scanned: 0, ..tally }))
        };
        let whole = run(&[&file]);
        for split in (0..=130).chain(batch - 130..=batch + 130) {
            let (one, other) = file.split_at(split);
            assert!(run(&[one, other]) == whole, "split at {split}");
        }
        for piece_bytes in 1..=130 {
            let pieces: Vec<&[u8]> = file.chunks(piece_bytes).collect();
            assert!(run(&pieces) == whole, "pieces of {piece_bytes}");
        }
    }
}
