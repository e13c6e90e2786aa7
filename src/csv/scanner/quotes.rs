//! Applies the quote rules to the masks of a block.
//!
//! The parity of the number of quotes before a byte shows whether the byte is inside a quoted field. Inside a quoted
//! field, delimiters and line breaks are text. The parity is right as long as every quote opens a field, closes a field
//! or is doubled. Two more masks find the first place in a block where the parity may be wrong: a stray quote, or text
//! after a closing quote. The masks of the block end at this place. The scanner then searches for the end of the field,
//! because quotes have no meaning in the rest of the field.

use super::block::{Block, Masks};

/// State of the quote rules before the next byte. Its three numbers are bit masks, so that the code can combine them
/// with the masks of the next block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct QuoteState {
    /// If the next byte is inside quotes, all bits are set. Otherwise no bit is set.
    inside: u64,
    /// 1 directly after a closing quote, else 0. If the next byte is a quote too, both quotes together are a
    /// doubled quote.
    after_closing: u64,
    /// 1 at the start of a field, else 0.
    at_field_start: u64,
}

impl QuoteState {
    /// State at the start of a record.
    pub(in crate::csv) const RECORD_START: Self = Self { inside: 0, after_closing: 0, at_field_start: 1 };
    /// State in the rest of a field after a stray quote, or in text after a closing quote. Quotes have no meaning
    /// there.
    const LITERAL: Self = Self { inside: 0, after_closing: 0, at_field_start: 0 };

    /// Returns the state after a block of `len` bytes that starts outside quotes and contains no quotes.
    #[inline(always)]
    pub(in crate::csv) fn after_unquoted(block: Block, len: usize) -> Self {
        let at_field_start = bit(block.delimiters | block.newlines, len - 1);
        Self { inside: 0, after_closing: 0, at_field_start }
    }

    /// Whether the next byte is outside quotes and not directly after a closing quote.
    #[inline(always)]
    pub(in crate::csv) fn is_unquoted(self) -> bool {
        self.inside | self.after_closing == 0
    }

    /// Whether the next byte is inside quotes.
    pub(in crate::csv) fn is_inside(self) -> bool {
        self.inside != 0
    }
}

/// The masks of a block after the quote rules have been applied.
pub(in crate::csv) struct BlockStructure {
    /// Delimiters and line breaks outside quotes.
    pub(in crate::csv) separators: u64,
    /// Line breaks outside quotes.
    pub(in crate::csv) record_ends: u64,
    /// Line breaks inside quotes.
    pub(in crate::csv) breaks_inside: u64,
    /// The second quote of each doubled quote.
    pub(in crate::csv) escapes: u64,
    /// Number of bytes that the masks cover: the whole block, or the bytes before the first stray quote or text after a
    /// closing quote.
    pub(in crate::csv) len: usize,
    /// Whether the masks end at a stray quote or at text after a closing quote.
    pub(in crate::csv) is_stray: bool,
    /// State after the bytes that the masks cover.
    pub(in crate::csv) quote_state: QuoteState,
}

impl BlockStructure {
    /// Applies the quote rules to a block of `len` bytes.
    #[inline(always)]
    pub(in crate::csv) fn new<M: Masks>(block: Block, len: usize, quote_state: QuoteState) -> Self {
        // The bits are set from each opening quote up to the byte before its closing quote.
        let inside = M::prefix_xor(block.quotes) ^ quote_state.inside;
        let opening = block.quotes & inside;
        let closing = block.quotes & !inside;
        let separators = (block.delimiters | block.newlines) & !inside;

        let after_closing = closing << 1 | quote_state.after_closing;
        let at_field_start = separators << 1 | quote_state.at_field_start;
        let stray_opening = opening & !(at_field_start | after_closing);
        let text_after_closing = after_closing & !(separators | opening);
        let stray = (stray_opening | text_after_closing) & up_to(len);

        let structure = Self {
            separators,
            record_ends: block.newlines & !inside,
            breaks_inside: block.newlines & inside,
            escapes: opening & after_closing,
            len,
            is_stray: false,
            quote_state: QuoteState {
                inside: bit(inside, len - 1).wrapping_neg(),
                after_closing: bit(closing, len - 1),
                at_field_start: bit(separators, len - 1),
            },
        };
        if stray == 0 { structure } else { structure.up_to_stray(stray.trailing_zeros() as usize) }
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
            quote_state: QuoteState::LITERAL,
        }
    }
}

#[inline(always)]
fn bit(bits: u64, place: usize) -> u64 {
    bits >> place & 1
}

/// Returns a mask of the `len` lowest bits.
#[inline(always)]
fn up_to(len: usize) -> u64 {
    if len < 64 { (1 << len) - 1 } else { u64::MAX }
}
