//! The reading of one piece: a batch of blocks is searched, then the records that end in it are handed over.

use super::batch::{Batch, Seam};
use super::block::Masks;
use super::found::{Flow, Found, Receiver, RecordGroup, Selection};
use super::lines::{Lines, start_of_record};
use super::marks::Marks;
use super::progress::{Fed, Open};
use super::quotes::Context;
use super::walk::Walk;

/// The reading of one piece.
#[derive(Clone, Copy)]
pub(super) struct PieceScan<'a> {
    pub(super) delimiter: u8,
    pub(super) piece: &'a [u8],
    pub(super) wanted: &'a [usize],
    pub(super) after_cr: bool,
}

impl PieceScan<'_> {
    #[inline(always)]
    pub(super) fn scan<'w, M: Masks, W: Walk<'w>, E>(
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
        let mut open = OpenRecord { carried: record.carried, marks: record.marks, from: 0 };
        let is_record_start = u64::from(open.carried == 0 || self.after_cr);
        let mut seam = Seam { context: *context, after_break: is_record_start };
        let line = record.line + record.breaks_inside;
        let mut lines = Lines { piece, at: 0, line, after_cr: self.after_cr, open_line: record.line };
        while lines.at < piece.len() {
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
        let OpenRecord { carried, marks, from } = open;
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
        at: usize,
        origin: u32,
        walk: &mut W,
        batch: &mut Batch,
        seam: &mut Seam,
    ) -> usize {
        let Self { piece, delimiter, .. } = self;
        let end = at + batch.fill::<M>(&piece[at..], delimiter, at, seam);
        let base = origin.wrapping_add(at as u32);
        walk.take::<M>(batch.separators(), base, &piece[end..]);
        batch.locate_record_ends::<M>(base);
        if batch.has_stray { end + end_of_literal(&piece[end..], delimiter) } else { end }
    }
}

/// The record in progress, while a piece is read.
struct OpenRecord {
    /// Bytes of it that came in earlier pieces.
    carried: usize,
    marks: Marks,
    /// Where it starts in the piece, or the line breaks before it.
    from: usize,
}

impl OpenRecord {
    /// The record behind the one that ends at `end`.
    fn behind(end: usize) -> Self {
        Self { carried: 0, marks: Marks::default(), from: end + 1 }
    }
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
    open: &mut OpenRecord,
    receiver: &mut impl Receiver<E>,
) -> Result<Flow, E> {
    let (record_ends, mut escapes) = (batch.record_ends(), batch.escapes());
    let mut is_fresh = open.carried == 0 && open.marks == Marks::default();
    let mut from = open.from;
    let mut index = 0;
    let place = |end: u32| end.wrapping_sub(origin) as usize;
    while index < record_ends.len() {
        if is_fresh && let Some(ends) = walk.ends() {
            let group_ends = &record_ends[index..];
            let has_escapes = escapes.any();
            let group =
                RecordGroup { piece: lines.piece, from, has_escapes, ends, record_ends: group_ends, origin };
            let Selection { records, fields, kept, undecided } = receiver.handle_group(group);
            let (mut handed, mut next) = (kept | undecided, 0);
            while handed != 0 {
                let at = handed.trailing_zeros() as usize;
                receiver.count_finished(at - next);
                if at > 0 {
                    from = place(group_ends[at - 1]) + 1;
                }
                let (end, ends) = (place(group_ends[at]), &ends[at * fields..(at + 1) * fields]);
                let marks = escapes.mark_of(from..end);
                let found = Found { carried: 0, from, end, ends, origin, wanted, fields, marks, lines };
                let is_kept = kept >> at & 1 == 1;
                let flow = if is_kept { receiver.found_kept(found) } else { receiver.found(found) }?;
                if flow == Flow::Pause {
                    *open = OpenRecord::behind(end);
                    return Ok(Flow::Pause);
                }
                next = at + 1;
                handed &= handed - 1;
            }
            if let Some(&last) = group_ends[..records].last() {
                receiver.count_finished(records - next);
                walk.skip(records * fields);
                (from, index) = (place(last) + 1, index + records);
                continue;
            }
        }
        let end = record_ends[index];
        let (ends, fields) = walk.end_record(end);
        let end = place(end);
        let mut marks = escapes.mark_of(from..end);
        let flow = if is_fresh {
            receiver.found(Found { carried: 0, from, end, ends, origin, wanted, fields, marks, lines })
        } else {
            marks.set_if(true, open.marks);
            let carried = open.carried;
            receiver.found_carried(Found { carried, from, end, ends, origin, wanted, fields, marks, lines })
        }?;
        (from, is_fresh, index) = (end + 1, true, index + 1);
        if flow == Flow::Pause {
            *open = OpenRecord::behind(end);
            return Ok(Flow::Pause);
        }
    }
    if from > open.from {
        *open = OpenRecord { carried: 0, marks: Marks::default(), from };
    }
    open.marks.set_if(batch.has_stray, Marks::STRAY);
    let mark = escapes.mark_of(from..usize::MAX);
    open.marks.set_if(true, mark);
    walk.end_batch();
    Ok(Flow::Continue)
}

/// How far a field goes in which quotes mean nothing.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}
