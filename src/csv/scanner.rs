//! Finds where records and fields end.
//!
//! The scanner is fed pieces of text cut anywhere and remembers between them only a state of a few words and
//! where the fields of the record in progress ended, so it can stop and go on at any byte. It copies nothing:
//! it reports positions, and the caller keeps the bytes of a record that began in an earlier piece.
//!
//! It works on the masks of 64-byte blocks ([`super::block`]), seen in their context ([`super::shape`]) and
//! walked in one of two ways ([`super::walk`]), chosen by what the first piece looks like.
//!
//! CR and LF each end a record, and an empty record is no record: so CRLF needs no rule of its own.

use super::block::{BLOCK_BYTES, Baseline, Block, Masks};
use super::shape::{Context, Shape};
use super::walk::{Positions, Sparse, Walk, Wanted};

/// What a record holds besides plain fields, as flags in one byte: three booleans would be written one by one
/// and read as a whole for every record, which stalls a processor. Nothing set: every field is its bytes, or
/// those between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u8);

impl Marks {
    /// Some field is not its bytes between its quotes: doubled, stray or unclosed quotes.
    pub(super) const ESCAPES: Self = Self(1);
    /// Quotes that RFC 4180 does not allow: inside an unquoted field, or closed with text following.
    pub(super) const STRAY: Self = Self(2 | Self::ESCAPES.0);
    /// The text ended inside quotes.
    pub(super) const UNCLOSED: Self = Self(4 | Self::ESCAPES.0);

    /// Whether all of `marks` are set.
    #[inline(always)]
    pub(super) fn has(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Sets `marks` if `condition` holds.
    #[inline(always)]
    fn set_if(&mut self, condition: bool, marks: Self) {
        self.0 |= marks.0 * u8::from(condition);
    }
}

/// A record just found.
pub(super) struct Found<'a> {
    /// How many bytes of it came in earlier pieces.
    pub(super) carried: usize,
    /// Where it starts in this piece (0 when some of it was carried).
    pub(super) start: usize,
    /// Where it ends in this piece, its line break not included.
    pub(super) end: usize,
    /// Where its fields end, up to the last one wanted. What is there for a field that neither is wanted nor
    /// precedes a wanted one means nothing.
    pub(super) ends: &'a [u32],
    /// What to subtract from `ends`, wrapping, to count from the record's start.
    pub(super) origin: u32,
    /// The fields wanted, ascending.
    pub(super) wanted: &'a [usize],
    /// How many fields it has.
    pub(super) fields: usize,
    /// What it holds.
    pub(super) marks: Marks,
    /// The line it starts on, from 1.
    pub(super) line: u64,
}

/// Receives what is found; a closure will do. A trait of its own because this is called for every record
/// and has to be inlined, which a closure cannot be told.
pub(super) trait Receiver<E> {
    /// Takes one record and says whether another is wanted now.
    fn found(&mut self, found: Found<'_>) -> Result<Flow, E>;
}

impl<E, F: FnMut(Found<'_>) -> Result<Flow, E>> Receiver<E> for F {
    #[inline(always)]
    fn found(&mut self, found: Found<'_>) -> Result<Flow, E> {
        self(found)
    }
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
    wanted: Wanted,
    /// Unknown until a piece has been looked at.
    way: Option<Way>,
    /// Starts with the field ends of the record in progress, as far as they are wanted.
    ends: Vec<u32>,
    record: Open,
    context: Context,
    /// Whether the last byte of the last piece was CR.
    after_cr: bool,
}

/// The record in progress.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Fields of it that have ended.
    fields: usize,
    marks: Marks,
    /// Bytes of it that came in earlier pieces.
    carried: usize,
    /// The line it starts on.
    line: u64,
    /// Line breaks inside it.
    breaks_inside: u64,
}

/// Which walk suits the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Positions,
    Sparse,
}

/// Bytes of the first piece that the way is chosen by.
const SAMPLE_BYTES: usize = 64 * BLOCK_BYTES;

impl Way {
    /// Chooses by the fields of the records in `sample`, quotes aside.
    fn suiting(sample: &[u8], delimiter: u8, wanted: &Wanted) -> Self {
        let (mut separators, mut records) = (0, 1);
        for bytes in sample.chunks(BLOCK_BYTES).take(SAMPLE_BYTES / BLOCK_BYTES) {
            let (block, _) = Block::at_start_of::<Baseline>(bytes, delimiter, &mut [0; BLOCK_BYTES]);
            separators += (block.delimiters | block.newlines).count_ones() as usize;
            records += block.newlines.count_ones() as usize;
        }
        match separators > SEPARATORS_PER_WANTED * wanted.separator_count() * records {
            true => Self::Sparse,
            false => Self::Positions,
        }
    }
}

/// To locate one separator among others costs about as much as to write down this many (measured: a branch
/// that is often mispredicted against a cycle or two each).
const SEPARATORS_PER_WANTED: usize = 6;

impl Scanner {
    /// A scanner at the start of a record on line 1 that locates the wanted fields of each record and counts
    /// the others.
    pub(super) fn new(delimiter: u8, wanted: Wanted) -> Self {
        Self {
            delimiter,
            ends: wanted.buffer(),
            wanted,
            way: None,
            record: Open { fields: 0, marks: Marks::default(), carried: 0, line: 1, breaks_inside: 0 },
            context: Context::RECORD_START,
            after_cr: false,
        }
    }

    /// Changes which fields are located, from the next record on.
    pub(super) fn locate(&mut self, wanted: Wanted) {
        debug_assert_eq!(self.record.carried, 0, "the record in progress would lose its fields");
        self.ends = wanted.buffer();
        self.wanted = wanted;
        self.way = None;
    }

    /// Goes on at the start of a record on `line`, behind a CR or not; only between two records.
    pub(super) fn start_on(&mut self, line: u64, is_after_cr: bool) {
        debug_assert_eq!(self.record.carried, 0, "the record in progress would move");
        self.record.line = line;
        self.after_cr = is_after_cr;
    }

    /// Whether the last byte fed was CR.
    pub(super) fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    /// The line the record in progress (or the next one) starts on.
    pub(super) fn line(&self) -> u64 {
        self.record.line
    }

    /// Bytes of the record in progress that have been fed.
    pub(super) fn open_bytes(&self) -> usize {
        self.record.carried
    }

    /// Fields of the record in progress that have ended.
    pub(super) fn open_fields(&self) -> usize {
        self.record.fields
    }

    /// Reads a piece and hands over each record that ends in it.
    ///
    /// # Errors
    /// Those of `on_record`; the scanner is not to be used after one.
    #[inline]
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        on_record: impl FnMut(Found<'_>) -> Result<Flow, E>,
    ) -> Result<Fed, E> {
        self.feed_to(piece, on_record)
    }

    /// As [`Scanner::feed`].
    #[inline]
    pub(super) fn feed_to<E>(&mut self, piece: &[u8], receiver: impl Receiver<E>) -> Result<Fed, E> {
        let way = *self.way.get_or_insert_with(|| Way::suiting(piece, self.delimiter, &self.wanted));
        #[cfg(target_arch = "x86_64")]
        if wide::is_available() {
            // SAFETY: what the function needs has just been detected.
            return unsafe { wide::scan(self, way, piece, receiver) };
        }
        self.scan::<Baseline, E>(way, piece, receiver)
    }

    #[inline(always)]
    fn scan<M: Masks, E>(&mut self, way: Way, piece: &[u8], receiver: impl Receiver<E>) -> Result<Fed, E> {
        let Self { delimiter, wanted, ends, record, context, after_cr, .. } = self;
        let (wanted_fields, origin) = (wanted.as_slice(), record.carried);
        let scan = Scan { delimiter: *delimiter, piece, wanted: wanted_fields, after_cr: *after_cr, origin };
        let fed = match way {
            Way::Positions => {
                let walk = Positions::resume(ends, wanted, record.fields);
                scan.run::<M, _, E>(walk, record, context, receiver)
            }
            Way::Sparse => {
                let walk = Sparse::resume(ends, wanted, record.fields);
                scan.run::<M, _, E>(walk, record, context, receiver)
            }
        }?;
        *after_cr = piece[..fed.consumed].last().map_or(*after_cr, |&byte| byte == b'\r');
        Ok(fed)
    }

    /// The record that the end of the text ends, if one is in progress: all of it was carried.
    pub(super) fn finish(&mut self) -> Option<Found<'_>> {
        let Open { fields, mut marks, carried, line, .. } = self.record;
        if carried == 0 {
            return None;
        }
        marks.set_if(self.context.is_inside(), Marks::UNCLOSED);
        let slots = self.wanted.slots();
        if fields < slots {
            self.ends[fields] = carried as u32;
        }
        let fields = fields + 1;
        (self.record.fields, self.record.carried, self.context) = (0, 0, Context::RECORD_START);
        let ends = &self.ends[..fields.min(slots)];
        let wanted = self.wanted.as_slice();
        Some(Found { carried, start: 0, end: 0, ends, origin: 0, wanted, fields, marks, line })
    }
}

/// The reading of one piece.
#[derive(Clone, Copy)]
struct Scan<'a> {
    delimiter: u8,
    piece: &'a [u8],
    wanted: &'a [usize],
    after_cr: bool,
    /// What positions count from: the start of the record in progress, so many bytes before the piece.
    origin: usize,
}

impl Scan<'_> {
    #[inline(always)]
    fn run<'w, M: Masks, W: Walk<'w>, E>(
        self,
        mut walk: W,
        record: &mut Open,
        context: &mut Context,
        mut receiver: impl Receiver<E>,
    ) -> Result<Fed, E> {
        let Self { piece, delimiter, wanted, origin, .. } = self;
        let Open { mut marks, mut line, mut breaks_inside, .. } = *record;
        // Counted like positions.
        let mut start = 0;
        let mut at = 0;
        let mut padding = [0; BLOCK_BYTES];
        while at < piece.len() {
            let (block, len) = Block::at_start_of::<M>(&piece[at..], delimiter, &mut padding);
            let shape = Shape::of(block, len, *context);
            let base = origin + at;
            let (mut separators, mut record_ends) = (shape.separators, shape.record_ends);
            let (mut escapes, mut inside) = (shape.escapes, shape.breaks_inside);
            walk.enter(separators, base as u32);
            while record_ends != 0 {
                let through = record_ends ^ (record_ends - 1);
                let end = base + record_ends.trailing_zeros() as usize;
                walk.pass(separators & through);
                if escapes | inside != 0 {
                    marks.set_if(escapes & through != 0, Marks::ESCAPES);
                    breaks_inside += self.line_breaks(at, inside & through);
                    (escapes, inside) = (escapes & !through, inside & !through);
                }
                let mut flow = Flow::Continue;
                if end > start {
                    let (ends, fields) = walk.record();
                    let carried = if start == 0 { origin } else { 0 };
                    flow = receiver.found(Found {
                        carried,
                        start: start + carried - origin,
                        end: end - origin,
                        ends,
                        origin: start as u32,
                        wanted,
                        fields,
                        marks,
                        line,
                    })?;
                    line += 1 + breaks_inside;
                    (marks, breaks_inside) = (Marks::default(), 0);
                } else {
                    line += u64::from(!self.is_second_of_crlf(end - origin));
                }
                walk.next_record();
                start = end + 1;
                separators &= !through;
                record_ends &= record_ends - 1;
                if flow == Flow::Pause {
                    walk.suspend(0);
                    *record = Open { fields: 0, marks, carried: 0, line, breaks_inside };
                    *context = Context::RECORD_START;
                    let consumed = start - origin;
                    return Ok(Fed { consumed, open_from: consumed, paused: true });
                }
            }
            walk.pass(separators);
            if escapes | inside != 0 {
                marks.set_if(escapes != 0, Marks::ESCAPES);
                breaks_inside += self.line_breaks(at, inside);
            }
            *context = shape.context;
            at += shape.len;
            if shape.is_stray {
                marks.set_if(true, Marks::STRAY);
                at += end_of_literal(&piece[at..], delimiter);
            }
        }
        let fields = walk.suspend(start as u32);
        *record = Open { fields, marks, carried: origin + piece.len() - start, line, breaks_inside };
        Ok(Fed { consumed: piece.len(), open_from: start.saturating_sub(origin), paused: false })
    }

    /// How many lines end at the CRs and LFs that `mask` marks in the block at `block_at`.
    #[inline]
    fn line_breaks(self, block_at: usize, mut mask: u64) -> u64 {
        let mut breaks = 0;
        while mask != 0 {
            breaks += u64::from(!self.is_second_of_crlf(block_at + mask.trailing_zeros() as usize));
            mask &= mask - 1;
        }
        breaks
    }

    #[inline(always)]
    fn is_second_of_crlf(self, at: usize) -> bool {
        self.piece[at] == b'\n'
            && match at.checked_sub(1) {
                Some(before) => self.piece[before] == b'\r',
                None => self.after_cr,
            }
    }
}

/// How far a field goes in which quotes mean nothing.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}

/// The scan compiled for an x86-64 with AVX2 and bit instructions.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Fed, Receiver, Scanner, Way};
    use crate::csv::block::Avx2;

    #[inline]
    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn scan<E>(
        scanner: &mut Scanner,
        way: Way,
        piece: &[u8],
        receiver: impl Receiver<E>,
    ) -> Result<Fed, E> {
        scanner.scan::<Avx2, E>(way, piece, receiver)
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
