//! R2StorageService: files as bytes in the object store and rows in the database, kept in step by one protocol.
//!
//! The two stores share no transaction, so every file comes in by three steps ([`protocol`]): an *intent* that names
//! the object before its first byte, the *bytes*, and a *commit* that makes the file visible. Whatever is left behind
//! by a crash between them is found in `gc_queue` and taken away by the [`crate::sweeps`]. [`crate::integrity::fsck`] checks that both agree.

pub mod actor;
pub mod download;
pub mod file;
pub mod lineage;
pub mod listing;
pub mod multipart;
pub mod part_writer;
pub mod profiling;
pub mod protocol;
pub mod resumable;
pub mod update;
pub mod upload;

use crate::app::SharedApp;
use crate::audit::entry::{Action, Entry};
use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::Scope;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::sql;
use actor::Actor;
use file::{FileRow, LifecycleStatus};

/// A user's files.
#[derive(Clone)]
pub struct R2StorageService {
    pub(crate) app: SharedApp,
    pub(crate) actor: Actor,
}

impl R2StorageService {
    /// The files of `actor`.
    pub fn new(app: SharedApp, actor: Actor) -> Self {
        Self { app, actor }
    }

    /// [`Actor::allow`]; a refusal is written to the log.
    pub(crate) fn allow(&self, scope: Scope, file: Option<FileId>) -> Result<&UserId> {
        let allowed = self.actor.allow(scope, file);
        if let Err(problem) = &allowed
            && problem.code() == Code::Forbidden
        {
            let refusal = self.entry(Action::Refuse).failed(problem);
            self.app.audit().log(&file.into_iter().fold(refusal, Entry::on));
        }
        allowed
    }

    /// Allows a replay to whoever may have its effect now; returns the owner, if the effect needs one.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub(crate) fn allow_replay(&self, effect: Option<&Effect>) -> Result<Option<&UserId>> {
        effect.and_then(Effect::needs).map(|(scope, file)| self.allow(scope, file)).transpose()
    }

    /// An entry of the record about what this principal does now.
    pub(crate) fn entry(&self, action: Action) -> Entry {
        Entry::new(&self.app, Some(&self.actor.principal), action, &self.actor.caller)
    }

    /// A file in whatever state its owner can see, the trash included.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is someone else's; `forbidden`.
    pub async fn find(&self, id: FileId) -> Result<FileRow> {
        self.fetch(self.allow(Scope::Read, Some(id))?, id).await
    }

    /// A file whose bytes may be read: neither in the trash nor past its expiry.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is someone else's; `forbidden`.
    pub async fn find_readable(&self, id: FileId) -> Result<FileRow> {
        let file = self.find(id).await?;
        let expired = file.expires_at.is_some_and(|expiry| expiry <= self.app.now());
        if file.lifecycle_status == LifecycleStatus::Deleted || expired {
            return Err(Problem::no_such_file());
        }
        Ok(file)
    }

    /// A file of `owner`, for an answer about something that has been allowed.
    pub(crate) async fn fetch(&self, owner: &UserId, id: FileId) -> Result<FileRow> {
        let get = sql::files::Get { file: id, user: owner };
        let row = self.app.database.query(get.statement()).await?.pop().ok_or_else(Problem::no_such_file)?;
        FileRow::read(row)
    }
}
