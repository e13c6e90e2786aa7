//! Line numbers of positions in a piece.

use super::window::Window;

/// Returns the first position at or after `from` that is not a line break.
#[inline(always)]
pub(in crate::csv) fn start_of_record(text: &[u8], from: usize) -> usize {
    let mut start = from;
    while let Some(b'\r' | b'\n') = text.get(start) {
        start += 1;
    }
    start
}

/// Computes the line number of a position in a piece, but only when a caller asks for it. Line numbers are needed only
/// for errors, so counting lines at every record would waste time.
#[derive(Debug, Clone, Copy)]
pub(in crate::csv) struct LineCounter<'a> {
    pub(super) piece: &'a [u8],
    /// A position in the piece. The lines before this position have been counted.
    pub(super) at: usize,
    /// The line number at `at`.
    pub(super) line: u64,
    /// Whether the byte before `at` is a CR.
    pub(super) after_cr: bool,
    /// The line on which the unfinished record from an earlier piece starts.
    pub(super) open_line: u64,
}

impl<'a> LineCounter<'a> {
    #[inline(always)]
    pub(in crate::csv) fn piece(&self) -> &'a [u8] {
        self.piece
    }

    /// Returns the position in the piece at which a record starts. 0 if the record began in an earlier piece. The
    /// arguments are [`FoundRecord::carried`](super::FoundRecord::carried) and
    /// [`FoundRecord::from`](super::FoundRecord::from).
    pub(in crate::csv) fn start_of(&self, carried: usize, from: usize) -> usize {
        if carried > 0 { 0 } else { start_of_record(self.piece, from) }
    }

    /// Returns the line on which a record starts. The arguments are those of [`LineCounter::start_of`].
    pub(in crate::csv) fn line_of(&self, carried: usize, from: usize) -> u64 {
        if carried > 0 { self.open_line } else { self.line_at(start_of_record(self.piece, from)) }
    }

    /// Returns the line of the position `place`, which must not be between a CR and its LF.
    pub(super) fn line_at(&self, place: usize) -> u64 {
        match self.piece.get(self.at..place) {
            Some(between) => self.line + line_breaks(between, self.after_cr),
            None => self.line - line_breaks(&self.piece[place..self.at], false),
        }
    }

    /// Counts the lines of a window that ends at `to`.
    #[inline(always)]
    pub(super) fn advance(&mut self, to: usize, window: &Window) {
        self.line += match window.adjacent_line_bytes {
            0 => window.line_bytes,
            _ => line_breaks(&self.piece[self.at..to], self.after_cr),
        };
        self.after_cr = self.piece[to - 1] == b'\r';
        self.at = to;
    }
}

/// Counts the line breaks in `text`: each CR, and each LF that does not follow a CR. `after_cr` says whether a CR
/// precedes `text`.
#[inline(never)]
fn line_breaks(text: &[u8], after_cr: bool) -> u64 {
    let first = matches!(text, [b'\n', ..] if !after_cr) || matches!(text, [b'\r', ..]);
    let later = text
        .iter()
        .zip(text.iter().skip(1))
        .filter(|&(&before, &byte)| byte == b'\r' || (byte == b'\n' && before != b'\r'));
    u64::from(first) + later.count() as u64
}
