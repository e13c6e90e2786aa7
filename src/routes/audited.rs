//! Which entry of the audit log each operation gets.
//!
//! A change writes its entry in its own batch, and a download and a cut when they end. For the other operations of a known
//! principal, the outermost layer makes the entry ([`super::layers::problems`]). It also makes the entry of an operation
//! that failed.

use crate::audit::action::Action::{
    self, ChangeRecipe, ChangeShare, Delete, DeleteRecipe, Download, List, Process, RequestVerification,
    Restore, RevokeShare, Save, SaveRecipe, Share, Ticket, Update, Upload, View,
};
use crate::audit::action::Action::{ChangeKey, EndSessions, Key, RevokeKey, RotateKey};

/// The entry of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audited {
    /// The layer makes the entry.
    ByLayer(Action),
    /// The service makes the entry of a success. The layer makes the entry of a failure.
    ByService(Action),
    /// The handler makes the entry, whether the operation succeeds or fails.
    ByHandler,
    /// No entry: the operation is one step of an upload, which gets an entry when it is complete; or it is about nobody's
    /// data.
    Never,
}

use Audited::{ByHandler, ByLayer, ByService, Never};

/// Returns which entry an operation gets. `operation` is its method and its path. `None` for an unknown operation.
pub fn of(operation: &str) -> Option<Audited> {
    let (method, path) = operation.split_once(' ')?;
    Some(match (method, path) {
        (_, path) if path.starts_with("/api/admin/") => ByHandler,
        (
            "POST",
            "/api/auth/email/verify"
            | "/api/auth/login"
            | "/api/auth/logout"
            | "/api/auth/password"
            | "/api/auth/password/reset"
            | "/api/auth/password/reset/confirm"
            | "/api/auth/refresh"
            | "/api/auth/register"
            | "/api/auth/user/delete",
        )
        | ("PATCH", "/api/auth/user") => ByHandler,
        ("POST", "/api/auth/email/verification") => ByLayer(RequestVerification),
        ("GET", "/api/auth/sessions" | "/api/auth/sign-ins") => ByLayer(List),
        ("DELETE", "/api/auth/sessions" | "/api/auth/sessions/{id}") => ByService(EndSessions),
        ("GET", "/api/auth/user" | "/api/usage") => ByLayer(View),
        ("GET", "/api/cuts" | "/api/files" | "/api/keys" | "/api/recipes" | "/api/shares") => ByLayer(List),
        ("GET", "/api/cuts/{id}" | "/api/cuts/{id}/recipe" | "/api/recipes/{id}" | "/api/shares/{id}") => {
            ByLayer(View)
        }
        ("POST", "/api/downloads") => ByLayer(Ticket),
        ("GET", "/api/downloads/{ticket}" | "/api/files/{id}" | "/api/shared/{token}") => ByService(Download),
        ("HEAD", "/api/files/{id}" | "/api/downloads/{ticket}" | "/api/shared/{token}") => ByLayer(View),
        ("POST", "/api/shared/{token}") => ByService(Upload),
        ("GET", "/api/shared/{token}/info" | "/api/shared/{token}/rows") => ByLayer(View),
        ("POST", "/api/files" | "/api/files/upload" | "/api/files/multipart/{id}/complete") => {
            ByService(Upload)
        }
        ("POST", "/api/uploads" | "/api/shared/{token}/uploads" | "/api/files/multipart") => {
            ByService(Upload)
        }
        ("PATCH", "/api/files/{id}") => ByService(Update),
        ("DELETE", "/api/files/{id}") => ByService(Delete),
        (
            "GET",
            "/api/files/{id}/columns"
            | "/api/files/{id}/count"
            | "/api/files/{id}/estimate"
            | "/api/files/{id}/fields"
            | "/api/files/{id}/history"
            | "/api/files/{id}/lineage"
            | "/api/files/{id}/metadata"
            | "/api/files/{id}/profile"
            | "/api/files/{id}/recipe"
            | "/api/files/{id}/rows",
        ) => ByLayer(View),
        ("GET" | "POST", "/api/files/{id}/cut" | "/api/files/{id}/process") => ByService(Process),
        ("POST", "/api/recipes/{id}/run") => ByService(Process),
        ("POST", "/api/files/{id}/restore") => ByService(Restore),
        ("POST", "/api/files/{id}/save") => ByService(Save),
        ("POST", "/api/files/{id}/share" | "/api/shares") => ByService(Share),
        ("PATCH", "/api/shares/{id}") => ByService(ChangeShare),
        ("DELETE", "/api/shares/{id}") => ByService(RevokeShare),
        ("POST", "/api/keys") => ByService(Key),
        ("PATCH", "/api/keys/{id}") => ByService(ChangeKey),
        ("DELETE", "/api/keys/{id}") => ByService(RevokeKey),
        ("POST", "/api/keys/{id}/rotate") => ByService(RotateKey),
        ("POST", "/api/recipes") => ByService(SaveRecipe),
        ("PATCH", "/api/recipes/{id}") => ByService(ChangeRecipe),
        ("DELETE", "/api/recipes/{id}") => ByService(DeleteRecipe),
        ("OPTIONS" | "HEAD", _) => Never,
        (
            "GET",
            "/api/auth/session" | "/api/openapi.json" | "/health" | "/health/ready" | "/health/storage",
        )
        | ("POST", "/api/filters/parse")
        | ("PATCH" | "DELETE", "/api/uploads/{id}" | "/api/shared/{token}/uploads/{id}")
        | ("GET" | "DELETE", "/api/files/multipart/{id}")
        | ("GET", "/api/files/multipart/{id}/parts")
        | ("PUT", "/api/files/multipart/{id}/parts/{number}") => Never,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::access::RULES;

    #[test]
    fn each_operation_says_which_entry_it_gets() {
        for rule in RULES {
            let operation = format!("{} {}", rule.method, rule.path);
            assert!(of(&operation).is_some(), "add {operation} to this file");
        }
    }
}
