//! The application in-process: every test drives it on native doubles of the platform.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod changes;
mod cost;
mod cut;
mod doubles;
mod download;
mod faults;
mod files;
mod form;
mod listing;
mod multipart;
mod openapi;
mod receipts;
mod save;
mod security;
mod sweep;
mod tus;
