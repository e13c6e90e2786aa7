//! The API description is complete: each response has a text, and each body and parameter has a useful schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::CSV;
use crate::support::TestApp;
use crate::support::client::{get, post_json};
use crate::support::contract::{Operation, description, operations};

fn name_of(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.template)
}

/// Returns the schema that `$ref` names, or `schema` itself if it has no `$ref`.
fn resolved(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => description().pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Returns the media type and the schema of each request body and response body of an operation.
fn bodies(operation: &Operation) -> Vec<(&'static str, &'static Value)> {
    let responses = operation.spec["responses"].as_object().unwrap().values();
    let all = responses.chain(std::iter::once(&operation.spec["requestBody"]));
    let contents = all.filter_map(|body| body["content"].as_object());
    contents.flat_map(|content| content.iter().map(|(name, body)| (name.as_str(), &body["schema"]))).collect()
}

#[test]
fn every_response_has_a_text_and_every_error_is_a_problem() {
    for operation in operations() {
        for (status, response) in operation.spec["responses"].as_object().unwrap() {
            let name = format!("{} {status}", name_of(&operation));
            assert!(response["description"].as_str().is_some_and(|text| text.len() > 3), "{name}");
            let of_health = operation.template.starts_with("/health/") && status == "503";
            if status.starts_with(['4', '5']) && operation.method != http::Method::HEAD && !of_health {
                let schema = &response["content"]["application/problem+json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{name}");
            }
        }
    }
}

#[test]
fn every_body_has_a_schema_and_no_body_is_an_array_of_integers() {
    let mut of_bytes = 0;
    for operation in operations() {
        for (media_type, schema) in bodies(&operation) {
            let name = format!("{} {media_type}: {schema}", name_of(&operation));
            assert!(schema.is_object(), "{name}");
            if !media_type.contains("json") && !media_type.contains("form") {
                assert_eq!(
                    (&schema["type"], &schema["contentMediaType"]),
                    (&json!("string"), &json!(media_type)),
                    "{name}"
                );
                of_bytes += 1;
            }
            let is_list = schema["type"] == "array" && schema["items"]["type"] == "integer";
            assert!(!is_list, "{name}");
        }
    }
    assert!(of_bytes > 10, "{of_bytes}");
}

#[test]
fn a_json_request_body_allows_no_unknown_members_and_a_form_requires_a_file() {
    let mut closed = 0;
    for operation in operations() {
        let content = &operation.spec["requestBody"]["content"];
        if !content["application/json"].is_null() {
            let schema = resolved(&content["application/json"]["schema"]);
            assert_eq!(schema["additionalProperties"], false, "{}", name_of(&operation));
            // Code generators assume that a member with a default is always present. So no member may have a default.
            let members = schema["properties"].as_object().unwrap();
            let with_default: Vec<_> =
                members.iter().filter(|(_, member)| !member["default"].is_null()).collect();
            assert!(with_default.is_empty(), "{}: {with_default:?}", name_of(&operation));
            closed += 1;
        }
        if !content["multipart/form-data"].is_null() {
            let form = resolved(&content["multipart/form-data"]["schema"]);
            assert_eq!(form["required"], json!(["file"]));
            let fields: Vec<_> = form["properties"].as_object().unwrap().keys().collect();
            let is_shared = operation.template.starts_with("/api/shared/");
            let wanted: &[&str] = if is_shared {
                &["file"]
            } else {
                &["expiresAt", "file", "metadata", "storageClass", "tags"]
            };
            assert_eq!(fields, wanted);
        }
    }
    assert!(closed > 8, "{closed}");
}

#[test]
fn every_parameter_except_free_texts_has_bounds_or_a_format_or_a_list_of_values() {
    /// Parameters that accept any text.
    const TEXTS: [&str; 6] = ["cursor", "tag", "q", "filter", "columns", "column__op"];
    let mut seen = BTreeSet::new();
    for operation in operations() {
        for parameter in operation.spec["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let text = format!("{} {name}: {schema}", name_of(&operation));
            assert!(schema["type"].is_string(), "{text}");
            let has = |member: &str| !schema[member].is_null();
            let is_bounded = match schema["type"].as_str().unwrap() {
                "integer" => has("minimum"),
                "boolean" => true,
                _ => has("enum") || has("format") || has("pattern") || has("maxLength"),
            };
            let is_text = TEXTS.contains(&name) || parameter["in"] == "header";
            assert!(is_bounded || is_text, "{text}");
            seen.insert(name);
        }
    }
    for name in ["limit", "sort", "status", "permanent", "Idempotency-Key", "id", "number", "kind", "open"] {
        assert!(seen.contains(name), "{name}");
    }
}

#[tokio::test]
async fn the_service_checks_the_described_bounds_and_enums_of_parameters() {
    let app = TestApp::with(&[("EMAIL_MAILBOX", "true")]);
    let token = app.user("ada");
    app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'ada'");
    let file = app.upload(&token, "a.csv", CSV).await;
    let id = file["id"].as_str().unwrap();
    let mut checked = 0;
    for operation in operations().into_iter().filter(|operation| operation.method == http::Method::GET) {
        if ["multipart", "cuts/", "{token}"].iter().any(|part| operation.template.contains(part)) {
            continue;
        }
        for parameter in operation.spec["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut good: Vec<_> = schema["enum"].as_array().into_iter().flatten().map(shown).collect();
            let mut bad = Vec::new();
            if !good.is_empty() {
                bad.push("x".to_owned());
            }
            if schema["type"] == "boolean" {
                good.extend(["true", "false"].map(str::to_owned));
                bad.push("maybe".to_owned());
            }
            if schema["type"] == "integer" {
                let minimum = schema["minimum"].as_i64().unwrap();
                good.push(minimum.to_string());
                bad.push((minimum - 1).to_string());
                if let Some(maximum) = schema["maximum"].as_u64() {
                    good.push(maximum.to_string());
                    // The service has no maximum for the options of cuts. The description states the greatest whole
                    // number that all JSON implementations read exactly.
                    if !operation.spec["parameters"].to_string().contains("column__op") {
                        bad.push((maximum + 1).to_string());
                    }
                }
            }
            if parameter["in"] != "query" || operation.template.ends_with("rows") && name == "offset" {
                continue;
            }
            for (values, wanted) in [(good, 200), (bad, 400)] {
                for value in values {
                    let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                    // The option has no effect on CSV, so the service refuses it there.
                    let format = if name == "typed" { "&format=json" } else { "" };
                    let path = format!("{}?{name}={encoded}{format}", operation.path(id));
                    let response = app.send(get(&path).bearer(&token)).await;
                    // If the query names a delimiter that the file does not use, each row has one column. The request
                    // still succeeds.
                    assert_eq!(response.status.as_u16(), wanted, "{path}: {response}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[tokio::test]
async fn the_bodies_of_cuts_describe_the_members_that_the_service_accepts() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    for (action, left_out) in
        [("cut", vec!["tags", "metadata"]), ("process", vec!["tags", "metadata"]), ("save", vec!["compress"])]
    {
        let path = format!("/api/files/{}/{action}", file["id"].as_str().unwrap());
        let problem = app.send(post_json(&path, &json!({"zz": 1})).bearer(&token)).await;
        let problem = problem.expect_problem(400, "unknown_option");
        let known: BTreeSet<_> =
            problem["known"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let find = |operation: &Operation| {
            operation.method == http::Method::POST
                && operation.template == format!("/api/files/{{id}}/{action}")
        };
        let operation = operations().into_iter().find(find).unwrap();
        let schema = resolved(&operation.spec["requestBody"]["content"]["application/json"]["schema"]);
        let described: BTreeSet<_> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let accepted: BTreeSet<_> = known.into_iter().filter(|name| !left_out.contains(name)).collect();
        assert_eq!(described, accepted, "{action}");
    }
}
