//! Accounts and authentication.
//!
//! [`names`], [`password`], [`ticket`] and [`token`] are pure. [`limits`] slows down password guessing. [`service`]
//! stores accounts and sessions in the database. [`usage`] describes the quota of a user, and how much of it is used.

pub mod accounts;
pub mod limits;
pub mod names;
pub mod password;
pub mod service;
pub mod ticket;
pub mod token;
pub mod usage;
