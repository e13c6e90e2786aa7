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

const PARAMETERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/routes/parameters.json");

/// Returns JSON with a line for each member, and without indentation: the Worker contains this text.
fn written(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, format);
    value.serialize(&mut serializer).unwrap();
    text.push(b'\n');
    text
}

#[test]
fn the_layers_know_the_names_of_the_parameters_in_the_descriptions() {
    let described = cutty::routes::all().parameter_names();
    if std::env::var("DESCRIPTION").is_ok_and(|action| action == "write") {
        fs::write(PARAMETERS, written(&described)).unwrap();
    }
    let committed: cutty::routes::parameters::AllNames =
        serde_json::from_str(&fs::read_to_string(PARAMETERS).unwrap_or_default()).unwrap_or_default();
    let advice = "DESCRIPTION=write cargo test --test description";
    assert!(committed == described, "src/routes/parameters.json is not current. To write it: {advice}");
    assert!(described.len() > 80 && !described["GET /api/files"].query.is_empty());
}

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
        fs::write(PATH, written(&served)).unwrap();
    }
    let committed: Value =
        serde_json::from_str(&fs::read_to_string(PATH).unwrap_or_default()).unwrap_or_default();
    let advice = "DESCRIPTION=write cargo test --test description && scripts/build-web --client";
    assert!(committed == served, "clients/openapi.json is not current. To write it: {advice}");
}
