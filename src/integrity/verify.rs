//! Verifies the bytes of an object against the row of its file, in steps of limited length.
//!
//! The crate `sha2` computes the hash, because the state of a `sha2` hash can be saved. The state of the platform's
//! hash cannot be saved. A file that is longer than one step is hashed in several steps. Different requests may run
//! these steps.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::body::stream::NativeBody;
use crate::domain::storage_key::StorageKey;
use crate::error::Result;
use crate::http::range::ByteRange;
use crate::memory::pauses::Pauses;
use crate::ports::{Fetched, ObjectFacts, PieceObserver};

/// Kind of damage to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// The object does not exist.
    Missing,
    /// The object is shorter than its row says, or its bytes end early.
    Truncated,
    /// The object has another etag than its row says, or is longer than its row says.
    Replaced,
    /// The object has the size and etag of the row, but other bytes.
    Changed,
    /// The object exists, but the store cannot return its bytes.
    Unreadable,
}

impl Damage {
    /// Returns the name in rows and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Truncated => "truncated",
            Self::Replaced => "replaced",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the bytes are known to be wrong. Bytes that cannot be read now may be readable later.
    pub fn is_certain(self) -> bool {
        self != Self::Unreadable
    }
}

/// The values in a file's row that describe the object.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The object's key.
    pub key: &'a str,
    /// Length in bytes.
    pub size: u64,
    /// R2's etag.
    pub etag: Option<&'a str>,
    /// SHA-256 in hex. If it is `None`, only size and etag can be compared.
    pub checksum: Option<&'a str>,
}

/// Saved state of an unfinished hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialHash {
    /// Number of bytes hashed so far.
    offset: u64,
    /// The state, in hex.
    state: String,
}

/// The result of a verification step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// The object agrees with its row.
    Intact,
    /// The object is damaged. The JSON value holds the facts in the row (`row`) and the facts in R2 (`stored`).
    Damaged(Damage, Value),
    /// No damage so far. The next step continues from this state.
    Unfinished(PartialHash),
}

/// Compares the size and etag of an object with its row, without reading its bytes.
///
/// # Errors
/// `unavailable` if R2 cannot be reached.
pub async fn check_metadata(app: &App, expected: Expected<'_>) -> Result<Verification> {
    match app.objects.head(&key_of(expected)).await? {
        None => Ok(damaged(Damage::Missing, expected, json!({}))),
        Some(facts) => Ok(compare(expected, &facts).unwrap_or(Verification::Intact)),
    }
}

/// Reads and hashes at most `budget_bytes` of an object. Continues from `before`, the state after the previous step;
/// `None` for the first step. `observer` gets the bytes that are hashed. Returns the result and the number of bytes
/// read.
///
/// # Errors
/// `unavailable` if R2 returns neither the object nor its metadata.
pub async fn verify(
    app: &App,
    expected: Expected<'_>,
    before: Option<PartialHash>,
    budget_bytes: u64,
    observer: &mut dyn PieceObserver,
) -> Result<(Verification, u64)> {
    let (Some(checksum), Some(etag)) = (expected.checksum, expected.etag) else {
        return Ok((check_metadata(app, expected).await?, 0));
    };
    let (mut hash, offset) = resume(before, expected.size);
    let length = (expected.size - offset).min(budget_bytes.max(1));
    let whole = length == expected.size;
    let range = if whole { None } else { ByteRange::new(offset, offset + length - 1) };
    let body = match app.objects.get(&key_of(expected), range, Some(etag)).await {
        Ok(Fetched::Found(facts, body)) => match compare(expected, &facts) {
            None => body,
            Some(damaged) => return Ok((damaged, 0)),
        },
        Ok(Fetched::Missing) => return Ok((damaged(Damage::Missing, expected, json!({})), 0)),
        Ok(Fetched::Different) => return Ok((check_metadata(app, expected).await?, 0)),
        // An outage of R2 is no damage. If R2 returns the metadata but not the bytes, the object is unreadable.
        Err(error) => {
            return match check_metadata(app, expected).await? {
                Verification::Intact => Ok((unreadable(expected, &error.to_string(), offset), 0)),
                found => Ok((found, 0)),
            };
        }
    };
    let read = match hash_body(body, &mut hash, observer, Pauses::new(app.clock.clone())).await {
        Ok(read) => read,
        Err(problem) => return Ok((unreadable(expected, &problem.to_string(), offset), 0)),
    };
    if read != length {
        let stored = json!({"readBytes": offset + read});
        return Ok((damaged(Damage::Truncated, expected, stored), read));
    }
    if offset + length < expected.size {
        let state = hex::encode(hash.serialize());
        return Ok((Verification::Unfinished(PartialHash { offset: offset + length, state }), read));
    }
    let found = hex::encode(hash.finalize());
    match found == checksum {
        true => Ok((Verification::Intact, read)),
        false => Ok((damaged(Damage::Changed, expected, json!({"checksum": found})), read)),
    }
}

/// Restores a saved hash. Returns the hash and the offset of the next byte to hash. Without a saved state, or if the
/// state does not fit an object of `size` bytes, returns a new hash and the offset 0.
fn resume(before: Option<PartialHash>, size: u64) -> (Sha256, u64) {
    let resumed = before.filter(|partial| partial.offset < size).and_then(|partial| {
        let mut state = SerializedState::<Sha256>::default();
        hex::decode_to_slice(&partial.state, &mut state).ok()?;
        Some((Sha256::deserialize(&state).ok()?, partial.offset))
    });
    resumed.unwrap_or_default()
}

async fn hash_body(
    body: Box<dyn NativeBody>,
    hash: &mut Sha256,
    observer: &mut dyn PieceObserver,
    mut pauses: Pauses,
) -> Result<u64> {
    let mut source = body.into_source();
    let (mut piece, mut total) = (Vec::new(), 0);
    loop {
        piece.clear();
        match source.read(&mut piece).await? {
            0 => return Ok(total),
            read => total += read as u64,
        }
        pauses.after(piece.len()).await;
        hash.update(&piece);
        observer.observe(&piece);
    }
}

fn key_of(expected: Expected<'_>) -> StorageKey {
    StorageKey::Known(expected.key.to_owned())
}

/// Compares the object's size and etag with the row. Returns the damage; `None` if both are equal.
fn compare(expected: Expected<'_>, facts: &ObjectFacts) -> Option<Verification> {
    let stored = json!({"size": facts.size, "etag": facts.etag});
    let damage = match facts.size.cmp(&expected.size) {
        std::cmp::Ordering::Less => Damage::Truncated,
        std::cmp::Ordering::Equal if expected.etag == Some(facts.etag.as_str()) => return None,
        _ => Damage::Replaced,
    };
    Some(damaged(damage, expected, stored))
}

fn unreadable(expected: Expected<'_>, cause: &str, offset: u64) -> Verification {
    damaged(Damage::Unreadable, expected, json!({"cause": cause, "fromByte": offset}))
}

fn damaged(damage: Damage, expected: Expected<'_>, stored: Value) -> Verification {
    let row = json!({"size": expected.size, "etag": expected.etag, "checksum": expected.checksum});
    Verification::Damaged(damage, json!({"row": row, "stored": stored}))
}
