//! Routes: one file a resource; extract, call a service, render.

pub mod auth;
pub mod body;
pub mod boundary;
