//! Rules that rows and objects must obey while no request runs, even after failures.
//!
//! This code shares nothing with the service's self-check, so each of the two can find errors that the other misses.

use std::collections::{BTreeMap, BTreeSet};

use cutty::ports::Row;
use serde_json::Value;

use super::app::TestApp;
use super::hashing::sha256_hex;
use super::schema;

/// Returns all violations.
pub fn fsck(app: &TestApp) -> Vec<String> {
    let mut violations = Vec::new();
    kept_files_have_their_objects(app, &mut violations);
    objects_are_referenced(app, &mut violations);
    uploads_in_parts_are_referenced(app, &mut violations);
    pending_files_will_be_collected(app, &mut violations);
    quotas_add_up(app, &mut violations);
    usage_is_counted(app, &mut violations);
    violations.extend(
        schema::malformed_timestamps(&app.database.connection())
            .into_iter()
            .map(|odd| format!("malformed timestamp {odd}")),
    );
    violations
        .extend(app.objects.overwritten().into_iter().map(|key| format!("object {key} was overwritten")));
    violations
}

const KEPT: &str = "lifecycle_status IN ('active', 'archived', 'deleted')";

fn kept_files_have_their_objects(app: &TestApp, violations: &mut Vec<String>) {
    for file in app.database.rows(&format!("SELECT * FROM files WHERE {KEPT}")) {
        let key = text(&file, "r2_key");
        let mut report =
            |problem: String| violations.push(format!("file {} ({key}): {problem}", text(&file, "id")));
        let Some(object) = app.objects.object(key) else {
            report("the object is missing".to_owned());
            continue;
        };
        if file["file_size"] != object.bytes.len() {
            report(format!(
                "the row says {} bytes, the object has {}",
                file["file_size"],
                object.bytes.len()
            ));
        }
        if file["etag"] != object.etag {
            report(format!("the row has etag {}, the object has {:?}", file["etag"], object.etag));
        }
        if !file["checksum"].is_null() && file["checksum"] != sha256_hex(&object.bytes) {
            report(format!("checksum {} does not match the bytes of the object", file["checksum"]));
        }
    }
}

fn objects_are_referenced(app: &TestApp, violations: &mut Vec<String>) {
    let mut kept = keys(app, &format!("SELECT r2_key FROM files WHERE {KEPT}"));
    kept.extend(keys(app, "SELECT r2_key FROM audit_segments"));
    let mut doomed = keys(app, "SELECT r2_key FROM gc_queue");
    let profile = "'uploads/user-' || user_id || '/metadata/'";
    kept.extend(keys(
        app,
        &format!("SELECT {profile} || id || '-' || attempt || '.profile' AS r2_key FROM files WHERE {KEPT}"),
    ));
    doomed.extend(keys(
        app,
        &format!(
            "SELECT {profile} || file_id || '-' || attempt || '.profile' AS r2_key FROM gc_queue
             WHERE file_id IS NOT NULL"
        ),
    ));
    for key in app.objects.keys() {
        if !kept.contains(&key) && !doomed.contains(&key) {
            violations.push(format!("object {key} belongs to no kept file and is not in gc_queue"));
        }
    }
    let live = keys(app, "SELECT r2_key FROM files WHERE lifecycle_status IN ('active', 'archived')");
    for key in live.intersection(&doomed) {
        violations.push(format!("object {key} belongs to an active or archived file and is in gc_queue"));
    }
}

fn uploads_in_parts_are_referenced(app: &TestApp, violations: &mut Vec<String>) {
    let known = keys(
        app,
        "SELECT r2_key FROM gc_queue
         UNION SELECT r2_key FROM multipart_uploads WHERE status IN ('open', 'completing')",
    );
    for (upload_id, key) in app.objects.open_uploads() {
        if !known.contains(&key) {
            violations.push(format!(
                "multipart upload {upload_id} of {key} is in neither gc_queue nor multipart_uploads"
            ));
        }
    }
}

fn pending_files_will_be_collected(app: &TestApp, violations: &mut Vec<String>) {
    let forgotten = "SELECT r2_key FROM files WHERE lifecycle_status IN ('pending', 'dead')
         AND r2_key NOT IN (SELECT r2_key FROM gc_queue)";
    for key in keys(app, forgotten) {
        violations.push(format!("the file with key {key} is pending or dead, but is not in gc_queue"));
    }
}

fn quotas_add_up(app: &TestApp, violations: &mut Vec<String>) {
    let kept =
        sums(app, &format!("SELECT user_id, sum(file_size) AS bytes FROM files WHERE {KEPT} GROUP BY 1"));
    let pending =
        "SELECT user_id, sum(file_size) AS bytes FROM files WHERE lifecycle_status = 'pending' GROUP BY 1";
    let pending = sums(app, pending);
    let used = sums(app, "SELECT user_id, used_bytes AS bytes FROM quotas");
    let reserved = sums(app, "SELECT user_id, reserved_bytes AS bytes FROM quotas");
    for (kind, accounted, real) in [("used", used, kept), ("reserved", reserved, pending)] {
        for user in accounted.keys().chain(real.keys()).collect::<BTreeSet<_>>() {
            let (accounted, real) = (accounted.get(user).unwrap_or(&0), real.get(user).unwrap_or(&0));
            if accounted != real {
                violations.push(format!(
                    "user {user}: the quota says {accounted} bytes {kind}, the files add up to {real}"
                ));
            }
        }
    }
}

/// The counters in the table `usage`. The items are: (1) the column of the counter; (2) the part of a query that
/// computes the real count from other rows.
const COUNTS: [(&str, &str); 10] = [
    ("receipts", "count(*) AS bytes FROM cuts WHERE saved_file_id IS NULL"),
    ("recipe_bytes", "sum(length(recipe)) AS bytes FROM recipes WHERE 1"),
    ("files", "count(*) AS bytes FROM files WHERE lifecycle_status NOT IN ('dead', 'purged')"),
    ("waiting_files", "count(*) AS bytes FROM files WHERE lifecycle_status = 'dead' AND etag IS NOT NULL"),
    (
        "waiting_bytes",
        "sum(file_size) AS bytes FROM files WHERE lifecycle_status = 'dead' AND etag IS NOT NULL",
    ),
    ("uploads", "count(*) AS bytes FROM multipart_uploads WHERE 1"),
    ("idempotency_keys", "count(*) AS bytes FROM idempotency_keys WHERE user_id NOT LIKE 'register:%'"),
    ("refresh_tokens", "count(*) AS bytes FROM refresh_tokens WHERE 1"),
    ("audit_entries", "count(*) AS bytes FROM file_access_logs WHERE user_id <> ''"),
    ("spool_bytes", "sum(spool_bytes) AS bytes FROM gc_queue WHERE spool_bytes > 0"),
];

fn usage_is_counted(app: &TestApp, violations: &mut Vec<String>) {
    for (column, real) in COUNTS {
        let mut counted = sums(app, &format!("SELECT user_id, {column} AS bytes FROM usage"));
        counted.retain(|_, count| *count > 0);
        let real = sums(app, &format!("SELECT user_id, {real} GROUP BY user_id"));
        if counted != real {
            violations.push(format!("usage.{column} is {counted:?}, but the rows give {real:?}"));
        }
    }
}

fn keys(app: &TestApp, sql: &str) -> BTreeSet<String> {
    app.database.rows(sql).iter().map(|row| text(row, "r2_key").to_owned()).collect()
}

fn sums(app: &TestApp, sql: &str) -> BTreeMap<String, i64> {
    let sum = |row: &Row| (text(row, "user_id").to_owned(), row["bytes"].as_i64().unwrap());
    app.database.rows(sql).iter().map(sum).collect()
}

fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_else(|| panic!("column {column} is not text: {row:?}"))
}
