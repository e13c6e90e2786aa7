//! The cut itself: from records to rows of output, or to one page of rows.

pub mod pager;
pub mod plan;
pub mod processor;
