//! Scans one piece, window by window. The scan finds the structure of a window and then hands over the records that end
//! in this window.

use super::block::Masks;
use super::found::{Flow, FoundRecord, Receiver, RecordGroup, Selection};
use super::lines::{LineCounter, start_of_record};
use super::marks::Marks;
use super::progress::{ScanProgress, UnfinishedRecord};
use super::quotes::QuoteState;
use super::walk::Walk;
use super::window::{ScanState, Window};

/// The scan of one piece.
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
        window: &mut Window,
        record: &mut UnfinishedRecord,
        quote_state: &mut QuoteState,
        mut receiver: impl Receiver<E>,
    ) -> Result<ScanProgress, E> {
        let Self { piece, wanted, .. } = self;
        // Positions count from the start of the unfinished record, which is `origin` bytes before the piece.
        let origin = record.carried as u32;
        let mut open = OpenRecord { carried: record.carried, marks: record.marks, from: 0 };
        let is_record_start = u64::from(open.carried == 0 || self.after_cr);
        let mut state = ScanState { quote_state: *quote_state, after_break: is_record_start };
        let line = record.line + record.breaks_inside;
        let mut lines = LineCounter { piece, at: 0, line, after_cr: self.after_cr, open_line: record.line };
        while lines.at < piece.len() {
            walk.make_room();
            let window_end = self.find_structure::<M, W>(lines.at, origin, &mut walk, window, &mut state);
            let flow = hand_over(&mut walk, window, origin, wanted, &lines, &mut open, &mut receiver)?;
            if flow == Flow::Pause {
                walk.suspend(0);
                let line = lines.line_at(open.from);
                *record =
                    UnfinishedRecord { fields: 0, marks: open.marks, carried: 0, line, breaks_inside: 0 };
                *quote_state = QuoteState::RECORD_START;
                return Ok(ScanProgress { consumed: open.from, open_from: open.from, paused: true });
            }
            lines.advance(window_end, window);
        }
        let OpenRecord { carried, marks, from } = open;
        *quote_state = state.quote_state;
        let (open_from, line, start) = match carried {
            0 => {
                let open_from = start_of_record(piece, from);
                (open_from, lines.line_at(open_from), origin.wrapping_add(open_from as u32))
            }
            _ => (0, record.line, 0),
        };
        let fields = walk.suspend(start);
        let carried = carried + piece.len() - open_from;
        *record = UnfinishedRecord { fields, marks, carried, line, breaks_inside: lines.line - line };
        Ok(ScanProgress { consumed: piece.len(), open_from, paused: false })
    }

    /// Finds the structure of the window that starts at `at`. Returns the end of the window.
    #[inline(always)]
    fn find_structure<'w, M: Masks, W: Walk<'w>>(
        self,
        at: usize,
        origin: u32,
        walk: &mut W,
        window: &mut Window,
        state: &mut ScanState,
    ) -> usize {
        let Self { piece, delimiter, .. } = self;
        let end = at + window.fill::<M>(&piece[at..], delimiter, at, state);
        let base = origin.wrapping_add(at as u32);
        walk.add_blocks::<M>(window.separators(), base, &piece[end..]);
        window.locate_record_ends::<M>(base);
        if window.ends_at_stray { end + end_of_literal(&piece[end..], delimiter) } else { end }
    }
}

/// The unfinished record, while a piece is scanned.
struct OpenRecord {
    /// Number of bytes in earlier pieces.
    carried: usize,
    marks: Marks,
    /// A position in the piece. Only CR and LF bytes may lie between this position and the start of the record.
    from: usize,
}

impl OpenRecord {
    /// Returns the next record, after the record that ends at `end`.
    fn after(end: usize) -> Self {
        Self { carried: 0, marks: Marks::default(), from: end + 1 }
    }
}

/// Hands over the records that end in a window. This is a separate function, so that the loop variables stay in
/// registers.
#[inline(never)]
fn hand_over<'w, W: Walk<'w>, E>(
    walk: &mut W,
    window: &Window,
    origin: u32,
    wanted: &[usize],
    lines: &LineCounter<'_>,
    open: &mut OpenRecord,
    receiver: &mut impl Receiver<E>,
) -> Result<Flow, E> {
    let (record_ends, mut escapes) = (window.record_ends(), window.escapes());
    let mut is_fresh = open.carried == 0 && open.marks == Marks::default();
    let mut from = open.from;
    let mut index = 0;
    let place = |end: u32| end.wrapping_sub(origin) as usize;
    while index < record_ends.len() {
        if is_fresh && let Some(ends) = walk.ends() {
            let group_ends = &record_ends[index..];
            let has_escapes = escapes.may_have_more();
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
                let marks = escapes.marks_in(from..end);
                let found = FoundRecord { carried: 0, from, end, ends, origin, wanted, fields, marks, lines };
                let is_kept = kept >> at & 1 == 1;
                let flow = if is_kept { receiver.kept_record(found) } else { receiver.record(found) }?;
                if flow == Flow::Pause {
                    *open = OpenRecord::after(end);
                    return Ok(Flow::Pause);
                }
                next = at + 1;
                handed &= handed - 1;
            }
            if let Some(&last) = group_ends[..records].last() {
                receiver.count_finished(records - next);
                walk.skip_positions(records * fields);
                (from, index) = (place(last) + 1, index + records);
                continue;
            }
        }
        let end = record_ends[index];
        let (ends, fields) = walk.end_record(end);
        let end = place(end);
        let mut marks = escapes.marks_in(from..end);
        let flow = if is_fresh {
            receiver.record(FoundRecord { carried: 0, from, end, ends, origin, wanted, fields, marks, lines })
        } else {
            marks.set_if(true, open.marks);
            let carried = open.carried;
            receiver.carried_record(FoundRecord {
                carried,
                from,
                end,
                ends,
                origin,
                wanted,
                fields,
                marks,
                lines,
            })
        }?;
        (from, is_fresh, index) = (end + 1, true, index + 1);
        if flow == Flow::Pause {
            *open = OpenRecord::after(end);
            return Ok(Flow::Pause);
        }
    }
    if from > open.from {
        *open = OpenRecord { carried: 0, marks: Marks::default(), from };
    }
    open.marks.set_if(window.ends_at_stray, Marks::STRAY);
    let mark = escapes.marks_in(from..usize::MAX);
    open.marks.set_if(true, mark);
    walk.end_window();
    Ok(Flow::Continue)
}

/// Returns how many of `bytes` belong to the current field, which has a stray quote or text after a closing quote.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}
