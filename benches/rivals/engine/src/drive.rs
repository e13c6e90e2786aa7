//! One cut, driven as the product drives it: pieces of 256 KiB in, pieces of about as much out.

use std::io::{BufRead, Write};

use crate::csv::request::CutRequest;
use crate::csv::{CutProgress, Opening, Readiness, StreamingCsvProcessor};

/// What the product reads at once.
const PIECE_BYTES: usize = 256 << 10;
const MAX_RECORD_BYTES: usize = 4 << 20;

/// Cuts `input` as the JSON `request` says and returns (rows read, rows written).
///
/// # Errors
/// The request or the file is not understood, or one of the two streams failed.
pub fn cut(
    mut input: impl BufRead,
    request: &str,
    out: &mut impl Write,
) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let request = CutRequest::from_json(&serde_json::from_str(request)?)?;
    let mut opening = Opening::new(request.input, MAX_RECORD_BYTES)?;
    let opened = loop {
        let piece = next_piece(&mut input)?;
        if piece.is_empty() {
            break opening.finish()?;
        }
        let (bytes, readiness) = (piece.len(), opening.push(piece)?);
        input.consume(bytes);
        if let Readiness::Ready(opened) = readiness {
            break *opened;
        }
    };
    let plan = request.plan(&opened.header)?;
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut made = Vec::with_capacity(2 * PIECE_BYTES);
    loop {
        let piece = next_piece(&mut input)?;
        if piece.is_empty() {
            break;
        }
        let (consumed, at_least) = match processor.push(piece, &mut made)? {
            CutProgress::Full { consumed } => (consumed, 0),
            CutProgress::More | CutProgress::Done => (piece.len(), PIECE_BYTES),
        };
        input.consume(consumed);
        hand_over(&mut made, out, at_least)?;
    }
    while processor.finish(&mut made)? != CutProgress::Done {
        hand_over(&mut made, out, 0)?;
    }
    hand_over(&mut made, out, 0)?;
    let tally = processor.tally();
    Ok((tally.rows_in, tally.rows_out))
}

fn next_piece(input: &mut impl BufRead) -> std::io::Result<&[u8]> {
    let piece = input.fill_buf()?;
    Ok(&piece[..piece.len().min(PIECE_BYTES)])
}

fn hand_over(made: &mut Vec<u8>, out: &mut impl Write, at_least: usize) -> std::io::Result<()> {
    if made.len() >= at_least {
        out.write_all(made)?;
        made.clear();
    }
    Ok(())
}
