//! The audit entries of each operation: rows of `file_access_logs`, and log lines with an action. The test writes the
//! entries of all operations as one text and compares this text with the snapshot in this file. So a review shows every
//! change of an entry.

use chrono::TimeDelta;
use serde_json::Value;

use super::scene::Scene;
use super::{CASES, Case};
use crate::support::TestApp;

/// Returns actions, principals and outcomes of entries as text, such as `delete by user:ada`.
fn entries(rows: impl IntoIterator<Item = [Value; 4]>) -> String {
    let entry = |[action, principal, success, code]: [Value; 4]| {
        let principal = match principal.as_str() {
            Some(known @ ("user:ada" | "operator")) => known,
            Some(user) if user.starts_with("user:") => "user:eve",
            Some(share) if share.starts_with("share:") => "share",
            None => "an unknown caller",
            other => panic!("unexpected principal: {other:?}"),
        };
        let outcome = match (success, code.as_str()) {
            (Value::Bool(true), None) => String::new(),
            (Value::Bool(false), Some(code)) => format!(" ({code})"),
            other => panic!("unexpected outcome: {other:?}"),
        };
        format!("{} by {principal}{outcome}", action.as_str().unwrap())
    };
    let mut entries: Vec<_> = rows.into_iter().map(entry).collect();
    // Two entries of one request may have the same time, so their order is not fixed.
    entries.sort_unstable();
    if entries.is_empty() { "none".to_owned() } else { entries.join(", ") }
}

/// Returns the rows of the audit log, oldest first.
fn rows(app: &TestApp) -> Vec<[Value; 4]> {
    let rows = app.database.rows(
        "SELECT action, metadata ->> 'principal' AS principal, success, error_code FROM file_access_logs ORDER BY id",
    );
    let success = |row: &Value| Value::Bool(row == 1);
    rows.iter()
        .map(|row| {
            [
                row["action"].clone(),
                row["principal"].clone(),
                success(&row["success"]),
                row["error_code"].clone(),
            ]
        })
        .collect()
}

/// Returns the log lines with an action, in the order in which they were written.
fn lines(app: &TestApp) -> Vec<[Value; 4]> {
    let of_entries = app.log.lines().into_iter().filter(|line| line["action"].is_string());
    of_entries
        .map(|line| ["action", "principal", "success", "error_code"].map(|member| line[member].clone()))
        .collect()
}

async fn left_by(case: &Case) -> String {
    let scene = Scene::new(case).await;
    let app = &scene.app;
    app.deliver().await;
    app.advance(TimeDelta::seconds(1));
    app.log.take();
    let before = rows(app).len();
    app.send(scene.call(case)).await;
    app.deliver().await;
    let written = rows(app).split_off(before);
    let (written, logged) = (entries(written), entries(lines(app)));
    match written == logged {
        true if written == "none" => "nothing".to_owned(),
        true => format!("row and line: {written}"),
        false => format!("row: {written}; line: {logged}"),
    }
}

#[tokio::test]
async fn the_audit_rows_and_log_lines_of_each_operation_match_the_snapshot() {
    let mut table = String::new();
    for case in CASES {
        table += &format!("{:<44} {}\n", case.0, left_by(case).await);
    }
    insta::assert_snapshot!(table, @r"
    DELETE /api/auth/sessions                    row and line: end_sessions by user:eve
    DELETE /api/auth/sessions/{id}               row and line: end_sessions by user:eve
    DELETE /api/files/multipart/{id}             nothing
    DELETE /api/files/{id}                       row and line: delete by user:ada
    DELETE /api/files/{id}, if-match             row and line: delete by user:ada
    DELETE /api/files/{id}, permanent            row and line: delete by user:ada
    DELETE /api/files/{id}, keyed                row and line: delete by user:ada
    DELETE /api/files/{id}, keyed, again         nothing
    DELETE /api/keys/{id}                        row and line: revoke_key by user:ada
    DELETE /api/recipes/{id}                     row and line: delete_recipe by user:ada
    DELETE /api/shared/{token}/uploads/{id}      nothing
    DELETE /api/shares/{id}                      row and line: revoke_share by user:ada
    DELETE /api/uploads/{id}                     nothing
    GET /api/admin/audit                         row and line: read_audit by operator
    GET /api/admin/audit, an export              row and line: read_audit by operator
    GET /api/admin/findings                      row and line: read_findings by operator
    GET /api/admin/health                        row and line: read_health by operator
    GET /api/admin/isolate                       row and line: read_isolate by operator
    GET /api/admin/mailbox                       row and line: read_mailbox by operator
    GET /api/admin/metrics/performance           row and line: read_metrics by operator
    GET /api/admin/metrics/prometheus            row and line: read_metrics by operator
    GET /api/admin/metrics/series                row and line: read_metrics by operator
    GET /api/admin/metrics/summary               row and line: read_metrics by operator
    GET /api/admin/sweeps                        row and line: read_sweeps by operator
    GET /api/admin/switches                      row and line: read_switches by operator
    GET /api/admin/usage                         row and line: read_usage by operator
    GET /api/admin/users                         row and line: read_users by operator
    GET /api/auth/session                        nothing
    GET /api/auth/sessions                       row and line: list by user:eve
    GET /api/auth/sign-ins                       row and line: list by user:eve
    GET /api/auth/user                           row and line: view by user:ada
    GET /api/cuts                                row and line: list by user:ada
    GET /api/cuts/{id}                           row and line: view by user:ada
    GET /api/cuts/{id}/recipe                    row and line: view by user:ada
    GET /api/downloads/{ticket}                  row and line: download by user:ada
    GET /api/downloads/{ticket}, a cut           row and line: process by user:ada
    GET /api/files                               row and line: list by user:ada
    GET /api/files/multipart/{id}                nothing
    GET /api/files/multipart/{id}/parts          nothing
    GET /api/files/{id}                          row and line: download by user:ada
    GET /api/files/{id}, one range               row and line: download by user:ada
    GET /api/files/{id}, three ranges            row and line: download by user:ada
    GET /api/files/{id}, not modified            nothing
    GET /api/files/{id}/columns                  row and line: view by user:ada
    GET /api/files/{id}/cut                      row and line: process by user:ada
    GET /api/files/{id}/cut, whole               row and line: process by user:ada
    GET /api/files/{id}/count                    row and line: view by user:ada
    GET /api/files/{id}/estimate                 row and line: view by user:ada
    GET /api/files/{id}/fields                   row and line: view by user:ada
    GET /api/files/{id}/history                  row and line: view by user:ada
    GET /api/files/{id}/lineage                  row and line: view by user:ada
    GET /api/files/{id}/metadata                 row and line: view by user:ada
    GET /api/files/{id}/process                  row and line: process by user:ada
    GET /api/files/{id}/profile                  row and line: view by user:ada
    GET /api/files/{id}/recipe                   row and line: view by user:ada
    GET /api/files/{id}/rows                     row and line: view by user:ada
    GET /api/files/{id}/rows, with a filter      row and line: view by user:ada
    GET /api/keys                                row and line: list by user:ada
    GET /api/openapi.json                        nothing
    GET /api/recipes                             row and line: list by user:ada
    GET /api/recipes, for a file                 row and line: list by user:ada
    GET /api/recipes/{id}                        row and line: view by user:ada
    GET /api/shared/{token}                      row and line: download by share
    GET /api/shared/{token}, counted             nothing
    GET /api/shared/{token}/info                 row and line: view by share
    GET /api/shared/{token}/rows                 row and line: view by share
    GET /api/shares                              row and line: list by user:ada
    GET /api/shares/{id}                         row and line: view by user:ada
    GET /api/usage                               row and line: view by user:ada
    GET /health                                  nothing
    GET /health/ready                            nothing
    GET /health/storage                          nothing
    HEAD /api/files/{id}                         row and line: view by user:ada
    HEAD /api/shared/{token}/uploads/{id}        nothing
    HEAD /api/uploads/{id}                       nothing
    OPTIONS /api/shared/{token}/uploads          nothing
    OPTIONS /api/shared/{token}/uploads/{id}     nothing
    OPTIONS /api/uploads                         nothing
    OPTIONS /api/uploads/{id}                    nothing
    PATCH /api/admin/switches                    row and line: change_switches by operator
    PATCH /api/admin/users/{id}                  row and line: change_user by operator
    PATCH /api/auth/user                         row and line: change_profile by user:eve
    PATCH /api/files/{id}                        row and line: update by user:ada
    PATCH /api/files/{id}, nothing               nothing
    PATCH /api/files/{id}, if-match              nothing
    PATCH /api/files/{id}, keyed                 row and line: update by user:ada
    PATCH /api/files/{id}, keyed, again          nothing
    PATCH /api/keys/{id}                         row and line: change_key by user:ada
    PATCH /api/recipes/{id}                      row and line: change_recipe by user:ada
    PATCH /api/shared/{token}/uploads/{id}       row and line: upload by share
    PATCH /api/shares/{id}                       row and line: change_share by user:ada
    PATCH /api/uploads/{id}                      row and line: upload by user:ada
    POST /api/admin/audit/verify                 row and line: verify_audit by operator
    POST /api/admin/findings/{id}/resolve        row and line: resolve_finding by operator
    POST /api/admin/fsck                         row and line: run_fsck by operator
    POST /api/admin/sweeps                       row and line: run_sweeps by operator
    POST /api/auth/email/verification            row and line: request_verification by user:eve
    POST /api/auth/email/verify                  row and line: verify_email by user:eve
    POST /api/auth/login                         row and line: login by user:eve
    POST /api/auth/logout                        row and line: logout by user:eve
    POST /api/auth/password                      row and line: change_password by user:eve
    POST /api/auth/password/reset                row and line: request_reset by an unknown caller
    POST /api/auth/password/reset, no account    row and line: request_reset by an unknown caller
    POST /api/auth/password/reset/confirm        row and line: reset_password by user:eve
    POST /api/auth/refresh                       row and line: refresh by user:eve
    POST /api/auth/register                      row and line: register by user:eve
    POST /api/auth/register, with an email       row and line: register by user:eve
    POST /api/auth/register, keyed               row and line: register by user:eve
    POST /api/auth/register, keyed, again        row and line: login by user:eve
    POST /api/auth/user/delete                   row and line: delete_account by user:eve
    POST /api/downloads                          row and line: ticket by user:ada
    POST /api/downloads, a cut                   row and line: ticket by user:ada
    POST /api/files                              row and line: upload by user:ada
    POST /api/files, a form                      row and line: upload by user:ada
    POST /api/files, a form of 6 MiB             row and line: upload by user:ada
    POST /api/files, refused                     row and line: upload by user:ada (unsupported_type)
    POST /api/files, keyed                       row and line: upload by user:ada
    POST /api/files, keyed, refused              row and line: upload by user:ada (unsupported_type)
    POST /api/files, keyed, again                nothing
    POST /api/files, keyed, response lost        nothing
    POST /api/files/multipart                    nothing
    POST /api/files/multipart/{id}/complete      row and line: upload by user:ada
    POST /api/files/upload                       row and line: upload by user:ada
    POST /api/files/{id}/cut                     row and line: process by user:ada
    POST /api/files/{id}/process                 row and line: process by user:ada
    POST /api/files/{id}/restore                 row and line: restore by user:ada
    POST /api/files/{id}/restore, keyed          row and line: restore by user:ada
    POST /api/files/{id}/save                    row and line: process by user:ada, save by user:ada
    POST /api/files/{id}/save, keyed             row and line: process by user:ada, save by user:ada
    POST /api/files/{id}/save, keyed, again      nothing
    POST /api/files/{id}/share                   row and line: share by user:ada
    POST /api/files/{id}/share, a cut            row and line: process by user:ada, save by user:ada, share by user:ada
    POST /api/files/{id}/share, an account       row and line: share by user:ada
    POST /api/filters/parse                      nothing
    POST /api/keys                               row and line: key by user:ada
    POST /api/keys/{id}/rotate                   row and line: rotate_key by user:ada
    POST /api/recipes                            row and line: save_recipe by user:ada
    POST /api/recipes/{id}/run                   row and line: process by user:ada
    POST /api/shared/{token}                     nothing
    POST /api/shared/{token}, a file             row and line: upload by share
    POST /api/shared/{token}, a form             row and line: upload by share
    POST /api/shared/{token}/uploads             row and line: upload by share
    POST /api/shares                             row and line: share by user:ada
    POST /api/uploads                            row and line: upload by user:ada
    POST /api/uploads, no bytes                  nothing
    PUT /api/files/multipart/{id}/parts/{number} nothing
    ");
}
