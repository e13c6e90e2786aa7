//! Flags for unusual quotes in a record.

/// Flags for unusual quotes in a record. If no flag is set, the value of an unquoted field is its raw bytes, and the
/// value of a quoted field is the bytes between its quotes. The flags share one byte. Three booleans that are written
/// one by one and read together for every record would stall the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::csv) struct Marks(u8);

impl Marks {
    /// A field has doubled, stray or unclosed quotes. So the value of this field is not the bytes between its first and
    /// its last quote.
    pub(in crate::csv) const ESCAPES: Self = Self(1);
    /// Stray quotes, which RFC 4180 does not allow: a quote inside an unquoted field, or text after a closing
    /// quote.
    pub(in crate::csv) const STRAY: Self = Self(2 | Self::ESCAPES.0);
    /// The text ends inside a quoted field.
    pub(in crate::csv) const UNCLOSED: Self = Self(4 | Self::ESCAPES.0);

    /// Whether all of `marks` are set.
    #[inline(always)]
    pub(in crate::csv) fn has(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Sets `marks` if `condition` holds.
    #[inline(always)]
    pub(in crate::csv) fn set_if(&mut self, condition: bool, marks: Self) {
        self.0 |= marks.0 * u8::from(condition);
    }
}
