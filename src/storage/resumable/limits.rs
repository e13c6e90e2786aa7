//! How long an upload may take, and how large its parts are.

use chrono::TimeDelta;

use crate::config::Config;

/// How long an upload waits for its next bytes.
pub const IDLE_WINDOW: TimeDelta = TimeDelta::hours(24);

/// How long an upload may take in all: the store drops an unfinished object in parts after seven days.
pub const LONGEST: TimeDelta = TimeDelta::days(7);

/// When the sweep takes up what a session left undone: well after the session itself would have.
pub(super) const SWEEP_AFTER: TimeDelta = TimeDelta::days(8);

/// The most parts an R2 object may have.
pub const MOST_PARTS: u64 = 10_000;

/// The size of all parts but the last of an upload that may come to `most_bytes`.
pub fn part_bytes(config: &Config, most_bytes: u64) -> usize {
    let part = config.max_chunk_size_bytes.max(most_bytes.div_ceil(MOST_PARTS));
    usize::try_from(part).unwrap_or(usize::MAX)
}
