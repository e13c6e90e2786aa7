//! Finds where records and fields end.
//!
//! The scanner is fed pieces of text cut anywhere and remembers between them only a state of a few words,
//! so it can stop and go on at any byte. It copies nothing: it reports positions, and the caller keeps the
//! bytes of a record that began in an earlier piece.
//!
//! It works on the masks of 64-byte blocks. Quotes pair up: the parity of the quotes before a byte tells
//! whether the byte lies inside a quoted field, and delimiters and line breaks inside do not count. That
//! holds as long as every quote opens a field, closes one or is doubled. The first quote of a block that
//! does none of these is found by two more masks; from there the scanner seeks the end of that field
//! byte-wise, because quotes mean nothing in the rest of it, and then goes on with blocks.
//!
//! CR and LF each end a record, and an empty record is no record: so CRLF needs no rule of its own.

use super::block::Block;

/// What kind of byte came last; all that parsing needs to know of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of a record has been seen.
    RecordStart,
    /// A delimiter.
    FieldStart,
    /// A byte of an unquoted field, or one after a closing quote: quotes mean nothing till the field ends.
    Unquoted,
    /// A byte inside quotes.
    Quoted,
    /// A quote that closes its field, unless another follows.
    QuoteClosed,
}

/// What a record holds besides plain fields. Nothing set: every field is its own value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// There is a quote somewhere in the record.
    pub(super) quotes: bool,
    /// Some field is not its bytes between its quotes: doubled, stray or unclosed quotes.
    pub(super) escapes: bool,
    /// Quotes that RFC 4180 does not allow: inside an unquoted field, or closed with text following.
    pub(super) stray: bool,
    /// The text ended inside quotes.
    pub(super) unclosed: bool,
}

/// A record just found.
pub(super) struct Found<'a> {
    /// How many bytes of it came in earlier pieces.
    pub(super) carried: usize,
    /// Where it starts in this piece (0 when some of it was carried).
    pub(super) start: usize,
    /// Where it ends in this piece, its line break not included.
    pub(super) end: usize,
    /// Where its fields end, from the record's start; only as many as the scanner was told to locate.
    pub(super) ends: &'a [u32],
    /// How many fields it has.
    pub(super) fields: usize,
    /// What it holds.
    pub(super) marks: Marks,
    /// The line it starts on, from 1.
    pub(super) line: u64,
}

/// What the receiver of a record wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// More records.
    Continue,
    /// No more for now: stop right behind this record.
    Pause,
}

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fed {
    /// Bytes of the piece that are done with.
    pub(super) consumed: usize,
    /// Where in the piece the record in progress starts (`consumed` when there is none).
    pub(super) open_from: usize,
    /// Whether the receiver asked to pause.
    pub(super) paused: bool,
}

/// The state between two pieces.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    delimiter: u8,
    state: State,
    /// Field ends of the record in progress: the first `fields` of them, as many as there is room for.
    ends: Box<[u32]>,
    fields: usize,
    marks: Marks,
    /// Bytes of the record in progress that came in earlier pieces.
    carried: usize,
    /// The line the record in progress starts on.
    line: u64,
    /// Line breaks inside the record in progress.
    breaks_inside: u64,
    /// Whether the last byte of the last piece was CR.
    after_cr: bool,
}

impl Scanner {
    /// A scanner at the start of a record on line 1 that locates the first `located` fields of each record
    /// and counts the others.
    pub(super) fn new(delimiter: u8, located: usize) -> Self {
        Self {
            delimiter,
            state: State::RecordStart,
            ends: vec![0; located].into_boxed_slice(),
            fields: 0,
            marks: Marks::default(),
            carried: 0,
            line: 1,
            breaks_inside: 0,
            after_cr: false,
        }
    }

    /// Changes how many fields are located, from the next record on.
    pub(super) fn locate(&mut self, located: usize) {
        debug_assert_eq!(self.state, State::RecordStart, "the record in progress would lose its fields");
        self.ends = vec![0; located].into_boxed_slice();
    }

    /// The line the record in progress (or the next one) starts on.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes of the record in progress that have been fed.
    pub(super) fn open_bytes(&self) -> usize {
        self.carried
    }

    /// Fields of the record in progress that have ended.
    pub(super) fn open_fields(&self) -> usize {
        self.fields
    }

    /// Reads a piece and hands over each record that ends in it.
    ///
    /// # Errors
    /// Those of `on_record`; the scanner is not to be used after one.
    #[inline]
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        mut on_record: impl FnMut(Found<'_>) -> Result<Flow, E>,
    ) -> Result<Fed, E> {
        let mut start: usize = 0;
        let mut position = 0;
        while position < piece.len() {
            let shape = Shape::of(Block::at_start_of(&piece[position..], self.delimiter), self.state);
            let mut separators = shape.separators;
            let (mut quotes, mut escapes, mut inside) = (shape.quotes, shape.escapes, shape.breaks_inside);
            while separators != 0 {
                if self.fields >= self.ends.len() {
                    // Fields beyond those wanted need no position: count them up to the record's end.
                    let record_end = separators & shape.newlines;
                    let uncounted = separators & below_lowest(record_end);
                    self.fields += uncounted.count_ones() as usize;
                    separators ^= uncounted;
                    if separators == 0 {
                        break;
                    }
                }
                let lowest = separators & separators.wrapping_neg();
                separators ^= lowest;
                let at = position + lowest.trailing_zeros() as usize;
                // The record may have begun before this piece: then its start wraps below zero.
                let record_bytes = at.wrapping_sub(start.wrapping_sub(self.carried));
                if shape.newlines & lowest == 0 {
                    self.end_field(record_bytes);
                    continue;
                }
                let before = lowest - 1;
                self.marks.quotes |= quotes & before != 0;
                self.marks.escapes |= escapes & before != 0;
                self.breaks_inside += self.line_breaks(piece, position, inside & before);
                (quotes, escapes, inside) = (quotes & !before, escapes & !before, inside & !before);
                let mut flow = Flow::Continue;
                if record_bytes > 0 {
                    self.end_field(record_bytes);
                    flow = on_record(self.found(start, at))?;
                }
                self.next_record(u64::from(!self.is_second_of_crlf(piece, at)));
                start = at + 1;
                if flow == Flow::Pause {
                    self.state = State::RecordStart;
                    self.after_cr = piece[at] == b'\r';
                    return Ok(Fed { consumed: start, open_from: start, paused: true });
                }
            }
            self.marks.quotes |= quotes != 0;
            self.marks.escapes |= escapes != 0;
            self.breaks_inside += self.line_breaks(piece, position, inside);
            self.state = shape.state_after;
            position += shape.len;
            if shape.stray {
                self.marks = Marks { quotes: true, escapes: true, stray: true, ..self.marks };
                position += end_of_literal(&piece[position..], self.delimiter);
            }
        }
        self.carried += piece.len() - start;
        self.after_cr = piece.last().map_or(self.after_cr, |&byte| byte == b'\r');
        Ok(Fed { consumed: piece.len(), open_from: start, paused: false })
    }

    /// The record that the end of the text ends, if one is in progress: all of it was carried.
    pub(super) fn finish(&mut self) -> Option<Found<'_>> {
        if self.state == State::RecordStart {
            return None;
        }
        self.marks.unclosed = self.state == State::Quoted;
        self.marks.escapes |= self.marks.unclosed;
        self.end_field(self.carried);
        let found = Found {
            carried: self.carried,
            start: 0,
            end: 0,
            ends: &self.ends[..self.fields.min(self.ends.len())],
            fields: self.fields,
            marks: self.marks,
            line: self.line,
        };
        (self.fields, self.carried, self.state) = (0, 0, State::RecordStart);
        Some(found)
    }

    #[inline(always)]
    fn end_field(&mut self, record_bytes: usize) {
        if let Some(end) = self.ends.get_mut(self.fields) {
            *end = record_bytes as u32;
        }
        self.fields += 1;
    }

    #[inline(always)]
    fn found(&self, start: usize, end: usize) -> Found<'_> {
        Found {
            carried: self.carried,
            start,
            end,
            ends: &self.ends[..self.fields.min(self.ends.len())],
            fields: self.fields,
            marks: self.marks,
            line: self.line,
        }
    }

    #[inline(always)]
    fn next_record(&mut self, line_breaks: u64) {
        self.line += self.breaks_inside + line_breaks;
        self.breaks_inside = 0;
        self.carried = 0;
        self.fields = 0;
        self.marks = Marks::default();
    }

    /// How many lines end at the CRs and LFs that `mask` marks in the block at `position`.
    #[inline(always)]
    fn line_breaks(&self, piece: &[u8], position: usize, mut mask: u64) -> u64 {
        let mut breaks = 0;
        while mask != 0 {
            let at = position + mask.trailing_zeros() as usize;
            breaks += u64::from(!self.is_second_of_crlf(piece, at));
            mask &= mask - 1;
        }
        breaks
    }

    #[inline(always)]
    fn is_second_of_crlf(&self, piece: &[u8], at: usize) -> bool {
        piece[at] == b'\n'
            && match at.checked_sub(1) {
                Some(before) => piece[before] == b'\r',
                None => self.after_cr,
            }
    }
}

/// A block seen in its context: which of its bytes mean something.
struct Shape {
    /// Delimiters and line breaks outside quotes.
    separators: u64,
    /// Line breaks outside quotes.
    newlines: u64,
    /// Line breaks inside quotes.
    breaks_inside: u64,
    quotes: u64,
    /// Quotes that double another.
    escapes: u64,
    /// How many bytes the above speaks for: all, or those before the first stray quote.
    len: usize,
    /// Whether what stopped it there is a stray quote, or text after a closing one.
    stray: bool,
    state_after: State,
}

impl Shape {
    #[inline(always)]
    fn of(block: Block, state: State) -> Self {
        if block.quotes == 0 && matches!(state, State::RecordStart | State::FieldStart | State::Unquoted) {
            Self::plain(block)
        } else {
            Self::quoted(block, state)
        }
    }

    #[inline(always)]
    fn plain(block: Block) -> Self {
        let separators = block.delimiters | block.newlines;
        Self {
            separators,
            newlines: block.newlines,
            breaks_inside: 0,
            quotes: 0,
            escapes: 0,
            len: block.len,
            stray: false,
            state_after: state_after(block, 0, 0, separators),
        }
    }

    fn quoted(block: Block, state: State) -> Self {
        let carried_inside = if state == State::Quoted { u64::MAX } else { 0 };
        // From an opening quote up to, but without, its closing one.
        let inside = parity(block.quotes) ^ carried_inside;
        let opening = block.quotes & inside;
        let closing = block.quotes & !inside;
        let separators = (block.delimiters | block.newlines) & !inside;

        let after_closing = closing << 1 | u64::from(state == State::QuoteClosed);
        let at_field_start =
            separators << 1 | u64::from(matches!(state, State::RecordStart | State::FieldStart));
        let stray_opening = opening & !(at_field_start | after_closing);
        let text_after_closing = after_closing & !(separators | opening) & up_to(block.len);
        let stray = stray_opening | text_after_closing;

        let (len, state_after) = match stray {
            0 => (block.len, state_after(block, inside, closing, separators)),
            _ => (stray.trailing_zeros() as usize, State::Unquoted),
        };
        let certain = up_to(len);
        Self {
            separators: separators & certain,
            newlines: block.newlines & separators & certain,
            breaks_inside: block.newlines & inside & certain,
            quotes: block.quotes & certain,
            escapes: opening & after_closing & certain,
            len,
            stray: stray != 0,
            state_after,
        }
    }
}

#[inline(always)]
fn state_after(block: Block, inside: u64, closing: u64, separators: u64) -> State {
    let last = 1 << (block.len - 1);
    if inside & last != 0 {
        State::Quoted
    } else if closing & last != 0 {
        State::QuoteClosed
    } else if separators & last == 0 {
        State::Unquoted
    } else if block.newlines & last == 0 {
        State::FieldStart
    } else {
        State::RecordStart
    }
}

/// Bit `i` of the result is the parity of bits `0..=i`.
#[inline(always)]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The `len` lowest bits.
#[inline(always)]
fn up_to(len: usize) -> u64 {
    if len < 64 { (1 << len) - 1 } else { u64::MAX }
}

/// The bits below the lowest one of `bits`; all when there is none.
#[inline(always)]
fn below_lowest(bits: u64) -> u64 {
    (bits & bits.wrapping_neg()).wrapping_sub(1)
}

/// How far a field goes in which quotes mean nothing.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
