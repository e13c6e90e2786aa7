//! Accounts and identity: who is asking, and how they came to prove it.
//!
//! [`names`], [`password`] and [`token`] are pure; [`limits`] slows down who guesses; [`service`] keeps accounts
//! and sessions in the database.

pub mod limits;
pub mod names;
pub mod password;
pub mod service;
pub mod token;
