//! Routes: one file a resource; extract, call a service, render.

pub mod boundary;
