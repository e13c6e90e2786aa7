//! On whose behalf the storage service acts.

use crate::domain::caller::Caller;
use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::{Denied, Principal, Scope};
use crate::error::{Code, Problem, Result};
use crate::idempotency::{Claim, Effect};
use crate::ports::Statement;

/// On whose behalf a service acts.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who is asking.
    pub principal: Principal,
    /// For the log.
    pub caller: Caller,
    /// The idempotency key that the request holds, if it has one.
    pub claim: Option<Claim>,
}

impl Actor {
    /// Whose files these are, if the principal may do this with one of them, or with files in general (`None`). Every
    /// query about files takes the owner from here, so that none is made without a check.
    ///
    /// # Errors
    /// `not_found` for a file that does not exist for this principal; `forbidden` for anything else that it may not do.
    pub fn allow(&self, scope: Scope, file: Option<FileId>) -> Result<&UserId> {
        let owner = self.principal.owner().ok_or(Denied::Scope);
        owner.and_then(|owner| self.principal.check(scope, file).map(|()| owner)).map_err(|denied| {
            match denied {
                Denied::NoSuchFile => Problem::no_such_file(),
                Denied::Scope => {
                    let detail =
                        "These credentials do not allow this. Sign in as the owner, or ask for more access.";
                    Problem::new(Code::Forbidden, detail)
                }
            }
        })
    }

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
