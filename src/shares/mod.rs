//! Shares: links with which anybody downloads a file or uploads one, and files that another account may read.
//!
//! A share is a row of `shares`. [`token`] makes and verifies the text in its link. [`owned`] is for the owner of a
//! share, [`opened`] for the holder of a link. [`row`] is the row, and what can be told from it.

pub mod opened;
pub mod owned;
pub mod row;
pub mod token;
