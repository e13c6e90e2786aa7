//! Plain data types: ids, times, object keys, principals, recipes, readings, log lines and budgets.

pub mod budget;
pub mod caller;
pub mod ids;
pub mod log;
pub mod principal;
pub mod reading;
pub mod recipe;
pub mod row_count;
pub mod storage_key;
pub mod time;
