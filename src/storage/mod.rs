//! R2StorageService: files as bytes in the object store and rows in the database, kept in step by one protocol.
//!
//! The two stores share no transaction, so every file comes in by three steps ([`protocol`]): an *intent* that names
//! the object before its first byte, the *bytes*, and a *commit* that makes the file visible. Whatever is left behind
//! by a crash between them is found in `gc_queue` and taken away by the [`crate::sweeps`]. [`crate::integrity::fsck`] checks that both agree.

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
use crate::domain::caller::Caller;
use crate::domain::ids::{FileId, UserId};
use crate::error::{Problem, Result};
use crate::idempotency::{Claim, Effect};
use crate::ports::Statement;
use crate::sql;
use file::{FileRow, LifecycleStatus};

/// On whose behalf a service acts.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The owner: part of every query.
    pub user: UserId,
    /// For the log.
    pub caller: Caller,
    /// The idempotency key that the request holds, if it has one.
    pub claim: Option<Claim>,
}

impl Actor {
    /// What ties an effect to the request's idempotency key, if it has one: to stand in the batch that has the effect,
    /// directly behind the statement that has it.
    pub fn record(&self, effect: &Effect) -> Option<Statement> {
        self.claim.as_ref().map(|claim| claim.record(effect))
    }

    /// What unties an effect that is undone, in the batch that undoes it.
    pub fn take_back(&self, effect: &Effect) -> Option<Statement> {
        self.claim.as_ref().map(|claim| claim.take_back(effect))
    }
}

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

    /// A file in whatever state its owner can see, the trash included.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is someone else's.
    pub async fn find(&self, id: FileId) -> Result<FileRow> {
        let get = sql::files::Get { file: id, user: &self.actor.user };
        let row = self.app.database.query(get.statement()).await?.pop().ok_or_else(Problem::no_such_file)?;
        FileRow::read(row)
    }

    /// A file whose bytes may be read: neither in the trash nor past its expiry.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is someone else's.
    pub async fn find_readable(&self, id: FileId) -> Result<FileRow> {
        let file = self.find(id).await?;
        let expired = file.expires_at.is_some_and(|expiry| expiry <= self.app.now());
        if file.lifecycle_status == LifecycleStatus::Deleted || expired {
            return Err(Problem::no_such_file());
        }
        Ok(file)
    }
}
