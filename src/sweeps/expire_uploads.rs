//! Expires the uploads that were not finished in time: tus uploads and uploads part by part. For each of these uploads,
//! one batch releases the reservation, sets the pending file to `dead`, and puts the object on `gc_queue`, due
//! immediately. A `dead` file can no longer be committed. The sweep `collect_garbage` then drops the parts and deletes
//! the object. The sweep `expire_uploads` also deletes the row of an ended upload, 7 days after the `expires_at` of the
//! row.
//!
//! Every statement checks again that the upload has expired, so the sweep does not change an upload that has continued.
//! Costs 1 D1 call per run and 1 per upload.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;

use super::position::{StatePositions, SweepPosition};
use super::sweep::{Cost, Sweep, SweepStep};
use crate::app::App;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::Statement;
use crate::sql;

/// The states of an upload that can expire.
const UNFINISHED: [&str; 2] = ["open", "completing"];

/// The states of an upload that has ended.
const ENDED: [&str; 3] = ["completed", "aborted", "expired"];

/// How long the row of an ended upload is kept after the `expires_at` of the row. Until the row is deleted, the client
/// can ask how the upload ended.
const RETENTION: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Deserialize)]
struct DueUpload {
    upload_id: AttemptId,
    file_id: FileId,
    user_id: UserId,
}

/// The sweep that expires the uploads that were not finished in time.
pub struct ExpireUploads;

#[async_trait]
impl Sweep for ExpireUploads {
    fn name(&self) -> &'static str {
        "expire_uploads"
    }

    fn max_items(&self) -> u64 {
        100
    }

    fn cost(&self) -> Cost {
        Cost { base: 1, each: 1 }
    }

    async fn run(&self, app: &App, step: &mut SweepStep) -> Result<()> {
        let (now, limit) = (step.now, step.half());
        let positions: StatePositions = step.resume();
        let due = |status, position: SweepPosition| {
            let (after_time, after_id) = (position.at.as_str(), position.id.as_str());
            sql::uploads::Expired { status, now, after_time, after_id, limit }.statement()
        };
        let cutoff = now.plus(-RETENTION);
        let forget = |status| sql::uploads::DeleteEnded { status, cutoff, limit }.statement();
        let batch = positions.pages(UNFINISHED, due).chain(ENDED.into_iter().map(forget)).collect();
        let mut pages = app.database.batch(batch).await?;
        let forgotten: usize = pages.drain(UNFINISHED.len()..).map(|rows| rows.len()).sum();
        if forgotten > 0 {
            step.changed += forgotten as u64;
            step.details.insert("forgotten".to_owned(), forgotten.into());
        }
        let mut next = StatePositions::default();
        for (page, position) in pages.into_iter().zip(&mut next.0) {
            if page.len() as u64 == limit {
                *position = page.last().map(|row| SweepPosition::from_row(row, "expires_at", "upload_id"));
            }
            for row in page {
                step.examined += 1;
                let Some(upload) = step.read::<DueUpload>(app, row, "upload_id") else { continue };
                match app.database.batch(expire(&upload, now)).await {
                    Ok(results) if results.last().is_some_and(|rows| !rows.is_empty()) => step.changed += 1,
                    Ok(_) => {}
                    Err(error) => step.postpone(app, &upload.upload_id.to_string(), &error),
                }
            }
        }
        step.save_positions(&next);
        Ok(())
    }
}

fn expire(due: &DueUpload, now: Timestamp) -> Vec<Statement> {
    let (upload, file, user) = (due.upload_id, due.file_id, &due.user_id);
    vec![
        sql::uploads::ReleaseExpired { upload, now, file, user }.statement(),
        sql::uploads::KillExpired { upload, now, file }.statement(),
        sql::uploads::EnqueueExpired { upload, now, file }.statement(),
        sql::uploads::EndExpired { upload, now }.statement(),
    ]
}
