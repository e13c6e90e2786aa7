//! Strict JSON: an array cannot stand for an object, and no object may repeat a member. RFC 8259 §4 does not define the
//! meaning of a repeated member, so two readers of one text could see different values.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::csv::shortened;

/// A value that is deserialized only from a JSON object. A derived `Deserialize` would also accept an array of the
/// field values, in the order of declaration. Used for bodies, for objects inside bodies and for tokens.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOnly<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for MapOnly<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(MapOnly(PhantomData)).map(Self)
    }
}

/// Maximum number of objects and arrays in a body. The request that completes a multipart upload has one object for
/// each of at most 10,000 parts.
pub const MAX_NESTED: usize = 11_000;

/// Maximum number of values in a body. The list of 10,000 parts has about 50,000 values: each part is an object with at
/// most four members.
pub const MAX_VALUES: usize = 110_000;

/// Whether a JSON text has at most [`MAX_NESTED`] objects and arrays, and at most [`MAX_VALUES`] values. The number of
/// values is approximate: the function counts objects, arrays and commas. Call this function before the text is parsed,
/// because a parsed value can need a hundred times the memory of its text. The text may be malformed.
pub fn has_few_values(text: &str) -> bool {
    let (mut nested, mut commas, mut is_in_string) = (0, 0, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (is_in_string, byte) {
            (_, b'"') => is_in_string = !is_in_string,
            // The next byte is escaped.
            (true, b'\\') => drop(bytes.next()),
            (false, b'{' | b'[') => nested += 1,
            (false, b',') => commas += 1,
            _ => {}
        }
    }
    nested <= MAX_NESTED && nested + commas <= MAX_VALUES
}

/// Any JSON value in which no object, at any depth, has a member twice. The value itself is not kept.
#[derive(Debug)]
pub struct UniqueMembers;

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = UniqueMembers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<UniqueMembers, E> {
        Ok(UniqueMembers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<UniqueMembers, A::Error> {
        while values.next_element::<UniqueMembers>()?.is_some() {}
        Ok(UniqueMembers)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<UniqueMembers, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                members.next_value::<IgnoredAny>()?;
                let name = shortened(&name);
                return Err(A::Error::custom(format_args!(
                    "the member {name:?} is there more than once; send each member once"
                )));
            }
            names.insert(name);
            members.next_value::<UniqueMembers>()?;
        }
        Ok(UniqueMembers)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn check(text: &str) -> Result<(), String> {
        serde_json::from_str::<UniqueMembers>(text).map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_counted_outside_strings() {
        let objects = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert!(has_few_values(&objects(MAX_NESTED - 1)) && !has_few_values(&objects(MAX_NESTED)));
        let numbers = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(has_few_values(&numbers(MAX_VALUES)) && !has_few_values(&numbers(MAX_VALUES + 1)));
        let text = serde_json::to_string(&"{[,\"\\".repeat(MAX_VALUES)).unwrap();
        assert!(has_few_values(&text), "the text is one string");
        assert!(!has_few_values(&format!("[{text},{}]", numbers(MAX_VALUES))));
        assert!(has_few_values("\"\\") && has_few_values(""));
    }

    #[test]
    fn a_repeated_member_is_found_at_every_depth_and_in_every_spelling() {
        for text in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "b": 2, "a": null}"#,
            r#"{"x": {"a": 1, "a": 2}}"#,
            r#"[[{"b": [{"a": {}, "a": []}]}]]"#,
            r#"{"a": 1, "\u0061": 2}"#,
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(r#"the member "a" is there more than once"#), "{text}: {error}");
        }
    }

    #[test]
    fn json_without_a_repeated_member_is_accepted() {
        for text in [
            "null",
            r#"{"a": {"a": {"a": 1}}, "A": 2, "": [{"a": 1}, {"a": 1}]}"#,
            r#"[true, -1, 18446744073709551615, 1.5e300, "ü\n"]"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_object_is_not_read_from_an_array() {
        #[derive(Debug, Deserialize)]
        struct One {
            n: u8,
        }
        assert_eq!(serde_json::from_str::<Object<One>>(r#"{"n": 1}"#).unwrap().0.n, 1);
        for text in ["[1]", "1", "null", r#""n""#] {
            assert!(serde_json::from_str::<Object<One>>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_a_repeated_member_is_accepted_exactly_if_the_parser_accepts_it(text in "[\\[\\]{}\",:a0-1 ]{0,30}") {
            let repeated = check(&text).err().is_some_and(|error| error.contains("more than once"));
            prop_assert!(repeated || check(&text).is_ok() == serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
