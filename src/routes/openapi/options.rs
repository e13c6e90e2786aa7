//! The options of cuts, which queries and JSON bodies share.

use serde_json::{Value, json};

/// Values of the option `delimiter`: the name or the character of a delimiter.
pub(super) const DELIMITERS: [&str; 8] = ["comma", "semicolon", "tab", "pipe", ",", ";", "\t", "|"];

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
        ("inputHeader", "Whether the first record of the file is its header", flag(true)),
        ("delimiter", "The delimiter of the file; detected by default", one_of(&DELIMITERS)),
        (
            "encoding",
            "Label of the WHATWG Encoding Standard, for a file without a byte order mark",
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
            "q",
            "Keeps the rows in which at least one column contains this text, ignoring case",
            json!({"type": "string", "minLength": 1, "maxLength": 1024}),
        ),
        ("streaming", "With `false`, the response begins only when the whole result is complete", flag(true)),
    ]
}
