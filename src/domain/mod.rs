//! Plain data types: ids, times, storage keys, principals, recipes, log lines, budgets.

pub mod budget;
pub mod caller;
pub mod ids;
pub mod log;
pub mod principal;
pub mod recipe;
pub mod storage_key;
pub mod time;
