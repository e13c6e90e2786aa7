//! Runs the commands of the README's tour unchanged.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::http::sha256_hex;
use super::samples::flights;
use super::server::{root, shared};

/// Any failed command ends the tour, and a response with an error status fails.
const BEFORE: &str = r#"
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
"#;

/// The shell blocks between two headings.
fn shell_blocks(readme: &str, heading: &str) -> String {
    let (_, section) = readme.split_once(heading).unwrap();
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    blocks.collect()
}

#[test]
fn the_commands_of_the_readme_work() {
    let server = shared();
    let flights = fs::read(flights()).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let tour =
        shell_blocks(&readme, "\n## A tour with curl\n") + &shell_blocks(&readme, "\n### Large files\n");
    let tour = tour.replace("http://127.0.0.1:8787", &format!("http://127.0.0.1:{}", server.port));
    let folder = root().join("target/e2e").join(format!("readme-{}", std::process::id()));
    // A folder with the files of the repository that the tour needs, so that it can write files there.
    fs::create_dir_all(folder.join("scripts")).unwrap();
    symlink(root().join("target"), folder.join("target")).unwrap();
    let fixtures = format!("{}/scripts/fixtures", root().display());
    fs::write(folder.join("scripts/fixtures"), format!("#!/bin/sh\nexec '{fixtures}'\n")).unwrap();
    fs::set_permissions(folder.join("scripts/fixtures"), Permissions::from_mode(0o755)).unwrap();
    let run = Command::new("bash").arg("-c").arg(format!("{BEFORE}{tour}")).current_dir(&folder).output();
    let run = run.unwrap();
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
    let late = fs::read_to_string(folder.join("late.csv")).unwrap();
    assert_eq!(late.lines().count(), 1 + 8_401);
    fs::remove_dir_all(&folder).unwrap();
}
