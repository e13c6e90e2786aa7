//! No filter makes a long cell slow: what a pattern costs for each character of a cell does not grow with the pattern.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use cutty::csv::Cells;
use cutty::csv::filter::FilterBuilder;
use cutty::csv::open::header::Header;

/// With a step for each pair of a place in the cell and a character of the pattern, the slowest would take three times
/// as long even on a fast machine; now each takes less than a tenth of it.
const MOST: Duration = Duration::from_secs(5);

struct Row<'a>(&'a [u8]);

impl Cells for Row<'_> {
    fn cell(&self, _column: usize) -> &[u8] {
        self.0
    }
}

#[test]
fn no_pattern_makes_a_long_cell_slow() {
    let cell = vec![b'a'; 256 << 10];
    let patterns = [
        format!("%{}b", "a%".repeat(500)),
        format!("%{}_b%", "a".repeat(1000)),
        format!("%{}b%", "_".repeat(1000)),
        format!("%{}b%", "a_".repeat(500)),
        format!("%{}b%c", "_a".repeat(500)),
        format!("%_{}%_b%", "a".repeat(1000)),
    ];
    for pattern in patterns {
        let mut filter = FilterBuilder::default();
        filter.pair("x__like", &pattern).unwrap();
        let header = Header::new(vec!["x".to_owned()]);
        let predicate = filter.finish().unwrap().unwrap().compile(&header).unwrap();
        let began = Instant::now();
        assert!(!predicate.matches(&Row(&cell)), "{pattern}");
        assert!(began.elapsed() < MOST, "{:?}: {pattern}", began.elapsed());
    }
}
