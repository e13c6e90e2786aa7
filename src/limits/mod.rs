//! Rate limits of principals, addresses and shares, kept exactly in Durable Objects.
//!
//! Each principal (a user, an API key, a share), each network for registrations, and each pair of a network and an
//! account for sign-in attempts has one object ([`object`]). An operation reserves tokens before its work, and settles
//! the reservation with what it really used ([`service`]). The limits of the platform ([`crate::auth::limits`]) stand in
//! front of registrations and sign-in attempts.

pub mod bucket;
pub mod command;
pub mod delay;
pub mod object;
pub mod service;
