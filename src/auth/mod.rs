//! Accounts and authentication.
//!
//! [`names`], [`password`], [`ticket`] and [`token`] are pure. [`limits`] slows down password guessing. [`service`]
//! creates accounts, begins and continues sessions, and identifies the holder of a token. [`sessions`] lists and ends the
//! sessions of a user, and changes the password. [`accounts`] is for operators. [`usage`] describes the quota of a user,
//! and how much of it is used.

pub mod accounts;
pub mod limits;
pub mod names;
pub mod password;
pub mod service;
pub mod sessions;
pub mod ticket;
pub mod token;
pub mod usage;
