//! The anchor: a copy of the end of the chain in R2, where no change of the database reaches it.
//!
//! Each seal replaces the anchor. It may be older than the end of the chain, if the work stopped between a seal and its
//! anchor, or if two runs sealed at the same time. It is never newer. So a chain that ends before its anchor has lost
//! entries, and a chain with another entry at the place of the anchor was replaced.

use serde::{Deserialize, Serialize};

use super::keys::AuditKeys;
use super::row::FIRST_HASH;
use super::seal::ChainEnds;
use crate::app::App;
use crate::domain::log::LogLine;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::error::{Code, Problem, Result};
use crate::ports::NewObject;

/// Maximum length of the object in bytes. An anchor has about 250.
const MAX_BYTES: u64 = 4096;

/// An entry that the chain had when it was last sealed, and usually its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Anchor {
    pub seq: i64,
    pub hash: String,
    key_id: String,
    signature: String,
}

impl Anchor {
    fn of(ends: &ChainEnds, keys: &AuditKeys) -> Result<Self> {
        let (seq, hash) = (ends.last_seq, ends.last_hash.clone());
        let (key_id, signature) = keys.sign(text(seq, &hash).as_bytes())?;
        Ok(Self { seq, hash, key_id: key_id.to_owned(), signature })
    }

    /// Returns the anchor of an empty chain.
    fn of_empty() -> Self {
        Self { seq: 0, hash: FIRST_HASH.to_owned(), key_id: String::new(), signature: String::new() }
    }

    /// Whether a chain with these ends can have the entry of the anchor.
    pub(super) fn is_within(&self, ends: &ChainEnds) -> bool {
        self.seq < ends.last_seq || self.seq == ends.last_seq && self.hash == ends.last_hash
    }
}

fn text(seq: i64, hash: &str) -> String {
    format!("cutty audit anchor\n{seq}\n{hash}")
}

impl App {
    /// Reads the anchor. Costs 1 R2 get. Read it before the ends of the chain, because it is replaced after them. `None`
    /// if the service did not write the object. If there is no object, returns the anchor of an empty chain.
    ///
    /// # Errors
    /// `unavailable` if R2 failed.
    pub(super) async fn read_anchor(&self, keys: &AuditKeys) -> Result<Option<Anchor>> {
        let bytes = match self.read_small_object(&StorageKey::AuditAnchor, MAX_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Some(Anchor::of_empty())),
            Err(problem) if problem.code() == Code::Internal => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let anchor: Option<Anchor> = serde_json::from_slice(&bytes).ok();
        Ok(anchor.filter(|anchor| {
            keys.is_signature(&anchor.key_id, text(anchor.seq, &anchor.hash).as_bytes(), &anchor.signature)
        }))
    }

    /// Refuses to extend a chain that has lost its anchor: the new entries would hide the loss.
    ///
    /// # Errors
    /// `internal` if the chain or the anchor was changed.
    pub(super) fn refuse_lost_anchor(&self, anchor: Option<&Anchor>, ends: &ChainEnds) -> Result<()> {
        match anchor {
            Some(anchor) if anchor.is_within(ends) => Ok(()),
            Some(anchor) => Err(Problem::internal(format!(
                "the audit log ends at entry {}, before its anchor in R2 at entry {}; verify it",
                ends.last_seq, anchor.seq
            ))),
            None => Err(Problem::internal("the anchor of the audit log in R2 was changed; verify the log")),
        }
    }

    /// Moves the anchor to the end of the chain. If this fails, the anchor stays where it is, and the next seal moves it.
    pub(super) async fn move_anchor(&self, ends: &ChainEnds, keys: &AuditKeys) {
        if let Err(problem) = self.put_anchor(ends, keys).await {
            let line = LogLine::error("the anchor of the audit log was not moved").caused_by(&problem);
            self.write_log(line.with("seq", ends.last_seq));
        }
    }

    async fn put_anchor(&self, ends: &ChainEnds, keys: &AuditKeys) -> Result<()> {
        let bytes = serde_json::to_vec(&Anchor::of(ends, keys)?).map_err(Problem::internal)?;
        let object = NewObject {
            key: StorageKey::AuditAnchor,
            content_type: "application/json",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            expected_sha256: None,
        };
        self.objects.replace_bytes(object, &bytes).await?;
        Ok(())
    }
}
