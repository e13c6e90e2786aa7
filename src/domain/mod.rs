//! Plain data types: ids, times, months, object keys, principals, recipes, readings, log lines, budgets, prices and switches.

pub mod budget;
pub mod caller;
pub mod ids;
pub mod log;
pub mod month;
pub mod prices;
pub mod principal;
pub mod read_meter;
pub mod reading;
pub mod recipe;
pub mod row_count;
pub mod scan;
pub mod spending;
pub mod storage_class;
pub mod storage_key;
pub mod switch;
pub mod time;
