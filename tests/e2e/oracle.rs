//! The oracle `oracle.py` computes expected results with Python's csv module.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::server::{require, root};

/// Returns the cut that `specification` describes, as CSV.
pub fn cut(file: &Path, specification: &Value) -> Vec<u8> {
    ask("cut", file, Some(specification))
}

/// Returns the records of the cut that `specification` describes, starting with the header.
pub fn cut_rows(bytes: &[u8], specification: &Value) -> Vec<Vec<String>> {
    let file = on_disk(bytes);
    serde_json::from_slice(&ask("cut-rows", file.path(), Some(specification))).unwrap()
}

/// Returns the records of a CSV file in UTF-8.
pub fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let file = on_disk(bytes);
    serde_json::from_slice(&ask("rows", file.path(), None)).unwrap()
}

fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn ask(command_name: &str, file: &Path, specification: Option<&Value>) -> Vec<u8> {
    require("python3", "apt-get install python3");
    let mut command = Command::new("python3");
    command.arg(root().join("tests/e2e/oracle.py")).arg(command_name).arg(file);
    command.args(specification.map(Value::to_string));
    let response = command.output().unwrap();
    assert!(response.status.success(), "{}", String::from_utf8_lossy(&response.stderr));
    response.stdout
}
