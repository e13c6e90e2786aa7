//! A request and its response, with the time until the last byte and the CPU time of the Worker's process.
//!
//! The client uses a plain socket and large reads, so that it does not limit the measured speed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Client, sha256_hex};
use super::server::Server;

/// A response and its cost.
pub struct Exchange {
    pub wall_s: f64,
    pub cpu_s: f64,
    /// Status line and headers.
    pub head: String,
    /// The bytes after the headers. Chunked coding is not decoded. Empty if the body was not kept.
    raw_body: Vec<u8>,
    /// The number of bytes after the headers.
    pub raw_bytes: u64,
}

/// Whether the body of a response is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Kept,
    Counted,
}

/// Sends `GET path`.
pub fn get(server: &Server, client: &Client, path: &str, body: Body) -> Exchange {
    exchange(server, client, &format!("GET {path}"), None, body)
}

/// Sends `file` as a body. `head` is the method and the path.
pub fn send(server: &Server, client: &Client, head: &str, file: &mut File) -> Exchange {
    exchange(server, client, head, Some(file), Body::Kept)
}

fn exchange(server: &Server, client: &Client, head: &str, file: Option<&mut File>, body: Body) -> Exchange {
    let pid = server.worker_pid();
    let (cpu_before, started) = (Cpu::read(pid), Instant::now());
    let mut stream = client.raw(head);
    stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
    write!(stream, "connection: close\r\naccept-encoding: identity\r\n").unwrap();
    match file {
        Some(file) => send_body(&mut stream, file),
        None => write!(stream, "\r\n").unwrap(),
    }
    let mut exchange = read_response(&mut stream, body);
    exchange.wall_s = started.elapsed().as_secs_f64();
    // After the response, the Worker still closes streams and records the end of the request. The pause lets the Worker
    // finish this work, because the work belongs to the measured request.
    std::thread::sleep(Duration::from_millis(50));
    exchange.cpu_s = Cpu::read(pid).since(&cpu_before);
    assert!(exchange.head.starts_with("HTTP/1.1 2"), "{head}: {}", exchange.head);
    exchange
}

fn send_body(stream: &mut TcpStream, file: &mut File) {
    let length = file.seek(SeekFrom::End(0)).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    write!(stream, "content-type: text/csv\r\nx-file-name: bench.csv\r\ncontent-length: {length}\r\n\r\n")
        .unwrap();
    std::io::copy(file, stream).unwrap();
}

fn read_response(stream: &mut TcpStream, body: Body) -> Exchange {
    let mut piece = vec![0; 1 << 20];
    let (mut head, mut raw_body, mut raw_bytes) = (Vec::new(), Vec::new(), 0);
    loop {
        let length = stream.read(&mut piece).unwrap();
        if length == 0 {
            break;
        }
        let mut rest = &piece[..length];
        if !head.ends_with(b"\r\n\r\n") {
            head.extend_from_slice(rest);
            let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            rest = &rest[length - (head.len() - end - 4)..];
            head.truncate(end + 4);
        }
        raw_bytes += rest.len() as u64;
        if body == Body::Kept {
            raw_body.extend_from_slice(rest);
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    Exchange { wall_s: 0.0, cpu_s: 0.0, head, raw_body, raw_bytes }
}

impl Exchange {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Returns the decoded body. Panics if the body was not kept or is incomplete.
    pub fn body(&self) -> Vec<u8> {
        if self.header("transfer-encoding") != Some("chunked") {
            if let Some(length) = self.header("content-length") {
                assert_eq!(length.parse(), Ok(self.raw_body.len()), "the body is incomplete");
            }
            return self.raw_body.clone();
        }
        let (mut rest, mut body) = (self.raw_body.as_slice(), Vec::with_capacity(self.raw_body.len()));
        loop {
            let end = rest.windows(2).position(|end| end == b"\r\n").expect("the body is incomplete");
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&rest[end + 2..][..size]);
            rest = &rest[end + 2 + size + 2..];
        }
    }

    /// Returns the measurement as one line of the results.
    pub fn line(&self) -> Value {
        json!({"wall_s": self.wall_s, "cpu_s": self.cpu_s})
    }

    /// Returns the measurement with the length and hash of the body, so that outputs can be compared.
    pub fn line_with_body(&self) -> Value {
        let body = self.body();
        let mut line = self.line();
        line["out_bytes"] = body.len().into();
        line["sha256"] = sha256_hex(&body).into();
        line
    }
}

/// CPU time of a process so far. `threads` has the id of each running thread and its CPU time in nanoseconds. `ticks`
/// is the CPU time of all threads together, including ended threads, in hundredths of a second.
struct Cpu {
    threads: Vec<(String, u64)>,
    ticks: u64,
}

impl Cpu {
    fn read(pid: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let threads = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanoseconds = text.split(' ').next()?.parse().ok()?;
            Some((task.file_name().into_string().ok()?, nanoseconds))
        });
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // Field 2, the name of the process, ends with the last parenthesis. `utime` and `stime` are fields 14 and 15,
        // so 11 fields after the name are skipped.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        Self { threads: threads.collect(), ticks: fields.filter_map(|field| field.parse::<u64>().ok()).sum() }
    }

    /// Returns the CPU time since `before`, in seconds. If a thread has ended since `before`, the CPU time of this
    /// thread in nanoseconds is lost. In this case, the function computes the result from `ticks`.
    fn since(&self, before: &Self) -> f64 {
        let ended = before.threads.iter().any(|(id, _)| !self.threads.iter().any(|(other, _)| other == id));
        if ended {
            return (self.ticks - before.ticks) as f64 / 100.0;
        }
        let spent_before =
            |id: &str| before.threads.iter().find(|(other, _)| other == id).map_or(0, |(_, ns)| *ns);
        self.threads.iter().map(|(id, ns)| (ns - spent_before(id)) as f64 / 1e9).sum()
    }
}
