//! Counts small integers by their value. This is faster than counting them by their hashes.

/// Integers below this number are small. Years, ages and codes are.
pub(super) const SMALL: u64 = 4_096;

/// How often each small integer occurs.
#[derive(Debug, Clone, Default)]
pub(super) struct SmallIntegers {
    /// Number of cells plus 1, by the integer; 0 if the integer is not counted here. Empty if none is counted here.
    counts: Vec<u32>,
}

impl SmallIntegers {
    /// Counts a cell. Returns `false`, and counts nothing, if [`SmallIntegers::begin`] was not called for the integer, or
    /// if the greatest count is reached.
    #[inline(always)]
    pub(super) fn add(&mut self, integer: u64) -> bool {
        match self.counts.get_mut(integer as usize) {
            Some(count) if !matches!(*count, 0 | u32::MAX) => {
                *count += 1;
                true
            }
            _ => false,
        }
    }

    /// Begins to count an integer.
    pub(super) fn begin(&mut self, integer: u64) {
        if integer >= SMALL {
            return;
        }
        let len = (integer as usize + 1).next_power_of_two();
        if len > self.counts.len() {
            self.counts.resize(len, 0);
        }
        if let Some(count) = self.counts.get_mut(integer as usize) {
            *count = (*count).max(1);
        }
    }

    /// Returns how many cells with this text were counted here.
    #[inline]
    pub(super) fn count_of(&self, text: &[u8]) -> u64 {
        let is_plain = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.iter().all(u8::is_ascii_digit);
        if self.counts.is_empty() || text.len() > 4 || !is_plain {
            return 0;
        }
        let integer = text.iter().fold(0, |integer, digit| integer * 10 + usize::from(digit - b'0'));
        self.counts.get(integer).map_or(0, |count| u64::from(count.saturating_sub(1)))
    }

    /// Returns the allocated memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_counted_after_its_begin() {
        let mut small = SmallIntegers::default();
        assert!(!small.add(7));
        small.begin(7);
        small.begin(SMALL - 1);
        small.begin(SMALL);
        assert!(small.add(7) && small.add(7) && small.add(SMALL - 1));
        assert!(!small.add(8) && !small.add(SMALL));
        small.begin(7);
        for (text, count) in
            [("7", 2), ("07", 0), ("4095", 1), ("4096", 0), ("8", 0), ("", 0), ("7 ", 0), ("-7", 0)]
        {
            assert_eq!(small.count_of(text.as_bytes()), count, "{text:?}");
        }
    }

    #[test]
    fn a_full_count_stays() {
        let mut small = SmallIntegers { counts: vec![u32::MAX - 1] };
        assert!(small.add(0));
        assert!(!small.add(0));
        assert_eq!(small.count_of(b"0"), u64::from(u32::MAX) - 1);
    }
}
