//! The generated benchmark files.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::Value;

use super::server::root;

/// A generated file and its properties.
pub struct Data {
    pub kind: String,
    pub bytes: u64,
    pub rows: u64,
    /// The column that the filter compares, counted from 0.
    pub column: u64,
    /// The values of `column` are random numbers from 0 to `bound - 1`, all equally likely.
    pub bound: u64,
    /// The columns that the cut writes, counted from 0.
    pub selected: Vec<u64>,
}

impl Data {
    pub fn load(kind: &str) -> Self {
        let path = folder().join(format!("{kind}.json"));
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing. Make it: benches/run data", path.display()));
        let facts: Value = serde_json::from_str(&text).unwrap();
        let number = |name: &str| facts[name].as_u64().unwrap();
        Self {
            kind: kind.to_owned(),
            bytes: number("bytes"),
            rows: number("rows"),
            column: number("column"),
            bound: number("bound"),
            selected: facts["selected"].as_array().unwrap().iter().filter_map(Value::as_u64).collect(),
        }
    }

    pub fn open(&self) -> File {
        File::open(folder().join(format!("{}.csv", self.kind))).unwrap()
    }

    /// Returns a minimum. In `percent` percent of the rows, the value of `column` is at least this minimum.
    pub fn minimum_of_share(&self, percent: u64) -> u64 {
        self.bound * (100 - percent) / 100
    }

    /// Returns the query string of the cut for the routes of the benchmark's Worker that run an engine (`/bench/cut`,
    /// `/bench/memory`).
    pub fn job(&self) -> String {
        let selected: Vec<String> = self.selected.iter().map(u64::to_string).collect();
        format!(
            "column={}&minimum={}&selected={}",
            self.column,
            self.minimum_of_share(10),
            selected.join(",")
        )
    }

    /// Returns the query string of the cut for Cutty's own routes. The cut keeps `percent` percent of the rows, and
    /// three columns.
    pub fn query(&self, percent: u64) -> String {
        format!("{}&c{}__gte={}", self.columns_query(), self.column, self.minimum_of_share(percent))
    }

    /// Returns the query string of a cut that keeps 1 % of the rows, from the middle of the file. The filter is a range
    /// of the first column, whose values ascend by 7 per row.
    pub fn sorted_query(&self) -> String {
        let (from, to) = (self.rows * 7 / 2, self.rows * 7 / 2 + self.rows * 7 / 100);
        format!("{}&c0__gte={from}&c0__lt={to}", self.columns_query())
    }

    fn columns_query(&self) -> String {
        let names: Vec<String> = self.selected.iter().map(|column| format!("c{column}")).collect();
        format!("columns={}", names.join(","))
    }
}

fn folder() -> PathBuf {
    root().join("target/bench/data")
}
