//! Sends the links by email that the queue has not sent, and gives up links that have expired. Deletes links a day after
//! they expired, and messages of the mailbox that are a day old. Costs 1 D1 call per run, and 2 D1 calls and 1 email per
//! link.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::position::text;
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::LinkId;
use crate::error::Result;
use crate::sql::email;

/// Maximum number of rows of each kind that one run gives up or deletes.
const ROWS_PER_RUN: u64 = 500;

/// How long an expired link stays, so that the time until the next request still counts; and how long a message stays in
/// the mailbox.
const RETENTION: TimeDelta = TimeDelta::hours(24);

/// Sends links by email, and deletes old ones.
pub struct SendWaitingLinks;

#[async_trait]
impl Sweep for SendWaitingLinks {
    fn name(&self) -> &'static str {
        "send_links"
    }

    fn max_items(&self) -> u64 {
        10
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 3 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let (now, limit, cutoff) = (step.now, step.limit, step.now.plus(-RETENTION));
        let batch = vec![
            email::GiveUp { now, limit: ROWS_PER_RUN }.statement(),
            email::ForgetLinks { cutoff, limit: ROWS_PER_RUN }.statement(),
            email::ForgetMail { cutoff, limit: ROWS_PER_RUN }.statement(),
            email::ToSend { now, limit }.statement(),
        ];
        let mut results = app.database.batch(batch).await?;
        let due = results.pop().unwrap_or_default();
        let settled: usize = results.iter().map(Vec::len).sum();
        step.changed += settled as u64;
        for row in due {
            step.examined += 1;
            let id = text(&row, "id");
            let Some(link) = LinkId::parse(&id) else { continue };
            match app.accounts().send_link(link).await {
                Ok(true) => step.changed += 1,
                Ok(false) => {}
                Err(problem) => step.postpone(app, &id, &problem),
            }
        }
        Ok(())
    }
}
