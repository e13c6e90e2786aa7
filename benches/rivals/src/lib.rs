//! Runs the reference cut with several engines. The cut keeps the rows whose value in an integer column is at least a
//! given number, and writes three columns.
//!
//! The same functions run natively and in wasm. Only the source and the destination of the bytes differ. All engines
//! must write the same bytes. Some engines copy a field with its quotes. The other engines quote an output field only
//! if CSV requires it. So that both kinds write the same bytes, the input also quotes a field only if CSV requires it.

#[cfg(target_arch = "wasm32")]
mod wasm;

use std::error::Error;
use std::io::{BufRead, Write};

/// Size of each read buffer and each write buffer, in bytes. All engines except Cutty use these buffers. Each of these
/// engines is slower with smaller buffers.
const BUFFER_BYTES: usize = 256 << 10;

/// The reference cut. It keeps the rows whose value in `column` is at least `minimum`, and writes the columns
/// `selected`. The first column has number 0.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    pub column: usize,
    pub minimum: i64,
    pub selected: [usize; 3],
}

/// The numbers of rows read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub read: u64,
    pub written: u64,
}

type Outcome = Result<Rows, Box<dyn Error>>;

impl Job {
    /// Returns the cut as a request to the product, in which the first column has number 1.
    fn request(&self) -> String {
        let [first, second, third] = self.selected.map(|column| column + 1);
        let (column, minimum) = (self.column + 1, self.minimum);
        format!(
            r##"{{"selectedColumns":["#{first}","#{second}","#{third}"],"whereFilters":{{"#{column}":">= {minimum}"}}}}"##
        )
    }

    fn keeps(&self, cell: &[u8]) -> bool {
        let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|number| number >= self.minimum)
    }
}

/// Cuts `input` with the engine whose name is `engine`.
///
/// # Errors
/// The name is unknown, or the file is invalid.
pub fn cut(engine: &str, input: impl BufRead, job: &Job, out: &mut impl Write) -> Outcome {
    match engine {
        "cutty" => engine::cut(input, &job.request(), out).map(rows),
        #[cfg(not(target_arch = "wasm32"))]
        "cutty-avx2" => {
            engine::csv::use_vectors_up_to(256);
            engine::cut(input, &job.request(), out).map(rows)
        }
        #[cfg(not(target_arch = "wasm32"))]
        "cutty-sse2" => engine_sse2::cut(input, &job.request(), out).map(rows),
        "simd-csv" => by_simd_csv(input, job, out),
        "csv" => by_csv(input, job, out),
        "csv-core" => by_csv_core(input, job, out),
        _ => Err(format!("no engine is named {engine}").into()),
    }
}

fn rows((read, written): (u64, u64)) -> Rows {
    Rows { read, written }
}

fn by_simd_csv(input: impl BufRead, job: &Job, out: &mut impl Write) -> Outcome {
    let mut reader = simd_csv::ZeroCopyReaderBuilder::with_capacity(BUFFER_BYTES).from_reader(input);
    let mut writer = simd_csv::WriterBuilder::with_capacity(BUFFER_BYTES).from_writer(out);
    let header = reader.byte_headers()?;
    writer.write_record_no_quoting(job.selected.map(|column| &header[column]))?;
    let mut rows = Rows { read: 0, written: 0 };
    while let Some(record) = reader.read_byte_record()? {
        rows.read += 1;
        if record.get(job.column).is_some_and(|cell| job.keeps(cell)) {
            rows.written += 1;
            let cells = job.selected.map(|column| record.get(column).unwrap_or_default());
            writer.write_record_no_quoting(cells)?;
        }
    }
    writer.flush()?;
    Ok(rows)
}

fn by_csv(input: impl BufRead, job: &Job, out: &mut impl Write) -> Outcome {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER_BYTES).from_reader(input);
    let mut writer = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(out);
    let header = reader.byte_headers()?;
    writer.write_record(job.selected.map(|column| &header[column]))?;
    let mut rows = Rows { read: 0, written: 0 };
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        rows.read += 1;
        if record.get(job.column).is_some_and(|cell| job.keeps(cell)) {
            rows.written += 1;
            writer.write_record(job.selected.map(|column| &record[column]))?;
        }
    }
    writer.flush()?;
    Ok(rows)
}

/// Cuts with `csv-core`, which allocates nothing. So this function provides two buffers: one for the unescaped cells of
/// a record, and one for the positions at which the cells end. All records use the same two buffers.
fn by_csv_core(mut input: impl BufRead, job: &Job, out: &mut impl Write) -> Outcome {
    let mut reader = csv_core::Reader::new();
    let (mut cells, mut ends) = (vec![0; 64 << 10], vec![0; 4096]);
    let (mut cells_end, mut ends_end) = (0, 0);
    let mut line = Vec::with_capacity(2 * BUFFER_BYTES);
    let mut records = 0_u64;
    let mut written = 0;
    loop {
        let piece = input.fill_buf()?;
        let (result, bytes, more_cells, more_ends) =
            reader.read_record(piece, &mut cells[cells_end..], &mut ends[ends_end..]);
        input.consume(bytes);
        cells_end += more_cells;
        ends_end += more_ends;
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::OutputFull => cells.resize(cells.len() * 2, 0),
            csv_core::ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            csv_core::ReadRecordResult::End => break,
            csv_core::ReadRecordResult::Record => {
                let cell = |column: usize| {
                    let start = if column == 0 { 0 } else { ends[column - 1] };
                    &cells[start..ends[column]]
                };
                if records == 0 || job.keeps(cell(job.column)) {
                    written += u64::from(records > 0);
                    write_line(job.selected.map(cell), &mut line);
                }
                records += 1;
                (cells_end, ends_end) = (0, 0);
                if line.len() >= BUFFER_BYTES {
                    out.write_all(&line)?;
                    line.clear();
                }
            }
        }
    }
    out.write_all(&line)?;
    Ok(Rows { read: records - 1, written })
}

fn write_line(cells: [&[u8]; 3], line: &mut Vec<u8>) {
    for (column, cell) in cells.into_iter().enumerate() {
        if column > 0 {
            line.push(b',');
        }
        if cell.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
            line.push(b'"');
            for &byte in cell {
                line.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
            }
            line.push(b'"');
        } else {
            line.extend_from_slice(cell);
        }
    }
    line.push(b'\n');
}
