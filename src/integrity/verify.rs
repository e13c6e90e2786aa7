//! Whether stored bytes are the ones their row tells of: a look at one object, in steps of a bounded length.
//!
//! The hash is this crate's own and not the platform's, because its state can be put aside: a file that is longer than
//! one step is hashed over several, which need not be of one request.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::body::stream::NativeBody;
use crate::domain::storage_key::StorageKey;
use crate::error::Result;
use crate::http::range::ByteRange;
use crate::ports::{Fetched, ObjectFacts};

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// There is none.
    Missing,
    /// It is shorter than its row says, or its bytes end early.
    Truncated,
    /// It is another object: its etag is not the row's, or it is longer.
    Replaced,
    /// It has the row's size and etag, and other bytes.
    Changed,
    /// The store knows it and cannot give its bytes.
    Unreadable,
}

impl Damage {
    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Truncated => "truncated",
            Self::Replaced => "replaced",
            Self::Changed => "changed",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the bytes are known to be wrong. What cannot be read now may be read again tomorrow.
    pub fn is_certain(self) -> bool {
        self != Self::Unreadable
    }
}

/// What a row says of its object.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Where it lies.
    pub key: &'a str,
    /// Bytes.
    pub size: u64,
    /// The store's etag.
    pub etag: Option<&'a str>,
    /// SHA-256, hex; `None`: not known, so that only size and etag can be compared.
    pub checksum: Option<&'a str>,
}

/// A hash that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialHash {
    /// How many bytes went in.
    offset: u64,
    /// The state, hex.
    state: String,
}

/// How a look ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The object is what its row says.
    Whole,
    /// It is not; the facts of both.
    Damaged(Damage, Value),
    /// So far it is; the next step goes on from here.
    Unfinished(PartialHash),
}

/// Compares an object with its row without reading it.
///
/// # Errors
/// The store does not answer.
pub async fn glance(app: &App, expected: Expected<'_>) -> Result<Look> {
    match app.objects.head(&key_of(expected)).await? {
        None => Ok(damaged(Damage::Missing, expected, json!({}))),
        Some(facts) => Ok(compare(expected, &facts).unwrap_or(Look::Whole)),
    }
}

/// Reads at most `budget_bytes` of an object from where the last step ended; says how many were read.
///
/// # Errors
/// The store does not answer, not even what it knows of the object.
pub async fn look(
    app: &App,
    expected: Expected<'_>,
    before: Option<PartialHash>,
    budget_bytes: u64,
) -> Result<(Look, u64)> {
    let (Some(checksum), Some(etag)) = (expected.checksum, expected.etag) else {
        return Ok((glance(app, expected).await?, 0));
    };
    let (mut hash, offset) = resume(before, expected.size);
    let length = (expected.size - offset).min(budget_bytes.max(1));
    let whole = length == expected.size;
    let range = if whole { None } else { ByteRange::new(offset, offset + length - 1) };
    let body = match app.objects.get(&key_of(expected), range, Some(etag)).await {
        Ok(Fetched::Found(facts, body)) => match compare(expected, &facts) {
            None => body,
            Some(look) => return Ok((look, 0)),
        },
        Ok(Fetched::Missing) => return Ok((damaged(Damage::Missing, expected, json!({})), 0)),
        Ok(Fetched::Different) => return Ok((glance(app, expected).await?, 0)),
        // An outage says nothing of the object; an object that is there and does not open does.
        Err(error) => {
            return match glance(app, expected).await? {
                Look::Whole => Ok((unreadable(expected, &error.to_string(), offset), 0)),
                found => Ok((found, 0)),
            };
        }
    };
    let read = match hash_body(body, &mut hash).await {
        Ok(read) => read,
        Err(problem) => return Ok((unreadable(expected, &problem.to_string(), offset), 0)),
    };
    if read != length {
        let stored = json!({"readBytes": offset + read});
        return Ok((damaged(Damage::Truncated, expected, stored), read));
    }
    if offset + length < expected.size {
        let state = hex::encode(hash.serialize());
        return Ok((Look::Unfinished(PartialHash { offset: offset + length, state }), read));
    }
    let found = hex::encode(hash.finalize());
    match found == checksum {
        true => Ok((Look::Whole, read)),
        false => Ok((damaged(Damage::Changed, expected, json!({"checksum": found})), read)),
    }
}

/// The hash so far; one that cannot be read, or does not belong here, is begun anew.
fn resume(before: Option<PartialHash>, size: u64) -> (Sha256, u64) {
    let resumed = before.filter(|partial| partial.offset < size).and_then(|partial| {
        let mut state = SerializedState::<Sha256>::default();
        hex::decode_to_slice(&partial.state, &mut state).ok()?;
        Some((Sha256::deserialize(&state).ok()?, partial.offset))
    });
    resumed.unwrap_or_default()
}

async fn hash_body(body: Box<dyn NativeBody>, hash: &mut Sha256) -> Result<u64> {
    let mut source = body.into_source();
    let (mut piece, mut total) = (Vec::new(), 0);
    loop {
        piece.clear();
        match source.read(&mut piece).await? {
            0 => return Ok(total),
            read => total += read as u64,
        }
        hash.update(&piece);
    }
}

fn key_of(expected: Expected<'_>) -> StorageKey {
    StorageKey::Known(expected.key.to_owned())
}

/// What size and etag tell; `None`: nothing against the object.
fn compare(expected: Expected<'_>, facts: &ObjectFacts) -> Option<Look> {
    let stored = json!({"size": facts.size, "etag": facts.etag});
    let damage = match facts.size.cmp(&expected.size) {
        std::cmp::Ordering::Less => Damage::Truncated,
        std::cmp::Ordering::Equal if expected.etag == Some(facts.etag.as_str()) => return None,
        _ => Damage::Replaced,
    };
    Some(damaged(damage, expected, stored))
}

fn unreadable(expected: Expected<'_>, cause: &str, offset: u64) -> Look {
    damaged(Damage::Unreadable, expected, json!({"cause": cause, "fromByte": offset}))
}

fn damaged(damage: Damage, expected: Expected<'_>, stored: Value) -> Look {
    let row = json!({"size": expected.size, "etag": expected.etag, "checksum": expected.checksum});
    Look::Damaged(damage, json!({"row": row, "stored": stored}))
}
