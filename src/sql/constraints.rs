//! Maps failed constraints to problems. These are all constraints on which a batch fails by design.

use crate::error::{Code, Problem};
use crate::ports::DatabaseError;

/// Fails when another try has taken over the idempotency key of an effect.
pub const LOST_CLAIM: &str = "idempotency_keys.fingerprint";
/// Fails when a reservation does not fit into the quota.
const QUOTA: &str = "quotas.reserved_bytes";
/// Fails when a user has as many files as a user may have.
const FILES: &str = "quotas.used_bytes";
/// Fails when a reservation fits into the quota, but not beside the bytes that wait for the purge.
const WAITING: &str = "quotas.updated_at";
/// Fails when a user has as many uploads in several requests as a user may have.
const UPLOADS: &str = "multipart_uploads.part_size";
/// Fails when a principal has used as many idempotency keys as it may use.
const KEYS: &str = "idempotency_keys.created_at";
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
            DatabaseError::Constraint(subject) if subject == FILES => Self::new(
                Code::QuotaExceeded,
                "You have as many files as a user may have, with those in the trash and those that wait for their \
                 purge. Delete files permanently, or wait until deleted ones are purged.",
            ),
            DatabaseError::Constraint(subject) if subject == WAITING => Self::new(
                Code::QuotaExceeded,
                "The bytes of files that you deleted permanently wait for their purge and leave no space for another \
                 file. GET /api/auth/user says how many bytes wait. Wait for the purge, or ask for a larger quota.",
            ),
            DatabaseError::Constraint(subject) if subject == UPLOADS => Self::new(
                Code::QuotaExceeded,
                "You have too many uploads in several requests; those that ended in the last 7 days count. Complete \
                 or abort uploads, and wait.",
            ),
            DatabaseError::Constraint(subject) if subject == KEYS => {
                let detail = "You have used too many Idempotency-Keys within 24 hours. Wait, or send the request \
                              without a key.";
                Self::new(Code::RateLimited, detail).retry_after(3600)
            }
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
