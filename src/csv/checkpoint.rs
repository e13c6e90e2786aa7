//! Saved state: bytes from which Cutty can continue an interrupted pass over a file.
//!
//! A sealed state is `magic (4) · version (2, little-endian) · body · checksum (8)`. The checksum is the FNV-1a
//! hash of all bytes before it. A body is a sequence of values. Integers are encoded as LEB128 or as eight bytes,
//! floats as eight bytes. Byte strings start with their length. The reader checks every length against the
//! remaining bytes before it allocates memory. So damaged bytes are refused and cannot exhaust memory.

use super::error::{Defect, MalformedCsv};

/// Why a saved state cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another version of the program wrote the state.
    #[error("the state was written by another version of the program")]
    OtherVersion,
    /// The bytes differ from the bytes that were written.
    #[error("the state is damaged")]
    Damaged,
}

/// Kind (magic) and version of a saved state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    pub(super) magic: [u8; 4],
    pub(super) version: u16,
}

const CHECKSUM_BYTES: usize = 8;
/// Number of bytes in which the length of a section is stored. All sections use this number, because the writer
/// reserves the bytes before it knows the length.
const LENGTH_BYTES: usize = 8;

impl Seal {
    /// Creates a writer whose bytes start with magic and version.
    pub(super) fn writer(self) -> StateWriter {
        let mut bytes = self.magic.to_vec();
        bytes.extend_from_slice(&self.version.to_le_bytes());
        StateWriter { bytes }
    }

    /// Checks magic, version and checksum, and returns a reader of the body.
    pub(super) fn open(self, bytes: &[u8]) -> Result<StateReader<'_>, StateError> {
        let after_magic = bytes.strip_prefix(&self.magic).ok_or(StateError::Damaged)?;
        let (version, body) = after_magic.split_first_chunk().ok_or(StateError::Damaged)?;
        if u16::from_le_bytes(*version) != self.version {
            return Err(StateError::OtherVersion);
        }
        let (body, _) = body.split_last_chunk::<CHECKSUM_BYTES>().ok_or(StateError::Damaged)?;
        let (before, checksum) = bytes.split_last_chunk().ok_or(StateError::Damaged)?;
        if u64::from_le_bytes(*checksum) != fnv1a(before) {
            return Err(StateError::Damaged);
        }
        Ok(StateReader { rest: body })
    }
}

/// Returns the 64-bit FNV-1a hash. It detects accidental damage, not tampering.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Kind (tag) and version of a section of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) tag: u64,
    pub(super) version: u64,
}

/// Writes the values of a state.
pub(super) struct StateWriter {
    bytes: Vec<u8>,
}

impl StateWriter {
    /// Appends the checksum and returns the bytes.
    pub(super) fn sealed(mut self) -> Vec<u8> {
        let checksum = fnv1a(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        self.bytes
    }

    /// Returns the number of bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes a section: its tag, its version, its length and its bytes. Because of the length, a reader can skip a
    /// section that it does not know.
    pub(super) fn section(&mut self, section: Section, write: impl FnOnce(&mut Self)) {
        self.number(section.tag);
        self.number(section.version);
        let at = self.bytes.len();
        self.word(0);
        write(self);
        let length = (self.bytes.len() - at - LENGTH_BYTES) as u64;
        self.bytes[at..at + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    }

    /// Reserves memory for `bytes` more bytes. Without a reservation, the buffer grows in steps. Each step copies the
    /// content to a longer buffer, and both buffers take memory until the step ends.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes);
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    /// Writes an integer as LEB128: small numbers take few bytes.
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    pub(super) fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// Writes a number as eight bytes, little-endian. In LEB128, a large number would take more than eight bytes.
    pub(super) fn word(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn float(&mut self, value: f64) {
        self.word(value.to_bits());
    }

    /// Writes bytes without their length. The reader must know the length.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.count(items.len());
        for item in items {
            write(self, item);
        }
    }

    pub(super) fn malformed(&mut self, malformed: &MalformedCsv) {
        let &MalformedCsv { record, line, byte, reason } = malformed;
        for value in [record, line, byte] {
            self.number(value);
        }
        let (tag, first, second) = match reason {
            Defect::TooLong { limit_bytes } => (0, limit_bytes, 0),
            Defect::TooManyFields { limit } => (1, limit, 0),
            Defect::Ragged { expected, found } => (2, expected, found),
            Defect::StrayQuote => (3, 0, 0),
            Defect::UnclosedQuote => (4, 0, 0),
            Defect::NeedsQuotes => (5, 0, 0),
        };
        self.byte(tag);
        self.count(first);
        self.count(second);
    }
}

/// Reads the values of a state in the order in which they were written.
pub(super) struct StateReader<'a> {
    rest: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// Whether no bytes are left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads a section from [`StateWriter::section`]. Returns its kind and version, and a reader of its bytes.
    pub(super) fn section(&mut self) -> Result<(Section, Self), StateError> {
        let section = Section { tag: self.number()?, version: self.number()? };
        let length = usize::try_from(self.word()?).map_err(|_| StateError::Damaged)?;
        Ok((section, Self { rest: self.raw(length)? }))
    }

    /// Checks that no bytes are left.
    pub(super) fn end(self) -> Result<(), StateError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StateError::Damaged) }
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'a [u8], StateError> {
        let (raw, rest) = self.rest.split_at_checked(len).ok_or(StateError::Damaged)?;
        self.rest = rest;
        Ok(raw)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(StateError::Damaged)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, StateError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, StateError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::Damaged),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, StateError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return Err(StateError::Damaged);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(StateError::Damaged)
    }

    pub(super) fn size(&mut self) -> Result<usize, StateError> {
        usize::try_from(self.number()?).map_err(|_| StateError::Damaged)
    }

    /// Reads a count of bytes, lines, rows or cells. Refuses counts of 2^60 and more, so that sums of counts
    /// cannot overflow.
    pub(super) fn total(&mut self) -> Result<u64, StateError> {
        self.number().and_then(|value| if value < 1 << 60 { Ok(value) } else { Err(StateError::Damaged) })
    }

    pub(super) fn word(&mut self) -> Result<u64, StateError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn float(&mut self) -> Result<f64, StateError> {
        self.word().map(f64::from_bits)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], StateError> {
        let len = self.size()?;
        self.raw(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StateError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| StateError::Damaged)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, StateError>,
    ) -> Result<Option<T>, StateError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Reads a list. Each item must take at least one byte, so that a count greater than the number of remaining bytes
    /// is known to be wrong.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, StateError>,
    ) -> Result<Vec<T>, StateError> {
        let count = self.size()?;
        if count > self.rest.len() {
            return Err(StateError::Damaged);
        }
        // The list grows while its items are read. If it were reserved from a damaged count, it could take far more
        // memory than the items need.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    pub(super) fn malformed(&mut self) -> Result<MalformedCsv, StateError> {
        let (record, line, byte) = (self.number()?, self.number()?, self.number()?);
        let (tag, first, second) = (self.byte()?, self.size()?, self.size()?);
        let reason = match tag {
            0 => Defect::TooLong { limit_bytes: first },
            1 => Defect::TooManyFields { limit: first },
            2 => Defect::Ragged { expected: first, found: second },
            3 => Defect::StrayQuote,
            4 => Defect::UnclosedQuote,
            5 => Defect::NeedsQuotes,
            _ => return Err(StateError::Damaged),
        };
        Ok(MalformedCsv { record, line, byte, reason })
    }
}

/// Changes the body of sealed bytes and seals them again, for tests of damage that the checksum does not
/// detect.
#[cfg(test)]
pub(super) fn resealed(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    const SEAL_BYTES: usize = 6;
    let mut bytes = bytes[..bytes.len() - CHECKSUM_BYTES].to_vec();
    change(&mut bytes[SEAL_BYTES..]);
    StateWriter { bytes }.sealed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const SEAL: Seal = Seal { magic: *b"TEST", version: 3 };

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut writer = SEAL.writer();
        writer.raw(body);
        writer.sealed()
    }

    #[test]
    fn the_reader_returns_the_values_that_the_writer_wrote() {
        let numbers = [0, 1, 127, 128, 300, 1 << 21, u64::MAX - 1, u64::MAX];
        let malformed = MalformedCsv {
            record: 7,
            line: 8,
            byte: 1 << 40,
            reason: Defect::Ragged { expected: 3, found: 2 },
        };
        let mut writer = SEAL.writer();
        writer.list(&numbers, |writer, &number| writer.number(number));
        writer.float(-0.1);
        writer.option(Some("text"), StateWriter::text);
        writer.option(None::<&str>, StateWriter::text);
        writer.malformed(&malformed);
        let bytes = writer.sealed();
        let mut reader = SEAL.open(&bytes).unwrap();
        assert_eq!(reader.list(StateReader::number).unwrap(), numbers);
        assert_eq!(reader.float(), Ok(-0.1));
        assert_eq!(reader.option(StateReader::text), Ok(Some("text")));
        assert_eq!(reader.option(StateReader::text), Ok(None));
        assert_eq!(reader.malformed(), Ok(malformed));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn the_format_is_stable_and_the_reader_checks_the_magic_the_version_and_the_checksum() {
        let bytes = sealed(b"body");
        assert_eq!(hex::encode(&bytes), "544553540300626f6479ea641b6ad5551722");
        assert!(SEAL.open(&bytes).is_ok());
        let older = Seal { version: 2, ..SEAL };
        assert_eq!(older.open(&bytes).err(), Some(StateError::OtherVersion));
        let other = Seal { magic: *b"ELSE", ..SEAL };
        assert_eq!(other.open(&bytes).err(), Some(StateError::Damaged));
        for end in 0..bytes.len() {
            assert_eq!(SEAL.open(&bytes[..end]).err(), Some(StateError::Damaged), "{end}");
        }
    }

    #[test]
    fn lengths_greater_than_the_remaining_bytes_are_refused() {
        let bytes = sealed(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 2]);
        assert_eq!(SEAL.open(&bytes).unwrap().list(StateReader::byte), Err(StateError::Damaged));
        assert_eq!(SEAL.open(&bytes).unwrap().bytes(), Err(StateError::Damaged));
        let overlong = sealed(&[0xFF; 11]);
        assert_eq!(SEAL.open(&overlong).unwrap().number(), Err(StateError::Damaged));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_detected(
            body in proptest::collection::vec(any::<u8>(), 0..40), place in any::<prop::sample::Index>(), change in 1_u8..,
        ) {
            let mut bytes = sealed(&body);
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(SEAL.open(&bytes).is_err());
        }
    }
}
