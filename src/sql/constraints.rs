//! Maps failed constraints to problems. Some statements violate a constraint on purpose if a condition is not met, so
//! that their batch fails. The constants name these constraints.

use crate::error::{Code, Problem};
use crate::ports::DatabaseError;

/// Fails when a request records an effect under its idempotency key, but another request has claimed the key in the
/// meantime.
pub const LOST_CLAIM: &str = "idempotency_keys.fingerprint";
/// Fails when a reservation does not fit into the quota.
const QUOTA: &str = "quotas.reserved_bytes";
/// Fails when the service already has the maximum number of users.
const USERS: &str = "users.created_at";
/// Fails when a spool does not fit into the quota.
const SPOOL: &str = "gc_queue.spool_bytes";
/// Fails when a user already has the maximum number of files.
const FILES: &str = "quotas.used_bytes";
/// Fails when a reservation fits into the quota, but the bytes that wait for the purge leave no space for the
/// reservation.
const WAITING: &str = "quotas.updated_at";
/// Fails when the budget of the month is spent, and the user then gets no new files.
const BUDGET: &str = "quotas.when_budget_spent";
/// Fails when a user already has the maximum number of uploads that take several requests.
const UPLOADS: &str = "multipart_uploads.part_size";
/// Fails when a principal already has the maximum number of idempotency keys.
const KEYS: &str = "idempotency_keys.created_at";
/// Fails when the recipe of a saved cut does not fit into the user's space for recipes.
const RECIPES: &str = "file_relationships.recipe";
/// Fails when a user already has the maximum number of shares.
const SHARES: &str = "shares.created_at";
/// Fails when a file is uploaded through a share that does not admit it.
const SHARE_UPLOADS: &str = "shares.uses";
/// Fails when too many uploads through a share are unfinished.
const UNFINISHED: &str = "shares.disposition";
/// The constraints that fail when another account already has the username or the email address. Each constraint stands
/// with the name of the field.
const ACCOUNTS: [(&str, &str); 2] = [("users.username", "username"), ("users.email", "email")];

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::Constraint(subject) if subject == LOST_CLAIM => Self::in_progress(1)
                .caused_by("the lease of the idempotency key ended, and another request claimed the key"),
            DatabaseError::Constraint(subject) if subject == QUOTA => Self::new(
                Code::QuotaExceeded,
                "The file would exceed your storage quota. Delete files permanently, or ask for a larger quota.",
            ),
            DatabaseError::Constraint(subject) if subject == USERS => Self::new(
                Code::QuotaExceeded,
                "This service admits no more accounts. Ask its operator to raise MAX_USERS.",
            ),
            DatabaseError::Constraint(subject) if subject == SPOOL => Self::new(
                Code::QuotaExceeded,
                "With streaming=false, the result is stored until it is sent, and it does not fit into your storage \
                 quota. Repeat the cut without streaming=false, or delete files permanently.",
            ),
            DatabaseError::Constraint(subject) if subject == FILES => Self::new(
                Code::QuotaExceeded,
                "You have as many files as a user may have. Files in the trash and files that wait for their purge \
                 count too. Delete files permanently, or wait until deleted files are purged.",
            ),
            DatabaseError::Constraint(subject) if subject == WAITING => Self::new(
                Code::QuotaExceeded,
                "The bytes of files that you deleted permanently wait for their purge and leave no space for another \
                 file. GET /api/auth/user says how many bytes wait. Wait for the purge, or ask for a larger quota.",
            ),
            DatabaseError::Constraint(subject) if subject == BUDGET => Self::budget_spent(),
            DatabaseError::Constraint(subject) if subject == UPLOADS => Self::new(
                Code::QuotaExceeded,
                "You have too many uploads that take several requests. Uploads that ended in the last 7 days count \
                 too. Complete or abort open uploads, then wait until ended uploads no longer count.",
            ),
            DatabaseError::Constraint(subject) if subject == KEYS => {
                let detail = "You have used too many Idempotency-Keys within 24 hours. Wait, or send the request \
                              without a key.";
                Self::new(Code::RateLimited, detail).retry_after(3600)
            }
            DatabaseError::Constraint(subject) if subject == RECIPES => Self::new(
                Code::QuotaExceeded,
                "The recipes of your saved cuts leave no space for another recipe. Delete saved cuts permanently, or \
                 use shorter lists in filters.",
            ),
            DatabaseError::Constraint(subject) if subject == SHARES => Self::new(
                Code::QuotaExceeded,
                "You have as many shares as a user may have. Ended shares count for 30 days. Wait until they no longer \
                 count.",
            ),
            DatabaseError::Constraint(subject) if subject == UNFINISHED => {
                let detail = "Too many uploads through this link have begun and not ended. Continue one of them, or \
                              wait until they have ended.";
                Self::new(Code::RateLimited, detail).retry_after(60)
            }
            DatabaseError::Constraint(subject) if subject == SHARE_UPLOADS => Self::new(
                Code::Gone,
                "This link takes no more files, or not this file. Ask the person who sent you the link for a new one.",
            ),
            DatabaseError::Constraint(subject) => match account_field(subject) {
                Some(field) => account_exists(field),
                None => Self::unavailable(error),
            },
            DatabaseError::Unknown(_) => Self::unavailable(error),
        }
    }
}

impl Problem {
    /// Returns the problem of a request that is refused because the budget of the month is spent.
    pub fn budget_spent() -> Self {
        Self::new(
            Code::QuotaExceeded,
            "The estimated cost of your account has reached the budget of this month. Wait for the next month, or ask \
             your operator for a larger budget. GET /api/usage shows the cost.",
        )
    }
}

/// Returns the field of a unique constraint on accounts; `None` for any other constraint. If two concurrent requests
/// register the same name, a unique constraint makes one of them fail.
fn account_field(subject: &str) -> Option<&'static str> {
    ACCOUNTS.into_iter().find(|(constraint, _)| subject.contains(constraint)).map(|(_, field)| field)
}

fn account_exists(field: &'static str) -> Problem {
    let detail = format!("This {field} has an account. Sign in, or choose another {field}.");
    Problem::new(Code::UserExists, detail).with("field", field)
}
