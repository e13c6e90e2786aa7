//! Multipart uploads: a client sends the parts in any order, and may send several parts at the same time.
//!
//! Multipart uploads need no upload session, because R2 accepts parts in parallel. If a part is sent twice, R2 decides
//! which bytes the part has. Rows hold the etags of the parts, because R2's binding cannot list the parts of an upload.
//! If two requests send the same part at the same time, the row of this part may hold the wrong etag. R2 then refuses
//! to complete the upload, and the client must send the part again.
//!
//! The bytes are not hashed while they arrive, so the file is committed without a checksum. Later, a background pass
//! reads the file once and stores the checksum.

mod begin;
mod end;
mod parts;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::protocol::DetectedContent;
use crate::domain::caller::Caller;
use crate::domain::ids::{AttemptId, FileId, UserId};
use crate::domain::principal::{Principal, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, from_row};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::protocol::{Attempt, Description, NewFile, OpenAttempt};
use crate::storage::resumable::problems::gone;

pub use parts::{NewPart, StoredPart, StoredParts};

/// Maximum duration of an upload. It is shorter than seven days, because R2 drops an unfinished upload after seven
/// days.
const UPLOAD_LIFETIME: TimeDelta = TimeDelta::days(6);

/// A request to start a multipart upload.
#[derive(Debug)]
pub struct NewMultipart {
    /// The file to make. Its media type is not known yet.
    pub file: NewFile,
    /// The media type that the sender declared.
    pub declared_type: Option<String>,
    /// Size of the whole file, in bytes.
    pub size_bytes: u64,
    /// The requested part size, in bytes.
    pub part_bytes: Option<u64>,
}

/// Data that later requests need. The upload's row stores them as JSON. The JSON names must never change, because
/// stored rows contain them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Data {
    by: String,
    r2_upload: String,
    declared_type: Option<String>,
    content_type: Option<String>,
    /// The declared encoding; `None` if the client declared none, or if part 1 is not checked yet.
    #[serde(default)]
    encoding: Option<String>,
    /// Whether the file has a header, if the client declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<bool>,
    description: Description,
    /// The signature that the content scanner found in the file; empty if the scanner named none. `None` if the scanner
    /// did not refuse the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    infected: Option<String>,
    /// The principal that started the upload; `None` in rows that an older version of Cutty wrote. In this case, the
    /// owner started the upload.
    #[serde(default)]
    principal: Option<Principal>,
    caller: Caller,
}

/// Status of a multipart upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum MultipartStatus {
    Open,
    Completing,
    Completed,
    Aborted,
    Expired,
}

/// A multipart upload.
#[derive(Debug, Clone)]
pub struct Multipart {
    /// The id of the upload, which is also the id of its attempt.
    pub upload: AttemptId,
    /// The owner.
    pub user: UserId,
    /// The id of the file to make.
    pub file: FileId,
    /// The name of the file.
    pub filename: String,
    /// Size of the whole file, in bytes.
    pub size_bytes: u64,
    /// Size of every part except the last, in bytes.
    pub part_bytes: u64,
    /// Status of the upload.
    pub status: MultipartStatus,
    /// When the upload was started.
    pub created_at: Timestamp,
    /// When the upload expires unless it is completed.
    pub expires_at: Timestamp,
    data: Data,
}

#[derive(Deserialize)]
struct UploadRow {
    upload_id: AttemptId,
    user_id: UserId,
    file_id: FileId,
    filename: String,
    total_size: Option<u64>,
    part_size: u64,
    session_data: String,
    status: MultipartStatus,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Multipart {
    fn read(row: Row) -> Result<Option<Self>> {
        let row: UploadRow = from_row(row)?;
        // A row without this data belongs to a tus upload, which has an upload session.
        let (Ok(data), Some(size_bytes)) = (serde_json::from_str::<Data>(&row.session_data), row.total_size)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            upload: row.upload_id,
            user: row.user_id,
            file: row.file_id,
            filename: row.filename,
            size_bytes,
            part_bytes: row.part_size,
            status: row.status,
            created_at: row.created_at,
            expires_at: row.expires_at,
            data,
        }))
    }

    /// Returns the number of parts that the upload must have.
    pub fn part_count(&self) -> u64 {
        self.size_bytes.div_ceil(self.part_bytes)
    }

    /// Returns the length of a part, in bytes; `None` if the upload has no part with this number.
    pub fn length_of_part(&self, number: u64) -> Option<u64> {
        let before = number.checked_sub(1)?.checked_mul(self.part_bytes)?;
        let left = self.size_bytes.checked_sub(before)?;
        (left > 0).then(|| left.min(self.part_bytes))
    }

    fn expect_open(&self, now: Timestamp) -> Result<()> {
        match self.status {
            MultipartStatus::Completed => Err(Problem::new(
                Code::Conflict,
                format!("The upload is complete: see /api/files/{}.", self.file),
            )),
            MultipartStatus::Aborted => Err(gone("The upload was aborted. Begin another one.")),
            MultipartStatus::Expired => Err(gone("The upload has expired. Begin another one.")),
            MultipartStatus::Open | MultipartStatus::Completing if now >= self.expires_at => {
                Err(gone("The upload has expired. Begin another one."))
            }
            MultipartStatus::Open | MultipartStatus::Completing => Ok(()),
        }
    }
}

impl R2StorageService {
    /// Returns an upload of the owner. A principal that is restricted to a tag finds only uploads whose file will have
    /// this tag.
    ///
    /// # Errors
    /// `not_found` if the upload does not exist or belongs to another owner; `forbidden`.
    pub async fn find_multipart(&self, upload: AttemptId) -> Result<Multipart> {
        let get = sql::uploads::Get { upload, user: self.allow(Scope::Write, None)? };
        let row =
            self.app.database.query(get.statement()).await?.pop().ok_or_else(Problem::no_such_upload)?;
        let upload = Multipart::read(row)?.ok_or_else(Problem::no_such_upload)?;
        match self.actor.tag().is_none_or(|tag| upload.data.description.has_tag(tag)) {
            true => Ok(upload),
            false => Err(Problem::no_such_upload()),
        }
    }

    fn attempt(&self, upload: &Multipart) -> Attempt {
        let open = OpenAttempt {
            file: upload.file,
            attempt: upload.upload,
            user: upload.user.clone(),
            principal: upload.data.principal.clone(),
            caller: upload.data.caller.clone(),
            filename: upload.filename.clone(),
            description: upload.data.description.clone(),
            reserved_bytes: upload.size_bytes,
            started: upload.created_at,
        };
        let data = &upload.data;
        let detected =
            DetectedContent::from_stored(data.content_type.as_deref(), data.encoding.as_deref(), data.header);
        Attempt::resume(self.app.clone(), &open, detected)
    }
}
