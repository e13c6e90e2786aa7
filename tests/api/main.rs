//! The application in-process: every test drives it on native doubles of the platform.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod doubles;
