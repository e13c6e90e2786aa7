//! What the structural bytes of a block mean, given the bytes before it.
//!
//! Quotes pair up: the parity of the quotes before a byte tells whether the byte lies inside a quoted field,
//! and delimiters and line breaks inside do not count. That holds as long as every quote opens a field,
//! closes one or is doubled. The first place of a block where none of this is so is found by two more masks;
//! the shape ends there, and the scanner seeks the end of that field byte-wise, because quotes mean nothing
//! in the rest of it.

use super::block::{Block, Masks};

/// What the bytes so far mean for the next one, as it goes into the masks of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct Context {
    /// All ones inside quotes, else 0.
    inside: u64,
    /// 1 behind a quote that closes its field, unless another follows; else 0.
    after_closing: u64,
    /// 1 where a field may start, else 0.
    at_field_start: u64,
}

impl Context {
    /// At the start of a record.
    pub(in crate::csv) const RECORD_START: Self = Self { inside: 0, after_closing: 0, at_field_start: 1 };
    /// In a field in which quotes mean nothing.
    const LITERAL: Self = Self { inside: 0, after_closing: 0, at_field_start: 0 };

    /// Behind a block of `len` bytes without quotes, outside quotes.
    #[inline(always)]
    pub(in crate::csv) fn behind_plain(block: Block, len: usize) -> Self {
        let at_field_start = bit(block.delimiters | block.newlines, len - 1);
        Self { inside: 0, after_closing: 0, at_field_start }
    }

    /// Whether quotes before do not matter.
    #[inline(always)]
    pub(in crate::csv) fn is_plain(self) -> bool {
        self.inside | self.after_closing == 0
    }

    /// Whether the next byte is inside quotes.
    pub(in crate::csv) fn is_inside(self) -> bool {
        self.inside != 0
    }
}

/// A block seen in its context.
pub(in crate::csv) struct Shape {
    /// Delimiters and line breaks outside quotes.
    pub(in crate::csv) separators: u64,
    /// Line breaks outside quotes.
    pub(in crate::csv) record_ends: u64,
    /// Line breaks inside quotes.
    pub(in crate::csv) breaks_inside: u64,
    /// Quotes that double another.
    pub(in crate::csv) escapes: u64,
    /// How many bytes the above speaks for: all, or those before the first stray quote.
    pub(in crate::csv) len: usize,
    /// Whether what stopped it there is a stray quote, or text after a closing one.
    pub(in crate::csv) is_stray: bool,
    /// What comes next.
    pub(in crate::csv) context: Context,
}

impl Shape {
    /// The shape of a block of `len` bytes.
    #[inline(always)]
    pub(in crate::csv) fn of<M: Masks>(block: Block, len: usize, context: Context) -> Self {
        // From an opening quote up to, but without, its closing one.
        let inside = M::parity(block.quotes) ^ context.inside;
        let opening = block.quotes & inside;
        let closing = block.quotes & !inside;
        let separators = (block.delimiters | block.newlines) & !inside;

        let after_closing = closing << 1 | context.after_closing;
        let at_field_start = separators << 1 | context.at_field_start;
        let stray_opening = opening & !(at_field_start | after_closing);
        let text_after_closing = after_closing & !(separators | opening);
        let stray = (stray_opening | text_after_closing) & up_to(len);

        let shape = Self {
            separators,
            record_ends: block.newlines & !inside,
            breaks_inside: block.newlines & inside,
            escapes: opening & after_closing,
            len,
            is_stray: false,
            context: Context {
                inside: bit(inside, len - 1).wrapping_neg(),
                after_closing: bit(closing, len - 1),
                at_field_start: bit(separators, len - 1),
            },
        };
        if stray == 0 { shape } else { shape.up_to_stray(stray.trailing_zeros() as usize) }
    }

    #[cold]
    fn up_to_stray(self, len: usize) -> Self {
        let certain = up_to(len);
        Self {
            separators: self.separators & certain,
            record_ends: self.record_ends & certain,
            breaks_inside: self.breaks_inside & certain,
            escapes: self.escapes & certain,
            len,
            is_stray: true,
            context: Context::LITERAL,
        }
    }
}

#[inline(always)]
fn bit(bits: u64, place: usize) -> u64 {
    bits >> place & 1
}

/// The `len` lowest bits.
#[inline(always)]
fn up_to(len: usize) -> u64 {
    if len < 64 { (1 << len) - 1 } else { u64::MAX }
}
