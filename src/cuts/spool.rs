//! `streaming=false`: the cut runs to its end first, then the result is sent with its length.
//!
//! A result of at most one part is sent from memory. A longer one is stored in a spool under `temp/`. The spool's key
//! is on `gc_queue` before the first byte is stored, and the spool is deleted when it has been sent.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::app::SharedApp;
use crate::body::outgoing::{BodySegment, NativeResponse, ResponseBody};
use crate::body::stream::{ByteSource, OUTGOING_BYTES, PIECE_BYTES};
use crate::domain::ids::{AttemptId, CutId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_key::StorageKey;
use crate::error::{Problem, Result};
use crate::memory::budget::Lease;
use crate::ports::{NewObject, ObjectFacts, PartBuffer};
use crate::sql;
use crate::storage::file::expect_found;
use crate::storage::part_writer::{PartUpload, STREAM_PART_BYTES};

/// How long a spool may stay in the store before the sweep deletes it. This is much longer than sending a result needs.
const SPOOL_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Runs a cut to its end and returns the whole result and its length.
///
/// # Errors
/// The errors of the cut and of R2. Nothing has been sent then.
pub async fn spool(
    app: &SharedApp,
    user: &UserId,
    cut: CutId,
    mut stream: Box<dyn ByteSource>,
    lease: Arc<Lease>,
) -> Result<(ResponseBody, u64)> {
    let mut spool = Spool { app, user, key: StorageKey::Spool { cut }, upload: None };
    let mut part = app.objects.part_buffer(STREAM_PART_BYTES);
    let mut piece = Vec::with_capacity(OUTGOING_BYTES);
    loop {
        piece.clear();
        match stream.read(&mut piece).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(problem) => return spool.give_up(problem).await,
        }
        let mut bytes = piece.as_slice();
        while part.len() + bytes.len() > STREAM_PART_BYTES {
            let (now, later) = bytes.split_at(STREAM_PART_BYTES - part.len());
            part.append(now);
            if let Err(problem) = spool.put_part(part.as_ref()).await {
                stream.cancel().await;
                return spool.give_up(problem).await;
            }
            part.clear();
            bytes = later;
        }
        part.append(bytes);
    }
    let length = part.len() as u64;
    match spool.upload.is_some() {
        false => Ok((
            ResponseBody::Sized(Box::new(BufferedResult { app: app.clone(), part, sent: 0, lease }), length),
            length,
        )),
        true => spool.finish(part.as_ref()).await,
    }
}

/// A result of one part, sent from its buffer.
struct BufferedResult {
    part: Box<dyn PartBuffer>,
    sent: usize,
    app: SharedApp,
    lease: Arc<Lease>,
}

#[async_trait]
impl ByteSource for BufferedResult {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.lease.touch(self.app.clock.now());
        let end = self.part.len().min(self.sent + PIECE_BYTES);
        let piece = self.part.copy(self.sent..end);
        buffer.extend_from_slice(&piece);
        self.sent = end;
        Ok(piece.len())
    }
}

struct Spool<'a> {
    app: &'a SharedApp,
    user: &'a UserId,
    key: StorageKey,
    upload: Option<PartUpload>,
}

impl Spool<'_> {
    async fn put_part(&mut self, part: &dyn PartBuffer) -> Result<()> {
        if self.upload.is_none() {
            self.upload = Some(self.begin().await?);
        }
        let upload = self.upload.as_mut().ok_or_else(|| Problem::internal("the spool has no upload"))?;
        upload.put_part(self.app, part).await
    }

    async fn begin(&self) -> Result<PartUpload> {
        let app = self.app;
        let now = app.now();
        let enqueue = sql::gc::Enqueue {
            key: &self.key,
            file: None,
            attempt: app.fresh_id::<AttemptId>(),
            user: self.user,
            reason: "temporary",
            not_before: now.plus(SPOOL_LIFETIME),
            now,
        };
        app.database.query(enqueue.statement()).await?;
        let object = NewObject {
            key: self.key.clone(),
            content_type: "application/octet-stream",
            labels: Vec::new(),
            expected_sha256: None,
        };
        let upload = PartUpload::begin(app, &object).await?;
        let remember = sql::gc::SetUpload { key: &self.key, r2_upload: upload.id() };
        app.database.query(remember.statement()).await?;
        Ok(upload)
    }

    async fn finish(mut self, last: &dyn PartBuffer) -> Result<(ResponseBody, u64)> {
        let stored = match self.put_part(last).await {
            Ok(()) => self.complete().await,
            Err(problem) => Err(problem),
        };
        let facts = match stored {
            Ok(facts) => facts,
            Err(problem) => return self.give_up(problem).await,
        };
        let fetched = self.app.objects.get(&self.key, None, Some(&facts.etag)).await?;
        let body = expect_found(fetched, &self.key.to_string(), facts.size)?;
        let (app, key) = (self.app.clone(), self.key.clone());
        let on_transfer_end = Box::new(move |_: bool| {
            let deletion = async move { delete_spool(&app, &key).await };
            Box::pin(deletion) as futures_core::future::BoxFuture<'static, ()>
        });
        let response = NativeResponse {
            segments: vec![BodySegment::Open(body)],
            length_bytes: facts.size,
            on_transfer_end,
        };
        Ok((ResponseBody::Native(response), facts.size))
    }

    async fn complete(&self) -> Result<ObjectFacts> {
        let upload = self.upload.as_ref().ok_or_else(|| Problem::internal("the spool has no upload"))?;
        upload.complete(self.app).await
    }

    async fn give_up<T>(self, problem: Problem) -> Result<T> {
        if let Some(upload) = &self.upload {
            upload.abort(self.app).await;
            delete_spool(self.app, &self.key).await;
        }
        Err(problem)
    }
}

/// Deletes a spool. If that fails, the sweep deletes it later.
async fn delete_spool(app: &SharedApp, key: &StorageKey) {
    if app.objects.delete(key).await.is_ok() {
        let drop_key = sql::gc::DropKey { key };
        if let Err(error) = app.database.query(drop_key.statement()).await {
            app.write_log(
                LogLine::warn("a spool is left to the sweep").with_text("key", key).caused_by(error),
            );
        }
    }
}
