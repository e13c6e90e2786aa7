//! The commit, step 3 of the [storage protocol](super). It makes the file visible exactly once, even if the outcome of
//! a batch is unknown. If a content scanner is set, the scan comes before the batch.

use crate::csv::FileEncoding;
use serde_json::Value;

use super::{Attempt, Leftover, Origin};
use crate::audit::action::Action;
use crate::audit::entry::Entry;
use crate::domain::principal::Principal;
use crate::domain::scan::ScanMark;
use crate::error::{Code, Problem, Result};
use crate::ports::{DatabaseError, ObjectFacts, Statement, StoredObject};
use crate::sql;
use crate::storage::file::FileRow;

/// Maximum number of tries of a commit whose outcome is unknown.
const COMMIT_TRIES: usize = 3;

impl Attempt {
    /// Commits the attempt and returns the file. Abandons the attempt if the commit fails.
    ///
    /// # Errors
    /// - `infected`: the content scanner refused the bytes. The file is not stored.
    /// - `unavailable`: the file is not visible, or it is unknown whether the file is visible.
    /// - `in_progress`: the request no longer holds its idempotency key.
    /// - `gone`: the share through which the file is uploaded does not admit it.
    pub async fn commit(self, stored: &StoredObject) -> Result<FileRow> {
        let failure = match self.settle(&stored.facts, Some(stored.sha256)).await {
            Ok(Some(row)) => return Ok(row),
            Ok(None) => Problem::unavailable("the attempt was abandoned before its commit"),
            Err(problem) => problem,
        };
        self.abandon(Leftover::Perhaps).await;
        Err(failure)
    }

    /// Commits the attempt, but does not abandon the attempt if the commit fails, because the caller repeats the call.
    /// Returns `None` if the attempt no longer owns a pending row. Without `sha256`, the file has no checksum until the
    /// background pass has read the file.
    ///
    /// # Errors
    /// - `infected`: the content scanner refused the bytes, and the file is not visible. The caller must abandon the
    ///   attempt.
    /// - `unavailable` or `in_progress`: it is unknown whether the file is visible. The caller must repeat the call.
    /// - `gone`: the share through which the file is uploaded does not admit it. The caller must abandon the attempt.
    pub async fn settle(&self, facts: &ObjectFacts, sha256: Option<[u8; 32]>) -> Result<Option<FileRow>> {
        let scan = match self.scan(facts, sha256).await {
            Ok(scan) => scan,
            // An earlier call may have committed the attempt although its response was lost. The file is then stored,
            // and what the scanner says now does not change that.
            Err(problem) => return self.committed().await?.map_or(Err(problem), |row| Ok(Some(row))),
        };
        let action = match self.new.origin {
            Origin::Cut { .. } => Action::Save,
            Origin::Upload => Action::Upload,
        };
        let entry = Entry::new(&self.app, Some(&self.actor.principal), action, &self.actor.caller)
            .on(self.file)
            .moving(facts.size)
            .since(self.started);
        let mut failure = Problem::unavailable("the commit was not tried");
        for _ in 0..COMMIT_TRIES {
            let outcome = self.app.database.batch(self.settlement(facts, sha256, scan, &entry)?).await;
            match self.resolve(outcome).await {
                Ok(Some(row)) => {
                    self.app.audit().log(&entry);
                    return Ok(Some(row));
                }
                Ok(None) => return Ok(None),
                Err(problem) => failure = problem,
            }
            if matches!(failure.code(), Code::InProgress | Code::Gone) {
                break;
            }
        }
        Err(failure)
    }

    /// Scans the object, unless the file is a saved cut. Returns `None` if no scanner is set.
    async fn scan(&self, facts: &ObjectFacts, sha256: Option<[u8; 32]>) -> Result<Option<ScanMark>> {
        match self.new.origin {
            Origin::Upload => self.app.scan_object(&self.key, facts, sha256).await,
            Origin::Cut { .. } => Ok(self.app.mark_derived()),
        }
    }

    /// Returns the row of the attempt's file if the attempt is committed.
    async fn committed(&self) -> Result<Option<FileRow>> {
        match self.status().await?.as_deref() {
            Some("active" | "archived" | "deleted") => self.row().await,
            _ => Ok(None),
        }
    }

    async fn status(&self) -> Result<Option<String>> {
        let get_status = sql::files::StatusOfAttempt { attempt: self.attempt };
        let rows = self.app.database.query(get_status.statement()).await?;
        let status = rows.first().and_then(|row| row.get("lifecycle_status")).and_then(Value::as_str);
        Ok(status.map(str::to_owned))
    }

    async fn row(&self) -> Result<Option<FileRow>> {
        let row = self.app.database.query(self.get_statement()).await?.pop();
        row.map(FileRow::read).transpose()
    }

    /// Returns the committed row, or `None` if the attempt no longer owns a pending row. Returns an error if the commit
    /// should be repeated.
    async fn resolve(
        &self,
        outcome: std::result::Result<Vec<Vec<crate::ports::Row>>, DatabaseError>,
    ) -> Result<Option<FileRow>> {
        let failure = match outcome {
            Ok(mut rows) => {
                let row = rows.pop().and_then(|mut rows| rows.pop());
                return row.map(FileRow::read).transpose();
            }
            Err(error) => error,
        };
        match self.status().await?.as_deref() {
            Some("pending") => Err(failure.into()),
            Some("active" | "archived" | "deleted") => self.row().await,
            _ => Ok(None),
        }
    }

    fn settlement(
        &self,
        facts: &ObjectFacts,
        sha256: Option<[u8; 32]>,
        scan: Option<ScanMark>,
        entry: &Entry,
    ) -> Result<Vec<Statement>> {
        let (file, attempt, user) = (self.file, self.attempt, &self.owner);
        let now = self.app.now();
        let system_tag = match self.new.origin {
            Origin::Upload => "uploaded",
            Origin::Cut { .. } => "cut",
        };
        let tags = |kind: &str, tags: Value| {
            sql::files::InsertTags { file, kind, tags: &tags.to_string() }.statement()
        };
        let dialect_options = self.new.dialect_options();
        let activate = sql::files::Activate {
            attempt,
            size_bytes: facts.size,
            checksum: sha256.map(hex::encode).as_deref(),
            etag: &facts.etag,
            now,
            expires_at: self.new.description.expires_at,
            storage_class: self.new.description.storage_class.name(),
            metadata: &Value::Object(self.new.description.metadata.clone()).to_string(),
            content_type: self.new.content_type,
            row_count: self.summary.row_count,
            column_count: self.summary.column_count,
            columns: self.summary.columns.as_deref(),
            dialect: self.summary.dialect.as_deref(),
            profile_bytes: self.summary.profile_bytes,
            encoding: self.new.encoding.map(FileEncoding::name),
            dialect_options: dialect_options.as_deref(),
            scan_verdict: scan.map(|scan| scan.verdict.name()),
            scanned_at: scan.map(|scan| scan.at),
        }
        .statement();
        let mut statements = vec![
            sql::files::InsertCommitMarker { attempt, file, now }.statement(),
            sql::quotas::Settle { user, attempt, size_bytes: facts.size, now }.statement(),
            activate,
        ];
        statements.extend(self.actor.record(&self.effect));
        statements.extend([
            tags("system", Value::from(vec![system_tag])),
            tags("user", Value::from(self.new.description.tags.clone())),
            sql::gc::DropKey { key: &self.key }.statement(),
        ]);
        if let Principal::Share { id: share, .. } = self.actor.principal {
            let (size_bytes, content_type) = (facts.size, self.new.content_type);
            statements.push(sql::shares::CountUpload { share, size_bytes, content_type }.statement());
            statements.push(sql::shares::TagUpload { share, file }.statement());
        }
        statements.push(entry.statement(&self.app)?);
        statements.extend(self.extra.iter().cloned());
        statements.push(self.get_statement());
        Ok(statements)
    }

    fn get_statement(&self) -> Statement {
        sql::files::Get { file: self.file, user: &self.owner, tag: None }.statement()
    }
}
