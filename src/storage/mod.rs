//! The storage service. The bytes of a file are in R2, and its row is in the database.
//!
//! R2 and the database share no transaction. So the service stores every file in three steps ([`protocol`]). First, the
//! *intent* writes the object's key into the database. Then the *bytes* are stored. Then the *commit* makes the file
//! visible. After a crash between two steps, the key is still on `gc_queue`, and the sweeps ([`crate::sweeps`])
//! delete the object and the pending row. [`crate::integrity::fsck`] checks that R2 and the database agree.

pub mod actor;
pub mod download;
pub mod file;
pub mod lineage;
pub mod listing;
pub mod multipart;
pub mod part_writer;
pub mod profiling;
pub mod protocol;
pub mod recipes;
pub mod resumable;
mod small_object;
pub mod update;
pub mod upload;

use http::Method;

use crate::app::SharedApp;
use crate::audit::action::Action;
use crate::audit::entry::Entry;
use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::{Principal, Scope};
use crate::domain::read_meter::ReadMeter;
use crate::error::{Code, Problem, Result};
use crate::idempotency::Effect;
use crate::sql;
use actor::Actor;
use file::{FileRow, LifecycleStatus};
use resumable::problems::file_gone;

/// The storage service for one principal. It reads and changes only files of the owner that [`Actor::allow`] returns.
#[derive(Clone)]
pub struct R2StorageService {
    pub(crate) app: SharedApp,
    pub(crate) actor: Actor,
    /// Counts the bytes that are read from files.
    meter: ReadMeter,
}

impl R2StorageService {
    /// Creates a service that acts for `actor`.
    pub fn new(app: SharedApp, actor: Actor) -> Self {
        Self { app, actor, meter: ReadMeter::default() }
    }

    /// Makes the service count the bytes that it reads in `meter`.
    #[must_use]
    pub fn metered(self, meter: ReadMeter) -> Self {
        Self { meter, ..self }
    }

    /// Returns the counter of the bytes that the service reads from files.
    pub fn meter(&self) -> ReadMeter {
        self.meter.clone()
    }

    /// Returns the principal for whom the service acts.
    pub fn principal(&self) -> &Principal {
        &self.actor.principal
    }

    /// Calls [`Actor::allow`].
    pub(crate) fn allow(&self, scope: Scope, file: Option<FileId>) -> Result<&UserId> {
        self.actor.allow(scope, file)
    }

    /// Checks that the principal has a scope for a file. Does not check that the file exists.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_scope(&self, scope: Scope, file: FileId) -> Result<()> {
        self.allow(scope, Some(file)).map(drop)
    }

    /// Checks that the principal still has the scope that it needed for the effect of the earlier request. Returns the
    /// owner of the files; `None` if there is no effect, or if the effect needs no scope.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub(crate) fn allow_replay(&self, effect: Option<&Effect>) -> Result<Option<&UserId>> {
        effect.and_then(Effect::needs).map(|(scope, file)| self.allow(scope, file)).transpose()
    }

    /// Checks that the effect of an earlier request still stands, so that its stored response may be sent again. The
    /// response may contain the name, tags and metadata of a file, and a permanent deletion erases them.
    ///
    /// # Errors
    /// The errors of [`Self::allow_replay`]; `gone` if the earlier request made or changed a file that cannot be read
    /// any more. After a request that moved a file to the trash, `gone` only if the file does not exist any more.
    pub(crate) async fn expect_effect(&self, method: &Method, effect: &Effect) -> Result<()> {
        let Some(owner) = self.allow_replay(Some(effect))? else { return Ok(()) };
        match effect {
            Effect::Created { file } | Effect::Saved { file, .. } => {
                self.fetch_stored(owner, *file).await.map(drop)
            }
            Effect::Changed { file } => self.fetch_changed(owner, *file, method).await.map(drop),
            Effect::Purged { .. }
            | Effect::Begun { .. }
            | Effect::BegunInParts { .. }
            | Effect::GivenUp { .. }
            | Effect::Registered => Ok(()),
        }
    }

    /// Creates an audit entry about an action of this principal.
    pub(crate) fn entry(&self, action: Action) -> Entry {
        Entry::new(&self.app, Some(&self.actor.principal), action, &self.actor.caller)
    }

    /// Returns the account that owns what the principal makes, such as receipts. A file that is cut may belong to another
    /// account, which shares it.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn owner_of_results(&self) -> Result<&UserId> {
        self.allow(Scope::Cut, None)
    }

    /// Returns a file that is active, archived or in the trash.
    ///
    /// # Errors
    /// `not_found` if the file does not exist or belongs to another owner; `forbidden`.
    pub async fn find(&self, id: FileId) -> Result<FileRow> {
        self.find_for(Scope::Read, id).await
    }

    /// Does the same as [`Self::find`], for a principal that needs `scope` and not [`Scope::Read`].
    async fn find_for(&self, scope: Scope, id: FileId) -> Result<FileRow> {
        match self.fetch_if_any(self.allow(scope, Some(id))?, id).await? {
            Some(file) => Ok(file),
            None => self.find_granted(scope, id).await,
        }
    }

    /// Returns a file that another account shares with the user.
    ///
    /// # Errors
    /// `not_found` if there is no such file; `forbidden` if the user may read the file and not cut it.
    async fn find_granted(&self, scope: Scope, file: FileId) -> Result<FileRow> {
        let Principal::User { id: grantee, .. } = &self.actor.principal else {
            return Err(Problem::no_such_file());
        };
        let get = sql::files::GetGranted { file, grantee, now: self.app.now() };
        let row = self.app.database.query(get.statement()).await?.pop().ok_or_else(Problem::no_such_file)?;
        let file = FileRow::read(row)?;
        match (scope, file.may.as_deref()) {
            (Scope::Read, _) | (Scope::Cut, Some("cut")) => Ok(file),
            _ => Err(Problem::not_allowed()),
        }
    }

    /// Returns a file whose bytes may be read: it is not in the trash and has not expired.
    ///
    /// # Errors
    /// The errors of [`Self::find`]; `not_found` if the file is in the trash or has expired.
    pub async fn find_readable(&self, id: FileId) -> Result<FileRow> {
        self.expect_readable(self.find(id).await?)
    }

    /// Returns a readable file of the principal's owner, and not a file that another account shares.
    ///
    /// # Errors
    /// The errors of [`Self::find_readable`]; `forbidden` if another account shares the file.
    pub async fn find_own(&self, id: FileId) -> Result<FileRow> {
        let file = self.fetch(self.allow(Scope::Share, Some(id))?, id).await;
        match file {
            Err(problem) if problem.code() == Code::NotFound => {
                Err(self.find_granted(Scope::Read, id).await.map_or(problem, |_| Problem::not_allowed()))
            }
            file => self.expect_readable(file?),
        }
    }

    fn expect_readable(&self, file: FileRow) -> Result<FileRow> {
        match file.is_readable(self.app.now()) {
            true => Ok(file),
            false => Err(Problem::no_such_file()),
        }
    }

    /// Returns a file that may be read as CSV: its bytes may be read and are not known to be damaged. The principal needs
    /// `scope`: [`Scope::Read`] or [`Scope::Cut`].
    ///
    /// # Errors
    /// The errors of [`Self::find_readable`]; `integrity_error` if the file is marked as damaged.
    pub async fn find_undamaged(&self, scope: Scope, id: FileId) -> Result<FileRow> {
        let file = self.expect_readable(self.find_for(scope, id).await?)?;
        file.check_undamaged()?;
        Ok(file)
    }

    /// Returns a file that the principal may cut now.
    ///
    /// # Errors
    /// The errors of [`Self::find_undamaged`]; `quota_exceeded` if the principal's budget is spent and cuts are then
    /// refused.
    pub async fn find_to_cut(&self, id: FileId) -> Result<FileRow> {
        let file = self.find_undamaged(Scope::Cut, id).await?;
        file.check_budget(self.app.now())?;
        Ok(file)
    }

    /// Returns a file of `owner` that the principal sees. The caller must already have checked the principal's scope.
    pub(crate) async fn fetch(&self, owner: &UserId, id: FileId) -> Result<FileRow> {
        self.fetch_if_any(owner, id).await?.ok_or_else(Problem::no_such_file)
    }

    /// Returns a file of `owner` that an earlier request stored. The caller must already have checked that the
    /// principal may use this file.
    ///
    /// # Errors
    /// `gone` if the file is in the trash, has expired or does not exist any more. A successful response would tell the
    /// client that the file is stored.
    pub(crate) async fn fetch_stored(&self, owner: &UserId, id: FileId) -> Result<FileRow> {
        let file = self.fetch_if_any(owner, id).await?;
        file.filter(|file| file.is_readable(self.app.now())).ok_or_else(file_gone)
    }

    /// Returns a file of `owner` that an earlier request with this method changed. The caller must already have checked
    /// that the principal may use this file.
    ///
    /// # Errors
    /// `gone` if the file does not exist or, except after a `DELETE`, is in the trash. A file that has expired can still be
    /// changed until the sweep moves it to the trash.
    pub(crate) async fn fetch_changed(&self, owner: &UserId, id: FileId, method: &Method) -> Result<FileRow> {
        let file = self.fetch_if_any(owner, id).await?;
        let may_be_trashed = *method == Method::DELETE;
        let stands = |file: &FileRow| may_be_trashed || file.lifecycle_status != LifecycleStatus::Deleted;
        file.filter(stands).ok_or_else(file_gone)
    }

    /// Checks that the file in a stored response of a tus upload can still be read.
    ///
    /// # Errors
    /// `forbidden`; the errors of [`Self::fetch_stored`].
    pub(crate) async fn expect_stored(&self, file: FileId) -> Result<()> {
        self.fetch_stored(self.allow(Scope::Write, None)?, file).await.map(drop)
    }

    async fn fetch_if_any(&self, owner: &UserId, id: FileId) -> Result<Option<FileRow>> {
        let get = sql::files::Get { file: id, user: owner, tag: self.actor.tag() };
        let row = self.app.database.query(get.statement()).await?.pop();
        row.map(FileRow::read).transpose()
    }
}
