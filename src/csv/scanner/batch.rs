//! What is found in some consecutive blocks, before any of it is handed over.
//!
//! The blocks go through one step after another, all of them through each: masks, then their shapes, then the places
//! that they stand for. A step needs so little that it stays in registers, and whether a record ends in a block is
//! nowhere guessed.

use super::block::{BLOCK_BYTES, Block, Masks, WINDOW_BLOCKS};
use super::marks::Marks;
use super::quotes::{Context, Shape};
use std::ops::Range;

/// What was found in some consecutive blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// First the masks of the blocks; then `delimiters` are all separators that count, `newlines` those that end a
    /// record.
    blocks: Box<[Block]>,
    /// How many of them there are.
    len: usize,
    /// How many there may be.
    reach: usize,
    /// Bytes of the last one.
    last_bytes: usize,
    has_quotes: bool,
    /// Where records end; those behind the first `records` mean nothing.
    record_ends: Box<[u32]>,
    records: usize,
    /// About how many records end in a block.
    usual: usize,
    /// The blocks with quotes that double another: those and where the block is in the piece.
    escapes: Box<[(u64, usize)]>,
    escaped_blocks: usize,
    /// Whether it ends at a stray quote, or at text behind a closing one.
    pub(super) has_stray: bool,
    /// CRs and LFs.
    pub(super) line_bytes: u64,
    /// Not 0 if one of them directly followed another.
    pub(super) adjacent_line_bytes: u64,
}

/// Blocks of the batch behind a stray quote, where another one is likely: what was looked at behind it has to be looked
/// at anew.
const FEW_BLOCKS: usize = 1;

/// What a batch needs to know of the bytes before it.
#[derive(Clone, Copy)]
pub(super) struct Seam {
    pub(super) context: Context,
    /// 1 behind a line break and where a record may start, else 0: a line break here ends no record.
    pub(super) after_break: u64,
}

impl Batch {
    /// Finds what is in the blocks at the start of `text`, which is at `at` in the piece: as many as make a batch, or
    /// those up to the first stray quote. How many bytes that are.
    #[inline(always)]
    pub(super) fn fill<M: Masks>(&mut self, text: &[u8], delimiter: u8, at: usize, seam: &mut Seam) -> usize {
        self.make_room();
        (self.line_bytes, self.adjacent_line_bytes, self.has_stray, self.escaped_blocks) = (0, 0, false, 0);
        // Text with quotes goes on with some, mostly.
        let is_plain = !self.has_quotes && seam.context.is_plain();
        if !(is_plain && self.look_at_plain::<M>(text, delimiter, seam)) {
            self.look::<M>(text, delimiter);
            self.shape::<M>(at, seam);
        }
        self.reach = if self.has_stray { FEW_BLOCKS } else { WINDOW_BLOCKS.min(2 * self.reach) };
        (self.len - 1) * BLOCK_BYTES + self.last_bytes
    }

    fn make_room(&mut self) {
        if self.blocks.is_empty() {
            self.blocks = vec![Block::default(); WINDOW_BLOCKS].into_boxed_slice();
            self.record_ends = vec![0; (WINDOW_BLOCKS + 1) * BLOCK_BYTES].into_boxed_slice();
            self.escapes = vec![(0, 0); WINDOW_BLOCKS].into_boxed_slice();
            self.reach = WINDOW_BLOCKS;
        }
    }

    /// Takes the shapes of the blocks, outside quotes and if none of them has any: line breaks become record ends, delimiters
    /// become separators. Whether none has.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn look_at_plain<M: Masks>(&mut self, text: &[u8], delimiter: u8, seam: &mut Seam) -> bool {
        let text = &text[..text.len().min(self.reach * BLOCK_BYTES)];
        let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
        let (mut quotes, mut last, mut after_break) = (0, Block::default(), seam.after_break);
        let (mut line_bytes, mut adjacent) = (0, 0);
        let mut shape = |block: Block, place: &mut Block| {
            let newlines = block.newlines;
            let behind_breaks = newlines << 1 | after_break;
            after_break = newlines >> (BLOCK_BYTES - 1);
            quotes |= block.quotes;
            line_bytes += u64::from(newlines.count_ones());
            adjacent |= newlines & behind_breaks;
            // An empty record is no record: the line break that ends it separates nothing.
            let ends = newlines & !behind_breaks;
            Block { quotes: 0, delimiters: block.delimiters | ends, newlines: ends }.write_to(place);
            last = block;
        };
        for (place, bytes) in self.blocks.iter_mut().zip(whole) {
            shape(M::with_any_quotes(bytes, delimiter), place);
        }
        (self.len, self.last_bytes) = (whole.len(), BLOCK_BYTES);
        if !rest.is_empty() {
            let (block, bytes) = Block::at_start_of::<M>(rest, delimiter, &mut [0; BLOCK_BYTES]);
            shape(block, &mut self.blocks[self.len]);
            (self.len, self.last_bytes) = (self.len + 1, bytes);
        }
        self.has_quotes = quotes != 0;
        if !self.has_quotes {
            (self.line_bytes, self.adjacent_line_bytes) = (line_bytes, adjacent);
            seam.context = Context::behind_plain(last, self.last_bytes);
            seam.after_break = last.newlines >> (self.last_bytes - 1) & 1;
        }
        !self.has_quotes
    }

    /// Takes the masks of the blocks.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn look<M: Masks>(&mut self, text: &[u8], delimiter: u8) {
        let text = &text[..text.len().min(self.reach * BLOCK_BYTES)];
        let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
        let mut quotes = 0;
        for (place, bytes) in self.blocks.iter_mut().zip(whole) {
            let block = M::of(bytes, delimiter);
            quotes |= block.quotes;
            block.write_to(place);
        }
        (self.len, self.last_bytes) = (whole.len(), BLOCK_BYTES);
        if !rest.is_empty() {
            let (block, bytes) = Block::at_start_of::<M>(rest, delimiter, &mut [0; BLOCK_BYTES]);
            quotes |= block.quotes;
            self.blocks[self.len] = block;
            (self.len, self.last_bytes) = (self.len + 1, bytes);
        }
        self.has_quotes = quotes != 0;
    }

    /// Makes shapes of masks.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn shape<M: Masks>(&mut self, at: usize, seam: &mut Seam) {
        let Seam { mut context, mut after_break } = *seam;
        let (mut line_bytes_seen, mut adjacent, mut escaped) = (0, 0, 0);
        for (index, block) in self.blocks[..self.len].iter_mut().enumerate() {
            let len = if index + 1 < self.len { BLOCK_BYTES } else { self.last_bytes };
            let shape = Shape::of::<M>(*block, len, context);
            context = shape.context;
            let line_bytes = shape.record_ends | shape.breaks_inside;
            let behind_breaks = line_bytes << 1 | after_break;
            line_bytes_seen += u64::from(line_bytes.count_ones());
            adjacent |= line_bytes & behind_breaks;
            let blank = shape.record_ends & behind_breaks;
            block.newlines = shape.record_ends & !blank;
            block.delimiters = shape.separators & !blank;
            // Written even if there are none: whether there are is a guess for every other block of quoted text.
            self.escapes[escaped] = (shape.escapes, at + index * BLOCK_BYTES);
            escaped += usize::from(shape.escapes != 0);
            if shape.is_stray {
                (self.len, self.last_bytes, self.has_stray) = (index + 1, shape.len, true);
                after_break = 0;
                break;
            }
            after_break = line_bytes >> (shape.len - 1) & 1;
        }
        (self.line_bytes, self.adjacent_line_bytes, self.escaped_blocks) =
            (line_bytes_seen, adjacent, escaped);
        *seam = Seam { context, after_break };
    }

    /// Where separators are, block by block: those that end a record too.
    pub(super) fn separators(&self) -> impl ExactSizeIterator<Item = u64> {
        self.blocks[..self.len].iter().map(|block| block.delimiters)
    }

    /// Writes down where records end; the first block is at `base`.
    #[inline(always)]
    pub(super) fn locate_record_ends<M: Masks>(&mut self, base: u32) {
        let record_ends = self.blocks[..self.len].iter().map(|block| block.newlines);
        (self.records, self.usual) =
            M::write_all(record_ends, base, &mut self.record_ends, 0, self.usual, &[]);
    }

    /// Where records end.
    pub(super) fn record_ends(&self) -> &[u32] {
        &self.record_ends[..self.records]
    }

    /// The doubled quotes.
    pub(super) fn escapes(&self) -> Escapes<'_> {
        Escapes { blocks: &self.escapes[..self.escaped_blocks] }
    }
}

/// Doubled quotes, asked for by ascending places.
pub(super) struct Escapes<'a> {
    blocks: &'a [(u64, usize)],
}

impl Escapes<'_> {
    /// Whether there may be any that were not asked about.
    #[inline(always)]
    pub(super) fn any(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// The mark of a record that lies at `place`, behind those asked for before.
    #[inline(always)]
    pub(super) fn mark_of(&mut self, place: Range<usize>) -> Marks {
        let mut marks = Marks::default();
        if !self.blocks.is_empty() {
            marks.set_if(self.are_in(place), Marks::ESCAPES);
        }
        marks
    }

    #[inline(never)]
    fn are_in(&mut self, place: Range<usize>) -> bool {
        let behind = self.blocks.iter().position(|&(_, at)| at + BLOCK_BYTES > place.start);
        self.blocks = &self.blocks[behind.unwrap_or(self.blocks.len())..];
        let reached = self.blocks.iter().take_while(|&&(_, at)| at < place.end);
        let up_to = |end: usize| 1_u64.checked_shl(end as u32).map_or(u64::MAX, |bit| bit - 1);
        reached.fold(0, |found, &(bits, at)| {
            found | bits & up_to(place.end - at) & !up_to(place.start.saturating_sub(at))
        }) != 0
    }
}
