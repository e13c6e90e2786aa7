//! Counts how often each value of a column occurs.
//!
//! While a column has few values, every cell is counted. If the column has too many values, two things can happen. If
//! its values hardly repeat, counting ends. Otherwise only one cell of sixteen is counted, with the algorithm of Misra
//! and Gries ("Finding repeated elements", 1982): if there is no room for a new value, the count of every value is
//! reduced, and the values with the count 0 make room. So a frequent value is never lost.

use super::hash::mix;
use super::small_integers::SmallIntegers;
use super::statistics::{TopValues, ValueCount};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};

/// Maximum number of values whose counts are kept.
pub(super) const MAX_VALUES: usize = 1_000;
/// Maximum number of values in [`TopValues`].
const MAX_TOP: usize = 20;
/// Maximum length of a value in [`TopValues`], in bytes.
const MAX_VALUE_BYTES: usize = 128;
/// Maximum length of all texts of a column, in bytes.
const MAX_TEXT_BYTES: usize = 32 << 10;
/// If there are too many values, and a value occurs less often than this on average, counting ends.
const MIN_REPEATS: u64 = 2;
/// After the first [`MAX_VALUES`] values, one cell of each block of this number of cells is counted. Its place in the
/// block is pseudo-random. So values that repeat in a pattern are counted fairly.
const SAMPLE_SHARE: u64 = 16;

/// Number of slots of a new table.
const MIN_SLOTS: usize = 64;

/// A value in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Slot {
    /// The hash of the value; 0 if the slot is empty.
    hash: u64,
    /// Number of cells in the upper 48 bits, and the number of the value in the lower 16 bits.
    count_and_number: u64,
}

const ONE: u64 = 1 << 16;

/// Where the text of a value is. The length is `None` if the text is not kept.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TextPlace {
    start: u32,
    len: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountPhase {
    /// Every cell is counted.
    All,
    /// Some cells are counted.
    Sample,
    /// Nothing is counted any more.
    Over,
}

/// A value and its count.
#[derive(Debug, Clone, PartialEq)]
struct CountedValue<'a> {
    hash: u64,
    count: u64,
    text: Option<&'a [u8]>,
}

/// The values of a column and their counts.
#[derive(Debug, Clone)]
pub(super) struct ValueCounts {
    /// Hash table. Its length is a power of two, and at least half of the slots are empty.
    slots: Vec<Slot>,
    /// The texts of the values, by their numbers.
    places: Vec<TextPlace>,
    texts: Vec<u8>,
    /// Cells that the slots do not count.
    small: SmallIntegers,
    /// Number of values.
    count: usize,
    /// Maximum number of values.
    max: usize,
    keeps_texts: bool,
    /// Whether a text was left out because [`MAX_TEXT_BYTES`] was reached.
    lacks_texts: bool,
    phase: CountPhase,
    /// Number of cells since [`CountPhase::Sample`] began.
    cells: u64,
    /// By how much every count was reduced in total: the greatest possible error of a count.
    reduced: u64,
}

/// The result of counting a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueOutcome {
    /// The value was counted before.
    Known,
    /// The value is new.
    New,
    /// The value is new, and there is no room for it.
    Full,
}

impl PartialEq for ValueCounts {
    /// Two tables with the same values in the same order are equal, even if the values are in other slots.
    fn eq(&self, other: &Self) -> bool {
        let of = |counts: &Self| {
            (counts.max, counts.keeps_texts, counts.lacks_texts, counts.phase, counts.cells, counts.reduced)
        };
        of(self) == of(other) && self.entries() == other.entries()
    }
}

impl ValueCounts {
    /// Creates an empty table for at most `max` values, with their texts or without.
    pub(super) fn new(max: usize, keeps_texts: bool) -> Self {
        Self {
            slots: vec![Slot::default(); MIN_SLOTS],
            places: Vec::new(),
            texts: Vec::new(),
            small: SmallIntegers::default(),
            count: 0,
            max,
            keeps_texts,
            lacks_texts: false,
            phase: CountPhase::All,
            cells: 0,
            reduced: 0,
        }
    }

    /// Returns the number of values while every cell is counted.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Maximum number of values.
    #[inline(always)]
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Counts a cell by the hash of its value, which must not be 0.
    #[inline(always)]
    pub(super) fn add(&mut self, hash: u64) -> ValueOutcome {
        let at = self.find(hash);
        let slot = &mut self.slots[at];
        if slot.hash == hash {
            slot.count_and_number += ONE;
            return ValueOutcome::Known;
        }
        self.add_new(hash, at)
    }

    /// Counts a cell that holds a small integer. Returns `false`, and counts nothing, if the cell must be counted by its
    /// hash.
    #[inline(always)]
    pub(super) fn add_small(&mut self, integer: u64) -> bool {
        self.small.add(integer)
    }

    /// From now on, [`ValueCounts::add_small`] counts this integer, if its text is kept. `hash` is the hash of the text.
    pub(super) fn begin_small(&mut self, integer: u64, hash: u64) {
        let slot = self.slots[self.find(hash)];
        if slot.hash == hash && self.text_of(slot).is_some() {
            self.small.begin(integer);
        }
    }

    /// Returns the text of the value in a slot, if the text is kept.
    fn text_of(&self, slot: Slot) -> Option<&[u8]> {
        text_at(&self.places, &self.texts, slot)
    }

    #[inline(never)]
    fn add_new(&mut self, hash: u64, at: usize) -> ValueOutcome {
        if self.count >= self.max {
            return ValueOutcome::Full;
        }
        self.slots[at] = Slot { hash, count_and_number: ONE | self.count as u64 };
        self.count += 1;
        if 2 * self.count > self.slots.len() {
            self.grow();
        }
        ValueOutcome::New
    }

    /// Returns the slot of a hash, or the empty slot at which the search for it ends.
    #[inline(always)]
    fn find(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].hash != 0 && self.slots[at].hash != hash {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let slots = vec![Slot::default(); 2 * self.slots.len()];
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.hash != 0) {
            let at = self.find(slot.hash);
            self.slots[at] = slot;
        }
    }

    /// Keeps the text of the value that was counted last, if it was new.
    pub(super) fn keep_text(&mut self, text: &[u8]) {
        if !self.keeps_texts {
            return;
        }
        let fits = self.texts.len() + text.len() <= MAX_TEXT_BYTES;
        let is_short = text.len() <= MAX_VALUE_BYTES && std::str::from_utf8(text).is_ok();
        self.lacks_texts |= is_short && !fits;
        let len = u16::try_from(text.len()).ok().filter(|_| is_short && fits);
        self.places.push(TextPlace { start: self.texts.len() as u32, len });
        if len.is_some() {
            self.texts.extend_from_slice(text);
        }
    }

    /// Ends the phase in which every cell is counted, because there are too many values.
    pub(super) fn overflow(&mut self) {
        self.settle();
        let cells: u64 = self.slots.iter().map(|slot| slot.count_and_number / ONE).sum();
        let repeats = cells >= MIN_REPEATS * self.count as u64;
        if self.keeps_texts && repeats && !self.lacks_texts {
            self.phase = CountPhase::Sample;
        } else {
            *self =
                Self { phase: CountPhase::Over, slots: Vec::new(), ..Self::new(self.max, self.keeps_texts) };
        }
    }

    /// Adds the counts of the small integers to the slots.
    fn settle(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.hash != 0) {
            let more = text_at(&self.places, &self.texts, *slot).map_or(0, |text| self.small.count_of(text));
            slot.count_and_number += more * ONE;
        }
        self.small = SmallIntegers::default();
    }

    /// Whether every cell is counted.
    #[inline(always)]
    pub(super) fn is_complete(&self) -> bool {
        self.phase == CountPhase::All
    }

    /// Whether some cells are counted.
    #[inline(always)]
    pub(super) fn is_sampling(&self) -> bool {
        self.phase == CountPhase::Sample
    }

    /// Returns which of the next `count` cells belong to the sample, by their positions. All of them then count as read.
    pub(super) fn sample_of(&mut self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let from = self.cells;
        let cells = self.cells..self.cells + count as u64;
        self.cells = cells.end;
        let blocks = cells.start / SAMPLE_SHARE..cells.end.div_ceil(SAMPLE_SHARE);
        let sampled = blocks.map(|block| block * SAMPLE_SHARE + mix(block) % SAMPLE_SHARE);
        sampled.filter(move |cell| cells.contains(cell)).map(move |cell| (cell - from) as usize)
    }

    /// Counts a cell of the sample.
    #[inline(never)]
    pub(super) fn add_sampled(&mut self, hash: u64, text: &[u8]) {
        let at = self.find(hash);
        if self.slots[at].hash == hash {
            self.slots[at].count_and_number += SAMPLE_SHARE * ONE;
            return;
        }
        let mut weight = SAMPLE_SHARE;
        if self.count >= self.max || self.texts.len() + MAX_VALUE_BYTES > MAX_TEXT_BYTES {
            weight -= self.reduce(weight);
        }
        if weight == 0 || self.count >= self.max || !self.is_sampling() {
            return;
        }
        let at = self.find(hash);
        self.add_new(hash, at);
        let at = self.find(hash);
        self.slots[at].count_and_number += (weight - 1) * ONE;
        self.keep_text(text);
    }

    /// Reduces every count by the least count, but by at most `weight`, and removes the values with the count 0. Returns
    /// by how much.
    fn reduce(&mut self, weight: u64) -> u64 {
        let entries = self.entries();
        let least = entries.iter().map(|entry| entry.count).min().unwrap_or(0).min(weight);
        let reduced = self.reduced + least;
        let mut rest = Self { phase: self.phase, cells: self.cells, reduced, ..Self::new(self.max, true) };
        for CountedValue { hash, count, text } in entries.into_iter().filter(|entry| entry.count > least) {
            rest.insert(hash, count - least, text);
        }
        *self = rest;
        least
    }

    /// Inserts a value that the table does not have.
    fn insert(&mut self, hash: u64, count: u64, text: Option<&[u8]>) {
        let at = self.find(hash);
        self.add_new(hash, at);
        let at = self.find(hash);
        self.slots[at].count_and_number += (count.saturating_sub(1)) * ONE;
        match text {
            Some(text) => self.keep_text(text),
            None if self.keeps_texts => self.places.push(TextPlace { start: 0, len: None }),
            None => {}
        }
    }

    /// Returns the hashes of the values.
    pub(super) fn hashes(&self) -> Vec<u64> {
        self.slots.iter().map(|slot| slot.hash).filter(|&hash| hash != 0).collect()
    }

    /// Returns the values, in the order in which they were inserted.
    fn entries(&self) -> Vec<CountedValue<'_>> {
        let mut slots: Vec<&Slot> = self.slots.iter().filter(|slot| slot.hash != 0).collect();
        slots.sort_by_key(|slot| slot.count_and_number % ONE);
        let entries = slots.into_iter().map(|slot| {
            let text = self.text_of(*slot);
            let small = text.map_or(0, |text| self.small.count_of(text));
            CountedValue { hash: slot.hash, count: slot.count_and_number / ONE + small, text }
        });
        entries.collect()
    }

    /// Returns each value that is kept, and its number of cells. `None` if some values were left out because there were
    /// too many texts.
    pub(super) fn counted(&self) -> Option<impl Iterator<Item = (&[u8], u64)>> {
        let entries = (!self.lacks_texts).then(|| self.entries())?;
        Some(entries.into_iter().filter_map(|entry| Some((entry.text?, entry.count))))
    }

    /// Returns the most frequent values; `None` if they are not known. Of a sample, these are only values that occur
    /// more often than the greatest possible error.
    pub(super) fn top(&self) -> Option<TopValues> {
        if !self.keeps_texts || self.phase == CountPhase::Over || self.lacks_texts || self.count == 0 {
            return None;
        }
        let entries = self.entries();
        let mut values: Vec<(u64, &str)> = entries
            .iter()
            .filter(|entry| entry.count > self.reduced)
            .filter_map(|entry| Some((entry.count, std::str::from_utf8(entry.text?).ok()?)))
            .collect();
        values.sort_by(|(one_count, one), (other_count, other)| {
            other_count.cmp(one_count).then_with(|| one.cmp(other))
        });
        if values.is_empty() && !self.is_complete() {
            return None;
        }
        let values = values.into_iter().take(MAX_TOP);
        let values = values.map(|(count, value)| ValueCount { value: value.to_owned(), count });
        Some(TopValues { exact: self.is_complete(), values: values.collect() })
    }

    /// Returns the memory of the table, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.places.capacity() * size_of::<TextPlace>()
            + self.texts.capacity()
            + self.small.memory_bytes()
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        state.byte(self.phase as u8);
        state.flag(self.lacks_texts);
        state.number(self.cells);
        state.number(self.reduced);
        state.list(&self.entries(), |state, entry| {
            state.word(entry.hash);
            state.number(entry.count);
            state.option(entry.text, StateWriter::bytes);
        });
    }

    /// Restores the table that [`ValueCounts::save`] wrote. `new` is an empty table of the same column.
    pub(super) fn restore(state: &mut StateReader<'_>, new: Self) -> Result<Self, StateError> {
        let phase =
            [CountPhase::All, CountPhase::Sample, CountPhase::Over].get(usize::from(state.byte()?)).copied();
        let phase = phase.ok_or(StateError::Damaged)?;
        let (lacks_texts, cells, reduced) = (state.flag()?, state.total()?, state.total()?);
        let mut counts = Self { phase, cells, reduced, ..new };
        let entries =
            state.list(|state| Ok((state.word()?, state.total()?, state.option(StateReader::bytes)?)))?;
        for (hash, count, text) in entries {
            let is_new = hash != 0 && count > 0 && count < 1 << 48 && is_absent(&counts, hash);
            if !is_new || counts.count >= counts.max {
                return Err(StateError::Damaged);
            }
            counts.insert(hash, count, text);
        }
        if phase == CountPhase::Over {
            counts.slots = Vec::new();
        }
        counts.lacks_texts = lacks_texts;
        Ok(counts)
    }
}

fn text_at<'a>(places: &[TextPlace], texts: &'a [u8], slot: Slot) -> Option<&'a [u8]> {
    let place = places.get((slot.count_and_number % ONE) as usize)?;
    let start = place.start as usize;
    texts.get(start..start + usize::from(place.len?))
}

fn is_absent(counts: &ValueCounts, hash: u64) -> bool {
    counts.slots[counts.find(hash)].hash != hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::csv::checkpoint::Seal;
    use crate::csv::profile::hash::hash_of;
    use crate::csv::record::value::Value;
    use std::collections::HashMap;

    fn add(counts: &mut ValueCounts, text: &str) {
        let hash = hash_of(Value::new(text.as_bytes())).max(1);
        if counts.is_complete() {
            match counts.add(hash) {
                ValueOutcome::Known => {}
                ValueOutcome::New => counts.keep_text(text.as_bytes()),
                ValueOutcome::Full => counts.overflow(),
            }
        } else if counts.is_sampling() {
            for _ in counts.sample_of(1) {
                counts.add_sampled(hash, text.as_bytes());
            }
        }
    }

    fn counted(values: impl Iterator<Item = String>) -> ValueCounts {
        let mut counts = ValueCounts::new(MAX_VALUES, true);
        values.for_each(|value| add(&mut counts, &value));
        counts
    }

    /// Returns pseudo-random numbers from 0 to 1; small numbers are more frequent.
    fn skewed() -> impl Iterator<Item = f64> {
        let mut state = 1_u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 / (1_u64 << 53) as f64).powi(12)
        })
    }

    #[test]
    fn up_to_a_thousand_values_are_counted_exactly() {
        for distinct in [1, 20, 21, 64, 999, 1_000] {
            let values: Vec<String> = skewed()
                .take(50_000)
                .map(|part| format!("v{}", (part * f64::from(distinct)) as u32))
                .collect();
            let mut wanted = HashMap::new();
            values.iter().for_each(|value| *wanted.entry(value.clone()).or_insert(0_u64) += 1);
            let top = counted(values.into_iter()).top().unwrap();
            let mut wanted: Vec<(String, u64)> = wanted.into_iter().collect();
            wanted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
            wanted.truncate(MAX_TOP);
            let found: Vec<(String, u64)> =
                top.values.into_iter().map(|top| (top.value, top.count)).collect();
            assert!(top.exact);
            assert_eq!(found, wanted, "{distinct}");
        }
    }

    #[test]
    fn frequent_values_among_many_are_found_even_if_they_come_late() {
        let early = skewed().take(400_000).map(|part| format!("early {}", (part * 30_000.0) as u32));
        let late = (0..400_000).map(|number| match number % 4 {
            0 => "late".to_owned(),
            _ => format!("rare {}", number % 5_000),
        });
        let top = counted(early.chain(late)).top().unwrap();
        assert!(!top.exact);
        let late = top.values.iter().find(|top| top.value == "late").unwrap();
        assert!((80_000..120_000).contains(&late.count), "{late:?}");
        assert!(top.values[..2].iter().any(|top| top.value == "early 0"));
        let sorted = counted((0..1_000_000).map(|number| format!("day {}", number / 400)));
        assert_eq!(sorted.top(), None, "no value is more frequent than the others");
    }

    #[test]
    fn values_that_hardly_repeat_are_not_counted() {
        let counts = counted((0..100_000).map(|number| number.to_string()));
        assert_eq!(counts.top(), None);
        assert!(counts.memory_bytes() < 100);
    }

    #[test]
    fn long_and_undecodable_values_are_left_out_and_too_many_texts_are_not_shown() {
        let mut counts = ValueCounts::new(MAX_VALUES, true);
        add(&mut counts, &"x".repeat(129));
        add(&mut counts, "a");
        counts.add(7);
        counts.keep_text(b"\xff");
        let top = counts.top().unwrap();
        assert_eq!((top.exact, top.values.len(), top.values[0].value.as_str()), (true, 1, "a"));
        let long = counted((0..4_000).map(|number| format!("{:0100}", number % 900)));
        assert_eq!((long.top(), long.len()), (None, 900));
        assert_eq!(ValueCounts::new(32, false).top(), None);
    }

    #[test]
    fn small_integers_are_counted_like_other_values() {
        for (bound, sizes) in [(40, [500, 5_000]), (900, [5_000, 20_000]), (4_000, [900, 20_000])] {
            for size in sizes {
                let (mut by_hash, mut by_value) =
                    (ValueCounts::new(1_000, true), ValueCounts::new(1_000, true));
                for cell in 0..size {
                    let integer = (cell * cell + 7 * cell) % bound;
                    let text = integer.to_string();
                    add(&mut by_hash, &text);
                    if !by_value.is_complete() || !by_value.add_small(integer) {
                        add(&mut by_value, &text);
                        if by_value.is_complete() {
                            by_value.begin_small(integer, hash_of(Value::new(text.as_bytes())).max(1));
                        }
                    }
                }
                assert_eq!(by_value, by_hash, "{size} of {bound}");
                assert_eq!(by_value.top(), by_hash.top());
                by_value.settle();
                assert_eq!(by_value, by_hash);
            }
        }
    }

    #[test]
    fn saved_counts_continue() {
        let kinds: [fn(u32) -> String; 3] = [
            |number| (number % 700).to_string(),
            |number| (number % 40_000 / 7 % 3_000).to_string(),
            |number| number.to_string(),
        ];
        for kind in kinds {
            let (mut whole, mut resumed) =
                (ValueCounts::new(MAX_VALUES, true), ValueCounts::new(MAX_VALUES, true));
            for number in 0..30_000 {
                if number % 4_999 == 0 {
                    let seal = Seal { magic: *b"test", version: 1 };
                    let mut state = seal.writer();
                    resumed.save(&mut state);
                    let bytes = state.sealed();
                    let new = ValueCounts::new(MAX_VALUES, true);
                    resumed = ValueCounts::restore(&mut seal.open(&bytes).unwrap(), new).unwrap();
                }
                add(&mut whole, &kind(number));
                add(&mut resumed, &kind(number));
            }
            assert_eq!(whole, resumed);
            assert_eq!(whole.top(), resumed.top());
        }
    }
}
