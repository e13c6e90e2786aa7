//! The JSON body of a cut, with a limited number of values, and with all digits of the numbers in its filters.
//!
//! A JSON value can need much more memory than its text. For example, the text of an object with one member may have 8
//! bytes, and the parsed object needs hundreds of bytes. So the parser counts values while it reads the body, and
//! refuses the body when there are too many values.
//!
//! A filter compares a number in JSON with the text of cells, so `1.50` must stay `1.50`. A parsed number would be 1.5.
//! If parsing would change the digits of a number in a filter, the parsed body has a string with the original digits in
//! place of the number.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::http::user_metadata::{UserMetadata, UserMetadataError};

/// Maximum number of values of any kind. Each selected column, and each value of a list in a condition, is a value.
const MAX_VALUES: usize = 100_000;

/// Maximum number of objects and arrays. A filter with 64 conditions has a few hundred of them.
const MAX_NESTED: usize = 10_000;

/// Maximum number of levels of a filter in JSON. `serde_json` has the same limit for the rest of the body.
const MAX_LEVELS: usize = 128;

/// The members of a body that are filters.
const FILTERS: [&str; 2] = ["filter", "whereFilters"];

/// The body of a cut.
#[derive(Debug)]
pub struct CutBody(pub Value);

impl<'de> Deserialize<'de> for CutBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = Counts::default();
        Counted { counts: &counts, is_body: true }.deserialize(deserializer).map(Self)
    }
}

/// The tree of a filter. Its numbers keep their digits.
#[derive(Debug)]
pub struct FilterTree(pub Value);

impl<'de> Deserialize<'de> for FilterTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        filter(text.get(), &Counts::default(), MAX_LEVELS).map(Self)
    }
}

/// Numbers of values parsed so far.
#[derive(Default)]
struct Counts {
    /// All values.
    values: Cell<usize>,
    /// Objects and arrays.
    nested: Cell<usize>,
}

impl Counts {
    fn value<E: de::Error>(&self) -> Result<(), E> {
        count(&self.values, MAX_VALUES, "values")
    }

    fn nested<E: de::Error>(&self) -> Result<(), E> {
        self.value()?;
        count(&self.nested, MAX_NESTED, "objects and arrays")
    }
}

fn count<E: de::Error>(counter: &Cell<usize>, limit: usize, kind: &str) -> Result<(), E> {
    if counter.get() == limit {
        return Err(E::custom(format_args!("the body of a cut may have at most {limit} {kind}")));
    }
    counter.set(counter.get() + 1);
    Ok(())
}

/// Parses a value and counts it.
#[derive(Clone, Copy)]
struct Counted<'a> {
    counts: &'a Counts,
    /// Whether the value is the whole body. Its members can be filters.
    is_body: bool,
}

/// Parses a filter from its JSON text, counts its values, and keeps the digits of its numbers.
fn filter<E: de::Error>(text: &str, counts: &Counts, levels_left: usize) -> Result<Value, E> {
    let Some(levels_left) = levels_left.checked_sub(1) else {
        return Err(E::custom("recursion limit exceeded"));
    };
    match text.as_bytes().first() {
        Some(b'{') => {
            counts.nested()?;
            let members: RawMembers<'_> = serde_json::from_str(text).map_err(E::custom)?;
            let parsed = members
                .0
                .into_iter()
                .map(|(name, value)| Ok((name, filter(value.get(), counts, levels_left)?)));
            Ok(Value::Object(parsed.collect::<Result<_, E>>()?))
        }
        Some(b'[') => {
            counts.nested()?;
            let values: Vec<&RawValue> = serde_json::from_str(text).map_err(E::custom)?;
            let parsed = values.into_iter().map(|value| filter(value.get(), counts, levels_left));
            Ok(Value::Array(parsed.collect::<Result<_, E>>()?))
        }
        _ => {
            counts.value()?;
            let value: Value = serde_json::from_str(text).map_err(E::custom)?;
            let has_lost_digits = value.as_number().is_some_and(|number| number.to_string() != text);
            Ok(if has_lost_digits { text.into() } else { value })
        }
    }
}

/// The members of an object, in order, not parsed yet.
struct RawMembers<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawMembers<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.counts.value().map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.counts.value().map(|()| value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.counts.value().map(|()| value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.counts.value().map(|()| value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.counts.value().map(|()| Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.counts.value().map(|()| value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.counts.nested()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Counted { is_body: false, ..self })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.counts.nested()?;
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = if self.is_body && FILTERS.contains(&name.as_str()) {
                let text = access.next_value::<Box<RawValue>>()?;
                filter(text.get(), self.counts, MAX_LEVELS)?
            } else if self.is_body && name == "metadata" {
                let text = access.next_value::<Box<RawValue>>()?;
                if let Err(lost @ UserMetadataError::LongNumber { .. }) = UserMetadata::parse(text.get()) {
                    return Err(A::Error::custom(lost));
                }
                serde_json::from_str(text.get()).map_err(A::Error::custom)?
            } else {
                access.next_value_seed(Counted { is_body: false, ..self })?
            };
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        serde_json::from_str::<CutBody>(text).map(|body| body.0).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_json_value_is_parsed() {
        let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5e300, "ü\n"], "b": {"": {}}, "c": []}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert!(read("{\"a\": }").is_err() && read("").is_err());
    }

    #[test]
    fn numbers_in_filters_keep_their_digits() {
        let text = r#"{"whereFilters": {"a": 1.50, "b": 7, "c": -0.0, "d": "x", "e": true, "f": 1e5, "g": 1.5},
            "filter": {"and": [{"column": "a", "op": "in", "value": [ 1.50 , 12345678901234567890123, null]}]},
            "limit": 5, "metadata": {"filter": 1.50}}"#;
        let wanted = serde_json::json!({
            "whereFilters": {"a": "1.50", "b": 7, "c": -0.0, "d": "x", "e": true, "f": "1e5", "g": 1.5},
            "filter": {"and": [{"column": "a", "op": "in", "value": ["1.50", "12345678901234567890123", null]}]},
            "limit": 5, "metadata": {"filter": 1.5},
        });
        assert_eq!(read(text).unwrap(), wanted);
    }

    #[test]
    fn too_many_values_are_refused_and_the_error_names_the_limit() {
        let repeated =
            |value: &str, times: usize| format!("[{}{value}]", format!("{value},").repeat(times - 1));
        assert!(read(&repeated("0", MAX_VALUES - 1)).is_ok());
        assert!(read(&repeated("\"\"", MAX_VALUES)).unwrap_err().contains("at most 100000 values"));
        assert!(read(&repeated("{}", MAX_NESTED - 1)).is_ok());
        for nested in ["{}", "[]"] {
            let refused = read(&repeated(nested, MAX_NESTED)).unwrap_err();
            assert!(refused.contains("at most 10000 objects and arrays"), "{refused}");
            let refused = read(&format!("{{\"filter\":{}}}", repeated(nested, MAX_NESTED))).unwrap_err();
            assert!(refused.contains("at most 10000 objects and arrays"), "{refused}");
        }
    }
}
