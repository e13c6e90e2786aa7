//! Kills the server (`kill -9`) at every step of the work on a temporary object: on the spool of a long result, and on
//! the state of a background pass. No temporary object remains, and a repeated request gets the complete result.

use super::crash::{crash_at, sweep_away_what_is_left, traced_calls};
use super::http::{Call, Client};
use super::samples::Orders;
use super::server::{Server, exclusive};

#[test]
fn the_sweeps_delete_the_spool_after_a_crash_between_any_two_steps_of_a_spooled_cut() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(12, 9 << 20, 0).0;
    let id = user.upload("long.csv", &bytes)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}/cut");
    // The request is a POST, because wrangler's proxy would repeat a GET that fails.
    let call = |header: (&str, &str)| {
        let call = Call::post(&path, b"{\"streaming\": false}").header("content-type", "application/json");
        call.header(header.0, header.1)
    };
    let traced = user.ask(call(("x-trace-calls", "aside"))).expect(200);
    assert!(traced.body == bytes && traced.header("content-length") == bytes.len().to_string());
    let calls = traced_calls(&traced);
    assert_eq!(calls.iter().filter(|call| call.ends_with("uploadPart")).count(), 2, "{calls:?}");

    // The number (from 1) of the first call that only a spooled cut makes. This call records the spool's key. The next
    // call creates the multipart upload.
    let first_own = calls.iter().position(|call| call.ends_with("createMultipartUpload")).unwrap();
    for step in first_own..=calls.len() {
        let name = format!("aside-{step}");
        let response = crash_at(&server, &name, &step.to_string(), |header| user.send(call(header)));
        assert!(response.is_err() || response.is_ok_and(|response| response.status >= 500), "{name}");
    }
    // After the Worker has sent the result, it makes two more calls: it deletes the spool, and then it removes the
    // spool's key from `gc_queue`.
    for step in 1..=2 {
        let name = format!("aside-sent-{step}");
        let step = (calls.len() + step).to_string();
        let response = crash_at(&server, &name, &step, |header| user.send(call(header)));
        assert!(response.is_err() || response.is_ok_and(|response| response.body == bytes), "{name}");
    }
    assert_eq!(user.files(), [id.as_str()]);
    assert!(user.ask(call(("x-request-id", "again"))).expect(200).body == bytes);
    sweep_away_what_is_left(&server);
}

#[test]
fn a_file_is_profiled_after_a_crash_between_any_two_steps_of_the_background_pass() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(13, 200_000, 0).0;
    let traced = user.ask(upload(&bytes).header("x-trace-calls", "profiled")).expect(201);
    let is_put = |(_, call): &(usize, &String)| *call == "FILES_BUCKET.put";
    let calls = traced_calls(&traced);
    let (profile_put, _) = calls.iter().enumerate().filter(is_put).nth(1).unwrap();
    let unlearned = || {
        let call = upload(&bytes).header("x-fail-call", &(profile_put + 1).to_string());
        user.ask(call).expect(201).json()["file"]["id"].as_str().unwrap().to_owned()
    };
    let rows = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 - 1;

    let traced_pass = || {
        let first = unlearned();
        assert_eq!(rows_of(&user, &first), None);
        send_order(&server, "trace learning");
        server.sweep_after_hours(1);
        let calls = server.logged("ENDED learning ").split(',').count();
        assert_eq!(rows_of(&user, &first), Some(rows));
        calls
    };
    // A batch of the queue may also contain a message of an earlier request. The calls for this message are traced too,
    // so the test uses the shorter one of two traces.
    let calls = traced_pass().min(traced_pass());

    for step in (1..=calls).map(|step| step.to_string()).chain(["end".to_owned()]) {
        let id = unlearned();
        send_order(&server, &format!("crash learning-{step} {step}"));
        server.sweep_after_hours(1);
        server.logged(&format!("CRASHPOINT learning-{step}"));
        server.kill_worker_process();
        assert_eq!(rows_of(&user, &id).is_some(), step == "end", "{step}");
        assert!(user.download(&id) == bytes, "{step}");
        server.sweep_after_hours(1);
        server.eventually("the file is profiled", || rows_of(&user, &id));
        assert_eq!(rows_of(&user, &id), Some(rows), "{step}");
    }
    sweep_away_what_is_left(&server);
}

fn upload(bytes: &[u8]) -> Call<'_> {
    super::http::upload_call("learn.csv", bytes)
}

/// Tells the Worker how to run the next background pass: to trace its calls, or to hang at one of them.
fn send_order(server: &Server, order: &str) {
    server.client().ask(Call::get("/health").header("x-next-learning", order)).expect(200);
}

/// Returns the number of rows that the file's metadata shows.
fn rows_of(user: &Client, id: &str) -> Option<u64> {
    let facts = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
    facts["file"]["rowCount"].as_u64()
}
