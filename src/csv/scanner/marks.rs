//! What a record holds besides plain fields.

/// What a record holds besides plain fields, as flags in one byte: three booleans would be written one by one
/// and read as a whole for every record, which stalls a processor. Nothing set: every field is its bytes, or
/// those between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::csv) struct Marks(u8);

impl Marks {
    /// Some field is not its bytes between its quotes: doubled, stray or unclosed quotes.
    pub(in crate::csv) const ESCAPES: Self = Self(1);
    /// Quotes that RFC 4180 does not allow: inside an unquoted field, or closed with text following.
    pub(in crate::csv) const STRAY: Self = Self(2 | Self::ESCAPES.0);
    /// The text ended inside quotes.
    pub(in crate::csv) const UNCLOSED: Self = Self(4 | Self::ESCAPES.0);

    /// Whether all of `marks` are set.
    #[inline(always)]
    pub(in crate::csv) fn has(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Sets `marks` if `condition` holds.
    #[inline(always)]
    pub(super) fn set_if(&mut self, condition: bool, marks: Self) {
        self.0 |= marks.0 * u8::from(condition);
    }
}
