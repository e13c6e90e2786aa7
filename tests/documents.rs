//! Checks the project's documents: every link has a target, README.md and ARCHITECTURE.md stay short, and each decision
//! has its four parts.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Returns the Markdown files that git tracks, and the new Markdown files that git does not ignore.
fn documents() -> Vec<PathBuf> {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(list.status.success());
    let documents: Vec<PathBuf> =
        String::from_utf8(list.stdout).unwrap().lines().map(|path| root().join(path)).collect();
    assert!(documents.len() > 40, "git listed only {} documents", documents.len());
    documents.into_iter().filter(|path| path.exists()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The targets of a document's links, and the anchors of its headings.
struct Document {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut document = Self { links: Vec::new(), anchors: BTreeSet::new() };
        let mut heading = None::<String>;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    document.anchors.extend(heading.take().map(|heading| anchor(&heading)));
                }
                _ => {}
            }
        }
        document
    }
}

/// Returns the anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Returns the reason why a link of `document` is broken, or `None` if the link has a target.
fn fault(document: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, wanted) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { document.to_owned() } else { document.parent().unwrap().join(file) };
    if !target.exists() {
        return Some(format!("{} does not exist", target.display()));
    }
    let wanted = wanted?;
    let anchors = Document::read(&target).anchors;
    (!anchors.contains(wanted)).then(|| format!("no heading #{wanted}; there are {anchors:?}"))
}

#[test]
fn every_link_in_a_document_has_a_target() {
    let mut faults = Vec::new();
    let mut followed = 0;
    for document in documents() {
        for link in Document::read(&document).links {
            followed += 1;
            if let Some(fault) = fault(&document, &link) {
                faults.push(format!("{}: link {link}: {fault}", document.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(followed > 80, "only {followed} links were found");
}

#[test]
fn a_broken_link_is_found() {
    let readme = root().join("README.md");
    assert!(fault(&readme, "docs/api.md#filters").is_none());
    assert!(fault(&readme, "docs/no-such.md").is_some());
    assert!(fault(&readme, "docs/api.md#no-such-heading").is_some());
    assert!(fault(&readme, "#no-such-heading").is_some());
}

#[test]
fn readme_and_architecture_stay_short() {
    for (name, most) in [("README.md", 200), ("ARCHITECTURE.md", 250)] {
        let lines = fs::read_to_string(root().join(name)).unwrap().lines().count();
        assert!(lines <= most, "{name} has {lines} lines, {most} are allowed: move a part into docs/");
    }
}

#[test]
fn each_decision_is_listed_and_has_its_four_parts() {
    let folder = root().join("docs/adr");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        assert!(index.contains(&name), "docs/adr/README.md does not list {name}");
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        for part in ["\nDate: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"] {
            assert!(text.contains(part), "docs/adr/{name} has no part {:?}", part.trim());
        }
    }
}
