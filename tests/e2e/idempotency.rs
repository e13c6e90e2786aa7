//! Requests with an `Idempotency-Key`, with the local D1 of the runtime. D1 writes the effect of a request, and the
//! record of this effect under the key, in one batch. One test kills the process (`kill -9`) at every step.

use super::crash::{crash_at, traced_calls};
use super::http::{Call, Response, upload_call};
use super::server::{exclusive, shared};

const CSV: &[u8] = b"a,b\n1,x\n2,y\n";

fn keyed<'a>(call: Call<'a>, key: &str) -> Call<'a> {
    call.header("idempotency-key", key)
}

fn is_replay(response: &Response) -> bool {
    response.header("idempotency-replayed") == "true"
}

#[test]
fn a_repeated_request_is_replayed_and_another_request_with_the_same_key_is_refused() {
    let server = shared();
    let user = server.user();
    let path = format!("/api/files/{}", user.upload("a.csv", CSV)["id"].as_str().unwrap());
    let (save, restore) = (format!("{path}/save"), format!("{path}/restore"));
    let json =
        |path: &str, body: &'static [u8]| Call::post(path, body).header("content-type", "application/json");
    type Make<'a> = Box<dyn Fn() -> Call<'static> + 'a>;
    let requests: [(Make<'_>, u16); 5] = [
        (Box::new(|| upload_call("b.csv", CSV)), 201),
        (Box::new(|| json(&save, b"{\"selectedColumns\": [\"a\"]}")), 201),
        (Box::new(|| Call::delete(&path)), 200),
        (Box::new(|| Call::post(&restore, b"")), 200),
        (Box::new(|| Call::delete(&format!("{path}?permanent=true"))), 200),
    ];
    for (index, (make, status)) in requests.iter().enumerate() {
        let key = format!("key-{index}");
        let first = user.ask(keyed(make(), &key)).expect(*status);
        let again = user.ask(keyed(make(), &key)).expect(*status);
        assert!(!is_replay(&first) && is_replay(&again), "{index}");
        assert_eq!(again.text(), first.text());
        assert_eq!(again.header("location"), first.header("location"));
        let other = user.ask(keyed(upload_call("other.csv", CSV), &key)).expect(422);
        assert_eq!(other.json()["code"], "idempotency_reuse");
    }
    assert_eq!(user.files().len(), 2, "there must be one upload and one saved cut");
    user.ask(keyed(upload_call("c.csv", CSV), "no key")).expect(400);
}

#[test]
fn a_retry_after_a_crash_at_any_step_creates_one_file() {
    let server = exclusive();
    let call = || keyed(upload_call("a.csv", CSV), "one");
    let calls = traced_calls(&server.user().ask(call().header("x-trace-calls", "keyed")).expect(201));
    assert_eq!(calls.iter().filter(|call| *call == "DB.batch").count(), 5, "{calls:?}");
    let mut waiting = Vec::new();
    for step in 1..=calls.len() {
        let user = server.user();
        let name = format!("keyed-{step}");
        let send = |(name, value): (&str, &str)| user.send(call().header(name, value));
        drop(crash_at(&server, &name, &step.to_string(), send));
        // The last call stores the response. The call before it is the commit, which records the effect.
        let stored = user.files();
        assert_eq!(stored.len(), usize::from(step == calls.len()), "{name}");
        let retry = user.ask(call());
        if step == calls.len() {
            assert!(is_replay(&retry));
            assert_eq!(retry.expect(201).json()["file"]["id"], stored[0]);
        } else if retry.status == 409 {
            assert!(!retry.header("retry-after").is_empty());
            assert_eq!(retry.json()["code"], "in_progress");
            waiting.push((name, user));
            continue;
        } else {
            retry.expect(201);
        }
        assert_eq!(user.files().len(), 1, "{name}");
    }
    assert!(waiting.len() + 4 >= calls.len(), "the key must be claimed during most calls");
    // The sweeps run 25 hours later. By then the leases on the keys have ended.
    super::crash::sweep_away_what_is_left(&server);
    for (name, user) in waiting {
        assert_eq!(user.files(), [""; 0], "{name}");
        user.ask(call()).expect(201);
        assert!(is_replay(&user.ask(call()).expect(201)), "{name}");
        assert_eq!(user.files().len(), 1, "{name}");
    }
}
