//! Who is asking, and what they may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::UserId;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Their own files.
    User,
    /// That, and the administration. Only an operator's SQL makes one.
    Admin,
}

/// A signed-in user, whose account exists at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub user: UserId,
    /// What they may do, from the account and not from the token.
    pub role: Role,
}
