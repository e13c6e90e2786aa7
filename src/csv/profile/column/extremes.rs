//! The minimum and maximum of a column, and how values are displayed.

use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::filter::{Instant, compare_numbers, trim};
use crate::csv::record::value::Value;
use crate::csv::record::value::prefix_of;
use std::cmp::Ordering;

/// Maximum number of bytes of a value that are kept. Common numbers and dates are not longer. A user can recognise a
/// longer text by its start.
const MAX_VALUE_BYTES: usize = 48;

/// The first bytes of a value, stored without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeptValue {
    bytes: [u8; MAX_VALUE_BYTES],
    len: u8,
}

impl KeptValue {
    fn of(value: Value<'_>) -> Self {
        match value.bytes.len() {
            // The code copies whole words, because a copy of variable length would need a function call.
            len @ ..=16 => {
                let mut bytes = [0; MAX_VALUE_BYTES];
                bytes[..8].copy_from_slice(&value.head.to_le_bytes());
                bytes[8..16].copy_from_slice(&value.rest().to_le_bytes());
                Self { bytes, len: len as u8 }
            }
            _ => Self::of_bytes(value.bytes),
        }
    }

    fn of_bytes(cell: &[u8]) -> Self {
        let len = cell.len().min(MAX_VALUE_BYTES);
        let mut bytes = [0; MAX_VALUE_BYTES];
        bytes[..len].copy_from_slice(&cell[..len]);
        Self { bytes, len: len as u8 }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Returns bytes 8 to 15 of the value as a big-endian number, as [`prefix_of`] does for bytes 0 to 7.
    pub(super) fn next(&self) -> u64 {
        prefix_of(&self.bytes[8..16])
    }
}

/// The minimum and maximum of a column. Values are ordered by a key of type `K`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extremes<K> {
    /// The minimum and the maximum, each with its key; `None` if there are no values.
    pub(super) ends: Option<[(K, KeptValue); 2]>,
}

impl<K> Default for Extremes<K> {
    fn default() -> Self {
        Self { ends: None }
    }
}

impl<K: PartialOrd + Copy> Extremes<K> {
    /// Whether a value with this key is a new minimum or maximum.
    #[inline(always)]
    pub(super) fn is_extended_by(&self, key: K) -> bool {
        match &self.ends {
            Some([(low, _), (high, _)]) => key < *low || key > *high,
            None => true,
        }
    }

    /// Returns the keys of the minimum and the maximum. Returns the argument `none` if there are no values.
    pub(super) fn keys(&self, none: (K, K)) -> (K, K) {
        self.ends.as_ref().map_or(none, |[low, high]| (low.0, high.0))
    }

    /// Adds a value. `compare` orders values with equal keys.
    #[inline(never)]
    pub(super) fn update(&mut self, key: K, value: Value<'_>, compare: impl Fn(&[u8], &[u8]) -> Ordering) {
        let Some([low, high]) = &mut self.ends else {
            self.ends = Some([(key, KeptValue::of(value)); 2]);
            return;
        };
        if key < low.0 || (key == low.0 && compare(value.bytes, low.1.as_slice()).is_lt()) {
            *low = (key, KeptValue::of(value));
        }
        if key > high.0 || (key == high.0 && compare(value.bytes, high.1.as_slice()).is_gt()) {
            *high = (key, KeptValue::of(value));
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter, write: impl Fn(&mut StateWriter, K)) {
        state.option(self.ends, |state, ends| {
            for (key, value) in ends {
                write(state, key);
                state.bytes(value.as_slice());
            }
        });
    }

    pub(super) fn restore<'a>(
        state: &mut StateReader<'a>,
        read: impl Fn(&mut StateReader<'a>) -> Result<K, StateError>,
    ) -> Result<Self, StateError> {
        let end = |state: &mut StateReader<'a>| Ok((read(state)?, KeptValue::of_bytes(state.bytes()?)));
        let ends = state.option(|state| Ok([end(state)?, end(state)?]))?;
        Ok(Self { ends })
    }
}

impl Extremes<u64> {
    pub(super) fn display(&self) -> (Option<String>, Option<String>) {
        self.display_with(|_, value| display_start(value))
    }
}

impl Extremes<Instant> {
    pub(super) fn display(&self) -> (Option<String>, Option<String>) {
        self.display_with(|_, value| display(trim(value.as_slice())))
    }
}

/// Compares two numbers whose nearest doubles are equal. If one of them has `MAX_VALUE_BYTES` or more, the result is
/// `Equal`, because its last bytes may not have been kept.
pub(super) fn compare_kept(number: &[u8], kept: &[u8]) -> Ordering {
    let is_whole = number.len() < MAX_VALUE_BYTES && kept.len() < MAX_VALUE_BYTES;
    compare_numbers(number, kept).filter(|_| is_whole).unwrap_or(Ordering::Equal)
}

impl Extremes<f64> {
    /// Whether the minimum and the maximum are phone numbers: a plus sign, and then at least seven digits.
    pub(super) fn are_phone_numbers(&self) -> bool {
        const DIGITS: usize = 7;
        let is_phone_number = |value: &KeptValue| {
            let digits = trim(value.as_slice()).strip_prefix(b"+");
            digits.is_some_and(|digits| digits.len() >= DIGITS && digits.iter().all(u8::is_ascii_digit))
        };
        self.ends.is_some_and(|ends| ends.iter().all(|(_, value)| is_phone_number(value)))
    }

    /// Returns minimum and maximum as they are written in the file. A number of 48 bytes or more is displayed as the
    /// nearest double, because its last bytes may not have been kept.
    pub(super) fn display(&self) -> (Option<String>, Option<String>) {
        self.display_with(|number, value| match usize::from(value.len) {
            MAX_VALUE_BYTES => format!("{number:e}"),
            _ => display(trim(value.as_slice())),
        })
    }
}

impl<K: Copy> Extremes<K> {
    fn display_with(&self, show: impl Fn(K, &KeptValue) -> String) -> (Option<String>, Option<String>) {
        match &self.ends {
            Some([low, high]) => (Some(show(low.0, &low.1)), Some(show(high.0, &high.1))),
            None => (None, None),
        }
    }
}

/// Displays a text. If only the first bytes of the last character were kept, this character is left out.
fn display_start(value: &KeptValue) -> String {
    let bytes = value.as_slice();
    let cut = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && bytes.len() == MAX_VALUE_BYTES => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..cut]).into_owned()
}

/// Displays at most the first [`MAX_VALUE_BYTES`] bytes of a value.
pub(super) fn display(value: &[u8]) -> String {
    let mut end = value.len().min(MAX_VALUE_BYTES);
    // Do not cut within a character.
    while end < value.len() && end > 0 && value[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    String::from_utf8_lossy(&value[..end]).into_owned()
}
