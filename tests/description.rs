//! Checks that `docs/security.md` lists the rules of access control, and that `clients/openapi.json` is the API
//! description that the Worker serves. The TypeScript client and the page
//! `/docs` are made from this file, so that neither needs a running Worker.
//!
//! To write the file after a change of the API: `DESCRIPTION=write cargo test --test description`. Then
//! `scripts/build-web --client` writes the types of the client.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openapi.json");

/// Between these comments is the table of access rules.
const RULES: (&str, &str) = ("<!-- rules -->\n", "<!-- end of rules -->\n");
const SECURITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");

#[test]
fn the_document_lists_the_rules_of_access_control() {
    let document = fs::read_to_string(SECURITY).unwrap();
    let (before, rest) = document.split_once(RULES.0).unwrap();
    let (listed, after) = rest.split_once(RULES.1).unwrap();
    let rules = cutty::routes::access::table();
    if std::env::var("DESCRIPTION").is_ok_and(|action| action == "write") {
        fs::write(SECURITY, format!("{before}{}{rules}{}{after}", RULES.0, RULES.1)).unwrap();
        return;
    }
    assert_eq!(listed, rules, "to write the table: DESCRIPTION=write cargo test --test description");
}

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
