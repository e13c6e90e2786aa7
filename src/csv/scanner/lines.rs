//! Which line a place of a piece is on.

use super::batch::Batch;

/// Where the record starts that begins at `from` or behind the line breaks there.
#[inline(always)]
pub(in crate::csv) fn start_of_record(text: &[u8], from: usize) -> usize {
    let mut start = from;
    while let Some(b'\r' | b'\n') = text.get(start) {
        start += 1;
    }
    start
}

/// What it takes to tell the line of a place in a piece. Counting at every record would cost more than it is
/// worth: lines are asked for only when something is wrong.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) struct Lines<'a> {
    pub(super) piece: &'a [u8],
    /// A place in the piece, …
    pub(super) at: usize,
    /// … the line there …
    pub(super) line: u64,
    /// … and whether a CR stands right before it.
    pub(super) after_cr: bool,
    /// The line on which the record starts that was carried into the piece.
    pub(super) open_line: u64,
}

impl<'a> Lines<'a> {
    /// The piece.
    #[inline(always)]
    pub(in crate::csv) fn piece(&self) -> &'a [u8] {
        self.piece
    }

    /// Where a record starts in the piece, given where the one before it ends.
    pub(in crate::csv) fn start_of(&self, carried: usize, from: usize) -> usize {
        if carried > 0 { 0 } else { start_of_record(self.piece, from) }
    }

    /// The line of a record, given the same.
    pub(in crate::csv) fn line_of(&self, carried: usize, from: usize) -> u64 {
        if carried > 0 { self.open_line } else { self.line_at(start_of_record(self.piece, from)) }
    }

    /// The line of a place that is not between CR and LF.
    pub(super) fn line_at(&self, place: usize) -> u64 {
        match self.piece.get(self.at..place) {
            Some(between) => self.line + line_breaks(between, self.after_cr),
            None => self.line - line_breaks(&self.piece[place..self.at], false),
        }
    }

    /// Goes on behind a batch.
    #[inline(always)]
    pub(super) fn advance(&mut self, to: usize, batch: &Batch) {
        self.line += match batch.adjacent_line_bytes {
            0 => batch.line_bytes,
            _ => line_breaks(&self.piece[self.at..to], self.after_cr),
        };
        self.after_cr = self.piece[to - 1] == b'\r';
        self.at = to;
    }
}

/// How many lines end in `text`: at each CR and each LF that does not follow a CR.
#[inline(never)]
fn line_breaks(text: &[u8], after_cr: bool) -> u64 {
    let first = matches!(text, [b'\n', ..] if !after_cr) || matches!(text, [b'\r', ..]);
    let later = text
        .iter()
        .zip(text.iter().skip(1))
        .filter(|&(&before, &byte)| byte == b'\r' || (byte == b'\n' && before != b'\r'));
    u64::from(first) + later.count() as u64
}
