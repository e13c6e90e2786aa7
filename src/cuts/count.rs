//! Counts the rows that a filter keeps.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::input::CutInput;
use super::marks::{CountKey, MIN_FILE_BYTES, MarkedCount};
use super::memory::COUNT;
use super::open::PreparedCut;
use super::service::CutService;
use crate::app::SharedApp;
use crate::body::stream::ByteSource;
use crate::csv::request::CutRequest;
use crate::csv::{CutProgress, StreamingCsvProcessor};
use crate::domain::recipe::Recipe;
use crate::domain::row_count::RowCount;
use crate::error::{Problem, Result};
use crate::memory::budget::Lease;
use crate::storage::file::FileRow;

/// Number of bytes of the file after which a line reports the progress.
const PROGRESS_BYTES: u64 = 16 << 20;

/// A count in progress.
pub struct Counting {
    app: SharedApp,
    file: Arc<FileRow>,
    /// The key of the count in the cache.
    key: String,
    /// The result; `None` if the file must be read.
    known: Option<RowCount>,
    reading: Option<CountReading>,
}

/// What a count reads.
struct CountReading {
    input: CutInput,
    processor: StreamingCsvProcessor,
    /// Output that is never sent: the header.
    discarded: Vec<u8>,
    lease: Lease,
}

impl CutService {
    /// Returns a count that needs no reading; `None` if [`Self::count`] must read the file.
    pub async fn known_count(&self, file: &FileRow, request: &CutRequest) -> Option<Counting> {
        let key = key_of(file, request);
        let known = self.find_known(file, request, &key).await?;
        let (app, file) = (self.storage.app.clone(), Arc::new(file.clone()));
        Some(Counting { app, file, key, known: Some(known), reading: None })
    }

    /// Starts to count the rows that the filter of a request keeps, by reading the file.
    ///
    /// # Errors
    /// The errors of [`Self::prepare`].
    pub async fn count(&self, file: FileRow, request: &CutRequest) -> Result<Counting> {
        let app = self.storage.app.clone();
        let shared = Arc::new(file.clone());
        let key = key_of(&file, request);
        // All matching rows are skipped, so nothing is written.
        let request = CutRequest { offset: u64::MAX, ..request.clone() };
        let PreparedCut { scan, mut processor, lease, .. } = self.prepare(file, request, COUNT).await?;
        if has_marks(&shared) {
            processor.mark_skipped();
        }
        let input = CutInput::new(app.clone(), scan);
        let reading = CountReading { input, processor, discarded: Vec::new(), lease };
        Ok(Counting { app, file: shared, key, known: None, reading: Some(reading) })
    }

    /// Returns a count that needs no reading: a count of the cache, a count that is stored with its marks, or the number
    /// of all rows in the profile.
    async fn find_known(&self, file: &FileRow, request: &CutRequest, key: &str) -> Option<RowCount> {
        let app = &self.storage.app;
        if let Some(known) = app.cached_count(key) {
            return Some(known);
        }
        if request.filter.is_none() {
            let rows = file.row_count.filter(|_| file.is_read_as_profiled(&request.input))?;
            return Some(RowCount { rows, exact: true, bytes_scanned: 0, bytes_skipped: file.file_size });
        }
        if !has_marks(file) {
            return None;
        }
        let stored = MarkedCount::stored(app, &CountKey { user: &file.user_id, text: key }).await?;
        app.keep_count(key, stored.count);
        Some(stored.count)
    }
}

/// Whether the count of a file notes marks and stores them.
pub(super) fn has_marks(file: &FileRow) -> bool {
    file.file_size >= MIN_FILE_BYTES
}

/// Returns the key of a count: the version of the file, how it is read, and the filter.
pub(super) fn key_of(file: &FileRow, request: &CutRequest) -> String {
    let counted = CutRequest {
        filter: request.filter.clone(),
        operands: request.operands,
        input: file.input(&request.input),
        ..CutRequest::default()
    };
    let recipe = Recipe::new(file.id, &counted.recipe());
    format!("{} {}", file.attempt, recipe.sha256())
}

impl Counting {
    /// Counts to the end.
    ///
    /// # Errors
    /// `malformed_csv`; the errors of reading the file.
    pub async fn finish(mut self) -> Result<RowCount> {
        loop {
            let count = self.advance(u64::MAX).await?;
            if count.exact {
                return Ok(count);
            }
        }
    }

    /// Reads about `max_bytes` of the file, or to its end.
    ///
    /// # Errors
    /// `malformed_csv`; the errors of reading the file.
    pub async fn advance(&mut self, max_bytes: u64) -> Result<RowCount> {
        let Some(CountReading { input, processor, discarded, lease }) = &mut self.reading else {
            return self.known.ok_or_else(|| Problem::internal("a count has ended"));
        };
        lease.touch(self.app.clock.now());
        let mut read_bytes = 0;
        let is_over = loop {
            discarded.clear();
            match input.give(processor, discarded)? {
                CutProgress::Done if input.is_over() => break true,
                CutProgress::Done => input.stop().await,
                CutProgress::Full { .. } => {}
                CutProgress::More => {
                    input.read_on(processor).await?;
                    read_bytes += input.piece_bytes();
                    if read_bytes >= max_bytes {
                        break false;
                    }
                }
            }
        };
        let tally = processor.tally();
        let count = RowCount {
            rows: tally.rows_skipped,
            exact: is_over,
            bytes_scanned: tally.bytes_scanned,
            bytes_skipped: tally.bytes_in - tally.bytes_scanned,
        };
        if is_over {
            if let Some(marks) = processor.take_marks() {
                let key = CountKey { user: &self.file.user_id, text: &self.key };
                MarkedCount { count, marks }.keep(&self.app, &key).await;
            }
            (self.known, self.reading) = (Some(count), None);
            self.app.keep_count(&self.key, count);
        }
        Ok(count)
    }

    /// Returns the progress as lines of JSON. The last line has the result, or the problem that ended the count.
    pub fn into_lines(self, describe: Describe) -> CountLines {
        CountLines { counting: self, describe, is_over: false }
    }
}

/// Returns a problem as JSON, and writes its cause to the log.
pub type Describe = Box<dyn Fn(&Problem) -> Value + Send>;

/// A count as lines of JSON, which ends when the client leaves.
pub struct CountLines {
    counting: Counting,
    describe: Describe,
    is_over: bool,
}

#[async_trait]
impl ByteSource for CountLines {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if self.is_over {
            return Ok(0);
        }
        let line = match self.counting.advance(PROGRESS_BYTES).await {
            Ok(count) if count.exact => {
                self.is_over = true;
                json!({"success": true, "count": count})
            }
            Ok(count) => json!({"progress": count, "bytesTotal": self.counting.file.file_size}),
            Err(problem) => {
                self.is_over = true;
                (self.describe)(&problem)
            }
        };
        let before = buffer.len();
        buffer.extend_from_slice(line.to_string().as_bytes());
        buffer.push(b'\n');
        Ok(buffer.len() - before)
    }

    async fn cancel(&mut self) {
        if let Some(reading) = &mut self.counting.reading {
            reading.input.cancel().await;
        }
    }
}
