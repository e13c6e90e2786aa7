//! Runs one cut as the product does, with input pieces of 256 KiB and output pieces of about the same size.

use std::io::{BufRead, Write};

use crate::csv::request::CutRequest;
use crate::csv::{CsvOpener, CutProgress, OpeningStatus, StreamingCsvProcessor};

/// Length of an input piece of the product, in bytes.
const PIECE_BYTES: usize = 256 << 10;
const MAX_RECORD_BYTES: usize = 4 << 20;

/// Cuts `input` as the JSON `request` says. Returns two numbers: the rows read and the rows written.
///
/// # Errors
/// The request or the file is invalid, or a stream failed.
pub fn cut(
    mut input: impl BufRead,
    request: &str,
    out: &mut impl Write,
) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let request = CutRequest::from_json(&serde_json::from_str(request)?)?;
    let mut opening = CsvOpener::new(request.input.clone(), MAX_RECORD_BYTES)?;
    let opened = loop {
        let piece = next_piece(&mut input)?;
        if piece.is_empty() {
            break opening.finish()?;
        }
        let (bytes, readiness) = (piece.len(), opening.push(piece)?);
        input.consume(bytes);
        if let OpeningStatus::Ready(opened) = readiness {
            break *opened;
        }
    };
    let plan = request.plan(&opened.header)?;
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut output = Vec::with_capacity(2 * PIECE_BYTES);
    loop {
        let piece = next_piece(&mut input)?;
        if piece.is_empty() {
            break;
        }
        let (consumed, at_least) = match processor.push(piece, &mut output)? {
            CutProgress::Full { consumed } => (consumed, 0),
            CutProgress::More | CutProgress::Done => (piece.len(), PIECE_BYTES),
        };
        input.consume(consumed);
        hand_over(&mut output, out, at_least)?;
    }
    while processor.finish(&mut output)? != CutProgress::Done {
        hand_over(&mut output, out, 0)?;
    }
    hand_over(&mut output, out, 0)?;
    let tally = processor.tally();
    Ok((tally.rows_in, tally.rows_out))
}

fn next_piece(input: &mut impl BufRead) -> std::io::Result<&[u8]> {
    let piece = input.fill_buf()?;
    Ok(&piece[..piece.len().min(PIECE_BYTES)])
}

fn hand_over(output: &mut Vec<u8>, out: &mut impl Write, at_least: usize) -> std::io::Result<()> {
    if output.len() >= at_least {
        out.write_all(output)?;
        output.clear();
    }
    Ok(())
}
