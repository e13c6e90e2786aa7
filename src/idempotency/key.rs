//! The idempotency key: a client's name for a request that the client may repeat.

use http::HeaderMap;

/// Name of the header that holds the key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Maximum length of a key, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// An idempotency key: 1 to 255 bytes of visible ASCII, compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The error for a request with an invalid key or with several keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("send one Idempotency-Key of 1 to {MAX_KEY_BYTES} visible ASCII characters, a UUID for example")]
pub struct InvalidKey;

impl IdempotencyKey {
    /// Returns the key in the headers of a request; `None` if the headers hold no key.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, InvalidKey> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        if values.next().is_some() || !visible || !(1..=MAX_KEY_BYTES).contains(&value.len()) {
            return Err(InvalidKey);
        }
        value.to_str().map(|text| Some(Self(text.to_owned()))).map_err(|_| InvalidKey)
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn of(values: &[&[u8]]) -> Result<Option<String>, InvalidKey> {
        let name = HeaderName::from_static(IDEMPOTENCY_KEY);
        let pairs = values.iter().map(|value| (name.clone(), HeaderValue::from_bytes(value).unwrap()));
        let key = IdempotencyKey::of(&pairs.collect())?;
        Ok(key.map(|key| key.as_str().to_owned()))
    }

    #[test]
    fn valid_keys_are_accepted_unchanged() {
        assert_eq!(of(&[]), Ok(None));
        for key in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", "!~", &"x".repeat(255)] {
            assert_eq!(of(&[key.as_bytes()]), Ok(Some(key.to_owned())));
        }
    }

    #[test]
    fn a_request_with_an_invalid_key_or_with_two_keys_is_refused() {
        let long = "x".repeat(256);
        let cases: [&[&[u8]]; 6] =
            [&[b""], &[long.as_bytes()], &[b"a b"], &[b"a\tb"], &["\u{e4}".as_bytes()], &[b"a", b"a"]];
        for values in cases {
            assert_eq!(of(values), Err(InvalidKey), "{values:?}");
        }
    }
}
