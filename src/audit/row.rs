//! A row of the audit log, and what the chain covers of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::keys::AuditKeys;
use crate::error::Result;
use crate::ports::{Random, Statement};
use crate::sql::audit::{Insert, InsertWhen};

/// The hash before the first entry of the chain.
pub const FIRST_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A row of `file_access_logs`. The types are those of the database, so that a row that somebody changed can be read too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Number in the chain; `None` before the entry is sealed.
    pub seq: Option<i64>,
    /// Id of the entry.
    pub id: String,
    /// The file.
    pub file_id: Option<String>,
    /// The owner of the account or files; empty for nobody.
    pub user_id: String,
    /// The action.
    pub action: String,
    /// 1 if the action succeeded, otherwise 0.
    pub success: i64,
    /// The code of the problem.
    pub error_code: Option<String>,
    /// The detail of the problem.
    pub error_message: Option<String>,
    /// Bytes transferred.
    pub bytes_transferred: Option<i64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<i64>,
    /// Whether a cache had the answer; not used yet.
    pub cache_hit: Option<i64>,
    /// Address of the client.
    pub ip_address: Option<String>,
    /// User agent of the client.
    pub user_agent: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// A JSON object: the principal, the subject, the route and counts.
    pub metadata: String,
    /// When the entry was created.
    pub timestamp: String,
    /// Salt and digest of the address and the user agent. The salt is erased together with them.
    pub caller_salt: Option<String>,
    /// See `caller_salt`.
    pub caller_digest: Option<String>,
    /// Salt and digest of the error text. The salt is erased together with it.
    pub message_salt: Option<String>,
    /// See `message_salt`.
    pub message_digest: Option<String>,
    /// The code of the row: id of the key, a dot, and the signature. `None` for a row from before the chain.
    pub code: Option<String>,
    /// Hash of the entry before.
    pub prev_hash: Option<String>,
    /// Hash of this entry.
    pub hash: Option<String>,
}

impl AuditRow {
    /// Completes a new row: makes the digests and the code.
    ///
    /// # Errors
    /// `internal` if there is no key.
    pub fn sign(mut self, keys: &AuditKeys, random: &dyn Random) -> Result<Self> {
        // SQLite ends a text at a NUL.
        for text in
            [&mut self.ip_address, &mut self.user_agent, &mut self.error_message].into_iter().flatten()
        {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
        if self.ip_address.is_some() || self.user_agent.is_some() {
            self.caller_salt = Some(fresh_salt(random));
            self.caller_digest = self.digest_of_caller();
        }
        if self.error_message.is_some() {
            self.message_salt = Some(fresh_salt(random));
            self.message_digest = self.digest_of_message();
        }
        let (key, signature) = keys.sign(&self.covered())?;
        self.code = Some(format!("{key}.{signature}"));
        Ok(self)
    }

    /// Returns the statement that inserts the row.
    pub fn insert(&self, when: InsertWhen) -> Statement {
        let insert = Insert {
            when,
            event: &self.id,
            file: self.file_id.as_deref(),
            user: &self.user_id,
            action: &self.action,
            success: self.success,
            error_code: self.error_code.as_deref(),
            error_message: self.error_message.as_deref(),
            bytes_transferred: self.bytes_transferred,
            duration_ms: self.duration_ms,
            ip_address: self.ip_address.as_deref(),
            user_agent: self.user_agent.as_deref(),
            request_id: self.request_id.as_deref(),
            metadata: &self.metadata,
            timestamp: &self.timestamp,
            caller_salt: self.caller_salt.as_deref(),
            caller_digest: self.caller_digest.as_deref(),
            message_salt: self.message_salt.as_deref(),
            message_digest: self.message_digest.as_deref(),
            code: self.code.as_deref(),
        };
        insert.statement()
    }

    /// Whether the service made this row, and nobody has changed what its code covers.
    pub fn has_right_code(&self, keys: &AuditKeys) -> bool {
        let code = self.code.as_deref().and_then(|code| code.split_once('.'));
        code.is_some_and(|(key, signature)| keys.is_signature(key, &self.covered(), signature))
    }

    /// Whether the texts that can be erased are those of the digests, or were erased together with their salts.
    pub fn has_right_texts(&self) -> bool {
        let has_caller = self.ip_address.is_some() || self.user_agent.is_some();
        let caller = match (&self.caller_salt, &self.caller_digest) {
            (Some(_), Some(_)) => has_caller && self.digest_of_caller() == self.caller_digest,
            (None, _) => !has_caller,
            (Some(_), None) => false,
        };
        let message = match (&self.message_salt, &self.message_digest) {
            (Some(_), Some(_)) => {
                self.error_message.is_some() && self.digest_of_message() == self.message_digest
            }
            (None, _) => self.error_message.is_none(),
            (Some(_), None) => false,
        };
        // The texts of a row from before the chain have no digests.
        caller && message || self.code.is_none()
    }

    /// Returns the hash of this entry at the place `seq` of the chain, after an entry with the hash `before`.
    pub fn chained(&self, seq: i64, before: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(seq.to_string());
        hash.update(self.covered());
        hex::encode(hash.finalize())
    }

    /// Erases the address, the user agent and the error text, with their salts.
    pub fn erase_texts(&mut self) {
        (self.ip_address, self.user_agent, self.caller_salt) = (None, None, None);
        (self.error_message, self.message_salt) = (None, None);
    }

    /// Returns what the code and the chain cover, in a form that is different for different rows.
    fn covered(&self) -> Vec<u8> {
        let fields = (
            "cutty audit entry",
            &self.id,
            &self.file_id,
            &self.user_id,
            (&self.action, self.success, &self.error_code),
            (self.bytes_transferred, self.duration_ms, self.cache_hit),
            &self.request_id,
            &self.metadata,
            &self.timestamp,
            (&self.caller_digest, &self.message_digest),
        );
        // These types always have a JSON form.
        serde_json::to_vec(&fields).unwrap_or_default()
    }

    fn digest_of_caller(&self) -> Option<String> {
        digest(self.caller_salt.as_deref()?, &(&self.ip_address, &self.user_agent))
    }

    fn digest_of_message(&self) -> Option<String> {
        digest(self.message_salt.as_deref()?, &self.error_message)
    }
}

fn digest(salt: &str, value: &impl Serialize) -> Option<String> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(serde_json::to_vec(value).ok()?);
    Some(hex::encode(hash.finalize()))
}

fn fresh_salt(random: &dyn Random) -> String {
    let mut salt = [0; 16];
    random.fill(&mut salt);
    hex::encode(salt)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Config;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn keys(secret: &'static str) -> AuditKeys {
        AuditKeys::new(
            &Config::parse(&move |name: &str| (name == "JWT_SECRET").then(|| secret.to_owned())).unwrap(),
        )
    }

    fn row() -> AuditRow {
        let row = AuditRow {
            id: "018f0000-0000-7000-8000-000000000001".to_owned(),
            file_id: Some("018f0000-0000-7000-8000-000000000002".to_owned()),
            user_id: "ada".to_owned(),
            action: "download".to_owned(),
            success: 1,
            error_message: Some("gone\0".to_owned()),
            bytes_transferred: Some(10),
            ip_address: Some("192.0.2.1".to_owned()),
            metadata: "{}".to_owned(),
            timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
            ..AuditRow::default()
        };
        row.sign(&keys("0123456789abcdef0123456789abcdef"), &Counting).unwrap()
    }

    #[test]
    fn a_change_of_any_field_is_found() {
        let keys = keys("0123456789abcdef0123456789abcdef");
        let (signed, hash) = (row(), row().chained(1, FIRST_HASH));
        assert!(signed.has_right_code(&keys) && signed.has_right_texts());
        let changes: [fn(&mut AuditRow); 16] = [
            |row| row.id = row.id.replace('1', "2"),
            |row| row.file_id = None,
            |row| row.user_id = "eve".to_owned(),
            |row| row.action = "view".to_owned(),
            |row| row.success = 0,
            |row| row.error_code = Some("gone".to_owned()),
            |row| row.bytes_transferred = Some(11),
            |row| row.duration_ms = Some(0),
            |row| row.cache_hit = Some(1),
            |row| row.request_id = Some(String::new()),
            |row| row.metadata = "{ }".to_owned(),
            |row| row.timestamp = row.timestamp.replace("2026", "2025"),
            |row| row.caller_digest = None,
            |row| row.message_digest = row.caller_digest.clone(),
            |row| row.ip_address = Some("192.0.2.2".to_owned()),
            |row| row.error_message = None,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut changed = signed.clone();
            change(&mut changed);
            let covered = changed.has_right_code(&keys) && changed.chained(1, FIRST_HASH) == hash;
            assert!(!covered || !changed.has_right_texts(), "change {n}");
        }
        assert_ne!(signed.chained(2, FIRST_HASH), hash);
    }

    #[test]
    fn erased_texts_leave_the_row_valid_and_another_key_does_not_verify_it() {
        let mut erased = row();
        erased.erase_texts();
        assert!(erased.has_right_code(&keys("0123456789abcdef0123456789abcdef")) && erased.has_right_texts());
        assert_eq!(erased.chained(1, FIRST_HASH), row().chained(1, FIRST_HASH));
        assert!(!row().has_right_code(&keys("another secret with 32 bytes or more")));
        let json = serde_json::to_string(&erased).unwrap();
        assert!(!json.contains("192.0.2.1") && !json.contains("gone"));
    }
}
