//! Cuts files of arbitrary bytes, given in pieces of arbitrary size. Asserts that the engine never panics, that the
//! output does not depend on how the file is split into pieces, and that the `csv` crate reads the same records as the
//! engine.
//!
//! The first bytes of the input choose the cut; the rest is the file.

#![no_main]

use cutty::csv::dialect::{Delimiter, Escape, Quote, Trim};
use cutty::csv::filter::{Arity, Filter, Operator, query};
use cutty::csv::{
    CsvError, CsvOpener, CutCounts, CutPlan, CutProgress, InputOptions, Newline, OpeningStatus, OutQuote,
    OutputFormat, OutputOptions, StreamingCsvProcessor, encoding_for_label,
};
use libfuzzer_sys::fuzz_target;

const CHOICES: usize = 4;
const MAX_RECORD_BYTES: usize = 1 << 16;
/// The operands. A byte of the input decides with which operand the list begins. A condition takes as many operands
/// from the start of the list as its operator needs.
const VALUES: [&str; 4] = ["3", "10.25", "%a_", "-1.5"];

fuzz_target!(|data: &[u8]| {
    let Some((&[delimiter, format, flags, piece_bytes], file)) = data.split_first_chunk::<CHOICES>() else {
        return;
    };
    let dialect = delimiter >> 2;
    let delimiter = [b',', b';', b'\t', b'|'][usize::from(delimiter % 4)];
    let choice = Choice { delimiter, dialect, format, flags };
    let whole = choice.cut([file]);
    let pieces = choice.cut(file.chunks(usize::from(piece_bytes) + 1));
    assert_eq!(pieces, whole, "pieces of {} bytes", usize::from(piece_bytes) + 1);
    let (one, other) = file.split_at(file.len() / 2);
    assert_eq!(choice.cut([one, other]), whole, "halves");
    agrees_with_the_csv_crate(file, choice.delimiter);
});

/// The cut to make.
#[derive(Clone, Copy)]
struct Choice {
    delimiter: u8,
    /// 0: the usual rules; 1: all rules are detected; otherwise, each bit from the second one on sets an unusual rule.
    dialect: u8,
    format: u8,
    flags: u8,
}

impl Choice {
    fn flag(self, bit: u8) -> bool {
        self.flags >> bit & 1 == 1
    }

    fn input(self) -> InputOptions {
        let encoding = match self.flags >> 6 {
            0 => None,
            1 => encoding_for_label("utf-16le"),
            2 => encoding_for_label("shift_jis"),
            _ => encoding_for_label("utf-8"),
        };
        let delimiter = Some(Delimiter::of(self.delimiter)).filter(|_| self.flag(0));
        let detected =
            InputOptions { header: Some(self.flag(1)), delimiter, encoding, ..InputOptions::DETECT };
        if self.dialect == 1 {
            return detected;
        }
        let rule = |bit: u8| self.dialect >> bit & 1 == 1;
        InputOptions {
            quote: Some(if rule(1) { Quote::Single } else { Quote::Double }),
            escape: Some(if rule(2) { Escape::Backslash } else { Escape::Double }),
            trim: Some(if rule(3) { Trim::Cells } else { Trim::None }),
            comment: Some(rule(4).then_some(b'#')),
            skip_rows: Some(u32::from(rule(5))),
            skip_footer: rule(5).then_some(1),
            ..detected
        }
    }

    fn output(self) -> OutputOptions {
        let formats = [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson];
        OutputOptions {
            format: formats[usize::from(self.format % 4)],
            bom: self.flag(2),
            delimiter: None,
            quote: OutQuote::Minimal,
            newline: if self.flag(2) { Newline::Crlf } else { Newline::Lf },
            header: self.flag(3),
            spreadsheet_safe: self.flag(4),
            typed: self.flag(4),
        }
    }

    /// Returns one condition on column 2, with the operator that the input chooses; `None` if the input chooses no
    /// filter.
    fn filter(self) -> Option<Filter> {
        let choice = usize::from(self.format >> 2).checked_sub(1)?;
        let operator = Operator::ALL[choice % Operator::ALL.len()];
        let mut values = VALUES;
        values.rotate_left(choice / Operator::ALL.len() % VALUES.len());
        let count = match operator.arity() {
            Arity::None => 0,
            Arity::One => 1,
            Arity::Two => 2,
            Arity::Many => values.len(),
        };
        let filter = query::parse(&format!("#2__{}", operator.name()), &values[..count].join(","));
        Some(filter.expect("each operator takes these operands"))
    }

    fn cut<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, CutCounts), CsvError> {
        let mut pieces = pieces.into_iter();
        let mut opening = Some(CsvOpener::new(self.input(), MAX_RECORD_BYTES)?);
        let mut opened = None;
        for piece in pieces.by_ref() {
            if let OpeningStatus::Ready(ready) =
                opening.as_mut().map_or(Ok(OpeningStatus::NeedMore), |open| open.push(piece))?
            {
                opened = Some(*ready);
                break;
            }
        }
        let opened = match (opened, opening.take()) {
            (Some(opened), _) => opened,
            (None, Some(opening)) => opening.finish()?,
            (None, None) => return Ok(Default::default()),
        };
        let columns = opened.header.len();
        let plan = CutPlan {
            columns: (0..columns).rev().collect(),
            predicate: self.filter().and_then(|filter| filter.compile(&opened.header).ok()),
            output: self.output(),
            strict: self.flag(5),
            ..CutPlan::default()
        };
        let mut processor = StreamingCsvProcessor::new(opened, plan);
        let (mut output, mut out) = (Vec::new(), Vec::new());
        for mut piece in pieces {
            while let CutProgress::Full { consumed } = processor.push(piece, &mut out)? {
                output.append(&mut out);
                piece = &piece[consumed..];
            }
        }
        while processor.finish(&mut out)? != CutProgress::Done {
            output.append(&mut out);
        }
        output.append(&mut out);
        Ok((output, processor.tally()))
    }
}

/// Cuts the whole file. Asserts that the `csv` crate reads the same records from the result as from the file. Before
/// the comparison, short records of the file are padded and long records are truncated, as in the cut.
fn agrees_with_the_csv_crate(file: &[u8], delimiter: u8) {
    // If the file starts with a byte order mark, the engine ignores the given encoding, and the `csv` crate cannot
    // decode the file.
    if [&b"\xEF\xBB\xBF"[..], b"\xFE\xFF", b"\xFF\xFE"].iter().any(|mark| file.starts_with(mark)) {
        return;
    }
    let choice = Choice { delimiter, dialect: 0, format: 0, flags: 0b1100_1001 };
    let Ok((output, _)) = choice.cut([file]) else { return };
    let mut expected = records(file, delimiter);
    let columns = expected.first().map_or(0, Vec::len);
    expected.iter_mut().for_each(|record| record.resize(columns, Vec::new()));
    let mut seen = records(&output, b',');
    // The file is cut as a file without a header, so the first record of the output has the names `column_1` and so on.
    if !seen.is_empty() {
        seen.remove(0);
    }
    seen.iter_mut().for_each(|record| record.reverse());
    assert_eq!(seen, expected);
}

fn records(text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    let mut builder = csv::ReaderBuilder::new();
    let reader = builder.has_headers(false).flexible(true).delimiter(delimiter).from_reader(text);
    let records = reader.into_byte_records().map(|record| record.unwrap_or_default());
    records.map(|record| record.iter().map(<[u8]>::to_vec).collect()).collect()
}
