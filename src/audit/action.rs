//! The actions of the audit log.

use serde::{Deserialize, Serialize};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $name:literal,)*) => {
        /// The action of an entry. The name of an action must never change, because rows, queue messages and logs
        /// contain it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Action { $($(#[$doc])* #[serde(rename = $name)] $action,)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// Returns the action's name in logs and rows.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }
        }
    };
}

actions! {
    /// A file was uploaded.
    Upload "upload",
    /// A file's bytes were downloaded.
    Download "download",
    /// A file's metadata, rows or statistics were read, or another single thing.
    View "view",
    /// Files or other things were listed.
    List "list",
    /// A file was cut.
    Process "process",
    /// The result of a cut was stored as a file.
    Save "save",
    /// A file's metadata was changed.
    Update "update",
    /// A file was moved to the trash or permanently deleted.
    Delete "delete",
    /// A file was restored from the trash.
    Restore "restore",
    /// A ticket for a download was made.
    Ticket "ticket",
    /// A file was shared, or a link for uploads was made.
    Share "share",
    /// The expiry of a share was changed.
    ChangeShare "change_share",
    /// A share was revoked.
    RevokeShare "revoke_share",
    /// A recipe was saved.
    SaveRecipe "save_recipe",
    /// A saved recipe was changed.
    ChangeRecipe "change_recipe",
    /// A saved recipe was deleted.
    DeleteRecipe "delete_recipe",
    /// An API key was made.
    Key "key",
    /// The name or the expiry of an API key was changed.
    ChangeKey "change_key",
    /// An API key got a new secret.
    RotateKey "rotate_key",
    /// An API key was revoked.
    RevokeKey "revoke_key",
    /// Somebody created an account, or tried to.
    Register "register",
    /// Somebody signed in, or tried to.
    Login "login",
    /// A user signed out.
    Logout "logout",
    /// A session got new tokens.
    Refresh "refresh",
    /// A spent refresh token was used again.
    ReuseToken "reuse_token",
    /// A user ended one of their sessions, or all.
    EndSessions "end_sessions",
    /// A user changed their password, or tried to.
    ChangePassword "change_password",
    /// A user changed the username or the email, or tried to.
    ChangeProfile "change_profile",
    /// A user deleted the account, or tried to.
    DeleteAccount "delete_account",
    /// Somebody asked for a link to set a new password.
    RequestReset "request_reset",
    /// Somebody set a new password with a link, or tried to.
    ResetPassword "reset_password",
    /// A user asked for a link that verifies the email.
    RequestVerification "request_verification",
    /// Somebody verified an email with a link, or tried to.
    VerifyEmail "verify_email",
    /// The service refused a request.
    Refuse "refuse",
    /// A request to a route for operators had a wrong token.
    RefuseOperatorToken "refuse_operator_token",
    /// A number of refused requests whose senders are not known.
    CountRefusals "count_refusals",
    /// An operator ran the sweeps.
    RunSweeps "run_sweeps",
    /// An operator resolved a finding.
    ResolveFinding "resolve_finding",
    /// An operator ran the self-check.
    RunFsck "run_fsck",
    /// An operator changed an account.
    ChangeUser "change_user",
    /// An operator verified the audit log.
    VerifyAudit "verify_audit",
    /// An operator read the audit log.
    ReadAudit "read_audit",
    /// An operator read the reports of the sweeps.
    ReadSweeps "read_sweeps",
    /// An operator read the findings.
    ReadFindings "read_findings",
    /// An operator read the memory statistics of the isolate.
    ReadIsolate "read_isolate",
    /// An operator read the accounts.
    ReadUsers "read_users",
    /// An operator read the mailbox of a development server.
    ReadMailbox "read_mailbox",
    /// An operator read the usage of the users.
    ReadUsage "read_usage",
    /// An operator checked the health of the services.
    ReadHealth "read_health",
    /// An operator read the switches.
    ReadSwitches "read_switches",
    /// An operator read the metrics.
    ReadMetrics "read_metrics",
    /// An operator changed switches.
    ChangeSwitches "change_switches",
}

impl Action {
    /// Returns the action with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_one_name_which_is_also_its_json() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.name()), Some(*action));
            assert_eq!(serde_json::json!(action), action.name());
        }
    }
}
