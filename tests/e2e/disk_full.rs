//! Uploads to a full disk. The list of files shows only files that are stored. After the test has freed space and the
//! sweeps have run, rows, objects and quotas agree.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::crash::sweep_away_what_is_left;
use super::http::{Call, Client, upload_call};
use super::samples::Orders;
use super::server::{Entry, Server, require};

/// Size of the disk: enough for the state of an empty server, and for a few files.
const DISK_BYTES: u64 = 24 << 20;

#[test]
fn an_upload_during_which_the_disk_becomes_full_leaves_nothing() {
    let mounted = |state: &Path| {
        let size = format!("size={DISK_BYTES}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(state);
        mount.output().is_ok_and(|done| done.status.success())
    };
    let Some(server) = Server::start_on(Entry::CrashPoints, &[], mounted) else {
        // `cargo test` hides the output of `eprintln!` if a test passes. A text that is written directly to the
        // standard error stays visible.
        let loud = "THE TEST WITH A SMALL DISK DID NOT RUN: this user cannot mount a tmpfs. Another test limits the \
                    size of files instead.\n";
        std::io::stderr().write_all(loud.as_bytes()).unwrap();
        return;
    };
    let user = server.user();
    let kept_bytes = Orders::file(9, 500_000, 0).0;
    let kept = user.upload("kept.csv", &kept_bytes)["id"].as_str().unwrap().to_owned();

    let filler = server.state_folder().join("filler");
    let mut slow = begin_upload(&server, &user, "filling");
    fill(&filler);
    finish_upload(&mut slow);
    assert_eq!(
        user_files_eventually(&server, &user),
        [kept.as_str()],
        "the list has a file that was not stored"
    );

    // The next upload begins on a full disk. The failed upload has freed its space, so the test fills the disk again.
    fill(&filler);
    let response = user.send(upload_call("late.csv", &kept_bytes).within(Duration::from_secs(20)));
    assert!(!response.is_ok_and(|response| response.status == 201), "an upload succeeded on a full disk");

    fs::remove_file(&filler).unwrap();
    server.kill_worker_process();
    assert_eq!(user.files(), [kept.as_str()]);
    sweep_away_what_is_left(&server);
    assert!(user.download(&kept) == kept_bytes);
    user.upload("again.csv", &kept_bytes);
}

#[test]
fn an_upload_that_exceeds_the_file_size_limit_of_the_operating_system_leaves_nothing() {
    require("prlimit", "apt-get install util-linux");
    let server = super::server::exclusive();
    let user = server.user();
    let kept_bytes = Orders::file(10, 500_000, 0).0;
    let kept = user.upload("kept.csv", &kept_bytes)["id"].as_str().unwrap().to_owned();

    let mut slow = begin_upload(&server, &user, "limited");
    // The databases are already longer than this limit. Writes beyond the limit fail or end the process.
    let limit = Command::new("prlimit")
        .arg("--fsize=65536")
        .args(["--pid", &server.worker_pid().to_string()])
        .status();
    assert!(limit.unwrap().success());
    finish_upload(&mut slow);
    assert_eq!(
        user_files_eventually(&server, &user),
        [kept.as_str()],
        "the list has a file that was not stored"
    );

    server.kill_worker_process();
    assert_eq!(user.files(), [kept.as_str()]);
    sweep_away_what_is_left(&server);
    assert!(user.download(&kept) == kept_bytes);
}

/// The length of the upload that does not fit, in bytes.
const UPLOAD_BYTES: usize = 8 << 20;
/// The number of bytes of this upload that are sent before the disk is full.
const SENT_FIRST: usize = 1 << 20;

/// Begins an upload. Returns when the server has written the intent and has begun the put.
fn begin_upload(server: &Server, user: &Client, name: &str) -> std::net::TcpStream {
    let mut slow = user.raw("POST /api/files");
    let head = format!("x-file-name: {name}.csv\r\ncontent-type: text/csv\r\nx-trace-calls: {name}");
    write!(slow, "{head}\r\ncontent-length: {UPLOAD_BYTES}\r\n\r\n").unwrap();
    slow.write_all(&line().repeat(SENT_FIRST / 16)).unwrap();
    server.logged(&format!("CALL {name} 3 FILES_BUCKET.put"));
    slow
}

/// Sends the rest of the upload. Reads the response, if there is one, and asserts that the upload did not succeed.
fn finish_upload(slow: &mut std::net::TcpStream) {
    let _ = slow.write_all(&line().repeat((UPLOAD_BYTES - SENT_FIRST) / 16));
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut response = [0; 12];
    let length = slow.read(&mut response).unwrap_or(0);
    let response = String::from_utf8_lossy(&response[..length]).into_owned();
    assert!(!response.starts_with("HTTP/1.1 2"), "the upload succeeded on a full disk: {response}");
}

fn line() -> &'static [u8] {
    b"0123456,8901234\n"
}

/// Writes to the file `filler` until the disk is full.
fn fill(filler: &Path) {
    let mut file = fs::File::create(filler).unwrap();
    for length in [1 << 20, 1 << 12] {
        while file.write_all(&vec![0; length]).is_ok() {}
    }
}

/// Returns the user's files. A server whose disk is full or whose process has just died may need some time to respond.
fn user_files_eventually(server: &Server, user: &Client) -> Vec<String> {
    server.eventually("the list of files", || {
        let response = user.send(Call::get("/api/files").within(Duration::from_secs(3))).ok()?;
        let list = (response.status == 200).then(|| response.json())?;
        let ids = list["files"].as_array()?.iter().map(|file| file["id"].as_str().map(str::to_owned));
        ids.collect()
    })
}
