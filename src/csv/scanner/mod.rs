//! Finds the ends of records and fields.
//!
//! The scanner reads pieces of text that may be split at any byte. Between two pieces, it keeps a few numbers and the
//! ends of the fields of the unfinished record. So the scanner can stop and continue at any byte. It reports positions
//! and copies no text. The caller keeps the bytes of a record that began in an earlier piece.
//!
//! The scanner turns blocks of 64 bytes into bit masks ([`block`]) and applies the quote rules to these masks
//! ([`quotes`]). It then finds the fields in one of two ways ([`walk`]). It chooses the way when it has read the first
//! bytes of the first piece.
//!
//! Outside quotes, every CR and every LF ends a record. The scanner does not report empty records, so CRLF needs no
//! special rule.

pub(in crate::csv) mod block;
#[cfg(target_arch = "x86_64")]
mod dispatch;
mod found;
mod lines;
mod marks;
mod progress;
mod quotes;
mod scan;
pub(in crate::csv) mod walk;
mod window;

pub(super) use found::{Flow, FoundRecord, Receiver, RecordGroup, Selection};
pub(super) use lines::{LineCounter, start_of_record};
pub(super) use marks::Marks;

use block::{BLOCK_BYTES, Baseline, Block, Masks};
use progress::{ScanProgress, UnfinishedRecord};
use quotes::QuoteState;
use scan::PieceScan;
use walk::{Positions, Sparse, Walk, Wanted};
use window::Window;

/// Finds records and fields in pieces of text. Keeps its state between two pieces.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    delimiter: u8,
    wanted: Wanted,
    /// `None` until a piece has been read with the current wanted fields.
    walk_kind: Option<WalkKind>,
    /// Buffer of field ends. Between two pieces, it begins with the field ends of the unfinished record, up to the last
    /// wanted field.
    ends: Vec<u32>,
    record: UnfinishedRecord,
    quote_state: QuoteState,
    /// Whether the last byte of the last piece was CR.
    after_cr: bool,
    /// Structure of the current window. The next piece reuses only its buffers and estimates.
    window: Window,
}

/// One of the two ways to find the ends of the fields; see [`walk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalkKind {
    Positions,
    Sparse,
}

/// Number of bytes that [`WalkKind::choose`] reads, from the start of the first piece.
const SAMPLE_BYTES: usize = 64 * BLOCK_BYTES;

impl WalkKind {
    /// Chooses the walk from the number of wanted fields and the average number of fields per record in `sample`.
    /// Ignores quotes.
    fn choose(sample: &[u8], delimiter: u8, wanted: &Wanted) -> Self {
        let (mut separators, mut records) = (0, 1);
        for bytes in sample.chunks(BLOCK_BYTES).take(SAMPLE_BYTES / BLOCK_BYTES) {
            let (block, _) = Block::from_start_of::<Baseline>(bytes, delimiter, &mut [0; BLOCK_BYTES]);
            separators += (block.delimiters | block.newlines).count_ones() as usize;
            records += block.newlines.count_ones() as usize;
        }
        match separators > SEPARATORS_PER_WANTED * wanted.separator_count() * records {
            true => Self::Sparse,
            false => Self::Positions,
        }
    }
}

/// Measurements show that locating one separator takes about as long as writing this many positions. Each located
/// separator costs a branch that the CPU often mispredicts. Each written position costs one or two cycles.
const SEPARATORS_PER_WANTED: usize = 6;

impl Scanner {
    /// Creates a scanner at the start of a record on line 1. It locates the wanted fields of each record and
    /// only counts the others.
    pub(super) fn new(delimiter: u8, wanted: Wanted) -> Self {
        Self {
            delimiter,
            ends: wanted.buffer(),
            wanted,
            walk_kind: None,
            record: UnfinishedRecord {
                fields: 0,
                marks: Marks::default(),
                carried: 0,
                line: 1,
                breaks_inside: 0,
            },
            quote_state: QuoteState::RECORD_START,
            after_cr: false,
            window: Window::default(),
        }
    }

    /// Changes the wanted fields. Must be called between two records.
    pub(super) fn locate(&mut self, wanted: Wanted) {
        debug_assert_eq!(self.record.carried, 0, "the wanted fields changed inside a record");
        self.ends = wanted.buffer();
        self.wanted = wanted;
        self.walk_kind = None;
    }

    /// Sets the line of the next record, and whether a CR is directly before the record. Must be called between two
    /// records.
    pub(super) fn start_on(&mut self, line: u64, is_after_cr: bool) {
        debug_assert_eq!(self.record.carried, 0, "the line changed inside a record");
        self.record.line = line;
        self.after_cr = is_after_cr;
    }

    /// Whether the last byte that was read is a CR.
    pub(super) fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    /// Returns the line on which the unfinished record starts. Between two records, returns the line of the next
    /// record.
    pub(super) fn line(&self) -> u64 {
        self.record.line
    }

    /// Returns how many bytes of the unfinished record were read.
    pub(super) fn open_bytes(&self) -> usize {
        self.record.carried
    }

    /// Reads a piece and calls `on_record` for each record that ends in it. The piece must be shorter than 4
    /// GiB.
    ///
    /// # Errors
    /// The errors of `on_record`. The scanner must not be used after an error.
    #[inline]
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        on_record: impl FnMut(FoundRecord<'_>) -> Result<Flow, E>,
    ) -> Result<ScanProgress, E> {
        self.feed_to(piece, on_record)
    }

    /// Does the same as [`Scanner::feed`], with a [`Receiver`].
    #[inline]
    pub(super) fn feed_to<E>(&mut self, piece: &[u8], receiver: impl Receiver<E>) -> Result<ScanProgress, E> {
        let walk_kind =
            *self.walk_kind.get_or_insert_with(|| WalkKind::choose(piece, self.delimiter, &self.wanted));
        #[cfg(target_arch = "x86_64")]
        match dispatch::detect() {
            // SAFETY: `detect` has just found the CPU features that each function needs.
            dispatch::InstructionSet::Avx512 => {
                return unsafe { dispatch::avx512(self, walk_kind, piece, receiver) };
            }
            dispatch::InstructionSet::Avx2 => {
                return unsafe { dispatch::avx2(self, walk_kind, piece, receiver) };
            }
            dispatch::InstructionSet::Popcnt => {
                return unsafe { dispatch::popcnt(self, walk_kind, piece, receiver) };
            }
            dispatch::InstructionSet::Baseline => {}
        }
        self.scan::<Baseline, E>(walk_kind, piece, receiver)
    }

    #[inline(always)]
    fn scan<M: Masks, E>(
        &mut self,
        walk_kind: WalkKind,
        piece: &[u8],
        receiver: impl Receiver<E>,
    ) -> Result<ScanProgress, E> {
        debug_assert!(
            u32::try_from(piece.len()).is_ok(),
            "a piece must be shorter than 4 GiB: positions have 32 bits"
        );
        let Self { delimiter, wanted, ends, record, quote_state, after_cr, window, .. } = self;
        let piece_scan =
            PieceScan { delimiter: *delimiter, piece, wanted: wanted.as_slice(), after_cr: *after_cr };
        let fed = match walk_kind {
            WalkKind::Positions => {
                let walk = Positions::resume(ends, wanted, record.fields);
                piece_scan.scan::<M, _, E>(walk, window, record, quote_state, receiver)
            }
            WalkKind::Sparse => {
                let walk = Sparse::resume(ends, wanted, record.fields);
                piece_scan.scan::<M, _, E>(walk, window, record, quote_state, receiver)
            }
        }?;
        *after_cr = piece[..fed.consumed].last().map_or(*after_cr, |&byte| byte == b'\r');
        Ok(fed)
    }

    /// Ends the text. Calls `on_record` for the last record if no line break ended this record. All bytes of this
    /// record are in earlier pieces.
    pub(super) fn finish<T>(&mut self, on_record: impl FnOnce(FoundRecord<'_>) -> T) -> Option<T> {
        let UnfinishedRecord { fields, mut marks, carried, line, .. } = self.record;
        if carried == 0 {
            return None;
        }
        marks.set_if(self.quote_state.is_inside(), Marks::UNCLOSED);
        let slots = self.wanted.slots();
        if fields < slots {
            self.ends[fields] = carried as u32;
        }
        let fields = fields + 1;
        (self.record.fields, self.record.carried, self.quote_state) = (0, 0, QuoteState::RECORD_START);
        let lines = LineCounter { piece: &[], at: 0, line, after_cr: false, open_line: line };
        Some(on_record(FoundRecord {
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

/// Limits all scans of this process to vectors of at most `bits` bits, but not below the baseline of 128 bits. The
/// results do not change. Benchmarks use this function to measure the narrower implementations. Only x86-64 has vectors
/// wider than the baseline.
pub fn use_vectors_up_to(bits: u32) {
    #[cfg(target_arch = "x86_64")]
    dispatch::MAX_VECTOR_BITS.store(bits, std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bits;
}

#[cfg(test)]
mod tests;
