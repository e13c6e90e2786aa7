//! User metadata of a file: a small, flat JSON object that the user chooses. Cutty stores its own metadata of the file
//! separately.

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
        Self::from_value(value)
    }

    /// Makes metadata from a JSON value.
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
