//! Finds the structure of a whole window. The scanner then reports the records of this window.
//!
//! There are three steps. The first computes the masks, the second applies the quote rules, and the third writes the
//! positions. Each step handles all blocks of the window before the next step starts. A single step needs so few
//! variables that they stay in registers, and no step branches on whether a record ends in a block.

use super::block::{BLOCK_BYTES, Block, Masks, WINDOW_BLOCKS};
use super::marks::Marks;
use super::quotes::{BlockStructure, QuoteState};
use std::ops::Range;

/// The structure of one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// Masks of the blocks. Before the quote rules are applied, these are the raw masks. Afterwards, `delimiters` holds
    /// all separators outside quotes, and `newlines` holds the separators that end a record.
    blocks: Box<[Block]>,
    /// Number of blocks in use.
    len: usize,
    /// Number of blocks that the window may have.
    max_blocks: usize,
    /// Number of bytes in the last block.
    last_bytes: usize,
    has_quotes: bool,
    /// Positions of the record ends. Entries after the first `records` are undefined.
    record_ends: Box<[u32]>,
    records: usize,
    /// Estimated number of records that end in a block.
    typical_ends: usize,
    /// For each block with doubled quotes: the mask of their second quotes, and the position of the block in
    /// the piece.
    escapes: Box<[(u64, usize)]>,
    escaped_blocks: usize,
    /// Whether the window ends at a stray quote or at text after a closing quote.
    pub(super) ends_at_stray: bool,
    /// Number of CRs and LFs in the window.
    pub(super) line_bytes: u64,
    /// Not 0 if a CR or LF directly follows another CR or LF.
    pub(super) adjacent_line_bytes: u64,
}

/// Size in blocks of the first window after a stray quote. Another stray quote probably follows soon. In a longer
/// window, the masks of the blocks after that quote would have to be computed again.
const BLOCKS_AFTER_STRAY: usize = 1;

/// State of the scan at the start of a window.
#[derive(Clone, Copy)]
pub(super) struct ScanState {
    pub(super) quote_state: QuoteState,
    /// 1 if the window starts directly after a line break or at the start of a record; else 0. If it is 1 and the
    /// window begins with a line break, this line break ends no record.
    pub(super) after_break: u64,
}

impl Window {
    /// Finds the structure of the next window: the blocks at the start of `text`, up to the maximum size or the first
    /// stray quote. `text` starts at `at` in the piece. Returns the number of bytes in the window.
    #[inline(always)]
    pub(super) fn fill<M: Masks>(
        &mut self,
        text: &[u8],
        delimiter: u8,
        at: usize,
        state: &mut ScanState,
    ) -> usize {
        self.allocate();
        (self.line_bytes, self.adjacent_line_bytes, self.ends_at_stray, self.escaped_blocks) =
            (0, 0, false, 0);
        // After a window with quotes, the next window usually has quotes too. So the faster `find_unquoted` would
        // usually fail.
        let is_unquoted = !self.has_quotes && state.quote_state.is_unquoted();
        if !(is_unquoted && self.find_unquoted::<M>(text, delimiter, state)) {
            self.find_masks::<M>(text, delimiter);
            self.apply_quotes::<M>(at, state);
        }
        self.max_blocks =
            if self.ends_at_stray { BLOCKS_AFTER_STRAY } else { WINDOW_BLOCKS.min(2 * self.max_blocks) };
        (self.len - 1) * BLOCK_BYTES + self.last_bytes
    }

    fn allocate(&mut self) {
        if self.blocks.is_empty() {
            self.blocks = vec![Block::default(); WINDOW_BLOCKS].into_boxed_slice();
            self.record_ends = vec![0; (WINDOW_BLOCKS + 1) * BLOCK_BYTES].into_boxed_slice();
            self.escapes = vec![(0, 0); WINDOW_BLOCKS].into_boxed_slice();
            self.max_blocks = WINDOW_BLOCKS;
        }
    }

    /// Computes the final masks of a window that starts outside quotes and contains no quotes. Every delimiter and
    /// every line break that ends a record is a separator in this window. Returns `false` if the window contains a
    /// quote. The masks are then not final.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn find_unquoted<M: Masks>(&mut self, text: &[u8], delimiter: u8, state: &mut ScanState) -> bool {
        let text = &text[..text.len().min(self.max_blocks * BLOCK_BYTES)];
        let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
        let (mut quotes, mut last, mut after_break) = (0, Block::default(), state.after_break);
        let (mut line_bytes, mut adjacent) = (0, 0);
        let mut apply = |block: Block, place: &mut Block| {
            let newlines = block.newlines;
            let after_breaks = newlines << 1 | after_break;
            after_break = newlines >> (BLOCK_BYTES - 1);
            quotes |= block.quotes;
            line_bytes += u64::from(newlines.count_ones());
            adjacent |= newlines & after_breaks;
            // An empty record is not reported, so the line break that ends it is no separator, even if the delimiter is
            // a line break (in a table with one column).
            let ends = newlines & !after_breaks;
            Block { quotes: 0, delimiters: block.delimiters & !newlines | ends, newlines: ends }
                .write_to(place);
            last = block;
        };
        for (place, bytes) in self.blocks.iter_mut().zip(whole) {
            apply(M::with_any_quotes(bytes, delimiter), place);
        }
        (self.len, self.last_bytes) = (whole.len(), BLOCK_BYTES);
        if !rest.is_empty() {
            let (block, bytes) = Block::from_start_of::<M>(rest, delimiter, &mut [0; BLOCK_BYTES]);
            apply(block, &mut self.blocks[self.len]);
            (self.len, self.last_bytes) = (self.len + 1, bytes);
        }
        self.has_quotes = quotes != 0;
        if !self.has_quotes {
            (self.line_bytes, self.adjacent_line_bytes) = (line_bytes, adjacent);
            state.quote_state = QuoteState::after_unquoted(last, self.last_bytes);
            state.after_break = last.newlines >> (self.last_bytes - 1) & 1;
        }
        !self.has_quotes
    }

    /// Computes the raw masks of the blocks.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn find_masks<M: Masks>(&mut self, text: &[u8], delimiter: u8) {
        let text = &text[..text.len().min(self.max_blocks * BLOCK_BYTES)];
        let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
        let mut quotes = 0;
        for (place, bytes) in self.blocks.iter_mut().zip(whole) {
            let block = M::find(bytes, delimiter);
            quotes |= block.quotes;
            block.write_to(place);
        }
        (self.len, self.last_bytes) = (whole.len(), BLOCK_BYTES);
        if !rest.is_empty() {
            let (block, bytes) = Block::from_start_of::<M>(rest, delimiter, &mut [0; BLOCK_BYTES]);
            quotes |= block.quotes;
            self.blocks[self.len] = block;
            (self.len, self.last_bytes) = (self.len + 1, bytes);
        }
        self.has_quotes = quotes != 0;
    }

    /// Applies the quote rules to the raw masks.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn apply_quotes<M: Masks>(&mut self, at: usize, state: &mut ScanState) {
        let ScanState { mut quote_state, mut after_break } = *state;
        let (mut line_bytes_seen, mut adjacent, mut escaped) = (0, 0, 0);
        for (index, block) in self.blocks[..self.len].iter_mut().enumerate() {
            let len = if index + 1 < self.len { BLOCK_BYTES } else { self.last_bytes };
            let structure = BlockStructure::new::<M>(*block, len, quote_state);
            quote_state = structure.quote_state;
            let line_bytes = structure.record_ends | structure.breaks_inside;
            let after_breaks = line_bytes << 1 | after_break;
            line_bytes_seen += u64::from(line_bytes.count_ones());
            adjacent |= line_bytes & after_breaks;
            let blank = structure.record_ends & after_breaks;
            block.newlines = structure.record_ends & !blank;
            block.delimiters = structure.separators & !blank;
            // The mask is written even if it is 0: in quoted text, the CPU would mispredict a branch on the mask for
            // every second block.
            self.escapes[escaped] = (structure.escapes, at + index * BLOCK_BYTES);
            escaped += usize::from(structure.escapes != 0);
            if structure.is_stray {
                (self.len, self.last_bytes, self.ends_at_stray) = (index + 1, structure.len, true);
                after_break = 0;
                break;
            }
            after_break = line_bytes >> (structure.len - 1) & 1;
        }
        (self.line_bytes, self.adjacent_line_bytes, self.escaped_blocks) =
            (line_bytes_seen, adjacent, escaped);
        *state = ScanState { quote_state, after_break };
    }

    /// Returns the separators of each block, including those that end a record.
    pub(super) fn separators(&self) -> impl ExactSizeIterator<Item = u64> {
        self.blocks[..self.len].iter().map(|block| block.delimiters)
    }

    /// Writes the positions of the record ends. The first block is at `base`.
    #[inline(always)]
    pub(super) fn locate_record_ends<M: Masks>(&mut self, base: u32) {
        let record_ends = self.blocks[..self.len].iter().map(|block| block.newlines);
        (self.records, self.typical_ends) =
            M::write_positions(record_ends, base, &mut self.record_ends, 0, self.typical_ends, &[]);
    }

    /// Returns the positions of the record ends.
    pub(super) fn record_ends(&self) -> &[u32] {
        &self.record_ends[..self.records]
    }

    /// Returns the doubled quotes of the window.
    pub(super) fn escapes(&self) -> Escapes<'_> {
        Escapes { blocks: &self.escapes[..self.escaped_blocks] }
    }
}

/// The doubled quotes of a window. They must be queried in ascending order of positions.
pub(super) struct Escapes<'a> {
    blocks: &'a [(u64, usize)],
}

impl Escapes<'_> {
    /// Whether there may be doubled quotes after the last range that was queried.
    #[inline(always)]
    pub(super) fn may_have_more(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Returns [`Marks::ESCAPES`] if the range `place` has doubled quotes. The range must be after all ranges that were
    /// queried before.
    #[inline(always)]
    pub(super) fn marks_in(&mut self, place: Range<usize>) -> Marks {
        let mut marks = Marks::default();
        if !self.blocks.is_empty() {
            marks.set_if(self.any_in(place), Marks::ESCAPES);
        }
        marks
    }

    #[inline(never)]
    fn any_in(&mut self, place: Range<usize>) -> bool {
        let first = self.blocks.iter().position(|&(_, at)| at + BLOCK_BYTES > place.start);
        self.blocks = &self.blocks[first.unwrap_or(self.blocks.len())..];
        let reached = self.blocks.iter().take_while(|&&(_, at)| at < place.end);
        let up_to = |end: usize| 1_u64.checked_shl(end as u32).map_or(u64::MAX, |bit| bit - 1);
        reached.fold(0, |found, &(bits, at)| {
            found | bits & up_to(place.end - at) & !up_to(place.start.saturating_sub(at))
        }) != 0
    }
}
