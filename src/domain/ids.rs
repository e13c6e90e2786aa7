//! Identifiers. Each kind of id has its own type, so that the compiler refuses an id of another kind.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::{Builder, Uuid};

/// An id that can be generated.
pub trait FreshId: Sized {
    /// Makes an id from a time (`unix_ms`, in milliseconds since 1970) and random bits. The id is a UUID of version 7
    /// (RFC 9562 §5.7). UUIDs of version 7 sort by time.
    fn fresh(unix_ms: u64, random: &[u8; 10]) -> Self;
}

fn uuid_v7(unix_ms: u64, random: &[u8; 10]) -> Uuid {
    Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Parses the hyphenated text form of a UUID; `None` for any other text.
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
            }

            /// Returns the bytes of the UUID.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// Returns the id with these bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl FreshId for $name {
            fn fresh(unix_ms: u64, random: &[u8; 10]) -> Self {
                Self(uuid_v7(unix_ms, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// Accepts only the form in which ids are written: lower case, with hyphens. Other forms of the same UUID
            /// are refused, because the database compares ids as text and would not find the row.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let id = Self::parse(&text).filter(|id| id.to_string() == text);
                id.ok_or_else(|| serde::de::Error::custom("not an id in its stored form"))
            }
        }
    };
}

uuid_id! {
    /// A saved recipe.
    RecipeId
}

uuid_id! {
    /// A file. After the purge, the file's tombstone keeps the id.
    FileId
}
uuid_id! {
    /// One attempt to store a file's bytes. The file's ETag is made from this id.
    AttemptId
}
uuid_id! {
    /// One execution of a cut. The receipt of the execution has the same id.
    CutId
}
uuid_id! {
    /// A token. The id of a session's first refresh token also identifies the session.
    TokenId
}
uuid_id! {
    /// A claim. Each try of a request with an idempotency key makes its own claim.
    ClaimId
}
uuid_id! {
    /// A link that is sent by email, and its message.
    LinkId
}
uuid_id! {
    /// An API key.
    ApiKeyId
}
uuid_id! {
    /// A share of a file.
    ShareId
}
uuid_id! {
    /// An entry of the audit log, a report of a sweep, or a finding.
    EventId
}

impl EventId {
    /// Returns the smallest id that an entry from the same millisecond as `instant` can have. The ids of entries from
    /// earlier milliseconds are smaller.
    pub fn first_of(instant: DateTime<Utc>) -> Self {
        let ms = u64::try_from(instant.timestamp_millis()).unwrap_or(0);
        Self(uuid_v7(ms, &[0; 10]))
    }
}

/// A user. The text has 1 to 64 characters of `[A-Za-z0-9_-]`, so that it can be part of an object key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UserId(String);

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl TryFrom<String> for UserId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a user id")
    }
}

impl UserId {
    /// Parses a user id; `None` if the text is not a user id.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FreshId for UserId {
    fn fresh(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid_v7(unix_ms, random).hyphenated().to_string())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_user_id_that_could_change_the_path_in_an_object_key_is_refused() {
        for text in ["", "a/b", "..", "a.b", "ä", "a b", &"x".repeat(65)] {
            assert_eq!(UserId::parse(text), None, "{text:?}");
        }
        assert!(UserId::parse("42").is_some());
    }

    #[test]
    fn a_file_id_is_parsed_from_the_hyphenated_form_only() {
        assert!(FileId::parse("018f0000-0000-7000-8000-000000000001").is_some());
        for text in ["", "018f000000007000800000000000000001", "{018f0000-0000-7000-8000-000000000001}", "x"]
        {
            assert_eq!(FileId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_is_deserialized_from_its_stored_form_only() {
        let text = "018f0000-0000-7000-8000-00000000000a";
        let id = FileId::parse(text).unwrap();
        assert_eq!(serde_json::to_value(id).unwrap(), text);
        assert_eq!(serde_json::from_value::<FileId>(text.into()).unwrap(), id);
        for other in [text.to_uppercase(), text.replace('-', ""), format!("urn:uuid:{text}"), String::new()] {
            assert!(serde_json::from_value::<FileId>(other.clone().into()).is_err(), "{other}");
        }
    }
}
