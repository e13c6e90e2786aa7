//! API keys: how a user makes, changes, rotates and revokes them, and how the service identifies the sender of one.
//!
//! A key has one newest secret, and older secrets whose overlap after a rotation has not ended. The database has only
//! hashes of secrets. The hash is an HMAC with the key that signs tokens, so a copy of the database is not enough to
//! test secrets. If this key is replaced, a secret that is used while `JWT_PREVIOUS_SECRET` has the old key is stored
//! again with the new key.

use chrono::{DurationRound, TimeDelta};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::key_secret::KeySecret;
use super::token::Keyring;
use crate::app::App;
use crate::audit::security::{KeyAct, SecurityEvent};
use crate::domain::caller::Caller;
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::log::LogLine;
use crate::domain::principal::{Principal, Role, Scope, Scopes};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, Statement, from_row};
use crate::sql::api_keys as sql;

/// Maximum number of keys of one user.
pub const MAX_KEYS: u64 = 100;

/// Maximum number of secrets of one key. If a key is rotated more often within an overlap, its oldest secrets end.
const MAX_SECRETS: u64 = 5;

/// Time for which an older secret works after a rotation, if the user says nothing else.
pub const DEFAULT_OVERLAP_S: u32 = 86_400;
/// Maximum time for which an older secret works after a rotation.
pub const MAX_OVERLAP_S: u32 = 7 * 86_400;

/// An API key, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
#[schema(as = ApiKey, rename_all = "camelCase")]
pub struct KeyFacts {
    /// Id of the key, a UUID.
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// The name, unique among your keys.
    pub name: String,
    /// The operations that the key allows: `read`, `write`, `cut`, `share`, `admin`.
    #[serde(deserialize_with = "scopes_of_json")]
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// The key sees only files that have this tag; null if it sees all files.
    pub tag: Option<String>,
    /// When the key was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the key expires; null if it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The minute in which the key was used last; null if it was never used.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The last four characters of the newest secret.
    pub hint: String,
    /// Until when an older secret works after a rotation; null if only the newest secret works.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub overlap_ends_at: Option<Timestamp>,
}

fn scopes_of_json<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Scopes, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

/// A key to make. All values are checked.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// The name.
    pub name: &'a str,
    /// The scopes; not empty.
    pub scopes: &'a Scopes,
    /// The tag to which the key is restricted.
    pub tag: Option<&'a str>,
    /// When the key expires.
    pub expires_at: Option<Timestamp>,
}

/// The new values of a key; `None` changes nothing.
#[derive(Debug, Default)]
pub struct KeyChange<'a> {
    /// The name.
    pub name: Option<&'a str>,
    /// The expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
}

/// The sender of a valid secret.
#[derive(Debug)]
pub struct KeyHolder {
    /// The key as a principal.
    pub principal: Principal,
    /// The use to record; `None` if it is recorded already.
    pub to_record: Option<KeyUse>,
}

/// A use of a key that is not recorded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    key: ApiKeyId,
    minute: Timestamp,
    /// The hash with which the secret is stored, and the hash with which it should be stored.
    rehash: Option<(String, String)>,
}

/// API keys.
pub struct KeyService<'a> {
    app: &'a App,
}

impl App {
    /// Returns the service for API keys.
    pub fn keys(&self) -> KeyService<'_> {
        KeyService { app: self }
    }
}

#[derive(Deserialize)]
struct HolderRow {
    id: ApiKeyId,
    user_id: UserId,
    #[serde(deserialize_with = "scopes_of_json")]
    scopes: Scopes,
    tag: Option<String>,
    last_used_at: Option<Timestamp>,
    role: Role,
    hash: String,
}

impl KeyService<'_> {
    /// Returns the sender of a secret. Reads the key and the account of its owner from the database. Costs one D1 call,
    /// and none if `text` cannot be a secret.
    ///
    /// # Errors
    /// `unauthenticated` if the secret is unknown, has ended or was revoked, if the key has expired, or if the account of
    /// the owner is disabled or does not exist.
    pub async fn identify(&self, text: &str) -> Result<KeyHolder> {
        let secret = KeySecret::parse(text).ok_or_else(|| {
            let detail = "The API key is not complete, or has a wrong character. Copy it again; it begins with cutty_.";
            Problem::new(Code::Unauthenticated, detail)
        })?;
        let hashes = secret.hashes(&Keyring::new(&self.app.config))?;
        let now = self.app.now();
        let find = sql::Identify { hash: &hashes.current, older_hash: hashes.older.as_deref(), now };
        let row = self.app.database.query(find.statement()).await?.pop().ok_or_else(not_valid)?;
        let row: HolderRow = from_row(row)?;
        let minute = minute_of(now);
        let rehash = (row.hash != hashes.current).then_some((row.hash, hashes.current));
        let is_recorded = row.last_used_at.is_some_and(|last| last >= minute) && rehash.is_none();
        let scopes = match row.role {
            Role::Admin => row.scopes,
            Role::User => row.scopes.without(Scope::Admin),
        };
        Ok(KeyHolder {
            principal: Principal::ApiKey { id: row.id, owner: row.user_id, scopes, tag: row.tag },
            to_record: (!is_recorded).then_some(KeyUse { key: row.id, minute, rehash }),
        })
    }

    /// Whether a principal may still act: its account exists and is not disabled, and its key is valid. Some requests name
    /// a principal that was identified earlier, such as the principal of a ticket.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn may_still_act(&self, principal: &Principal) -> Result<bool> {
        match principal {
            Principal::ApiKey { id, owner, .. } => {
                let alive = sql::Alive { key: *id, user: owner, now: self.app.now() };
                Ok(!self.app.database.query(alive.statement()).await?.is_empty())
            }
            other => match other.owner() {
                Some(owner) => self.app.accounts().has_account(owner).await,
                None => Ok(false),
            },
        }
    }

    /// Records the use of a key. Writes a log line if the database failed; the next use is then recorded.
    pub async fn record_use(&self, used: &KeyUse) {
        let mut batch = vec![sql::RecordUse { key: used.key, minute: used.minute }.statement()];
        if let Some((older_hash, hash)) = &used.rehash {
            batch.push(sql::Rehash { older_hash, hash }.statement());
        }
        if let Err(error) = self.app.database.batch(batch).await {
            let line = LogLine::warn("the use of an API key was not recorded");
            self.app.write_log(line.with_text("key", used.key).caused_by(error));
        }
    }

    /// Makes a key. Returns the key and its secret.
    ///
    /// # Errors
    /// `conflict` if a key of the user has this name, or if the user has [`MAX_KEYS`] keys.
    pub async fn make(
        &self,
        user: &UserId,
        new: &NewKey<'_>,
        caller: &Caller,
    ) -> Result<(KeyFacts, KeySecret)> {
        let (now, key) = (self.app.now(), self.app.fresh_id::<ApiKeyId>());
        let (secret, hash) = self.new_secret()?;
        let scopes = serde_json::to_string(new.scopes).map_err(Problem::internal)?;
        let (name, tag, expires_at) = (new.name, new.tag, new.expires_at);
        let insert = sql::Insert { key, user, name, scopes: &scopes, tag, expires_at, most: MAX_KEYS, now };
        let batch = vec![
            insert.statement(),
            self.entry(user, key, KeyAct::Make, caller)?,
            sql::InsertSecret { key, user, hash: &hash, hint: secret.hint(), now }.statement(),
            sql::Named { user, name }.statement(),
            sql::Get { key, user, now }.statement(),
        ];
        let mut results =
            self.app.database.batch(batch).await?.into_iter().map(|mut rows| rows.pop()).skip(3);
        let (named, made) = (results.next().flatten(), results.next().flatten());
        match (made, named) {
            (Some(row), _) => Ok((from_row(row)?, secret)),
            (None, Some(named)) => Err(name_is_taken(&named)),
            (None, None) => {
                let detail =
                    format!("You have {MAX_KEYS} API keys. Revoke one with DELETE /api/keys/{{id}}.");
                Err(Problem::new(Code::Conflict, detail).with("limit", MAX_KEYS))
            }
        }
    }

    /// Returns one page of a user's keys, ordered by name. The page begins after the name `after_name`.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn list(&self, user: &UserId, after_name: &str, limit: u64) -> Result<Vec<KeyFacts>> {
        let list = sql::List { user, after_name, limit, now: self.app.now() };
        self.app.database.query(list.statement()).await?.into_iter().map(from_row).collect()
    }

    /// Changes the name or the expiry of a key.
    ///
    /// # Errors
    /// `not_found`; `conflict` if another key of the user has the new name.
    pub async fn change(
        &self,
        user: &UserId,
        key: ApiKeyId,
        change: &KeyChange<'_>,
        caller: &Caller,
    ) -> Result<KeyFacts> {
        let update = sql::Change {
            key,
            user,
            name: change.name,
            sets_expiry: change.expires_at.is_some(),
            expires_at: change.expires_at.flatten(),
        };
        let named = sql::Named { user, name: change.name.unwrap_or_default() };
        let get = sql::Get { key, user, now: self.app.now() };
        let entry = self.entry(user, key, KeyAct::Change, caller)?;
        let batch = vec![update.statement(), entry, named.statement(), get.statement()];
        let mut results = self.app.database.batch(batch).await?.into_iter().map(|mut rows| rows.pop());
        let changed = results.next().flatten();
        let named = results.nth(1).flatten();
        let found = results.next().flatten().ok_or_else(no_such_key)?;
        match (changed, named) {
            (Some(_), _) => from_row(found),
            (None, Some(named)) => Err(name_is_taken(&named)),
            (None, None) => Err(Problem::unavailable("the key was not changed, and nothing prevented it")),
        }
    }

    /// Gives a key a new secret. The older secrets work until the overlap has ended. Returns the key and the new secret.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn rotate(
        &self,
        user: &UserId,
        key: ApiKeyId,
        overlap_s: u32,
        caller: &Caller,
    ) -> Result<(KeyFacts, KeySecret)> {
        let now = self.app.now();
        let (secret, hash) = self.new_secret()?;
        let ends_at = now.plus(TimeDelta::seconds(overlap_s.into()));
        let batch = vec![
            sql::EndSecrets { key, user, ends_at }.statement(),
            sql::InsertSecret { key, user, hash: &hash, hint: secret.hint(), now }.statement(),
            self.entry(user, key, KeyAct::Rotate, caller)?,
            sql::DropSecrets { key, user, most: MAX_SECRETS, now }.statement(),
            sql::Get { key, user, now }.statement(),
        ];
        let row = self.app.database.batch(batch).await?.pop().and_then(|mut rows| rows.pop());
        Ok((from_row(row.ok_or_else(no_such_key)?)?, secret))
    }

    /// Revokes a key: deletes it with its secrets. From now on, no request is accepted with it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn revoke(&self, user: &UserId, key: ApiKeyId, caller: &Caller) -> Result<()> {
        let entry = self.entry(user, key, KeyAct::Revoke, caller)?;
        let batch = vec![sql::Delete { key, user }.statement(), entry];
        let deleted = self.app.database.batch(batch).await?.into_iter().next().unwrap_or_default();
        if deleted.is_empty() { Err(no_such_key()) } else { Ok(()) }
    }

    /// Returns the statement that writes the audit entry if the statement before it changed the key.
    fn entry(&self, user: &UserId, key: ApiKeyId, act: KeyAct, caller: &Caller) -> Result<Statement> {
        let event = SecurityEvent::ApiKey { user: user.clone(), key, act };
        event.entry(self.app, caller).statement_if_changed(self.app)
    }

    /// Returns a new secret and the hash with which it is stored.
    fn new_secret(&self) -> Result<(KeySecret, String)> {
        let secret = KeySecret::fresh(self.app.random.as_ref());
        let hashes = secret.hashes(&Keyring::new(&self.app.config))?;
        Ok((secret, hashes.current))
    }
}

/// Returns the beginning of the minute of a time.
fn minute_of(time: Timestamp) -> Timestamp {
    time.instant().duration_trunc(TimeDelta::minutes(1)).map_or(time, Timestamp::new)
}

/// Returns the problem for the id of a key that does not exist, or that belongs to another user.
pub fn no_such_key() -> Problem {
    Problem::new(Code::NotFound, "You have no such API key. GET /api/keys lists your keys.")
}

fn not_valid() -> Problem {
    let detail = "This API key is not valid: it was revoked or replaced, it has expired, or its account is disabled. Its \
                  owner can make another one with POST /api/keys.";
    Problem::new(Code::Unauthenticated, detail)
}

fn name_is_taken(named: &Row) -> Problem {
    let detail = "You have an API key with this name. Choose another name. If the response with the secret was lost, \
                  revoke that key, or get a new secret with POST /api/keys/{id}/rotate.";
    let problem = Problem::new(Code::Conflict, detail).with("field", "name");
    match named.get("id").and_then(serde_json::Value::as_str) {
        Some(id) => problem.with("id", id),
        None => problem,
    }
}
