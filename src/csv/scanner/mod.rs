//! Finds where records and fields end.
//!
//! The scanner is fed pieces of text cut anywhere and remembers between them only a state of a few words and
//! where the fields of the record in progress ended, so it can stop and go on at any byte. It copies nothing:
//! it reports positions, and the caller keeps the bytes of a record that began in an earlier piece.
//!
//! It works on the masks of 64-byte blocks ([`block`]), seen in their context ([`quotes`]) and
//! walked in one of two ways ([`walk`]), chosen by what the first piece looks like.
//!
//! CR and LF each end a record, and an empty record is no record: so CRLF needs no rule of its own.

mod batch;
pub(in crate::csv) mod block;
#[cfg(target_arch = "x86_64")]
mod compiled_for;
mod found;
mod lines;
mod marks;
mod progress;
mod quotes;
mod scan;
pub(in crate::csv) mod walk;

pub(super) use found::{Flow, Found, Receiver, RecordGroup, Selection};
pub(super) use lines::{Lines, start_of_record};
pub(super) use marks::Marks;

use batch::Batch;
use block::{BLOCK_BYTES, Baseline, Block, Masks};
use progress::{Fed, Open};
use quotes::Context;
use scan::PieceScan;
use walk::{Positions, Sparse, Walk, Wanted};

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
    /// Holds between two pieces only what to expect.
    batch: Batch,
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
            compiled_for::Machine::Avx512 => {
                return unsafe { compiled_for::avx512(self, way, piece, receiver) };
            }
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
        let piece_scan =
            PieceScan { delimiter: *delimiter, piece, wanted: wanted.as_slice(), after_cr: *after_cr };
        let fed = match way {
            Way::Positions => {
                let walk = Positions::resume(ends, wanted, record.fields);
                piece_scan.scan::<M, _, E>(walk, batch, record, context, receiver)
            }
            Way::Sparse => {
                let walk = Sparse::resume(ends, wanted, record.fields);
                piece_scan.scan::<M, _, E>(walk, batch, record, context, receiver)
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

/// Has all scans of this process use vectors of at most so many bits, where the machine has wider ones than the
/// 128 bits that every machine of its kind has. The answer is the same: this is there to measure them.
pub fn use_vectors_up_to(bits: u32) {
    #[cfg(target_arch = "x86_64")]
    compiled_for::WIDEST.store(bits, std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bits;
}

#[cfg(test)]
mod tests;
