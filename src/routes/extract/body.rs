//! Request bodies as handlers take them: streams untouched, JSON bounded.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::body::incoming::Incoming;
use crate::body::stream::{ByteSource, NativeBody, PIECE_BYTES};
use crate::csv::shortened;
use crate::error::{Code, Problem, Result};
use crate::http::text;

/// The longest JSON body, in bytes. A filter of 64 tests is a few KiB.
pub const MAX_JSON_BYTES: usize = 1 << 20;

/// The body as it came.
pub struct UploadBody {
    /// The stream; `None` when there was no body.
    pub body: Option<Box<dyn NativeBody>>,
    /// What the client says its length is, in bytes; the platform holds it to that.
    pub length_bytes: Option<u64>,
}

impl<S: Send + Sync> FromRequest<S> for UploadBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        check_coding(request.headers())?;
        let body = request.extensions().get::<Incoming>().and_then(Incoming::take);
        Ok(Self { body, length_bytes: content_length(request.headers())? })
    }
}

/// A JSON body of at most `MOST_BYTES` read into `T`, which is to refuse the members that it does not know
/// (`deny_unknown_fields`).
pub struct JsonBody<T, const MOST_BYTES: usize = MAX_JSON_BYTES>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MOST_BYTES: usize> FromRequest<S>
    for JsonBody<T, MOST_BYTES>
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if !is_json(request.headers()) {
            let detail = "Send the body as JSON, with Content-Type: application/json.";
            return Err(Problem::new(Code::UnsupportedType, detail));
        }
        check_coding(request.headers())?;
        let body = request.extensions().get::<Incoming>().and_then(Incoming::take);
        let text = match body {
            Some(body) => read_bounded(body, request.headers(), MOST_BYTES).await?,
            None => Vec::new(),
        };
        parse_json(&text).map(Self)
    }
}

/// A body that has been read, to be read again.
pub struct BytesBody(Bytes);

impl BytesBody {
    /// Wraps the bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }
}

#[async_trait]
impl NativeBody for BytesBody {
    async fn peek(&mut self) -> Result<Bytes> {
        Ok(self.0.slice(..self.0.len().min(PIECE_BYTES)))
    }

    fn into_source(self: Box<Self>) -> Box<dyn ByteSource> {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[async_trait]
impl ByteSource for BytesBody {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let piece = self.0.split_to(self.0.len().min(PIECE_BYTES));
        buffer.extend_from_slice(&piece);
        Ok(piece.len())
    }
}

/// The announced length; absent for chunked bodies.
///
/// # Errors
/// `bad_request` for one that is no number.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length
        .map(Some)
        .ok_or_else(|| Problem::new(Code::BadRequest, "The Content-Length header is not a number."))
}

/// The bytes of a small body; one that is announced as too long is not touched.
///
/// # Errors
/// `too_large` beyond `limit_bytes`; or the body broke off.
pub async fn read_bounded(
    body: Box<dyn NativeBody>,
    headers: &HeaderMap,
    limit_bytes: usize,
) -> Result<Vec<u8>> {
    let too_long = || {
        let detail = format!("A JSON body may have at most {limit_bytes} bytes.");
        Err(Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes))
    };
    if content_length(headers)?.is_some_and(|announced| announced > limit_bytes as u64) {
        return too_long();
    }
    let (mut source, mut bytes) = (body.into_source(), Vec::new());
    while source.read(&mut bytes).await? > 0 {
        if bytes.len() > limit_bytes {
            return too_long();
        }
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = essence.and_then(|text| text.split(';').next()).map(str::trim).unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

/// Refuses a body under a coding (RFC 9110 §15.5.16): it would be kept and read as what it is not.
fn check_coding(headers: &HeaderMap) -> Result<()> {
    for value in headers.get_all(CONTENT_ENCODING) {
        if let Some(coding) = text::codings(&String::from_utf8_lossy(value.as_bytes())).next() {
            let coding = shortened(coding);
            let detail = format!(
                "Content-Encoding {coding:?} is not read here: send the bytes as they are, without it."
            );
            return Err(Problem::new(Code::UnsupportedType, detail));
        }
    }
    Ok(())
}

/// Reads exactly one JSON object; what is wrong inside it is named by its path.
fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| bad_json(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| bad_json(".", &error))?;
    Ok(value)
}

/// What is read from a JSON object only: a derived reader would also take an array, for the fields in the order they are
/// declared in. For bodies, and for what they hold.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct MapOnly<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for MapOnly<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> std::result::Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(MapOnly(PhantomData)).map(Self)
    }
}

/// `path` is `.` for the whole body.
fn bad_json(path: &str, error: &serde_json::Error) -> Problem {
    let fault = in_words_of_json(&error.to_string());
    let path = shortened(path);
    let problem = match path.as_str() {
        "." => Problem::new(Code::BadRequest, format!("The body is not the JSON expected here: {fault}.")),
        field => {
            let detail = format!("The field {field} is not what is expected here: {fault}.");
            Problem::new(Code::BadRequest, detail).with("field", field)
        }
    };
    problem.with("line", error.line()).with("column", error.column())
}

/// A message of the reader, which knows the types of this program, as one about JSON.
fn in_words_of_json(message: &str) -> String {
    let Some((given, wanted)) = message.rsplit_once(", expected ") else { return shortened(message) };
    let (wanted, place) = match wanted.rfind(" at line ") {
        Some(at) => wanted.split_at(at),
        None => (wanted, ""),
    };
    let wanted = match wanted.split(' ').next().unwrap_or_default() {
        "struct" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        _ if wanted == "a map" => "an object",
        _ if wanted == "a sequence" => "an array",
        _ => wanted,
    };
    let given = match given {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        _ => &shortened(given),
    };
    format!("{given}, expected {wanted}{place}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Wanted {
        name: String,
        #[serde(default)]
        filters: BTreeMap<String, Vec<u8>>,
        #[serde(default)]
        inner: Vec<Object<Inner>>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        n: u8,
    }

    #[test]
    fn a_wrong_type_is_refused_with_the_path_to_it() {
        let cases = [
            (r#"{"name": 1}"#, Some("name")),
            (r#"{"name": "a", "filters": {"age": [1, "x"]}}"#, Some("filters.age[1]")),
            (r#"{"name": "a", "inner": [{"n": 1}, [2]]}"#, Some("inner[1]")),
            (r#"{"name": "a", "inner": [{"n": "x"}]}"#, Some("inner[0].n")),
            (r"{}", None),
            ("[]", None),
            (r#"["a"]"#, None),
            ("", None),
            (r#"{"name": "a"} x"#, None),
        ];
        for (text, field) in cases {
            let problem = parse_json::<Wanted>(text.as_bytes()).unwrap_err();
            let document = problem.document("/", "r");
            assert_eq!(problem.code(), Code::BadRequest, "{text}");
            assert_eq!(document.get("field").and_then(|field| field.as_str()), field, "{text}");
        }
        assert!(parse_json::<Wanted>(b"{}").unwrap_err().detail().contains("`name`"));
    }

    #[test]
    fn what_is_an_object_is_read_as_one() {
        let wanted: Wanted = parse_json(br#" {"name": "a", "inner": [{"n": 1}, {"n": 2}]} "#).unwrap();
        assert_eq!(wanted.inner.iter().map(|Object(inner)| inner.n).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn members_are_read_by_name() {
        let wanted: Wanted = parse_json(br#" {"filters": {"age": [1]}, "name": "a"} "#).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.filters["age"].as_slice()), ("a", [1].as_slice()));
    }

    #[test]
    fn only_json_media_types_are_json() {
        let is = |value: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is("") && !is_json(&HeaderMap::new()));
    }
}
