//! Uploads that a script makes part by part, in any order and several at once.
//!
//! No session is needed: the object store is the judge of which bytes a part has, and takes parts in parallel. Rows
//! remember the parts' etags, because the store's binding cannot list them; a row that is wrong, because two requests
//! sent the same part at once, makes the store refuse to complete, and the part is sent again. The bytes are hashed by
//! nobody on their way, so that the file is committed without a checksum and read once in the background.

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

/// How long an upload may take: less than the seven days after which the store drops it.
const WINDOW: TimeDelta = TimeDelta::days(6);

/// What is asked for.
#[derive(Debug)]
pub struct NewMultipart {
    /// The file to be; its type is not yet known.
    pub file: NewFile,
    /// The media type its sender gave.
    pub declared_type: Option<String>,
    /// All its bytes.
    pub size_bytes: u64,
    /// The part size asked for.
    pub part_bytes: Option<u64>,
}

/// What later requests need to know of an upload, in its row as JSON: a stored contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Data {
    by: String,
    r2_upload: String,
    declared_type: Option<String>,
    content_type: Option<String>,
    /// The encoding declared, once the first part has been judged.
    #[serde(default)]
    encoding: Option<String>,
    description: Description,
    /// Who began it: the owner, where older code did not say.
    #[serde(default)]
    principal: Option<Principal>,
    caller: Caller,
}

/// Where an upload is in its life.
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

/// An upload part by part.
#[derive(Debug, Clone)]
pub struct Multipart {
    /// Its id.
    pub upload: AttemptId,
    /// Whose it is.
    pub user: UserId,
    /// The file it makes.
    pub file: FileId,
    /// The name of that file.
    pub filename: String,
    /// All its bytes.
    pub size_bytes: u64,
    /// The size of every part but the last.
    pub part_bytes: u64,
    /// Where it is in its life.
    pub status: MultipartStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends unless it is completed.
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
        // An upload by tus has a session, and is none of these.
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

    /// How many parts there must be.
    pub fn part_count(&self) -> u64 {
        self.size_bytes.div_ceil(self.part_bytes)
    }

    /// How long a part must be; `None` when there is no part of that number.
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
    /// An upload of the caller's.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn find_multipart(&self, upload: AttemptId) -> Result<Multipart> {
        let get = sql::uploads::Get { upload, user: self.allow(Scope::Create, None)? };
        let row =
            self.app.database.query(get.statement()).await?.pop().ok_or_else(Problem::no_such_upload)?;
        Multipart::read(row)?.ok_or_else(Problem::no_such_upload)
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
        let judged = DetectedContent::noted(data.content_type.as_deref(), data.encoding.as_deref());
        Attempt::resume(self.app.clone(), &open, judged)
    }
}
