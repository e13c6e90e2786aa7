//! The API description is complete and valid, and it lists exactly the operations in `CASES`.

use std::collections::BTreeSet;

use cutty::error::Code;
use http::Method;
use serde_json::Value;

use super::{CASES, Case};
use crate::support::TestApp;
use crate::support::client::get;
use crate::support::contract::{description, operations};

#[tokio::test]
async fn the_description_is_public_and_is_openapi_3_1() {
    let app = TestApp::new();
    let served = app.send(get("/api/openapi.json")).await.expect(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.json(), *description());
    assert!(description()["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(description()["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(description()["security"][0]["bearer"], serde_json::json!([]));
}

#[test]
fn the_description_lists_exactly_the_operations_of_the_table() {
    let described: BTreeSet<_> =
        operations().iter().map(|operation| format!("{} {}", operation.method, operation.template)).collect();
    let contract: BTreeSet<_> = CASES.iter().map(|case| case.operation().to_owned()).collect();
    let (undescribed, untested) = (&contract - &described, &described - &contract);
    assert!(undescribed.is_empty(), "add to the API description: {undescribed:?}");
    assert!(untested.is_empty(), "add to CASES: {untested:?}");
}

#[test]
fn the_document_docs_api_md_lists_every_operation() {
    let document = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));
    let (_, section) = document.split_once("\n## Routes\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let lists = |method: &Method, path: &str| {
        let (method, path) = (format!("`{method}`"), format!(" `{path}` "));
        section.lines().any(|line| line.contains(&method) && line.contains(&path))
    };
    let operations = operations();
    let absent: Vec<_> = operations
        .iter()
        .filter(|operation| !lists(&operation.method, operation.template))
        .map(|operation| format!("{} {}", operation.method, operation.template))
        .collect();
    assert!(absent.is_empty(), "add to the table of routes in docs/api.md: {absent:?}");
}

#[test]
fn each_operation_of_the_table_has_one_usual_request() {
    let usual: Vec<_> = CASES.iter().filter(|case| case.is_usual()).map(Case::operation).collect();
    let operations: BTreeSet<_> = CASES.iter().map(Case::operation).collect();
    assert_eq!(usual.len(), operations.len());
    assert_eq!(usual.into_iter().collect::<BTreeSet<_>>(), operations);
}

#[test]
fn every_operation_describes_its_purpose_and_its_responses() {
    let possible: BTreeSet<u16> = Code::ALL
        .iter()
        .map(|code| code.status().as_u16())
        .chain([200, 201, 202, 204, 206, 302, 303, 304])
        .collect();
    for operation in operations() {
        let name = format!("{} {}", operation.method, operation.template);
        assert!(operation.spec["summary"].as_str().is_some_and(|text| text.len() > 10), "{name}");
        assert!(!operation.spec["operationId"].is_null() && !operation.spec["tags"].is_null(), "{name}");
        for status in operation.statuses() {
            assert!(possible.contains(&status), "{name}: the service never returns {status}");
        }
        assert!(operation.statuses().iter().any(|status| *status < 300), "{name}");
        assert_eq!(
            operation.statuses().contains(&401),
            needs_a_token(operation.template, operation.is_open()),
            "{name} must list 401 if and only if it can refuse credentials"
        );
        // A public route with an id in its path does not check whether the id exists.
        let names_one = operation.template.contains('{') && !operation.is_open();
        assert!(!names_one || operation.statuses().contains(&404), "{name} must list 404");
        assert!(
            !operation.takes_json() || operation.statuses().contains(&415),
            "{name} must list 415, because it accepts only JSON"
        );
        assert!(
            !operation.takes_json() || operation.statuses().contains(&413),
            "{name} must list 413, because it limits its body"
        );
    }
}

/// Whether an operation can refuse credentials. Login, refresh and logout need no token, but check other credentials.
fn needs_a_token(template: &str, is_open: bool) -> bool {
    !is_open || ["/api/auth/login", "/api/auth/refresh", "/api/auth/logout"].contains(&template)
}

#[test]
fn every_reference_resolves_and_operation_ids_are_unique() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(description(), &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description().pointer(pointer).is_some(), "{reference}");
    }
    let ids: Vec<_> =
        operations().iter().map(|operation| operation.spec["operationId"].to_string()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn every_error_code_is_named_in_the_description() {
    let text = description()["info"]["description"].as_str().unwrap();
    for code in Code::ALL {
        assert!(text.contains(&format!("{} {}", code.status().as_u16(), code.name())), "{}", code.name());
    }
}

#[test]
fn the_description_names_its_licence_and_version() {
    let info = &description()["info"];
    assert_eq!(info["license"]["name"], env!("CARGO_PKG_LICENSE"));
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let empty: Vec<_> = info.as_object().unwrap().iter().filter(|(_, value)| *value == "").collect();
    assert!(empty.is_empty(), "{empty:?}");
}
