//! All SQL statements, in one module for each subject. No other part of the crate contains SQL.
//!
//! Each statement is a struct (`statement.rs`). A service sets the fields, and the compiler checks their names and
//! types. A test prepares every statement against the real migrations and refuses a statement that scans a growing
//! table.
//!
//! A parameter name has the same meaning in every statement. `now` is the time of the change. `cutoff` is the latest
//! time of the selected rows. `limit` is the maximum number of rows. A page begins after the key in `after` or
//! `after_…`. This key is text from a cursor; it is empty for the first page.
//!
//! A *kept* file is active, archived or in the trash. An object that is *queued for collection* has a row in
//! `gc_queue`, and the sweep `collect_garbage` deletes the object later.

mod restriction;
mod statement;

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod checks;
pub mod closing;
pub mod constraints;
pub mod cuts;
pub mod email;
pub mod erasure;
pub mod files;
pub mod gc;
pub mod idempotency;
pub mod metrics;
pub mod profiling;
pub mod quotas;
pub mod recipes;
pub mod saved_recipes;
pub mod shares;
pub mod sweeps;
pub mod switches;
pub mod uploads;
pub mod usage;

/// Returns the name and the SQL text of every statement.
pub fn all() -> Vec<(&'static str, &'static str)> {
    [
        accounts::ALL,
        api_keys::ALL,
        audit::ALL,
        audit::InsertWhen::TEXTS,
        checks::ALL,
        checks::Table::TEXTS,
        closing::ALL,
        cuts::ALL,
        saved_recipes::ALL,
        email::ALL,
        erasure::ALL,
        files::ALL,
        files::ListOrder::TEXTS,
        gc::ALL,
        idempotency::ALL,
        metrics::ALL,
        metrics::MetricTable::TEXTS,
        profiling::ALL,
        quotas::ALL,
        recipes::ALL,
        shares::ALL,
        sweeps::ALL,
        switches::ALL,
        uploads::ALL,
        usage::ALL,
    ]
    .concat()
}
