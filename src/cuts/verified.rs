//! Reads a byte range of a file. Compares each digest block with its digest before the bytes of the block are used.
//!
//! All code that reads a file in wasm reads it through a [`VerifiedSource`]. The source reads whole digest blocks from
//! the store. The store returns pieces of the length of a digest block, so the source can compare a block in the
//! caller's buffer, without a copy. The caller gets only the bytes of its byte range.
//!
//! If a block differs from its digest, the source fails with `integrity_error` and records the damage as a finding.
//! After that, requests for the file are refused. The next file that the scrub reads is this file. If the SHA-256 of
//! its bytes equals the SHA-256 in the file's row, only the digests were wrong. In this case, the scrub stores the
//! right digests, and requests can read the file again.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use crate::app::SharedApp;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::csv::profile::{BlockDigests, DIGEST_BLOCK_BYTES};
use crate::domain::ids::AttemptId;
use crate::domain::log::LogLine;
use crate::domain::read_meter::ReadMeter;
use crate::error::{Problem, Result};
use crate::http::range::ByteRange;
use crate::integrity::findings::{DamagedFile, NEXT, record_damage};
use crate::integrity::verify::Damage;
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, integrity_error};

const BLOCK_BYTES: u64 = DIGEST_BLOCK_BYTES as u64;

/// [`VerifiedSource`] relies on this: the store returns pieces of the length of a digest block.
const _: () = assert!(PIECE_BYTES == DIGEST_BLOCK_BYTES);

/// A stream of the bytes in a byte range of a file. The stream fails unless it ends exactly after the last wanted byte.
pub struct VerifiedSource {
    app: SharedApp,
    file: Arc<FileRow>,
    /// `None` if the file has no digests yet. In this case, the source checks only the length.
    digests: Option<Arc<BlockDigests>>,
    source: Box<dyn ByteSource>,
    /// Counts the bytes that are read from the store.
    meter: ReadMeter,
    wanted: Range<u64>,
    /// The position in the file of the next byte to return or to compare. If there are digests, this is the start of a
    /// digest block or the end of the file.
    at: u64,
    /// Bytes after `at` that were read together with the last digest block.
    ahead: Vec<u8>,
}

impl VerifiedSource {
    /// Opens a byte range, which must be within the file.
    ///
    /// # Errors
    /// The errors of [`R2StorageService::open`].
    pub async fn open(
        storage: &R2StorageService,
        file: &Arc<FileRow>,
        digests: Option<Arc<BlockDigests>>,
        wanted: Range<u64>,
    ) -> Result<Self> {
        let read = match &digests {
            Some(_) => whole_blocks(&wanted, file.file_size),
            None => wanted.clone(),
        };
        let range = match read == (0..file.file_size) {
            true => None,
            false => ByteRange::new(read.start, read.end.saturating_sub(1)),
        };
        let source = storage.open(file, range).await?.into_source();
        let (app, file) = (storage.app.clone(), file.clone());
        let meter = storage.meter();
        Ok(Self { app, file, digests, source, meter, wanted, at: read.start, ahead: Vec::new() })
    }

    async fn read_source(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let read = self.source.read(buffer).await?;
        self.meter.add(read);
        Ok(read)
    }

    /// Appends the wanted bytes of the next digest block and returns their number.
    async fn read_block(&mut self, digests: &BlockDigests, buffer: &mut Vec<u8>) -> Result<usize> {
        let start = buffer.len();
        let end = (self.at + BLOCK_BYTES).min(self.file.file_size);
        let length = usize::try_from(end - self.at).map_err(Problem::internal)?;
        buffer.append(&mut self.ahead);
        while buffer.len() - start < length {
            if self.read_source(buffer).await? == 0 {
                return Err(self.ends_elsewhere(self.at + (buffer.len() - start) as u64));
            }
        }
        self.ahead.extend(buffer.drain(start + length..));
        let number = self.at / BLOCK_BYTES;
        if !digests.is_intact(number, &buffer[start..]) {
            self.source.cancel().await;
            return Err(self.damaged(number).await);
        }
        let offset = |byte: u64| usize::try_from(byte.clamp(self.at, end) - self.at).unwrap_or(length);
        let (from, to) = (offset(self.wanted.start), offset(self.wanted.end));
        buffer.truncate(start + to);
        buffer.drain(start..start + from);
        self.at = end;
        Ok(to - from)
    }

    /// Checks that no bytes follow the last digest block.
    async fn check_end(&mut self) -> Result<usize> {
        let more = self.ahead.len() + self.read_source(&mut Vec::new()).await?;
        if more == 0 { Ok(0) } else { Err(self.ends_elsewhere(self.at + more as u64)) }
    }

    async fn read_unverified(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let read = self.read_source(buffer).await?;
        self.at += read as u64;
        let is_right = if read == 0 { self.at == self.wanted.end } else { self.at <= self.wanted.end };
        if is_right { Ok(read) } else { Err(self.ends_elsewhere(self.at)) }
    }

    fn ends_elsewhere(&self, found: u64) -> Problem {
        length_mismatch(&self.file, self.wanted.end, found)
    }

    /// Records that a digest block is damaged. Returns `integrity_error`, even if the damage cannot be recorded.
    async fn damaged(&mut self, number: u64) -> Problem {
        let first_byte = number * BLOCK_BYTES;
        let details = json!({
            "row": {"size": self.file.file_size, "etag": self.file.etag, "checksum": self.file.checksum},
            "stored": {"damagedBlock": {"firstByte": first_byte, "bytes": BLOCK_BYTES}},
        });
        if let Some(attempt) = AttemptId::parse(&self.file.attempt) {
            let FileRow { id, user_id, r2_key, .. } = &*self.file;
            let file = DamagedFile { file: *id, user: user_id, key: r2_key, attempt };
            if let Err(error) = record_damage(&self.app, &file, Damage::Changed, &details, NEXT).await {
                let line = LogLine::error("damage was found, but could not be recorded");
                self.app.write_log(line.with("file", *id).caused_by(error));
            }
        }
        integrity_error(&self.file.r2_key, &format!("the digest block at byte {first_byte} is damaged"))
    }
}

#[async_trait]
impl ByteSource for VerifiedSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let start = buffer.len();
        let read = match self.digests.clone() {
            None => self.read_unverified(buffer).await,
            Some(_) if self.at >= self.wanted.end => self.check_end().await,
            Some(digests) => self.read_block(&digests, buffer).await,
        };
        if read.is_err() {
            // The caller must not use these bytes: either they differ from their digest, or they were not compared with
            // their digest.
            buffer.truncate(start);
        }
        read
    }

    async fn cancel(&mut self) {
        self.source.cancel().await;
    }
}

/// Returns the byte range of the digest blocks that contain the bytes of `wanted`.
fn whole_blocks(wanted: &Range<u64>, size_bytes: u64) -> Range<u64> {
    let start = wanted.start / BLOCK_BYTES * BLOCK_BYTES;
    start..wanted.end.next_multiple_of(BLOCK_BYTES).min(size_bytes)
}

/// Returns the problem for a file whose bytes do not end where the row of the file or the row index says.
pub fn length_mismatch(file: &FileRow, expected_end: u64, actual_end: u64) -> Problem {
    let what = format!("the bytes end at {actual_end} and not at {expected_end}");
    integrity_error(&file.r2_key, &what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_blocks_contain_the_byte_range_and_end_with_the_file() {
        const B: u64 = BLOCK_BYTES;
        for (wanted, size, blocks) in [
            (0..5, 5, 0..5),
            (0..B, 3 * B, 0..B),
            (1..B, 3 * B, 0..B),
            (B - 1..B + 1, 3 * B, 0..2 * B),
            (B..B + 1, 2 * B - 7, B..2 * B - 7),
            (2 * B + 1..3 * B, 3 * B, 2 * B..3 * B),
        ] {
            assert_eq!(whole_blocks(&wanted, size), blocks, "{wanted:?} of {size}");
        }
    }
}
