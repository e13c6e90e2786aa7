//! Counts the cells of a column by their kind: in one zone (`Kinds<u32>`) or in all zones (`Kinds<u64>`).

/// Number of cells of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::csv::profile) struct Kinds<T> {
    pub(in crate::csv::profile) empty: T,
    pub(in crate::csv::profile) text: T,
    pub(in crate::csv::profile) boolean: T,
    pub(in crate::csv::profile) integer: T,
    pub(in crate::csv::profile) decimal: T,
    /// Numbers with a leading zero, such as `007`. When the type of the column is chosen, these numbers count as text.
    pub(in crate::csv::profile) code: T,
    pub(in crate::csv::profile) date: T,
    pub(in crate::csv::profile) datetime: T,
    /// Words for missing values, such as `NA`. When the type of the column is chosen, these cells do not count.
    pub(in crate::csv::profile) missing: T,
}

/// Number of kinds.
pub(in crate::csv::profile) const KINDS: usize = 9;

impl<T: Copy> Kinds<T> {
    pub(super) fn as_array(self) -> [T; KINDS] {
        let Self { empty, text, boolean, integer, decimal, code, date, datetime, missing } = self;
        [empty, text, boolean, integer, decimal, code, date, datetime, missing]
    }

    pub(super) fn from_array(counts: [T; KINDS]) -> Self {
        let [empty, text, boolean, integer, decimal, code, date, datetime, missing] = counts;
        Self { empty, text, boolean, integer, decimal, code, date, datetime, missing }
    }
}

impl Kinds<u64> {
    pub(super) fn add(&mut self, zone: Kinds<u32>) {
        let mut sums = self.as_array();
        for (sum, more) in sums.iter_mut().zip(zone.as_array()) {
            *sum += u64::from(more);
        }
        *self = Self::from_array(sums);
    }

    pub(super) fn filled(self) -> u64 {
        self.as_array().iter().sum::<u64>() - self.empty
    }
}
