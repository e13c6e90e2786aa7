//! The state of the services that the Worker needs.

pub mod checks;
mod write_check;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::{Either, select};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::error::Code;
use crate::ports::{ObjectClass, QueueError};
use crate::sql;

/// Time after which a service that has not responded counts as unhealthy.
const DEADLINE: TimeDelta = TimeDelta::seconds(5);

/// State of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The service responds.
    Healthy,
    /// Only for the Worker: a part of the Worker does not work.
    Degraded,
    /// The service does not respond.
    Unhealthy,
    /// The configuration does not use the service.
    Disabled,
    /// This isolate has not used the service yet.
    Unknown,
}

/// What a check of a service found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// The state.
    pub status: Health,
    /// Time until the service responded, in milliseconds; null if the check called no service.
    pub latency_ms: Option<u64>,
    /// Why the service counts as unhealthy; null if it does not.
    pub error: Option<String>,
    /// What does not work while the service is unhealthy.
    pub means: &'static str,
}

impl Health {
    /// Returns the state of a service that responds, or does not.
    pub fn of(responds: bool) -> Self {
        if responds { Self::Healthy } else { Self::Unhealthy }
    }
}

impl ServiceHealth {
    fn without_call(status: Health, error: Option<String>, means: &'static str) -> Self {
        Self { status, latency_ms: None, error, means }
    }
}

const DATABASE: &str = "Only the health routes, the pages and the API description respond. Everything else is 503 and works again by itself.";
const STORAGE: &str = "Lists, metadata, accounts and cached profiles work. Uploads, downloads and cuts are 503 and work again by themselves.";
const QUEUE: &str = "Requests work. Profiles of new files come late, and audit entries of reads can be lost.";
const UPLOAD_SESSION: &str = "Resumable uploads are 503. Clients continue them later where they stopped.";
const RATE_LIMITER: &str =
    "Cuts, uploads and sign-ins are admitted without their rate limits. Links are 503.";
const SCANNER: &str = "Uploads are refused, or stored without a scan, as SCAN_FAILURE says.";
const EMAIL: &str = "Messages wait and are sent later.";
const REDIS: &str = "Nothing: no Redis is configured.";

impl App {
    /// Sends a message to the queue, and notes for the health checks whether this worked.
    ///
    /// # Errors
    /// The error of the queue.
    pub async fn send_message(&self, message: &Value) -> Result<(), QueueError> {
        let outcome = self.queue.send(message).await;
        self.checks.note_message(outcome.as_ref().copied().map_err(ToString::to_string));
        outcome
    }

    /// Asks the database for a constant.
    pub async fn database_health(&self) -> ServiceHealth {
        let ping = async { self.database.query(sql::accounts::Ping {}.statement()).await.map(|_| ()) };
        self.check(ping, DATABASE).await
    }

    /// Requests the head of an object that does not exist.
    pub async fn storage_health(&self) -> ServiceHealth {
        let key = StorageKey::Known("health/probe".to_owned());
        let head = async { self.objects.head(&key).await.map(|_| ()) };
        self.check(head, STORAGE).await
    }

    /// Checks whether the object store can be written. If this isolate made the check in the last 30 s, uses the outcome of
    /// that check.
    pub async fn write_health(&self) -> ServiceHealth {
        let write = self.checks.write.run(self.objects.as_ref(), self.fresh_id(), self.now());
        let health = self.check(write, STORAGE).await;
        if let Some(cause) = &health.error {
            self.write_log(LogLine::error("the object store cannot be written").caused_by(cause));
        }
        health
    }

    /// Checks every service. Costs 1 D1 read, 1 R2 head, at most 1 R2 put and 1 R2 delete in 30 s, and 1 call to each class
    /// of Durable Objects.
    pub async fn service_health(&self) -> BTreeMap<&'static str, ServiceHealth> {
        let storage = match self.storage_health().await {
            healthy if healthy.status == Health::Healthy => {
                let write = self.write_health().await;
                if write.status == Health::Healthy { healthy } else { write }
            }
            unhealthy => unhealthy,
        };
        let queue = match self.checks.last_message() {
            None => ServiceHealth::without_call(Health::Unknown, None, QUEUE),
            Some(Ok(())) => ServiceHealth::without_call(Health::Healthy, None, QUEUE),
            Some(Err(error)) => ServiceHealth::without_call(Health::Unhealthy, Some(error), QUEUE),
        };
        let mut services = BTreeMap::from([
            ("d1", self.database_health().await),
            ("r2", storage),
            ("queue", queue),
            ("scanner", self.scanner_health().await),
            ("email", ServiceHealth::without_call(self.email_health(), None, EMAIL)),
            ("redis", ServiceHealth::without_call(Health::Disabled, None, REDIS)),
        ]);
        for class in ObjectClass::ALL {
            services.insert(class.names().0, self.class_health(class).await);
        }
        services
    }

    async fn scanner_health(&self) -> ServiceHealth {
        let status = match self.scanner_works().await {
            None => Health::Disabled,
            Some(works) => Health::of(works),
        };
        ServiceHealth::without_call(status, None, SCANNER)
    }

    fn email_health(&self) -> Health {
        if self.email.is_some() { Health::Unknown } else { Health::Disabled }
    }

    /// Sends a command that no object knows. An object of a healthy class refuses it.
    async fn class_health(&self, class: ObjectClass) -> ServiceHealth {
        let means = match class {
            ObjectClass::UploadSession => UPLOAD_SESSION,
            ObjectClass::RateLimiter => RATE_LIMITER,
        };
        let call = async {
            match self.named_objects.call(class, "health", json!("health"), None).await {
                Err(problem) if problem.code() == Code::Unavailable => {
                    Err(problem.cause().map_or_else(|| problem.to_string(), ToString::to_string))
                }
                Ok(_) | Err(_) => Ok(()),
            }
        };
        self.check(call, means).await
    }

    /// Measures a call. A call that takes longer than [`DEADLINE`] fails.
    async fn check<E: std::fmt::Display>(
        &self,
        call: impl Future<Output = Result<(), E>>,
        means: &'static str,
    ) -> ServiceHealth {
        let start = self.now();
        let outcome = match select(Box::pin(call), self.clock.sleep(DEADLINE)).await {
            Either::Left((outcome, _)) => outcome.map_err(|error| error.to_string()),
            Either::Right(_) => Err(format!("no response in {} s", DEADLINE.num_seconds())),
        };
        let elapsed = self.now().instant() - start.instant();
        ServiceHealth {
            status: Health::of(outcome.is_ok()),
            latency_ms: u64::try_from(elapsed.num_milliseconds()).ok(),
            error: outcome.err(),
            means,
        }
    }
}

/// Returns the state of the whole service: unhealthy if the database or the object store does not work.
pub fn overall(services: &BTreeMap<&'static str, ServiceHealth>) -> Health {
    let is_unhealthy = |name: &str| services.get(name).is_some_and(|of| of.status == Health::Unhealthy);
    if is_unhealthy("d1") || is_unhealthy("r2") {
        Health::Unhealthy
    } else if services.values().any(|of| of.status == Health::Unhealthy) {
        Health::Degraded
    } else {
        Health::Healthy
    }
}
