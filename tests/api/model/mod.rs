//! Performs long random sequences of operations on a few files. Compares each response with a model of the service.
//!
//! The model has only a list of files, a quota and the time. It has no database and no object store.

mod changing;
mod file;
mod passing;
mod reading;

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse};
use crate::support::seeds::{Rng, for_each_seed};
use crate::support::turns::expect_ready;
use file::{File, Table};

/// Seeds that once failed.
const REGRESSIONS: &[u64] = &[];

/// The number of sequences.
const SEEDS: u64 = 120;
/// The number of operations in each sequence.
const STEPS: usize = 60;

const QUOTA: u64 = 400;
const MISSING: &str = "018f0000-0000-7000-8000-000000000001";
const NAMES: [&str; 5] = ["a.csv", "B.csv", "data.csv", "Data-two.csv", "zebra.csv"];
const TAGS: [&str; 3] = ["north", "south", "uploaded"];

/// The status and the code of a refusal.
type Refusal = (u16, &'static str);
const NOT_FOUND: Refusal = (404, "not_found");

/// The service and its model.
struct World {
    app: TestApp,
    owner: String,
    stranger: String,
    rng: Rng,
    files: Vec<File>,
    /// The ids of permanently deleted files.
    gone: Vec<String>,
    keys: usize,
}

/// The file that an operation names. `index` is its place in the model, or `None` if the caller has no such file.
struct Target {
    index: Option<usize>,
    path: String,
    token: String,
}

impl World {
    fn new(seed: u64) -> Self {
        let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", &QUOTA.to_string())]);
        let (owner, stranger) = (app.user("ada"), app.user("bob"));
        Self { app, owner, stranger, rng: Rng::new(seed), files: Vec::new(), gone: Vec::new(), keys: 0 }
    }

    fn used(&self) -> u64 {
        self.files.iter().map(File::size).sum()
    }

    fn step(&mut self) {
        match self.rng.below(23) {
            0..=3 => self.create(),
            4 | 5 => self.list(),
            6..=8 => self.read(),
            9 => self.look(),
            10..=13 => self.patch(),
            14 | 15 => self.delete(),
            16 | 17 => self.restore(),
            18 => self.save(),
            19 => self.page(),
            20 => self.trace(),
            21 => self.pass_time(),
            _ => self.sweep(),
        }
        let quota = self.app.database.rows("SELECT used_bytes, reserved_bytes FROM quotas").pop();
        let quota = quota
            .map_or((json!(0), json!(0)), |row| (row["used_bytes"].clone(), row["reserved_bytes"].clone()));
        assert_eq!(
            quota,
            (json!(self.used()), json!(0)),
            "the quota must count the bytes of the model and no reserved bytes"
        );
    }

    fn target(&mut self) -> Target {
        let token = if self.rng.once_in(12) { self.stranger.clone() } else { self.owner.clone() };
        if self.files.is_empty() || self.rng.once_in(10) {
            let id = self.gone.last().map_or(MISSING, String::as_str);
            return Target { index: None, path: format!("/api/files/{id}"), token };
        }
        let index = self.rng.below(self.files.len());
        let path = self.files[index].path();
        Target { index: Some(index).filter(|_| token == self.owner), path, token }
    }

    /// Sends a request that changes something. Sometimes adds an idempotency key and sends the request twice.
    fn change(
        &mut self,
        make: impl Fn() -> Call,
        token: &str,
        expected: Result<u16, Refusal>,
    ) -> TestResponse {
        self.keys += 1;
        let key = self.rng.once_in(3).then(|| format!("key-{}", self.keys));
        let call = || match &key {
            Some(key) => make().bearer(token).header("idempotency-key", key),
            None => make().bearer(token),
        };
        let response = self.expect(call(), expected);
        if key.is_some() {
            let again = self.expect(call(), expected);
            assert_eq!(again.header("idempotency-replayed") == "true", expected.is_ok());
            assert!(
                expected.is_err() || again.body == response.body,
                "the replay {again} differs from {response}"
            );
        }
        response
    }

    fn expect(&self, call: Call, expected: Result<u16, Refusal>) -> TestResponse {
        let response = expect_ready(self.app.send(call));
        let (status, code) = match expected {
            Ok(status) => (status, Value::Null),
            Err((status, code)) => (status, code.into()),
        };
        assert_eq!(response.status.as_u16(), status, "{response}");
        assert!(expected.is_ok() || response.json()["code"] == code, "{response}");
        response
    }

    /// Draws a value for `If-Match`, or `None`. Returns the value, and whether this precondition is true for the file.
    fn draw_condition(&mut self, index: Option<usize>) -> (Option<String>, bool) {
        let file = index.map(|index| &self.files[index]);
        let current = file.map_or("\"r1\"".to_owned(), |file| format!("\"r{}\"", file.revision));
        let version = file.map_or("\"x\"".to_owned(), |file| format!("\"{}\"", file.version));
        match self.rng.below(8) {
            0 => (Some(current), true),
            1 => (Some(version), true),
            2 => (Some("*".to_owned()), true),
            3 => (Some("\"r999\"".to_owned()), false),
            _ => (None, true),
        }
    }

    /// Draws columns, and sometimes a filter: a value that the column `k` must have. Returns the columns, this value,
    /// and the query of a cut with these columns and this filter.
    fn draw_cut(&mut self, table: &Table) -> (Vec<&'static str>, Option<String>, String) {
        let mut columns = table.columns.clone();
        if self.rng.once_in(2) {
            columns.reverse();
        }
        columns.truncate(1 + self.rng.below(columns.len()));
        let may_filter = table.columns.contains(&"k") && self.rng.once_in(2);
        let value = may_filter.then(|| format!("{}", self.rng.below(5) + 1));
        let filter = value.as_ref().map(|value| format!("&k__eq={value}")).unwrap_or_default();
        let query = format!("columns={}{filter}", columns.join(","));
        (columns, value, query)
    }
}

#[test]
fn the_service_behaves_like_its_model() {
    for_each_seed("MODEL_SEED", REGRESSIONS, SEEDS, |seed| {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.app.assert_consistent();
    });
}
