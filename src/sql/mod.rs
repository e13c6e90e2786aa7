//! Every SQL statement, by the table it is about. Nothing else in the crate holds SQL.
//!
//! A test prepares each of them against the real migrations and refuses one that scans a table that grows.

/// Declares statements as constants and lists them in `ALL`, so that none escapes the tests.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $sql;)*

        /// Every statement of this module: name and text.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

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
pub fn all() -> Vec<(String, String)> {
    let constants = [
        accounts::ALL,
        checks::ALL,
        cuts::ALL,
        files::ALL,
        gc::ALL,
        idempotency::ALL,
        profiling::ALL,
        audit::ALL,
        quotas::ALL,
        sweeps::ALL,
        uploads::ALL,
    ]
    .concat();
    let constants = constants.into_iter().map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    constants.chain(files::listings()).collect()
}
