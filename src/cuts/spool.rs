//! With `streaming=false`, a cut runs to its end before the first byte of its result is sent. The response can
//! therefore announce the length of the result.
//!
//! A result of at most one part is sent from memory. A longer result is stored in a spool under `temp/`. The spool's
//! key is written to `gc_queue` before the first byte is stored, so that a sweep can delete the spool if the isolate
//! stops. The spool is deleted when it has been sent.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::Deserialize;

use crate::app::{App, SharedApp};
use crate::body::outgoing::{BodySegment, NativeResponse, ResponseBody};
use crate::body::stream::{ByteSource, OUTGOING_BYTES, PIECE_BYTES};
use crate::domain::ids::{AttemptId, CutId, UserId};
use crate::domain::log::LogLine;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::error::{Problem, Result};
use crate::memory::budget::Lease;
use crate::ports::{NewObject, ObjectFacts, PartBuffer, Statement, from_row};
use crate::sql;
use crate::storage::file::expect_found;
use crate::storage::part_writer::{PartUpload, STREAM_PART_BYTES};

/// Time after which the sweep `collect_garbage` deletes a spool that is still in the store. Sending a result takes much
/// less time.
const SPOOL_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Maximum number of bytes that a spool reserves in addition to the bytes that it needs.
const MAX_SPARE_BYTES: u64 = 64 << 20;

/// Runs a cut to its end and returns the whole result and its length.
///
/// # Errors
/// The errors of the cut and of R2. If there is an error, nothing has been sent.
pub async fn spool(
    app: &SharedApp,
    user: &UserId,
    cut: CutId,
    mut stream: Box<dyn ByteSource>,
    lease: Arc<Lease>,
) -> Result<(ResponseBody, u64)> {
    let mut spool =
        Spool { app, user, key: StorageKey::Spool { cut }, upload: None, stored_bytes: 0, reserved_bytes: 0 };
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

/// A result of at most one part. It is sent from the buffer of the part.
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
    stored_bytes: u64,
    reserved_bytes: u64,
}

/// Returns how many bytes a spool of `needed_bytes` should reserve: twice its bytes, but at most [`MAX_SPARE_BYTES`]
/// more than its bytes. A long spool therefore calls the database only once for every 13 parts (of 5 MiB).
fn wished_bytes(needed_bytes: u64) -> u64 {
    needed_bytes + needed_bytes.min(MAX_SPARE_BYTES)
}

impl Spool<'_> {
    async fn put_part(&mut self, part: &dyn PartBuffer) -> Result<()> {
        let needed_bytes = self.stored_bytes + part.len() as u64;
        if self.upload.is_none() {
            self.upload = Some(self.begin(needed_bytes).await?);
        } else if needed_bytes > self.reserved_bytes {
            self.grow(needed_bytes).await?;
        }
        self.stored_bytes = needed_bytes;
        let upload = self.upload.as_mut().ok_or_else(|| Problem::internal("the spool has no upload"))?;
        upload.put_part(self.app, part).await
    }

    async fn begin(&mut self, needed_bytes: u64) -> Result<PartUpload> {
        let app = self.app;
        let now = app.now();
        let enqueue = sql::gc::EnqueueSpool {
            key: &self.key,
            attempt: app.fresh_id::<AttemptId>(),
            user: self.user,
            needed_bytes,
            wished_bytes: wished_bytes(needed_bytes),
            default_quota_bytes: app.config.default_quota_bytes,
            not_before: now.plus(SPOOL_LIFETIME),
            now,
        };
        self.reserved_bytes = reserved_by(app, enqueue.statement()).await?;
        let object = NewObject {
            key: self.key.clone(),
            content_type: "application/octet-stream",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        };
        let upload = PartUpload::begin(app, &object).await?;
        let remember = sql::gc::SetUpload { key: &self.key, r2_upload: upload.id() };
        app.database.query(remember.statement()).await?;
        Ok(upload)
    }

    async fn grow(&mut self, needed_bytes: u64) -> Result<()> {
        let grow = sql::gc::GrowSpool {
            key: &self.key,
            user: self.user,
            needed_bytes,
            wished_bytes: wished_bytes(needed_bytes),
            default_quota_bytes: self.app.config.default_quota_bytes,
        };
        self.reserved_bytes = reserved_by(self.app, grow.statement()).await?;
        Ok(())
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

#[derive(Deserialize)]
struct ReservedRow {
    spool_bytes: u64,
}

/// Runs a statement that reserves bytes for a spool. Returns the number of bytes that are now reserved for the spool.
async fn reserved_by(app: &App, statement: Statement) -> Result<u64> {
    let rows = app.database.query(statement).await?;
    let row = rows.into_iter().next().ok_or_else(|| Problem::internal("the spool is not queued"))?;
    Ok(from_row::<ReservedRow>(row)?.spool_bytes)
}

/// Deletes a spool. If the deletion fails, the sweep `collect_garbage` deletes the spool later.
async fn delete_spool(app: &SharedApp, key: &StorageKey) {
    if app.objects.delete(key).await.is_ok() {
        let drop_key = sql::gc::DropKey { key };
        if let Err(error) = app.database.query(drop_key.statement()).await {
            app.write_log(
                LogLine::warn("the key of a deleted spool stays on gc_queue")
                    .with_text("key", key)
                    .caused_by(error),
            );
        }
    }
}
