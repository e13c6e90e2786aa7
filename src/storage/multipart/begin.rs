//! Starts a multipart upload.

use super::{Data, Multipart, MultipartStatus, NewMultipart, UPLOAD_LIFETIME};
use crate::domain::ids::AttemptId;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::protocol::Attempt;
use crate::storage::resumable::limits::{MAX_PARTS, MAX_UPLOADS, part_bytes};

/// Minimum size of every part except the last, in bytes: the limit of R2.
const MIN_PART_BYTES: u64 = 5 << 20;

impl R2StorageService {
    /// Starts a multipart upload.
    ///
    /// # Errors
    /// - `bad_request`: the part size is out of bounds.
    /// - `forbidden`, `quota_exceeded`.
    /// - `unavailable`: R2 or the database cannot be reached.
    pub async fn create_multipart(&self, new: NewMultipart) -> Result<Multipart> {
        let part = self.part_bytes_for(&new)?;
        let app = &self.app;
        let attempt = Attempt::draft(self, new.file, new.size_bytes, UPLOAD_LIFETIME)?;
        // The service creates R2's upload before the intent, so that the row of our upload can hold the id of R2's
        // upload. If the intent fails, R2's upload has no parts and costs nothing. R2 drops it after seven days.
        let r2_upload = app.objects.create_multipart(&attempt.object()).await?;
        let open = attempt.open();
        let expires_at = open.started.plus(UPLOAD_LIFETIME);
        let data = Data {
            by: "parts".to_owned(),
            r2_upload: r2_upload.clone(),
            declared_type: new.declared_type,
            content_type: None,
            encoding: None,
            header: None,
            description: open.description.clone(),
            infected: None,
            principal: open.principal.clone(),
            caller: open.caller.clone(),
        };
        let key = attempt.key().clone();
        let insert = sql::uploads::Insert {
            upload: open.attempt,
            file: open.file,
            user: &open.user,
            key: &key,
            filename: &open.filename,
            size_bytes: Some(new.size_bytes),
            part_bytes: part,
            most_uploads: MAX_UPLOADS,
            data: &serde_json::to_string(&data).map_err(Problem::internal)?,
            now: open.started,
            expires_at,
        }
        .statement();
        let remember = sql::gc::SetUpload { key: &key, r2_upload: &r2_upload }.statement();
        let effect = Effect::BegunInParts { upload: open.attempt };
        if let Err(problem) = attempt.start_upload(effect, insert, vec![remember]).await {
            // The batch may have taken effect although the call failed. In this case our upload exists and needs R2's
            // upload. Otherwise the service aborts R2's upload. A failed abort does no harm, because R2's upload has no
            // parts.
            if self.was_not_started(open.attempt).await {
                let _ = app.objects.abort_multipart(&key, &r2_upload).await;
            }
            return Err(problem);
        }
        Ok(Multipart {
            upload: open.attempt,
            user: open.user,
            file: open.file,
            filename: open.filename,
            size_bytes: new.size_bytes,
            part_bytes: part,
            status: MultipartStatus::Open,
            created_at: open.started,
            expires_at,
            data,
        })
    }

    async fn was_not_started(&self, upload: AttemptId) -> bool {
        match self.find_multipart(upload).await {
            Ok(upload) => upload.status == MultipartStatus::Aborted,
            Err(problem) => problem.code() == Code::NotFound,
        }
    }

    fn part_bytes_for(&self, new: &NewMultipart) -> Result<u64> {
        let config = &self.app.config;
        let Some(requested) = new.part_bytes else { return Ok(part_bytes(config, new.size_bytes) as u64) };
        let least = MIN_PART_BYTES.min(config.max_chunk_size_bytes).max(new.size_bytes.div_ceil(MAX_PARTS));
        let most = config.max_file_size_bytes;
        if (least..=most).contains(&requested) {
            return Ok(requested);
        }
        let detail = format!("The partSize of this upload must be from {least} to {most} bytes.");
        Err(Problem::new(Code::BadRequest, detail).with("leastBytes", least).with("mostBytes", most))
    }
}
