//! Checks that `clients/openapi.json` is the API description that the Worker serves. The TypeScript client and the page
//! `/docs` are made from this file, so that neither needs a running Worker.
//!
//! To write the file after a change of the API: `DESCRIPTION=write cargo test --test description`. Then
//! `scripts/build-web --client` writes the types of the client.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openapi.json");

#[test]
fn the_committed_description_is_what_the_worker_serves() {
    let served = cutty::routes::openapi::description();
    if std::env::var("DESCRIPTION").is_ok_and(|action| action == "write") {
        fs::write(PATH, format!("{served:#}\n")).unwrap();
    }
    let committed: Value =
        serde_json::from_str(&fs::read_to_string(PATH).unwrap_or_default()).unwrap_or_default();
    let advice = "DESCRIPTION=write cargo test --test description && scripts/build-web --client";
    assert!(committed == served, "clients/openapi.json is not current. To write it: {advice}");
}
