//! User metadata of a file: a small, flat JSON object that the user chooses. Cutty stores its own metadata of the file
//! separately.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::UniqueMembers;
use crate::csv::shortened;

/// A flat JSON object of scalars, at most 8 KiB as compact JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserMetadata(Map<String, Value>);

/// Reasons to refuse metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserMetadataError {
    /// The text is not JSON.
    #[error("the metadata is not valid JSON: {reason}")]
    Malformed {
        /// Message of the JSON parser, with line and column.
        reason: String,
    },
    /// The JSON is not an object.
    #[error("the metadata must be a JSON object, for example {{\"project\": \"north\"}}")]
    NotAnObject,
    /// A value is an array or an object.
    #[error("the metadata value of {key:?} must be a string, a number, true, false or null")]
    NotScalar {
        /// Key of the value.
        key: String,
    },
    /// A number has more digits than a 64-bit number keeps.
    #[error(
        "the metadata number {number} of {key:?} has more digits than a 64-bit number keeps: send it as a string"
    )]
    LongNumber {
        /// Key of the number.
        key: String,
        /// The number.
        number: String,
    },
    /// A key is empty, longer than 128 bytes, or contains control characters.
    #[error("a metadata key must be 1 to 128 bytes without control characters: change {key:?}")]
    BadKey {
        /// The refused key.
        key: String,
    },
    /// The metadata is larger than [`UserMetadata::MAX_BYTES`].
    #[error("the metadata has {bytes} bytes of JSON, but at most 8192 are allowed: shorten it")]
    TooLarge {
        /// Size as compact JSON.
        bytes: usize,
    },
}

impl UserMetadata {
    /// Maximum size as compact JSON, in bytes. R2 has the same limit for the metadata of an object, so an export could
    /// store the user metadata with the object.
    pub const MAX_BYTES: usize = 8192;
    const MAX_KEY_BYTES: usize = 128;

    /// Parses metadata from JSON text. No key may be repeated.
    ///
    /// # Errors
    /// [`UserMetadataError`].
    pub fn parse(text: &str) -> Result<Self, UserMetadataError> {
        let malformed = |error: serde_json::Error| UserMetadataError::Malformed { reason: error.to_string() };
        let value = serde_json::from_str(text).map_err(malformed)?;
        let UniqueMembers = serde_json::from_str(text).map_err(malformed)?;
        let metadata = Self::from_value(value)?;
        metadata.check_numbers(text)?;
        Ok(metadata)
    }

    /// Refuses a number that lost digits when `text`, the JSON text of this metadata, was parsed.
    fn check_numbers(&self, text: &str) -> Result<(), UserMetadataError> {
        let malformed = |error: serde_json::Error| UserMetadataError::Malformed { reason: error.to_string() };
        let written: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(malformed)?;
        for (key, value) in &self.0 {
            let (Some(number), Some(written)) = (value.as_number(), written.get(key)) else { continue };
            if Decimal::parse(written.get()) != Decimal::parse(&number.to_string()) {
                let (key, number) = (shortened(key), shortened(written.get()));
                return Err(UserMetadataError::LongNumber { key, number });
            }
        }
        Ok(())
    }

    /// Makes metadata from a JSON value. The caller must already have refused numbers that lost digits.
    ///
    /// # Errors
    /// [`UserMetadataError`].
    pub fn from_value(value: Value) -> Result<Self, UserMetadataError> {
        let Value::Object(object) = value else { return Err(UserMetadataError::NotAnObject) };
        for (key, value) in &object {
            if !(1..=Self::MAX_KEY_BYTES).contains(&key.len()) || key.chars().any(char::is_control) {
                return Err(UserMetadataError::BadKey { key: shortened(key) });
            }
            if value.is_array() || value.is_object() {
                return Err(UserMetadataError::NotScalar { key: shortened(key) });
            }
        }
        let metadata = Self(object);
        match metadata.to_json().len() {
            ..=Self::MAX_BYTES => Ok(metadata),
            bytes => Err(UserMetadataError::TooLarge { bytes }),
        }
    }

    /// Returns the metadata as compact JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Returns the metadata as a JSON object.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// The exact value of a JSON number: `digits` × 10^`exponent`.
#[derive(PartialEq)]
struct Decimal {
    is_negative: bool,
    /// Digits without zeros at either end; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Parses a JSON number. Returns `None` if its exponent has more than 64 bits.
    fn parse(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        let zeros_after = all.len() - all.trim_end_matches('0').len();
        let places = i64::try_from(zeros_after).ok()? - i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(places)?;
        Some(match digits {
            "" => Self { is_negative: false, digits: String::new(), exponent: 0 },
            _ => Self { is_negative: number.starts_with('-'), digits: digits.to_owned(), exponent },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flat_objects_of_scalars_are_accepted() {
        let json = r#"{"a":"x","b":1.5,"c":true,"d":null,"é":""}"#;
        assert_eq!(UserMetadata::parse(json).unwrap().to_json(), json);
        assert_eq!(UserMetadata::parse(" {} ").unwrap(), UserMetadata::default());
    }

    #[test]
    fn other_json_is_refused_and_the_error_names_the_key() {
        use UserMetadataError::{BadKey, NotAnObject, NotScalar};
        for (json, expected) in [
            ("[]", NotAnObject),
            ("\"x\"", NotAnObject),
            ("null", NotAnObject),
            (r#"{"a":{}}"#, NotScalar { key: "a".into() }),
            (r#"{"a":[1]}"#, NotScalar { key: "a".into() }),
            (r#"{"":1}"#, BadKey { key: String::new() }),
            (r#"{"a\nb":1}"#, BadKey { key: "a\nb".into() }),
        ] {
            assert_eq!(UserMetadata::parse(json), Err(expected), "{json}");
        }
        let repeated = r#"{"a":1,"b":2,"a":1}"#;
        for json in ["", "{", "{a:1}", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#, "{} {}", repeated] {
            assert!(matches!(UserMetadata::parse(json), Err(UserMetadataError::Malformed { .. })), "{json}");
        }
        let nested = "[".repeat(100_000);
        assert!(matches!(UserMetadata::parse(&nested), Err(UserMetadataError::Malformed { .. })));
    }

    #[test]
    fn a_number_that_would_lose_digits_is_refused() {
        for kept in [
            "0",
            "-0",
            "-0.0",
            "0e9",
            "1.50",
            "1e2",
            "100e-2",
            "12345678901234567890",
            "-9223372036854775808",
        ] {
            assert!(UserMetadata::parse(&format!("{{\"a\":{kept}}}")).is_ok(), "{kept}");
        }
        for lost in ["123456789012345678901", "0.12345678901234567891", "1e-400", "9007199254740993.5"] {
            let refused = UserMetadata::parse(&format!("{{\"a\":{lost}}}"));
            assert!(matches!(refused, Err(UserMetadataError::LongNumber { .. })), "{lost}: {refused:?}");
        }
    }

    #[test]
    fn the_size_limit_is_the_number_of_bytes_of_compact_json() {
        let json = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
        assert!(UserMetadata::parse(&json(8192)).is_ok());
        assert_eq!(UserMetadata::parse(&json(8193)), Err(UserMetadataError::TooLarge { bytes: 8193 }));
    }

    proptest! {
        #[test]
        fn to_json_changes_no_metadata(text in "\\{(\"[a-c]{1,2}\":(\"[a-c]\"|[0-9]{1,3}|null),?){0,4}\\}") {
            if let Ok(metadata) = UserMetadata::parse(&text) {
                prop_assert_eq!(UserMetadata::parse(&metadata.to_json()), Ok(metadata));
            }
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = UserMetadata::parse(&text);
        }
    }
}
