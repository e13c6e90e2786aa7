//! The options of cuts, which queries and JSON bodies share.

use serde_json::{Value, json};

use crate::csv::dialect::MAX_SKIP_FOOTER;
use crate::csv::request::input::{MAX_NULL_VALUE_BYTES, MAX_NULL_VALUES, MAX_SKIP_ROWS};

/// Greatest length of the option `nullValues` in a query: one CSV record whose values are all in quotes.
pub(super) const MAX_NULL_VALUES_TEXT: usize = MAX_NULL_VALUES * (2 * MAX_NULL_VALUE_BYTES + "\"\",".len());

/// Returns the schema of the option `delimiter`: the name of a delimiter, `none`, or a text of at most four bytes.
pub(super) fn delimiter() -> Value {
    json!({"type": "string", "pattern": "^(comma|semicolon|tab|pipe|none|[ !#-~\t]{1,4})$"})
}

/// Moves the default of an option from its schema to its description. If a schema has a `default`, generators of client
/// code assume that the member is always present, and send it.
pub(super) fn described_without_default(text: &str, schema: &mut Value) -> String {
    match schema.as_object_mut().and_then(|schema| schema.remove("default")) {
        Some(default) => format!("{text}; default `{default}`"),
        None => text.to_owned(),
    }
}

/// Values of the option `format`.
pub(super) const OF_ANY_CUT: [&str; 4] = ["csv", "tsv", "json", "ndjson"];

/// Returns the options of cuts. Each item is the name, the description and the schema of an option.
pub(super) fn options() -> Vec<(&'static str, &'static str, Value)> {
    let flag = |default: bool| json!({"type": "boolean", "default": default});
    let count = || json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": (1_u64 << 53) - 1});
    let one_of = |values: &[&str]| json!({"type": "string", "enum": values});
    vec![
        (
            "columns",
            "The columns to write, in this order; by default all. In a query, their names are one CSV record",
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
        ),
        ("format", "The form of the result; default `csv`", one_of(&OF_ANY_CUT)),
        ("limit", "Maximum number of rows in the result", count()),
        ("offset", "Number of kept rows to skip", count()),
        ("header", "Whether a CSV or TSV result begins with the column names", flag(true)),
        (
            "inputHeader",
            "Whether the first record of the file is its header; `true`, unless the file says otherwise",
            json!({"type": "boolean"}),
        ),
        ("delimiter", "The delimiter of the file; detected by default", delimiter()),
        ("quote", "The character around quoted fields; detected by default", one_of(&["\"", "'", "none"])),
        (
            "escape",
            "How a quoted field contains its quote: doubled, or after a backslash; detected by default",
            one_of(&["double", "backslash"]),
        ),
        (
            "skipRows",
            "Lines above the header, or above the first row; detected by default",
            json!({"type": "integer", "minimum": 0, "maximum": MAX_SKIP_ROWS}),
        ),
        (
            "skipFooter",
            "Records at the end of the file that are left out; default 0",
            json!({"type": "integer", "minimum": 0, "maximum": MAX_SKIP_FOOTER}),
        ),
        (
            "comment",
            "The character at the start of comment lines, or `none`; detected by default",
            json!({"type": "string", "pattern": "^(none|[!#-&(-+./:-@\\[-`{-~-])$"}),
        ),
        (
            "trim",
            "Where blanks around values are removed; detected by default",
            one_of(&["none", "header", "cells"]),
        ),
        (
            "nullValues",
            "Values that are read as empty cells. In a query, they are one CSV record",
            json!({"type": "array", "items": {"type": "string", "maxLength": MAX_NULL_VALUE_BYTES}, "maxItems": MAX_NULL_VALUES}),
        ),
        (
            "ragged",
            "Rows with more or fewer fields than the header are kept, are refused, or get a column for each field; default `keep`",
            one_of(&["keep", "refuse", "pad"]),
        ),
        (
            "repeatedHeaders",
            "Records that repeat the header are kept as rows or left out; default `keep`",
            one_of(&["keep", "skip"]),
        ),
        (
            "outDelimiter",
            "The delimiter of a CSV result; default a comma",
            json!({"type": "string", "pattern": "^(comma|semicolon|tab|pipe|[!#-/:-@\\[-`{-~\t])$"}),
        ),
        (
            "outQuote",
            "Which fields of a CSV or TSV result are in quotes; default `minimal`",
            one_of(&["minimal", "all", "none"]),
        ),
        (
            "encoding",
            "Label of an encoding (WHATWG Encoding Standard, or a code page of DOS such as cp850), for a file without a byte order mark",
            json!({"type": "string", "minLength": 1, "maxLength": 64}),
        ),
        ("bom", "Whether a CSV or TSV result begins with a byte order mark", flag(false)),
        ("newline", "The record end of a CSV or TSV result; default `lf`", one_of(&["lf", "crlf"])),
        ("strict", "Whether malformed records are refused", flag(false)),
        (
            "spreadsheetSafe",
            "In CSV and TSV, puts an apostrophe before cells that a spreadsheet would run as a formula",
            flag(false),
        ),
        (
            "typed",
            "In JSON and NDJSON, writes numbers and booleans as JSON numbers and booleans, and empty cells as null",
            flag(false),
        ),
        ("compress", "The result is a .gz file", one_of(&["gzip"])),
        (
            "as",
            "With `text`, `gt`, `gte`, `lt`, `lte` and `between` compare text, whatever the column holds",
            one_of(&["text"]),
        ),
        (
            "filter",
            "A filter as text, such as `age >= 30 AND (city = Bern OR city = Basel)`",
            json!({"type": "string"}),
        ),
        (
            "q",
            "Keeps the rows in which at least one column contains this text, ignoring case",
            json!({"type": "string", "minLength": 1, "maxLength": 1024}),
        ),
        ("streaming", "With `false`, the response begins only when the whole result is complete", flag(true)),
    ]
}
