//! After the buffers of a filter have grown, evaluating the filter allocates nothing. This holds for all operators and
//! operands.

#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cutty::csv::Cells;
use cutty::csv::filter::{Arity, FilterBuilder, Operator, Predicate};
use cutty::csv::open::header::Header;

/// Counts the allocations of each thread.
struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: each call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` comes from `alloc` above, and so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

struct Row<'a>(&'a [u8]);

impl Cells for Row<'_> {
    fn cell(&self, _column: usize) -> &[u8] {
        self.0
    }
}

fn assert_shareable<T: Send + Sync>(_: &T) {}

/// Parses a condition on the column `x`, as in the query `x__gt=60`.
fn predicate(operator: &str, value: &str) -> Predicate {
    let mut filter = FilterBuilder::default();
    filter.pair(&format!("x__{operator}"), value).unwrap();
    filter.finish().unwrap().unwrap().compile(&Header::new(vec!["x".to_owned()])).unwrap()
}

fn assert_free_of_allocations(operator: &str, value: &str) {
    let predicate = predicate(operator, value);
    assert_shareable(&predicate);
    let cells: [&[u8]; 6] = [
        b"",
        b"1.50",
        b"123456789012345678901234567890e-20",
        b"2024-02-29T12:00:00.5+01:00",
        "É\u{212a}aXb".as_bytes(),
        b"\xff\xc3 a lone byte \xe2\x82",
    ];
    let mut kept = cells.iter().filter(|cell| predicate.matches(&Row(cell))).count();
    let before = ALLOCATIONS.get();
    for _ in 0..1_000 {
        kept += cells.iter().filter(|cell| predicate.matches(&Row(cell))).count();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0, "{operator} {value:?} allocates");
    assert_eq!(kept % 1_001, 0, "{operator} {value:?} must give the same result each time");
}

#[test]
fn no_filter_operator_allocates() {
    for operator in Operator::ALL {
        let values: &[&str] = match operator.arity() {
            Arity::None => &[""],
            Arity::One => &["0.5", "2024-01-31", "é", "K"],
            Arity::Two => &["0,0.5", "2024-01-31,2025-01-31", "b,é"],
            Arity::Many => &["1.50,x,é"],
        };
        let accepts =
            |value: &&&str| FilterBuilder::default().pair(&format!("x__{}", operator.name()), value).is_ok();
        let accepted: Vec<&&str> = values.iter().filter(accepts).collect();
        assert!(!accepted.is_empty(), "add a value that {operator:?} accepts");
        for value in accepted {
            assert_free_of_allocations(operator.name(), value);
        }
    }
}

#[test]
fn no_kind_of_operand_allocates() {
    for (operator, value) in [
        ("ncontains", "ß"),
        ("gte", "0.000000000000000000000001"),
        ("lt", "9999-12-31"),
        ("regex", "(?i)^[a-zé]+$|x.*b|\\d{3}"),
        ("like", "%a_b%"),
        ("like", "%a_b_c_d_e_f_g_h_i_j_k_l%"),
    ] {
        assert_free_of_allocations(operator, value);
    }
}
