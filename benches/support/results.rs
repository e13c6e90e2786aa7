//! Result lines for `report.py`: one JSON line for each measurement.

use std::fs::{self, File};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::server::root;

/// The results file of one part of the benchmarks, for example `product`. Each run replaces the file of the run before
/// it.
pub struct Results {
    part: &'static str,
    file: File,
}

impl Results {
    pub fn new(part: &'static str) -> Self {
        let folder = root().join("target/bench/results");
        fs::create_dir_all(&folder).unwrap();
        let mut results = Self { part, file: File::create(folder.join(format!("{part}.jsonl"))).unwrap() };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        results.add(json!({"about": {"at": at, "quick": is_quick()}}));
        results
    }

    pub fn add(&mut self, mut line: Value) {
        line["part"] = self.part.into();
        writeln!(self.file, "{line}").unwrap();
    }
}

/// Whether `QUICK=1` is set. A quick run only checks that everything works.
pub fn is_quick() -> bool {
    std::env::var("QUICK").is_ok_and(|value| value == "1")
}
