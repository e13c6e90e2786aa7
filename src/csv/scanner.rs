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
    /// Where it starts in the piece, or where the line breaks start that stand before it (0 when some of it was
    /// carried): see [`Lines::start_of`].
    pub(super) from: usize,
    /// Where it ends in the piece, its line break not included.
    pub(super) end: usize,
    /// Where its fields end, at least up to the last one wanted. What is there for a field that neither is
    /// wanted nor precedes a wanted one means nothing.
    pub(super) ends: &'a [u32],
    /// What to subtract from `ends`, wrapping, to count from the start of the piece.
    pub(super) origin: u32,
    /// The fields wanted, ascending.
    pub(super) wanted: &'a [usize],
    /// How many fields it has.
    pub(super) fields: usize,
    /// What it holds.
    pub(super) marks: Marks,
    /// The piece in which it ends, and its lines.
    pub(super) lines: &'a Lines<'a>,
}

/// Records that follow one another in a batch, without stray quotes: a field that starts with none is its bytes.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// The piece they lie in, whole.
    pub(super) piece: &'a [u8],
    /// Where the first starts in it, or where the line breaks start that stand before it.
    pub(super) from: usize,
    /// Whether quotes may be doubled in some of them.
    pub(super) has_escapes: bool,
    /// Where their fields end, one record's behind the other's.
    pub(super) ends: &'a [u32],
    /// Where they end themselves: the last end of each.
    pub(super) record_ends: &'a [u32],
    /// What to subtract from all of these, wrapping, to count from the start of the piece.
    pub(super) origin: u32,
}

/// How much of a run has been dealt with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dealt {
    pub(super) records: usize,
    /// All fields of those records.
    pub(super) fields: usize,
}

/// Receives what is found; a closure will do. A trait of its own because this is called for every record
/// and has to be inlined, which a closure cannot be told.
pub(super) trait Receiver<E> {
    /// Takes one record and says whether another is wanted now.
    fn found(&mut self, found: Found<'_>) -> Result<Flow, E>;

    /// Deals with as many records of a run as it likes, all at once; the others are handed over.
    fn found_run(&mut self, run: Run<'_>) -> Dealt {
        let _ = run;
        Dealt::default()
    }

    /// The same as [`Receiver::found`] for a record of which something came before, in an earlier piece or batch.
    fn found_carried(&mut self, found: Found<'_>) -> Result<Flow, E> {
        self.found(found)
    }
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
    /// Holds nothing between two pieces.
    batch: Batch,
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
            batch: Batch::default(),
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

    /// Reads a piece and hands over each record that ends in it. The piece is shorter than 4 GiB.
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
        match compiled_for::machine() {
            // SAFETY: what the functions need has just been detected.
            compiled_for::Machine::Avx2 => return unsafe { compiled_for::avx2(self, way, piece, receiver) },
            compiled_for::Machine::Popcnt => {
                return unsafe { compiled_for::popcnt(self, way, piece, receiver) };
            }
            compiled_for::Machine::Any => {}
        }
        self.scan::<Baseline, E>(way, piece, receiver)
    }

    #[inline(always)]
    fn scan<M: Masks, E>(&mut self, way: Way, piece: &[u8], receiver: impl Receiver<E>) -> Result<Fed, E> {
        debug_assert!(u32::try_from(piece.len()).is_ok(), "positions within a piece are 32 bits wide");
        let Self { delimiter, wanted, ends, record, context, after_cr, batch, .. } = self;
        let scan = Scan { delimiter: *delimiter, piece, wanted: wanted.as_slice(), after_cr: *after_cr };
        let fed = match way {
            Way::Positions => {
                let walk = Positions::resume(ends, wanted, record.fields);
                scan.run::<M, _, E>(walk, batch, record, context, receiver)
            }
            Way::Sparse => {
                let walk = Sparse::resume(ends, wanted, record.fields);
                scan.run::<M, _, E>(walk, batch, record, context, receiver)
            }
        }?;
        *after_cr = piece[..fed.consumed].last().map_or(*after_cr, |&byte| byte == b'\r');
        Ok(fed)
    }

    /// Hands over the record that the end of the text ends, if one is in progress: all of it was carried.
    pub(super) fn finish<T>(&mut self, on_record: impl FnOnce(Found<'_>) -> T) -> Option<T> {
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
        let lines = Lines { piece: &[], at: 0, line, after_cr: false, open_line: line };
        Some(on_record(Found {
            carried,
            from: 0,
            end: 0,
            ends: &self.ends[..fields.min(slots)],
            origin: carried as u32,
            wanted: self.wanted.as_slice(),
            fields,
            marks,
            lines: &lines,
        }))
    }
}

/// The reading of one piece.
#[derive(Clone, Copy)]
struct Scan<'a> {
    delimiter: u8,
    piece: &'a [u8],
    wanted: &'a [usize],
    after_cr: bool,
}

/// What a block needs to know of the bytes before it.
#[derive(Clone, Copy)]
struct Seam {
    context: Context,
    /// 1 behind a line break and where a record may start, else 0: a line break here ends no record.
    after_break: u64,
}

/// What was found in some consecutive blocks. Finding all of it before any of it is acted upon keeps the
/// processor from guessing, block after block, whether a record ends in this one.
#[derive(Debug, Clone, Default)]
struct Batch {
    /// Where records end; those behind the first `records` mean nothing.
    record_ends: Box<[u32]>,
    records: usize,
    /// What records hold besides plain fields, by their number in the batch, ascending.
    marks: Vec<(usize, Marks)>,
    /// Whether one of these is for more than doubled quotes.
    has_stray: bool,
    /// CRs and LFs.
    line_bytes: u64,
    /// Not 0 if one of them directly followed another.
    adjacent_line_bytes: u64,
}

/// Text of 4 KiB: small enough that it and what is found in it stay in the nearest cache.
pub(super) const BATCH_BLOCKS: usize = 64;
/// Record ends that are written down without asking how many there are.
const RECORD_ENDS_AT_ONCE: usize = 4;

impl Batch {
    #[inline(always)]
    fn clear(&mut self) {
        if self.record_ends.is_empty() {
            self.record_ends = vec![0; BATCH_BLOCKS * BLOCK_BYTES + RECORD_ENDS_AT_ONCE].into_boxed_slice();
        }
        self.marks.clear();
        (self.records, self.has_stray) = (0, false);
    }

    #[inline(always)]
    fn push_record_ends(&mut self, mut record_ends: u64, base: u32) {
        let from = self.records;
        self.records += record_ends.count_ones() as usize;
        let mut push = |at: usize| {
            self.record_ends[at] = base.wrapping_add(record_ends.trailing_zeros());
            record_ends &= record_ends.wrapping_sub(1);
        };
        // Written even if there is none: most blocks of wide records have one or none, which nobody can foresee.
        push(from);
        for at in (from + 1..self.records).step_by(RECORD_ENDS_AT_ONCE) {
            (at..at + RECORD_ENDS_AT_ONCE).for_each(&mut push);
        }
    }

    /// Notes `marks` for the records that the bits of `places` are in, given where records end in the block.
    #[inline(never)]
    fn push_marks(&mut self, mut places: u64, record_ends: u64, marks: Marks) {
        while places != 0 {
            let before = (places & places.wrapping_neg()) - 1;
            self.marks.push((self.records + (record_ends & before).count_ones() as usize, marks));
            places &= places - 1;
        }
    }
}

impl Scan<'_> {
    #[inline(always)]
    fn run<'w, M: Masks, W: Walk<'w>, E>(
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
            let has_escapes = !batch.marks.is_empty();
            let run = Run { piece: lines.piece, from, has_escapes, ends, record_ends: run, origin };
            let dealt = receiver.found_run(run);
            if let Some(&last) = run.record_ends[..dealt.records].last() {
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

/// Where the record starts that begins at `from` or behind the line breaks there.
#[inline(always)]
pub(super) fn start_of_record(text: &[u8], from: usize) -> usize {
    let mut start = from;
    while let Some(b'\r' | b'\n') = text.get(start) {
        start += 1;
    }
    start
}

/// What it takes to tell the line of a place in a piece. Counting at every record would cost more than it is
/// worth: lines are asked for only when something is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a> {
    piece: &'a [u8],
    /// A place in the piece, …
    at: usize,
    /// … the line there …
    line: u64,
    /// … and whether a CR stands right before it.
    after_cr: bool,
    /// The line on which the record starts that was carried into the piece.
    open_line: u64,
}

impl<'a> Lines<'a> {
    /// The piece.
    #[inline(always)]
    pub(super) fn piece(&self) -> &'a [u8] {
        self.piece
    }

    /// Where a record starts in the piece, given where the one before it ends.
    pub(super) fn start_of(&self, carried: usize, from: usize) -> usize {
        if carried > 0 { 0 } else { start_of_record(self.piece, from) }
    }

    /// The line of a record, given the same.
    pub(super) fn line_of(&self, carried: usize, from: usize) -> u64 {
        if carried > 0 { self.open_line } else { self.line_at(start_of_record(self.piece, from)) }
    }

    /// The line of a place that is not between CR and LF.
    fn line_at(&self, place: usize) -> u64 {
        match self.piece.get(self.at..place) {
            Some(between) => self.line + line_breaks(between, self.after_cr),
            None => self.line - line_breaks(&self.piece[place..self.at], false),
        }
    }

    /// Goes on behind a batch.
    #[inline(always)]
    fn advance(&mut self, to: usize, batch: &Batch) {
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

/// Has all scans of this process use the vectors that every machine of its kind has, or lets them use wider ones
/// again. The answer is the same: this is there to measure them.
pub fn use_baseline_vectors(only: bool) {
    #[cfg(target_arch = "x86_64")]
    compiled_for::ONLY_BASELINE.store(only, std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = only;
}

/// How far a field goes in which quotes mean nothing.
#[cold]
fn end_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    memchr::memchr3(delimiter, b'\r', b'\n', bytes).unwrap_or(bytes.len())
}

/// The scan compiled for x86-64s that have more than the first one had.
#[cfg(target_arch = "x86_64")]
mod compiled_for {
    use super::{Baseline, Fed, Receiver, Scanner, Way};
    use crate::csv::block::Avx2;
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) static ONLY_BASELINE: AtomicBool = AtomicBool::new(false);

    pub(super) enum Machine {
        Avx2,
        /// Nothing wider than the baseline, but it counts bits.
        Popcnt,
        Any,
    }

    #[inline]
    pub(super) fn machine() -> Machine {
        let has_popcnt = is_x86_feature_detected!("popcnt");
        let has_avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        match (has_popcnt, has_avx2 && !ONLY_BASELINE.load(Ordering::Relaxed)) {
            (true, true) => Machine::Avx2,
            (true, false) => Machine::Popcnt,
            _ => Machine::Any,
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn avx2<E>(
        scanner: &mut Scanner,
        way: Way,
        piece: &[u8],
        receiver: impl Receiver<E>,
    ) -> Result<Fed, E> {
        scanner.scan::<Avx2, E>(way, piece, receiver)
    }

    #[target_feature(enable = "popcnt")]
    pub(super) fn popcnt<E>(
        scanner: &mut Scanner,
        way: Way,
        piece: &[u8],
        receiver: impl Receiver<E>,
    ) -> Result<Fed, E> {
        scanner.scan::<Baseline, E>(way, piece, receiver)
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
