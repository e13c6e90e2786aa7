//! Contracts with other systems: configuration files, and messages that are already stored.

#![allow(clippy::unwrap_used)]

use cutty::http::cors::{
    ALLOWED_HEADERS, ALLOWED_METHODS, DEFAULT_ALLOWED_ORIGINS, EXPOSED_HEADERS, MAX_AGE_SECONDS,
};
use cutty::idempotency::Effect;
use cutty::jobs::message::{LearnFile, RecordRead, encode};
use cutty::storage::protocol::OpenAttempt;
use serde_json::{Value, json};

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_lowercase()).collect()
}

fn are_all_in(wanted: &[String], offered: &[&str]) -> bool {
    wanted.iter().all(|name| offered.iter().any(|offer| offer.to_lowercase() == *name))
}

#[test]
fn the_worker_allows_the_same_cors_requests_as_the_bucket() {
    let config: Value = serde_json::from_str(include_str!("../cors-config.json")).unwrap();
    let rule = &config["rules"][0];
    assert_eq!(texts(&rule["allowed"]["origins"]), DEFAULT_ALLOWED_ORIGINS);
    assert!(are_all_in(&texts(&rule["allowed"]["methods"]), &ALLOWED_METHODS));
    assert!(are_all_in(&texts(&rule["allowed"]["headers"]), &ALLOWED_HEADERS));
    assert!(are_all_in(&texts(&rule["exposeHeaders"]), &EXPOSED_HEADERS));
    assert_eq!(rule["maxAgeSeconds"], MAX_AGE_SECONDS);
}

#[test]
fn queue_messages_of_older_versions_can_be_read() {
    let mut message = json!({"job": "record_read", "operation": {
        "id": "018f0000-0000-7000-8000-000000000001", "timestamp": "2026-01-02T03:04:05.678Z", "user_id": "42",
        "file_id": "018f0000-0000-7000-8000-000000000002", "action": "download", "success": true,
        "error_code": null, "error_message": null, "bytes_transferred": 7, "duration_ms": 1,
        "caller": {"request_id": "r", "ip_address": null, "user_agent": "curl"},
    }});
    let read: RecordRead = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&read).unwrap(), message, "the message of version 0.1.0, which knew only owners");
    message["operation"]["principal"] = json!({"kind": "user", "id": "42", "role": "user"});
    let read: RecordRead = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&read).unwrap(), message);
    let message = json!({"job": "learn_file", "attempt": "018f0000-0000-7000-8000-000000000001"});
    let learn: LearnFile = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&learn).unwrap(), message);
}

#[test]
fn upload_records_of_older_versions_can_be_read() {
    let begun = json!({
        "file": "018f0000-0000-7000-8000-000000000002", "attempt": "018f0000-0000-7000-8000-000000000001", "user": "42",
        "caller": {"request_id": "r", "ip_address": null, "user_agent": "curl"}, "filename": "a.csv",
        "description": {"tags": [], "metadata": {}, "expires_at": null}, "reserved_bytes": 7,
        "started": "2026-01-02T03:04:05.678Z",
    });
    let open: OpenAttempt = serde_json::from_value(begun).unwrap();
    assert_eq!((open.user.as_str(), open.principal), ("42", None));
}

#[test]
fn recorded_effects_of_older_versions_can_be_read() {
    let id = "018f0000-0000-7000-8000-000000000001";
    for effect in [
        json!({"effect": "created", "file": id}),
        json!({"effect": "saved", "file": id, "cut": id}),
        json!({"effect": "changed", "file": id}),
        json!({"effect": "purged", "file": id}),
        json!({"effect": "begun", "upload": id}),
        json!({"effect": "begun_in_parts", "upload": id}),
        json!({"effect": "given_up", "upload": id}),
        json!({"effect": "registered"}),
    ] {
        let read: Effect = serde_json::from_value(effect.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), effect);
    }
}
