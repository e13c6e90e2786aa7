//! Accounts and authentication.
//!
//! [`names`], [`password`] and [`token`] are pure. [`limits`] slows down password guessing. [`service`] stores
//! accounts and sessions in the database. [`usage`] describes how much of their quota a user has used.

pub mod limits;
pub mod names;
pub mod password;
pub mod service;
pub mod token;
pub mod usage;
