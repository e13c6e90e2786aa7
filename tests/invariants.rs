//! Rules of the source tree that the compiler cannot check.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/source.rs"]
#[allow(dead_code)]
mod source;

use source::{Source, files_below, rust_below};

/// The name of the platform's crate.
const PLATFORM: [&str; 1] = ["worker"];

/// Names in code that is asynchronous, reads a clock or makes random values. A pure module must not contain these
/// names.
const IMPURE: [&str; 13] = [
    "async",
    "await",
    "Utc::now",
    "Local::now",
    "SystemTime",
    "Instant::now",
    "std::time",
    "Clock",
    "Random",
    "getrandom",
    "rand",
    "new_v4",
    "now_v7",
];

/// Returns those of `names` that occur in a file outside comments and literals.
fn names_found(text: &str, names: &[&'static str]) -> Vec<&'static str> {
    let source = Source::parse(text);
    names.iter().copied().filter(|name| source.names(name)).collect()
}

/// Returns the string literals that contain SQL.
fn sql_in(text: &str) -> Vec<String> {
    Source::parse(text).strings.into_iter().filter(|literal| is_sql(literal)).collect()
}

/// Whether a text is a whole SQL statement or a large part of an SQL statement. The function looks for upper-case
/// keywords at the start of the text, and for pairs of upper-case keywords such as `UPDATE` and `SET`. Texts that are
/// not SQL contain neither.
fn is_sql(text: &str) -> bool {
    let text = format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "));
    let pairs = [
        (" SELECT ", " FROM "),
        (" UPDATE ", " SET "),
        (" INSERT ", " INTO "),
        (" DELETE ", " FROM "),
        (" ORDER ", " BY "),
        (" CREATE ", " TABLE "),
    ];
    let starts = [" SELECT ", " WITH ", " WHERE ", " PRAGMA ", " REPLACE INTO "];
    starts.iter().any(|start| text.starts_with(start))
        || pairs.iter().any(|(first, second)| {
            text.split_once(first).is_some_and(|(_, rest)| format!(" {rest}").contains(second))
        })
}

/// The files that may bind values to SQL by position. These files define the typed statements, and pass them to the
/// platform.
const BINDERS: [&str; 3] = ["src/sql/statement.rs", "src/ports/database.rs", "src/cloudflare/d1.rs"];

/// Whether code binds values to SQL by position.
fn binds(text: &str) -> bool {
    let source = Source::parse(text);
    let code: String = source.code.split_whitespace().collect();
    code.contains(".bind(") || source.names("Statement::new")
}

/// Returns the hosts of package registries, built from parts so that this file does not contain them.
fn registry_hosts() -> Vec<String> {
    [
        ["crates", "io"],
        ["npmjs", "org"],
        ["npmjs", "com"],
        ["yarnpkg", "com"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
    ]
    .map(|parts| parts.join("."))
    .to_vec()
}

fn hosts_in(text: &str) -> Vec<String> {
    registry_hosts().into_iter().filter(|host| text.contains(host.as_str())).collect()
}

#[test]
fn only_src_cloudflare_and_src_lib_name_the_platform() {
    for (path, text) in rust_below("src") {
        let is_allowed = path.starts_with("src/cloudflare/") || path == "src/lib.rs";
        assert!(is_allowed || names_found(&text, &PLATFORM).is_empty(), "{path} uses the platform's crate");
    }
}

#[test]
fn the_csv_and_http_modules_use_no_clock_no_randomness_and_no_async_code() {
    for (path, text) in rust_below("src/csv").into_iter().chain(rust_below("src/http")) {
        let found = names_found(&text, &IMPURE);
        assert!(found.is_empty(), "{path} names {found:?}");
    }
}

#[test]
fn sql_occurs_only_in_src_sql() {
    for (path, text) in rust_below("src").into_iter().filter(|(path, _)| !path.starts_with("src/sql")) {
        let found = sql_in(&text);
        assert!(found.is_empty(), "{path} contains SQL: {found:?}");
    }
}

/// The folders whose code reads files as CSV.
const READERS: [&str; 2] = ["src/cuts/", "src/routes/cuts/"];
/// The only file in [`READERS`] that may read stored bytes into wasm. It compares the bytes with their digests.
const COMPARES_BYTES: &str = "src/cuts/verified.rs";

#[test]
fn a_file_is_read_as_csv_only_through_the_source_that_checks_the_digests() {
    for (path, text) in rust_below("src") {
        let reads = !names_found(&text, &["into_source"]).is_empty();
        let is_reader = READERS.iter().any(|folder| path.starts_with(folder));
        assert!(!is_reader || reads == (path == COMPARES_BYTES), "{path}");
    }
}

/// Returns the names of the types that code declares, but only names of two or more words, such as `StoredPart`. A name
/// of one word, such as `Part`, may be an ordinary word in a sentence.
fn types_of(text: &str) -> Vec<String> {
    let code = Source::parse(text).code;
    let words: Vec<_> = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let declared = words.windows(2).filter(|pair| ["struct", "enum", "trait", "type"].contains(&pair[0]));
    let names = declared.map(|pair| pair[1]).filter(|name| {
        name.starts_with(char::is_uppercase)
            && name.chars().filter(|letter| letter.is_uppercase()).count() > 1
    });
    names.map(str::to_owned).collect()
}

/// Returns the string literals in code that are sentences and contain the name of one of these types.
fn sentences_naming(text: &str, types: &[String]) -> Vec<String> {
    let names_one = |literal: &String| {
        let mut words = literal.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        literal.contains(' ') && words.any(|word| types.iter().any(|name| name == word))
    };
    Source::parse(text).strings.into_iter().filter(names_one).collect()
}

#[test]
fn no_text_for_users_names_a_type() {
    let files = rust_below("src");
    let types: Vec<_> = files.iter().flat_map(|(_, text)| types_of(text)).collect();
    assert!(types.contains(&"StoredPart".to_owned()));
    for (path, text) in files {
        let found = sentences_naming(&text, &types);
        assert!(found.is_empty(), "{path} names a type in {found:?}");
    }
}

#[test]
fn a_type_name_in_a_text_is_found_and_an_ordinary_word_is_ignored() {
    let types = types_of("struct StoredPart { x: u8 } enum Part {} // struct InComment\n\"struct InText\"");
    assert_eq!(types, ["StoredPart"]);
    assert_eq!(sentences_naming("format!(\"StoredPart {n} of it\")", &types).len(), 1);
    assert_eq!(sentences_naming("f(\"Send StoredPart: now\")", &types).len(), 1);
    for text in ["f(\"Part {n} of it\")", "f(\"StoredPart\")", "// a StoredPart of it"] {
        assert!(sentences_naming(text, &types).is_empty(), "{text}");
    }
}

/// Names that write to the log without `App::write_log`, which gives each line its time, level and service.
const RAW_LOGGING: [&str; 5] = ["log.line", "console_log", "console_error", "println", "eprintln"];

#[test]
fn log_lines_are_written_only_through_write_log() {
    for (path, text) in rust_below("src") {
        let is_allowed = ["src/app.rs", "src/cloudflare/clock.rs"].contains(&path.as_str());
        let found = names_found(&text, &RAW_LOGGING);
        assert!(is_allowed || found.is_empty(), "{path} names {found:?}");
    }
    assert_eq!(names_found("self.app.log.line(&json!({}))", &RAW_LOGGING), ["log.line"]);
    assert!(names_found("// log.line\nself.log_line()", &RAW_LOGGING).is_empty());
}

#[test]
fn values_are_bound_to_sql_only_by_statement_types() {
    for (path, text) in rust_below("src").into_iter().filter(|(path, _)| !BINDERS.contains(&path.as_str())) {
        assert!(
            !binds(&text),
            "{path} binds values to SQL by position; use a statement type of src/sql instead"
        );
    }
}

#[test]
fn no_file_contains_a_package_registry_host() {
    let locks = ["Cargo.lock", "package-lock.json"];
    for (path, bytes) in files_below("") {
        if !locks.iter().any(|lock| path.ends_with(lock)) {
            let found = hosts_in(&String::from_utf8_lossy(&bytes));
            assert!(found.is_empty(), "{path} names {found:?}");
        }
    }
}

#[test]
fn a_planted_platform_name_is_found_and_prose_is_ignored() {
    for text in
        ["use worker::Env;", "let x = ::worker::send();", "fn f(e: &worker::Error) {}", "use {worker as w};"]
    {
        assert_eq!(names_found(text, &PLATFORM), ["worker"], "{text}");
    }
    for text in [
        "// the worker",
        "/* a /* worker */ worker */",
        "let s = \"worker \\\" worker\";",
        "let s = r#\"worker\" worker\"#;",
        "let workers = service_worker;",
        "let c = '\"'; // worker \"",
    ] {
        assert!(names_found(text, &PLATFORM).is_empty(), "{text}");
    }
}

#[test]
fn a_planted_clock_or_await_is_found_and_prose_is_ignored() {
    for (text, wanted) in [
        ("async fn f() {}", "async"),
        ("x.await", "await"),
        ("let t = chrono::Utc::now();", "Utc::now"),
        ("std::time::Instant::now()", "Instant::now"),
        ("use std::time::SystemTime;", "SystemTime"),
        ("fn f(clock: &dyn Clock) {}", "Clock"),
        ("fn f<'a>(random: &'a dyn Random) {}", "Random"),
    ] {
        assert!(names_found(text, &IMPURE).contains(&wanted), "{text}");
    }
    for text in
        ["//! Nothing here is async.", "let operand = 1;", "enum Value { Instant(i64) }", "let c = 'a';"]
    {
        assert!(names_found(text, &IMPURE).is_empty(), "{text}");
    }
}

#[test]
fn planted_sql_is_found_and_prose_is_ignored() {
    for text in [
        "f(\"SELECT 1\")",
        "f(\"SELECT a\n FROM b\")",
        "f(r#\"UPDATE a SET b = 1\"#)",
        "f(b\"x\", br#\"DELETE FROM a\"#)",
        "f(\"INSERT INTO a VALUES (1)\")",
        "f(\" WHERE user_id = ?1\")",
        "f(\"WITH a AS (SELECT 1) SELECT * FROM a\")",
        "format!(\"{x} ORDER BY {y}\")",
    ] {
        assert_eq!(sql_in(text).len(), 1, "{text}");
    }
    for text in [
        "// SELECT a FROM b",
        "f(\"Select the columns from the file\")",
        "f(\"DELETE\"); f(\"PATCH, DELETE, OPTIONS\")",
        "f(\"BETWEEN a AND b\"); f(\"update\")",
    ] {
        assert!(sql_in(text).is_empty(), "{text}");
    }
}

#[test]
fn a_planted_binding_is_found_and_a_typed_statement_is_ignored() {
    for text in [
        "Statement::new(sql)",
        "crate::ports::Statement::new(sql).bind(1)",
        "let names_found = statement.bind(key);",
        "let names_found = statement\n    .bind(key);",
        "parts.into_iter().map(Statement::new)",
    ] {
        assert!(binds(text), "{text}");
    }
    for text in [
        "sql::gc::DropKey { key: &key }.statement()",
        "// Statement::new(sql).bind(1)",
        "f(\"statement.bind(1)\")",
        "fn bind(value: u64) {}",
        "let statement = Statement { sql, params };",
    ] {
        assert!(!binds(text), "{text}");
    }
}

#[test]
fn a_planted_registry_is_found() {
    for host in registry_hosts() {
        assert_eq!(hosts_in(&format!("see https://index.{host}/x")), [host]);
    }
    assert!(hosts_in("see the registry").is_empty());
}

/// Proptest reads the seeds for `src/a/b.rs` from `proptest-regressions/a/b.txt`. Proptest silently ignores a seed
/// file that matches no source file.
#[test]
fn every_proptest_seed_file_belongs_to_a_test_file() {
    let seeds = files_below("proptest-regressions");
    assert!(!seeds.is_empty());
    for (path, _) in seeds {
        let tests = path.replacen("proptest-regressions", "src", 1).replace(".txt", ".rs");
        assert!(std::path::Path::new(&tests).exists(), "no test reads {path}: {tests} does not exist");
    }
}
