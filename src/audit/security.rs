//! Security events: sign-ins, refusals, and reads of the administration. Each event is a log line, and an entry of the
//! audit log. Refusals of unknown senders have no entries of their own: they are counted ([`super::refusals`]).
//!
//! The fields of an event are ids, error codes, and names from closed lists. So the code that reports an event cannot
//! put a password, a token or another text of a client into the event. The log line also has the user agent, the IP
//! address and the id of the request.

use super::action::Action;
use super::entry::Entry;
use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::ids::{ApiKeyId, EventId, UserId};
use crate::domain::principal::Principal;
use crate::error::Code;

/// An event that matters for security.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityEvent {
    /// Somebody created an account, or tried to.
    Register(SignInOutcome),
    /// Somebody signed in, or tried to.
    SignIn {
        /// The user, or the code of the problem.
        outcome: SignInOutcome,
        /// The account that the attempt named, if there is such an account.
        account: Option<UserId>,
    },
    /// A session got new tokens.
    Refresh {
        /// The user.
        user: UserId,
    },
    /// A user signed out.
    SignOut {
        /// The user.
        user: UserId,
    },
    /// A user changed their password, or tried to.
    ChangePassword {
        /// The user.
        user: UserId,
        /// The code of the problem if the change failed.
        failure: Option<Code>,
    },
    /// A user changed the username or the email, or tried to.
    ChangeProfile {
        /// The user.
        user: UserId,
        /// The code of the problem if the change failed.
        failure: Option<Code>,
    },
    /// A user deleted the account, or tried to.
    DeleteAccount {
        /// The user.
        user: UserId,
        /// The code of the problem if the deletion failed.
        failure: Option<Code>,
    },
    /// Somebody asked for a link to set a new password, or tried to. The event names no user, because the service does
    /// not look for an account before it responds.
    RequestReset {
        /// The code of the problem if the request failed.
        failure: Option<Code>,
    },
    /// Somebody set a new password with a link, or tried to.
    ResetPassword(SignInOutcome),
    /// Somebody verified an email with a link, or tried to.
    VerifyEmail(SignInOutcome),
    /// A user ended one of their sessions, or all.
    EndSessions {
        /// The user.
        user: UserId,
    },
    /// A user made, changed, rotated or revoked an API key.
    ApiKey {
        /// The user.
        user: UserId,
        /// The key.
        key: ApiKeyId,
        /// The act.
        act: KeyAct,
    },
    /// A spent refresh token was used again, so somebody must have copied it. The service ended the session of the
    /// token.
    TokenReuse {
        /// The user of the session.
        user: UserId,
    },
    /// The service refused a request: 401, 403 or 429.
    Refusal(RefusedRequest),
    /// A request to a route for operators had a token that is neither the operator token nor an access token.
    WrongOperatorToken(RefusedRequest),
    /// An operator read a part of the administration, or tried to.
    AdminRead {
        /// The operator.
        operator: Principal,
        /// The part.
        view: AdminView,
        /// The code of the problem if the read failed.
        failure: Option<Code>,
    },
}

/// The user that signed in, or the code of the problem. A failed attempt names no user, because the service does not
/// know who made it.
pub type SignInOutcome = Result<UserId, Code>;

/// Facts about a refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The code of the problem.
    pub code: Code,
    /// The principal; `None` if the service could not identify one.
    pub principal: Option<Principal>,
    /// Method and path of the route, with placeholders for ids; `None` if the router did not reach a route.
    pub route: Option<String>,
    /// The id in the path; `None` if the path has no id.
    pub subject: Option<EventId>,
}

/// An act of a user on an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAct {
    /// The user made the key.
    Make,
    /// The user changed its name or expiry.
    Change,
    /// The user gave it a new secret.
    Rotate,
    /// The user revoked it.
    Revoke,
}

/// A part of the administration that operators can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminView {
    /// The reports of the sweeps.
    Sweeps,
    /// The findings.
    Findings,
    /// The memory statistics of the isolate.
    Isolate,
    /// The accounts.
    Users,
    /// The audit log.
    Audit,
    /// The usage of the accounts.
    Usage,
    /// The mailbox of a development server.
    Mailbox,
    /// The health of the services.
    Health,
    /// The switches.
    Switches,
    /// The metrics.
    Metrics,
}

impl SecurityEvent {
    /// Returns the action of the event.
    pub fn action(&self) -> Action {
        match self {
            Self::Register(_) => Action::Register,
            Self::SignIn { .. } => Action::Login,
            Self::SignOut { .. } => Action::Logout,
            Self::Refresh { .. } => Action::Refresh,
            Self::ChangePassword { .. } => Action::ChangePassword,
            Self::ChangeProfile { .. } => Action::ChangeProfile,
            Self::DeleteAccount { .. } => Action::DeleteAccount,
            Self::RequestReset { .. } => Action::RequestReset,
            Self::ResetPassword(_) => Action::ResetPassword,
            Self::VerifyEmail(_) => Action::VerifyEmail,
            Self::EndSessions { .. } => Action::EndSessions,
            Self::ApiKey { act: KeyAct::Make, .. } => Action::Key,
            Self::ApiKey { act: KeyAct::Change, .. } => Action::ChangeKey,
            Self::ApiKey { act: KeyAct::Rotate, .. } => Action::RotateKey,
            Self::ApiKey { act: KeyAct::Revoke, .. } => Action::RevokeKey,
            Self::TokenReuse { .. } => Action::ReuseToken,
            Self::Refusal(_) => Action::Refuse,
            Self::WrongOperatorToken(_) => Action::RefuseOperatorToken,
            Self::AdminRead { view, .. } => match view {
                AdminView::Sweeps => Action::ReadSweeps,
                AdminView::Findings => Action::ReadFindings,
                AdminView::Isolate => Action::ReadIsolate,
                AdminView::Users => Action::ReadUsers,
                AdminView::Mailbox => Action::ReadMailbox,
                AdminView::Audit => Action::ReadAudit,
                AdminView::Usage => Action::ReadUsage,
                AdminView::Health => Action::ReadHealth,
                AdminView::Switches => Action::ReadSwitches,
                AdminView::Metrics => Action::ReadMetrics,
            },
        }
    }

    /// Whether the batch that made the change has written the entry of the event. The entries of other events go through
    /// the queue.
    pub fn is_in_batch(&self) -> bool {
        match self {
            Self::Register(outcome) | Self::ResetPassword(outcome) => outcome.is_ok(),
            Self::ChangePassword { failure, .. }
            | Self::ChangeProfile { failure, .. }
            | Self::DeleteAccount { failure, .. } => failure.is_none(),
            Self::SignOut { .. } | Self::EndSessions { .. } | Self::ApiKey { .. } => true,
            Self::SignIn { .. }
            | Self::Refresh { .. }
            | Self::RequestReset { .. }
            | Self::VerifyEmail(_)
            | Self::TokenReuse { .. }
            | Self::Refusal(_)
            | Self::WrongOperatorToken(_)
            | Self::AdminRead { .. } => false,
        }
    }

    /// Returns the code of the problem; `None` if the event is a success.
    pub(super) fn failure(&self) -> Option<Code> {
        match self {
            Self::Register(outcome)
            | Self::SignIn { outcome, .. }
            | Self::ResetPassword(outcome)
            | Self::VerifyEmail(outcome) => outcome.as_ref().err().copied(),
            Self::ChangePassword { failure, .. }
            | Self::ChangeProfile { failure, .. }
            | Self::DeleteAccount { failure, .. }
            | Self::RequestReset { failure } => *failure,
            Self::SignOut { .. } | Self::Refresh { .. } | Self::EndSessions { .. } | Self::ApiKey { .. } => {
                None
            }
            Self::TokenReuse { .. } => Some(Code::Unauthenticated),
            Self::Refusal(refusal) | Self::WrongOperatorToken(refusal) => Some(refusal.code),
            Self::AdminRead { failure, .. } => *failure,
        }
    }

    fn principal(&self) -> Option<Principal> {
        match self {
            Self::Register(outcome)
            | Self::SignIn { outcome, .. }
            | Self::ResetPassword(outcome)
            | Self::VerifyEmail(outcome) => outcome.as_ref().ok().cloned().map(Principal::user),
            Self::RequestReset { .. } => None,
            Self::SignOut { user }
            | Self::Refresh { user }
            | Self::EndSessions { user }
            | Self::TokenReuse { user }
            | Self::ApiKey { user, .. }
            | Self::ChangeProfile { user, .. }
            | Self::DeleteAccount { user, .. }
            | Self::ChangePassword { user, .. } => Some(Principal::user(user.clone())),
            Self::Refusal(refusal) | Self::WrongOperatorToken(refusal) => refusal.principal.clone(),
            Self::AdminRead { operator, .. } => Some(operator.clone()),
        }
    }

    fn refusal(&self) -> Option<&RefusedRequest> {
        match self {
            Self::Refusal(refusal) | Self::WrongOperatorToken(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns the id that the event is about, if this is not the id of the principal.
    fn subject(&self) -> Option<String> {
        match self {
            Self::ApiKey { key, .. } => Some(key.to_string()),
            _ => self.refusal().and_then(|refusal| refusal.subject).map(|subject| subject.to_string()),
        }
    }

    /// Returns the entry of the event. The entry of a failed sign-in belongs to the account that was named, and has no
    /// principal.
    pub fn entry(&self, app: &App, caller: &Caller) -> Entry {
        let mut entry = Entry::new(app, self.principal().as_ref(), self.action(), caller);
        if let Self::SignIn { account, .. } = self {
            entry.user_id = account.clone();
        }
        let failure = self.failure();
        entry.success = failure.is_none();
        entry.error_code = failure.map(|code| code.name().to_owned());
        entry.route = self.refusal().and_then(|refusal| refusal.route.clone());
        entry.subject = self.subject();
        entry
    }
}
