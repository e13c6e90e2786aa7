//! Runs all shell blocks that are marked `runnable` in the documents, one after the other, in one shell. The test
//! changes only the port of the server in these blocks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::http::sha256_hex;
use super::samples::flights;
use super::server::{root, shared};

/// The documents with runnable blocks. Later documents use variables that earlier documents set.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/api.md"];

/// Makes the script end at the first command that fails, and makes `curl` fail after a response with an error status.
const BEFORE: &str = r#"
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
"#;

/// The start of a runnable block.
const FENCE: &str = "```sh runnable\n";

/// Returns the runnable blocks of a document.
fn runnable_blocks(document: &str) -> Vec<&str> {
    document.split(FENCE).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

#[test]
fn the_commands_of_the_documents_work() {
    let server = shared();
    let flights = fs::read(flights()).unwrap();
    let mut script = BEFORE.to_owned();
    for name in DOCUMENTS {
        let document = fs::read_to_string(root().join(name)).unwrap();
        let blocks = runnable_blocks(&document);
        assert!(!blocks.is_empty(), "{name} has no runnable block");
        script.extend(blocks);
    }
    let script = script.replace("http://127.0.0.1:8787", &format!("http://127.0.0.1:{}", server.port));
    let folder = root().join("target/e2e").join(format!("documents-{}", std::process::id()));
    // The commands write files, so they run in a separate folder. This folder has the files of the repository that the
    // commands need.
    fs::create_dir_all(folder.join("scripts")).unwrap();
    fs::create_dir_all(folder.join("target/fixtures")).unwrap();
    fs::write(folder.join("target/fixtures/flights.csv"), &flights).unwrap();
    let fixtures = format!("#!/bin/sh\nexec '{}/scripts/fixtures' \"$@\"\n", root().display());
    fs::write(folder.join("scripts/fixtures"), fixtures).unwrap();
    fs::set_permissions(folder.join("scripts/fixtures"), Permissions::from_mode(0o755)).unwrap();
    let run = Command::new("bash").arg("-c").arg(script).current_dir(&folder).output().unwrap();
    let (output, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{output}\n{errors}");
    for wanted in [
        r#""complete":true"#,
        r#""rowsOut":8401"#,
        r#""rowCount":336776"#,
        &sha256_hex(&flights),
        "HTTP/1.1 204",
    ] {
        assert!(output.contains(wanted), "{wanted} is not in {output}");
    }
    let late = fs::read_to_string(folder.join("target/late.csv")).unwrap();
    assert_eq!(late.lines().count(), 1 + 8_401);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn no_other_document_has_a_runnable_block() {
    let list = ["grep", "-l", "-F", FENCE.trim_end(), "--", "*.md"];
    let list = Command::new("git").args(list).current_dir(root()).output().unwrap();
    let found = String::from_utf8(list.stdout).unwrap();
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        DOCUMENTS,
        "add the document to DOCUMENTS, or remove the word `runnable`"
    );
}
