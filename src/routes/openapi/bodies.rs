//! Schemas of bodies: bytes, the form of an upload, and the JSON of a cut.

use serde_json::{Map, Value, json};

use super::options::{OF_ANY_CUT, described_without_default, options};
use crate::csv::request::input;
use crate::domain::storage_class::StorageClass;

/// Media types of the results of a cut. The media range `application/*` stands for `application/json`,
/// `application/x-ndjson` and `application/gzip`. If the list had these three types, generators of client code would
/// choose the alphabetically first type, although the default format is CSV.
const OF_CUTS: [&str; 3] = ["application/*", "text/csv", "text/tab-separated-values"];

/// Media types of the bytes of a file.
const OF_FILES: [&str; 2] = ["text/csv", "text/tab-separated-values"];

/// Completes the schemas of the bodies of an operation.
pub(super) fn complete(operation: &mut Value, method: &str, path: &str) {
    if let Some(body) = operation.get_mut("requestBody") {
        for (media_type, content) in members(&mut body["content"]) {
            match media_type.as_str() {
                "application/x-www-form-urlencoded" => {}
                "multipart/form-data" if path.starts_with("/api/shared/") => {
                    content["schema"] = reference("SharedUploadForm");
                }
                "multipart/form-data" => content["schema"] = reference("UploadForm"),
                "application/json"
                    if path.starts_with("/api/files/{id}/") && is_open_object(&content["schema"]) =>
                {
                    content["schema"] =
                        reference(if path.ends_with("/save") { "SavedCutBody" } else { "CutBody" });
                }
                "application/json" => {}
                _ => content["schema"] = bytes(media_type),
            }
        }
    }
    let is_creation = ["/api/uploads", "/api/shared/{token}/uploads", "/api/shared/{token}"].contains(&path);
    if method == "post" && is_creation {
        operation["requestBody"]["required"] = false.into();
    }
    let responses = &mut operation["responses"];
    match (method, path) {
        ("get", "/api/files/{id}" | "/api/shared/{token}") => {
            responses["200"]["content"] = contents(&OF_FILES);
            responses["206"]["content"] = contents(&[OF_FILES[0], OF_FILES[1], "multipart/byteranges"]);
        }
        ("get", "/api/downloads/{ticket}") => {
            responses["200"]["content"] = contents(&OF_CUTS);
            responses["206"]["content"] = contents(&[OF_FILES[0], OF_FILES[1], "multipart/byteranges"]);
        }
        ("get" | "post", "/api/files/{id}/cut" | "/api/files/{id}/process" | "/api/recipes/{id}/run") => {
            responses["200"]["content"] = contents(&OF_CUTS);
        }
        ("get", "/api/admin/usage") => {
            responses["200"]["content"]["text/csv"] = contents(&["text/csv"])["text/csv"].take();
        }
        ("get", "/api/admin/metrics/prometheus") => {
            responses["200"]["content"] = contents(&["application/openmetrics-text"]);
        }
        ("get", "/api/admin/audit") => {
            for media_type in ["text/csv", "application/x-ndjson"] {
                responses["200"]["content"][media_type] = contents(&[media_type])[media_type].take();
            }
        }
        ("delete", "/api/files/{id}") => {
            let schema = &mut responses["200"]["content"]["application/json"]["schema"];
            *schema = json!({"anyOf": [schema.take(), reference("DeletedResponse")]});
        }
        ("get", "/api/openapi.json") => {
            responses["200"]["content"]["application/json"]["schema"] = json!({"type": "object"});
        }
        _ => {}
    }
}

fn is_open_object(schema: &Value) -> bool {
    *schema == json!({"type": "object"})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Returns the schema of bytes.
fn bytes(media_type: &str) -> Value {
    json!({"type": "string", "format": "binary", "contentMediaType": media_type})
}

/// Returns the `content` of a response with the bytes of a file or of a result: one schema for each media type.
fn contents(media_types: &[&str]) -> Value {
    let content = |media_type: &&str| {
        let mut schema = bytes(media_type);
        if media_type.starts_with("text/") {
            // For these types, generated clients read the body as a text. With the schema of bytes, the clients would
            // try to make bytes from this text, and fail.
            schema = json!({"type": "string", "contentMediaType": media_type});
        }
        ((*media_type).to_owned(), json!({"schema": schema}))
    };
    Value::Object(media_types.iter().map(content).collect())
}

/// Returns the schemas that this module refers to.
pub(super) fn schemas() -> [(&'static str, Value); 6] {
    let text = |text: &str| json!({"type": "string", "description": text});
    let form = json!({
        "type": "object",
        "description": "A form with one file.",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "string", "format": "binary", "contentMediaType": "text/csv",
                "description": "The file. The `filename` of this part is the name of the file.",
            },
            "tags": text("At most 32 tags of at most 64 bytes, separated by commas"),
            "metadata": text("A flat JSON object, at most 8 KiB"),
            "expiresAt": {
                "type": "string", "format": "date-time",
                "description": "When the file goes to the trash (RFC 3339, in the future)",
            },
            "storageClass": {
                "type": "string", "enum": StorageClass::ALL.map(StorageClass::name),
                "description": "Storage class of the file in R2; without the field, `Standard`. The field must come before the file",
            },
        },
    });
    let shared_form = json!({
        "type": "object",
        "description": "A form with one file.",
        "required": ["file"],
        "properties": {"file": form["properties"]["file"]},
    });
    let deleted = json!({
        "type": "object",
        "description": "Response to a permanent deletion.",
        "required": ["success", "permanent"],
        "properties": {"success": {"type": "boolean"}, "permanent": {"type": "boolean", "const": true}},
    });
    let cut = cut("A cut. All members are optional.", &OF_ANY_CUT);
    let saved = self::cut("A cut, and a description of the file in which it is stored.", &OF_SAVED_CUT);
    [
        ("UploadForm", form),
        ("SharedUploadForm", shared_form),
        ("DeletedResponse", deleted),
        ("CutBody", cut),
        ("SavedCutBody", saved),
        ("DialectOptions", dialect_options()),
    ]
}

/// Returns the schema of the options that the owner of a file can store with the file.
fn dialect_options() -> Value {
    let mut properties = Map::new();
    for (name, text, mut schema) in options().into_iter().filter(|(name, ..)| input::is_input_option(name)) {
        schema["description"] = described_without_default(text, &mut schema).into();
        schema["type"] = json!([schema["type"].take(), "null"]);
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "description": "How a file is read. An option that is absent or null is detected.",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The formats of a saved cut.
const OF_SAVED_CUT: [&str; 2] = ["csv", "tsv"];

/// Returns the schema of the JSON body of a cut. A body may have only the members that the schema lists.
fn cut(text: &str, formats: &[&str]) -> Value {
    let mut properties = Map::new();
    for (name, text, mut schema) in options() {
        schema["description"] = described_without_default(text, &mut schema).into();
        properties.insert(name.to_owned(), schema);
    }
    let is_saved = formats == OF_SAVED_CUT;
    properties["format"]["enum"] = json!(formats);
    properties.insert(
        "outputFormat".to_owned(),
        json!({"type": "string", "enum": formats, "description": "The same as `format`"}),
    );
    let mut columns = properties["columns"].clone();
    columns["description"] = "The same as `columns`".into();
    properties.insert("selectedColumns".to_owned(), columns);
    properties.insert(
        "whereFilters".to_owned(),
        json!({
            "type": "object",
            "description": "Columns and their expressions, such as `>= 30`. If an expression is a number, true or false, the cell must equal this value",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }),
    );
    properties.insert(
        "filter".to_owned(),
        json!({
            "type": ["object", "string"],
            "description": "A tree of `and`, `or`, `not`, `q`, and conditions with `column`, `op` and `value`; or a filter as text",
        }),
    );
    properties
        .insert("filename".to_owned(), json!({"type": "string", "description": "The name of the result"}));
    if is_saved {
        // A saved cut is not compressed.
        properties.remove("compress");
        let tags = json!({"type": "array", "items": {"type": "string"}, "maxItems": 32, "description": "Tags of at most 64 bytes"});
        properties.insert("tags".to_owned(), tags);
        let metadata = json!({"type": "object", "description": "A flat object, at most 8 KiB", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}});
        properties.insert("metadata".to_owned(), metadata);
    }
    json!({"type": "object", "description": text, "properties": properties, "additionalProperties": false})
}

/// Returns the members of `value`; none if `value` is not an object.
pub(super) fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(|object| object.iter_mut())
}
