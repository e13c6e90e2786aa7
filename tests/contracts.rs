//! Contracts with other systems and with other versions of Cutty: the CORS configuration of the bucket, and the JSON
//! forms of stored data and of messages.

#![allow(clippy::unwrap_used)]

use cutty::domain::ids::FileId;
use cutty::domain::recipe::Recipe;
use cutty::http::cors::{
    ALLOWED_HEADERS, ALLOWED_METHODS, DEFAULT_ALLOWED_ORIGINS, EXPOSED_HEADERS, MAX_AGE_SECONDS,
};
use cutty::idempotency::{Effect, ResponseColumn};
use cutty::jobs::message::{ProfileFile, RecordRead, RequestReset, SendLink, encode};
use cutty::storage::multipart;
use cutty::storage::profiling::pass::PassCheckpoint;
use cutty::storage::protocol::OpenAttempt;
use cutty::storage::resumable::command::{Command, UploadPlan, UploadProgress};
use cutty::storage::resumable::record::{UploadRecord, UploadStage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_lowercase()).collect()
}

fn are_all_in(wanted: &[String], offered: &[&str]) -> bool {
    wanted.iter().all(|name| offered.iter().any(|offer| offer.to_lowercase() == *name))
}

#[test]
fn the_worker_allows_every_cors_request_that_the_bucket_allows() {
    let config: Value = serde_json::from_str(include_str!("../cors-config.json")).unwrap();
    let rule = &config["rules"][0];
    assert!(are_all_in(&texts(&rule["allowed"]["origins"]), &DEFAULT_ALLOWED_ORIGINS));
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
    assert_eq!(encode(&read).unwrap(), message, "a message of version 0.1.0, without a principal");
    message["operation"]["principal"] = json!({"kind": "user", "id": "42", "role": "user"});
    let read: RecordRead = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&read).unwrap(), message);
    let message = json!({"job": "learn_file", "attempt": "018f0000-0000-7000-8000-000000000001"});
    let learn: ProfileFile = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&learn).unwrap(), message);
    let message = json!({"job": "send_link", "link": "018f0000-0000-7000-8000-000000000001"});
    let send: SendLink = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&send).unwrap(), message);
    let id = "018f0000-0000-7000-8000-000000000001";
    let message = json!({"job": "request_reset", "link": id, "email": "ada@example.com"});
    let reset: RequestReset = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(encode(&reset).unwrap(), message);
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

/// Parses a value from its stored form, and asserts that the value is written in the same form. Returns the value.
fn keeps_its_form<T: Serialize + DeserializeOwned>(stored: &Value) -> T {
    let read: T = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *stored);
    read
}

const ID: &str = "018f0000-0000-7000-8000-000000000001";

/// Returns the plan of an upload, in the form that the upload session stores.
fn plan() -> Value {
    json!({
        "open": {
            "file": "018f0000-0000-7000-8000-000000000002", "attempt": ID, "user": "42",
            "principal": {"kind": "api_key", "id": ID, "owner": "42", "scopes": ["write"]},
            "caller": {"request_id": "r", "ip_address": "192.0.2.1", "user_agent": "curl"}, "filename": "a.csv",
            "description": {"tags": ["x"], "metadata": {"a": 1}, "expires_at": "2026-02-02T03:04:05.678Z"},
            "reserved_bytes": 7, "started": "2026-01-02T03:04:05.678Z",
        },
        "declared_type": "text/csv", "length": 12, "limit_bytes": 100, "part_bytes": 8,
        "expires_at": "2026-01-03T03:04:05.678Z", "metadata": "filename YS5jc3Y=",
    })
}

#[test]
fn the_stored_form_of_an_upload_record_does_not_change() {
    keeps_its_form::<UploadPlan>(&plan());
    let over = json!({"Over": {
        "why": "It has expired.", "status": "expired", "put_was_tried": true, "cleaned": false,
    }});
    for stage in [json!("Receiving"), json!("Storing"), json!({"Kept": {"file": ID}}), over] {
        keeps_its_form::<UploadStage>(&stage);
        let mut record = json!({
            "plan": plan(), "r2_upload": "u", "parts": 1, "rest_bytes": 4, "content_type": "text/csv",
            "encoding": "windows-1252", "epoch": 2, "stage": stage,
        });
        let now = keeps_its_form::<UploadRecord>(&record);
        assert_eq!(now.offset(), 12);
        for added_later in ["encoding", "epoch"] {
            record.as_object_mut().unwrap().remove(added_later);
        }
        let older: UploadRecord = serde_json::from_value(record).unwrap();
        assert_eq!((older.encoding, older.epoch), (None, 0));
    }
}

#[test]
fn the_json_forms_of_upload_commands_and_of_upload_progress_do_not_change() {
    let digest = [7_u8; 32];
    let (sha1, sha256) = (json!({"sha1": &digest[..20]}), json!({"sha256": digest}));
    for mut command in [
        json!({"Create": {"plan": plan(), "checksum": sha1, "digest": digest, "body_bytes": 4}}),
        json!({"Create": {"plan": plan(), "checksum": null, "digest": null, "body_bytes": null}}),
        json!({"Append": {
            "user": "42", "offset": 4, "length": 12, "checksum": sha256, "digest": digest, "body_bytes": 8,
        }}),
        json!({"Status": {"user": "42"}}),
        json!({"Terminate": {"user": "42"}}),
    ] {
        keeps_its_form::<Command>(&command);
        for (_, fields) in command.as_object_mut().unwrap() {
            fields.as_object_mut().unwrap().remove("digest");
        }
        serde_json::from_value::<Command>(command).unwrap();
    }
    for file in [json!(null), json!(ID)] {
        keeps_its_form::<UploadProgress>(&json!({
            "upload": ID, "offset": 4, "length": 12, "expires_at": "2026-01-03T03:04:05.678Z",
            "metadata": "filename YS5jc3Y=", "file": file,
        }));
    }
}

#[test]
fn the_stored_form_of_a_multipart_upload_does_not_change() {
    let open = &plan()["open"];
    let mut data = json!({
        "by": "parts", "r2_upload": "u", "declared_type": "text/csv", "content_type": "text/csv", "encoding": "UTF-8",
        "description": open["description"], "principal": open["principal"], "caller": open["caller"],
    });
    keeps_its_form::<multipart::Data>(&data);
    for added_later in ["encoding", "principal"] {
        data.as_object_mut().unwrap().remove(added_later);
    }
    serde_json::from_value::<multipart::Data>(data).unwrap();
}

#[test]
fn the_stored_forms_of_checkpoints_and_responses_do_not_change() {
    keeps_its_form::<PassCheckpoint>(&json!({"offset": 7, "hashBytes": 104, "stateKey": "temp/x"}));
    keeps_its_form::<ResponseColumn>(&json!({"headers": [["etag", "\"r1\""]], "body": "{}"}));
}

/// A recipe is stored under the SHA-256 of its text, so equal cuts must have the same text in every version.
#[test]
fn the_text_and_the_hash_of_a_recipe_do_not_change() {
    let file = FileId::parse(ID).unwrap();
    let cut =
        json!({"parent": ID, "parentSha256": null, "cut": {"limit": 1, "columns": ["a"]}, "engine": "e/1"});
    let recipe = Recipe::new(file, &cut);
    let text = r#"{"cut":{"columns":["a"],"limit":1},"engine":"e/1","parent":"018f0000-0000-7000-8000-000000000001","parentSha256":null}"#;
    assert_eq!((recipe.parent(), recipe.text()), (file, text));
    assert_eq!(recipe.sha256(), "eeee7f8d6e2502422aafbd83882b39719d3ad059973486c01165815aa09f7211");
}

#[test]
fn effects_that_older_versions_recorded_can_be_read() {
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
