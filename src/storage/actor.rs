//! The principal that the storage service acts for.

use crate::domain::caller::Caller;
use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::{Denied, Principal, Scope};
use crate::error::{Code, Problem, Result};
use crate::idempotency::{Claim, Effect};
use crate::ports::Statement;

/// The principal that the storage service acts for, with data of its request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The principal of the request.
    pub principal: Principal,
    /// The sender of the request, for log lines and audit entries.
    pub caller: Caller,
    /// The claim of the request on its idempotency key; `None` if the request has no key.
    pub claim: Option<Claim>,
}

impl Actor {
    /// Checks that the principal has `scope` for the file `file`, or for files in general if `file` is `None`. Returns
    /// the owner of these files. Every query about files gets its owner from this function, so that no query runs
    /// without this check.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist for this principal.
    /// - `forbidden`: the principal lacks the scope, or has no owner.
    pub fn allow(&self, scope: Scope, file: Option<FileId>) -> Result<&UserId> {
        let owner = self.principal.owner().ok_or(Denied::Scope);
        owner.and_then(|owner| self.principal.check(scope, file).map(|()| owner)).map_err(|denied| {
            match denied {
                Denied::NoSuchFile => Problem::no_such_file(),
                Denied::Scope => Problem::not_allowed(),
            }
        })
    }

    /// Does the same as [`Self::allow`], for things of the account that belong to no file, such as saved recipes. A
    /// principal that is restricted to a tag may not use them.
    ///
    /// # Errors
    /// `forbidden`: the principal is restricted to a tag, lacks the scope, or has no owner.
    pub fn allow_account(&self, scope: Scope) -> Result<&UserId> {
        match self.tag() {
            None => self.allow(scope, None),
            Some(tag) => {
                let detail = format!(
                    "This API key may use only files with the tag {tag:?}. Use a key without a tag for this request."
                );
                Err(Problem::new(Code::Forbidden, detail))
            }
        }
    }

    /// Returns the tag to which the principal is restricted. Every query about files has this tag as a parameter.
    pub fn tag(&self) -> Option<&str> {
        self.principal.tag()
    }

    /// Returns the statement that records an effect under the request's idempotency key; `None` without a key. The
    /// caller puts the returned statement directly after the statement that has the effect, in the same batch.
    pub fn record(&self, effect: &Effect) -> Option<Statement> {
        self.claim.as_ref().map(|claim| claim.record(effect))
    }

    /// Returns the statement that removes the record of an effect; `None` without a key. The caller adds the
    /// returned statement to the batch that undoes the effect.
    pub fn release_undone(&self, effect: &Effect) -> Option<Statement> {
        self.claim.as_ref().map(|claim| claim.release_undone(effect))
    }
}
