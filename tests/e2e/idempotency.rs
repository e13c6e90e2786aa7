//! `Idempotency-Key` on the real database: what is tied to the key in one batch holds there too, and after `kill -9`.

use super::http::{Answer, Call, Client, upload_call};
use super::server::{Server, exclusive, shared};

const CSV: &[u8] = b"a,b\n1,x\n2,y\n";

fn keyed<'a>(call: Call<'a>, key: &str) -> Call<'a> {
    call.header("idempotency-key", key)
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

#[test]
fn a_repeat_of_each_request_is_answered_alike_and_another_request_is_refused() {
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
    assert_eq!(user.files().len(), 2, "one upload and one saved cut");
    user.ask(keyed(upload_call("c.csv", CSV), "no key")).expect(400);
}

#[test]
fn a_retry_after_a_crash_is_answered_from_the_effect_or_told_to_wait() {
    let server = exclusive();
    let steps = steps_of_an_upload(&server);
    // The last two steps are the commit, which records the effect, and the keeping of the answer.
    for (step, is_done) in [(steps - 1, false), (steps, true)] {
        let user = server.user();
        crash_before(&server, &user, step);
        let stored = user.files();
        assert_eq!(stored.len(), usize::from(is_done));
        let retry = user.ask(keyed(upload_call("a.csv", CSV), "one"));
        if is_done {
            let retry = retry.expect(201);
            assert!(is_replay(&retry));
            assert_eq!(retry.json()["file"]["id"], stored[0]);
        } else {
            assert!(!retry.header("retry-after").is_empty());
            assert_eq!(retry.expect(409).json()["code"], "in_progress");
        }
        assert_eq!(user.files(), stored, "no second effect");
    }
    super::crash::sweep_away_what_is_left(&server);
}

fn steps_of_an_upload(server: &Server) -> usize {
    let call = keyed(upload_call("a.csv", CSV), "one").header("x-trace-calls", "keyed");
    let traced = server.user().ask(call).expect(201);
    let calls: Vec<_> = traced.header("x-traced-calls").split(',').map(str::to_owned).collect();
    assert_eq!(calls.iter().filter(|call| *call == "DB.batch").count(), 5, "{calls:?}");
    calls.len()
}

fn crash_before(server: &Server, user: &Client, step: usize) {
    std::thread::scope(|scope| {
        let crash = format!("keyed-{step} {step}");
        let request = scope.spawn(move || {
            user.send(keyed(upload_call("a.csv", CSV), "one").header("x-crash-before", &crash))
        });
        server.logged(&format!("CRASHPOINT keyed-{step}"));
        server.kill_worker_process();
        drop(request.join().unwrap());
    });
}
