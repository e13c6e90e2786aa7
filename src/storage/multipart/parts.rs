//! Parts as they come, and what is stored of them.

use serde::Deserialize;

use super::{Multipart, MultipartStatus};
use crate::body::stream::NativeBody;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::ports::from_row;
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::protocol::DetectedContent;
use crate::storage::resumable::problems::gone;
use crate::storage::upload::check_content;

/// A part that is stored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)]
pub struct StoredPart {
    pub part_number: u16,
    pub etag: String,
    pub size_bytes: u64,
    pub uploaded_at: Timestamp,
}

/// A part that is on its way.
#[derive(Debug, Clone)]
pub struct NewPart {
    /// Its number, from 1, as it was given.
    pub number: u64,
    /// How long the body says that it is.
    pub length_bytes: u64,
    /// When given, other bytes must not become the part.
    pub expected_sha256: Option<[u8; 32]>,
}

/// How many parts are stored, and their bytes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[allow(missing_docs)]
pub struct StoredParts {
    pub parts: u64,
    pub bytes: u64,
}

impl R2StorageService {
    /// How many parts of it are stored; of a complete one, whose parts are joined and forgotten: all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_parts(&self, upload: &Multipart) -> Result<StoredParts> {
        if upload.status == MultipartStatus::Completed {
            return Ok(StoredParts { parts: upload.part_count(), bytes: upload.size_bytes });
        }
        let count = sql::uploads::CountParts { upload: upload.upload };
        self.app.database.query(count.statement()).await?.pop().map_or(Ok(StoredParts::default()), from_row)
    }

    /// At most `limit` parts after one, by number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn parts(&self, upload: &Multipart, after: u64, limit: u64) -> Result<Vec<StoredPart>> {
        let list = sql::uploads::Parts { upload: upload.upload, after_number: after, limit };
        self.app.database.query(list.statement()).await?.into_iter().map(from_row).collect()
    }

    /// Stores a part; its bytes go to the store without entering wasm, but for the first piece of the first.
    ///
    /// # Errors
    /// `bad_request` for a number or a length that cannot be, `unsupported_type`, `gone`, `conflict`,
    /// `digest_mismatch`, a body that broke off, or a store that failed: the part is then to be sent again.
    pub async fn put_part(
        &self,
        upload: &Multipart,
        new: NewPart,
        mut body: Box<dyn NativeBody>,
    ) -> Result<StoredPart> {
        upload.expect_open(self.app.now())?;
        let (number, wanted) = numbered(upload, new.number)?;
        let length_bytes = new.length_bytes;
        if length_bytes != wanted {
            let detail = format!(
                "Part {number} of this upload has {wanted} bytes; the request brings {length_bytes}."
            );
            return Err(Problem::new(Code::BadRequest, detail).with("wantedBytes", wanted));
        }
        let mut noted = Vec::new();
        if number == 1 {
            let mut data = upload.data.clone();
            let judged = self.judge_first(upload, body.as_mut()).await?;
            data.content_type = Some(judged.content_type.to_owned());
            data.encoding = judged.encoding.map(|encoding| encoding.name().to_owned());
            let data = serde_json::to_string(&data).map_err(Problem::internal)?;
            noted.push(sql::uploads::SetData { upload: upload.upload, data: &data }.statement());
        }
        let (attempt, upload_id) = (self.attempt(upload), &upload.data.r2_upload);
        let etag = self
            .app
            .objects
            .put_part_stream(attempt.key(), upload_id, number, body, length_bytes, new.expected_sha256)
            .await?;
        let part =
            StoredPart { part_number: number, etag, size_bytes: length_bytes, uploaded_at: self.app.now() };
        let put = sql::uploads::PutPart {
            upload: upload.upload,
            number,
            etag: &part.etag,
            size_bytes: length_bytes,
            now: part.uploaded_at,
        };
        noted.push(put.statement());
        let rows = self.app.database.batch(noted).await?;
        match rows.last().is_some_and(|rows| !rows.is_empty()) {
            true => Ok(part),
            false => Err(gone("The upload ended while the part was on its way. Begin another one.")),
        }
    }

    async fn judge_first(&self, upload: &Multipart, body: &mut dyn NativeBody) -> Result<DetectedContent> {
        let filename = Filename::parse(&upload.filename).map_err(Problem::internal)?;
        let sample = body.peek().await?;
        check_content(&self.app, upload.data.declared_type.as_deref(), &filename, &sample)
    }
}

fn numbered(upload: &Multipart, number: u64) -> Result<(u16, u64)> {
    let found = upload.length_of_part(number).zip(u16::try_from(number).ok());
    let (wanted, number) = found.ok_or_else(|| {
        let detail = format!("The upload has parts 1 to {}; there is no part {number}.", upload.part_count());
        Problem::new(Code::BadRequest, detail)
    })?;
    Ok((number, wanted))
}
