//! The output of a cut as a stream. An incomplete output never looks complete.
//!
//! The stream holds the last piece back until the receipt is stored. If the receipt cannot be stored, or anything
//! else fails, the stream fails. The client then sees a broken transfer, not a short file.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::input::CutInput;
use super::open::PreparedCut;
use super::output_budget::{max_output_bytes, too_long};
use super::receipt::CutOutcome;
use crate::app::SharedApp;
use crate::audit::action::Action;
use crate::audit::entry::Entry;
use crate::audit::read_statements;
use crate::body::stream::{ByteSource, OUTGOING_BYTES};
use crate::csv::{CutProgress, StreamingCsvProcessor};
use crate::domain::ids::CutId;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result, stored_detail};
use crate::memory::budget::Lease;
use crate::ports::{Sha256Stream, Statement};
use crate::storage::actor::Actor;

/// Minimum size of each piece of output except the last piece, in bytes. The fixed cost of a smaller piece would be
/// greater than the cost of its bytes.
const MIN_OUTPUT_BYTES: usize = 64 * 1024;

/// A cut in progress.
pub struct CutStream {
    app: SharedApp,
    actor: Actor,
    id: CutId,
    details: Value,
    input: CutInput,
    processor: StreamingCsvProcessor,
    /// Output that is held back until the next piece is ready or the receipt is stored.
    held: Vec<u8>,
    next: Vec<u8>,
    /// The output that [`Self::start`] made; `None` after it was sent.
    first_output: Option<Production>,
    max_unanswered_bytes: u64,
    hash: Option<Box<dyn Sha256Stream>>,
    checksum: Option<String>,
    state: CutPhase,
    stores_receipt: bool,
    started: Timestamp,
    max_output_bytes: u64,
    lease: Arc<Lease>,
}

/// The result of producing output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Production {
    /// A piece is ready to be sent.
    Piece,
    /// The output has ended.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CutPhase {
    Cutting,
    /// The cut has made all its output. The receipt is stored, unless the caller is responsible for the receipt. Only
    /// the held output remains to be sent.
    Complete,
    Failed,
}

impl CutStream {
    /// Creates a stream that has cut nothing yet.
    pub(super) fn new(app: SharedApp, actor: Actor, id: CutId, prepared: PreparedCut) -> Self {
        let hash = Some(app.hashing.sha256());
        let started = app.now();
        let max_output_bytes = max_output_bytes(prepared.scan.file());
        let input = CutInput::new(app.clone(), prepared.scan);
        Self {
            app,
            actor,
            id,
            details: prepared.details,
            input,
            processor: prepared.processor,
            held: Vec::with_capacity(OUTGOING_BYTES),
            next: Vec::with_capacity(OUTGOING_BYTES),
            first_output: None,
            max_unanswered_bytes: prepared.max_unanswered_bytes,
            hash,
            checksum: None,
            state: CutPhase::Cutting,
            stores_receipt: true,
            started,
            max_output_bytes,
            lease: Arc::new(prepared.lease),
        }
    }

    /// Returns the memory that the cut has leased.
    pub fn lease(&self) -> Arc<Lease> {
        self.lease.clone()
    }

    /// Returns the cut's id.
    pub fn id(&self) -> CutId {
        self.id
    }

    /// Cuts until the first piece of output is ready, the output ends, or the cut has read the maximum number of bytes
    /// before its response. If an error occurs here, the client gets a problem.
    /// If an error occurs later, the client sees a broken transfer.
    ///
    /// # Errors
    /// `malformed_csv`; `too_large`; `integrity_error` if the file is shorter than its row says. If there is an error,
    /// the receipt is stored as `failed`.
    pub async fn start(&mut self) -> Result<()> {
        match self.produce(self.max_unanswered_bytes).await {
            Ok(produced) => self.first_output = produced,
            Err(problem) => {
                self.input.cancel().await;
                self.fail(&problem).await;
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Makes the caller responsible for the receipt. If the output is stored, the caller must run the statements of
    /// [`Self::completion`]. Otherwise the caller must call [`Self::fail`].
    pub fn leave_receipt_to_caller(&mut self) {
        self.stores_receipt = false;
    }

    /// Returns two items: the statements that set the receipt to `complete`, and the audit entry of the cut. The caller
    /// adds the statements to the batch that makes the output visible, and logs the entry after that batch.
    ///
    /// # Errors
    /// `internal` if there is no key that signs the entry.
    pub fn completion(&self) -> Result<(Vec<Statement>, Entry)> {
        let (statements, entry) = self.ending(None);
        Ok((statements?, entry))
    }

    /// Sets the receipt to `failed`. If the database fails, the sweep `fail_stale_cuts` does this later.
    pub async fn fail(&mut self, problem: &Problem) {
        self.state = CutPhase::Failed;
        let (statements, entry) = self.ending(Some(problem));
        self.app.audit().log(&entry);
        let batch = async {
            let statements = statements?;
            self.app.database.batch(statements).await.map_err(Problem::from)
        };
        if let Err(error) = batch.await {
            self.app.write_log(
                LogLine::warn("the receipt of a failed cut was not written; the sweep will write it")
                    .with("cut", self.id)
                    .caused_by(error),
            );
        }
    }

    fn ending(&self, failure: Option<&Problem>) -> (Result<Vec<Statement>>, Entry) {
        let tally = self.processor.tally();
        let outcome = CutOutcome {
            tally,
            verified: failure.is_none() && self.input.scan().is_verified(),
            checksum: self.checksum.clone(),
            error: failure.map(|problem| stored_detail(problem.detail()).to_owned()),
            undecodable_places: self.processor.undecodable_places().to_vec(),
            details: self.details.clone(),
        };
        let entry = Entry::new(&self.app, Some(&self.actor.principal), Action::Process, &self.actor.caller)
            .on(self.input.scan().file().id)
            .moving(tally.bytes_out)
            .reading(tally.bytes_scanned, tally.bytes_in.saturating_sub(tally.bytes_scanned))
            .since(self.started);
        let entry = match failure {
            Some(problem) => entry.failed(problem),
            None => entry,
        };
        let finish = outcome.finish_statement(self.id, self.app.now());
        let statements =
            read_statements(&entry, &self.app).map(|read| std::iter::once(finish).chain(read).collect());
        (statements, entry)
    }

    /// Cuts until a piece of output is ready or the output ends. Returns `None` if neither happens within about
    /// `max_bytes` of the file.
    async fn produce(&mut self, max_bytes: u64) -> Result<Option<Production>> {
        let mut read_bytes = 0;
        loop {
            let progress = self.input.give(&mut self.processor, &mut self.next);
            if self.processor.tally().bytes_out > self.max_output_bytes {
                return Err(too_long(self.input.scan().file(), None));
            }
            match progress? {
                // The processor also pauses at a long row. In this case, the output may still be small.
                CutProgress::Full { .. } if self.next.len() >= MIN_OUTPUT_BYTES => {
                    return Ok(Some(Production::Piece));
                }
                CutProgress::Full { .. } => {}
                CutProgress::Done if self.input.is_over() => return Ok(Some(Production::End)),
                // The cut has written the maximum number of rows.
                CutProgress::Done => self.input.stop().await,
                CutProgress::More => {
                    self.input.read_on(&mut self.processor).await?;
                    if self.next.len() >= MIN_OUTPUT_BYTES {
                        return Ok(Some(Production::Piece));
                    }
                    read_bytes += self.input.piece_bytes();
                    if read_bytes >= max_bytes {
                        return Ok(None);
                    }
                }
            }
        }
    }

    async fn step(&mut self) -> Result<()> {
        let produced = match self.first_output.take() {
            Some(produced) => Some(produced),
            None => self.produce(u64::MAX).await?,
        };
        self.input.pause_after(self.next.len()).await;
        if let Some(hash) = &mut self.hash {
            hash.write(&self.next).await?;
        }
        if produced != Some(Production::End) {
            return Ok(());
        }
        if let Some(hash) = self.hash.take() {
            self.checksum = Some(hex::encode(hash.finish().await?));
        }
        if self.stores_receipt {
            let (statements, entry) = self.completion()?;
            self.app.database.batch(statements).await?;
            self.app.audit().log(&entry);
        }
        self.state = CutPhase::Complete;
        Ok(())
    }
}

#[async_trait]
impl ByteSource for CutStream {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.lease.touch(self.app.clock.now());
        while self.state == CutPhase::Cutting {
            if let Err(problem) = self.step().await {
                if self.stores_receipt {
                    self.fail(&problem).await;
                }
                self.state = CutPhase::Failed;
                return Err(problem);
            }
            if self.state == CutPhase::Cutting {
                std::mem::swap(&mut self.held, &mut self.next);
                if !self.next.is_empty() {
                    return Ok(move_bytes(&mut self.next, buffer));
                }
            } else {
                self.held.append(&mut self.next);
            }
        }
        match self.state {
            CutPhase::Failed => Err(Problem::new(Code::Unavailable, "The cut has failed.")),
            _ => Ok(move_bytes(&mut self.held, buffer)),
        }
    }

    async fn cancel(&mut self) {
        self.input.cancel().await;
        if self.state == CutPhase::Cutting {
            self.fail(&Problem::new(Code::Unavailable, "The client disconnected, or it read too slowly."))
                .await;
        }
    }
}

/// Moves bytes to the caller. Swaps the buffers if the caller's buffer is empty.
fn move_bytes(from: &mut Vec<u8>, to: &mut Vec<u8>) -> usize {
    let length = from.len();
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.extend_from_slice(from);
    }
    from.clear();
    length
}
