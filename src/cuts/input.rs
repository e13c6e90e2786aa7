//! The input of a cut or of a count: a scan of the file, read piece by piece into a processor.

use super::memory::LONG_RECORD_BYTES;
use super::problems::csv_problem;
use super::scan::FileScan;
use super::verified::length_mismatch;
use crate::app::SharedApp;
use crate::body::stream::PIECE_BYTES;
use crate::csv::{CutProgress, StreamingCsvProcessor};
use crate::error::Result;
use crate::memory::budget::{Lease, Memory};
use crate::memory::pauses::Pauses;

/// A scan of a file. The processor reads one piece of it at a time.
pub(super) struct CutInput {
    app: SharedApp,
    scan: FileScan,
    piece: Vec<u8>,
    consumed: usize,
    is_over: bool,
    pauses: Pauses,
    /// Lease while the processor holds a long record.
    long_record: Option<Lease>,
}

impl CutInput {
    /// Creates an input that has read nothing yet.
    pub(super) fn new(app: SharedApp, scan: FileScan) -> Self {
        let pauses = Pauses::new(app.clock.clone());
        let piece = Vec::with_capacity(PIECE_BYTES);
        Self { app, scan, piece, consumed: 0, is_over: false, pauses, long_record: None }
    }

    /// Returns the scan.
    pub(super) fn scan(&self) -> &FileScan {
        &self.scan
    }

    /// Returns the length of the last piece, in bytes.
    pub(super) fn piece_bytes(&self) -> u64 {
        self.piece.len() as u64
    }

    /// Whether the end of the input is reached.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Gives the processor the part of the piece that it has not read. At the end of the input, finishes the processor.
    ///
    /// # Errors
    /// `malformed_csv`.
    pub(super) fn give(
        &mut self,
        processor: &mut StreamingCsvProcessor,
        out: &mut Vec<u8>,
    ) -> Result<CutProgress> {
        let progress = match self.is_over {
            false => processor.push(&self.piece[self.consumed..], out),
            true => processor.finish(out),
        };
        let progress = progress.map_err(csv_problem)?;
        match progress {
            CutProgress::Full { consumed } => self.consumed += consumed,
            CutProgress::More => self.consumed = self.piece.len(),
            CutProgress::Done => {}
        }
        Ok(progress)
    }

    /// Reads the next piece. The processor must have read the last one.
    ///
    /// # Errors
    /// `integrity_error`; the errors of the scan.
    pub(super) async fn read_on(&mut self, processor: &mut StreamingCsvProcessor) -> Result<()> {
        self.lease_long_record(processor).await?;
        self.pauses.after(self.piece.len()).await;
        self.piece.clear();
        self.consumed = 0;
        while self.scan.read(&mut self.piece).await? == 0 {
            let (read_to, end) = (processor.tally().bytes_in, self.scan.end_byte());
            if read_to != end {
                return Err(length_mismatch(self.scan.file(), end, read_to));
            }
            let Some(gap) = self.scan.advance().await? else {
                self.is_over = true;
                return Ok(());
            };
            if !processor.skip_to(gap.rows, gap.next_byte, gap.next_line) {
                return Err(length_mismatch(self.scan.file(), gap.next_byte, read_to));
            }
        }
        Ok(())
    }

    /// Leases memory while the processor holds a long record: for the bytes of the record, and for their copy in the
    /// output.
    async fn lease_long_record(&mut self, processor: &StreamingCsvProcessor) -> Result<()> {
        match (processor.carried_bytes() > LONG_RECORD_BYTES, &self.long_record) {
            (true, None) => {
                let bytes = 2 * self.app.config.max_record_size_bytes;
                self.long_record = Some(self.app.lease_large_memory(Memory::wasm(bytes)).await?);
            }
            (true, Some(lease)) => lease.touch(self.app.clock.now()),
            (false, _) => self.long_record = None,
        }
        Ok(())
    }

    /// Lets other requests run after this many bytes of work.
    pub(super) async fn pause_after(&mut self, bytes: usize) {
        self.pauses.after(bytes).await;
    }

    /// Skips the rest of the file.
    pub(super) async fn stop(&mut self) {
        self.is_over = true;
        self.piece.clear();
        self.consumed = 0;
        self.cancel().await;
    }

    /// Stops reading.
    pub(super) async fn cancel(&mut self) {
        self.scan.cancel().await;
    }
}
