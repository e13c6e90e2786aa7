//! Cutty stores CSV files and cuts them: it filters rows, picks columns and saves the result.
//!
//! The crate is compiled to WebAssembly for Cloudflare Workers, and natively for its tests. `ARCHITECTURE.md` describes
//! its modules.

// Plain data and pure code. All other modules may use it.
pub mod body;
pub mod csv;
pub mod domain;
pub mod error;
pub mod http;

// Configuration, ports (what Cutty needs from the platform) and SQL.
pub mod config;
pub mod ports;
pub mod sql;

// The application and its services.
pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod cuts;
pub mod health;
pub mod idempotency;
pub mod integrity;
pub mod jobs;
pub mod limits;
pub mod memory;
pub mod metrics;
pub mod named_objects;
pub mod shares;
pub mod storage;
pub mod sweeps;
pub mod switches;
pub mod usage;

// Entry points: HTTP routes and the events of the platform.
#[cfg(target_arch = "wasm32")]
mod cloudflare;
pub mod routes;
pub mod scanning;

#[cfg(target_arch = "wasm32")]
mod events {
    use serde_json::Value;
    use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event};

    use crate::cloudflare;

    #[event(fetch)]
    async fn fetch(
        request: web_sys::Request,
        env: Env,
        context: Context,
    ) -> worker::Result<web_sys::Response> {
        cloudflare::fetch(request, env, context).await
    }

    #[event(queue)]
    async fn queue(batch: MessageBatch<Value>, env: Env, context: Context) -> worker::Result<()> {
        cloudflare::queue(batch, env, context).await
    }

    #[event(scheduled)]
    async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
        cloudflare::scheduled(event, env, context).await;
    }
}
