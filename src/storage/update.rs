//! Changes the row of a file: its name, tags, metadata, expiry and status. Archives a file, moves it to the trash,
//! restores it or deletes it permanently. None of these operations changes the object with the bytes.

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::audit::action::Action;
use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::ports::{Row, Statement};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, LifecycleStatus};

/// The fields to change. A field that is `None` stays unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The new name, checked.
    pub filename: Option<String>,
    /// The tags that replace the old tags, checked.
    pub tags: Option<Vec<String>>,
    /// The metadata that replaces the old metadata, checked.
    pub metadata: Option<Map<String, Value>>,
    /// The new expiry; `Some(None)` removes the expiry.
    pub expires_at: Option<Option<Timestamp>>,
    /// The new JSON of the options with which the file is read; `Some(None)` means that every rule is detected.
    pub dialect_options: Option<Option<String>>,
    /// The new status: `true` for archived, `false` for active.
    pub archived: Option<bool>,
}

impl R2StorageService {
    /// Changes a file. If `revision` is given, the file must still be at this revision. An empty change does nothing.
    /// If the dialect changes, the profile is no longer valid, and the background pass computes it again.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist, belongs to another owner, or is in the trash.
    /// - `precondition_failed`: another request changed the file first.
    /// - `forbidden`.
    pub async fn change(&self, id: FileId, change: Change, revision: Option<u64>) -> Result<FileRow> {
        let user = self.allow(Scope::Write, Some(id))?;
        self.expect_tag_kept(change.tags.as_deref())?;
        if change == Change::default() {
            let file = self.fetch(user, id).await?;
            let is_kept = file.lifecycle_status != LifecycleStatus::Deleted;
            return match is_kept && revision.is_none_or(|revision| revision == file.revision) {
                true => Ok(file),
                false => Err(self.refusal(user, id, Action::Update, revision).await),
            };
        }
        let status = change.archived.map(|archived| match archived {
            true => LifecycleStatus::Archived.name(),
            false => LifecycleStatus::Active.name(),
        });
        let metadata = change.metadata.map(|metadata| Value::Object(metadata).to_string());
        let guarded = sql::files::Update {
            file: id,
            user,
            tag: self.actor.tag(),
            revision,
            filename: change.filename.as_deref(),
            metadata: metadata.as_deref(),
            sets_expiry: change.expires_at.is_some(),
            expires_at: change.expires_at.flatten(),
            status,
            sets_dialect: change.dialect_options.is_some(),
            dialect_options: change.dialect_options.as_ref().and_then(Option::as_deref),
            now: self.app.now(),
        };
        let mut statements = Vec::new();
        if let Some(tags) = change.tags {
            let (tag, tags) = (self.actor.tag(), Value::from(tags).to_string());
            statements.push(sql::files::DeleteUserTags { file: id, user, tag, revision }.statement());
            statements
                .push(sql::files::InsertUserTags { file: id, user, tag, revision, tags: &tags }.statement());
        }
        statements.push(guarded.statement());
        let file = self.run_guarded(user, id, Action::Update, revision, statements).await?;
        if change.dialect_options.is_some() && file.profile_bytes.is_none() {
            self.app.request_profile(&file).await;
        }
        Ok(file)
    }

    /// Checks that the new tags contain the tag to which the principal is restricted; `None` if the tags stay.
    fn expect_tag_kept(&self, tags: Option<&[String]>) -> Result<()> {
        match (self.actor.tag(), tags) {
            (Some(tag), Some(tags)) if !tags.iter().any(|known| known == tag) => {
                let detail = format!(
                    "This API key may use only files with the tag {tag:?}, so it cannot remove this tag. Add it to tags."
                );
                Err(Problem::new(Code::Forbidden, detail).with("field", "tags"))
            }
            _ => Ok(()),
        }
    }

    /// Moves a file to the trash. The file can be restored, and counts against the quota until its permanent deletion.
    /// A file that is already in the trash stays there, so that a repeated request gets the same response as the first.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist or belongs to another owner.
    /// - `precondition_failed`: another request changed the file first.
    /// - `forbidden`.
    pub async fn trash(&self, id: FileId, revision: Option<u64>) -> Result<FileRow> {
        let (user, now) = (self.allow(Scope::Write, Some(id))?, self.app.now());
        let tag = self.actor.tag();
        let mut statements = vec![sql::files::StayInTrash { file: id, user, tag, revision }.statement()];
        statements.extend(self.actor.record(&Effect::Changed { file: id }));
        statements.push(sql::files::Trash { file: id, user, tag, revision, now }.statement());
        self.run_guarded(user, id, Action::Delete, revision, statements).await
    }

    /// Restores a file from the trash. If `revision` is given, the file must still be at this revision.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist or belongs to another owner.
    /// - `conflict`: the file is not in the trash.
    /// - `precondition_failed`: another request changed the file first.
    /// - `forbidden`.
    pub async fn restore(&self, id: FileId, revision: Option<u64>) -> Result<FileRow> {
        let user = self.allow(Scope::Write, Some(id))?;
        let (tag, now) = (self.actor.tag(), self.app.now());
        let restore = sql::files::Restore { file: id, user, tag, revision, now };
        self.run_guarded(user, id, Action::Restore, revision, vec![restore.statement()]).await
    }

    /// Deletes a file permanently. Its quota is freed immediately. Its bytes are purged after `PURGE_AFTER_DAYS`.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist or belongs to another owner.
    /// - `precondition_failed`: another request changed the file first.
    /// - `forbidden`.
    pub async fn delete_permanently(&self, id: FileId, revision: Option<u64>) -> Result<()> {
        let user = self.allow(Scope::Write, Some(id))?;
        let entry = self.entry(Action::Delete).on(id);
        let [release, deletion, enqueue] = permanent_deletion(
            id,
            (user, self.actor.tag()),
            revision,
            self.app.now(),
            self.app.config.purge_after_days,
        );
        let mut statements = vec![release, deletion];
        statements.extend(self.actor.record(&Effect::Purged { file: id }));
        statements.push(entry.statement_if_changed(&self.app)?);
        statements.push(enqueue);
        let rows = self.app.database.batch(statements).await?;
        if rows.get(DEAD_ROW).is_none_or(Vec::is_empty) {
            return Err(self.refusal(user, id, Action::Delete, revision).await);
        }
        self.app.audit().log(&entry);
        Ok(())
    }

    /// Runs the statements of a change and returns the file after the change. The last statement makes the change and
    /// returns a row, but only if the conditions in its WHERE clause hold. An earlier statement returns a row only if
    /// the file already has the requested state.
    async fn run_guarded(
        &self,
        user: &UserId,
        id: FileId,
        action: Action,
        revision: Option<u64>,
        mut statements: Vec<Statement>,
    ) -> Result<FileRow> {
        let entry = self.entry(action).on(id);
        let guarded = statements.len() - 1;
        statements.extend(self.actor.record(&Effect::Changed { file: id }));
        statements.push(entry.statement_if_changed(&self.app)?);
        statements.push(sql::files::Get { file: id, user, tag: self.actor.tag() }.statement());
        let mut rows = self.app.database.batch(statements).await?;
        let row: Option<Row> = rows.pop().and_then(|mut found| found.pop());
        let has_changed = rows.get(guarded).is_some_and(|changed| !changed.is_empty());
        let is_unchanged = rows.iter().take(guarded).any(|found| !found.is_empty());
        if has_changed {
            self.app.audit().log(&entry);
        }
        match row {
            Some(row) if has_changed || is_unchanged => FileRow::read(row),
            _ => Err(self.refusal(user, id, action, revision).await),
        }
    }

    /// Returns the problem for a change whose conditions did not hold. The file may have changed again since then, so
    /// the problem names the most likely reason.
    async fn refusal(&self, user: &UserId, id: FileId, action: Action, revision: Option<u64>) -> Problem {
        let file = match self.fetch(user, id).await {
            Ok(file) => file,
            Err(problem) => return problem,
        };
        let is_trashed = file.lifecycle_status == LifecycleStatus::Deleted;
        if action == Action::Restore && !(is_trashed && revision.is_some()) {
            return Problem::new(
                Code::Conflict,
                "The file is not in the trash, so there is nothing to restore.",
            );
        }
        let is_out_of_reach = is_trashed && !matches!(action, Action::Delete | Action::Restore);
        if is_out_of_reach || revision.is_none() {
            return Problem::no_such_file();
        }
        Problem::new(
            Code::PreconditionFailed,
            "The file was changed by another request. Read its metadata again and retry with the new ETag.",
        )
        .with("revision", file.revision)
    }
}

/// Index of the statement in [`permanent_deletion`] that makes the file unreachable and returns its row.
const DEAD_ROW: usize = 1;

/// Returns the statements that free the quota of a kept file, make the file unreachable and put its object on
/// `gc_queue`. The caller runs the statements in one batch, so that either all of them or none of them take effect. `tag`
/// is the tag to which the principal is restricted; the statements do nothing if the file does not have it.
pub(crate) fn permanent_deletion(
    file: FileId,
    (user, tag): (&UserId, Option<&str>),
    revision: Option<u64>,
    now: Timestamp,
    purge_after_days: u32,
) -> [Statement; 3] {
    let purge_after = now.plus(TimeDelta::days(purge_after_days.into()));
    [
        sql::quotas::ReleaseKept { user, file, tag, now, revision }.statement(),
        sql::files::KillKept { file, user, tag, revision, now, purge_after }.statement(),
        sql::gc::EnqueueKilled { file, user, not_before: purge_after, now }.statement(),
    ]
}
