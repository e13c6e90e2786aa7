//! Every SQL statement, by the table it is about. Nothing else in the crate holds SQL or binds a value to it.
//!
//! Each statement is a struct (`statement.rs`): a service fills in the fields, whose names and types the compiler checks.
//! A test prepares each of them against the real migrations and refuses one that scans a table that grows.
//!
//! A word means the same in every statement. `now` is the time of the change, `cutoff` the latest time of the rows meant,
//! `limit` the most rows. A page begins behind the key in `after_…` or `behind…`: text from a cursor, which is empty for the
//! first page.

mod statement;

pub mod accounts;
pub mod audit;
pub mod checks;
pub mod constraints;
pub mod cuts;
pub mod files;
pub mod gc;
pub mod idempotency;
pub mod profiling;
pub mod quotas;
pub mod sweeps;
pub mod uploads;

/// Every statement of the crate: name and text.
pub fn all() -> Vec<(&'static str, &'static str)> {
    [
        accounts::ALL,
        audit::ALL,
        audit::InsertWhen::TEXTS,
        checks::ALL,
        checks::Table::TEXTS,
        cuts::ALL,
        files::ALL,
        files::ListOrder::TEXTS,
        gc::ALL,
        idempotency::ALL,
        profiling::ALL,
        quotas::ALL,
        sweeps::ALL,
        uploads::ALL,
    ]
    .concat()
}
