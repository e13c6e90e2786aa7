//! Extractors of request bodies: streams, and JSON of bounded size.

use std::any::Any;

use async_trait::async_trait;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::body::incoming::Incoming;
use crate::body::stream::{ByteSource, NativeBody, PIECE_BYTES};
use crate::csv::shortened;
use crate::error::{Code, Problem, Result};
pub use crate::http::json::Object;
use crate::http::json::{MAX_NESTED, MAX_VALUES, UniqueMembers, has_few_values};
use crate::http::media_type::MediaType;
use crate::http::text;

/// Maximum length of a JSON body in bytes. A filter with 64 conditions has a few KiB.
pub const MAX_JSON_BYTES: usize = 1 << 20;

/// The body of an upload, not read yet.
pub struct UploadBody {
    /// The stream; `None` if the request has no body.
    pub body: Option<Box<dyn NativeBody>>,
    /// `Content-Length` of the request. The platform makes sure that the body has this length.
    pub length_bytes: Option<u64>,
}

impl<S: Send + Sync> FromRequest<S> for UploadBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        refuse_content_coding(request.headers())?;
        let body = request.extensions().get::<Incoming>().and_then(Incoming::take);
        Ok(Self { body, length_bytes: content_length(request.headers())? })
    }
}

/// A JSON body of at most `MAX_BYTES`, parsed into `T`. `T` should refuse unknown members (`deny_unknown_fields`).
pub struct JsonBody<T, const MAX_BYTES: usize = MAX_JSON_BYTES>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MAX_BYTES: usize> FromRequest<S> for JsonBody<T, MAX_BYTES> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        parse_json(&read_text(request, MAX_BYTES).await?).map(Self)
    }
}

fn not_json() -> Problem {
    Problem::new(
        Code::UnsupportedType,
        "Send the body as JSON in UTF-8, with Content-Type: application/json.",
    )
}

/// Reads the whole body; empty if the request has no body.
async fn read_text(request: Request, limit_bytes: usize) -> Result<Vec<u8>> {
    refuse_content_coding(request.headers())?;
    match request.extensions().get::<Incoming>().and_then(Incoming::take) {
        Some(body) => read_bounded(body, request.headers(), limit_bytes).await,
        None => Ok(Vec::new()),
    }
}

/// A JSON body that may also be empty, for a `POST` whose members are all optional. An empty body has the same meaning
/// as `{}`.
pub struct OptionalJsonBody<T, const MAX_BYTES: usize = MAX_JSON_BYTES>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MAX_BYTES: usize> FromRequest<S>
    for OptionalJsonBody<T, MAX_BYTES>
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let is_json = is_json(request.headers());
        let text = read_text(request, MAX_BYTES).await?;
        match text.trim_ascii() {
            [] => parse_json(b"{}").map(Self),
            _ if !is_json => Err(not_json()),
            _ => parse_json(&text).map(Self),
        }
    }
}

/// Maximum length of a body without members, in bytes.
const MAX_EMPTY_BYTES: usize = 1 << 10;

/// The body of a `POST` that takes no members: it must be empty or `{}`, with any `Content-Type`.
pub struct NoMembers;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<S: Send + Sync> FromRequest<S> for NoMembers {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let text = read_text(request, MAX_EMPTY_BYTES).await?;
        if !text.trim_ascii().is_empty() {
            parse_json::<Nothing>(&text).map_err(|_| {
                let detail = "This route takes no members. Send no body, or an empty object: {}.";
                Problem::new(Code::BadRequest, detail)
            })?;
        }
        Ok(Self)
    }
}

/// A body whose bytes are in memory. If a layer has read the body of a request, the layer passes the bytes to the
/// handler as a `BytesBody`.
pub struct BytesBody(Bytes);

impl BytesBody {
    /// Makes a body of these bytes.
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

/// Parses `Content-Length`; `None` if the header is absent.
///
/// # Errors
/// `bad_request` if the header is not a number.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| {
        Problem::new(Code::BadRequest, "The Content-Length header is not a number. Send the number of bytes.")
    })
}

/// Reads a small body into memory. If `Content-Length` exceeds the limit, this function reads nothing.
///
/// # Errors
/// `too_large` if the body has more than `limit_bytes`; errors of the stream if the connection breaks.
pub async fn read_bounded(
    body: Box<dyn NativeBody>,
    headers: &HeaderMap,
    limit_bytes: usize,
) -> Result<Vec<u8>> {
    let too_long = || {
        let detail = format!("A JSON body may have at most {limit_bytes} bytes. Send a shorter body.");
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

/// Whether the request announces a JSON body. JSON is always UTF-8 (RFC 8259 §8.1), so the result is `false` for another
/// `charset`.
pub fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(media_type) = text.and_then(|text| MediaType::parse(text).ok()) else { return false };
    let is_utf8 = media_type.charset().is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
    is_utf8 && (media_type.is("application/json") || media_type.essence().ends_with("+json"))
}

/// Refuses a body with a content coding (RFC 9110 §15.5.16), because Cutty must not store compressed bytes as the file.
fn refuse_content_coding(headers: &HeaderMap) -> Result<()> {
    for value in headers.get_all(CONTENT_ENCODING) {
        if let Some(coding) = text::content_codings(&String::from_utf8_lossy(value.as_bytes())).next() {
            let coding = shortened(coding);
            let detail = format!(
                "Content-Encoding {coding:?} is not supported. Send the body uncompressed, without this header."
            );
            return Err(Problem::new(Code::UnsupportedType, detail));
        }
    }
    Ok(())
}

/// Parses exactly one JSON object. An error names the path of the wrong field. If any object in the body, at any depth,
/// has a member twice, this is an error too.
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Problem::new(Code::BadRequest, "The body is not UTF-8. Encode the JSON as UTF-8."))?;
    if !has_few_values(text) {
        let detail = format!(
            "The body has more than {MAX_NESTED} objects and arrays, or more than {MAX_VALUES} values. Send fewer."
        );
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| bad_json(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| bad_json(".", &error))?;
    let UniqueMembers = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| bad_json(&error.path().to_string(), error.inner()))?;
    Ok(value)
}

/// Makes the problem for a body that cannot be parsed. `path` is `.` for the whole body.
fn bad_json(path: &str, error: &serde_json::Error) -> Problem {
    let message = without_rust_types(&error.to_string());
    let path = shortened(path);
    let problem = match path.as_str() {
        "." => Problem::new(Code::BadRequest, format!("The body is not the expected JSON: {message}.")),
        field => {
            let detail = format!("The field {field} has a wrong value: {message}.");
            Problem::new(Code::BadRequest, detail).with("field", field)
        }
    };
    problem.with("line", error.line()).with("column", error.column())
}

/// Replaces names of Rust types in an error message of serde with names of JSON types.
fn without_rust_types(message: &str) -> String {
    let Some((actual, expected)) = message.rsplit_once(", expected ") else { return shortened(message) };
    let (expected, position) = match expected.rfind(" at line ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    let expected = match expected.split(' ').next().unwrap_or_default() {
        "struct" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        _ if expected == "a map" => "an object",
        _ if expected == "a sequence" => "an array",
        _ => expected,
    };
    let actual = match actual {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        _ => &shortened(actual),
    };
    format!("{actual}, expected {expected}{position}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct TestBody {
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
    fn the_error_for_a_wrong_type_names_the_path_of_the_field() {
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
            let problem = parse_json::<TestBody>(text.as_bytes()).unwrap_err();
            let document = problem.document("/", "r");
            assert_eq!(problem.code(), Code::BadRequest, "{text}");
            assert_eq!(document.get("field").and_then(|field| field.as_str()), field, "{text}");
        }
        assert!(parse_json::<TestBody>(b"{}").unwrap_err().detail().contains("`name`"));
    }

    #[test]
    fn the_error_for_a_repeated_member_names_the_object_that_has_it() {
        let cases = [
            (r#"{"name": "a", "filters": {"age": [1], "age": [2]}}"#, Some("filters")),
            (r#"{"name": "a", "other": {"x": [{}, {"y": 1, "y": 1}]}}"#, Some("other.x[1]")),
            (r#"{"name": "a", "other": 1, "other": 1}"#, None),
        ];
        for (text, field) in cases {
            let problem = parse_json::<TestBody>(text.as_bytes()).unwrap_err();
            let document = problem.document("/", "r");
            assert_eq!(problem.code(), Code::BadRequest, "{text}");
            assert_eq!(document.get("field").and_then(|field| field.as_str()), field, "{problem}");
            assert!(problem.detail().contains("more than once"), "{problem}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_even_in_an_unknown_member() {
        let problem = parse_json::<TestBody>(b"{\"name\": \"a\", \"other\": \"\xe9\"}").unwrap_err();
        assert!(problem.detail().contains("UTF-8"), "{problem}");
    }

    #[test]
    fn objects_inside_a_body_are_parsed() {
        let body: TestBody = parse_json(br#" {"name": "a", "inner": [{"n": 1}, {"n": 2}]} "#).unwrap();
        assert_eq!(body.inner.iter().map(|Object(inner)| inner.n).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn members_may_be_in_any_order() {
        let body: TestBody = parse_json(br#" {"filters": {"age": [1]}, "name": "a"} "#).unwrap();
        assert_eq!((body.name.as_str(), body.filters["age"].as_slice()), ("a", [1].as_slice()));
    }

    #[test]
    fn only_json_media_types_are_accepted() {
        let is = |value: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is("") && !is_json(&HeaderMap::new()));
    }
}
