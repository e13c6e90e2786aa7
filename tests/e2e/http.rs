//! An HTTP client for the API. A [`Call`] describes a request, and a [`Response`] contains the complete body.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::Agent;

use super::server::PATIENCE;

/// A request.
pub struct Call<'a> {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: &'a [u8],
    timeout: Duration,
}

impl<'a> Call<'a> {
    fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: b"", timeout: PATIENCE }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn head(path: &str) -> Self {
        Self::new("HEAD", path)
    }

    pub fn delete(path: &str) -> Self {
        Self::new("DELETE", path)
    }

    pub fn post(path: &str, body: &'a [u8]) -> Self {
        Self { body, ..Self::new("POST", path) }
    }

    pub fn patch(path: &str, body: &'a [u8]) -> Self {
        Self { body, ..Self::new("PATCH", path) }
    }

    pub fn put(path: &str, body: &'a [u8]) -> Self {
        Self { body, ..Self::new("PUT", path) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// A response that was read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("the body is not JSON: {} {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the path in `Location`. `Location` may be a path or an absolute URL.
    pub fn location_path(&self) -> String {
        let location = self.header("location");
        let from_host = location.split_once("://").map_or(location, |(_, rest)| rest);
        from_host[from_host.find('/').unwrap_or(0)..].to_owned()
    }

    /// Returns the response if its status is `status`, and panics otherwise.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// A client of a server, signed in or not. Each request opens a new connection, so that no request uses a connection to
/// a killed process.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    port: u16,
    token: Option<String>,
    /// The id of the account.
    pub id: String,
}

impl Client {
    pub fn new(port: u16) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_idle_connections(0);
        Self { agent: config.build().into(), port, token: None, id: String::new() }
    }

    /// Creates an account and signs in.
    pub fn register(mut self, name: &str) -> Self {
        let body = json!({"username": name, "password": "correct horse battery"}).to_string();
        let call =
            Call::post("/api/auth/register", body.as_bytes()).header("content-type", "application/json");
        let session = self.send(call).unwrap().expect(201).json();
        self.token = session["tokens"]["access_token"].as_str().map(str::to_owned);
        self.id = match &session["user"]["id"] {
            Value::String(id) => id.clone(),
            id => id.to_string(),
        };
        self
    }

    /// Returns this client with an access token. All requests of the client send this token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Sends a request.
    ///
    /// # Errors An error of `ureq` if no response arrives or the response breaks.
    pub fn send(&self, call: Call) -> Result<Response, ureq::Error> {
        let mut request = http::Request::builder()
            .method(call.method)
            .uri(format!("http://127.0.0.1:{}{}", self.port, call.path))
            .header("accept-encoding", "identity");
        for (name, value) in self.token_header().iter().chain(&call.headers) {
            request = request.header(name, value);
        }
        let agent = self.agent.configure_request(request.body(call.body).unwrap());
        let mut response = self.agent.run(agent.timeout_global(Some(call.timeout)).build())?;
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Response { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Sends a request that must get a response.
    pub fn ask(&self, call: Call) -> Response {
        let request_line = format!("{} {}", call.method, call.path);
        self.send(call).unwrap_or_else(|error| panic!("{request_line}: {error}"))
    }

    /// Uploads `bytes` and returns the metadata of the file.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Value {
        self.ask(upload_call(name, bytes)).expect(201).json()["file"].take()
    }

    /// Returns the ids of the listed files, in the order of their creation.
    pub fn files(&self) -> Vec<String> {
        let list = self.ask(Call::get("/api/files?sort=createdAt")).expect(200).json();
        list["files"].as_array().unwrap().iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn download(&self, id: &str) -> Vec<u8> {
        self.ask(Call::get(&format!("/api/files/{id}"))).expect(200).body
    }

    /// Reads a response with a `Content-Length`, discards its body and returns the number of bytes. This function uses
    /// a plain socket and a large buffer, so that the client does not limit the measured speed.
    pub fn count_bytes(&self, path: &str) -> u64 {
        let mut stream = self.raw(&format!("GET {path}"));
        write!(stream, "\r\n").unwrap();
        let mut piece = vec![0; 1 << 20];
        let (mut head, mut filled) = (None, 0);
        while head.is_none() {
            let length = stream.read(&mut piece[filled..]).unwrap();
            assert!(length > 0, "the connection ended before the response headers were complete");
            filled += length;
            head = piece[..filled].windows(4).position(|end| end == b"\r\n\r\n");
        }
        let body_start = head.unwrap_or_default() + 4;
        let head = String::from_utf8_lossy(&piece[..body_start]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let (length, mut total) = (length.trim().parse().unwrap(), (filled - body_start) as u64);
        while total < length {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                more => total += more as u64,
            }
        }
        total
    }

    /// Sends a `POST` with a JSON body.
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        let body = body.to_string();
        self.ask(Call::post(path, body.as_bytes()).header("content-type", "application/json"))
    }

    /// Opens a connection and writes the request line and the common headers, but does not end the headers. The
    /// caller writes the rest of the request, and may break the protocol.
    pub fn raw(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{head} HTTP/1.1\r\nhost: 127.0.0.1\r\n").unwrap();
        if let Some((name, value)) = self.token_header() {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        stream
    }

    /// Returns the access token, for clients in other programs.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    fn token_header(&self) -> Option<(String, String)> {
        self.token.as_ref().map(|token| ("authorization".to_owned(), format!("Bearer {token}")))
    }
}

/// Returns the request that uploads `bytes` as a raw body.
pub fn upload_call<'a>(name: &str, bytes: &'a [u8]) -> Call<'a> {
    Call::post("/api/files", bytes).header("x-file-name", name).header("content-type", "text/csv")
}

/// Reads the status line and the headers of a response from a raw connection. The returned text may also contain the
/// first bytes of the body.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the connection ended before the response headers were complete");
        head.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
