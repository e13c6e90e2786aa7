//! Completes the description: a text and a schema for each response, and schemas for bodies and parameters.
//!
//! A handler describes only facts that are special to its route. This module adds the facts that follow from the status
//! of a response, from the media type of a body, and from the name of a parameter.

use serde_json::{Map, Value, json};

use super::bodies::members;
use super::{bodies, parameters, response_headers};
use crate::error::Code;

/// If a member of a path in the description has one of these names, the member is an operation.
const METHODS: [&str; 7] = ["get", "head", "options", "post", "put", "patch", "delete"];

/// Media type of problems.
const PROBLEM: &str = "application/problem+json";

/// Returns the completed description.
pub(super) fn completed(mut description: Value) -> Value {
    for (path, item) in members(&mut description["paths"]) {
        for (method, operation) in members(item).filter(|(method, _)| METHODS.contains(&method.as_str())) {
            complete(operation, method, path);
        }
    }
    let schemas = &mut description["components"]["schemas"];
    schemas["Problem"] = problem();
    for (name, schema) in bodies::schemas() {
        schemas[name] = schema;
    }
    for (body, member, name) in [
        ("PatchBody", "dialect", "DialectOptions"),
        ("FileView", "dialectOptions", "DialectOptions"),
        ("DownloadRequest", "recipe", "CutBody"),
        ("ShareRequest", "recipe", "SavedCutBody"),
    ] {
        let text = schemas[body]["properties"][member]["description"].take();
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        schemas[body]["properties"][member] =
            json!({"description": text, "anyOf": [reference, {"type": "null"}]});
    }
    let suggested = &mut schemas["Suggestion"]["properties"]["dialect"];
    *suggested = json!({
        "description": suggested["description"],
        "allOf": [{"$ref": "#/components/schemas/DialectOptions"}],
    });
    description
}

fn complete(operation: &mut Value, method: &str, path: &str) {
    parameters::complete(operation, path);
    bodies::complete(operation, method, path);
    let has_body = operation["requestBody"].is_object();
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let late = has_body.then_some("408");
    for status in ["500", "503"].into_iter().chain(late) {
        responses.entry(status).or_insert_with(|| json!({}));
    }
    for (status, response) in responses.iter_mut() {
        let is_described = response["description"].as_str().is_some_and(|text| !text.is_empty());
        if !is_described {
            response["description"] = text_of(status).into();
        }
        // A response to HEAD has no body.
        if is_error(status) && response["content"].is_null() && method != "head" {
            response["content"] = json!({PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}});
        }
        response_headers::complete(response, path, method, status);
        without_nulls(response);
    }
    without_nulls(operation);
}

/// Removes the members that are null. Code of this module adds such members as a side effect: `&mut value["name"]` adds
/// a missing member as null.
fn without_nulls(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, member| !member.is_null());
    }
}

fn is_error(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// Returns the description of a response. For an error, the description lists the problem codes that have this status,
/// and their titles.
fn text_of(status: &str) -> String {
    let codes = Code::ALL.iter().filter(|code| code.status().as_str() == status);
    let texts: Vec<_> = codes.map(|code| format!("{}: {}", code.name(), code.title())).collect();
    match (status, texts.is_empty()) {
        (_, false) => texts.join("; "),
        ("201", true) => "Created".to_owned(),
        ("204", true) => "Done; the response has no body".to_owned(),
        ("206", true) => "The requested ranges".to_owned(),
        ("304", true) => "Not modified".to_owned(),
        _ => "Success".to_owned(),
    }
}

/// Returns the schema of problems.
fn problem() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    let mut properties = Map::new();
    for (name, text) in [
        ("type", "`/problems/`, followed by the code"),
        ("title", "Summary of the problem; the same for each problem with this code"),
        ("detail", "What is wrong, and what to do next. The text may change"),
        ("instance", "Path of the request"),
        ("error", "The code, for older clients"),
        ("message", "The detail, for older clients"),
        ("requestId", "Id of the request, which is also in the log"),
    ] {
        properties.insert(name.to_owned(), json!({"type": "string", "description": text}));
    }
    properties.insert("status".to_owned(), json!({"type": "integer", "minimum": 400, "maximum": 599}));
    properties.insert("code".to_owned(), json!({"type": "string", "enum": codes}));
    properties.insert("success".to_owned(), json!({"type": "boolean", "const": false}));
    json!({
        "type": "object",
        "description": "An error (RFC 9457). Some problems have more members.",
        "required": ["type", "title", "status", "detail", "code", "error", "message", "success"],
        "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_an_error_lists_the_codes_with_this_status() {
        assert_eq!(text_of("411"), "length_required: The Content-Length header is missing");
        assert!(text_of("409").contains("user_exists") && text_of("409").contains("in_progress"));
        assert_eq!(text_of("204"), "Done; the response has no body");
    }
}
