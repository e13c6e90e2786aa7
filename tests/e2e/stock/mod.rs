//! Tests unmodified clients that people already use: each client uploads, downloads or cuts files in workerd.
//!
//! Every run tests the clients in [`SMALL`]. `scripts/fixtures` installs them in seconds. A run with `LONG=1` also
//! tests the clients in [`LARGE`]. `LONG=1 scripts/fixtures` installs these too. The test fails if a client that it
//! tests is not installed.
//!
//! The script `stock_clients.py` uses the clients that are Python libraries, and `stock_clients.mjs` uses the clients
//! that are JavaScript libraries. This module runs the scripts, and also the clients that are programs, such as curl.
//! `tus.rs` tests tus-js-client, Uppy and tuspy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::http::{Client, sha256_hex};
use super::oracle;
use super::samples::Orders;
use super::server::{Server, require, root, shared};

/// The test of one client.
type Test = fn(&Setting);

/// The clients that every run tests.
const SMALL: [(&str, Test); 10] = [
    ("curl", curl),
    ("wget", wget),
    ("requests", python),
    ("httpx", python),
    ("aiohttp", python),
    ("aiotus", python),
    ("fsspec", python),
    ("axios", node),
    ("undici", node),
    ("papaparse", node),
];

/// Clients that are tested only with `LONG=1`, because their packages are large: aria2 takes 6 MB, rclone 57 MB, pandas
/// 160 MB and DuckDB 85 MB.
const LARGE: [(&str, Test); 4] =
    [("aria2", aria2), ("rclone", rclone), ("pandas", python), ("duckdb", python)];

/// The number of clients that are tested at the same time.
const CONCURRENT: usize = 3;

/// The name of the file. Clients encode names that are not ASCII in different ways.
const NAME: &str = "Zürich – 2024.csv";

/// [`NAME`] in percent-encoding, as headers carry it.
const ENCODED_NAME: &str = "Z%C3%BCrich%20%E2%80%93%202024.csv";

/// The ASCII form of [`NAME`] that `Content-Disposition` has for clients that read only ASCII names.
const ASCII_NAME: &str = "Z_rich _ 2024.csv";

/// The length of the file for the clients in [`SMALL`], in bytes. It is more than 1 MiB, because curl sends `Expect:
/// 100-continue` only if the body is longer than 1 MiB.
const SMALL_BYTES: usize = 2_200_000;

/// The length of the file for the clients in [`LARGE`], in bytes. It is more than 4 MiB, so that aria2 can split the
/// file into four segments of at least 1 MiB.
const LARGE_BYTES: usize = 4_500_000;

/// The query of the cut that each client requests. [`Sample::kept`] has the ids in the result of this cut.
const CUT: &str = "columns=id,customer&amount__gt=990";

#[test]
fn stock_clients_upload_download_and_cut() {
    let server = shared();
    let long = std::env::var_os("LONG").is_some_and(|value| value == "1");
    let sample = Sample::new(SMALL_BYTES);
    let large_sample = long.then(|| Sample::new(LARGE_BYTES));
    let mut chosen: Vec<_> = SMALL.map(|(client, test)| (client, test, &sample)).into();
    if let Some(sample) = &large_sample {
        chosen.extend(LARGE.map(|(client, test)| (client, test, sample)));
    }
    let lanes: Vec<Vec<_>> =
        (0..CONCURRENT).map(|lane| chosen.iter().skip(lane).step_by(CONCURRENT).copied().collect()).collect();
    thread::scope(|scope| {
        for lane in &lanes {
            let server = &server;
            scope.spawn(move || {
                for (client, test, sample) in lane {
                    let start = Instant::now();
                    test(&Setting::new(client, server, sample));
                    println!("{client}: {:.1} s", start.elapsed().as_secs_f64());
                }
            });
        }
    });
}

/// The file that clients upload and download, and the expected results.
struct Sample {
    bytes: Vec<u8>,
    sha256: String,
    /// The number of rows. The header is not a row.
    rows: usize,
    /// The ids in the result of [`CUT`].
    kept: Vec<String>,
}

impl Sample {
    fn new(size_bytes: usize) -> Self {
        let bytes = Orders::file(15, size_bytes, 0).0;
        let rows = oracle::rows(&bytes);
        let kept = rows[1..].iter().filter(|row| row[2].parse::<f64>().unwrap() > 990.0);
        let kept: Vec<_> = kept.map(|row| row[0].clone()).collect();
        assert!(kept.len() > 400, "the cut has only {} rows", kept.len());
        Self { sha256: sha256_hex(&bytes), rows: rows.len() - 1, kept, bytes }
    }
}

/// What the test of one client uses: an account with one stored file, and a folder with a copy of the file.
struct Setting<'a> {
    client: &'static str,
    server: &'a Server,
    sample: &'a Sample,
    user: Client,
    folder: PathBuf,
    /// The id of the stored file.
    id: String,
}

impl<'a> Setting<'a> {
    fn new(client: &'static str, server: &'a Server, sample: &'a Sample) -> Self {
        let folder = root().join("target/e2e").join(format!("{}-stock-{client}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(NAME), &sample.bytes).unwrap();
        let user = server.user();
        let id = user.upload(ENCODED_NAME, &sample.bytes)["id"].as_str().unwrap().to_owned();
        Self { client, server, sample, user, folder, id }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.server.port)
    }

    fn file_url(&self) -> String {
        self.url(&format!("/api/files/{}", self.id))
    }

    fn cut_url(&self) -> String {
        format!("{}/cut?{CUT}", self.file_url())
    }

    fn authorization(&self) -> String {
        format!("Authorization: Bearer {}", self.user.token())
    }

    /// Returns a command that runs in the folder. The folder is also its home, so the command does not read the
    /// configuration of the person who runs the test.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.folder).env("HOME", &self.folder).env("LC_ALL", "C.UTF-8");
        for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs a command that must succeed.
    fn run(&self, command: &mut Command) -> Output {
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}: {}\n{}", self.client, output.status, text_of(&output));
        output
    }

    /// Asserts that a file in the folder has the bytes of the sample, and removes the file.
    fn assert_downloaded(&self, name: &str) {
        let path = self.folder.join(name);
        let bytes = fs::read(&path).unwrap_or_else(|error| {
            let names: Vec<_> =
                fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            panic!("{}: {name}: {error}; the folder has {names:?}", self.client)
        });
        assert_eq!(sha256_hex(&bytes), self.sample.sha256, "{}: {name} has other bytes", self.client);
        fs::remove_file(path).unwrap();
    }

    /// Asserts that a response to an upload describes a stored copy of the sample with this name.
    fn assert_uploaded(&self, response: &[u8], name: &str) {
        let response: Value = serde_json::from_slice(response)
            .unwrap_or_else(|_| panic!("{}: {}", self.client, String::from_utf8_lossy(response)));
        let file = &response["file"];
        assert_eq!(file["checksum"], self.sample.sha256, "{}: {response}", self.client);
        assert_eq!(file["filename"], name, "{}", self.client);
        let stored = self.user.download(file["id"].as_str().unwrap());
        assert_eq!(sha256_hex(&stored), self.sample.sha256, "{}", self.client);
    }

    /// Asserts that `csv` is the result of [`CUT`].
    fn assert_cut(&self, csv: &[u8]) {
        let rows = oracle::rows(csv);
        assert_eq!(rows[0], ["id", "customer"], "{}", self.client);
        let ids: Vec<_> = rows[1..].iter().map(|row| row[0].as_str()).collect();
        assert_eq!(ids, self.sample.kept, "{}", self.client);
    }

    /// Writes the first half of the sample to a file in the folder, as an interrupted download does.
    fn write_half(&self, name: &str) {
        fs::write(self.folder.join(name), &self.sample.bytes[..self.sample.bytes.len() / 2]).unwrap();
    }

    /// Returns the options for the scripts as JSON. `stock_clients.py` describes them.
    fn options(&self) -> String {
        json!({
            "base": self.url(""),
            "token": self.user.token(),
            "path": self.folder.join(NAME),
            "name": NAME,
            "encodedName": ENCODED_NAME,
            "sha256": self.sample.sha256,
            "rows": self.sample.rows,
            "file": self.id,
            "cut": CUT,
            "kept": self.sample.kept,
        })
        .to_string()
    }
}

impl Drop for Setting<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn script(name: &str) -> PathBuf {
    root().join("tests/e2e/stock").join(name)
}

fn python(setting: &Setting) {
    let python = root().join("target/clients/bin/python");
    assert!(python.exists(), "{} is missing. Install it: scripts/fixtures", setting.client);
    let mut command = setting.command(python);
    setting.run(command.arg(script("stock_clients.py")).arg(setting.client).arg(setting.options()));
}

fn node(setting: &Setting) {
    let mut command = setting.command(root().join("node_modules/.bin/node"));
    setting.run(command.arg(script("stock_clients.mjs")).arg(setting.client).arg(setting.options()));
}

fn curl(setting: &Setting) {
    require("curl", "scripts/fixtures");
    let curl = |arguments: &[&str]| {
        let mut command = setting.command("curl");
        command.args(["-sS", "-H", &setting.authorization()]).args(arguments);
        command
    };
    let curl_uploads = |arguments: &[&str], name: &str| {
        let mut command = curl(&["-v", "--fail-with-body"]);
        let output = setting.run(command.args(arguments));
        // curl waits for the response `100 Continue` before it sends a long body.
        let log = text_of(&output).to_ascii_lowercase();
        assert!(log.contains("> expect: 100-continue"), "{log}");
        assert!(log.contains("< http/1.1 100 continue"), "{log}");
        setting.assert_uploaded(&output.stdout, name);
    };
    let (files, file, cut) = (setting.url("/api/files"), setting.file_url(), setting.cut_url());
    let name_header = format!("X-File-Name: {ENCODED_NAME}");
    let data = format!("@{NAME}");

    curl_uploads(&["-F", &format!("file=@{NAME}"), &files], NAME);
    curl_uploads(&["-F", &format!("file=@{NAME};type=text/csv"), "-F", "tags=a,b", &files], NAME);
    curl_uploads(&["--data-binary", &data, "-H", &name_header, &files], NAME);
    curl_uploads(&["-X", "POST", "-T", NAME, "-H", &name_header, &files], NAME);
    // If curl reads the body from its standard input, it sends `Transfer-Encoding: chunked` and no `Content-Length`.
    let chunked = ["-X", "POST", "-T", "-", "-H", &name_header, "--fail-with-body", &files];
    let mut command = curl(&chunked);
    let input = fs::File::open(setting.folder.join(NAME)).unwrap();
    let output = command.stdin(input).output().unwrap();
    setting.assert_uploaded(&output.stdout, NAME);

    // `-T` alone sends a PUT. If the URL ends with a slash, curl appends the name of the file.
    for url in [files.clone(), format!("{files}/")] {
        let refused = setting.run(&mut curl(&["-i", "-T", NAME, &url]));
        let refused = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert!(refused.contains("HTTP/1.1 405"), "{refused}");
        assert!(refused.contains("Send POST to /api/files"), "{refused}");
    }

    // curl reads only the ASCII name of Content-Disposition.
    setting.run(&mut curl(&["--fail", "-OJ", &file]));
    setting.assert_downloaded(ASCII_NAME);
    setting.write_half("resumed.csv");
    setting.run(&mut curl(&["--fail", "-C", "-", "-o", "resumed.csv", &file]));
    setting.assert_downloaded("resumed.csv");

    let output = setting.run(&mut curl(&["--fail", "--compressed", "-D", "headers", &cut]));
    let headers = fs::read_to_string(setting.folder.join("headers")).unwrap().to_ascii_lowercase();
    assert!(headers.contains("content-encoding: gzip"), "{headers}");
    setting.assert_cut(&output.stdout);
    setting.assert_cut(&setting.run(&mut curl(&["--fail", &cut])).stdout);

    // The second request is conditional. The file has not changed, so the response is 304.
    let dated = ["-R", "-z", "dated.csv", "-o", "dated.csv"];
    let tagged = ["--etag-save", "etag", "--etag-compare", "etag", "-o", "tagged.csv"];
    for (name, arguments) in [("dated.csv", &dated[..]), ("tagged.csv", &tagged[..])] {
        for status in ["200", "304"] {
            let output = setting.run(curl(arguments).args(["--fail", "-w", "%{http_code}", &file]));
            assert_eq!(String::from_utf8_lossy(&output.stdout), status, "{name}: {}", text_of(&output));
        }
        setting.assert_downloaded(name);
    }
}

fn wget(setting: &Setting) {
    require("wget", "scripts/fixtures");
    let wget = |arguments: &[&str]| {
        let mut command = setting.command("wget");
        command.args(["-nv", "--tries=1", "--header", &setting.authorization()]).args(arguments);
        setting.run(&mut command)
    };
    let file = setting.file_url();
    fs::rename(setting.folder.join(NAME), setting.folder.join("source.csv")).unwrap();
    wget(&["--content-disposition", &file]);
    setting.assert_downloaded(NAME);
    setting.write_half(&setting.id);
    wget(&["-c", &file]);
    // The local file is complete, so wget requests a range that starts at the end of the file, and gets 416. wget does
    // not treat this response as an error.
    wget(&["-c", &file]);
    setting.assert_downloaded(&setting.id);
    wget(&["-N", &file]);
    let again = text_of(&wget(&["-N", "-S", &file]));
    assert!(again.contains("304 Not Modified"), "{again}");
    setting.assert_downloaded(&setting.id);
    let stored = wget(&[
        "-O",
        "-",
        "--post-file=source.csv",
        "--header",
        &format!("X-File-Name: {ENCODED_NAME}"),
        &setting.url("/api/files"),
    ]);
    setting.assert_uploaded(&stored.stdout, NAME);
    setting.assert_cut(&wget(&["-O", "-", &setting.cut_url()]).stdout);
}

fn aria2(setting: &Setting) {
    require("aria2c", "LONG=1 scripts/fixtures");
    let aria2 = |arguments: &[&str]| {
        let mut command = setting.command("aria2c");
        command.args(["--no-conf", "--allow-overwrite=true", "--header", &setting.authorization()]);
        setting.run(command.args(arguments))
    };
    fs::remove_file(setting.folder.join(NAME)).unwrap();
    let checksum = format!("--checksum=sha-256={}", setting.sample.sha256);
    aria2(&["-x4", "-s4", "-k1M", &checksum, &setting.file_url()]);
    setting.assert_downloaded(NAME);
    // aria2 requests the whole file for the first segment, and a byte range for each other segment.
    let line = format!("GET /api/files/{} 206", setting.id);
    let ranges = setting.server.log().lines().filter(|logged| logged.contains(&line)).count();
    assert!(ranges >= 2, "aria2 requested {ranges} ranges");
    setting.write_half("resumed.csv");
    aria2(&["-c", "-o", "resumed.csv", &checksum, &setting.file_url()]);
    setting.assert_downloaded("resumed.csv");
    aria2(&["-o", "cut.csv", &setting.cut_url()]);
    setting.assert_cut(&fs::read(setting.folder.join("cut.csv")).unwrap());
}

fn rclone(setting: &Setting) {
    require("rclone", "LONG=1 scripts/fixtures");
    let rclone = |arguments: &[&str]| {
        let mut command = setting.command("rclone");
        setting.run(command.args(["--config", "/dev/null", "--retries", "1"]).args(arguments))
    };
    fs::remove_file(setting.folder.join(NAME)).unwrap();
    let header = setting.authorization();
    let copy_url = ["copyurl", "--header", &header, "--auto-filename", "--header-filename"];
    rclone(&[&copy_url[..], &[&setting.file_url(), "."]].concat());
    setting.assert_downloaded(NAME);
    rclone(&["copyurl", "--header", &header, &setting.cut_url(), "cut.csv"]);
    setting.assert_cut(&fs::read(setting.folder.join("cut.csv")).unwrap());

    // rclone's backend `http` can read a file whose URL is known, although it cannot list the files of Cutty.
    let (url, headers) = (setting.url("/api/files/"), header.replacen(": ", ",", 1));
    let backend = ["--http-url", &url, "--http-headers", &headers];
    let source = format!(":http:{}", setting.id);
    rclone(&[&["copyto", &source, "backend.csv"][..], &backend].concat());
    setting.assert_downloaded("backend.csv");
}
