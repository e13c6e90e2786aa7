//! The tests kill the server (`kill -9`) at every step of storing a file. No acknowledged file may be lost, and no
//! incomplete file may be visible. The sweeps must delete all objects that no file uses and release all reserved bytes.
//!
//! The tests contain no list of the steps. In a traced run, the server lists the calls to bindings that a request
//! makes. Then a test kills the process before each of these calls, and once more between the last call and the
//! response.

use std::io::Write;

use serde_json::{Value, json};

use super::http::{Call, Client, Response, sha256_hex};
use super::samples::Orders;
use super::server::{Server, exclusive};

/// A request that stores a file.
struct Storing<'a> {
    name: &'static str,
    /// The bytes of the file to cut. If set, the request saves a cut of this file; otherwise the request is an upload.
    parent: Option<&'a [u8]>,
    content_type: &'static str,
    body: Vec<u8>,
    /// The expected bytes of the file.
    wanted: Vec<u8>,
    /// The name of the call at which the test starts to kill the process. Another test covers the earlier calls. If
    /// this is `None`, the test starts at the first call.
    own_from: Option<&'static str>,
}

impl Storing<'_> {
    /// Sends the request with this header. `parent` is the id of the file to cut.
    fn send(
        &self,
        user: &Client,
        parent: Option<&str>,
        header: (&str, &str),
    ) -> Result<Response, ureq::Error> {
        let path = parent.map_or("/api/files".to_owned(), |id| format!("/api/files/{id}/save"));
        let call = Call::post(&path, &self.body).header("content-type", self.content_type);
        user.send(call.header(header.0, header.1))
    }

    fn upload_parent(&self, user: &Client) -> Option<String> {
        self.parent.map(|bytes| user.upload("parent.csv", bytes)["id"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_crash_between_any_two_steps_of_an_upload_leaves_the_whole_file_or_nothing() {
    let wanted = Orders::file(1, 300_000, 0).0;
    let body = wanted.clone();
    crash_before_each_step(&Storing {
        name: "raw",
        parent: None,
        content_type: "text/csv",
        body,
        wanted,
        own_from: None,
    });
}

#[test]
fn a_crash_between_any_two_steps_of_a_form_that_is_stored_in_parts_leaves_the_whole_file_or_nothing() {
    let wanted = Orders::file(2, 12 << 20, 0).0;
    let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"form.csv\"\r\n\r\n";
    let body = [head.as_bytes(), &wanted, b"\r\n--b--\r\n"].concat();
    let content_type = "multipart/form-data; boundary=b";
    crash_before_each_step(&Storing {
        name: "form",
        parent: None,
        content_type,
        body,
        wanted,
        own_from: None,
    });
}

#[test]
fn a_crash_between_any_two_steps_of_a_saved_cut_leaves_the_whole_file_or_nothing() {
    let parent: Option<&[u8]> = Some(b"a,b\n1,x\n2,y\n3,x\n");
    let body = json!({"selectedColumns": ["a"], "whereFilters": {"b": "x"}}).to_string().into();
    let wanted = b"a\n1\n3\n".to_vec();
    crash_before_each_step(&Storing {
        name: "save",
        parent,
        content_type: "application/json",
        body,
        wanted,
        own_from: None,
    });
}

#[test]
fn a_crash_between_any_two_steps_of_a_saved_cut_that_is_stored_in_parts_leaves_the_whole_file_or_nothing() {
    let parent = Orders::file(9, 12 << 20, 0).0;
    let body = json!({"selectedColumns": ["id", "customer", "note"]}).to_string().into();
    let without_amount = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        format!("{},{},{}\n", cells[0], cells[1], cells[3])
    };
    let wanted: String = std::str::from_utf8(&parent).unwrap().lines().map(without_amount).collect();
    assert!(wanted.len() > 8 << 20, "the result must be longer than one part");
    crash_before_each_step(&Storing {
        name: "save-parts",
        parent: Some(&parent),
        content_type: "application/json",
        body,
        wanted: wanted.into(),
        own_from: Some("FILES_BUCKET.createMultipartUpload"),
    });
}

#[test]
fn a_crash_in_the_middle_of_a_body_leaves_nothing() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(3, 8 << 20, 0).0;
    let mut slow = user.raw("POST /api/files");
    let head = "x-file-name: slow.csv\r\ncontent-type: text/csv\r\nx-trace-calls: slow";
    write!(slow, "{head}\r\ncontent-length: {}\r\n\r\n", bytes.len()).unwrap();
    slow.write_all(&bytes[..bytes.len() / 2]).unwrap();
    server.logged("CALL slow 3 FILES_BUCKET.put");
    server.kill_worker_process();
    assert_eq!(user.files(), [""; 0]);
    sweep_away_what_is_left(&server);
    assert_eq!(server.state().quota(&user.id).used, 0);
}

#[test]
fn acknowledged_files_survive_an_immediate_crash() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(4, 2 << 20, 0).0;
    let id = user.upload("kept.csv", &bytes)["id"].as_str().unwrap().to_owned();
    server.kill_worker_process();
    assert_eq!(user.files(), [id.as_str()]);
    assert!(user.download(&id) == bytes);
    sweep_away_what_is_left(&server);
    assert!(user.download(&id) == bytes);
}

fn crash_before_each_step(storing: &Storing<'_>) {
    let server = exclusive();
    let calls = trace(&server, storing);
    let storing_calls = calls.iter().filter(|call| call.starts_with("FILES_BUCKET")).count();
    assert!(calls.len() >= 4 && storing_calls >= 1, "the trace has too few calls: {calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("DB.batch"), "the last call must be the commit");
    let is_own = |call: &String| storing.own_from.is_none_or(|own_from| call == own_from);
    let first_own = calls.iter().position(is_own).unwrap() + 1;
    for step in first_own..=calls.len() {
        crash_before(&server, storing, &step.to_string(), Expected::Nothing);
    }
    crash_before(&server, storing, "end", Expected::WholeFile);
    sweep_away_what_is_left(&server);
}

/// Returns the calls to bindings that the request makes.
fn trace(server: &Server, storing: &Storing<'_>) -> Vec<String> {
    let user = server.user();
    let parent = storing.upload_parent(&user);
    traced_calls(
        &storing.send(&user, parent.as_deref(), ("x-trace-calls", storing.name)).unwrap().expect(201),
    )
}

/// Returns the calls that the response to a traced request lists.
pub fn traced_calls(response: &Response) -> Vec<String> {
    response.header("x-traced-calls").split(',').map(str::to_owned).collect()
}

/// Sends a request with the header that names the crash point, and kills the process when the request reaches `step`.
/// Returns the response or the error that the client received.
pub fn crash_at(
    server: &Server,
    name: &str,
    step: &str,
    send: impl FnOnce((&str, &str)) -> Result<Response, ureq::Error> + Send,
) -> Result<Response, ureq::Error> {
    let crash = format!("{name} {step}");
    kill_during(server, name, || send(("x-crash-before", &crash)))
}

/// Kills the process when `work` reaches the crash point `name`. Returns the result of `work`.
pub fn kill_during<T: Send>(server: &Server, name: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(work);
        server.logged(&format!("CRASHPOINT {name}"));
        server.kill_worker_process();
        work.join().unwrap()
    })
}

/// The state that must be visible after a crash.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Nothing,
    /// The whole file: the commit happened, but no client received the response.
    WholeFile,
}

fn crash_before(server: &Server, storing: &Storing<'_>, step: &str, expected: Expected) {
    let user = server.user();
    let parent = storing.upload_parent(&user);
    let name = format!("{}-{step}", storing.name);
    let send = |header: (&str, &str)| storing.send(&user, parent.as_deref(), header);
    let response = crash_at(server, &name, step, send);
    assert!(
        response.is_err() || response.is_ok_and(|response| response.status >= 500),
        "{name}: the request must not be acknowledged"
    );

    let stored: Vec<_> = user.files().into_iter().filter(|id| Some(id) != parent.as_ref()).collect();
    assert_eq!(stored.len(), usize::from(expected == Expected::WholeFile), "{name}: {expected:?}");
    for id in stored {
        assert_whole(&user, &id, storing, &name);
    }
    // The same user can send the same request again.
    let again = storing.send(&user, parent.as_deref(), ("x-request-id", "again")).unwrap().expect(201).json();
    assert_whole(&user, again["file"]["id"].as_str().unwrap(), storing, &name);
}

fn assert_whole(user: &Client, id: &str, storing: &Storing<'_>, name: &str) {
    let facts = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
    assert_eq!(facts["file"]["checksum"], sha256_hex(&storing.wanted), "{name}");
    assert!(user.download(id) == storing.wanted, "{name}: the file has other bytes");
}

/// Runs the sweeps twice and asserts that only kept files, their objects and consistent quotas are left.
pub fn sweep_away_what_is_left(server: &Server) {
    // The sweeps abandon an unfinished attempt after 24 hours.
    sweep_away_after(server, 25);
}

/// Like [`sweep_away_what_is_left`], but for attempts that are abandoned after `hours` hours.
pub fn sweep_away_after(server: &Server, hours: u64) {
    // The first run deletes the objects of abandoned attempts. After 24 hours, the second run deletes these objects
    // once more, because a put that ran during the first deletion may have stored an object afterwards.
    server.sweep_after_hours(hours);
    let state = server.state();
    assert_eq!(state.objects(), state.referenced_objects(), "after the first run");
    assert_eq!((state.loose_parts(), state.reserved()), (0, 0), "after the first run: parts, reserved bytes");
    assert_eq!(server.fsck(true), Vec::<Value>::new(), "after the first run");
    server.sweep_after_hours(hours + 25);
    assert_eq!(server.fsck(true), Vec::<Value>::new());
    let state = server.state();
    assert_eq!(state.unfinished(), 0, "rows of unfinished attempts");
    assert_eq!(state.running_cuts(), 0, "receipts that are still `running`");
    assert_eq!(state.objects(), state.referenced_objects());
    assert_eq!(state.loose_parts(), 0, "parts without an object");
    assert_eq!(state.wrong_quotas(), Vec::<String>::new());
}
