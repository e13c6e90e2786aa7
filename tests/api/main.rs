//! The API tests. They run the service in the test process, with doubles instead of the platform.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod auth;
mod broken_calls;
mod changes;
mod charsets;
mod client_quirks;
mod conditions;
mod count;
mod cut;
mod damaged_bytes;
mod dialects;
mod doubles;
mod download;
mod downloads;
mod erasure;
mod faults;
mod files;
mod filters;
mod form;
mod fsck;
mod heads;
mod idempotency;
mod interleave;

mod interleave_uploads;
mod jobs;
mod keyed_uploads;
mod keys;
mod listing;
mod metrics;
mod model;
mod months;
mod multipart;
mod names;
mod operations;
mod profile;
mod queries;
mod rate_limits;
mod reading;
mod readings;
mod receipts;
mod recipes;
mod refused_bodies;
mod result_tags;
mod save;
mod saved_recipes;
mod scanning;
mod scrub;
mod security;
mod security_events;
mod shares;
mod short_problems;
mod sign_in_limits;
mod storage_class;
mod sweep;
mod switches;
mod tus;
mod usage;
mod users;
mod values;
mod wide_files;
