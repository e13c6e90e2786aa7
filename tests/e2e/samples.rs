//! Sample data: a file of flights, and generated files of orders.

use std::fs;
use std::path::PathBuf;

use super::server::root;

/// Returns the path of a CSV file with all flights that departed from New York City in 2013: 336,776 rows, 19 columns,
/// 31 MB.
pub fn flights() -> PathBuf {
    let path = root().join("target/fixtures/flights.csv");
    assert!(fs::exists(&path).unwrap(), "{} is missing. Fetch it: scripts/fixtures", path.display());
    path
}

/// An endless CSV of orders. The same seed gives the same bytes. No two rows are equal.
pub struct Orders {
    seed: u64,
    row: u64,
}

/// The first line of [`Orders`].
pub const ORDERS_HEADER: &str = "id,customer,amount,note\n";

impl Orders {
    pub fn new(seed: u64) -> Self {
        Self { seed, row: 0 }
    }

    /// Creates the orders of this seed without the first `rows` orders.
    pub fn after(seed: u64, rows: u64) -> Self {
        Self { seed, row: rows }
    }

    /// Appends the next row and returns its amount in cents.
    pub fn write_row(&mut self, csv: &mut Vec<u8>) -> u64 {
        use std::io::Write;
        self.row += 1;
        let random = scramble(self.seed ^ self.row);
        let (customer, cents, note) = (random % 100_000, (random >> 20) % 100_000, random >> 32);
        writeln!(csv, "{},c{customer},{}.{:02},{note:08x} of the day", self.row, cents / 100, cents % 100)
            .unwrap();
        cents
    }

    /// Returns a CSV of at least `size_bytes` bytes (a header and whole rows), and the number of its rows with an
    /// amount over `amount` (in whole units).
    pub fn file(seed: u64, size_bytes: usize, amount: u64) -> (Vec<u8>, u64) {
        let mut orders = Self::new(seed);
        let mut csv = ORDERS_HEADER.as_bytes().to_vec();
        let mut over = 0;
        while csv.len() < size_bytes {
            over += u64::from(orders.write_row(&mut csv) > amount * 100);
        }
        (csv, over)
    }
}

/// Mixes the bits of `seed` with SplitMix64 (Steele, Lea, Flood 2014). The result is the same on every platform.
pub fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
