//! Uploads that a script makes part by part, in any order and several at once.
//!
//! No session is needed: the object store is the judge of which bytes a part has, and takes parts in parallel. Rows
//! remember the parts' etags, because the store's binding cannot list them; a row that is wrong, because two requests
//! sent the same part at once, makes the store refuse to complete, and the part is sent again. The bytes are hashed by
//! nobody on their way, so that the file is committed without a checksum and read once in the background.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::http::sniff::{TEXT_CSV, stored_type_named};
use crate::idempotency::Effect;
use crate::ids::{AttemptId, FileId};
use crate::metrics::Caller;
use crate::ports::{NativeBody, ObjectFacts, PutError, Row, Statement, from_row};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::part_writer::put_problem;
use crate::storage::protocol::{Attempt, Description, Leftover, NewFile, OpenAttempt};
use crate::storage::resumable::{MOST_PARTS, end_statement, gone, part_bytes};
use crate::storage::upload::judge;
use crate::time::Timestamp;

/// How long an upload may take: less than the seven days after which the store drops it.
const WINDOW: TimeDelta = TimeDelta::days(6);

/// The least a part may have, but the last, in bytes: the store's limit.
const LEAST_PART_BYTES: u64 = 5 << 20;

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
struct Data {
    by: String,
    r2_upload: String,
    declared_type: Option<String>,
    content_type: Option<String>,
    description: Description,
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
    file_id: FileId,
    filename: String,
    total_size: Option<u64>,
    part_size: u64,
    session_data: String,
    status: MultipartStatus,
    created_at: Timestamp,
    expires_at: Timestamp,
}

/// A part that is stored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)]
pub struct Part {
    pub part_number: u16,
    pub etag: String,
    pub size_bytes: u64,
    pub uploaded_at: Timestamp,
}

/// How many parts are stored, and their bytes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[allow(missing_docs)]
pub struct Stored {
    pub parts: u64,
    pub bytes: u64,
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
    /// Begins an upload part by part.
    ///
    /// # Errors
    /// `bad_request` for a part size that cannot be, `quota_exceeded`, or a store that failed.
    pub async fn create_multipart(&self, new: NewMultipart) -> Result<Multipart> {
        let part = self.chosen_part_bytes(&new)?;
        let app = &self.app;
        let attempt = Attempt::draft(app.clone(), self.actor.clone(), new.file, new.size_bytes, WINDOW);
        // Before the intent, so that its row can hold the id: an upload without parts costs nothing, and is dropped by
        // the store within a week if nothing comes of it.
        let r2_upload = app.objects.create_multipart(&attempt.object()).await?;
        let open = attempt.open();
        let expires_at = open.started.plus(WINDOW);
        let data = Data {
            by: "parts".to_owned(),
            r2_upload: r2_upload.clone(),
            declared_type: new.declared_type,
            content_type: None,
            description: open.description.clone(),
            caller: open.caller.clone(),
        };
        let insert = Statement::new(sql::uploads::INSERT)
            .bind(open.attempt.to_string())
            .bind(open.file.to_string())
            .bind(open.user.as_str())
            .bind(attempt.key().to_string())
            .bind(open.filename.as_str())
            .bind(new.size_bytes)
            .bind(part)
            .bind(serde_json::to_string(&data).map_err(Problem::internal)?)
            .bind(open.started)
            .bind(expires_at);
        let remember =
            Statement::new(sql::gc::SET_UPLOAD).bind(attempt.key().to_string()).bind(r2_upload.as_str());
        let key = attempt.key().clone();
        let begun = Effect::BegunInParts { upload: open.attempt };
        if let Err(problem) = attempt.start_upload(begun, insert, vec![remember]).await {
            // Unless it has begun after all, and nobody could be told. It has no parts: nothing is lost if this fails.
            if self.has_not_begun(open.attempt).await {
                let _ = app.objects.abort_multipart(&key, &r2_upload).await;
            }
            return Err(problem);
        }
        Ok(Multipart {
            upload: open.attempt,
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

    async fn has_not_begun(&self, upload: AttemptId) -> bool {
        match self.find_multipart(upload).await {
            Ok(upload) => upload.status == MultipartStatus::Aborted,
            Err(problem) => problem.code() == Code::NotFound,
        }
    }

    fn chosen_part_bytes(&self, new: &NewMultipart) -> Result<u64> {
        let config = &self.app.config;
        let Some(asked) = new.part_bytes else { return Ok(part_bytes(config, new.size_bytes) as u64) };
        let least =
            LEAST_PART_BYTES.min(config.max_chunk_size_bytes).max(new.size_bytes.div_ceil(MOST_PARTS));
        let most = config.max_file_size_bytes;
        if (least..=most).contains(&asked) {
            return Ok(asked);
        }
        let detail = format!("The partSize of this upload can be from {least} to {most} bytes.");
        Err(Problem::new(Code::BadRequest, detail).with("leastBytes", least).with("mostBytes", most))
    }

    /// An upload of the caller's.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn find_multipart(&self, upload: AttemptId) -> Result<Multipart> {
        let get = Statement::new(sql::uploads::GET).bind(upload.to_string()).bind(self.actor.user.as_str());
        let row = self.app.database.query(get).await?.pop().ok_or_else(Problem::no_such_upload)?;
        Multipart::read(row)?.ok_or_else(Problem::no_such_upload)
    }

    /// How many parts of it are stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_parts(&self, upload: &Multipart) -> Result<Stored> {
        let count = Statement::new(sql::uploads::COUNT_PARTS).bind(upload.upload.to_string());
        self.app.database.query(count).await?.pop().map_or(Ok(Stored::default()), from_row)
    }

    /// At most `limit` parts after one, by number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn parts(&self, upload: &Multipart, after: u64, limit: u64) -> Result<Vec<Part>> {
        let list =
            Statement::new(sql::uploads::PARTS).bind(upload.upload.to_string()).bind(after).bind(limit);
        self.app.database.query(list).await?.into_iter().map(from_row).collect()
    }

    /// Stores a part; its bytes go to the store without entering wasm, but for the first piece of the first.
    ///
    /// # Errors
    /// `bad_request` for a number or a length that cannot be, `unsupported_type`, `gone`, `conflict`, a body that
    /// broke off, or a store that failed: the part is then to be sent again.
    pub async fn put_part(
        &self,
        upload: &Multipart,
        number: u64,
        length_bytes: u64,
        mut body: Box<dyn NativeBody>,
    ) -> Result<Part> {
        upload.expect_open(self.app.now())?;
        let (number, wanted) = numbered(upload, number)?;
        if length_bytes != wanted {
            let detail = format!(
                "Part {number} of this upload has {wanted} bytes; the request brings {length_bytes}."
            );
            return Err(Problem::new(Code::BadRequest, detail).with("wantedBytes", wanted));
        }
        let mut noted = Vec::new();
        if number == 1 {
            let mut data = upload.data.clone();
            data.content_type = Some(self.judge_first(upload, body.as_mut()).await?.to_owned());
            let data = serde_json::to_string(&data).map_err(Problem::internal)?;
            noted.push(Statement::new(sql::uploads::SET_DATA).bind(upload.upload.to_string()).bind(data));
        }
        let attempt = self.attempt(upload);
        let stored = self
            .app
            .objects
            .put_part_stream(attempt.key(), &upload.data.r2_upload, number, body, length_bytes)
            .await;
        let etag = stored.map_err(put_problem)?;
        let part = Part { part_number: number, etag, size_bytes: length_bytes, uploaded_at: self.app.now() };
        noted.push(
            Statement::new(sql::uploads::PUT_PART)
                .bind(upload.upload.to_string())
                .bind(u64::from(number))
                .bind(part.etag.as_str())
                .bind(length_bytes)
                .bind(part.uploaded_at),
        );
        let rows = self.app.database.batch(noted).await?;
        match rows.last().is_some_and(|rows| !rows.is_empty()) {
            true => Ok(part),
            false => Err(gone("The upload ended while the part was on its way. Begin another one.")),
        }
    }

    async fn judge_first(&self, upload: &Multipart, body: &mut dyn NativeBody) -> Result<&'static str> {
        let filename = Filename::parse(&upload.filename).map_err(Problem::internal)?;
        let sample = body.peek().await?;
        judge(&self.app, upload.data.declared_type.as_deref(), &filename, &sample)
    }

    /// Joins the parts into the file. May be repeated: an upload that is complete answers with its file.
    ///
    /// # Errors
    /// `bad_request` for a list that cannot be, `conflict` for parts that are missing or others, `gone`, or a store
    /// that failed.
    pub async fn complete_multipart(&self, upload: &Multipart, named: &[(u64, String)]) -> Result<FileRow> {
        if upload.status == MultipartStatus::Completed {
            return self.find(upload.file).await;
        }
        upload.expect_open(self.app.now())?;
        let etags = self.check_parts(upload, named).await?;
        // Another request may have completed it meanwhile; then this list is judged by what became of the object.
        let mut attempt = self.attempt(upload);
        attempt.committed_by(&self.actor);
        let facts = self.join(upload, &attempt, &etags).await?;
        self.commit_parts(upload, attempt, &facts).await
    }

    /// The etags in order, if the list names every part as it is stored.
    async fn check_parts(&self, upload: &Multipart, named: &[(u64, String)]) -> Result<Vec<String>> {
        if named.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            let detail = "List the parts in ascending order of partNumber, each once.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
        let count = upload.part_count();
        let listed: BTreeMap<u64, &str> =
            named.iter().map(|(number, etag)| (*number, unquoted(etag))).collect();
        if let Some((number, _)) = listed.iter().find(|(number, _)| !(1..=count).contains(*number)) {
            let detail = format!("The upload has parts 1 to {count}; there is no part {number}.");
            return Err(Problem::new(Code::BadRequest, detail));
        }
        let stored: BTreeMap<u64, Part> = self
            .parts(upload, 0, MOST_PARTS)
            .await?
            .into_iter()
            .map(|part| (u64::from(part.part_number), part))
            .collect();
        let missing = |has: &dyn Fn(u64) -> bool| -> Vec<u64> {
            (1..=count).filter(|number| !has(*number)).take(100).collect()
        };
        refuse_parts(missing(&|number| stored.contains_key(&number)), "were never stored", "missingParts")?;
        refuse_parts(missing(&|number| listed.contains_key(&number)), "are not in the list", "missingParts")?;
        let same =
            |number| stored.get(&number).map(|part| part.etag.as_str()) == listed.get(&number).copied();
        refuse_parts(missing(&same), "are stored with another etag", "otherParts")?;
        Ok(stored.into_values().map(|part| part.etag).collect())
    }

    async fn join(&self, upload: &Multipart, attempt: &Attempt, etags: &[String]) -> Result<ObjectFacts> {
        let (objects, key) = (&self.app.objects, attempt.key());
        let facts = match objects.complete_multipart(key, &upload.data.r2_upload, etags).await {
            Ok(facts) => facts,
            // Completed before, perhaps, and the answer was lost.
            Err(error) => match objects.head(key).await? {
                Some(facts) => facts,
                None if error.0.contains("(10025)") || error.0.contains("parts could not be found") => {
                    let detail = "A part was replaced while it was sent twice at once. Send the parts again.";
                    return Err(Problem::new(Code::Conflict, detail).caused_by(error));
                }
                None => return Err(error.into()),
            },
        };
        match facts.size == upload.size_bytes {
            true => Ok(facts),
            false => Err(Problem::internal(format!("{key} has {} bytes", facts.size))),
        }
    }

    async fn commit_parts(
        &self,
        upload: &Multipart,
        mut attempt: Attempt,
        facts: &ObjectFacts,
    ) -> Result<FileRow> {
        let id = upload.upload.to_string();
        attempt.settle_also(vec![
            Statement::new(sql::uploads::COMPLETE).bind(id.as_str()).bind(self.app.now()).bind(facts.size),
            Statement::new(sql::uploads::DELETE_PARTS).bind(id.as_str()),
        ]);
        let Some(row) = attempt.settle(facts, None).await? else {
            return Err(gone("The upload ended before it was complete. Begin another one."));
        };
        self.app.send_learn_job(upload.upload).await;
        Ok(row)
    }

    /// Gives an upload up: parts and reservation are gone.
    ///
    /// # Errors
    /// `gone`, `conflict` when it is complete, or a store that failed.
    pub async fn abort_multipart(&self, upload: &Multipart) -> Result<()> {
        upload.expect_open(self.app.now())?;
        let attempt = self.attempt(upload);
        let id = upload.upload.to_string();
        let mut ended = vec![end_statement(upload.upload, "aborted", self.app.now())];
        ended.extend(self.actor.record(&Effect::GivenUp { upload: upload.upload }));
        ended.push(Statement::new(sql::uploads::DELETE_PARTS).bind(id));
        // Rows first: a completion that is under way can then no longer commit.
        attempt.try_abandon(Leftover::Perhaps, ended).await?;
        if let Err(error) = self.app.objects.abort_multipart(attempt.key(), &upload.data.r2_upload).await {
            self.app.log.line(&serde_json::json!({
                "@timestamp": self.app.now(), "level": "warn", "service": "cutty-files",
                "key": attempt.key().to_string(), "message": "parts are left to the sweep",
                "cause": error.to_string(),
            }));
        }
        Ok(())
    }

    fn attempt(&self, upload: &Multipart) -> Attempt {
        let open = OpenAttempt {
            file: upload.file,
            attempt: upload.upload,
            user: self.actor.user.clone(),
            caller: upload.data.caller.clone(),
            filename: upload.filename.clone(),
            description: upload.data.description.clone(),
            reserved_bytes: upload.size_bytes,
            started: upload.created_at,
        };
        let content_type = upload.data.content_type.as_deref().and_then(stored_type_named);
        Attempt::resume(self.app.clone(), &open, content_type.unwrap_or(TEXT_CSV))
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

fn refuse_parts(numbers: Vec<u64>, what: &str, member: &str) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = numbers.iter().take(10).map(u64::to_string).collect();
    let more = if numbers.len() > 10 { ", …" } else { "" };
    let detail = format!("These parts {what}: {}{more}.", listed.join(", "));
    Err(Problem::new(Code::Conflict, detail).with(member, Value::from(numbers)))
}

/// Scripts send etags as they got them in a header.
fn unquoted(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        put_problem(error)
    }
}
