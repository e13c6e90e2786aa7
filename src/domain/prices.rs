//! What an account costs: prices, and an estimate of the operations that each action needs.
//!
//! Money is computed in whole pico-dollars (10⁻¹² dollars), so that no sum has an error of a binary fraction. A price per
//! million operations in micro-dollars is the same number as the price of one operation in pico-dollars.

use chrono::NaiveDate;
use serde::Deserialize;

/// The default of `PRICES`: Cloudflare's list prices.
pub const DEFAULT_PRICES: &str = r#"{"readOn": "2026-11-30", "source": "https://developers.cloudflare.com/workers/platform/pricing/ and https://developers.cloudflare.com/r2/pricing/", "storageStandardPerGbMonth": 0.015, "storageInfrequentAccessPerGbMonth": 0.01, "classAPerMillion": 4.5, "classBPerMillion": 0.36, "workerRequestsPerMillion": 0.3, "d1RowsReadPerMillion": 0.001, "d1RowsWrittenPerMillion": 1, "queueOperationsPerMillion": 0.4, "durableObjectRequestsPerMillion": 0.15}"#;

/// The highest price and the highest budget, in dollars.
pub const MAX_DOLLARS: f64 = 1_000_000_000.0;

/// Bytes of a part of a stored stream. R2 counts each part as a class A operation.
const PART_BYTES: u64 = 5 << 20;
/// Pico-dollars in a micro-dollar.
const PICO_PER_MICRO: u128 = 1_000_000;
/// Bytes of a gigabyte, as R2 bills it.
const GIGABYTE: u128 = 1_000_000_000;

/// An amount of money in whole micro-dollars (10⁻⁶ dollars).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

impl Micros {
    /// Parses an amount in dollars from 0 to [`MAX_DOLLARS`]. `None` if it is out of range or has more than six decimals.
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        if !(0.0..=MAX_DOLLARS).contains(&dollars) {
            return None;
        }
        let micros = (dollars * 1e6).round();
        // The nearest number with six decimals is the number itself.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)]
        (micros / 1e6 == dollars).then_some(Self(micros as u64))
    }

    /// Rounds pico-dollars to whole micro-dollars, half up.
    fn from_pico(pico: u128) -> Self {
        Self(u64::try_from((pico + PICO_PER_MICRO / 2) / PICO_PER_MICRO).unwrap_or(u64::MAX))
    }

    /// Returns the amount in dollars, for JSON. The number has at most six decimals.
    #[allow(clippy::cast_precision_loss)]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// A price of the configuration, in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
struct Price(Micros);

impl TryFrom<f64> for Price {
    type Error = String;

    fn try_from(dollars: f64) -> Result<Self, String> {
        let micros = Micros::from_dollars(dollars);
        let problem =
            || format!("{dollars} is not a price in dollars from 0 to {MAX_DOLLARS} with at most 6 decimals");
        micros.map(Self).ok_or_else(problem)
    }
}

/// Prices in US dollars.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// The day on which somebody read the prices, as `YYYY-MM-DD`.
    pub read_on: NaiveDate,
    /// Where the prices are published.
    pub source: String,
    storage_standard_per_gb_month: Price,
    storage_infrequent_access_per_gb_month: Price,
    class_a_per_million: Price,
    class_b_per_million: Price,
    worker_requests_per_million: Price,
    d1_rows_read_per_million: Price,
    d1_rows_written_per_million: Price,
    queue_operations_per_million: Price,
    durable_object_requests_per_million: Price,
}

/// How many operations of the platform an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needs {
    class_a: u64,
    class_b: u64,
    worker_requests: u64,
    rows_read: u64,
    rows_written: u64,
    queue_operations: u64,
    object_requests: u64,
}

/// A request that reads some rows. A queue message is three operations: a write, a read and a delete. The request of the
/// consumer handles up to 100 messages, so it is not counted.
const READ: Needs = Needs {
    class_a: 0,
    class_b: 0,
    worker_requests: 1,
    rows_read: 10,
    rows_written: 8,
    queue_operations: 3,
    object_requests: 0,
};

/// The operations that each action needs, estimated from the calls in `tests/api/operations/cost.rs` and from the rows and
/// indexes that these calls touch. An action that is not in the table needs [`READ`].
///
/// - `upload`, `save`: two puts (file and profile), and a put for each part of 5 MiB; intent and commit write about 40 rows
///   with their indexes.
/// - `download`: one read of an object; the consumer of the queue counts the read.
/// - `process`: reads the profile and the file; writes the receipt twice.
/// - `update`, `delete`, `restore`, `share`, `change_share`, `revoke_share`: one batch.
fn needs(action: &str) -> Needs {
    let change = Needs { rows_read: 20, rows_written: 15, queue_operations: 0, ..READ };
    match action {
        "upload" | "save" => Needs { class_a: 2, rows_read: 40, rows_written: 40, ..change },
        "download" => Needs { class_b: 1, rows_written: 10, ..READ },
        "process" => Needs { class_b: 2, rows_read: 20, rows_written: 20, ..READ },
        "update" | "delete" | "restore" | "share" | "change_share" | "revoke_share" => change,
        _ => READ,
    }
}

/// Returns the estimated operations of an action: R2 class A and class B, and rows that D1 reads and writes.
pub fn needed_operations(action: &str) -> [u64; 4] {
    let Needs { class_a, class_b, rows_read, rows_written, .. } = needs(action);
    [class_a, class_b, rows_read, rows_written]
}

/// Whether the bytes of an action are stored in R2. The bytes of other actions are sent to clients.
pub fn stores_bytes(action: &str) -> bool {
    matches!(action, "upload" | "save")
}

/// The number of entries of one action, and their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionCount<'a> {
    /// The action.
    pub action: &'a str,
    /// Number of entries, with those that failed.
    pub operations: u64,
    /// Bytes transferred.
    pub bytes: u64,
}

/// Sums of the bytes that were stored on each day of a month, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredBytes {
    /// Sum of the daily peaks of all kept bytes.
    pub byte_days: u64,
    /// The part of this sum in the class `InfrequentAccess`.
    pub infrequent_byte_days: u64,
    /// Days of the whole month.
    pub days_in_month: u32,
}

/// The cost of a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthCost {
    /// Storage.
    pub storage: Micros,
    /// Operations.
    pub operations: Micros,
}

impl MonthCost {
    /// Returns the sum.
    pub fn total(self) -> Micros {
        Micros(self.storage.0.saturating_add(self.operations.0))
    }
}

impl Prices {
    /// Parses the JSON of `PRICES`.
    ///
    /// # Errors
    /// The problem, for an operator.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| {
            format!("is not a JSON object with the prices: {error}. See docs/operations.md, Prices")
        })
    }

    /// Returns the estimated cost of a month.
    pub fn cost<'a>(
        &self,
        actions: impl IntoIterator<Item = ActionCount<'a>>,
        stored: StoredBytes,
    ) -> MonthCost {
        let pico = actions.into_iter().map(|count| self.pico_of_action(&count)).sum();
        MonthCost { storage: self.cost_of_storage(stored), operations: Micros::from_pico(pico) }
    }

    fn pico_of_action(&self, count: &ActionCount<'_>) -> u128 {
        let needs = needs(count.action);
        let parts = if stores_bytes(count.action) { count.bytes / PART_BYTES } else { 0 };
        let each = [
            (needs.class_a, self.class_a_per_million),
            (needs.class_b, self.class_b_per_million),
            (needs.worker_requests, self.worker_requests_per_million),
            (needs.rows_read, self.d1_rows_read_per_million),
            (needs.rows_written, self.d1_rows_written_per_million),
            (needs.queue_operations, self.queue_operations_per_million),
            (needs.object_requests, self.durable_object_requests_per_million),
        ];
        let pico: u128 =
            each.into_iter().map(|(number, price)| u128::from(number) * u128::from(price.0.0)).sum();
        pico * u128::from(count.operations) + u128::from(parts) * u128::from(self.class_a_per_million.0.0)
    }

    fn cost_of_storage(&self, stored: StoredBytes) -> Micros {
        let infrequent = stored.infrequent_byte_days.min(stored.byte_days);
        let classes = [
            (stored.byte_days - infrequent, self.storage_standard_per_gb_month),
            (infrequent, self.storage_infrequent_access_per_gb_month),
        ];
        let days = u128::from(stored.days_in_month.max(1));
        let pico = classes.into_iter().map(|(byte_days, price)| {
            u128::from(byte_days) * u128::from(price.0.0) * PICO_PER_MICRO / (GIGABYTE * days)
        });
        Micros::from_pico(pico.sum())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn prices() -> Prices {
        Prices::parse(DEFAULT_PRICES).unwrap()
    }

    #[test]
    fn a_month_of_storage_costs_the_price_of_its_mean_daily_peak() {
        let stored = |byte_days, infrequent_byte_days| StoredBytes {
            byte_days,
            infrequent_byte_days,
            days_in_month: 30,
        };
        let cost = |stored| prices().cost([], stored).storage;
        assert_eq!(cost(stored(30_000_000_000, 0)), Micros(15_000));
        assert_eq!(cost(stored(30_000_000_000, 30_000_000_000)), Micros(10_000));
        assert_eq!(cost(stored(30_000_000_000, 15_000_000_000)), Micros(12_500));
        assert_eq!(
            cost(stored(1_000_000_000, 0)),
            Micros(500),
            "one day of a month has a thirtieth of the price"
        );
        assert_eq!(cost(stored(5, 9)), Micros(0));
    }

    #[test]
    fn operations_cost_whole_pico_dollars_and_are_rounded_once() {
        let count = |action, operations, bytes| ActionCount { action, operations, bytes };
        let cost = |count| prices().cost([count], StoredBytes::default()).operations;
        // Two class A operations, a request, 40 rows read and 40 written.
        let upload = 2 * 4_500_000 + 300_000 + 40 * 1_000 + 40 * 1_000_000;
        assert_eq!(cost(count("upload", 1_000_000, 0)), Micros(upload));
        assert_eq!(cost(count("upload", 1, 0)), Micros(49), "49.34 micro-dollars");
        assert_eq!(cost(count("upload", 0, 100 * PART_BYTES)), Micros(450));
        assert_eq!(
            cost(count("an action of a later version", 1_000_000, 0)),
            cost(count("view", 1_000_000, 0))
        );
        let two = [count("view", 1, 0), count("list", 1, 0)];
        let one = cost(count("view", 1, 0));
        let both = prices().cost(two, StoredBytes::default()).operations;
        assert_eq!((one, both), (Micros(10), Micros(19)), "9.51 each");
    }

    #[test]
    fn amounts_have_at_most_six_decimals() {
        for (dollars, micros) in
            [(0.0, 0), (0.000_001, 1), (12.34, 12_340_000), (MAX_DOLLARS, 1_000_000_000_000_000)]
        {
            assert_eq!(Micros::from_dollars(dollars), Some(Micros(micros)));
        }
        for wrong in [-1.0, 0.000_000_1, f64::NAN, f64::INFINITY, MAX_DOLLARS + 1.0] {
            assert_eq!(Micros::from_dollars(wrong), None, "{wrong}");
        }
        assert_eq!(Micros(1_234_567).dollars().to_string(), "1.234567");
        assert_eq!(Micros(10).dollars().to_string(), "0.00001");
    }

    #[test]
    fn wrong_prices_are_refused() {
        for (from, to) in [
            ("4.5", "-4.5"),
            ("4.5", "\"4.5\""),
            ("4.5", "4.50000001"),
            ("classAPerMillion", "classAPerBillion"),
            ("2026-11-30", "yesterday"),
        ] {
            assert!(Prices::parse(&DEFAULT_PRICES.replace(from, to)).is_err(), "{to}");
        }
        assert!(Prices::parse("").is_err());
    }
}
