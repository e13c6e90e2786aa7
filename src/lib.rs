//! Cutty keeps people's CSV files and cuts them: filter rows, pick columns, save the result.
//!
//! One crate, compiled to WebAssembly for Cloudflare Workers and natively for its tests.
//! `ARCHITECTURE.md` is the map.

// Ground floor: plain data and pure code, which everything above may name.
pub mod body;
pub mod csv;
pub mod domain;
pub mod error;
pub mod http;

// What Cutty needs of the platform, and the SQL it sends there.
pub mod config;
pub mod ports;
pub mod sql;

// The application and its services.
pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod cuts;
pub mod idempotency;
pub mod integrity;
pub mod jobs;
pub mod metrics;
pub mod named_objects;
pub mod storage;
pub mod sweeps;

// The ways in: HTTP, and the platform's events.
#[cfg(target_arch = "wasm32")]
mod cloudflare;
pub mod routes;

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
