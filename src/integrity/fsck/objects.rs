//! Compares kept files with their objects, and objects with the rows that name them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BYTES_PER_CALL, FsckPosition, FsckStep, Phase, ViolationCode};
use crate::app::App;
use crate::domain::ids::AttemptId;
use crate::domain::storage_key::StorageKey;
use crate::error::Result;
use crate::integrity::verify::{Expected, Verification, check_metadata, verify};
use crate::ports::{IgnorePieces, Row, from_row};
use crate::sql;

/// Number of files on one page. The check of a file costs one R2 call.
const FILES_PER_PAGE: u64 = 100;

/// Number of objects on one page. One R2 call lists the objects. Each object that seems unreferenced costs another
/// call.
const OBJECTS_PER_PAGE: u32 = 500;

/// Operators may store their own objects under keys with these prefixes. The self-check ignores these objects.
const FOREIGN_PREFIXES: [&str; 2] = ["backups/", "imports/"];

#[derive(Debug, Deserialize)]
struct KeptFile {
    id: String,
    r2_key: String,
    file_size: u64,
    etag: Option<String>,
    checksum: Option<String>,
    damaged_at: Option<String>,
    has_quota: u8,
    condemned: u8,
}

pub(super) async fn check_files(app: &App, position: FsckPosition, deep: bool) -> Result<FsckStep> {
    let page = sql::checks::KeptFiles { after: &position.behind.0, limit: FILES_PER_PAGE };
    let files: Vec<KeptFile> =
        app.database.query(page.statement()).await?.into_iter().map(from_row).collect::<Result<_>>()?;
    let full = files.len() as u64 == FILES_PER_PAGE;
    let mut step = FsckStep::default();
    let (mut behind, mut hash, mut budget_bytes) = (position.behind.0, position.hash, BYTES_PER_CALL);
    for file in files {
        let verification = match deep {
            false => check_metadata(app, file.expected()).await?,
            true => {
                let (verification, read) =
                    verify(app, file.expected(), hash.take(), budget_bytes, &mut IgnorePieces).await?;
                budget_bytes -= read.min(budget_bytes);
                verification
            }
        };
        if let Verification::Unfinished(hash) = verification {
            let behind = (behind, String::new());
            step.next = Some(FsckPosition { phase: Phase::Files, behind, hash: Some(hash) });
            return Ok(step);
        }
        file.check_row(&mut step);
        if let Verification::Damaged(damage, details) = verification {
            let detail = format!("{}: {}; {details}", file.r2_key, damage.name());
            step.add(ViolationCode::from_damage(damage).violation(file.id.as_str(), detail));
        }
        step.checked += 1;
        behind = file.id;
        if budget_bytes == 0 {
            step.continue_after(Phase::Files, true, Some(behind));
            return Ok(step);
        }
    }
    step.continue_after(Phase::Files, full, Some(behind));
    Ok(step)
}

impl KeptFile {
    fn expected(&self) -> Expected<'_> {
        Expected {
            key: &self.r2_key,
            size: self.file_size,
            etag: self.etag.as_deref(),
            checksum: self.checksum.as_deref(),
        }
    }

    fn check_row(&self, step: &mut FsckStep) {
        let id = self.id.as_str();
        if self.etag.is_none() {
            step.add(ViolationCode::IncompleteRow.violation(id, "the row of a kept file has no etag"));
        }
        if let Some(since) = &self.damaged_at {
            let detail = format!("damage to the bytes was found at {since}; no request can read them");
            step.add(ViolationCode::DamagedFile.violation(id, detail));
        }
        if self.has_quota == 0 {
            step.add(ViolationCode::MissingQuota.violation(id, "the owner has no row in quotas"));
        }
        if self.condemned != 0 {
            let detail = format!("{} is kept and on gc_queue", self.r2_key);
            step.add(ViolationCode::CondemnedFile.violation(id, detail));
        }
    }
}

pub(super) async fn check_objects(app: &App, position: FsckPosition) -> Result<FsckStep> {
    let cursor = Some(position.behind.0.as_str()).filter(|cursor| !cursor.is_empty());
    let listing = app.objects.list("", cursor, OBJECTS_PER_PAGE).await?;
    let mut step = FsckStep { checked: listing.objects.len() as u64, ..FsckStep::default() };
    let anchor = StorageKey::AuditAnchor.to_string();
    let is_ours =
        |key: &String| *key != anchor && !FOREIGN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let keys: Vec<String> = listing.objects.into_iter().map(|(key, _)| key).filter(is_ours).collect();
    for key in unreferenced(app, keys).await? {
        // The object may have been deleted, and its row removed, between the listing and the query.
        if app.objects.head(&StorageKey::Known(key.clone())).await?.is_some() {
            let detail = "the object belongs to no kept file and is not on gc_queue";
            step.add(ViolationCode::UnreferencedObject.violation(key, detail));
        }
    }
    step.continue_after(Phase::Objects, listing.cursor.is_some(), listing.cursor);
    Ok(step)
}

async fn unreferenced(app: &App, keys: Vec<String>) -> Result<Vec<String>> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let attempts: Vec<String> = keys.iter().filter_map(|key| attempt_of_sidecar(key)).collect();
    let (keys_json, attempts_json) = (json!(keys).to_string(), json!(attempts).to_string());
    let results = app
        .database
        .batch(vec![
            sql::checks::KeptKeys { keys: &keys_json }.statement(),
            sql::checks::QueuedKeys { keys: &keys_json }.statement(),
            sql::checks::KeptAttempts { attempts: &attempts_json }.statement(),
            sql::checks::QueuedAttempts { attempts: &attempts_json }.statement(),
        ])
        .await?;
    let name = |row: &Row| row.get("name").and_then(Value::as_str).map(str::to_owned);
    let known: BTreeSet<String> = results.iter().flatten().filter_map(name).collect();
    let is_known = |key: &String| {
        known.contains(key) || attempt_of_sidecar(key).is_some_and(|attempt| known.contains(&attempt))
    };
    Ok(keys.into_iter().filter(|key| !is_known(key)).collect())
}

/// Returns the attempt that the key of a sidecar names; `None` if `key` is not the key of a sidecar. The key has a
/// `metadata/` folder, and the last id in the key is the attempt. The sidecar describes the bytes of this attempt, and
/// is deleted when these bytes are deleted.
fn attempt_of_sidecar(key: &str) -> Option<String> {
    let (_, name) = key.split_once("/metadata/")?;
    let (stem, _) = name.rsplit_once('.')?;
    let attempt = stem.get(stem.len().checked_sub(36)?..)?;
    AttemptId::parse(attempt).map(|attempt| attempt.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_of_a_sidecar_is_the_last_id_in_its_name() {
        let attempt = "018f0000-0000-7000-8000-000000000002";
        let key = format!("uploads/user-42/metadata/018f0000-0000-7000-8000-000000000001-{attempt}.profile");
        assert_eq!(attempt_of_sidecar(&key).as_deref(), Some(attempt));
        for other in
            ["uploads/user-42/a.csv", "uploads/user-42/metadata/a.profile", "x/metadata/", "x/metadata/ä.p"]
        {
            assert_eq!(attempt_of_sidecar(other), None, "{other}");
        }
    }
}
