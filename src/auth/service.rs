//! Accounts and sessions: register, sign in, refresh, sign out.
//!
//! A session is a *family* of refresh tokens: each token is the successor of the previous token. Access tokens are not
//! stored. Every change is one database batch, so a failure changes nothing. Two requests may exchange the same refresh
//! token at the same time. Then the batch that the database runs first spends the token and inserts its successor. The
//! second batch finds this successor, so both requests return the same new refresh token.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::security::SecurityEvent;
use crate::auth::link::{LinkKind, NewLink};
use crate::auth::names::{parse_email, parse_username};
use crate::auth::password::{self, HashingWork, PasswordVerdict};
use crate::auth::token::{Claims, Keyring, TokenError, TokenKind};
use crate::auth::usage::UsageView;
use crate::domain::caller::Caller;
use crate::domain::ids::{TokenId, UserId};
use crate::domain::principal::{Principal, Role};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::idempotency::{Claim, Effect};
use crate::ports::{Row, Statement, from_row};
use crate::sql::accounts as sql;
use crate::sql::quotas::Get as Quota;

/// Number of seconds after the first exchange of a refresh token during which the token can be exchanged again. Each of
/// these exchanges returns the same successor. So two tabs that refresh at the same time keep their session, and a
/// client that lost the response keeps its session too. If the token is exchanged later than this, somebody must have
/// copied the token.
const GRACE_S: i64 = 30;

/// Greatest number of expired tokens that one call of [`AuthService::forget_expired_tokens`] deletes.
const SWEEP_TOKENS: u64 = 500;

/// A user, as shown to that user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct User {
    /// Id of the user; it never changes.
    #[schema(value_type = String)]
    pub id: UserId,
    /// Username; unique without regard to case.
    pub username: String,
    /// Email address, if one was given; unique without regard to case.
    pub email: Option<String>,
    /// Whether the user has proved, with a link, that the email address is theirs.
    pub email_verified: bool,
    /// Role of the user.
    pub role: Role,
}

impl User {
    /// Returns the user as a principal.
    pub fn principal(&self) -> Principal {
        Principal::User { id: self.id.clone(), role: self.role }
    }
}

/// A pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Access token, for `Authorization: Bearer`.
    pub access_token: String,
    /// Refresh token, for one call of `POST /api/auth/refresh`.
    pub refresh_token: String,
    /// Seconds until the access token expires.
    pub expires_in: u32,
}

/// A new access token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token.
    pub text: String,
    /// Seconds until it expires.
    pub expires_in: u32,
}

/// A user and their new tokens.
#[derive(Debug, Clone)]
pub struct Session {
    /// The user.
    pub user: User,
    /// The tokens.
    pub tokens: Tokens,
}

/// The input of a registration.
pub struct Registration<'a> {
    /// The requested username.
    pub username: &'a str,
    /// The email address; empty if there is none.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// The claim on the request's idempotency key; `None` if the request has no idempotency key.
    pub claim: Option<&'a Claim>,
    /// The sender of the request.
    pub caller: &'a Caller,
}

/// The holder of a valid access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub principal: Principal,
    /// The session of the token; `None` if another issuer made the token.
    pub session: Option<String>,
}

/// Accounts and sessions.
pub struct AuthService<'a> {
    pub(super) app: &'a App,
}

impl App {
    /// Returns the service for accounts and sessions.
    pub fn accounts(&self) -> AuthService<'_> {
        AuthService { app: self }
    }
}

impl AuthService<'_> {
    /// Checks the name, the email and the password of a registration.
    ///
    /// # Errors
    /// `bad_request` for an invalid name or email; `weak_password`.
    pub fn check_registration(&self, wanted: &Registration<'_>) -> Result<()> {
        let username = parse_username(wanted.username)?;
        let email = parse_email(wanted.email)?;
        password::check_strength(wanted.password, username, email.as_deref())
    }

    /// Creates an account with the role `user`, and the first session of this account.
    ///
    /// # Errors
    /// `bad_request` for an invalid name or email; `weak_password`; `user_exists`; `quota_exceeded` if there are
    /// already `MAX_USERS` accounts; `unavailable` if the database failed.
    pub async fn register(&self, wanted: Registration<'_>) -> Result<Session> {
        let username = parse_username(wanted.username)?;
        let email = parse_email(wanted.email)?;
        password::check_strength(wanted.password, username, email.as_deref())?;
        let hash = password::hash(wanted.password, self.app.random.as_ref())?;
        let user = User {
            id: self.app.fresh_id::<UserId>(),
            username: username.to_owned(),
            email,
            email_verified: false,
            role: Role::User,
        };
        let refresh = self.new_refresh_token();
        let insert = sql::InsertUser {
            user: &user.id,
            username,
            email: user.email.as_deref(),
            password_hash: &hash,
            most_users: self.app.config.max_users,
            now: self.app.now(),
        };
        let record = wanted.claim.map(|claim| claim.record(&Effect::Registered));
        let link = user.email.as_ref().filter(|_| self.app.email.is_some());
        let link = link.map(|_| NewLink::of(self.app, LinkKind::Verification)).transpose()?;
        let first = refresh.insert_first(&user.id, wanted.caller);
        let insert_link = link.as_ref().map(|link| link.insert_for_user(&user.id));
        let entry = SecurityEvent::Register(Ok(user.id.clone())).entry(self.app, wanted.caller);
        let entry = entry.statement(self.app)?;
        let batch = [Some(insert.statement()), record, Some(first), insert_link, Some(entry)];
        let batch = batch.into_iter().flatten().collect();
        self.app.database.batch(batch).await?;
        if let Some(link) = link {
            self.announce_link(link.id).await;
        }
        self.session(user, &refresh)
    }

    /// Signs in the user whose name or email is `login`, and returns a new session. Also returns the account that `login`
    /// names, if there is one; the client must not learn it.
    ///
    /// # Errors
    /// `bad_credentials`. The response for an unknown user is the same as for a wrong password, and takes the same
    /// work.
    pub async fn login(
        &self,
        login: &str,
        password: &str,
        caller: &Caller,
    ) -> (Result<Session>, Option<UserId>) {
        let mut named = None;
        // Another sign-in may replace an outdated hash of the same password meanwhile. So there is a second try.
        for _ in 0..2 {
            match self.try_login(login, password, caller, &mut named).await {
                Ok(Some(session)) => return (Ok(session), named),
                Ok(None) => {}
                Err(problem) => return (Err(problem), named),
            }
        }
        (Err(bad_credentials()), named)
    }

    /// Does the same as [`Self::login`]. Returns `None`, and begins no session, if the password hash changed after the
    /// password was compared with it, or if the account was disabled.
    async fn try_login(
        &self,
        login: &str,
        password: &str,
        caller: &Caller,
        named: &mut Option<UserId>,
    ) -> Result<Option<Session>> {
        let ComparedPassword { account, verdict, .. } = self.compare_password(login, password).await?;
        *named = account.as_ref().map(|account| account.user.id.clone());
        let (Some(account), PasswordVerdict::Right | PasswordVerdict::RightButOutdated) = (account, verdict)
        else {
            return Err(bad_credentials());
        };
        let replaced = match verdict {
            PasswordVerdict::RightButOutdated => Some(self.replace_hash(&account, password)?),
            _ => None,
        };
        let (user, hash) = (User::from(account.user), account.password_hash);
        let refresh = self.new_refresh_token();
        let insert = refresh.insert_for_password(&user.id, hash.as_deref(), caller);
        let batch = std::iter::once(insert).chain(replaced).collect();
        let inserted = self.app.database.batch(batch).await?.into_iter().next().unwrap_or_default();
        if inserted.is_empty() { Ok(None) } else { self.session(user, &refresh).map(Some) }
    }

    /// Compares a password with the password of the account whose name or email is `login`.
    ///
    /// # Errors
    /// `unavailable` if the database failed, `internal` if there is not enough memory.
    pub async fn compare_password(&self, login: &str, password: &str) -> Result<ComparedPassword> {
        let batch = vec![
            sql::FindByLogin { login: login.trim() }.statement(),
            sql::MostDjangoIterations { most: password::MAX_ITERATIONS.into() }.statement(),
        ];
        self.compared(self.app.database.batch(batch).await?, password)
    }

    /// Compares a password with an account. `results` are the rows of the account and of
    /// [`sql::MostDjangoIterations`].
    pub(super) fn compared(&self, results: Vec<Vec<Row>>, password: &str) -> Result<ComparedPassword> {
        let mut results = results.into_iter().map(|mut rows| rows.pop());
        let account = results.next().flatten().map(from_row::<AccountRow>).transpose()?;
        let django = results.next().flatten().map(from_row::<DjangoRow>).transpose()?;
        let django_iterations = django.and_then(|row| row.iterations).unwrap_or_default();
        let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let mut work = HashingWork::default();
        let verdict = password::compare(password, stored, django_iterations, &mut work)?;
        Ok(ComparedPassword { account, verdict, work })
    }

    /// Exchanges a refresh token for a new pair of tokens.
    ///
    /// If the token was already exchanged within the last 30 s, the new pair has the same refresh token as the previous
    /// pair. If the token was exchanged more than 30 s ago, the token must have been copied. Then its whole family is
    /// revoked.
    ///
    /// # Errors
    /// `token_expired`; `unauthenticated` for any other token that cannot be exchanged.
    pub async fn refresh(&self, token: &str, caller: &Caller) -> Result<Session> {
        let now = self.app.now();
        let claims = self.keyring().verify(token, TokenKind::Refresh, now).map_err(token_problem)?;
        let next = self.new_refresh_token();
        let (token, user, successor) = (claims.id.as_str(), &claims.user, next.id);
        let spent_before = now.plus(TimeDelta::seconds(-GRACE_S));
        let (expires_at, longest_s) = (next.expires_at, self.app.config.session_max_age_s.into());
        let batch = vec![
            sql::SpendToken { token, user, successor, now }.statement(),
            sql::InsertSuccessor { token, user, successor, issued_at: now, expires_at, longest_s }
                .statement(),
            sql::RevokeIfReused { token, user, now, spent_before }.statement(),
            sql::FindSuccessor { token, user }.statement(),
        ];
        let mut results = self.app.database.batch(batch).await?;
        let successor = results.pop().and_then(|mut rows| rows.pop());
        let revoked = results.pop().is_some_and(|rows| !rows.is_empty());
        if revoked {
            self.app.audit().report(&SecurityEvent::TokenReuse { user: claims.user.clone() }, caller);
        }
        let Some(successor) = successor else { return Err(session_ended()) };
        let row: SuccessorRow = from_row(successor)?;
        let SuccessorRow { jti: id, family, issued_at, expires_at, .. } = row;
        let refresh = RefreshToken { id, family, issued_at, expires_at };
        self.session(row.user.into(), &refresh)
    }

    /// Returns the user of a refresh token and a new access token. The refresh token stays as it is. Returns `None` if the
    /// session is over. A token that was exchanged within the last 30 s still counts, because another tab may have
    /// exchanged it.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn session_of(&self, token: &str) -> Result<Option<(User, AccessToken)>> {
        let now = self.app.now();
        let Ok(claims) = self.keyring().verify(token, TokenKind::Refresh, now) else { return Ok(None) };
        let spent_before = now.plus(TimeDelta::seconds(-GRACE_S));
        let find = sql::FindSession { token: &claims.id, user: &claims.user, spent_before };
        let Some(row) = self.app.database.query(find.statement()).await?.pop() else { return Ok(None) };
        let SessionRow { family, expires_at, user } = from_row(row)?;
        let user = User::from(user);
        let access = self.access_token(&user, &family, expires_at)?;
        Ok(Some((user, access)))
    }

    /// Ends the session of a refresh token and returns the session's user. It is not an error if the session has
    /// already ended or the token has expired. The access tokens of the session are refused from now on.
    ///
    /// # Errors
    /// `unauthenticated` if the token is not a valid refresh token.
    pub async fn logout(&self, token: &str, caller: &Caller) -> Result<UserId> {
        let now = self.app.now();
        let claims = match self.keyring().verify(token, TokenKind::Refresh, now) {
            Ok(claims) => claims,
            Err(TokenError::Expired(claims)) => *claims,
            Err(error @ TokenError::Invalid(_)) => return Err(token_problem(error)),
        };
        let revoke = sql::RevokeFamily { token: &claims.id, user: &claims.user, now };
        let event = SecurityEvent::SignOut { user: claims.user.clone() };
        let entry = event.entry(self.app, caller).statement_if_changed(self.app)?;
        self.app.database.batch(vec![revoke.statement(), entry]).await?;
        Ok(claims.user)
    }

    /// Returns the account of a signed-in user, and the user's limits and usage.
    ///
    /// # Errors
    /// `unauthenticated` if the account no longer exists.
    pub async fn user_and_usage(&self, principal: &Principal) -> Result<(User, UsageView)> {
        let user = principal.owner().ok_or_else(no_such_account)?;
        let config = &self.app.config;
        let batch = vec![sql::FindUser { user }.statement(), Quota { user }.statement()];
        let mut results = self.app.database.batch(batch).await?.into_iter().map(|mut rows| rows.pop());
        let user = results.next().flatten().ok_or_else(no_such_account).and_then(parse_user)?;
        let usage =
            results.next().flatten().ok_or_else(|| Problem::internal("the query returned no usage"))?;
        Ok((user, UsageView::new(from_row(usage)?, config, self.app.now())))
    }

    /// Returns the holder of an access token. Reads the account and the session from the database.
    ///
    /// # Errors
    /// `token_expired`; `unauthenticated` for any other invalid token, if the user has no account, or if the session is
    /// over.
    pub async fn identify(&self, access_token: &str) -> Result<Holder> {
        let claims = self.verify(access_token)?;
        let find = || {
            let (user, session) = (&claims.user, claims.session.as_deref());
            let issued_at_s = claims.issued_at_s.unwrap_or_default();
            sql::FindHolder { user, session, issued_at: Timestamp::from_unix_s(issued_at_s) }.statement()
        };
        let row = match self.app.database.query(find()).await?.pop() {
            None if self.app.config.provision_users && claims.session.is_none() => {
                self.provision(&claims.user).await?;
                self.app.database.query(find()).await?.pop()
            }
            found => found,
        };
        let user = row.map(parse_user).transpose()?.ok_or_else(no_such_account)?;
        Ok(Holder { principal: user.principal(), session: claims.session })
    }

    fn verify(&self, access_token: &str) -> Result<Claims> {
        self.keyring().verify(access_token, TokenKind::Access, self.app.now()).map_err(token_problem)
    }

    /// Returns the user that an access token was issued to. Does not check that the account still exists.
    ///
    /// # Errors
    /// `token_expired`; `unauthenticated` for any other invalid token.
    pub fn holder(&self, access_token: &str) -> Result<UserId> {
        Ok(self.verify(access_token)?.user)
    }

    /// Returns the account of the user that a token names. If the user has no account and `PROVISION_USERS` is on,
    /// creates the account.
    ///
    /// # Errors
    /// `unauthenticated` if the user has no account and no account can be created.
    pub async fn account_of(&self, user: &UserId) -> Result<User> {
        match self.find(user).await? {
            Some(user) => Ok(user),
            None if self.app.config.provision_users => self.provision(user).await,
            None => Err(no_such_account()),
        }
    }

    /// Whether a user has an account. Creates no account.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn has_account(&self, user: &UserId) -> Result<bool> {
        Ok(self.find(user).await?.is_some())
    }

    /// Deletes at most 500 expired tokens and returns the number of deleted tokens. If this number is 500, more expired
    /// tokens may be left, and the caller should call this method again.
    ///
    /// # Errors
    /// `unavailable` if the database failed.
    pub async fn forget_expired_tokens(&self) -> Result<usize> {
        let delete = sql::DeleteExpiredTokens { now: self.app.now(), limit: SWEEP_TOKENS };
        Ok(self.app.database.query(delete.statement()).await?.len())
    }

    async fn find(&self, user: &UserId) -> Result<Option<User>> {
        let find = sql::FindUser { user }.statement();
        self.app.database.query(find).await?.pop().map(parse_user).transpose()
    }

    /// Creates an account for the user that a token names. The username of this account contains a colon. No registered
    /// username can contain a colon, so the two kinds of usernames are never equal.
    async fn provision(&self, user: &UserId) -> Result<User> {
        let username = format!("user:{user}");
        let most_users = self.app.config.max_users;
        let insert = sql::ProvisionUser { user, username: &username, most_users, now: self.app.now() };
        let find = sql::FindUser { user };
        let rows = self.app.database.batch(vec![insert.statement(), find.statement()]).await?.pop();
        rows.and_then(|mut rows| rows.pop()).map(parse_user).transpose()?.ok_or_else(no_such_account)
    }

    fn keyring(&self) -> Keyring<'_> {
        Keyring::new(&self.app.config)
    }

    pub(super) fn new_refresh_token(&self) -> RefreshToken {
        let (now, id) = (self.app.now(), self.app.fresh_id::<TokenId>());
        RefreshToken {
            id,
            family: id.to_string(),
            issued_at: now,
            expires_at: now.plus(TimeDelta::seconds(self.app.config.refresh_token_ttl_s.into())),
        }
    }

    /// Signs the pair of tokens. The text of the refresh token depends only on the token's row, so a repeated refresh
    /// returns the same text.
    pub(super) fn session(&self, user: User, refresh: &RefreshToken) -> Result<Session> {
        let claims = Claims {
            kind: TokenKind::Refresh,
            id: refresh.id.to_string(),
            issued_at_s: Some(refresh.issued_at.instant().timestamp()),
            expires_at_s: refresh.expires_at.instant().timestamp(),
            user: user.id.clone(),
            session: None,
            not_before_s: None,
            audience: None,
        };
        let access = self.access_token(&user, &refresh.family, refresh.expires_at)?;
        let tokens = Tokens {
            access_token: access.text,
            refresh_token: self.keyring().sign(&claims)?,
            expires_in: access.expires_in,
        };
        Ok(Session { user, tokens })
    }

    /// Signs a new access token of a session that ends at `session_end`. The token does not outlive the session.
    fn access_token(&self, user: &User, session: &str, session_end: Timestamp) -> Result<AccessToken> {
        let now_s = self.app.now().instant().timestamp();
        let left_s = u32::try_from(session_end.instant().timestamp() - now_s).unwrap_or(0);
        let expires_in = self.app.config.access_token_ttl_s.min(left_s);
        let text = self.keyring().sign(&Claims {
            kind: TokenKind::Access,
            id: self.app.fresh_id::<TokenId>().to_string(),
            issued_at_s: Some(now_s),
            expires_at_s: now_s + i64::from(expires_in),
            user: user.id.clone(),
            session: Some(session.to_owned()),
            not_before_s: None,
            audience: None,
        })?;
        Ok(AccessToken { text, expires_in })
    }

    fn replace_hash(&self, account: &AccountRow, password: &str) -> Result<Statement> {
        let replace = sql::ReplacePasswordHash {
            user: &account.user.id,
            old_hash: account.password_hash.as_deref(),
            new_hash: &password::hash(password, self.app.random.as_ref())?,
            now: self.app.now(),
        };
        Ok(replace.statement())
    }
}

/// Columns of a refresh token's row. The text of the token is made from these columns.
pub(super) struct RefreshToken {
    id: TokenId,
    /// Id of the session.
    family: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl RefreshToken {
    fn insert_first(&self, user: &UserId, caller: &Caller) -> Statement {
        let (issued_at, expires_at, user_agent) =
            (self.issued_at, self.expires_at, caller.user_agent.as_deref());
        sql::InsertFirstToken { token: self.id, user, issued_at, expires_at, user_agent }.statement()
    }

    /// Returns the statement that inserts the token if the password hash of the user is still `hash`.
    pub(super) fn insert_for_password(
        &self,
        user: &UserId,
        hash: Option<&str>,
        caller: &Caller,
    ) -> Statement {
        let (token, issued_at, expires_at) = (self.id, self.issued_at, self.expires_at);
        let user_agent = caller.user_agent.as_deref();
        sql::InsertForPassword { token, user, hash, issued_at, expires_at, user_agent }.statement()
    }
}

#[derive(Deserialize)]
pub(super) struct UserRow {
    id: UserId,
    pub(super) username: String,
    pub(super) email: Option<String>,
    email_verified_at: Option<Timestamp>,
    role: Role,
}

/// Result of comparing a password with the password of an account.
pub struct ComparedPassword {
    /// The account; `None` if there is none.
    pub(super) account: Option<AccountRow>,
    /// The verdict; [`PasswordVerdict::Wrong`] if there is no account.
    pub verdict: PasswordVerdict,
    /// Work that the comparison did.
    pub work: HashingWork,
}

#[derive(Deserialize)]
pub(super) struct AccountRow {
    #[serde(flatten)]
    pub(super) user: UserRow,
    pub(super) password_hash: Option<String>,
}

#[derive(Deserialize)]
struct DjangoRow {
    iterations: Option<u32>,
}

#[derive(Deserialize)]
struct SuccessorRow {
    jti: TokenId,
    family: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    #[serde(flatten)]
    user: UserRow,
}

#[derive(Deserialize)]
struct SessionRow {
    family: String,
    expires_at: Timestamp,
    #[serde(flatten)]
    user: UserRow,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let email_verified = row.email_verified_at.is_some();
        Self { id: row.id, username: row.username, email: row.email, email_verified, role: row.role }
    }
}

pub(super) fn parse_user(row: Row) -> Result<User> {
    from_row::<UserRow>(row).map(User::from)
}

fn bad_credentials() -> Problem {
    Problem::new(Code::BadCredentials, "Check the username or email, and the password.")
}

fn no_such_account() -> Problem {
    Problem::new(
        Code::Unauthenticated,
        "The session of this token is over, or its account does not exist. Sign in again, or register.",
    )
}

fn session_ended() -> Problem {
    Problem::new(Code::Unauthenticated, "This session is over. Sign in again with POST /api/auth/login.")
}

fn token_problem(error: TokenError) -> Problem {
    match error {
        TokenError::Expired(claims) if claims.kind == TokenKind::Access => Problem::new(
            Code::TokenExpired,
            "Get a new access token with POST /api/auth/refresh, or sign in again.",
        ),
        TokenError::Expired(_) => {
            Problem::new(Code::TokenExpired, "Sign in again with POST /api/auth/login.")
        }
        TokenError::Invalid(reason) => {
            let detail = "The token is not valid for this request. Sign in with POST /api/auth/login to get a new one.";
            Problem::new(Code::Unauthenticated, detail).caused_by(reason)
        }
    }
}
