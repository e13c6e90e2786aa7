//! Pages of a list: their length, and an opaque cursor that says where the next page starts.
//!
//! A cursor contains the sort key and the id of the last item of a page. So pages neither skip nor repeat items when
//! other items are added or removed. A cursor is not secret and grants no access: every query names the owner.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Default number of items on a page.
pub const DEFAULT_LIMIT: u32 = 50;
/// Maximum number of items on a page.
pub const MAX_LIMIT: u32 = 1_000;

/// The largest integer that JSON numbers and D1 represent exactly: 2⁵³ − 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Error: a `limit`, `offset` or `after` is not a whole number within its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be a whole number from {min} to {max}")]
pub struct InvalidPage {
    name: &'static str,
    min: u64,
    max: u64,
}

/// Parses a `limit` from 1 to [`MAX_LIMIT`]; the default is [`DEFAULT_LIMIT`].
///
/// # Errors
/// [`InvalidPage`], which names the bounds. A limit that is too large is refused, not reduced.
pub fn parse_limit(text: Option<&str>) -> Result<u32, InvalidPage> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    parse_digits(text)
        .and_then(|limit| u32::try_from(limit).ok())
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or(InvalidPage { name: "limit", min: 1, max: u64::from(MAX_LIMIT) })
}

/// Parses an `offset` from 0 to 2⁵³ − 1; the default is 0.
///
/// # Errors
/// [`InvalidPage`].
pub fn parse_offset(text: Option<&str>) -> Result<u64, InvalidPage> {
    parse_position("offset", text, MAX_SAFE_INTEGER)
}

/// Parses an `after`: the number of the last item before the page, from 0 to 2⁶⁴ − 1. The default is 0.
///
/// # Errors
/// [`InvalidPage`].
pub fn parse_after(text: Option<&str>) -> Result<u64, InvalidPage> {
    parse_position("after", text, u64::MAX)
}

fn parse_position(name: &'static str, text: Option<&str>, max: u64) -> Result<u64, InvalidPage> {
    let Some(text) = text else { return Ok(0) };
    let position = parse_digits(text).filter(|position| *position <= max);
    position.ok_or(InvalidPage { name, min: 0, max })
}

fn parse_digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A hash of the filter and the order of a list. A cursor contains this hash, so that Cutty can refuse the cursor for a
/// list with another filter or order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListFingerprint([u8; 8]);

impl ListFingerprint {
    /// Hashes the parts in the order of `parts`. The parts are texts that identify the list, such as the values of its
    /// filter and its sort field.
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// The last item of a page; the next page starts after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Value of the sort field of the last item, as text.
    pub sort_key: String,
    /// Id of the last item. Items with equal sort keys are ordered by their ids.
    pub id: String,
    /// Whether the list is in descending order.
    pub descending: bool,
    /// Fingerprint of the list that the cursor was made for.
    pub fingerprint: ListFingerprint,
}

/// Error: Cutty did not make the cursor for this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The text is not a cursor.
    #[error("the cursor is not valid: send nextCursor unchanged, or start again without a cursor")]
    Malformed,
    /// The cursor belongs to a list with another filter or order.
    #[error("the cursor belongs to a list with another filter or order: start again without a cursor")]
    OtherList,
}

/// Version of the layout. The layout is: version, flags, fingerprint (8 bytes), length of the id, id, sort key.
const VERSION: u8 = 1;
/// The flag of a list in descending order. No other flag exists.
const DESCENDING: u8 = 1;
/// Maximum length of an encoded cursor. Every cursor of Cutty is shorter: the longest sort key is a filename of 255
/// bytes.
const MAX_ENCODED_LENGTH: usize = 2048;

impl Cursor {
    /// Encodes the cursor as text for a URL (base64url without padding). Returns `None` if the id has more than 255
    /// bytes; no id is that long.
    pub fn encode(&self) -> Option<String> {
        let id_length = u8::try_from(self.id.len()).ok()?;
        let mut bytes = vec![VERSION, if self.descending { DESCENDING } else { 0 }];
        bytes.extend(self.fingerprint.0);
        bytes.push(id_length);
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.sort_key.as_bytes());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Decodes a cursor of the list with this `fingerprint` and this order.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn decode(text: &str, fingerprint: ListFingerprint, descending: bool) -> Result<Self, CursorError> {
        let cursor = Self::decode_any(text).ok_or(CursorError::Malformed)?;
        let of_this_list = cursor.fingerprint == fingerprint && cursor.descending == descending;
        if of_this_list { Ok(cursor) } else { Err(CursorError::OtherList) }
    }

    fn decode_any(text: &str) -> Option<Self> {
        (text.len() <= MAX_ENCODED_LENGTH).then_some(())?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&[version, flags], rest) = bytes.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (&id_length, rest) = rest.split_first()?;
        let (id, sort_key) = rest.split_at_checked(usize::from(id_length))?;
        (version == VERSION && flags & !DESCENDING == 0).then_some(())?;
        Some(Self {
            sort_key: String::from_utf8(sort_key.to_vec()).ok()?,
            id: String::from_utf8(id.to_vec()).ok()?,
            descending: flags == DESCENDING,
            fingerprint: ListFingerprint(*fingerprint),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursor() -> Cursor {
        Cursor {
            sort_key: "2024-05-06T07:08:09.123Z".into(),
            id: "0192".into(),
            descending: true,
            fingerprint: ListFingerprint::of(&["status", "active"]),
        }
    }

    #[test]
    fn the_layout_of_a_cursor_does_not_change() {
        let text = cursor().encode().unwrap();
        assert_eq!(text, "AQGm9n305VOw8gQwMTkyMjAyNC0wNS0wNlQwNzowODowOS4xMjNa");
        assert_eq!(Cursor::decode(&text, cursor().fingerprint, true), Ok(cursor()));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let text = cursor().encode().unwrap();
        let other = ListFingerprint::of(&["statusa", "ctive"]);
        assert_eq!(Cursor::decode(&text, other, true), Err(CursorError::OtherList));
        assert_eq!(Cursor::decode(&text, cursor().fingerprint, false), Err(CursorError::OtherList));
    }

    #[test]
    fn malformed_cursors_are_refused() {
        let long = "A".repeat(3000);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let other_version = encode(b"\x02\x0012345678\x01i");
        let unknown_flag = encode(b"\x01\x0212345678\x01i");
        let short_id = encode(b"\x01\x0012345678\x05i");
        let not_utf8 = encode(b"\x01\x0012345678\x01\xff");
        for text in ["", "?", "AQ==", "AQ", &long, &other_version, &unknown_flag, &short_id, &not_utf8] {
            assert_eq!(
                Cursor::decode(text, cursor().fingerprint, true),
                Err(CursorError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn limits_have_a_default_and_bounds() {
        assert_eq!(parse_limit(None), Ok(50));
        assert_eq!(parse_limit(Some("1")), Ok(1));
        assert_eq!(parse_limit(Some("1000")), Ok(1000));
        for text in ["", "0", "1001", "-1", "+1", "1.5", "ten", "99999999999999999999999"] {
            let error = parse_limit(Some(text)).unwrap_err();
            assert_eq!(error.to_string(), "limit must be a whole number from 1 to 1000", "{text}");
        }
    }

    #[test]
    fn offsets_are_whole_numbers_below_2_to_the_53() {
        assert_eq!(parse_offset(None), Ok(0));
        assert_eq!(parse_offset(Some("9007199254740991")), Ok(MAX_SAFE_INTEGER));
        for text in ["", "-1", "9007199254740992", "1e3"] {
            assert!(parse_offset(Some(text)).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_is_decoded_unchanged(sort_key in "\\PC{0,60}", id in "\\PC{0,40}", descending in any::<bool>()) {
            let cursor = Cursor { fingerprint: ListFingerprint::of(&[&id]), sort_key, id, descending };
            let text = cursor.encode().unwrap();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(Cursor::decode(&text, cursor.fingerprint, descending), Ok(cursor));
        }

        #[test]
        fn parsing_never_panics(text in "[A-Za-z0-9_-]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40), any in any::<String>()) {
            let fingerprint = ListFingerprint::of(&[]);
            for text in [text, URL_SAFE_NO_PAD.encode(bytes), any] {
                let _ = Cursor::decode(&text, fingerprint, true);
                let _ = parse_limit(Some(&text));
                let _ = parse_offset(Some(&text));
            }
        }
    }
}
