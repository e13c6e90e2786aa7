//! Quotas under concurrent uploads, with the local D1 of the runtime.

use serde_json::{Value, json};

use super::http::{Call, Client, upload_call};
use super::server::{OPERATOR_TOKEN, Server, shared};

/// Number of concurrent uploads.
const UPLOADS: usize = 100;
/// Number of threads that send them.
const THREADS: usize = 20;
const CSV: &[u8] = b"a,b\n1,2\n";

fn set_limits(server: &Server, user: &Client, limits: &Value) {
    let (path, body) = (format!("/api/admin/users/{}", user.id), limits.to_string());
    let change = Call::patch(&path, body.as_bytes()).header("content-type", "application/json");
    server.client().with_token(OPERATOR_TOKEN).ask(change).expect(200);
}

fn usage(user: &Client) -> Value {
    user.ask(Call::get("/api/usage")).expect(200).json()["usage"].clone()
}

/// Sends all uploads concurrently, and returns how many were accepted. The others must be refused because of a quota.
fn upload_all(user: &Client) -> usize {
    let send = |count: usize| {
        let mut accepted = 0;
        for _ in 0..count {
            let response = user.ask(upload_call("a.csv", CSV));
            match response.status {
                201 => accepted += 1,
                507 => assert_eq!(response.json()["code"], "quota_exceeded"),
                _ => panic!("{}: {}", response.status, response.text()),
            }
        }
        accepted
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| send(UPLOADS / THREADS))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn concurrent_uploads_never_pass_a_quota_and_settle_exactly() {
    let server = shared();
    for (limits, fit) in [
        (json!({"quotaBytes": 37 * CSV.len() + CSV.len() / 2}), 37),
        (json!({"quotaFiles": 23}), 23),
        (json!({"quotaBytes": 31 * CSV.len(), "quotaFiles": 31}), 31),
    ] {
        let user = server.user();
        set_limits(&server, &user, &limits);
        assert_eq!(upload_all(&user), fit, "{limits}");
        let usage = usage(&user);
        let bytes = fit * CSV.len();
        assert_eq!((&usage["usedBytes"], &usage["reservedBytes"]), (&json!(bytes), &json!(0)), "{usage}");
        assert_eq!((&usage["files"], user.files().len()), (&json!(fit), fit), "{usage}");
        assert_eq!(usage["kinds"]["uploads"], json!({"bytes": bytes, "files": fit}));
        // The refused uploads are counted too, some seconds later.
        let uploads = &usage["months"][0]["operations"]["upload"];
        let [count, failed] = ["count", "failed"].map(|member| uploads[member].as_u64().unwrap());
        assert_eq!(count - failed, fit as u64, "{usage}");
        user.ask(upload_call("a.csv", CSV)).expect(507);
    }
}
