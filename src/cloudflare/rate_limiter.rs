//! The Durable Object that keeps the rate limits of one principal, address or share.

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::object_shell::Shell;
use crate::ports::ObjectClass;

/// The rate limits of one principal, address or share.
#[durable_object(alarm)]
pub struct RateLimiter {
    shell: Shell,
}

impl DurableObject for RateLimiter {
    fn new(state: State, env: Env) -> Self {
        Self { shell: Shell::new(ObjectClass::RateLimiter, state, env) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        self.shell.fetch(&request).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.shell.alarm().await
    }
}
