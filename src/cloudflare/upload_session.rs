//! The Durable Object of one resumable upload.

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::object_shell::Shell;
use crate::ports::ObjectClass;

/// An upload session.
#[durable_object(alarm)]
pub struct UploadSession {
    shell: Shell,
}

impl DurableObject for UploadSession {
    fn new(state: State, env: Env) -> Self {
        Self { shell: Shell::new(ObjectClass::UploadSession, state, env) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        self.shell.fetch(&request).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.shell.alarm().await
    }
}
