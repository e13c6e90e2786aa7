//! Maps failed constraints to problems. These are all constraints on which a batch fails by design.

use crate::error::{Code, Problem};
use crate::ports::DatabaseError;

/// Fails when another try has taken over the idempotency key of an effect.
pub const LOST_CLAIM: &str = "idempotency_keys.fingerprint";
/// Fails when a reservation does not fit into the quota.
const QUOTA: &str = "quotas.reserved_bytes";
/// Fails when the recipe of a saved cut does not fit into the space for recipes.
const RECIPES: &str = "file_relationships.recipe";
/// Fail when the user name or the email address has an account already.
const ACCOUNTS: [(&str, &str); 2] = [("users.username", "username"), ("users.email", "email")];

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::Constraint(subject) if subject == LOST_CLAIM => Self::in_progress(1)
                .caused_by("the lease on the idempotency key ran out and another try took it over"),
            DatabaseError::Constraint(subject) if subject == QUOTA => Self::new(
                Code::QuotaExceeded,
                "The file would exceed your storage quota. Delete files permanently, or ask for a larger quota.",
            ),
            DatabaseError::Constraint(subject) if subject == RECIPES => Self::new(
                Code::QuotaExceeded,
                "The recipes of your saved cuts leave no space for another one. Delete saved cuts permanently, or use \
                 shorter lists in filters.",
            ),
            DatabaseError::Constraint(subject) => match account_field(subject) {
                Some(field) => account_exists(field),
                None => Self::unavailable(error),
            },
            DatabaseError::Unknown(_) => Self::unavailable(error),
        }
    }
}

/// Returns the field of a unique constraint on accounts. The constraints also decide between two concurrent requests.
fn account_field(subject: &str) -> Option<&'static str> {
    ACCOUNTS.into_iter().find(|(constraint, _)| subject.contains(constraint)).map(|(_, field)| field)
}

fn account_exists(field: &'static str) -> Problem {
    let detail = format!("This {field} has an account. Log in, or choose another {field}.");
    Problem::new(Code::UserExists, detail).with("field", field)
}
