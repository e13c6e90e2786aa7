//! Stores, counts and lists the parts of a multipart upload.

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

/// A stored part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)]
pub struct StoredPart {
    pub part_number: u16,
    pub etag: String,
    pub size_bytes: u64,
    pub uploaded_at: Timestamp,
}

/// A part in the body of a request.
#[derive(Debug, Clone)]
pub struct NewPart {
    /// Part number as the client sent it; the first part is 1.
    pub number: u64,
    /// Length of the body that the request announces, in bytes.
    pub length_bytes: u64,
    /// The SHA-256 that the part must have, if the client sent one.
    pub expected_sha256: Option<[u8; 32]>,
}

/// The number of stored parts, and the number of their bytes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[allow(missing_docs)]
pub struct StoredParts {
    pub parts: u64,
    pub bytes: u64,
}

impl R2StorageService {
    /// Returns the number of stored parts, and the number of their bytes. The rows of the parts are deleted when the
    /// upload is complete. Then both numbers are computed from the size of the file.
    ///
    /// # Errors
    /// `unavailable` if the database cannot be reached.
    pub async fn count_parts(&self, upload: &Multipart) -> Result<StoredParts> {
        if upload.status == MultipartStatus::Completed {
            return Ok(StoredParts { parts: upload.part_count(), bytes: upload.size_bytes });
        }
        let count = sql::uploads::CountParts { upload: upload.upload };
        self.app.database.query(count.statement()).await?.pop().map_or(Ok(StoredParts::default()), from_row)
    }

    /// Returns at most `limit` stored parts with a number above `after`, in ascending order.
    ///
    /// # Errors
    /// `unavailable` if the database cannot be reached.
    pub async fn parts(&self, upload: &Multipart, after: u64, limit: u64) -> Result<Vec<StoredPart>> {
        let list = sql::uploads::Parts { upload: upload.upload, after_number: after, limit };
        self.app.database.query(list.statement()).await?.into_iter().map(from_row).collect()
    }

    /// Stores a part. The platform passes the bytes to R2 without a copy in wasm. Only the first piece of part 1 is
    /// read in wasm, to check its content.
    ///
    /// # Errors
    /// - `bad_request`: the upload has no part with this number, or the part must have another length.
    /// - `unsupported_type`: the content of part 1 is refused.
    /// - `digest_mismatch`: the bytes have another SHA-256.
    /// - `gone`, `conflict`: the upload has ended.
    /// - The error of the body if it ends early; `unavailable` if R2 or the database cannot be reached. After one of
    ///   these errors, the client must send the part again.
    pub async fn put_part(
        &self,
        upload: &Multipart,
        new: NewPart,
        mut body: Box<dyn NativeBody>,
    ) -> Result<StoredPart> {
        upload.expect_open(self.app.now())?;
        let (number, expected_bytes) = find_part(upload, new.number)?;
        let length_bytes = new.length_bytes;
        if length_bytes != expected_bytes {
            let detail = format!(
                "Part {number} must have {expected_bytes} bytes, but the request has {length_bytes}. Send the whole \
                 part."
            );
            return Err(Problem::new(Code::BadRequest, detail).with("wantedBytes", expected_bytes));
        }
        let mut statements = Vec::new();
        if number == 1 {
            let mut data = upload.data.clone();
            let detected = self.check_first_piece(upload, body.as_mut()).await?;
            data.content_type = Some(detected.content_type.to_owned());
            data.encoding = detected.encoding.map(|encoding| encoding.name().to_owned());
            data.header = detected.header;
            let data = serde_json::to_string(&data).map_err(Problem::internal)?;
            statements.push(sql::uploads::SetData { upload: upload.upload, data: &data }.statement());
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
        statements.push(put.statement());
        let rows = self.app.database.batch(statements).await?;
        match rows.last().is_some_and(|rows| !rows.is_empty()) {
            true => Ok(part),
            false => Err(gone("The upload ended while the part was being sent. Begin another upload.")),
        }
    }

    async fn check_first_piece(
        &self,
        upload: &Multipart,
        body: &mut dyn NativeBody,
    ) -> Result<DetectedContent> {
        let filename = Filename::parse(&upload.filename).map_err(Problem::internal)?;
        let sample = body.peek().await?;
        check_content(&self.app, upload.data.declared_type.as_deref(), &filename, &sample)
    }
}

fn find_part(upload: &Multipart, number: u64) -> Result<(u16, u64)> {
    let found = upload.length_of_part(number).zip(u16::try_from(number).ok());
    let (expected_bytes, number) = found.ok_or_else(|| {
        let detail = format!("The upload has parts 1 to {}; there is no part {number}.", upload.part_count());
        Problem::new(Code::BadRequest, detail)
    })?;
    Ok((number, expected_bytes))
}
