//! Requests as clients write them, and answers as they read them.

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::body::TestBody;

/// A request: everything but its body, and the body.
pub struct Call {
    pub request: Request<()>,
    pub body: Option<TestBody>,
}

/// `GET path`.
pub fn get(path: &str) -> Call {
    Call::new(Method::GET, path)
}

/// `DELETE path`.
pub fn delete(path: &str) -> Call {
    Call::new(Method::DELETE, path)
}

/// `POST path` with nothing.
pub fn post(path: &str) -> Call {
    Call::new(Method::POST, path)
}

/// `POST path` with a JSON body.
pub fn post_json(path: &str, body: &Value) -> Call {
    post(path).json(body)
}

/// `PATCH path` with a JSON body.
pub fn patch_json(path: &str, body: &Value) -> Call {
    Call::new(Method::PATCH, path).json(body)
}

/// The raw upload of a CSV file; `name` is sent as it is, so it must be percent-encoded where it is not ASCII.
pub fn upload(name: &str, bytes: impl Into<Bytes>) -> Call {
    post("/api/files").header("x-file-name", name).header("content-type", "text/csv").bytes(bytes)
}

impl Call {
    pub fn new(method: Method, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        Self { request, body: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Display) -> Self {
        self.request.headers_mut().append(name, value.to_string().parse().unwrap());
        self
    }

    /// Drops a header.
    pub fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// Shows an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends these bytes, with their length.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len();
        self.without("content-length").header("content-length", length).stream(TestBody::of(bytes))
    }

    /// Sends JSON.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    /// Sends a stream; its length is whatever the headers say, or not said.
    pub fn stream(mut self, body: TestBody) -> Self {
        self.body = Some(body);
        self
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// What arrived.
    pub body: Vec<u8>,
    /// Whether the transfer broke before the end of the body.
    pub broken: bool,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// A header's text, or "" when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// Fails unless this is a whole problem document with this code and status, and returns the document.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        let document = self.json();
        assert_eq!(document["code"], code, "{self}");
        assert_eq!(document["status"], status, "{self}");
        document
    }
}

impl Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let broken = if self.broken { " (broken off)" } else { "" };
        write!(f, "{} {:?}\n{}{broken}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}
