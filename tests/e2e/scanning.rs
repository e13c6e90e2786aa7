//! The content scanner over real connections: this process is the scanner. It may be slow, break the connection or lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::crash::sweep_away_what_is_left;
use super::http::{Call, Client, Response, upload_call};
use super::server::{Entry, Server};

/// The token that the scanner must get.
const TOKEN: &str = "token-of-the-scanner-0123456789abcdef";

/// The minimum length of a part of a file, in bytes.
const PART: usize = 5 << 20;

/// Returns the EICAR test pattern. It is assembled here from pieces, so that no file of the repository contains it.
fn eicar() -> String {
    ["X5O!P%@AP[4", "\\PZX54(P^)7CC)7}", "$EICAR-STANDARD", "-ANTIVIRUS-TEST-", "FILE!", "$H+H*"].concat()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Behaviour {
    Honest,
    /// Reads the bytes and never answers.
    Slow,
    /// Sends the answer byte by byte and never ends.
    Trickling,
    /// Closes the connection before it has read the bytes.
    Closing,
    /// Redirects to an address that answers "clean".
    Redirecting,
    Failing,
    NotJson,
    Endless,
}

const FAILURES: [Behaviour; 7] = [
    Behaviour::Slow,
    Behaviour::Trickling,
    Behaviour::Closing,
    Behaviour::Redirecting,
    Behaviour::Failing,
    Behaviour::NotJson,
    Behaviour::Endless,
];

/// A scanner in this process.
struct Scanner {
    port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
    /// Path, headers in lower case, and number of bytes of each request.
    requests: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Scanner {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behaviour, requests) = (Arc::new(Mutex::new(Behaviour::Honest)), Arc::default());
        let scanner = Self { port, behaviour, requests };
        let (behaviour, requests) = (scanner.behaviour.clone(), scanner.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, requests) = (*behaviour.lock().unwrap(), requests.clone());
                // A connection that Cutty aborts is no failure of the test.
                std::thread::spawn(move || drop(answer(stream, behaviour, &requests)));
            }
        });
        scanner
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    fn requests(&self) -> Vec<(String, usize)> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    behaviour: Behaviour,
    requests: &Mutex<Vec<(String, usize)>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let head = head.to_lowercase();
    if behaviour == Behaviour::Closing {
        return Ok(());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut bytes = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut bytes)?;
    requests.lock().unwrap().push((head.clone(), bytes.len()));
    let sha256 = STANDARD.encode(Sha256::digest(&bytes)).to_lowercase();
    let is_right = head.starts_with("post /scan?x=1 ")
        && head.contains(&format!("authorization: bearer {TOKEN}\r\n"))
        && (!head.contains("repr-digest") || head.contains(&format!("repr-digest: sha-256=:{sha256}:")));
    let send = |stream: &mut TcpStream, status: &str, body: &str| {
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    };
    match behaviour {
        _ if head.starts_with("post /clean") => send(&mut stream, "200 OK", r#"{"verdict":"clean"}"#),
        _ if !is_right => send(&mut stream, "400 Bad Request", ""),
        Behaviour::Honest => {
            let pattern = eicar();
            let found = bytes.windows(pattern.len()).any(|window| window == pattern.as_bytes());
            let verdict = match found {
                true => r#"{"verdict":"infected","signature":"Eicar-Test-Signature"}"#,
                false => r#"{"verdict":"clean"}"#,
            };
            send(&mut stream, "200 OK", verdict)
        }
        Behaviour::Slow => {
            std::thread::sleep(Duration::from_secs(20));
            send(&mut stream, "200 OK", r#"{"verdict":"clean"}"#)
        }
        Behaviour::Trickling => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            for _ in 0..200 {
                std::thread::sleep(Duration::from_millis(100));
                stream.write_all(b" ")?;
            }
            Ok(())
        }
        Behaviour::Closing => Ok(()),
        Behaviour::Redirecting => {
            write!(stream, "HTTP/1.1 307 Temporary Redirect\r\nlocation: /clean\r\n")?;
            write!(stream, "content-length: 0\r\nconnection: close\r\n\r\n")
        }
        Behaviour::Failing => send(&mut stream, "500 Internal Server Error", r#"{"verdict":"clean"}"#),
        Behaviour::NotJson => send(&mut stream, "200 OK", "clean"),
        Behaviour::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            (0..10_000).try_for_each(|_| stream.write_all(&[b' '; 10_000]))
        }
    }
}

fn server_with(scanner: &Scanner, failure: &str) -> Server {
    let url = format!("http://127.0.0.1:{}/scan?x=1", scanner.port);
    Server::start(
        Entry::Product,
        &[("SCAN_URL", &url), ("SCAN_TOKEN", TOKEN), ("SCAN_TIMEOUT", "2"), ("SCAN_FAILURE", failure)],
    )
}

/// Returns a CSV file of about `length` bytes.
fn csv(length: usize, last: &str) -> Vec<u8> {
    let rows = b"1,harmless\n".repeat(length / 11);
    [b"id,text\n", rows.as_slice(), format!("2,{last}\n").as_bytes()].concat()
}

fn by_form(user: &Client, bytes: &[u8]) -> Response {
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n";
    let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
    user.ask(Call::post("/api/files", &body).header("content-type", "multipart/form-data; boundary=b"))
}

fn by_tus(user: &Client, bytes: &[u8]) -> Response {
    let create = Call::post("/api/uploads", b"").header("tus-resumable", "1.0.0");
    let path = user.ask(create.header("upload-length", &bytes.len().to_string())).expect(201).location_path();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let patch = |offset: usize, bytes| {
        let call = Call::patch(&path, bytes).header("tus-resumable", "1.0.0");
        user.ask(
            call.header("upload-offset", &offset.to_string())
                .header("content-type", "application/offset+octet-stream"),
        )
    };
    patch(0, first).expect(204);
    patch(first.len(), rest)
}

fn part_by_part(user: &Client, bytes: &[u8]) -> Response {
    let create = json!({"filename": "a.csv", "size": bytes.len(), "partSize": PART});
    let begun = user.post_json("/api/files/multipart", &create).expect(201).json();
    let path = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    let part = |(number, piece): (usize, &[u8])| {
        let put = user.ask(Call::put(&format!("{path}/parts/{number}"), piece)).expect(200);
        put.json()["part"].clone()
    };
    let parts: Vec<Value> = (1..).zip(bytes.chunks(PART)).map(part).collect();
    user.post_json(&format!("{path}/complete"), &json!({"parts": parts}))
}

fn raw(user: &Client, bytes: &[u8]) -> Response {
    user.ask(upload_call("a.csv", bytes))
}

type Upload = fn(&Client, &[u8]) -> Response;

const KINDS: [(&str, Upload); 4] =
    [("raw", raw), ("form", by_form), ("tus", by_tus), ("part by part", part_by_part)];

#[test]
fn uploads_are_scanned_before_they_can_be_read() {
    let scanner = Scanner::start();
    let server = server_with(&scanner, "refuse");
    let (clean, infected) = (csv(11_000_000, "x"), csv(11_000_000, &eicar()));
    for (kind, upload) in KINDS {
        let user = server.user();
        let response = upload(&user, &infected);
        assert_eq!(response.status, 422, "{kind}: {}", response.text());
        assert_eq!(response.json()["code"], "infected", "{kind}");
        assert_eq!(response.json()["signature"], "Eicar-Test-Signature", "{kind}");
        assert_eq!(user.files(), Vec::<String>::new(), "{kind}");
        let before = scanner.requests().len();
        let response = upload(&user, &clean);
        assert!([201, 204].contains(&response.status), "{kind}: {}", response.text());
        let [id] = user.files().try_into().unwrap();
        let file = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
        assert_eq!(file["file"]["scan"]["verdict"], "clean", "{kind}");
        assert!(user.download(&id) == clean, "{kind}");
        let requests = scanner.requests().split_off(before);
        assert_eq!(requests.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(), [clean.len()], "{kind}");
        assert_eq!(
            requests[0].0.contains("repr-digest"),
            kind != "part by part",
            "{kind}: {}",
            requests[0].0
        );
    }
    for behaviour in FAILURES {
        scanner.behave(behaviour);
        let (user, began) = (server.user(), Instant::now());
        let response = raw(&user, &csv(1_000_000, "x"));
        let took = began.elapsed();
        assert_eq!(response.status, 503, "{behaviour:?}: {}", response.text());
        assert_eq!(response.header("retry-after"), "30", "{behaviour:?}");
        assert!(took < Duration::from_secs(15), "{behaviour:?} took {took:?}");
        assert_eq!(user.files(), Vec::<String>::new(), "{behaviour:?}");
        let ready = user.ask(Call::get("/health/ready"));
        assert_eq!((ready.status, &ready.json()["scanner"]), (503, &json!("unhealthy")), "{behaviour:?}");
        scanner.behave(Behaviour::Honest);
        raw(&user, &csv(1_000, "x")).expect(201);
        assert_eq!(user.ask(Call::get("/health/ready")).expect(200).json()["scanner"], "healthy");
    }
    assert!(
        scanner.requests().iter().all(|(head, _)| !head.starts_with("post /clean")),
        "a redirect was followed"
    );
    sweep_away_what_is_left(&server);
}

#[test]
fn with_accept_files_are_stored_although_the_scanner_fails() {
    let scanner = Scanner::start();
    let server = server_with(&scanner, "accept");
    scanner.behave(Behaviour::Closing);
    for (kind, upload) in KINDS {
        let (user, bytes) = (server.user(), csv(6_000_000, "x"));
        let response = upload(&user, &bytes);
        assert!([201, 204].contains(&response.status), "{kind}: {}", response.text());
        let [id] = user.files().try_into().unwrap();
        let file = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
        assert_eq!(file["file"]["scan"]["verdict"], "unscanned", "{kind}");
        assert!(user.download(&id) == bytes, "{kind}");
    }
    let ready = server.client().ask(Call::get("/health/ready")).expect(200).json();
    assert_eq!((&ready["status"], &ready["scanner"]), (&json!("degraded"), &json!("unhealthy")));
}
