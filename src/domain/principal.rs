//! Principals (who makes a request) and scopes (what a principal may do).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{ApiKeyId, FileId, ShareId, UserId};

/// Role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A user who may use only their own files.
    User,
    /// A user who may also use the administration. Only an operator grants this role.
    Admin,
}

impl Role {
    /// Returns the name of the role in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// Permission for one kind of operation on files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// List files, and read their bytes, metadata, profiles and rows.
    Read,
    /// Upload files, change them, move them to the trash, restore them, and delete them permanently.
    Write,
    /// Cut files, and count their rows. To save a cut as a file, a principal also needs [`Self::Write`].
    Cut,
    /// Share files.
    Share,
    /// Use the operations for operators, if the owner of the key has the role `admin`.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Cut, Self::Share, Self::Admin];

    /// Returns the name of the scope.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Cut => "cut",
            Self::Share => "share",
            Self::Admin => "admin",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Returns the set that contains `scopes`.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Returns every scope.
    pub fn all() -> Self {
        Self::of(Scope::ALL)
    }

    /// Returns the set without `scope`.
    #[must_use]
    pub fn without(mut self, scope: Scope) -> Self {
        self.0.retain(|known| *known != scope);
        self
    }

    /// Whether the set contains no scope.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set contains `scope`.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

/// A part of the service that acts without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// A sweep.
    Sweep,
    /// A job of the queue.
    Job,
}

/// One of the two operator tokens. While one is replaced by the other, both are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorToken {
    /// `OPERATOR_TOKEN`.
    #[default]
    Current,
    /// `OPERATOR_TOKEN_NEXT`.
    Next,
}

impl OperatorToken {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
    fn is_current(&self) -> bool {
        *self == Self::Current
    }
}

/// The user, key, share or operator that makes a request, or the part of the service that acts without a request. The
/// JSON form is stored in uploads and queue messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// A signed-in user whose account exists at the time of the request.
    User {
        /// Id of the user.
        id: UserId,
        /// Role, read from the account and not from the token.
        role: Role,
    },
    /// A key that a user made for a script.
    ApiKey {
        /// Id of the key.
        id: ApiKeyId,
        /// User who made the key.
        owner: UserId,
        /// Operations that the key allows. [`Scope::Admin`] only if the owner has the role `admin`.
        scopes: Scopes,
        /// The tag to which the key is restricted: it sees only files that have this tag. `None` if it sees all files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
    },
    /// Anyone who has the link of a share.
    Share {
        /// Id of the share.
        id: ShareId,
        /// Owner of the shared file, or of the files that are uploaded.
        owner: UserId,
        /// The only file that the share gives access to; `None` if the share is for uploads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<FileId>,
        /// Operations that the share allows.
        scopes: Scopes,
    },
    /// Anyone who has an operator token, which gives access to the administration and to no file.
    Operator {
        /// The token.
        #[serde(default, skip_serializing_if = "OperatorToken::is_current")]
        token: OperatorToken,
    },
    /// The service itself.
    Service {
        /// The part of the service that acts.
        part: Service,
    },
}

/// Why an operation is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The file does not exist for this principal.
    NoSuchFile,
    /// The principal lacks the scope.
    Scope,
}

impl Principal {
    /// Creates the principal of a user who has the role `user`.
    pub fn user(id: UserId) -> Self {
        Self::User { id, role: Role::User }
    }

    /// Returns the owner whose files the principal can use. Every query for files is limited to this owner. `None` for
    /// the operator and the service.
    pub fn owner(&self) -> Option<&UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::ApiKey { owner, .. } | Self::Share { owner, .. } => Some(owner),
            Self::Operator { .. } | Self::Service { .. } => None,
        }
    }

    /// Returns the tag to which the principal is restricted: it sees only files that have this tag. Every query for files
    /// is limited to this tag. `None` if the principal is not restricted.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::ApiKey { tag, .. } => tag.as_deref(),
            Self::User { .. } | Self::Share { .. } | Self::Operator { .. } | Self::Service { .. } => None,
        }
    }

    /// Returns the share through which the request is made; `None` for other principals.
    pub fn share(&self) -> Option<ShareId> {
        match self {
            Self::Share { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Checks that the principal has `scope` for the file `file`, or for files in general if `file` is `None`.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check(&self, scope: Scope, file: Option<FileId>) -> Result<(), Denied> {
        match self {
            Self::User { .. } => Ok(()),
            Self::Share { file: opened, .. } if file.is_some() && file != *opened => Err(Denied::NoSuchFile),
            Self::Share { file: opened, .. } if file.is_none() && opened.is_some() => Err(Denied::Scope),
            Self::ApiKey { scopes, .. } | Self::Share { scopes, .. } if scopes.contains(scope) => Ok(()),
            Self::ApiKey { .. } | Self::Share { .. } => Err(Denied::Scope),
            Self::Operator { .. } | Self::Service { .. } => Err(Denied::NoSuchFile),
        }
    }

    /// Whether the principal has `scope` for at least one file.
    pub fn has(&self, scope: Scope) -> bool {
        match self {
            Self::User { .. } => true,
            Self::ApiKey { scopes, .. } | Self::Share { scopes, .. } => scopes.contains(scope),
            Self::Operator { .. } | Self::Service { .. } => false,
        }
    }

    /// Whether no rate limit applies to the principal: operators, and the service itself. The role of a user is known
    /// only if the request has read the account.
    pub fn is_exempt_from_limits(&self) -> bool {
        self.may_operate() || matches!(self, Self::Service { .. })
    }

    /// Whether the principal may use the administration.
    pub fn may_operate(&self) -> bool {
        match self {
            Self::Operator { .. } | Self::User { role: Role::Admin, .. } => true,
            Self::ApiKey { scopes, .. } => scopes.contains(Scope::Admin),
            Self::User { .. } | Self::Share { .. } | Self::Service { .. } => false,
        }
    }
}

impl fmt::Display for Principal {
    /// Writes the principal's name as it is stored in the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { id, .. } => write!(f, "user:{id}"),
            Self::ApiKey { id, .. } => write!(f, "api_key:{id}"),
            Self::Share { id, .. } => write!(f, "share:{id}"),
            Self::Operator { token: OperatorToken::Current } => f.write_str("operator"),
            Self::Operator { token: OperatorToken::Next } => f.write_str("operator:next"),
            Self::Service { part: Service::Sweep } => f.write_str("service:sweep"),
            Self::Service { part: Service::Job } => f.write_str("service:job"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const ID: &str = "018f0000-0000-7000-8000-000000000001";
    const OTHER: &str = "018f0000-0000-7000-8000-000000000002";

    fn ada() -> UserId {
        UserId::parse("ada").unwrap()
    }

    fn file(id: &str) -> Option<FileId> {
        FileId::parse(id)
    }

    fn principals() -> Vec<Principal> {
        vec![
            Principal::User { id: ada(), role: Role::Admin },
            Principal::ApiKey {
                id: ApiKeyId::parse(ID).unwrap(),
                owner: ada(),
                scopes: Scopes::of([Scope::Read, Scope::Cut]),
                tag: None,
            },
            Principal::Share {
                id: ShareId::parse(ID).unwrap(),
                owner: ada(),
                file: file(ID),
                scopes: Scopes::of([Scope::Read]),
            },
            Principal::Operator { token: OperatorToken::Current },
            Principal::Operator { token: OperatorToken::Next },
            Principal::Service { part: Service::Sweep },
        ]
    }

    #[test]
    fn each_kind_of_principal_has_only_its_own_permissions() {
        let may = |scope, file| principals().iter().map(|who| who.check(scope, file)).collect::<Vec<_>>();
        let (no_scope, no_file) = (Err(Denied::Scope), Err(Denied::NoSuchFile));
        assert_eq!(may(Scope::Read, file(ID)), [Ok(()), Ok(()), Ok(()), no_file, no_file, no_file]);
        assert_eq!(may(Scope::Read, file(OTHER)), [Ok(()), Ok(()), no_file, no_file, no_file, no_file]);
        assert_eq!(may(Scope::Cut, None), [Ok(()), Ok(()), no_scope, no_file, no_file, no_file]);
        for scope in [Scope::Write, Scope::Share, Scope::Admin] {
            assert_eq!(
                may(scope, file(ID)),
                [Ok(()), no_scope, no_scope, no_file, no_file, no_file],
                "{scope:?}"
            );
        }
        let operators: Vec<_> = principals().iter().map(Principal::may_operate).collect();
        assert_eq!(operators, [true, false, false, true, true, false]);
        let exempt: Vec<_> = principals().iter().map(Principal::is_exempt_from_limits).collect();
        assert_eq!(exempt, [true, false, false, true, true, true]);
    }

    #[test]
    fn the_json_and_text_forms_of_principals_are_stable() {
        let stored = json!([
            {"kind": "user", "id": "ada", "role": "admin"},
            {"kind": "api_key", "id": ID, "owner": "ada", "scopes": ["read", "cut"]},
            {"kind": "share", "id": ID, "owner": "ada", "file": ID, "scopes": ["read"]},
            {"kind": "operator"},
            {"kind": "operator", "token": "next"},
            {"kind": "service", "part": "sweep"},
        ]);
        assert_eq!(serde_json::to_value(principals()).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Vec<Principal>>(stored).unwrap(), principals());
        let named: Vec<_> = principals().iter().map(ToString::to_string).collect();
        assert_eq!(
            named,
            [
                "user:ada",
                &format!("api_key:{ID}"),
                &format!("share:{ID}"),
                "operator",
                "operator:next",
                "service:sweep"
            ]
        );
    }
}
