//! The platform's own counter keeps guessers at bay.

use serde_json::json;

use super::http::{Answer, Call};
use super::server::shared;

/// More than `wrangler.toml` lets pass in a minute, and in the next one, should the test run into it.
const TRIES: usize = 21;

#[test]
fn guesses_at_one_password_are_refused_after_a_few_and_other_people_are_not() {
    let server = shared();
    let user = server.user();
    let guess = |name: &str| -> Answer {
        let body = json!({"username": name, "password": "wrong horse battery"}).to_string();
        let call = Call::post("/api/auth/login", body.as_bytes()).header("content-type", "application/json");
        server.client().ask(call)
    };
    let answers: Vec<_> = (0..TRIES).map(|_| guess("guessed.at")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a guess too many");
    assert_eq!((refused.header("retry-after"), &refused.json()["code"]), ("60", &json!("rate_limited")));
    let heard = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((10..=20).contains(&heard), "{heard} guesses were answered");
    guess("somebody.else").expect(401);
    user.ask(Call::get("/api/files")).expect(200);
}
