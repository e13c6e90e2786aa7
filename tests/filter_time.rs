//! No filter is slow on a long cell. The time of an operator must not grow with the length of the cell times the length
//! of the pattern.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use cutty::csv::Cells;
use cutty::csv::filter::{Arity, FilterBuilder, Operator};
use cutty::csv::open::header::Header;

/// Limit of the time for one cell. Each case takes less than a tenth of this limit. An algorithm that compares each
/// character of the cell with each character of the pattern would take three times the limit, even on a fast machine.
const MAX_TIME: Duration = Duration::from_secs(5);

struct Row<'a>(&'a [u8]);

impl Cells for Row<'_> {
    fn cell(&self, _column: usize) -> &[u8] {
        self.0
    }
}

/// Evaluates the filter on a long cell, asserts that this takes less than [`MAX_TIME`], and returns the result.
fn matches_quickly(operator: &str, value: &str) -> bool {
    let cell = vec![b'a'; 256 << 10];
    let mut filter = FilterBuilder::default();
    filter.pair(&format!("x__{operator}"), value).unwrap();
    let header = Header::new(vec!["x".to_owned()]);
    let predicate = filter.finish().unwrap().unwrap().compile(&header).unwrap();
    let began = Instant::now();
    let is_kept = predicate.matches(&Row(&cell));
    assert!(began.elapsed() < MAX_TIME, "{:?}: {operator} {value}", began.elapsed());
    is_kept
}

#[test]
fn no_operator_is_slow_on_a_long_cell() {
    let long = format!("{}b", "a".repeat(1000));
    for operator in Operator::ALL {
        let values = match operator.arity() {
            Arity::None => vec![String::new()],
            Arity::One => vec![long.clone(), "9".repeat(1000), "2024-01-31".to_owned()],
            Arity::Two | Arity::Many => vec![format!("{long},{long}c")],
        };
        let accepts = |value: &&String| {
            FilterBuilder::default().pair(&format!("x__{}", operator.name()), value).is_ok()
        };
        let value = values.iter().find(accepts).expect("a value that the operator accepts");
        matches_quickly(operator.name(), value);
    }
}

#[test]
fn no_pattern_is_slow_on_a_long_cell() {
    let patterns = [
        format!("%{}b", "a%".repeat(500)),
        format!("%{}_b%", "a".repeat(1000)),
        format!("%{}b%", "_".repeat(1000)),
        format!("%{}b%", "a_".repeat(500)),
        format!("%{}b%c", "_a".repeat(500)),
        format!("%_{}%_b%", "a".repeat(1000)),
    ];
    for pattern in patterns {
        assert!(!matches_quickly("like", &pattern), "{pattern}");
    }
}

#[test]
fn no_regular_expression_is_slow_on_a_long_cell() {
    // With an engine that backtracks, some of these patterns take exponential or quadratic time. The others need many
    // states.
    for pattern in [
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$b",
        "a*a*a*a*a*a*b",
        "[ab]*a[ab]{60}b",
        "(x+x+)+y|(a+a+)+b",
        "(?:a?){60}a{60}b",
    ] {
        assert!(!matches_quickly("regex", pattern), "{pattern}");
    }
}
