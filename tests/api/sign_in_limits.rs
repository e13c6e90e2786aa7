//! The service limits the sign-in attempts from one network. A network is an IPv4 address, or the first 64 bits of an
//! IPv6 address. One limit counts the attempts from a network for one account, and another limit counts all attempts and
//! registrations from that network. The limits affect neither other networks nor signed-in users.

use cutty::ports::{Admission, RateLimit};
use serde_json::json;

use crate::support::client::{Call, get, post_json};
use crate::support::{On, TestApp};

const PASSWORD: &str = "correct horse battery";

fn login(name: &str, password: &str, address: &str) -> Call {
    post_json("/api/auth/login", &json!({"username": name, "password": password}))
        .header("cf-connecting-ip", address)
}

fn register(name: &str, address: &str) -> Call {
    post_json("/api/auth/register", &json!({"username": name, "password": PASSWORD}))
        .header("cf-connecting-ip", address)
}

#[tokio::test]
async fn sign_in_attempts_for_one_account_from_one_network_are_limited() {
    let app = TestApp::new();
    let session = app.send(register("ada", "192.0.2.1")).await.expect(201).json();
    app.limits.set(RateLimit::LoginsOfAccount, 3);
    for (address, name) in [("2001:db8::1", "ada"), ("2001:db8::2", "ADA"), ("2001:db8::3", " ada ")] {
        app.send(login(name, "wrong horse battery", address)).await.expect_problem(401, "bad_credentials");
    }
    app.faults.forget_calls();
    let refused = app.send(login("ada", PASSWORD, "2001:db8::4")).await;
    assert_eq!(refused.header("retry-after"), "60");
    refused.expect_problem(429, "rate_limited");
    assert_eq!(app.faults.count(&On::database()), 0, "a refused sign-in attempt must not call the database");

    app.send(register("bob", "2001:db8::4")).await.expect(201);
    app.send(login("bob", PASSWORD, "2001:db8::4")).await.expect(200);
    let token = session["tokens"]["access_token"].as_str().unwrap();
    app.send(get("/api/files").bearer(token)).await.expect(200);
    let refresh = json!({"refresh_token": session["tokens"]["refresh_token"]});
    app.send(post_json("/api/auth/refresh", &refresh)).await.expect(200);
}

#[tokio::test]
async fn guesses_from_many_addresses_do_not_lock_the_owner_of_an_account_out() {
    let app = TestApp::new();
    app.send(register("ada", "192.0.2.1")).await.expect(201);
    app.limits.set(RateLimit::LoginsOfAccount, RateLimit::LoginsOfAccount.per_window());
    app.limits.set(RateLimit::SignInsFromAddress, RateLimit::SignInsFromAddress.per_window());
    for guesser in ["198.51.100.1", "2001:db8::1", "somewhere"] {
        for _ in 0..RateLimit::LoginsOfAccount.per_window() {
            app.send(login("ada", "wrong horse battery", guesser)).await.expect(401);
        }
        app.send(login("ada", PASSWORD, guesser)).await;
        app.send(login("ada", PASSWORD, "192.0.2.1")).await.expect(200);
    }
}

#[tokio::test]
async fn all_callers_without_a_readable_address_share_one_counter() {
    let app = TestApp::new();
    app.limits.set(RateLimit::SignInsFromAddress, 4);
    let without_address = || login("eve", "wrong horse battery", "").without("cf-connecting-ip");
    app.send(without_address()).await.expect(401);
    for address in ["", "somewhere", "192.0.2.1, 192.0.2.2"] {
        app.send(login("eve", "wrong horse battery", address)).await.expect(401);
    }
    app.send(without_address()).await.expect_problem(429, "rate_limited");
    app.send(login("mallory", PASSWORD, "192.0.2")).await.expect_problem(429, "rate_limited");
    app.send(register("bob", "elsewhere")).await.expect_problem(429, "rate_limited");
    app.send(register("bob", "192.0.2.1")).await.expect(201);
}

#[tokio::test]
async fn a_repeated_registration_counts_as_a_sign_in_attempt_for_its_account() {
    let app = TestApp::new();
    let again = |password: &str, address: &str| {
        let body = json!({"username": "ada", "password": password});
        let call = post_json("/api/auth/register", &body).header("idempotency-key", "ada-1");
        call.header("cf-connecting-ip", address)
    };
    app.send(again(PASSWORD, "192.0.2.1")).await.expect(201);
    app.limits.set(RateLimit::LoginsOfAccount, 1);
    app.send(again("wrong horse battery", "192.0.2.2")).await.expect_problem(422, "idempotency_reuse");
    app.send(again(PASSWORD, "192.0.2.2")).await.expect_problem(429, "rate_limited");
    app.send(again(PASSWORD, "192.0.2.3")).await.expect(201);
}

#[tokio::test]
async fn sign_in_attempts_from_one_network_are_limited_across_accounts() {
    let app = TestApp::new();
    app.limits.set(RateLimit::SignInsFromAddress, 3);
    app.send(register("ada", "2001:db8::1")).await.expect(201);
    app.send(login("eve", "wrong horse battery", "2001:db8::2")).await.expect_problem(401, "bad_credentials");
    app.send(register("ada", "2001:db8::3")).await.expect_problem(409, "user_exists");
    for call in [login("ada", PASSWORD, "2001:db8::4"), register("bob", "2001:db8::5")] {
        let refused = app.send(call).await;
        assert_eq!(refused.header("retry-after"), "60");
        refused.expect_problem(429, "rate_limited");
    }
    assert_eq!(app.database.row_counts()["users"], 1);
    let counted = app.limits.seen(RateLimit::LoginsOfAccount);
    assert_eq!(
        counted.values().sum::<u32>(),
        1,
        "a sign-in attempt that the address limit refuses must not count for the account"
    );
    app.send(login("ada", PASSWORD, "2001:db8:0:1::1")).await.expect(200);
}

#[tokio::test]
async fn a_rate_limiter_gets_only_hashed_names() {
    let app = TestApp::new();
    app.send(login("ada@example.com", "wrong horse battery", "192.0.2.1")).await.expect(401);
    let counted = app.limits.seen(RateLimit::LoginsOfAccount);
    assert!(counted.keys().all(|key| key.len() == 64 && !key.contains("ada")), "{counted:?}");
}

#[tokio::test]
async fn a_failed_rate_limiter_refuses_no_login() {
    let app = TestApp::new();
    app.send(register("ada", "192.0.2.1")).await.expect(201);
    app.limits.break_down();
    app.log.take();
    app.send(login("ada", PASSWORD, "192.0.2.1")).await.expect(200);
    assert_eq!(app.log.with("message", "a sign-in attempt was not counted").len(), 2);
}

#[test]
fn every_admission_reports_its_limit_and_a_refusal_reports_zero_remaining_requests() {
    for limit in RateLimit::ALL {
        let (open, closed) = (Admission::of(limit, true), Admission::of(limit, false));
        assert_eq!((open.limit, open.remaining, open.reset_s), (limit.per_window(), None, limit.window_s()));
        assert_eq!((closed.limit, closed.remaining), (limit.per_window(), Some(0)));
        assert!(open.is_admitted && !closed.is_admitted);
    }
}
