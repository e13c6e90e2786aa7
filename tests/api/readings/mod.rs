//! Uploads generated files in many dialects, and compares what Cutty reads with what was written.
//!
//! A file is a *hit* if a cut finds exactly the header and the cells that were written. Any other file must have a
//! notice (`X-Cutty-Notice`). The committed table `hits.txt` counts the hits by each property of the files. A run must
//! find at least as many; `HITS=write` writes the table again. A run with `LONG=1` also reads files with other seeds. For every file, a cut, pages of rows, the profile, the
//! estimate and a saved cut must agree.

mod files;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::ops::RangeInclusive;

use files::{Above, Damage, Form, Random, Table};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{get, post, post_json};

/// Seeds of the files of the committed table.
const SEEDS: RangeInclusive<u64> = 1..=320;
/// Seeds of more files, which only a run with `LONG=1` reads. No rule of the detection was tuned with them.
const OTHER_SEEDS: RangeInclusive<u64> = 1_001..=2_200;
/// Minimum share of hits, in percent.
const FLOOR: u64 = 97;
const HITS: &str = include_str!("hits.txt");

/// Everything that Cutty says about one file.
struct Readings {
    cut: Table,
    notice: Option<String>,
}

async fn send_json(app: &TestApp, token: &str, path: &str) -> Value {
    app.send(get(path).bearer(token)).await.expect(200).json()
}

fn texts(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Returns the table in the rows of a page.
fn table_of(page: &Value) -> Table {
    Table {
        header: texts(&page["columns"]),
        rows: page["rows"].as_array().unwrap().iter().map(texts).collect(),
    }
}

/// Parses a CSV result with another parser.
fn parse(text: &[u8]) -> Table {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    let mut records =
        reader.byte_records().map(|record| record.unwrap().iter().map(text).collect::<Vec<_>>());
    Table { header: records.next().unwrap_or_default(), rows: records.collect() }
}

/// Uploads a file and reads it in all ways. Asserts that they agree. `None` if the upload is refused.
async fn read(app: &TestApp, token: &str, form: &Form, bytes: Vec<u8>) -> Option<Readings> {
    let upload = post("/api/files")
        .header("content-type", form.media_type())
        .header("x-file-name", "list.csv")
        .bytes(bytes)
        .bearer(token);
    let uploaded = app.send(upload).await;
    if uploaded.status == 415 {
        return None;
    }
    let file = uploaded.expect(201).json()["file"].clone();
    app.deliver().await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let cut = app.send(get(&format!("{path}/cut")).bearer(token)).await.expect(200);
    let notice = cut.headers.get("x-cutty-notice").map(|notice| notice.to_str().unwrap().to_owned());
    let table = parse(&cut.body);
    let page = send_json(app, token, &format!("{path}/rows?limit=1000")).await;
    assert_eq!(table_of(&page), table, "a page and a cut differ: {form:?}");
    let profile = send_json(app, token, &format!("{path}/profile")).await["profile"].clone();
    assert_eq!(profile["rowCount"], table.rows.len(), "{form:?}");
    let names: Vec<&str> = profile["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, table.header, "{form:?}");
    assert_eq!(file["dialect"], profile["dialect"], "{form:?}");
    let columns = send_json(app, token, &format!("{path}/columns")).await;
    assert_eq!(columns["dialect"], profile["dialect"], "{form:?}");
    let estimate = send_json(app, token, &format!("{path}/estimate")).await["estimate"].clone();
    assert_eq!(
        (&estimate["rowsTotal"], &estimate["rowsAtMost"]),
        (&json!(table.rows.len()), &json!(table.rows.len()))
    );
    let save = post_json(&format!("{path}/save"), &json!({})).bearer(token);
    let saved = app.send(save).await.expect(201).json()["file"]["id"].as_str().unwrap().to_owned();
    app.deliver().await;
    let saved = app.send(get(&format!("/api/files/{saved}")).bearer(token)).await.expect(200);
    assert_eq!(saved.body, cut.body, "a saved cut and a cut differ: {form:?}");
    Some(Readings { cut: table, notice })
}

/// Counts hits by property: for each, the number of hits and of files.
#[derive(Default)]
struct Hits(BTreeMap<String, (u64, u64)>);

impl Hits {
    fn count(&mut self, form: &Form, hit: bool) {
        let delimiter = match form.delimiter {
            '\t' => "tab".to_owned(),
            delimiter => delimiter.to_string(),
        };
        let newline = form.newline.replace('\r', "CR").replace('\n', "LF");
        let name = |kind: &str, value: &dyn Debug| format!("{kind} {value:?}");
        for property in [
            "all".to_owned(),
            format!("delimiter {delimiter}"),
            format!("newline {newline}"),
            format!("rows {:3}", form.rows),
            name("content", &form.content),
            name("quoting", &form.quoting),
            name("above", &form.above),
            name("end", &form.end),
            name("encoding", &form.written),
            name("damage", &form.damage),
        ] {
            let counts = self.0.entry(property).or_default();
            counts.0 += u64::from(hit);
            counts.1 += 1;
        }
    }

    fn render(&self) -> String {
        let mut text = String::from("property: hits of files\n");
        for (property, (hits, files)) in &self.0 {
            writeln!(text, "{property}: {hits} of {files}").unwrap();
        }
        text
    }
}

/// Reads the files with these seeds. Asserts the floor, and that every file that is no hit or is damaged has a notice.
/// Returns the hits, and a description of each miss.
async fn count(seeds: RangeInclusive<u64>) -> (Hits, String) {
    let app = TestApp::new();
    let token = app.user("ada");
    let mut hits = Hits::default();
    let (mut misses, mut silent) = (String::new(), Vec::new());
    for seed in seeds {
        let mut random = Random::new(seed);
        let form = Form::random(&mut random);
        let (bytes, table) = form.write(&mut random);
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        let readings = read(&app, &token, &form, bytes).await;
        let hit = readings.as_ref().is_some_and(|readings| readings.cut == table);
        hits.count(&form, hit);
        let (columns, notice) = match &readings {
            Some(readings) => (format!("{:?}", readings.cut.header), readings.notice.as_deref()),
            None => (String::new(), Some("refused")),
        };
        if !hit {
            writeln!(misses, "seed {seed}: {form:?} {notice:?}\n{start:?}\n{columns}").unwrap();
        }
        if (!hit || form.damage != Damage::None) && notice.is_none() {
            silent.push(seed);
        }
    }
    assert!(silent.is_empty(), "files without a notice: {silent:?}\n{misses}");
    let (hit, all) = hits.0["all"];
    assert!(hit * 100 >= all * FLOOR, "{hit} of {all}\n{misses}");
    (hits, misses)
}

#[tokio::test]
async fn generated_files_are_read_as_they_were_written_and_every_reader_agrees() {
    let (hits, misses) = count(SEEDS).await;
    if std::env::var_os("HITS").is_some_and(|value| value == "write") {
        std::fs::write("tests/api/readings/hits.txt", hits.render()).unwrap();
    }
    for line in HITS.lines().skip(1) {
        let (property, counts) = line.split_once(": ").unwrap();
        let committed: u64 = counts.split(' ').next().unwrap().parse().unwrap();
        let found = hits.0.get(property).map_or(0, |counts| counts.0);
        assert!(found >= committed, "{property}: {found} hits instead of {committed}\n{misses}");
    }
}

#[tokio::test]
async fn files_that_tuned_no_rule_are_read_as_well() {
    if std::env::var_os("LONG").is_some() {
        count(OTHER_SEEDS).await;
    }
}

/// The forms must cover what the table claims to cover.
#[test]
fn every_property_occurs_in_several_files() {
    let mut hits = Hits::default();
    for seed in SEEDS {
        hits.count(&Form::random(&mut Random::new(seed)), true);
    }
    assert!(hits.0.values().all(|(_, files)| *files >= 16), "{}", hits.render());
    assert!(hits.0.keys().any(|property| property.contains(&format!("{:?}", Above::HeaderAbsent))));
}
