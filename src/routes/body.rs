//! Request bodies that are JSON: bounded, typed, and refused with the name of the field that is wrong.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::app::SharedApp;
use crate::error::{Code, Problem, Result};

/// The longest JSON body, in bytes. No request that is not a file comes near it.
const JSON_BYTES: usize = 1 << 20;

/// A JSON request body. Unknown fields are ignored.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<SharedApp> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &SharedApp) -> Result<Self> {
        if !is_json(request.headers()) {
            let detail = "Send the body as JSON, with Content-Type: application/json.";
            return Err(Problem::new(Code::UnsupportedType, detail));
        }
        let bytes = to_bytes(request.into_body(), JSON_BYTES).await.map_err(unreadable)?;
        parse(&bytes).map(Self)
    }
}

/// `application/json` (RFC 8259 §11), with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn unreadable(error: axum::Error) -> Problem {
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return Problem::new(Code::TooLarge, "A JSON body has at most 1 MiB.").with("limit", JSON_BYTES);
        }
        source = inner.source();
    }
    Problem::new(Code::BadRequest, "The body broke off before its end.")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let problem = Problem::new(Code::BadRequest, detail(&path, error.inner()));
        if path == "." { problem } else { problem.with("field", path) }
    })?;
    deserializer.end().map_err(|error| Problem::new(Code::BadRequest, detail(".", &error)))?;
    Ok(value)
}

fn detail(path: &str, error: &serde_json::Error) -> String {
    match path {
        "." => format!("The JSON body is not what this call takes: {error}."),
        field => format!("The field {field} is not what this call takes: {error}."),
    }
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
    }

    #[test]
    fn a_wrong_type_is_refused_with_the_path_to_it() {
        let cases = [
            (r#"{"name": 1}"#, Some("name")),
            (r#"{"name": "a", "filters": {"age": [1, "x"]}}"#, Some("filters.age[1]")),
            (r"{}", None),
            ("[]", None),
            ("", None),
            (r#"{"name": "a"} x"#, None),
        ];
        for (text, field) in cases {
            let problem = parse::<Wanted>(text.as_bytes()).unwrap_err();
            let document = problem.document("/", "r");
            assert_eq!(problem.code(), Code::BadRequest, "{text}");
            assert_eq!(document.get("field").and_then(|field| field.as_str()), field, "{text}");
        }
        assert!(parse::<Wanted>(b"{}").unwrap_err().detail().contains("`name`"));
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let wanted: Wanted = parse(br#"{"name": "a", "role": "admin"}"#).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.filters.len()), ("a", 0));
    }

    #[test]
    fn only_application_json_is_json() {
        let is = |value: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is("") && !is_json(&HeaderMap::new()));
    }
}
