//! The rate limits in real Durable Objects: the exact number of requests is admitted, the headers say what is left, and
//! after a while the next request is admitted.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::http::{Call, Response};
use super::server::{Entry, Server};

const CSV: &[u8] = b"city,n\nBern,1\nOslo,2\n";

#[test]
fn limits_are_exact_and_recover() {
    let variables = [("CUTS_PER_MINUTE", "12"), ("UPLOADS_PER_MINUTE", "4"), ("SIGN_IN_FREE_FAILURES", "1")];
    let server = Server::start(Entry::Product, &variables);
    let user = server.user();
    let upload = |name: &str| -> Response {
        user.ask(Call::post("/api/files", CSV).header("content-type", "text/csv").header("x-file-name", name))
    };
    let file = upload("a.csv").expect(201).json()["file"]["id"].as_str().unwrap().to_owned();
    let cut = || user.ask(Call::get(&format!("/api/files/{file}/cut")));

    let responses: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..40).map(|_| scope.spawn(cut)).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    });
    let admitted = responses.iter().filter(|response| response.status == 200).count();
    // A twelfth of a minute refills the bucket by one cut, and forty cuts take some time.
    assert!((12..=16).contains(&admitted), "{admitted} cuts were admitted");
    let refused = responses.iter().find(|response| response.status == 429).unwrap();
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(refused.json()["limit"], "cuts");
    let wait_s: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=5).contains(&wait_s), "{wait_s}");
    for response in &responses {
        let policy = "\"cuts\";q=12;w=60, \"scan\";q=100000000000000;w=3600;qu=\"content-bytes\"";
        assert_eq!(response.header("ratelimit-policy"), policy);
        assert!(response.header("ratelimit").starts_with("\"cuts\";r="), "{}", response.header("ratelimit"));
    }
    user.ask(Call::get("/api/files")).expect(200);
    thread::sleep(Duration::from_secs(6));
    cut().expect(200);

    let uploads: Vec<_> = (0..6).map(|n| upload(&format!("{n}.csv")).status).collect();
    assert!(uploads.contains(&201) && uploads.contains(&429), "{uploads:?}");

    let guess = || {
        let body = json!({"username": "guessed.at", "password": "wrong horse battery"}).to_string();
        let call = Call::post("/api/auth/login", body.as_bytes()).header("content-type", "application/json");
        server.client().ask(call)
    };
    guess().expect(401);
    guess().expect(401);
    let delayed = guess();
    assert_eq!((delayed.status, &delayed.json()["limit"]), (429, &json!("sign-ins")));
    thread::sleep(Duration::from_millis(1100));
    guess().expect(401);
}
