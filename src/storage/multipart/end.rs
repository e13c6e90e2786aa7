//! Ends a multipart upload: joins its parts into the file, or aborts the upload.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Multipart, MultipartStatus, StoredPart};
use crate::domain::log::LogLine;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::ports::{ObjectFacts, StoreError};
use crate::scanning::scan::infected;
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::protocol::{Attempt, Leftover};
use crate::storage::resumable::limits::MAX_PARTS;
use crate::storage::resumable::problems::gone;

impl R2StorageService {
    /// Joins the parts into the file and returns the file. If the upload is already complete, only returns its file. So
    /// a client may repeat the call.
    ///
    /// # Errors
    /// - `bad_request`: the list is not in ascending order, or names a part that the upload cannot have.
    /// - `conflict`: parts are missing, or are stored with another etag.
    /// - `gone`: the upload has ended.
    /// - `infected`: the content scanner refused the file. The upload has ended.
    /// - `unavailable`: R2 or the database cannot be reached.
    pub async fn complete_multipart(&self, upload: &Multipart, named: &[(u64, String)]) -> Result<FileRow> {
        if upload.status == MultipartStatus::Completed {
            return self.fetch_stored(&upload.user, upload.file).await;
        }
        if let Some(signature) = &upload.data.infected {
            return Err(infected(signature));
        }
        upload.expect_open(self.app.now())?;
        let etags = self.check_parts(upload, named).await?;
        // Another request may complete the upload at the same time. Then `join` uses the other request's object.
        let mut attempt = self.attempt(upload);
        attempt.set_claim(&self.actor);
        let facts = self.join(upload, &attempt, &etags).await?;
        self.commit_parts(upload, attempt, &facts).await
    }

    /// Checks that the list `named` has every part with its stored etag. Returns the etags in the order of the parts.
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
        let stored: BTreeMap<u64, StoredPart> = self
            .parts(upload, 0, MAX_PARTS)
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
            // An earlier call may have completed the upload although its response was lost.
            Err(error) => match objects.head(key).await? {
                Some(facts) => facts,
                None if matches!(error, StoreError::OtherPart(_)) => {
                    let detail = "Two requests sent the same part at the same time. Send the parts again.";
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
        let now = self.app.now();
        attempt.add_to_commit(vec![
            sql::uploads::Complete { upload: upload.upload, now, size_bytes: facts.size }.statement(),
            sql::uploads::DeleteParts { upload: upload.upload }.statement(),
        ]);
        let settled = match attempt.settle(facts, None).await {
            Err(problem) if problem.code() == Code::Infected => {
                return self.end_infected(upload, &attempt, problem).await;
            }
            settled => settled?,
        };
        let Some(row) = settled else {
            return Err(gone("The upload ended before it was complete. Begin another one."));
        };
        self.app.send_learn_job(upload.upload).await;
        Ok(row)
    }

    /// Ends an upload whose file the content scanner refused. The row of the upload keeps the signature, so that a
    /// repeated request gets the same problem. If another request has committed the file meanwhile, returns the file.
    async fn end_infected(&self, upload: &Multipart, attempt: &Attempt, problem: Problem) -> Result<FileRow> {
        let mut data = upload.data.clone();
        data.infected = Some(problem.text_member("signature").unwrap_or_default().to_owned());
        let data = serde_json::to_string(&data).map_err(Problem::internal)?;
        let upload_id = upload.upload;
        let ended = vec![
            sql::uploads::SetData { upload: upload_id, data: &data }.statement(),
            sql::uploads::End { upload: upload_id, status: "aborted", now: self.app.now() }.statement(),
            sql::uploads::DeleteParts { upload: upload_id }.statement(),
        ];
        let results = attempt.try_abandon(Leftover::Perhaps, ended).await?;
        if results.get(1).is_none_or(Vec::is_empty) {
            let upload = self.find_multipart(upload_id).await?;
            if upload.status == MultipartStatus::Completed {
                return self.fetch_stored(&upload.user, upload.file).await;
            }
        }
        Err(problem)
    }

    /// Aborts an upload: drops its parts and releases its reservation.
    ///
    /// # Errors
    /// - `conflict`: the upload is complete.
    /// - `gone`: the upload was aborted or has expired.
    /// - `unavailable`: the database cannot be reached.
    pub async fn abort_multipart(&self, upload: &Multipart) -> Result<()> {
        upload.expect_open(self.app.now())?;
        let attempt = self.attempt(upload);
        let mut ended = vec![
            sql::uploads::End { upload: upload.upload, status: "aborted", now: self.app.now() }.statement(),
        ];
        ended.extend(self.actor.record(&Effect::GivenUp { upload: upload.upload }));
        ended.push(sql::uploads::DeleteParts { upload: upload.upload }.statement());
        // The service changes the rows before it aborts R2's upload. So a request that completes the upload at the same
        // time can no longer commit.
        let results = attempt.try_abandon(Leftover::Perhaps, ended).await?;
        if results.first().is_none_or(Vec::is_empty) {
            // Another request aborted or completed the upload after this request had read its row.
            self.find_multipart(upload.upload).await?.expect_open(self.app.now())?;
        }
        if let Err(error) = self.app.objects.abort_multipart(attempt.key(), &upload.data.r2_upload).await {
            self.app.write_log(
                LogLine::warn("parts were not deleted; the sweep will delete them")
                    .with_text("key", attempt.key())
                    .caused_by(error),
            );
        }
        Ok(())
    }
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

/// Removes the quotes around an etag. Many clients send an etag as they received it in a header, with quotes.
fn unquoted(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}
