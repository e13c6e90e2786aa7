//! A share for the holder of its link.

use chrono::TimeDelta;

use super::row::{ShareKind, ShareRow, ShareStatus};
use super::token::{CONTINUE_WITHIN_S, Purpose, ShareToken};
use crate::app::{App, SharedApp};
use crate::auth::password::{self, PasswordVerdict};
use crate::auth::token::Keyring;
use crate::domain::caller::Caller;
use crate::domain::principal::{Principal, Scope, Scopes};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;
use crate::storage::file::FileRow;

/// A share whose link is genuine and can be used.
pub struct OpenedShare {
    /// The row.
    pub row: ShareRow,
    /// The file that is sent; `None` if the share is for uploads.
    pub file: Option<FileRow>,
    /// What the link says.
    pub token: ShareToken,
}

/// A link with which a download can be repeated and resumed without another use.
pub struct Continuation {
    /// The text in the link.
    pub token: String,
    /// When the link ends.
    pub expires_at: Timestamp,
}

impl OpenedShare {
    /// Finds the share of a link. Costs 1 D1 call; none if the link is not genuine or has expired.
    ///
    /// # Errors
    /// `not_found` if the service did not make this link; `gone` if it can no longer be used; `unavailable`.
    pub async fn find(app: &App, text: &str) -> Result<Self> {
        let opened = Self::find_used(app, text).await?;
        match (opened.token.purpose, opened.row.status(app.now())) {
            (Purpose::Upload, ShareStatus::Used) => Err(gone(ShareStatus::Used)),
            _ => Ok(opened),
        }
    }

    /// Does the same as [`Self::find`], but also finds a share for uploads that has no use left.
    ///
    /// # Errors
    /// The errors of [`Self::find`].
    pub async fn find_used(app: &App, text: &str) -> Result<Self> {
        let token = ShareToken::verify(text, &Keyring::new(&app.config)).ok_or_else(|| {
            let detail = "There is no such link. Check that the link is complete.";
            Problem::new(Code::NotFound, detail)
        })?;
        let now = app.now();
        if token.expires_at_s <= now.instant().timestamp() {
            return Err(gone(ShareStatus::Expired));
        }
        let share = token.share;
        let batch =
            vec![sql::shares::Open { share }.statement(), sql::files::GetShared { share }.statement()];
        let mut results = app.database.batch(batch).await?.into_iter().map(|mut rows| rows.pop());
        let row = results.next().flatten().map(ShareRow::read).transpose()?;
        let file = results.next().flatten().map(FileRow::read).transpose()?;
        let row = row.ok_or_else(|| gone(ShareStatus::Revoked))?;
        let kinds: &[ShareKind] = match token.purpose {
            Purpose::Read | Purpose::Continue => &[ShareKind::Download, ShareKind::Cut],
            Purpose::Upload => &[ShareKind::Upload],
        };
        if !kinds.contains(&row.kind) || row.attempt != token.version {
            return Err(gone(ShareStatus::Revoked));
        }
        match (token.purpose, row.status(now)) {
            (_, ShareStatus::Active)
            | (Purpose::Continue, ShareStatus::Used | ShareStatus::Expired)
            | (Purpose::Upload, ShareStatus::Used) => {}
            (_, status) => return Err(gone(status)),
        }
        let is_readable = file.as_ref().is_some_and(|file| file.is_readable(now));
        if token.purpose != Purpose::Upload && !is_readable {
            return Err(gone(ShareStatus::Paused));
        }
        Ok(Self { row, file, token })
    }

    /// Finds a share for uploads again, to see whether it still takes files.
    ///
    /// # Errors
    /// `gone` if it takes no more files; `unavailable`.
    pub async fn find_again(app: &App, shared: &Self) -> Result<ShareRow> {
        let open = sql::shares::Open { share: shared.row.id };
        let row = app.database.query(open.statement()).await?.pop().map(ShareRow::read).transpose()?;
        let row = row.ok_or_else(|| gone(ShareStatus::Revoked))?;
        match row.status(app.now()) {
            ShareStatus::Active => Ok(row),
            status => Err(gone(status)),
        }
    }

    /// Whether the file may only be read after [`Self::begin`]: the share has a password, or its uses are limited.
    pub fn must_begin(&self) -> bool {
        let is_guarded = self.row.max_uses.is_some() || self.row.password_hash.is_some();
        self.token.purpose == Purpose::Read && is_guarded
    }

    /// Compares a password with the password of the share. If the share has no password, every request passes.
    ///
    /// # Errors
    /// `forbidden` if the password is missing or wrong; `rate_limited` after too many tries.
    pub async fn check_password(&self, app: &App, sent: Option<&str>, caller: &Caller) -> Result<()> {
        let Some(hash) =
            self.row.password_hash.as_deref().filter(|_| self.token.purpose != Purpose::Continue)
        else {
            return Ok(());
        };
        let Some(sent) = sent else {
            let detail = "This link has a password. Send it in the header X-Share-Password.";
            return Err(Problem::new(Code::Forbidden, detail).with("password", "required"));
        };
        app.admit_share_password(self.row.id, caller).await?;
        match password::verify(sent, Some(hash), 0)? {
            PasswordVerdict::Right | PasswordVerdict::RightButOutdated => Ok(()),
            PasswordVerdict::Wrong => {
                let detail = "The password of this link is wrong. Ask the person who sent you the link.";
                Err(Problem::new(Code::Forbidden, detail).with("password", "wrong"))
            }
        }
    }

    /// Counts a use of the share. The counter is exact: at most as many calls succeed as the share has uses. A use counts
    /// even if the client does not get the response. Costs 1 D1 call.
    ///
    /// # Errors
    /// `gone` if the share has no use left; `unavailable`.
    pub async fn count_use(&self, app: &App) -> Result<()> {
        let count = sql::shares::CountUse { share: self.row.id, now: app.now() }.statement();
        match app.database.query(count).await?.is_empty() {
            true => Err(gone(ShareStatus::Used)),
            false => Ok(()),
        }
    }

    /// Counts a use, and returns a link with which the download can be repeated and resumed for an hour.
    ///
    /// # Errors
    /// The errors of [`Self::count_use`].
    pub async fn begin(&self, app: &App) -> Result<Continuation> {
        self.count_use(app).await?;
        let expires_at = app.now().plus(TimeDelta::seconds(CONTINUE_WITHIN_S));
        let token = ShareToken {
            purpose: Purpose::Continue,
            expires_at_s: expires_at.instant().timestamp(),
            ..self.token.clone()
        };
        Ok(Continuation { token: token.sign(&Keyring::new(&app.config))?, expires_at })
    }

    /// Returns the storage service of this share. It reads the file of the share, or stores files for its owner.
    pub fn storage(&self, app: &SharedApp, caller: Caller) -> R2StorageService {
        R2StorageService::new(app.clone(), Actor { principal: self.principal(), caller, claim: None })
    }

    /// Returns the principal of the holder of the link.
    pub fn principal(&self) -> Principal {
        let scope = match self.token.purpose {
            Purpose::Read | Purpose::Continue => Scope::Read,
            Purpose::Upload => Scope::Write,
        };
        Principal::Share {
            id: self.row.id,
            owner: self.row.user_id.clone(),
            file: self.row.file_id,
            scopes: Scopes::of([scope]),
        }
    }
}

/// Returns the problem for a share that cannot be used.
pub fn gone(status: ShareStatus) -> Problem {
    let why = match status {
        ShareStatus::Expired => "This link has expired.",
        ShareStatus::Used => "This link was used as often as it may be used.",
        ShareStatus::Paused | ShareStatus::Active => "The file of this link was deleted or has expired.",
        ShareStatus::Revoked => "This link was revoked, or its file was deleted.",
    };
    Problem::new(Code::Gone, format!("{why} Ask the person who sent you the link for a new one."))
}
