//! Shares for their owner: made, listed, changed and revoked.

use chrono::TimeDelta;
use serde_json::json;

use super::row::{May, ShareKind, ShareRow, forget_at, no_such_share};
use crate::audit::action::Action;
use crate::audit::entry::Entry;
use crate::domain::ids::{AttemptId, FileId, ShareId, UserId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::disposition::Disposition;
use crate::ports::Statement;
use crate::sql::shares as sql;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::protocol::Description;

/// Maximum number of shares of a user, with those that ended within the last 30 days.
pub const MAX_SHARES: u64 = 1_000;

/// What the owner decides about a link.
#[derive(Debug, Clone)]
pub struct LinkTerms {
    /// How long the link can be used, in seconds.
    pub expires_in_s: u32,
    /// How often the link can be used; `None` if that is not limited.
    pub max_uses: Option<u64>,
    /// What a browser does with the file.
    pub disposition: Disposition,
    /// The argon2id hash of the password.
    pub password_hash: Option<String>,
    /// What the owner calls the share.
    pub name: Option<String>,
}

/// What may be uploaded through a link.
#[derive(Debug, Clone)]
pub struct UploadTerms {
    /// Greatest size of the file in bytes.
    pub max_bytes: u64,
    /// Media types that are accepted.
    pub content_types: Vec<String>,
    /// Tags of the uploaded files.
    pub tags: Vec<String>,
}

/// A file that is shared with an account.
#[derive(Debug, Clone)]
pub struct AccountTerms<'a> {
    /// Username of the account.
    pub username: &'a str,
    /// What the account may do.
    pub may: May,
    /// How long the account may do it, in seconds; `None` if that is not limited.
    pub expires_in_s: Option<u32>,
    /// What the owner calls the share.
    pub name: Option<&'a str>,
}

/// A share that is not stored yet.
pub struct PreparedShare {
    /// The id of the share.
    pub id: ShareId,
    /// The statements that insert the share and its audit entry.
    pub statements: Vec<Statement>,
    /// The audit entry, for the log.
    pub entry: Entry,
}

/// The shares of one owner.
pub struct OwnedShares {
    storage: R2StorageService,
}

/// A page of shares.
pub struct SharePage {
    /// The shares.
    pub shares: Vec<ShareRow>,
    /// Whether there are more shares after this page.
    pub has_more: bool,
}

impl OwnedShares {
    /// Returns the shares of the owner for whom `storage` acts.
    pub fn new(storage: R2StorageService) -> Self {
        Self { storage }
    }

    /// Prepares a share of a cut that is being stored as the file `file`. `source` is the file that was cut. The batch that
    /// stores the file runs the statements of the share.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn prepare_cut(
        &self,
        (file, attempt): (FileId, AttemptId),
        source: FileId,
        terms: &LinkTerms,
    ) -> Result<PreparedShare> {
        self.prepare(ShareKind::Cut, (Some(file), Some(attempt), Some(source)), terms, None)
    }

    /// Shares a file with everyone who has the link.
    ///
    /// # Errors
    /// `forbidden`; `quota_exceeded` if the user has too many shares; `unavailable`.
    pub async fn share_file(&self, file: &FileRow, terms: &LinkTerms) -> Result<ShareRow> {
        let shared = (Some(file.id), AttemptId::parse(&file.attempt), None);
        self.store(self.prepare(ShareKind::Download, shared, terms, None)?).await
    }

    /// Makes a link through which somebody uploads files. The files get the tag to which the principal is restricted.
    ///
    /// # Errors
    /// The errors of [`Self::share_file`] and of [`Description::add_tag`].
    pub async fn share_upload(&self, terms: &LinkTerms, upload: &UploadTerms) -> Result<ShareRow> {
        let mut files = Description { tags: upload.tags.clone(), ..Description::default() };
        files.add_tag(self.storage.actor.tag())?;
        let upload = UploadTerms { tags: files.tags, ..upload.clone() };
        self.store(self.prepare(ShareKind::Upload, (None, None, None), terms, Some(&upload))?).await
    }

    /// Shares a file with an account. If the account has a share of the file, this share is changed.
    ///
    /// # Errors
    /// The errors of [`Self::share_file`]; `not_found` if there is no other account with this username.
    pub async fn share_with_account(&self, file: &FileRow, terms: &AccountTerms<'_>) -> Result<ShareRow> {
        let app = &self.storage.app;
        let (user, now) = (self.storage.allow(Scope::Share, Some(file.id))?, app.now());
        let share = app.fresh_id::<ShareId>();
        let expires_at = terms.expires_in_s.map(|seconds| now.plus(TimeDelta::seconds(seconds.into())));
        let attempt = AttemptId::parse(&file.attempt);
        let attempt = attempt.ok_or_else(|| Problem::internal("the row has no attempt"))?;
        let insert = sql::InsertForAccount {
            share,
            user,
            file: file.id,
            attempt,
            grantee: terms.username,
            may: terms.may.name(),
            name: terms.name,
            now,
            expires_at,
            forget_at: expires_at.map(forget_at),
            most: MAX_SHARES,
        };
        let entry = self.storage.entry(Action::Share).on(file.id).about(share);
        let batch = vec![insert.statement(), entry.statement_if_changed(app)?];
        let mut rows = app.database.batch(batch).await?;
        let stored = rows.drain(..).next().unwrap_or_default().pop();
        let Some(id) = stored.as_ref().and_then(|row| row.get("id")).and_then(|id| id.as_str()) else {
            let detail = "There is no other account with this username. Check the username.";
            return Err(Problem::new(Code::NotFound, detail).with("field", "username"));
        };
        app.audit().log(&entry);
        let id = ShareId::parse(id).ok_or_else(|| Problem::internal("the row has no id"))?;
        self.get(id).await
    }

    /// Returns a share.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn get(&self, share: ShareId) -> Result<ShareRow> {
        let user = self.owner()?;
        let get = sql::Get { share, user, tag: self.storage.actor.tag() }.statement();
        let row = self.storage.app.database.query(get).await?.pop();
        row.map(ShareRow::read).transpose()?.ok_or_else(no_such_share)
    }

    /// Returns a page of shares, the newest first. The page begins after the share `before`. With `file`, only shares of
    /// this file and of its cuts.
    ///
    /// # Errors
    /// `forbidden`; `unavailable`.
    pub async fn list(&self, file: Option<FileId>, before: Option<ShareId>, limit: u32) -> Result<SharePage> {
        let list = sql::List {
            user: self.owner()?,
            tag: self.storage.actor.tag(),
            file,
            before,
            limit: u64::from(limit) + 1,
        };
        let rows = self.storage.app.database.query(list.statement()).await?;
        let mut shares = rows.into_iter().map(ShareRow::read).collect::<Result<Vec<_>>>()?;
        let has_more = shares.len() > limit as usize;
        shares.truncate(limit as usize);
        Ok(SharePage { shares, has_more })
    }

    /// Changes when a share expires. The link of the share changes too.
    ///
    /// # Errors
    /// `forbidden`; `not_found`; `gone` if the share was revoked.
    pub async fn set_expiry(&self, row: &ShareRow, expires_in_s: Option<u32>) -> Result<ShareRow> {
        check_not_revoked(row)?;
        let share = row.id;
        let (user, now) = (self.owner()?, self.storage.app.now());
        let expires_at = expires_in_s.map(|seconds| now.plus(TimeDelta::seconds(seconds.into())));
        let set = sql::SetExpiry {
            share,
            user,
            tag: self.storage.actor.tag(),
            expires_at,
            forget_at: expires_at.map(forget_at),
        };
        let row = self.changed(Action::ChangeShare, row, vec![set.statement()]).await?;
        check_not_revoked(&row)?;
        Ok(row)
    }

    /// Revokes a share: its link ends at once, and so do the uploads through it that are not finished. A repeated call
    /// changes nothing.
    ///
    /// # Errors
    /// `forbidden`; `not_found`.
    pub async fn revoke(&self, row: &ShareRow) -> Result<ShareRow> {
        let share = row.id;
        let (user, now) = (self.owner()?, self.storage.app.now());
        let revoke =
            sql::Revoke { share, user, tag: self.storage.actor.tag(), now, forget_at: forget_at(now) };
        let mut changes = vec![revoke.statement()];
        changes.extend([
            sql::ReleaseUploads { share, now }.statement(),
            sql::CollectUploads { share, now }.statement(),
            sql::EndUploads { share, now }.statement(),
            sql::KillUploads { share, now }.statement(),
        ]);
        self.changed(Action::RevokeShare, row, changes).await
    }

    async fn changed(&self, action: Action, before: &ShareRow, changes: Vec<Statement>) -> Result<ShareRow> {
        let (app, share) = (&self.storage.app, before.id);
        let mut entry = self.storage.entry(action).about(share);
        entry.file_id = before.file_id;
        // The first statement is the change; a repeat changes nothing, and has no entry.
        let mut batch = changes;
        batch.insert(1, entry.statement_if_changed(app)?);
        batch.push(sql::Get { share, user: self.owner()?, tag: self.storage.actor.tag() }.statement());
        let row = app.database.batch(batch).await?.pop().and_then(|mut rows| rows.pop());
        let row = row.map(ShareRow::read).transpose()?.ok_or_else(no_such_share)?;
        app.audit().log(&entry);
        Ok(row)
    }

    async fn store(&self, prepared: PreparedShare) -> Result<ShareRow> {
        let app = &self.storage.app;
        let mut batch = prepared.statements;
        batch.push(
            sql::Get { share: prepared.id, user: self.owner()?, tag: self.storage.actor.tag() }.statement(),
        );
        let row = app.database.batch(batch).await?.pop().and_then(|mut rows| rows.pop());
        app.audit().log(&prepared.entry);
        row.map(ShareRow::read).transpose()?.ok_or_else(no_such_share)
    }

    fn owner(&self) -> Result<&UserId> {
        self.storage.allow(Scope::Share, None)
    }

    fn prepare(
        &self,
        kind: ShareKind,
        (file, attempt, source): (Option<FileId>, Option<AttemptId>, Option<FileId>),
        terms: &LinkTerms,
        upload: Option<&UploadTerms>,
    ) -> Result<PreparedShare> {
        let app = &self.storage.app;
        let user = self.storage.allow(Scope::Share, source.or(file))?;
        let (share, now) = (app.fresh_id::<ShareId>(), app.now());
        let expires_at: Timestamp = now.plus(TimeDelta::seconds(terms.expires_in_s.into()));
        let content_types = upload.map(|upload| json!(upload.content_types).to_string());
        let tags = upload.map(|upload| json!(upload.tags).to_string());
        let insert = sql::Insert {
            share,
            user,
            kind: kind.name(),
            file,
            source,
            attempt,
            disposition: match terms.disposition {
                Disposition::Attachment => "attachment",
                Disposition::Inline => "inline",
            },
            name: terms.name.as_deref(),
            now,
            expires_at: Some(expires_at),
            forget_at: Some(forget_at(expires_at)),
            max_uses: terms.max_uses,
            password_hash: terms.password_hash.as_deref(),
            max_bytes: upload.map(|upload| upload.max_bytes),
            content_types: content_types.as_deref(),
            tags: tags.as_deref(),
            most: MAX_SHARES,
        };
        let mut entry = self.storage.entry(Action::Share).about(share);
        entry.file_id = source.or(file);
        let statements = vec![insert.statement(), entry.statement_if_changed(app)?];
        Ok(PreparedShare { id: share, statements, entry })
    }
}

fn check_not_revoked(row: &ShareRow) -> Result<()> {
    match row.revoked_at {
        None => Ok(()),
        Some(_) => Err(Problem::new(Code::Gone, "The share was revoked. Make a new share.")),
    }
}
