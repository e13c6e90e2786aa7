//! The source tree as text, for tests of rules that the compiler cannot check.

#![allow(unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};

/// A parsed Rust file. `code` is the text of the file with a blank in place of each comment, each string literal and
/// each character literal. `strings` has the text between the quotes of each string literal.
#[derive(Debug, Default, PartialEq)]
pub struct Source {
    pub code: String,
    pub strings: Vec<String>,
}

impl Source {
    pub fn parse(text: &str) -> Self {
        let mut source = Self::default();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = comment(rest).or_else(|| source.string(rest)).or_else(|| character(rest));
            match length {
                Some(length) => {
                    source.code.push(' ');
                    rest = &rest[length..];
                }
                None => {
                    source.code.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        source
    }

    /// Stores the string literal at the start of `rest` and returns its length.
    fn string(&mut self, rest: &str) -> Option<usize> {
        let inside_word = self.code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let raw = rest.strip_prefix('r').filter(|_| !inside_word || self.code.ends_with('b'));
        if let Some(after) = raw {
            let hashes = after.len() - after.trim_start_matches('#').len();
            let body = after[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = body.find(&end)?;
            self.strings.push(body[..length].to_owned());
            return Some(1 + hashes + 1 + length + end.len());
        }
        let body = rest.strip_prefix('"')?;
        let length = unescaped(body, '"')?;
        self.strings.push(body[..length].to_owned());
        Some(length + 2)
    }

    /// Whether an identifier, or a path such as `Utc::now`, occurs in the code.
    pub fn names(&self, path: &str) -> bool {
        let boundary =
            |byte: Option<u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_');
        let code = self.code.as_bytes();
        self.code.match_indices(path).any(|(at, _)| {
            boundary(at.checked_sub(1).map(|before| code[before]))
                && boundary(code.get(at + path.len()).copied())
        })
    }
}

/// Returns the length of the comment at the start of `rest`. Block comments can nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.strip_prefix("/*")?;
    let (mut depth, mut at) = (1, 2);
    while depth > 0 && at < rest.len() {
        let pair = rest.as_bytes().get(at..at + 2);
        let step = match pair {
            Some(b"/*") => 1,
            Some(b"*/") => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
    }
    Some(at)
}

/// Returns the length of the character literal at the start of `rest`. Returns `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let first = body.chars().next()?;
    let length = if first == '\\' { unescaped(body, '\'')? } else { first.len_utf8() };
    body[length..].starts_with('\'').then_some(length + 2)
}

/// Returns the position of the first `end` that is not escaped by a backslash.
fn unescaped(body: &str, end: char) -> Option<usize> {
    let mut escaped = false;
    for (at, next) in body.char_indices() {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == end => return Some(at),
            _ => {}
        }
    }
    None
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path (from the root) and the bytes of each file below a folder. Skips the built and downloaded files
/// that `.gitignore` names.
pub fn files_below(folder: &str) -> Vec<(String, Vec<u8>)> {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let ignored = ignored.lines().map(|line| line.trim_matches('/')).filter(|line| !line.is_empty());
    let ignored: Vec<&str> = ignored.chain([".git"]).collect();
    let mut waiting: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let name = shown.rsplit('/').next().unwrap_or_default().to_owned();
        if ignored
            .iter()
            .any(|pattern| *pattern == shown || *pattern == name || matches_suffix(pattern, &name))
        {
            continue;
        }
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push((shown, fs::read(&path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{folder:?} contains no files");
    found
}

/// Whether a pattern such as `*.log` matches a name.
fn matches_suffix(glob: &str, name: &str) -> bool {
    glob.strip_prefix('*').is_some_and(|suffix| name.ends_with(suffix))
}

pub fn rust_below(folder: &str) -> Vec<(String, String)> {
    let files = files_below(folder).into_iter().filter(|(path, _)| path.ends_with(".rs"));
    files.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

#[test]
fn the_parser_separates_literals_and_comments_from_code() {
    let source = Source::parse(
        "f('\\'', \"a\\\"b\") /* c */ + r\"d\\\" // \"e\"\nlet x: &'static str = br##\"f\"#g\"##;",
    );
    assert_eq!(source.strings, ["a\\\"b", "d\\", "f\"#g"]);
    assert!(source.names("x") && !source.names("c") && !source.names("e"));
}
