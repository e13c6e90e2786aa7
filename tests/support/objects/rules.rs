//! The rules of R2 by themselves: lengths, ranges, parts, labels, etags.

use std::collections::BTreeMap;

use bytes::Bytes;
use cutty::error::{Code, Problem};
use cutty::http::range::ByteRange;
use cutty::ports::{NewObject, PieceObserver, StoreError};

use crate::support::body::TestBody;
use crate::support::hashing::sha256_hex;

/// The shortest part but the last.
pub(super) const MIN_PART_BYTES: usize = 5 << 20;
/// How many parts an object has at most.
pub(super) const MAX_PARTS: usize = 10_000;
/// The labels of an object, all in all.
const MAX_LABEL_BYTES: usize = 2048;

/// A body that was not as it should be.
pub(super) struct BadBody {
    pub problem: Problem,
    /// All that was to come, if it came before the body broke: the store may have put it by then.
    pub whole: Option<Vec<u8>>,
}

/// Reads a body that must be just so long.
pub(super) fn take_exactly(
    mut body: TestBody,
    length_bytes: u64,
    observer: &mut dyn PieceObserver,
) -> Result<Vec<u8>, BadBody> {
    let wrong = |what: &str| {
        let problem = Problem::new(Code::BadRequest, format!("The body is {what} than its length says."));
        BadBody { problem, whole: None }
    };
    let mut bytes = Vec::new();
    while let Some(piece) = body.next_piece() {
        let piece = match piece {
            Ok(piece) => piece,
            Err(problem) => {
                let whole = (bytes.len() as u64 == length_bytes).then_some(bytes);
                return Err(BadBody { problem, whole });
            }
        };
        observer.observe(&piece);
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > length_bytes {
            return Err(wrong("longer"));
        }
    }
    if (bytes.len() as u64) < length_bytes { Err(wrong("shorter")) } else { Ok(bytes) }
}

/// A range of the bytes. Like R2 it ends with the object, and must begin in it.
pub(super) fn slice(bytes: &Bytes, range: ByteRange) -> Result<Bytes, StoreError> {
    assert!(range.end_inclusive() < 1 << 53, "the platform panics at {range:?}");
    let size = bytes.len() as u64;
    if range.start() >= size {
        return Err(StoreError::from_message(format!(
            "{range:?} of {size} bytes is not satisfiable (10039)"
        )));
    }
    let end = range.end_inclusive().min(size - 1);
    Ok(bytes.slice(range.start() as usize..=end as usize))
}

/// The parts as one, if they are those named, equally long but for the last, and none too short.
pub(super) fn join(
    parts: &BTreeMap<u16, (String, Bytes)>,
    part_etags: &[String],
    min_part_bytes: usize,
) -> Result<Bytes, StoreError> {
    let refused = |why: String| Err(StoreError::from_message(why));
    if part_etags.is_empty() || part_etags.len() > MAX_PARTS {
        return refused(format!("{} parts", part_etags.len()));
    }
    let mut joined = Vec::new();
    let part_bytes = parts.get(&1).map_or(0, |(_, bytes)| bytes.len());
    for (number, etag) in (1u16..).zip(part_etags) {
        let Some((_, bytes)) = parts.get(&number).filter(|(stored, _)| stored == etag) else {
            return refused(format!("part {number} is not the one stored (10025)"));
        };
        let last = usize::from(number) == part_etags.len();
        if !last && bytes.len() < min_part_bytes {
            return refused(format!("part {number} is too small (10011)"));
        }
        if !last && bytes.len() != part_bytes || bytes.len() > part_bytes {
            return refused("all non-trailing parts must have the same length (10048)".to_owned());
        }
        joined.extend_from_slice(bytes);
    }
    Ok(joined.into())
}

pub(super) fn check_limits(object: &NewObject) {
    let bytes: usize = object.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MAX_LABEL_BYTES, "{bytes} bytes of labels");
}

/// 32 hex digits that follow from the bytes, as the etag of an object put whole does.
pub(super) fn content_etag(bytes: &[u8]) -> String {
    sha256_hex(bytes)[..32].to_owned()
}
