//! Schemas of parameters: bounds, enums and formats.

use serde_json::{Value, json};

use super::options::{MAX_NULL_VALUES_TEXT, delimiter, described_without_default, options};
use crate::audit::action::Action;
use crate::auth::ticket::MAX_TICKET_BYTES;
use crate::csv::request::input::QUOTE_CHARACTER;
use crate::domain::storage_class::StorageClass;
use crate::http::pagination::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::tags::Tags;
use crate::routes::cuts::is_option_of_filters;
use crate::routes::files::MAX_LIST_TAGS;
use crate::shares::token::MAX_TOKEN_BYTES;
use crate::storage::resumable::limits::MAX_PARTS;
use crate::sweeps::SWEEPS;

/// Name of the one parameter that stands for all conditions in the query of a cut.
const FILTERS: &str = "column__op";

/// Greatest whole number that all JSON implementations read exactly (RFC 8259 §6).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// Completes the schemas of an operation's parameters. If the operation accepts conditions of a cut in its query, also
/// adds the options of cuts as parameters.
pub(super) fn complete(operation: &mut Value, path: &str) {
    let Some(parameters) = operation["parameters"].as_array_mut() else {
        // If the member `parameters` was missing, the index expression above has added it as null.
        if let Some(operation) = operation.as_object_mut() {
            operation.remove("parameters");
        }
        return;
    };
    if parameters.iter().any(|parameter| parameter["name"] == FILTERS) {
        let only_filters = path.ends_with("/count") || path.ends_with("/rows");
        let is_option = |name: &Value| !only_filters || name.as_str().is_some_and(is_option_of_filters);
        parameters.extend(cut_options().filter(|option| is_option(&option["name"])));
    }
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let schema = &mut parameter["schema"];
        if let Some(known) = schema_of(path, &name) {
            *schema = known;
        }
        // A parameter is present or absent, but never null.
        if let Some(first) = schema["type"].as_array().and_then(|types| types.first()).cloned() {
            schema["type"] = first;
        }
        if parameter["in"] == "path" && parameter["description"].is_null() {
            parameter["description"] = text_of(path).into();
        }
    }
}

/// Returns the description of the id in a path.
fn text_of(path: &str) -> &'static str {
    match path.split('/').nth(2) {
        Some("admin") => "Id of the finding.",
        Some("cuts") => "Id of the receipt.",
        Some("recipes") => "Id of the recipe.",
        Some("shares") => "Id of the share.",
        Some("uploads") => "Id of the upload.",
        _ if path.starts_with("/api/files/multipart/") => "Id of the multipart upload.",
        _ => "Id of the file.",
    }
}

fn schema_of(path: &str, name: &str) -> Option<Value> {
    Some(match (path, name) {
        (_, "id" | "fileId") => json!({"type": "string", "format": "uuid"}),
        ("/api/admin/usage", "month") => json!({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}),
        ("/api/admin/usage", "user") => json!({"type": "string", "minLength": 1, "maxLength": 64}),
        (path, "user") if path.starts_with("/api/admin/metrics/") => {
            json!({"type": "string", "minLength": 1, "maxLength": 64})
        }
        ("/api/admin/metrics/series", "step") => json!({"type": "string", "enum": ["5m", "1h", "1d"]}),
        ("/api/admin/usage", "format") => {
            json!({"type": "string", "enum": ["json", "csv"], "default": "json"})
        }
        (_, "ticket") => {
            json!({"type": "string", "minLength": 1, "maxLength": MAX_TICKET_BYTES, "pattern": "^[A-Za-z0-9._-]+$"})
        }
        (_, "number") => json!({"type": "integer", "minimum": 1, "maximum": MAX_PARTS}),
        ("/api/files/{id}/rows", "limit") => {
            json!({"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100})
        }
        ("/api/files/{id}/cut" | "/api/files/{id}/process" | "/api/files/{id}/estimate", "limit") => {
            return None;
        }
        ("/api/shared/{token}/rows", "limit") => {
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100})
        }
        (_, "limit") => {
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
        }
        (_, "offset") => {
            json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_EXACT, "default": 0})
        }
        (_, "after") => json!({"type": "integer", "minimum": 0, "maximum": MAX_PARTS, "default": 0}),
        (_, "status") => {
            json!({"type": "string", "enum": ["active", "archived", "deleted"], "default": "active"})
        }
        (_, "sort") => {
            let orders = ["createdAt", "-createdAt", "filename", "-filename", "size", "-size"];
            json!({"type": "string", "enum": orders, "default": "-createdAt"})
        }
        (_, "tag") => {
            let tag = json!({"type": "string", "minLength": 1, "maxLength": Tags::MAX_TAG_BYTES});
            json!({"type": "array", "items": tag, "maxItems": MAX_LIST_TAGS})
        }
        (_, "shared") => json!({"type": "boolean", "default": false}),
        ("/api/admin/audit", "user") => {
            json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"})
        }
        ("/api/admin/audit", "file") => json!({"type": "string", "format": "uuid"}),
        ("/api/admin/audit", "action") => {
            json!({"type": "string", "enum": Action::ALL.iter().map(|action| action.name()).collect::<Vec<_>>()})
        }
        ("/api/admin/audit", "success") => json!({"type": "boolean"}),
        ("/api/admin/audit", "address") => json!({"type": "string", "minLength": 1, "maxLength": 64}),
        ("/api/admin/audit", "from" | "until") => json!({"type": "string", "format": "date-time"}),
        ("/api/admin/audit", "format") => {
            json!({"type": "string", "enum": ["json", "csv", "ndjson"], "default": "json"})
        }
        (_, "token") => {
            json!({"type": "string", "minLength": 1, "maxLength": MAX_TOKEN_BYTES, "pattern": "^[A-Za-z0-9._-]+$"})
        }
        (_, "permanent") => json!({"type": "boolean", "default": false}),
        (_, "open") => json!({"type": "boolean", "default": true}),
        (_, "inputHeader") => json!({"type": "boolean"}),
        (_, "delimiter") => delimiter(),
        (_, "nullValues") => json!({"type": "string", "maxLength": MAX_NULL_VALUES_TEXT}),
        (
            _,
            name @ ("quoteCharacter" | "escape" | "skipRows" | "skipFooter" | "comment" | "trim" | "ragged"
            | "repeatedHeaders"),
        ) => {
            let name = if name == QUOTE_CHARACTER { "quote" } else { name };
            return options().into_iter().find(|(option, ..)| *option == name).map(|(_, _, schema)| schema);
        }
        (_, "encoding") => json!({"type": "string", "minLength": 1, "maxLength": 64}),
        (_, "kind") => {
            json!({"type": "string", "enum": SWEEPS.iter().map(|sweep| sweep.name()).collect::<Vec<_>>()})
        }
        (_, "Idempotency-Key") => {
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"})
        }
        (_, "Tus-Resumable") => json!({"type": "string", "enum": ["1.0.0"]}),
        (_, "Upload-Defer-Length") => json!({"type": "string", "enum": ["1"]}),
        (_, "Upload-Offset") => {
            json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_EXACT})
        }
        (_, "Upload-Length") => {
            json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_EXACT})
        }
        (_, "Upload-Metadata") => json!({"type": "string", "maxLength": 16 << 10}),
        (_, "X-File-Storage-Class") => {
            let names = StorageClass::ALL.map(StorageClass::name);
            json!({"type": "string", "enum": names, "default": StorageClass::default().name()})
        }
        (_, "X-File-Metadata") => json!({"type": "string", "maxLength": 8 << 10}),
        _ => return None,
    })
}

/// Returns the options of cuts, as parameters of a query.
fn cut_options() -> impl Iterator<Item = Value> {
    options().into_iter().map(|(name, text, mut schema)| {
        let name = if name == "quote" { QUOTE_CHARACTER } else { name };
        if name == "columns" || name == "nullValues" {
            schema = json!({"type": "string", "minLength": 1});
        }
        let text = described_without_default(text, &mut schema);
        json!({"name": name, "in": "query", "required": false, "description": text, "schema": schema})
    })
}
