//! Tests of whole cuts. The files are split into pieces of many sizes.
#![allow(clippy::unwrap_used)]

mod encodings;
mod oracles;
mod output;
mod rows;
mod sizes;
mod splits;

use super::*;
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::{OutputFormat, OutputOptions};
use crate::csv::{CsvOpener, OpeningStatus, SAMPLE_BYTES, filter};

const MAX_RECORD_BYTES: usize = 4 << 20;

/// The settings of a cut. A test sets some of them; the other settings have their defaults.
#[derive(Clone, Default)]
struct TestCut {
    input: InputOptions,
    output: OutputOptions,
    /// `None`: all columns.
    columns: Option<Vec<&'static str>>,
    limit: Option<u64>,
    offset: u64,
    strict: bool,
    /// Expression that filters the second column; `None`: no filter.
    filter: Option<&'static str>,
    output_target_bytes: Option<usize>,
    long_record_bytes: Option<usize>,
    sample_bytes: Option<usize>,
}

impl TestCut {
    fn format(format: OutputFormat) -> Self {
        Self { output: OutputOptions { format, ..OutputOptions::default() }, ..Self::default() }
    }

    fn run<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, CutCounts), CsvError> {
        let mut pieces = pieces.into_iter();
        let sample_bytes = self.sample_bytes.unwrap_or(SAMPLE_BYTES);
        let opened = open_by(sample_bytes, self.input.clone(), &mut pieces)?;
        let columns = match &self.columns {
            Some(names) => names.iter().map(|name| opened.header.resolve(name).unwrap()).collect(),
            None => (0..opened.header.len()).collect(),
        };
        let plan = CutPlan {
            columns,
            predicate: self.filter.map(|text| {
                let filter = filter::expression::parse("#2", text).unwrap().unwrap();
                filter.compile(&opened.header).unwrap()
            }),
            value_kinds: None,
            output: self.output,
            limit: self.limit,
            offset: self.offset,
            strict: self.strict,
        };
        let mut processor = StreamingCsvProcessor::new(opened, plan);
        if let Some(bytes) = self.output_target_bytes {
            processor.cut.output_target_bytes = bytes;
        }
        if let Some(bytes) = self.long_record_bytes {
            processor.cut.long_record_bytes = bytes;
        }
        let mut output = Vec::new();
        drive(&mut processor, pieces, &mut output)?;
        Ok((output, processor.tally()))
    }

    fn text(&self, file: &[u8]) -> String {
        let (output, _) = self.run([file]).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn tally(&self, file: &[u8]) -> CutCounts {
        self.run([file]).unwrap().1
    }
}

fn open<'a>(
    options: InputOptions,
    pieces: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<OpenedCsv, CsvError> {
    open_by(SAMPLE_BYTES, options, pieces)
}

fn open_by<'a>(
    sample_bytes: usize,
    options: InputOptions,
    pieces: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<OpenedCsv, CsvError> {
    let mut opening = CsvOpener::new(options, MAX_RECORD_BYTES)?.with_sample_bytes(sample_bytes);
    for piece in pieces {
        if let OpeningStatus::Ready(opened) = opening.push(piece)? {
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
                CutProgress::More => continue 'pieces,
                CutProgress::Full { consumed } => piece = &piece[consumed..],
                CutProgress::Done => break 'pieces,
            }
        }
    }
    while processor.finish(&mut out)? != CutProgress::Done {
        output.append(&mut out);
    }
    output.append(&mut out);
    Ok(())
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(encode).collect()
}

/// Returns a file of many short rows with numbers in the second column. Most rows are well-formed.
fn number_rows() -> Vec<u8> {
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
