//! `kill -9` at every step of storing a file: nothing that was acknowledged is lost, nothing half done is seen, and the
//! sweeps take away what is left, to the last byte of the quota.
//!
//! The steps are found out, not listed: a traced run tells which calls of bindings a request makes, and then the
//! process is killed before each of them, and once more between the last and the answer.

use std::io::Write;

use serde_json::{Value, json};

use super::http::{Answer, Call, Client, sha256_hex, upload_call};
use super::samples::Orders;
use super::server::{Server, exclusive};

/// A way to store a file.
struct Storing {
    name: &'static str,
    /// Makes the request, with this header.
    request: fn(&Client, &Prepared, (&str, &str)) -> Result<Answer, ureq::Error>,
    prepare: fn(&Client) -> Prepared,
}

/// What a request needs, and what it must store.
struct Prepared {
    parent: Option<String>,
    body: Vec<u8>,
    wanted: Vec<u8>,
}

#[test]
fn a_crash_between_any_two_steps_of_an_upload_leaves_all_of_it_or_nothing() {
    let prepare = |_: &Client| {
        let body = Orders::file(1, 300_000, 0).0;
        Prepared { parent: None, wanted: body.clone(), body }
    };
    let request = |user: &Client, prepared: &Prepared, header: (&str, &str)| {
        user.send(upload_call("raw.csv", &prepared.body).header(header.0, header.1))
    };
    crash_everywhere(&Storing { name: "raw", request, prepare });
}

#[test]
fn a_crash_between_any_two_steps_of_a_form_in_parts_leaves_all_of_it_or_nothing() {
    let prepare = |_: &Client| {
        let wanted = Orders::file(2, 12 << 20, 0).0;
        let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"form.csv\"\r\n\r\n";
        Prepared { parent: None, body: [head.as_bytes(), &wanted, b"\r\n--b--\r\n"].concat(), wanted }
    };
    let request = |user: &Client, prepared: &Prepared, header: (&str, &str)| {
        let call = Call::post("/api/files", &prepared.body).header(header.0, header.1);
        user.send(call.header("content-type", "multipart/form-data; boundary=b"))
    };
    crash_everywhere(&Storing { name: "form", request, prepare });
}

#[test]
fn a_crash_between_any_two_steps_of_a_saved_cut_leaves_all_of_it_or_nothing() {
    let prepare = |user: &Client| {
        let file = user.upload("parent.csv", b"a,b\n1,x\n2,y\n3,x\n");
        let parent = file["id"].as_str().map(str::to_owned);
        let body = json!({"selectedColumns": ["a"], "whereFilters": {"b": "x"}}).to_string().into();
        Prepared { parent, body, wanted: b"a\n1\n3\n".to_vec() }
    };
    let request = |user: &Client, prepared: &Prepared, header: (&str, &str)| {
        let path = format!("/api/files/{}/save", prepared.parent.as_deref().unwrap());
        let call = Call::post(&path, &prepared.body).header("content-type", "application/json");
        user.send(call.header(header.0, header.1))
    };
    crash_everywhere(&Storing { name: "save", request, prepare });
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
fn what_was_acknowledged_survives_a_crash_at_once() {
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

fn crash_everywhere(storing: &Storing) {
    let server = exclusive();
    let calls = trace(&server, storing);
    let storing_calls = calls.iter().filter(|call| call.starts_with("FILES_BUCKET")).count();
    assert!(calls.len() >= 4 && storing_calls >= 1, "the trace has too few calls: {calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("DB.batch"), "the last step is the commit");
    for step in 1..=calls.len() {
        crash_before(&server, storing, &step.to_string(), Expected::Nothing);
    }
    crash_before(&server, storing, "end", Expected::WholeFile);
    sweep_away_what_is_left(&server);
}

/// The calls of bindings that the request makes.
fn trace(server: &Server, storing: &Storing) -> Vec<String> {
    let user = server.user();
    let prepared = (storing.prepare)(&user);
    let answer = (storing.request)(&user, &prepared, ("x-trace-calls", storing.name)).unwrap().expect(201);
    answer.header("x-traced-calls").split(',').map(str::to_owned).collect()
}

/// What must be visible after a crash.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Nothing,
    /// The commit has happened, though nobody was told.
    WholeFile,
}

fn crash_before(server: &Server, storing: &Storing, step: &str, expected: Expected) {
    let user = server.user();
    let prepared = (storing.prepare)(&user);
    let name = format!("{}-{step}", storing.name);
    let answer = std::thread::scope(|scope| {
        let request = || (storing.request)(&user, &prepared, ("x-crash-before", &format!("{name} {step}")));
        let request = scope.spawn(request);
        server.logged(&format!("CRASHPOINT {name}"));
        server.kill_worker_process();
        request.join().unwrap()
    });
    assert!(
        answer.is_err() || answer.is_ok_and(|answer| answer.status >= 500),
        "{name}: it was acknowledged"
    );

    let stored = new_files(&user, &prepared);
    assert_eq!(stored.len(), usize::from(expected == Expected::WholeFile), "{name}: {expected:?}");
    for id in stored {
        assert_whole(&user, &id, &prepared, &name);
    }
    // The same request again, by the same user, works.
    let again = (storing.request)(&user, &prepared, ("x-request-id", "again")).unwrap().expect(201).json();
    assert_whole(&user, again["file"]["id"].as_str().unwrap(), &prepared, &name);
}

fn new_files(user: &Client, prepared: &Prepared) -> Vec<String> {
    user.files().into_iter().filter(|id| Some(id) != prepared.parent.as_ref()).collect()
}

fn assert_whole(user: &Client, id: &str, prepared: &Prepared, name: &str) {
    let facts = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
    let facts: &Value = &facts["file"];
    assert_eq!(facts["checksum"], sha256_hex(&prepared.wanted), "{name}");
    assert!(user.download(id) == prepared.wanted, "{name}: other bytes came back");
}

/// After the two passes of the sweep there is nothing but kept files, their objects, and quotas that add up.
pub fn sweep_away_what_is_left(server: &Server) {
    // An attempt is given up after 24 hours; its object is deleted then, and once more 24 hours later.
    server.sweep_after_hours(25);
    server.sweep_after_hours(50);
    let state = server.state();
    assert_eq!(state.unfinished(), 0, "rows of unfinished attempts");
    assert_eq!(state.running_cuts(), 0, "cuts that say they run");
    assert_eq!(state.objects(), state.referenced_objects());
    assert_eq!(state.loose_parts(), 0, "parts that belong to no object");
    assert_eq!(state.wrong_quotas(), Vec::<String>::new());
}
