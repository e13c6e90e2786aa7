//! Checks the imports between files: there are no circular imports, and each folder imports only what it may import.
//! Also checks that every file in `src` is part of the crate, and that the names of types are unique.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/source.rs"]
#[allow(dead_code)]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, rust_below};

/// Rules for the folders that ARCHITECTURE.md lists under *pure* and *lowest layer*, and for `error.rs`. The items are:
/// (1) a folder or file; (2) the folders and files that it may import. Each folder may also import its own modules and
/// other crates.
const MAY_IMPORT: [(&str, &[&str]); 7] = [
    ("domain", &["error"]),
    ("error", &[]),
    ("body", &["error"]),
    ("csv", &[]),
    ("http", &["error", "domain", "csv"]),
    ("ports", &["error", "domain", "body", "http"]),
    ("sql", &["error", "domain", "ports"]),
];

/// The only modules that may import from `routes`, because a service must not call a route.
const MAY_IMPORT_ROUTES: [&str; 2] = ["routes", "cloudflare"];

/// A path such as `crate::storage::file::FileRow`, split into its segments.
type Path = Vec<String>;

/// The imports of one file, without the imports of its tests.
#[derive(Debug, Default)]
struct Imports {
    /// Imported paths, each written from the crate root.
    used: Vec<Path>,
    /// Re-exports: name → path.
    exported: BTreeMap<String, Path>,
}

/// All modules with their imports. A module is a file.
struct Tree(BTreeMap<Path, Imports>);

impl Tree {
    /// Parses files that are given by path and text.
    fn parse(files: &[(String, String)]) -> Self {
        let modules: BTreeSet<Path> = files.iter().map(|(path, _)| module_of(path)).collect();
        let read = |(path, text): &(String, String)| {
            let module = module_of(path);
            let imports = imports_of(&module, text, &modules);
            (module, imports)
        };
        Self(files.iter().map(read).collect())
    }

    /// Returns the module that defines the item at a path. Follows re-exports.
    fn resolve(&self, path: &[String]) -> Option<Path> {
        let module =
            (1..=path.len()).rev().map(|length| &path[..length]).find(|m| self.0.contains_key(*m))?;
        let next = path.get(module.len());
        match next.and_then(|name| self.0[module].exported.get(name)) {
            Some(elsewhere) => {
                let rest = path[module.len() + 1..].iter().cloned();
                self.resolve(&elsewhere.iter().cloned().chain(rest).collect::<Path>())
            }
            None => Some(module.to_vec()),
        }
    }

    /// Returns the modules from which a module imports.
    fn imported_by(&self, module: &[String]) -> BTreeSet<Path> {
        let found = self.0[module].used.iter().filter_map(|path| self.resolve(path));
        found.filter(|other| other != module).collect()
    }

    /// Returns the groups of modules that import each other, directly or indirectly.
    fn circles(&self) -> Vec<Vec<String>> {
        let edges: BTreeMap<&Path, BTreeSet<Path>> =
            self.0.keys().map(|module| (module, self.imported_by(module))).collect();
        let reach = |from: &Path| {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = waiting.pop() {
                let next: Vec<_> =
                    edges[&module].iter().filter(|next| !seen.contains(*next)).cloned().collect();
                seen.extend(next.iter().cloned());
                waiting.extend(next);
            }
            seen
        };
        let reached: BTreeMap<&Path, BTreeSet<Path>> =
            self.0.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            let circle: Vec<_> = others.iter().filter(|other| reached[other].contains(*module)).collect();
            if circle.len() > 1 {
                circles.insert(circle.into_iter().map(|module| module.join("::")).collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }

    /// Returns the imports that violate [`MAY_IMPORT`] or [`MAY_IMPORT_ROUTES`].
    fn forbidden(&self) -> Vec<String> {
        let mut found = Vec::new();
        for module in self.0.keys().filter(|module| module.len() > 1) {
            for other in self
                .imported_by(module)
                .iter()
                .filter(|other| other.get(1).is_some_and(|name| name == "routes"))
            {
                if !MAY_IMPORT_ROUTES.contains(&module[1].as_str()) {
                    found.push(format!("{} imports {}", module.join("::"), other.join("::")));
                }
            }
        }
        for module in self.0.keys().filter(|module| module.len() > 1) {
            let Some((floor, allowed)) = MAY_IMPORT.iter().find(|(floor, _)| module[1] == *floor) else {
                continue;
            };
            for other in self.imported_by(module) {
                let target = other.get(1).map_or("the root", String::as_str);
                if target != *floor && !allowed.contains(&target) {
                    found.push(format!("{} imports {}", module.join("::"), other.join("::")));
                }
            }
        }
        found
    }
}

/// Returns the module path of a file in `src`.
fn module_of(path: &str) -> Path {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let inner = path.split('/').filter(|name| *name != "lib").map(str::to_owned);
    std::iter::once("crate".to_owned()).chain(inner).collect()
}

fn imports_of(module: &[String], text: &str, modules: &BTreeSet<Path>) -> Imports {
    let code = without_tests(&Source::parse(text).code);
    let mut imports = Imports::default();
    let mut rest = code.as_str();
    let mut between = String::new();
    while let Some(at) = find_use(rest) {
        let (before, statement) = rest.split_at(at);
        between.push_str(before);
        let end = statement.find(';').expect("a `use` without a semicolon");
        let exports = is_exported(before);
        for leaf in leaves(&statement["use".len()..end]) {
            let (path, alias) = match leaf.split_once(" as ") {
                Some((path, alias)) => (path.to_owned(), Some(alias.trim().to_owned())),
                None => (leaf, None),
            };
            let path: Path = path.split("::").map(|name| name.trim().to_owned()).collect();
            let Some(path) = absolute(module, path, modules) else { continue };
            match (exports, alias.or_else(|| path.last().cloned())) {
                (true, Some(name)) => drop(imports.exported.insert(name, path)),
                _ => imports.used.push(path),
            }
        }
        rest = &statement[end + 1..];
    }
    between.push_str(rest);
    imports.used.extend(full_paths(&between).into_iter().filter_map(|path| absolute(module, path, modules)));
    // If a file re-exports a name and also uses the name, the name counts as an import.
    let itself = Source { code: between, strings: Vec::new() };
    let used = imports.exported.iter().filter(|(name, _)| itself.names(name));
    imports.used.extend(used.map(|(_, path)| path.clone()).collect::<Vec<_>>());
    imports
}

/// Whether the text before a `use` ends with `pub` or `pub(…)`, so that the `use` is a re-export.
fn is_exported(before: &str) -> bool {
    let before = before.trim_end();
    let visibility = match before.strip_suffix(')') {
        Some(inner) => inner.rsplit_once('(').map_or(before, |(visibility, _)| visibility.trim_end()),
        None => before,
    };
    visibility.ends_with("pub")
}

/// Returns the position of the next `use`.
fn find_use(code: &str) -> Option<usize> {
    code.match_indices("use ").map(|(at, _)| at).find(|&at| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '<')
    })
}

/// Returns the paths in an import tree. For example, `a::{b, c as d}` gives `a::b` and `a::c as d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((head, body)) = tree.split_once('{') else { return vec![tree] };
    let body = &body[..body.rfind('}').expect("a `use` without a closing brace")];
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, letter) in body.char_indices().chain([(body.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = body[start..at].trim();
                if !branch.is_empty() {
                    found.extend(leaves(branch).into_iter().map(|leaf| format!("{}{leaf}", head.trim())));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Returns a path from the crate root; `None` for a path into another crate.
fn absolute(module: &[String], mut path: Path, modules: &BTreeSet<Path>) -> Option<Path> {
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let supers = path.iter().take_while(|name| *name == "super").count();
    let first = path.first()?.as_str();
    match first {
        "crate" => Some(path),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([&module[..module.len().checked_sub(supers)?], &path[supers..]].concat()),
        first => {
            let child = [module, &[first.to_owned()]].concat();
            modules.contains(&child).then(|| [module, &path[..]].concat())
        }
    }
}

/// Returns the paths in code that start with `crate`, `super` or `self`. The code must have no `use` items.
fn full_paths(code: &str) -> Vec<Path> {
    let heads = ["crate::", "super::", "self::"];
    let starts = heads.iter().flat_map(|head| code.match_indices(head)).map(|(at, _)| at);
    let is_start = |at: &usize| {
        let before = &code[..*at];
        !before.ends_with(|before: char| before.is_alphanumeric() || "_$:".contains(before))
            && !before.ends_with("pub(in ")
    };
    let path = |at: usize| {
        let end = code[at..].find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':');
        let text = &code[at..end.map_or(code.len(), |end| at + end)];
        text.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    starts.filter(is_start).map(path).collect()
}

/// Returns the code without its test modules, which may import anything.
fn without_tests(code: &str) -> String {
    let Some(at) = code.find("#[cfg(test)]") else { return code.to_owned() };
    let (before, rest) = code.split_at(at);
    let rest = &rest["#[cfg(test)]".len()..];
    let end = match (rest.find('{'), rest.find(';')) {
        (Some(open), semicolon) if semicolon.is_none_or(|semicolon| open < semicolon) => {
            let mut depth = 0;
            let closes = |(at, letter): (usize, char)| {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                (depth == 0 && letter == '}').then_some(at + 1)
            };
            rest.char_indices().filter(|(at, _)| *at >= open).find_map(closes).unwrap_or(rest.len())
        }
        (_, Some(semicolon)) => semicolon + 1,
        _ => rest.len(),
    };
    format!("{before}{}", without_tests(&rest[end..]))
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| {
        let name = part.trim_end_matches(".rs");
        name == "tests" || name.ends_with("_tests") || name == "csv_crate"
    })
}

fn product() -> Tree {
    let files: Vec<_> = rust_below("src").into_iter().filter(|(path, _)| !is_test(path)).collect();
    Tree::parse(&files)
}

#[test]
fn there_are_no_circular_imports() {
    let tree = product();
    let circles = tree.circles();
    let edges = |circle: &Vec<String>| -> Vec<String> {
        let modules = circle.iter().map(|name| name.split("::").map(str::to_owned).collect::<Path>());
        let edge = |module: Path| {
            let others: Vec<_> = tree.imported_by(&module).iter().map(|other| other.join("::")).collect();
            let others = others.into_iter().filter(|other| circle.contains(other));
            others.map(|other| format!("{} imports {other}", module.join("::"))).collect::<Vec<_>>()
        };
        modules.flat_map(edge).collect()
    };
    let edges: Vec<_> = circles.iter().map(edges).collect();
    assert!(circles.is_empty(), "move what these files share into a third file: {edges:#?}");
}

#[test]
fn each_folder_imports_only_what_it_may_import() {
    let forbidden = product().forbidden();
    let advice = "pass plain data instead; tests/structure.rs lists what each folder may import";
    assert!(forbidden.is_empty(), "{advice}: {forbidden:#?}");
}

#[test]
fn every_file_is_part_of_the_crate() {
    let files: BTreeMap<String, String> = rust_below("src").into_iter().collect();
    let declared: String = files.values().map(|text| Source::parse(text).code).collect::<Vec<_>>().join("\n");
    let included: String =
        files.values().map(|text| Source::parse(text).strings.join("\n")).collect::<Vec<_>>().join("\n");
    let names = |path: &str| {
        let name = module_of(path).pop().unwrap();
        declared.contains(&format!("mod {name};"))
            || included.lines().any(|included| path.ends_with(included))
    };
    let orphans: Vec<_> = files.keys().filter(|path| *path != "src/lib.rs" && !names(path)).collect();
    assert!(orphans.is_empty(), "no `mod` names these files: {orphans:?}");
}

/// This test ignores the types that the macro `statements!` declares, because code writes their module before their
/// name (`sql::gc::DropKey`).
#[test]
fn no_two_types_have_the_same_name() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in rust_below("src").into_iter().filter(|(path, _)| !is_test(path)) {
        for name in types_in(&text) {
            places.entry(name).or_default().insert(path.clone());
        }
    }
    assert!(places.len() > 300, "{}", places.len());
    let shared: Vec<_> = places.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(shared.is_empty(), "rename these types so that each name is unique: {shared:#?}");
}

/// Returns the types that a file declares outside its tests. Associated types of trait implementations do not count.
fn types_in(text: &str) -> Vec<String> {
    let code = without_tests(&Source::parse(text).code);
    let declared = |line: &str| {
        let mut words =
            line.split_whitespace().skip_while(|word| word.starts_with("pub") || word.ends_with(')'));
        let kind = words.next().filter(|kind| ["struct", "enum", "trait", "union", "type"].contains(kind))?;
        let is_nested = line.starts_with(' ') && kind == "type";
        let name: String = words.next()?.chars().take_while(|letter| letter.is_alphanumeric()).collect();
        (!is_nested && !name.is_empty()).then_some(name)
    };
    code.lines().filter_map(declared).collect()
}

#[test]
fn declared_types_are_found() {
    let text = "pub(in crate::a) struct A<T>(T);\n    enum B { C }\ntrait D { type E; }\nimpl D for A {\n    type E = u8;\n}\n\
        type F = u8; // struct G\n#[cfg(test)] mod tests { struct H; }";
    assert_eq!(types_in(text), ["A", "B", "D", "F"]);
}

#[test]
fn every_file_of_src_is_parsed() {
    let tree = product();
    assert!(tree.0.len() > 150, "{}", tree.0.len());
    let names = |module: &str| -> Path { module.split("::").map(str::to_owned).collect() };
    let imported = tree.imported_by(&names("crate::routes::files"));
    assert!(imported.contains(&names("crate::storage::file")), "{imported:?}");
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Tree::parse(&files)
}

#[test]
fn a_planted_circular_import_is_found() {
    let circle = [["crate::a", "crate::b::c"].map(str::to_owned).to_vec()];
    for (a, c) in [
        ("use crate::b::c::X;", "use crate::a::Y;"),
        ("use crate::b::{self, c::X as Z};", "use super::super::a;"),
        ("use crate::b::X;", "pub fn f() { crate::a::y() }"),
        ("pub(crate) use crate::b::c::X; use crate::b::c::W;", "use crate::{d::D, a::Y};"),
        ("pub use crate::b::c::X; fn f(x: X) {}", "use crate::a::Y;"),
        ("use crate::b::X;", "pub fn f() { super::super::a::y() }"),
        ("fn f() -> super::b::c::X { X }", "pub fn f() -> super::super::a::Y { Y }"),
    ] {
        let tree = tree(&[
            ("src/lib.rs", "pub mod a; pub mod b; pub mod d;"),
            ("src/a.rs", a),
            ("src/b/mod.rs", "pub mod c; pub use c::X;"),
            ("src/b/c.rs", c),
            ("src/d.rs", "pub struct D;"),
        ]);
        assert_eq!(tree.circles(), circle, "{a} {c}");
    }
}

#[test]
fn imports_without_a_circle_are_not_reported() {
    let tree = tree(&[
        ("src/a.rs", "use crate::b::c::X; // use crate::d::D;"),
        ("src/b/mod.rs", "mod c; mod e; pub use c::X;"),
        ("src/b/c.rs", "use serde::Serialize; #[cfg(test)] mod tests { use crate::a::Y; fn f() { } }"),
        ("src/b/e.rs", "use super::X; const T: &str = \"use crate::a::Y;\";"),
        ("src/d.rs", "use crate::a::Y; #[cfg(test)] mod tests; use crate::b::X;"),
    ]);
    assert_eq!(tree.circles(), Vec::<Vec<String>>::new());
    assert_eq!(tree.imported_by(&["crate".to_owned(), "d".to_owned()]).len(), 2);
}

#[test]
fn a_port_that_imports_a_service_is_found() {
    let tree = tree(&[
        ("src/ports/mod.rs", "mod queue;"),
        ("src/ports/queue.rs", "use crate::jobs::Job; use crate::error::Problem; use super::Clock;"),
        ("src/jobs/mod.rs", "pub struct Job;"),
        ("src/error.rs", ""),
    ]);
    assert_eq!(tree.forbidden(), ["crate::ports::queue imports crate::jobs"]);
}

#[test]
fn a_service_that_imports_a_route_is_found() {
    let tree = tree(&[
        ("src/storage/mod.rs", "use crate::routes::responses::created;"),
        ("src/routes/mod.rs", "mod responses; use crate::storage::Service;"),
        ("src/routes/responses.rs", ""),
    ]);
    assert_eq!(tree.forbidden(), ["crate::storage imports crate::routes::responses"]);
}
