//! Uploads in several requests that were not finished in time: their pending file is put out of the commit's reach,
//! their reservation released and their object named for collection at once, all in one batch. The collection that
//! follows drops the parts and deletes the object. Rows of uploads that ended long ago are forgotten.
//!
//! Every statement asks anew whether the upload is still past its end: one that goes on meanwhile is left alone.
//! Costs 1 D1 call, and 1 an upload.

use chrono::TimeDelta;
use serde::Deserialize;

use super::{Outcome, PER_RUN, Place, Places};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::{Statement, from_row};
use crate::sql;

/// The states of an upload that can expire, and those of one that has ended.
const UNFINISHED: [&str; 2] = ["open", "completing"];
const ENDED: [&str; 3] = ["completed", "aborted", "expired"];

/// How long the row of an ended upload stays after its end, so that its client is told what became of it.
const REMEMBERED: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Deserialize)]
struct Due {
    upload_id: String,
    file_id: String,
    user_id: String,
    expires_at: String,
}

pub(super) async fn run(app: &App, now: Timestamp, outcome: &mut Outcome) -> Result<()> {
    let places: Places = outcome.resume();
    let forget = |state: &str| {
        Statement::new(sql::uploads::DELETE_ENDED).bind(state).bind(now.plus(-REMEMBERED)).bind(PER_RUN)
    };
    let due = places.due(sql::uploads::EXPIRED, UNFINISHED, now);
    let mut pages = app.database.batch(due.chain(ENDED.into_iter().map(forget)).collect()).await?;
    let forgotten: usize = pages.drain(UNFINISHED.len()..).map(|rows| rows.len()).sum();
    if forgotten > 0 {
        outcome.changed += forgotten as u64;
        outcome.details.insert("forgotten".to_owned(), forgotten.into());
    }
    let mut next = Places::default();
    for (page, place) in pages.into_iter().zip(&mut next.0) {
        let uploads: Vec<Due> = page.into_iter().map(from_row).collect::<Result<_>>()?;
        for upload in &uploads {
            outcome.examined += 1;
            match app.database.batch(expire(upload, now)).await {
                Ok(answers) if answers.last().is_some_and(|rows| !rows.is_empty()) => outcome.changed += 1,
                Ok(_) => {}
                Err(error) => outcome.stays(app, &upload.upload_id, &error),
            }
        }
        if uploads.len() as u64 == PER_RUN {
            *place =
                uploads.last().map(|last| Place { at: last.expires_at.clone(), id: last.upload_id.clone() });
        }
    }
    outcome.go_on_at(&next);
    Ok(())
}

fn expire(upload: &Due, now: Timestamp) -> Vec<Statement> {
    let about = |sql| Statement::new(sql).bind(upload.upload_id.as_str()).bind(now);
    let of_file = |sql| about(sql).bind(upload.file_id.as_str());
    vec![
        of_file(sql::uploads::RELEASE_EXPIRED).bind(upload.user_id.as_str()),
        of_file(sql::uploads::KILL_EXPIRED),
        of_file(sql::uploads::ENQUEUE_EXPIRED),
        about(sql::uploads::END_EXPIRED),
    ]
}
