//! Requests as clients send them, and responses as clients read them.

use std::fmt::Display;

use bytes::Bytes;
use cutty::auth::keys::KeyUse;
use cutty::auth::token::{Claims, Keyring, TokenKind};
use cutty::body::outgoing::{BodySegment, NativeResponse, ResponseBody};
use cutty::body::stream::{ByteSource, NativeBody};
use cutty::domain::ids::UserId;
use cutty::domain::principal::Principal;
use cutty::error::Result;
use cutty::routes::extract::identity::Authenticated;
use cutty::routes::extract::limits::Settlements;
use cutty::routes::handle;
use http::response::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::app::TestApp;
use super::body::TestBody;
use super::contract;

/// A request and its body.
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

/// `POST path` without a body.
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

/// `HEAD path`.
pub fn head(path: &str) -> Call {
    Call::new(Method::HEAD, path)
}

/// Returns the request that uploads a CSV file as a raw body. `name` is sent unchanged, so percent-encode it if it is
/// not ASCII.
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

    /// Makes this principal the sender of the request. The service then ignores the credentials in the headers.
    pub fn by(mut self, principal: Principal) -> Self {
        self.request.extensions_mut().insert(Authenticated(principal));
        self
    }

    /// Removes a header.
    pub fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// Adds an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body and its `Content-Length`.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len();
        self.without("content-length").header("content-length", length).stream(TestBody::from_bytes(bytes))
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    /// Sets a streamed body and leaves the headers unchanged.
    pub fn stream(mut self, body: TestBody) -> Self {
        self.body = Some(body);
        self
    }
}

/// A form as browsers send it (RFC 7578). The form parts stay in the given order.
#[derive(Default)]
pub struct Form(Vec<u8>);

impl Form {
    const BOUNDARY: &str = "----form-of-a-test";

    /// Adds a text field.
    pub fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("form-data; name=\"{name}\""), "", value.as_bytes())
    }

    /// Adds the file.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        let disposition = format!("form-data; name=\"file\"; filename=\"{name}\"");
        self.part(&disposition, "Content-Type: text/csv\r\n", bytes)
    }

    /// Adds a form part with this `Content-Disposition` and these other headers.
    pub fn part(mut self, disposition: &str, headers: &str, bytes: &[u8]) -> Self {
        let head = format!("--{}\r\nContent-Disposition: {disposition}\r\n{headers}\r\n", Self::BOUNDARY);
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// Returns the encoded body.
    pub fn bytes(mut self) -> Vec<u8> {
        self.0.extend_from_slice(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        self.0
    }

    /// Returns a form request with this body and without `Content-Length`.
    pub fn call(body: TestBody) -> Call {
        let media_type = format!("multipart/form-data; boundary={}", Self::BOUNDARY);
        post("/api/files").header("content-type", media_type).stream(body)
    }

    /// Returns the request that uploads this form.
    pub fn post(self) -> Call {
        self.post_to("/api/files")
    }

    /// Returns the request that sends this form to `path`.
    pub fn post_to(self, path: &str) -> Call {
        let bytes = self.bytes();
        let media_type = format!("multipart/form-data; boundary={}", Self::BOUNDARY);
        post(path).header("content-type", media_type).bytes(bytes)
    }
}

impl TestApp {
    /// Creates the account `id`, whose username is also `id`, and returns an access token that is valid for ten years.
    ///
    /// This function writes the row and signs the token directly. A registration would hash a password, and this hash
    /// is slow by design. Other tests check registration.
    pub fn user(&self, id: &str) -> String {
        self.database.execute(&format!(
            "INSERT INTO users (id, username, created_at, updated_at) VALUES ('{id}', '{id}', '{now}', '{now}')",
            now = self.now()
        ));
        self.token_of(id)
    }

    /// Returns an access token of an existing account, valid for ten years.
    pub fn token_of(&self, id: &str) -> String {
        let now_s = self.now().instant().timestamp();
        let claims = Claims {
            kind: TokenKind::Access,
            expires_at_s: now_s + 10 * 365 * 86_400,
            issued_at_s: Some(now_s),
            id: format!("token-of-{id}"),
            user: UserId::parse(id).unwrap(),
            session: None,
            not_before_s: None,
            audience: None,
        };
        Keyring::new(&self.config).sign(&claims).unwrap()
    }

    /// Uploads a file, asserts that it is accepted, and returns its JSON.
    pub async fn upload(&self, token: &str, name: &str, bytes: impl Into<Bytes>) -> Value {
        let response = self.send(upload(name, bytes).bearer(token)).await.expect(201);
        response.json()["file"].clone()
    }

    /// Sends a request through the real router and reads the response to its end, as the runtime and a client do.
    ///
    /// Panics if the API description does not list the status of the response or one of its headers, or if pages of
    /// other origins cannot read one of its headers.
    pub async fn send(&self, call: Call) -> TestResponse {
        let (method, path) = (call.request.method().clone(), call.request.uri().path().to_owned());
        let (parts, body) = self.respond(call).await;
        contract::assert_described(&method, &path, parts.status);
        contract::assert_exposed(&parts.headers);
        contract::assert_headers_described(&method, &path, parts.status, &parts.headers);
        let (body, broken) = match body {
            ResponseBody::Empty => (Vec::new(), false),
            ResponseBody::Bytes(bytes) if method != Method::HEAD => (bytes.to_vec(), false),
            ResponseBody::Bytes(_) => (Vec::new(), false),
            ResponseBody::Native(_) | ResponseBody::Generated(_) | ResponseBody::Sized(..)
                if method == Method::HEAD =>
            {
                panic!("{method} {path} opens a body that is never read")
            }
            ResponseBody::Native(native) => read_native_body(native).await,
            ResponseBody::Generated(source) | ResponseBody::Sized(source, _) => read_source(source).await,
        };
        let response = TestResponse { status: parts.status, headers: parts.headers, body, broken };
        if method != Method::HEAD {
            response.assert_framed();
        }
        response
    }

    /// Sends a request and returns the response without reading its body.
    pub async fn respond(&self, call: Call) -> (Parts, ResponseBody) {
        let body = call.body.map(|body| Box::new(body) as Box<dyn NativeBody>);
        let (parts, body) = handle(self.app.clone(), call.request, body).await;
        if let Some(used) = parts.extensions.get::<KeyUse>() {
            self.app.keys().record_use(used).await;
        }
        self.app.audit().send_waiting().await;
        if let Some(settlements) = parts.extensions.get::<Settlements>() {
            settlements.settle(&self.app).await;
        }
        (parts, body)
    }

    /// Sends a request, reads `pieces` pieces of the response and then disconnects.
    pub async fn disconnect_after(&self, call: Call, pieces: usize) -> Parts {
        let (parts, body) = self.respond(call).await;
        match body {
            ResponseBody::Empty | ResponseBody::Bytes(_) => panic!("the response is not streamed"),
            ResponseBody::Native(native) => (native.on_transfer_end)(false).await,
            ResponseBody::Generated(mut source) | ResponseBody::Sized(mut source, _) => {
                let mut piece = Vec::new();
                for _ in 0..pieces {
                    assert!(source.read(&mut piece).await.unwrap() > 0, "the response ended too early");
                }
                source.cancel().await;
            }
        }
        parts
    }
}

/// Reads a response body from the object store, then calls `on_transfer_end`. The transfer breaks unless the body has
/// exactly the announced length. The runtime's fixed-length stream behaves in the same way.
async fn read_native_body(native: NativeResponse) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let read = read_segments(native.segments, &mut bytes).await;
    let whole = read.is_ok() && bytes.len() as u64 == native.length_bytes;
    (native.on_transfer_end)(whole).await;
    (bytes, !whole)
}

async fn read_segments(segments: Vec<BodySegment>, bytes: &mut Vec<u8>) -> Result<()> {
    for segment in segments {
        let body = match segment {
            BodySegment::Bytes(framing) => {
                bytes.extend_from_slice(&framing);
                continue;
            }
            BodySegment::Open(body) => body,
            BodySegment::Later(later) => later.open().await?,
        };
        let mut source = body.into_source();
        while source.read(bytes).await? > 0 {}
    }
    Ok(())
}

async fn read_source(mut source: Box<dyn ByteSource>) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match source.read(&mut bytes).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => {
                source.after_transfer().await;
                return (bytes, true);
            }
        }
    }
    source.after_transfer().await;
    (bytes, false)
}

/// A response that was read to its end.
#[derive(Debug)]
pub struct TestResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The bytes that arrived.
    pub body: Vec<u8>,
    /// Whether the transfer broke before the end of the body.
    pub broken: bool,
}

impl TestResponse {
    /// Returns the body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Returns the value of a header, or "" if the header is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether a header is present.
    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Returns the path of the receipt that the `Link` header names.
    pub fn receipt_path(&self) -> String {
        let link = self.header("link");
        let path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"describedby\""));
        path.unwrap_or_else(|| panic!("the Link header names no receipt: {link:?}")).to_owned()
    }

    /// Panics if the length of a complete body differs from `Content-Length`.
    fn assert_framed(&self) {
        let announced = self.header("content-length");
        let matches = announced.is_empty() || announced == self.body.len().to_string();
        assert!(matches || self.broken, "{announced} bytes announced, {} sent: {self}", self.body.len());
    }

    /// Panics unless the response has this status and its transfer was complete.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!((self.status.as_u16(), self.broken), (status, false), "{self}");
        self
    }

    /// Panics unless the response is a problem document with this status and code. Returns the document.
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

impl Display for TestResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let broken = if self.broken { " (transfer broke)" } else { "" };
        write!(f, "{} {:?}\n{}{broken}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}
