//! Limits of an upload: its duration and the size of its parts.

use chrono::TimeDelta;

use crate::config::Config;

/// How long an upload waits for more bytes before it expires.
pub const MAX_IDLE_TIME: TimeDelta = TimeDelta::hours(24);

/// Maximum duration of an upload. R2 drops an unfinished multipart upload after seven days.
pub const MAX_DURATION: TimeDelta = TimeDelta::days(7);

/// Age at which the sweep ends an upload that its session did not end. It is a day more than [`MAX_DURATION`].
pub(super) const SWEEP_AFTER: TimeDelta = TimeDelta::days(8);

/// Maximum number of parts of an R2 object.
pub const MAX_PARTS: u64 = 10_000;

/// Returns the usual size of every part except the last, in bytes, for an upload of up to `max_bytes`. The session of a
/// tus upload may choose a larger size. In a multipart upload, the client may choose another size.
pub fn part_bytes(config: &Config, max_bytes: u64) -> usize {
    let part = config.max_chunk_size_bytes.max(max_bytes.div_ceil(MAX_PARTS));
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Maximum number of uploads that one user may have. Counts tus uploads and multipart uploads, but not uploads in one
/// request. An ended upload counts until its row is deleted.
pub const MAX_UPLOADS: u64 = 10_000;

/// Maximum part size, in bytes, that a session may choose so that the part size divides the chunk size.
pub(super) const MAX_FITTED_PART_BYTES: usize = 32 << 20;
