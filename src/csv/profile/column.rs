//! What is learnt of a column, cell by cell.
//!
//! The cells of a block go into a [`BlockColumn`], which a zone map is made of; at the block's end it is added
//! to the [`Column`]. Only what rarely changes, or needs the cell's text, goes to the column at once: a
//! [`Watch`], small enough that those of many columns stay close to the processor, says when.

use super::cell::{Cell, Numeral, Precision, is_boolean, may_be_boolean, short_number};
use super::cells::{Cells, Starts};
use super::distinct::{Distinct, Met, hash_of};
use super::{ColumnStatistics, ColumnType};
use crate::csv::filter::{Instant, prefix_of, trim};
use crate::csv::state::{StateError, StateReader, StateWriter};
use crate::csv::value::{Value, WORD_BYTES};
use std::cmp::Ordering;

/// Values of a column that are shown.
pub(super) const MAX_SAMPLES: usize = 10;
/// Bytes of a value that are kept: enough for any number or date, and to recognise a text.
pub(super) const MAX_VALUE_BYTES: usize = 48;

/// How many cells are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds<T> {
    pub(super) empty: T,
    pub(super) text: T,
    pub(super) boolean: T,
    pub(super) integer: T,
    pub(super) decimal: T,
    /// Numbers that count as text.
    pub(super) code: T,
    pub(super) date: T,
    pub(super) datetime: T,
}

impl<T: Copy> Kinds<T> {
    fn as_array(self) -> [T; 8] {
        let Self { empty, text, boolean, integer, decimal, code, date, datetime } = self;
        [empty, text, boolean, integer, decimal, code, date, datetime]
    }

    fn from_array([empty, text, boolean, integer, decimal, code, date, datetime]: [T; 8]) -> Self {
        Self { empty, text, boolean, integer, decimal, code, date, datetime }
    }
}

impl Kinds<u64> {
    fn add(&mut self, block: Kinds<u32>) {
        let mut sums = self.as_array();
        for (sum, more) in sums.iter_mut().zip(block.as_array()) {
            *sum += u64::from(more);
        }
        *self = Self::from_array(sums);
    }

    fn filled(self) -> u64 {
        self.as_array().iter().sum::<u64>() - self.empty
    }
}

/// The cells of a column in the block in progress.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BlockColumn {
    pub(super) kinds: Kinds<u32>,
    pub(super) longest_bytes: u32,
    /// The prefixes of the least and the greatest cell that is not empty.
    pub(super) prefixes: (u64, u64),
    /// The least and the greatest number.
    pub(super) numbers: (f64, f64),
    /// The first and the last instant, in whole seconds.
    pub(super) seconds: (i64, i64),
    sum: f64,
}

impl Default for BlockColumn {
    fn default() -> Self {
        Self {
            kinds: Kinds::default(),
            longest_bytes: 0,
            prefixes: (u64::MAX, 0),
            numbers: (f64::INFINITY, f64::NEG_INFINITY),
            seconds: (i64::MAX, i64::MIN),
            sum: 0.0,
        }
    }
}

impl BlockColumn {
    pub(super) fn save(&self, state: &mut StateWriter) {
        for count in self.kinds.as_array() {
            state.number(count.into());
        }
        state.number(self.longest_bytes.into());
        state.word(self.prefixes.0);
        state.word(self.prefixes.1);
        state.float(self.numbers.0);
        state.float(self.numbers.1);
        state.word(self.seconds.0 as u64);
        state.word(self.seconds.1 as u64);
        state.float(self.sum);
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut small = || u32::try_from(state.number()?).map_err(|_| StateError::Damaged);
        let mut counts = [0; 8];
        for count in &mut counts {
            *count = small()?;
            if *count >= 1 << 28 {
                return Err(StateError::Damaged);
            }
        }
        Ok(Self {
            kinds: Kinds::from_array(counts),
            longest_bytes: small()?,
            prefixes: (state.word()?, state.word()?),
            numbers: (state.float()?, state.float()?),
            seconds: (state.word()? as i64, state.word()? as i64),
            sum: state.float()?,
        })
    }
}

/// A column, up to the last whole block.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    kinds: Kinds<u64>,
    longest_bytes: u32,
    sum: f64,
    texts: Extremes<u64>,
    numbers: Extremes<f64>,
    instants: Extremes<Instant>,
    distinct: Distinct,
    samples: Vec<String>,
}

/// The block in progress of a column, and what tells whether a cell of it is of interest to the column.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) block: BlockColumn,
    /// The prefixes of the least and the greatest text of the column.
    texts: (u64, u64),
    /// Its least and its greatest number.
    numbers: (f64, f64),
    /// [`Distinct::zeros_of_news`].
    zeros_of_news: u64,
    /// For how many more batches it is not worth while to ask whether all numbers are integers.
    decimal_batches: u8,
}

/// Batches after which a column that had other numbers may again have nothing but integers.
const DECIMAL_BATCHES: u8 = 32;

impl Watch {
    /// A watch for news to `column`, of which the block in progress is known.
    pub(super) fn new(column: &Column, block: BlockColumn) -> Self {
        Self {
            block,
            texts: column.texts.keys((u64::MAX, 0)),
            numbers: column.numbers.keys((f64::INFINITY, f64::NEG_INFINITY)),
            zeros_of_news: column.distinct.zeros_of_news(),
            decimal_batches: 0,
        }
    }

    /// Takes in a cell of the column.
    #[inline(always)]
    pub(super) fn see(&mut self, value: Value<'_>, column: &mut Column) {
        let block = &mut self.block;
        if value.bytes.is_empty() {
            block.kinds.empty += 1;
            return;
        }
        let prefix = value.prefix();
        block.prefixes = (block.prefixes.0.min(prefix), block.prefixes.1.max(prefix));
        block.longest_bytes = block.longest_bytes.max(u32::try_from(value.bytes.len()).unwrap_or(u32::MAX));
        self.see_kind(value, column);
        let hash = hash_of(value);
        if hash & self.zeros_of_news == 0 {
            match column.distinct.meet(hash) {
                Met::Before => return,
                Met::First => column.sample(value.bytes),
                Met::Unknown => self.zeros_of_news = column.distinct.zeros_of_news(),
            }
        }
        if prefix <= self.texts.0 || prefix >= self.texts.1 {
            self.texts = column.see_text(prefix, value);
        }
    }

    /// Takes in what a cell is.
    #[inline(always)]
    fn see_kind(&mut self, value: Value<'_>, column: &mut Column) {
        let block = &mut self.block;
        match Cell::of(value) {
            Cell::Text => block.kinds.text += 1,
            Cell::Boolean => block.kinds.boolean += 1,
            Cell::Number(number, numeral) => {
                block.see_number(number, numeral);
                if (number < self.numbers.0 || number > self.numbers.1) && numeral != Numeral::Code {
                    self.numbers = column.see_number(number, value);
                }
            }
            Cell::Date(instant, precision) => block.see_date(instant, precision, value, column),
        }
    }
}

/// The same for cells of the column in consecutive rows, all at once.
impl Watch {
    /// Takes in cells of the column.
    pub(super) fn see_all(&mut self, cells: &mut Cells, piece: &[u8], column: &mut Column) {
        let block = &mut self.block;
        block.kinds.empty += cells.empties();
        if cells.len() == 0 {
            return;
        }
        let (least, greatest) = cells.prefixes();
        block.prefixes = (block.prefixes.0.min(least), block.prefixes.1.max(greatest));
        block.longest_bytes = block.longest_bytes.max(cells.longest_bytes());
        self.see_kinds(cells, piece, column);
        let has_new_values = self.see_values(cells, piece, column);
        if has_new_values && (least <= self.texts.0 || greatest >= self.texts.1) {
            self.see_ends(cells, piece, column, [least, greatest]);
        }
    }

    /// Takes in what the cells are.
    fn see_kinds(&mut self, cells: &mut Cells, piece: &[u8], column: &mut Column) {
        let starts = cells.starts();
        if starts.has(Starts::BLANK) {
            return self.see_each_kind(cells, piece, column);
        }
        match (starts.has(Starts::NUMERIC), starts.has(Starts::BOOLEAN) || starts.has(Starts::OTHER)) {
            (true, false) => self.see_numbers(cells, piece, column),
            (true, true) => self.see_each_kind(cells, piece, column),
            (false, _) if starts.has(Starts::BOOLEAN) => self.see_words(cells, piece),
            (false, _) => self.block.kinds.text += cells.len() as u32,
        }
    }

    #[inline(never)]
    fn see_each_kind(&mut self, cells: &Cells, piece: &[u8], column: &mut Column) {
        (0..cells.len()).for_each(|at| self.see_kind(cells.value(at, piece), column));
    }

    /// Takes in cells that are booleans or texts.
    #[inline(never)]
    fn see_words(&mut self, cells: &Cells, piece: &[u8]) {
        // Texts that start like booleans are many; asked of all at once, it takes a few instructions.
        let may_be_some = cells.heads().iter().fold(false, |any, &head| any | may_be_boolean(head));
        let booleans = match may_be_some {
            true => (0..cells.len()).filter(|&at| is_boolean(cells.value(at, piece))).count() as u32,
            false => 0,
        };
        self.block.kinds.boolean += booleans;
        self.block.kinds.text += cells.len() as u32 - booleans;
    }

    /// Takes in cells that start as numbers do.
    #[inline(never)]
    fn see_numbers(&mut self, cells: &mut Cells, piece: &[u8], column: &mut Column) {
        if self.decimal_batches > 0 {
            self.decimal_batches -= 1;
        } else if self.see_integers(cells, piece, column) {
            return;
        } else {
            self.decimal_batches = DECIMAL_BATCHES;
        }
        for (at, (&head, &len)) in cells.heads().iter().zip(cells.lens()).enumerate() {
            let cell = if len as usize <= WORD_BYTES { short_number(head, len) } else { None };
            match cell {
                Some(Cell::Number(number, numeral)) if numeral != Numeral::Code => {
                    self.block.see_number(number, numeral);
                    if number < self.numbers.0 || number > self.numbers.1 {
                        self.numbers = column.see_number(number, cells.value(at, piece));
                    }
                }
                _ => self.see_odd_number(cells.value(at, piece), column),
            }
        }
    }

    #[inline(never)]
    fn see_odd_number(&mut self, value: Value<'_>, column: &mut Column) {
        self.see_kind(value, column);
    }

    /// Takes in cells if all of them are integers that are not negative. Whether they are.
    #[inline(always)]
    fn see_integers(&mut self, cells: &mut Cells, piece: &[u8], column: &mut Column) -> bool {
        let Some(integers) = cells.integers(piece) else { return false };
        let block = &mut self.block;
        block.kinds.integer += cells.len() as u32;
        block.sum = match exact_sum(block.sum, integers.sum) {
            Some(sum) => sum,
            None => cells.as_integers().iter().fold(block.sum, |sum, &integer| sum + integer as f64),
        };
        let (low, high) = (integers.low as f64, integers.high as f64);
        if low < block.numbers.0 || high > block.numbers.1 {
            block.widen(low);
            block.widen(high);
        }
        // The first of equal numbers counts, as it would one by one.
        for (number, integer) in [(low, integers.low), (high, integers.high)] {
            if (number < self.numbers.0 || number > self.numbers.1)
                && let Some(at) = cells.position(integer)
            {
                self.numbers = column.see_number(number, cells.value(at, piece));
            }
        }
        true
    }

    /// Takes in the values the cells have. Whether some may be new.
    #[inline(always)]
    fn see_values(&mut self, cells: &mut Cells, piece: &[u8], column: &mut Column) -> bool {
        let (mut has_new, mut many_from) = (false, 0);
        cells.find_hashes(piece);
        if column.distinct.few().is_some() {
            many_from = cells.len();
            for (at, &hash) in cells.as_hashes().iter().enumerate() {
                match column.distinct.meet(hash) {
                    Met::Before => {}
                    Met::First => {
                        column.sample(cells.value(at, piece).bytes);
                        has_new = true;
                    }
                    Met::Unknown => {
                        many_from = at + 1;
                        break;
                    }
                }
            }
            if column.distinct.few().is_some() {
                return has_new;
            }
        }
        let (hashes, room) = cells.hashes_and_room();
        column.distinct.meet_many(&hashes[many_from..], self.zeros_of_news, room);
        self.zeros_of_news = column.distinct.zeros_of_news();
        true
    }

    /// Takes in the texts that have the least and the greatest prefix of the cells.
    #[inline(never)]
    fn see_ends(&mut self, cells: &Cells, piece: &[u8], column: &mut Column, prefixes: [u64; 2]) {
        let [least, greatest] = prefixes.map(u64::swap_bytes);
        for (at, &head) in cells.heads().iter().enumerate() {
            if head == least || head == greatest {
                let value = cells.value(at, piece);
                let prefix = value.prefix();
                if prefix <= self.texts.0 || prefix >= self.texts.1 {
                    self.texts = column.see_text(prefix, value);
                }
            }
        }
    }
}

/// The sum, if to add one after the other would be exact all along: integers that a double holds.
fn exact_sum(sum: f64, integers: u64) -> Option<f64> {
    const MAX_EXACT: f64 = (1_u64 << 53) as f64;
    let total = sum + integers as f64;
    let is_exact = sum.fract() == 0.0 && sum.abs() < MAX_EXACT && total < MAX_EXACT && integers < 1 << 53;
    is_exact.then_some(total)
}

impl BlockColumn {
    #[inline(always)]
    fn see_number(&mut self, number: f64, numeral: Numeral) {
        if number < self.numbers.0 || number > self.numbers.1 {
            self.widen(number);
        }
        match numeral {
            Numeral::Code => {
                self.kinds.code += 1;
                return;
            }
            Numeral::Integer => self.kinds.integer += 1,
            Numeral::Decimal => self.kinds.decimal += 1,
        }
        self.sum += number;
    }

    // A call keeps the compiler from storing both at every number.
    #[inline(never)]
    fn widen(&mut self, number: f64) {
        let (low, high) = self.numbers;
        self.numbers = (if number < low { number } else { low }, if number > high { number } else { high });
    }

    #[inline(always)]
    fn see_date(&mut self, instant: Instant, precision: Precision, value: Value<'_>, column: &mut Column) {
        let seconds = instant.seconds();
        let is_inside = seconds > self.seconds.0 && seconds < self.seconds.1;
        self.seconds = (self.seconds.0.min(seconds), self.seconds.1.max(seconds));
        match precision {
            Precision::Day => self.kinds.date += 1,
            Precision::Time => self.kinds.datetime += 1,
        }
        if !is_inside && column.instants.is_passed_by(instant) {
            column.instants.see(instant, value, |_, _| Ordering::Equal);
        }
    }
}

impl Column {
    #[cold]
    fn sample(&mut self, cell: &[u8]) {
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(shown(cell));
        }
    }

    /// Takes in a number below the least or above the greatest: what these are then.
    #[inline(never)]
    fn see_number(&mut self, number: f64, value: Value<'_>) -> (f64, f64) {
        self.numbers.see(number, value, |_, _| Ordering::Equal);
        self.numbers.keys((number, number))
    }

    /// Takes in a text whose prefix is that of the least or the greatest, or beyond: what these are then.
    #[inline(never)]
    fn see_text(&mut self, prefix: u64, value: Value<'_>) -> (u64, u64) {
        let is_news = match &self.texts.ends {
            None => true,
            // Where all values begin alike, what comes next mostly tells.
            Some([(low, least), (high, greatest)]) => {
                let next = prefix_of(value.bytes.get(8..).unwrap_or_default());
                (prefix, next) <= (*low, least.next()) || (prefix, next) >= (*high, greatest.next())
            }
        };
        if is_news {
            self.texts.see(prefix, value, |cell, kept| cell.cmp(kept));
        }
        self.texts.keys((u64::MAX, 0))
    }

    /// Adds a block that has ended.
    pub(super) fn add(&mut self, block: &BlockColumn) {
        self.kinds.add(block.kinds);
        self.longest_bytes = self.longest_bytes.max(block.longest_bytes);
        self.sum += block.sum;
    }

    /// What was learnt.
    pub(super) fn statistics(self) -> ColumnStatistics {
        let Kinds { integer, decimal, date, datetime, boolean, empty, .. } = self.kinds;
        let filled = self.kinds.filled();
        let fit =
            |cells: u64| cells > 0 && u128::from(cells) * 100 >= u128::from(filled) * TYPE_SHARE_PERCENT;
        let (column_type, of_type) = if filled == 0 {
            (ColumnType::Empty, 0)
        } else if fit(integer + decimal) {
            let kind = if decimal == 0 { ColumnType::Integer } else { ColumnType::Decimal };
            (kind, integer + decimal)
        } else if fit(date + datetime) {
            let kind = if datetime == 0 { ColumnType::Date } else { ColumnType::Datetime };
            (kind, date + datetime)
        } else if fit(boolean) {
            (ColumnType::Boolean, boolean)
        } else if self.distinct.few().is_some_and(|few| 2 * few as u64 <= filled) {
            (ColumnType::Categorical, filled)
        } else {
            (ColumnType::Text, filled)
        };
        let (min, max) = match column_type {
            ColumnType::Integer | ColumnType::Decimal => self.numbers.shown(),
            ColumnType::Date | ColumnType::Datetime => self.instants.shown(),
            ColumnType::Boolean | ColumnType::Categorical | ColumnType::Text => self.texts.shown(),
            ColumnType::Empty => (None, None),
        };
        let is_number = matches!(column_type, ColumnType::Integer | ColumnType::Decimal);
        let mean = self.sum / (integer + decimal) as f64;
        ColumnStatistics {
            column_type,
            empties: empty,
            exceptions: filled - of_type,
            distinct: self.distinct.estimate(),
            is_distinct_exact: self.distinct.few().is_some(),
            min,
            max,
            mean: (is_number && mean.is_finite()).then_some(mean),
            longest_bytes: self.longest_bytes.into(),
            samples: self.samples,
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        for count in self.kinds.as_array() {
            state.number(count);
        }
        state.number(self.longest_bytes.into());
        state.float(self.sum);
        self.texts.save(state, |state, key| state.word(key));
        self.numbers.save(state, |state, key| state.float(key));
        self.instants.save(state, |state, key| {
            state.word(key.seconds() as u64);
            state.number(key.nanoseconds().into());
        });
        self.distinct.save(state);
        state.list(&self.samples, |state, sample| state.text(sample));
    }

    pub(super) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut counts = [0; 8];
        for count in &mut counts {
            *count = state.total()?;
        }
        Ok(Self {
            kinds: Kinds::from_array(counts),
            longest_bytes: u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?,
            sum: state.float()?,
            texts: Extremes::restore(state, StateReader::word)?,
            numbers: Extremes::restore(state, StateReader::float)?,
            instants: Extremes::restore(state, |state| {
                let seconds = state.word()? as i64;
                let nanoseconds = u32::try_from(state.number()?).map_err(|_| StateError::Damaged)?;
                Ok(Instant::new(seconds, nanoseconds))
            })?,
            distinct: Distinct::restore(state)?,
            samples: state.list(|state| state.text().map(str::to_owned))?,
        })
    }
}

/// So much of a column's cells that are not empty must be of a type that the column has it: a few hundredths
/// of `n/a` and the like do not make numbers text.
const TYPE_SHARE_PERCENT: u128 = 95;

/// A value as text that is shown.
fn shown(value: &[u8]) -> String {
    let mut end = value.len().min(MAX_VALUE_BYTES);
    // Not within a character.
    while end < value.len() && end > 0 && value[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// The start of a value, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    bytes: [u8; MAX_VALUE_BYTES],
    len: u8,
}

impl Kept {
    fn of(value: Value<'_>) -> Self {
        match value.bytes.len() {
            // Words spare a copy of some length, which is a call.
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

    /// The eight bytes behind the prefix, as a prefix.
    fn next(&self) -> u64 {
        prefix_of(&self.bytes[8..16])
    }
}

/// The least and the greatest value by a key.
#[derive(Debug, Clone, Copy)]
struct Extremes<K> {
    ends: Option<[(K, Kept); 2]>,
}

impl<K> Default for Extremes<K> {
    fn default() -> Self {
        Self { ends: None }
    }
}

impl<K: PartialOrd + Copy> Extremes<K> {
    /// Whether a value of this key is the least or the greatest.
    #[inline(always)]
    fn is_passed_by(&self, key: K) -> bool {
        match &self.ends {
            Some([(low, _), (high, _)]) => key < *low || key > *high,
            None => true,
        }
    }

    /// The least and the greatest key, or `none`.
    fn keys(&self, none: (K, K)) -> (K, K) {
        self.ends.as_ref().map_or(none, |[low, high]| (low.0, high.0))
    }

    /// Takes in a value; `compare` orders values of equal keys.
    #[inline(never)]
    fn see(&mut self, key: K, value: Value<'_>, compare: impl Fn(&[u8], &[u8]) -> Ordering) {
        let Some([low, high]) = &mut self.ends else {
            self.ends = Some([(key, Kept::of(value)); 2]);
            return;
        };
        if key < low.0 || (key == low.0 && compare(value.bytes, low.1.as_slice()).is_lt()) {
            *low = (key, Kept::of(value));
        }
        if key > high.0 || (key == high.0 && compare(value.bytes, high.1.as_slice()).is_gt()) {
            *high = (key, Kept::of(value));
        }
    }

    fn save(&self, state: &mut StateWriter, write: impl Fn(&mut StateWriter, K)) {
        state.option(self.ends, |state, ends| {
            for (key, value) in ends {
                write(state, key);
                state.bytes(value.as_slice());
            }
        });
    }

    fn restore<'a>(
        state: &mut StateReader<'a>,
        read: impl Fn(&mut StateReader<'a>) -> Result<K, StateError>,
    ) -> Result<Self, StateError> {
        let end = |state: &mut StateReader<'a>| Ok((read(state)?, Kept::of_bytes(state.bytes()?)));
        let ends = state.option(|state| Ok([end(state)?, end(state)?]))?;
        Ok(Self { ends })
    }
}

impl Extremes<u64> {
    fn shown(&self) -> (Option<String>, Option<String>) {
        self.shown_by(|_, value| shown_start(value))
    }
}

impl Extremes<Instant> {
    fn shown(&self) -> (Option<String>, Option<String>) {
        self.shown_by(|_, value| shown(trim(value.as_slice())))
    }
}

impl Extremes<f64> {
    /// As written; a number too long to have been kept, as the nearest double.
    fn shown(&self) -> (Option<String>, Option<String>) {
        self.shown_by(|number, value| match usize::from(value.len) {
            MAX_VALUE_BYTES => format!("{number:e}"),
            _ => shown(trim(value.as_slice())),
        })
    }
}

impl<K: Copy> Extremes<K> {
    fn shown_by(&self, show: impl Fn(K, &Kept) -> String) -> (Option<String>, Option<String>) {
        match &self.ends {
            Some([low, high]) => (Some(show(low.0, &low.1)), Some(show(high.0, &high.1))),
            None => (None, None),
        }
    }
}

/// A text, without the beginning of a character that the bound cut in two.
fn shown_start(value: &Kept) -> String {
    let bytes = value.as_slice();
    let cut = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && bytes.len() == MAX_VALUE_BYTES => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..cut]).into_owned()
}
