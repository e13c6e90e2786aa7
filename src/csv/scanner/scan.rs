//! The reading of one piece: a batch of blocks is searched, then the records that end in it are handed over.

use super::batch::{BATCH_BLOCKS, Batch};
use super::lines::{Lines, start_of_record};
use super::{Fed, Flow, Found, Marks, Open, Receiver, Run};
use crate::csv::block::{BLOCK_BYTES, Block, Masks};
use crate::csv::shape::{Context, Shape};
use crate::csv::walk::Walk;

/// The reading of one piece.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) delimiter: u8,
    pub(super) piece: &'a [u8],
    pub(super) wanted: &'a [usize],
    pub(super) after_cr: bool,
}

/// What a block needs to know of the bytes before it.
#[derive(Clone, Copy)]
struct Seam {
    context: Context,
    /// 1 behind a line break and where a record may start, else 0: a line break here ends no record.
    after_break: u64,
}

impl Scan<'_> {
    #[inline(always)]
    pub(super) fn run<'w, M: Masks, W: Walk<'w>, E>(
        self,
        mut walk: W,
        batch: &mut Batch,
        record: &mut Open,
        context: &mut Context,
        mut receiver: impl Receiver<E>,
    ) -> Result<Fed, E> {
        let Self { piece, wanted, .. } = self;
        // Positions count from the start of the record in progress, so many bytes before the piece.
        let origin = record.carried as u32;
        let mut open = Opened { carried: record.carried, marks: record.marks, from: 0 };
        let is_record_start = u64::from(open.carried == 0 || self.after_cr);
        let mut seam = Seam { context: *context, after_break: is_record_start };
        let line = record.line + record.breaks_inside;
        let mut lines = Lines { piece, at: 0, line, after_cr: self.after_cr, open_line: record.line };
        while lines.at < piece.len() {
            batch.clear();
            walk.make_room();
            let batch_end = self.find::<M, W>(lines.at, origin, &mut walk, batch, &mut seam);
            let flow = hand_over(&mut walk, batch, origin, wanted, &lines, &mut open, &mut receiver)?;
            if flow == Flow::Pause {
                walk.suspend(0);
                let line = lines.line_at(open.from);
                *record = Open { fields: 0, marks: open.marks, carried: 0, line, breaks_inside: 0 };
                *context = Context::RECORD_START;
                return Ok(Fed { consumed: open.from, open_from: open.from, paused: true });
            }
            lines.advance(batch_end, batch);
        }
        let Opened { carried, marks, from } = open;
        *context = seam.context;
        let (open_from, line, start) = match carried {
            0 => {
                let open_from = start_of_record(piece, from);
                (open_from, lines.line_at(open_from), origin.wrapping_add(open_from as u32))
            }
            _ => (0, record.line, 0),
        };
        let fields = walk.suspend(start);
        let carried = carried + piece.len() - open_from;
        *record = Open { fields, marks, carried, line, breaks_inside: lines.line - line };
        Ok(Fed { consumed: piece.len(), open_from, paused: false })
    }

    /// Finds what is in the blocks from `at` on: as many as make a batch. Where they end.
    #[inline(always)]
    fn find<'w, M: Masks, W: Walk<'w>>(
        self,
        mut at: usize,
        origin: u32,
        walk: &mut W,
        batch: &mut Batch,
        seam: &mut Seam,
    ) -> usize {
        let Self { piece, delimiter, .. } = self;
        let mut padding = [0; BLOCK_BYTES];
        let Seam { mut context, mut after_break } = *seam;
        let (mut line_bytes_seen, mut adjacent) = (0, 0);
        for _ in 0..BATCH_BLOCKS {
            if at >= piece.len() {
                break;
            }
            let (block, len) = Block::at_start_of::<M>(&piece[at..], delimiter, &mut padding);
            let shape = Shape::of(block, len, context);
            let base = origin.wrapping_add(at as u32);
            let line_bytes = shape.record_ends | shape.breaks_inside;
            let behind_breaks = line_bytes << 1 | after_break;
            line_bytes_seen += u64::from(line_bytes.count_ones());
            adjacent |= line_bytes & behind_breaks;
            // An empty record is no record: the line break that ends it separates nothing.
            let blank = shape.record_ends & behind_breaks;
            let record_ends = shape.record_ends & !blank;
            if shape.escapes != 0 {
                batch.push_marks(shape.escapes, record_ends, Marks::ESCAPES);
            }
            walk.take(shape.separators & !blank, base);
            batch.push_record_ends(record_ends, base);
            context = shape.context;
            at += shape.len;
            if shape.is_stray {
                batch.marks.push((batch.records, Marks::STRAY));
                batch.has_stray = true;
                at += end_of_literal(&piece[at..], delimiter);
                after_break = 0;
            } else {
                after_break = line_bytes >> (shape.len - 1) & 1;
            }
        }
        (batch.line_bytes, batch.adjacent_line_bytes) = (line_bytes_seen, adjacent);
        *seam = Seam { context, after_break };
        at
    }
}

/// The record in progress, while a piece is read.
struct Opened {
    /// Bytes of it that came in earlier pieces.
    carried: usize,
    marks: Marks,
    /// Where it starts in the piece, or the line breaks before it.
    from: usize,
}

/// Hands over the records that end in a batch. A function of its own, so that what it needs for each record stays
/// in registers.
#[inline(never)]
fn hand_over<'w, W: Walk<'w>, E>(
    walk: &mut W,
    batch: &Batch,
    origin: u32,
    wanted: &[usize],
    lines: &Lines<'_>,
    open: &mut Opened,
    receiver: &mut impl Receiver<E>,
) -> Result<Flow, E> {
    let record_ends = &batch.record_ends[..batch.records];
    let mut odd = batch.marks.iter().copied().peekable();
    let mut is_fresh = open.carried == 0 && open.marks == Marks::default();
    let mut from = open.from;
    let mut index = 0;
    while index < record_ends.len() {
        let sound = match odd.peek() {
            Some(&(odd_index, _)) if batch.has_stray => odd_index,
            _ => record_ends.len(),
        };
        if let Some(run) = record_ends.get(index..sound).filter(|run| is_fresh && !run.is_empty())
            && let Some(ends) = walk.ends()
        {
            let dealt = receiver.found_run(Run { piece: lines.piece, ends, record_ends: run, origin });
            if let Some(&last) = run[..dealt.records].last() {
                walk.skip(dealt.fields);
                (from, index) = (last.wrapping_sub(origin) as usize + 1, index + dealt.records);
                continue;
            }
        }
        let mut marks = Marks::default();
        while let Some((odd_index, odd_marks)) = odd.next_if(|&(odd_index, _)| odd_index <= index) {
            marks.set_if(odd_index == index, odd_marks);
        }
        let end = record_ends[index];
        let (ends, fields) = walk.end_record(end);
        let end = end.wrapping_sub(origin) as usize;
        let flow = if is_fresh {
            receiver.found(Found { carried: 0, from, end, ends, origin, wanted, fields, marks, lines })
        } else {
            marks.set_if(true, open.marks);
            let carried = open.carried;
            receiver.found_carried(Found { carried, from, end, ends, origin, wanted, fields, marks, lines })
        }?;
        (from, is_fresh, index) = (end + 1, true, index + 1);
        if flow == Flow::Pause {
            *open = Opened { carried: 0, marks: Marks::default(), from };
            return Ok(Flow::Pause);
        }
    }
    if from > open.from {
        *open = Opened { carried: 0, marks: Marks::default(), from };
    }
    odd.for_each(|(odd_index, odd_marks)| open.marks.set_if(odd_index == index, odd_marks));
    walk.end_batch();
    Ok(Flow::Continue)
}

/// How far a field goes in which quotes mean nothing.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}
