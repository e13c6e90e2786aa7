//! Cutty keeps people's CSV files and cuts them: filter rows, pick columns, save the result.
//!
//! One crate, compiled to WebAssembly for Cloudflare Workers and natively for its tests.
//! `ARCHITECTURE.md` is the map.

pub mod answer;
pub mod app;
pub mod auth;
pub mod cache;
#[cfg(target_arch = "wasm32")]
mod cloudflare;
pub mod config;
pub mod csv;
pub mod cut;
pub mod error;
pub mod http;
pub mod idempotency;
pub mod ids;
pub mod jobs;
pub mod metrics;
pub mod pace;
pub mod ports;
pub mod routes;
pub mod sql;
pub mod storage;
pub mod time;

#[cfg(target_arch = "wasm32")]
mod events {
    use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event};

    use crate::cloudflare;
    use crate::jobs::Job;

    #[event(fetch)]
    async fn fetch(
        request: web_sys::Request,
        env: Env,
        context: Context,
    ) -> worker::Result<web_sys::Response> {
        cloudflare::fetch(request, env, context).await
    }

    #[event(queue)]
    async fn queue(batch: MessageBatch<Job>, env: Env, context: Context) -> worker::Result<()> {
        cloudflare::queue(batch, env, context).await
    }

    #[event(scheduled)]
    async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
        cloudflare::scheduled(event, env, context).await;
    }
}
