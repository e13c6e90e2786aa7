//! The rules of R2 for lengths, ranges, parts, labels and etags.

use std::collections::BTreeMap;

use bytes::Bytes;
use cutty::error::{Code, Problem};
use cutty::http::range::ByteRange;
use cutty::ports::{NewObject, PieceObserver, StoreError};

use crate::support::body::TestBody;
use crate::support::hashing::sha256_hex;

/// Minimum length of a part, in bytes. The last part may be shorter.
pub(super) const MIN_PART_BYTES: usize = 5 << 20;
/// Maximum number of parts in an object.
pub(super) const MAX_PARTS: usize = 10_000;
/// Maximum number of bytes of all labels of an object.
const MAX_LABEL_BYTES: usize = 2048;

/// A body that failed or has the wrong length.
pub(super) struct BadBody {
    pub problem: Problem,
    /// The complete bytes, if all bytes arrived before the body failed. In this case R2 may have stored the object.
    pub whole: Option<Vec<u8>>,
}

/// Reads a body that must have exactly `length_bytes` bytes.
pub(super) fn take_exactly(
    mut body: TestBody,
    length_bytes: u64,
    observer: &mut dyn PieceObserver,
) -> Result<Vec<u8>, BadBody> {
    let wrong = |comparison: &str| {
        let problem =
            Problem::new(Code::BadRequest, format!("The body is {comparison} than its length says."));
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

/// Returns a byte range of an object. As in R2, the range must start within the object, and a range that extends past
/// the end of the object is shortened.
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

/// Joins the parts. The etags must match the stored parts. All parts except the last must have the same length, which
/// must be at least `min_part_bytes`. The last part must not be longer than the others.
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
    assert!(bytes <= MAX_LABEL_BYTES, "the labels have {bytes} bytes, more than R2 allows");
}

/// Returns an etag of 32 hex digits that depends only on the bytes. The etag that R2 gives an object stored by a single
/// put also depends only on the bytes.
pub(super) fn content_etag(bytes: &[u8]) -> String {
    sha256_hex(bytes)[..32].to_owned()
}
