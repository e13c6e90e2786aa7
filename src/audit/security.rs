//! Security events: sign-ins, refusals, and reads of the administration. Each event is a log line. The database has no
//! rows of security events.
//!
//! The fields of an event are ids, error codes, and names from closed lists. So the code that reports an event cannot
//! put a password, a token or another text of a client into the event. The log line also has the user agent, the IP
//! address and the id of the request.

use crate::domain::caller::Caller;
use crate::domain::ids::{EventId, UserId};
use crate::domain::log::{Level, LogLine};
use crate::domain::principal::Principal;
use crate::error::Code;

/// An event that matters for security.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityEvent {
    /// Somebody created an account, or tried to.
    Register(SignInOutcome),
    /// Somebody signed in, or tried to.
    SignIn(SignInOutcome),
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
    /// A user ended one of their sessions, or all.
    EndSessions {
        /// The user.
        user: UserId,
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
}

impl SecurityEvent {
    /// Returns the name of the event in logs. A name must never change, because alerts depend on it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::SignIn(_) => "login",
            Self::SignOut { .. } => "logout",
            Self::ChangePassword { .. } => "change_password",
            Self::EndSessions { .. } => "end_sessions",
            Self::TokenReuse { .. } => "reuse_token",
            Self::Refusal(_) => "refuse",
            Self::WrongOperatorToken(_) => "refuse_operator_token",
            Self::AdminRead { view: AdminView::Sweeps, .. } => "read_sweeps",
            Self::AdminRead { view: AdminView::Findings, .. } => "read_findings",
            Self::AdminRead { view: AdminView::Isolate, .. } => "read_isolate",
            Self::AdminRead { view: AdminView::Users, .. } => "read_users",
        }
    }

    fn failure(&self) -> Option<Code> {
        match self {
            Self::Register(outcome) | Self::SignIn(outcome) => outcome.as_ref().err().copied(),
            Self::ChangePassword { failure, .. } => *failure,
            Self::SignOut { .. } | Self::EndSessions { .. } => None,
            Self::TokenReuse { .. } => Some(Code::Unauthenticated),
            Self::Refusal(refusal) | Self::WrongOperatorToken(refusal) => Some(refusal.code),
            Self::AdminRead { failure, .. } => *failure,
        }
    }

    fn principal(&self) -> Option<Principal> {
        match self {
            Self::Register(outcome) | Self::SignIn(outcome) => {
                outcome.as_ref().ok().cloned().map(Principal::user)
            }
            Self::SignOut { user }
            | Self::EndSessions { user }
            | Self::TokenReuse { user }
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

    /// Returns the event as a log line. The names of its members are the same as in the log lines of audit entries.
    pub fn log_line(&self, caller: &Caller) -> LogLine {
        let (failure, principal) = (self.failure(), self.principal());
        LogLine::event(if failure.is_some() { Level::Warn } else { Level::Info })
            .with("action", self.name())
            .with("principal", principal.as_ref().map(ToString::to_string))
            .with("user_id", principal.as_ref().and_then(Principal::owner))
            .with("success", failure.is_none())
            .with("error_code", failure.map(Code::name))
            .with("route", self.refusal().and_then(|refusal| refusal.route.as_deref()))
            .with("subject", self.refusal().and_then(|refusal| refusal.subject))
            .with("user_agent", &caller.user_agent)
            .with("ip_address", &caller.ip_address)
            .with("request_id", &caller.request_id)
    }
}
