//! The platform's rate limiter slows down password guessing.

use serde_json::json;

use super::http::{Call, Response};
use super::server::shared;

/// The number of sign-in attempts: more than the 20 that `wrangler.toml` allows in two minutes. The test may begin in
/// one minute and end in the next.
const TRIES: usize = 21;

#[test]
fn password_guesses_are_limited_per_account() {
    let server = shared();
    let user = server.user();
    let guess = |name: &str| -> Response {
        let body = json!({"username": name, "password": "wrong horse battery"}).to_string();
        let call = Call::post("/api/auth/login", body.as_bytes()).header("content-type", "application/json");
        server.client().ask(call)
    };
    let responses: Vec<_> = (0..TRIES).map(|_| guess("guessed.at")).collect();
    let refused = responses.iter().find(|response| response.status == 429).expect("no guess was refused");
    assert_eq!((refused.header("retry-after"), &refused.json()["code"]), ("60", &json!("rate_limited")));
    let heard = responses.iter().filter(|response| response.status == 401).count();
    assert!((10..=20).contains(&heard), "{heard} guesses were checked");
    guess("somebody.else").expect(401);
    user.ask(Call::get("/api/files")).expect(200);
}
