//! Turns records into output: a cut, or one page of rows.

pub mod marks;
pub mod pager;
pub mod plan;
pub mod processor;
