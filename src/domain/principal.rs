//! Who is asking, and what they may do.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{ApiKeyId, FileId, ShareId, UserId};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Their own files.
    User,
    /// That, and the administration. Only an operator's SQL makes one.
    Admin,
}

/// A kind of thing that a principal may do with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See which files there are.
    List,
    /// Read a file: its bytes, its facts, cuts of it.
    Read,
    /// Bring files in: uploads and saved cuts.
    Create,
    /// Change what is known of a file, put it in the trash, take it out again.
    Update,
    /// Delete a file for good.
    Delete,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::List, Self::Read, Self::Create, Self::Update, Self::Delete];
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// The set of these.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Every scope.
    pub fn all() -> Self {
        Self::of(Scope::ALL)
    }

    /// Whether a scope is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

/// Part of the service that acts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// A sweep.
    Sweep,
    /// A job of the queue.
    Job,
}

/// Who is asking. As JSON it is part of stored uploads and messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// A signed-in user, whose account exists at this moment.
    User {
        /// Who it is.
        id: UserId,
        /// What they may do, from the account and not from the token.
        role: Role,
    },
    /// A key that a user made for a script.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// Whose it is.
        owner: UserId,
        /// What it opens.
        scopes: Scopes,
    },
    /// Whoever has the link of a share.
    Share {
        /// The share.
        id: ShareId,
        /// Whose file it opens.
        owner: UserId,
        /// The one file that it opens.
        file: FileId,
        /// What may be done with it.
        scopes: Scopes,
    },
    /// Whoever has `OPERATOR_TOKEN`, which opens the administration and no file.
    Operator,
    /// The service itself.
    Service {
        /// Which part of it.
        part: Service,
    },
}

/// Why something may not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It is about a file that does not exist for this principal.
    NoSuchFile,
    /// The principal lacks the scope.
    Scope,
}

impl Principal {
    /// A user without the administration.
    pub fn user(id: UserId) -> Self {
        Self::User { id, role: Role::User }
    }

    /// Whose files it reaches, if any: the owner in every query.
    pub fn owner(&self) -> Option<&UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::ApiKey { owner, .. } | Self::Share { owner, .. } => Some(owner),
            Self::Operator | Self::Service { .. } => None,
        }
    }

    /// Whether it may do something with a file, or with files in general (`None`).
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, scope: Scope, file: Option<FileId>) -> Result<(), Denied> {
        match self {
            Self::User { .. } => Ok(()),
            Self::Share { file: opened, .. } if file.is_some_and(|file| file != *opened) => {
                Err(Denied::NoSuchFile)
            }
            Self::Share { .. } if file.is_none() => Err(Denied::Scope),
            Self::ApiKey { scopes, .. } | Self::Share { scopes, .. } if scopes.contains(scope) => Ok(()),
            Self::ApiKey { .. } | Self::Share { .. } => Err(Denied::Scope),
            Self::Operator | Self::Service { .. } => Err(Denied::NoSuchFile),
        }
    }

    /// Whether it may operate the service.
    pub fn may_operate(&self) -> bool {
        matches!(self, Self::Operator | Self::User { role: Role::Admin, .. })
    }
}

impl fmt::Display for Principal {
    /// As the record names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { id, .. } => write!(f, "user:{id}"),
            Self::ApiKey { id, .. } => write!(f, "api_key:{id}"),
            Self::Share { id, .. } => write!(f, "share:{id}"),
            Self::Operator => f.write_str("operator"),
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
                scopes: Scopes::of([Scope::List, Scope::Read]),
            },
            Principal::Share {
                id: ShareId::parse(ID).unwrap(),
                owner: ada(),
                file: file(ID).unwrap(),
                scopes: Scopes::of([Scope::Read]),
            },
            Principal::Operator,
            Principal::Service { part: Service::Sweep },
        ]
    }

    #[test]
    fn each_principal_may_do_what_its_kind_says() {
        let may = |scope, file| principals().iter().map(|who| who.check(scope, file)).collect::<Vec<_>>();
        let (no_scope, no_file) = (Err(Denied::Scope), Err(Denied::NoSuchFile));
        assert_eq!(may(Scope::Read, file(ID)), [Ok(()), Ok(()), Ok(()), no_file, no_file]);
        assert_eq!(may(Scope::Read, file(OTHER)), [Ok(()), Ok(()), no_file, no_file, no_file]);
        assert_eq!(may(Scope::List, None), [Ok(()), Ok(()), no_scope, no_file, no_file]);
        for scope in [Scope::Create, Scope::Update, Scope::Delete] {
            assert_eq!(may(scope, file(ID)), [Ok(()), no_scope, no_scope, no_file, no_file], "{scope:?}");
        }
        let operators: Vec<_> = principals().iter().map(Principal::may_operate).collect();
        assert_eq!(operators, [true, false, false, true, false]);
    }

    #[test]
    fn a_principal_is_stored_in_one_form() {
        let stored = json!([
            {"kind": "user", "id": "ada", "role": "admin"},
            {"kind": "api_key", "id": ID, "owner": "ada", "scopes": ["list", "read"]},
            {"kind": "share", "id": ID, "owner": "ada", "file": ID, "scopes": ["read"]},
            {"kind": "operator"},
            {"kind": "service", "part": "sweep"},
        ]);
        assert_eq!(serde_json::to_value(principals()).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Vec<Principal>>(stored).unwrap(), principals());
        let named: Vec<_> = principals().iter().map(ToString::to_string).collect();
        assert_eq!(
            named,
            ["user:ada", &format!("api_key:{ID}"), &format!("share:{ID}"), "operator", "service:sweep"]
        );
    }
}
