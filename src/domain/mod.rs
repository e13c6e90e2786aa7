//! What Cutty speaks of, as plain data: ids, times, keys, who is asking.

pub mod budget;
pub mod caller;
pub mod ids;
pub mod log;
pub mod principal;
pub mod storage_key;
pub mod time;
