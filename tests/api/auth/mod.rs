//! Accounts, sessions and access control.

mod account;
mod accounts;
mod cookies;
mod deletion;
mod faults;
mod links;
mod profile;
mod sessions;
mod tokens;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, get, post_json};

const PASSWORD: &str = "correct horse battery";

/// The secret that signs the Django tokens below.
const DJANGO_KEY: (&str, &str) = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
/// The time at which the Django tokens were issued. The access token expires 900 s later.
const DJANGO_ISSUED: &str = "2026-01-02T02:50:00Z";
// Tokens of user 42 in the form of Django's library simplejwt, made with Python's `hmac`, `json` and `base64`.
const DJANGO_ACCESS: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzY3MzIzMTAwLCJpYXQiOjE3NjczMjIyMDAsImp0aSI6IjBmNWI3YzFkMmUzYTRiNWM4ZDllMGYxYTJiM2M0ZDVlIiwidXNlcl9pZCI6NDJ9.6ZEyQDZvN6_V1FzGYp-AL_XH4g7Y6ssLNtqu9s7cVaQ";
const DJANGO_REFRESH: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTc2NzkyNzAwMCwiaWF0IjoxNzY3MzIyMjAwLCJqdGkiOiIxZjViN2MxZDJlM2E0YjVjOGQ5ZTBmMWEyYjNjNGQ1ZSIsInVzZXJfaWQiOjQyfQ.B4qXBaFoVM0_n_aqCEMiKP1ubff1_ml4PtrJru2N7fM";
// Django's hash of `PASSWORD`, made with Python's `hashlib.pbkdf2_hmac`.
const DJANGO_HASH: &str = "pbkdf2_sha256$1000$Zq3nT8xWc1Lr$i7SQQXStdnB8jZ6+5QjJ2dOU5zysHOYiwjDGEArD5XQ=";

/// Sends a request.
async fn send(app: &TestApp, call: Call) -> TestResponse {
    app.send(call).await
}

async fn register(app: &TestApp, username: &str) -> Value {
    let email = format!("{username}@example.com");
    let body = json!({"username": username, "email": email, "password": PASSWORD, "password2": PASSWORD});
    send(app, post_json("/api/auth/register", &body)).await.expect(201).json()
}

async fn login(app: &TestApp, username: &str, password: &str) -> TestResponse {
    let body = json!({"username": username, "password": password});
    send(app, post_json("/api/auth/login", &body)).await
}

async fn refresh(app: &TestApp, token: &str) -> TestResponse {
    send(app, post_json("/api/auth/refresh", &json!({"refresh_token": token}))).await
}

async fn logout(app: &TestApp, token: &str) -> TestResponse {
    send(app, post_json("/api/auth/logout", &json!({"refresh_token": token}))).await
}

async fn whoami(app: &TestApp, token: &str) -> TestResponse {
    send(app, get("/api/auth/user").bearer(token)).await
}

fn access_token(session: &Value) -> &str {
    session["tokens"]["access_token"].as_str().unwrap()
}

fn refresh_token(session: &Value) -> &str {
    session["tokens"]["refresh_token"].as_str().unwrap()
}

fn advance_seconds(app: &TestApp, count: i64) {
    app.advance(TimeDelta::seconds(count));
}
