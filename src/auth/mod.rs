//! Accounts and authentication.
//!
//! [`key_secret`], [`names`], [`password`], [`ticket`] and [`token`] are pure. [`keys`] makes and identifies API keys.
//! [`link`] makes links for messages. [`limits`] slows down password guessing. [`service`]
//! creates accounts, begins and continues sessions, and identifies the holder of a token. [`sessions`] lists and ends the
//! sessions of a user, and changes the password. [`profile`] changes the name and the email, and deletes the account.
//! [`links`] sends and uses these links, and [`mailbox`] keeps these messages on a development server. [`accounts`] is for
//! operators. [`usage`] describes the quota of a user, and how much of it is used.

pub mod accounts;
pub mod key_secret;
pub mod keys;
pub mod limits;
pub mod link;
pub mod links;
pub mod mailbox;
pub mod names;
pub mod password;
pub mod profile;
pub mod service;
pub mod sessions;
pub mod ticket;
pub mod token;
pub mod usage;
