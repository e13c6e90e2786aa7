//! Opens a file as CSV and checks a cut against its header.

use std::sync::Arc;

use serde_json::{Value, json};

use super::memory::LONG_RECORD_BYTES;
use super::output_budget::check_estimate;
use super::problems::{csv_problem, request_problem};
use super::scan::{FileScan, PlannedBytes};
use super::service::CutService;
use crate::body::stream::PIECE_BYTES;
use crate::csv::dialect::Ragged;
use crate::csv::filter::Filter;
use crate::csv::profile::{BlockDigests, Profile};
use crate::csv::request::CutRequest;
use crate::csv::{
    CsvOpener, CutPlan, FileEncoding, InputOptions, OpenedCsv, OpeningStatus, OutQuote,
    StreamingCsvProcessor, Undecodable, ValueKind,
};
use crate::domain::recipe::{MAX_RECIPE_BYTES, Recipe};
use crate::error::{Code, Problem, Result};
use crate::memory::SMALL_BYTES;
use crate::memory::budget::{Lease, Memory, WIDE_BUDGET};
use crate::storage::file::FileRow;
use crate::storage::profiling::FileProfile;

/// The version of the engine, stored in recipes. It changes whenever the engine reads a file, compares values or writes a
/// result in another way. The same version makes the same bytes from a recipe, with one exception: a result with
/// `typed=true` also depends on whether the file has a profile (`typedBy` in the receipt).
pub const ENGINE_VERSION: &str = "cutty-csv/3";

/// Returns the digests in a profile, or `None` if there is no profile or the profile has no digests.
pub(super) fn digests_in(profile: Option<&Profile>) -> Option<Arc<BlockDigests>> {
    profile.and_then(|profile| profile.digests.clone())
}

/// A file opened as CSV.
pub struct OpenFile {
    /// The file's dialect, and the reader of its records.
    pub opened: OpenedCsv,
    /// The file's scan, positioned after the bytes that were read to open the file.
    pub scan: FileScan,
    /// The lease for a long header and for many digests. `None` if they need little memory.
    pub lease: Option<Lease>,
}

/// If no record of a file can end a cut, the response begins after the cut has read this many bytes, even if no output
/// is ready. Proxies and browsers give up a request that gets no response for a minute or two.
const MAX_UNANSWERED_BYTES: u64 = 64 << 20;

/// Maximum memory of a regular expression, in bytes: its compiled forms, and the caches of a search.
const REGEX_MEMORY_BYTES: usize = 7 << 19;

/// Bytes of memory that the plan of a cut (with the compiled filter) needs for each byte of the recipe.
const BYTES_PER_RECIPE_BYTE: usize = 4;

/// The data that a reader keeps in memory in addition to the header.
struct Kept {
    digests: Option<Arc<BlockDigests>>,
    /// Memory of the plan of a cut, in bytes.
    plan_bytes: usize,
}

impl Kept {
    fn memory_bytes(&self) -> usize {
        self.digests.as_deref().map_or(0, BlockDigests::memory_bytes) + self.plan_bytes
    }
}

/// The result of reading the start of a file.
enum Opening {
    Ready(Box<OpenedCsv>),
    /// The caller must first lease this many bytes, because the first record is long or the file has many digests.
    /// While the caller waits for the lease, it must not hold the record. So the caller drops the record, waits, and
    /// reads the file again.
    NeedsMemory(usize),
}

/// A cut that is checked and can start.
pub struct PreparedCut {
    pub(super) recipe: Arc<Recipe>,
    pub(super) details: Value,
    pub(super) scan: FileScan,
    pub(super) processor: StreamingCsvProcessor,
    pub(super) lease: Lease,
    /// If the cut has read this many bytes and has no output, its response begins.
    pub(super) max_unanswered_bytes: u64,
}

impl PreparedCut {
    /// Cancels the cut before it starts.
    pub async fn cancel(mut self) {
        self.scan.cancel().await;
    }

    /// Returns how many bytes of the file the cut will read and skip.
    pub fn planned(&self) -> PlannedBytes {
        self.scan.planned()
    }
}

impl CutService {
    /// Opens a file as CSV. With `digests`, the scan compares each digest block that it reads with the digest of this
    /// block.
    ///
    /// # Errors
    /// `malformed_csv` if the first record is too long; the errors of [`FileScan::open`].
    pub async fn open(
        &self,
        file: Arc<FileRow>,
        asked: InputOptions,
        digests: Option<Arc<BlockDigests>>,
        lease: Option<Lease>,
    ) -> Result<OpenFile> {
        self.open_whole(file, asked, Kept { digests, plan_bytes: 0 }, lease).await
    }

    /// Does the same as [`Self::open`]. `lease` also becomes a lease for the filter of a request.
    ///
    /// # Errors
    /// The errors of [`Self::open`].
    pub(super) async fn open_filtered(
        &self,
        file: Arc<FileRow>,
        request: &CutRequest,
        digests: Option<Arc<BlockDigests>>,
        lease: Option<Lease>,
    ) -> Result<OpenFile> {
        let kept = Kept { digests, plan_bytes: filter_memory_bytes(request) };
        self.open_whole(file, request.input.clone(), kept, lease).await
    }

    async fn open_whole(
        &self,
        file: Arc<FileRow>,
        asked: InputOptions,
        kept: Kept,
        mut lease: Option<Lease>,
    ) -> Result<OpenFile> {
        loop {
            let digests = kept.digests.clone();
            let mut scan = FileScan::open(self.storage.clone(), file.clone(), digests, None).await?;
            match self.read_opening(&mut scan, file.input(&asked), &kept, &mut lease).await? {
                Opening::Ready(opened) => return Ok(OpenFile { opened: *opened, scan, lease }),
                Opening::NeedsMemory(bytes) => {
                    scan.cancel().await;
                    lease = self.storage.app.lease_wide_memory(bytes).await?;
                }
            }
        }
    }

    /// Tries to make `lease` a lease of at least `bytes`, without waiting. If there is not enough free memory, sets
    /// `lease` to `None` and returns `false`.
    pub(super) fn try_grow(&self, lease: &mut Option<Lease>, bytes: usize) -> bool {
        let needed = Memory::wasm(bytes.min(WIDE_BUDGET.wasm));
        if lease.as_ref().is_some_and(|lease| lease.amount().wasm >= needed.wasm) {
            return true;
        }
        *lease = None;
        let app = &self.storage.app;
        *lease = app.memory.wide.try_lease_now(needed, Memory::default(), app.clock.now());
        lease.is_some()
    }

    /// Opens a file for a cut. The scan skips the byte ranges in which no row can match the filter. Also returns the
    /// kind of value of each column, if the result is typed and the file has a profile.
    async fn open_planned(
        &self,
        file: FileRow,
        request: &CutRequest,
        recipe_bytes: usize,
    ) -> Result<(OpenFile, Option<Vec<ValueKind>>)> {
        let profile = self.storage.profile(&file).await?;
        self.check_operands(&file, request, profile.as_deref())?;
        let is_typed = request.output.typed && file.is_read_as_profiled(&request.input);
        let value_kinds = profile.as_deref().filter(|_| is_typed).map(Profile::value_kinds);
        let file = Arc::new(file);
        let digests = digests_in(profile.as_deref());
        self.check_known_failure(&file, request, profile.as_deref())?;
        let undecodable = known_undecodable(&file, request, profile.as_deref());
        let plan_bytes = BYTES_PER_RECIPE_BYTE * recipe_bytes + filter_memory_bytes(request);
        let kept = Kept { digests: digests.clone(), plan_bytes };
        let plan = self.scan_plan(&file, request, profile.as_deref())?;
        let (profile, lease) = profile.map(FileProfile::into_parts).unzip();
        let mut lease = lease.flatten();
        if let (Some(plan), Some(profile)) = (plan, profile) {
            let mut scan = FileScan::open(self.storage.clone(), file.clone(), digests, Some(plan)).await?;
            let opening = self.read_opening(&mut scan, request.input.clone(), &kept, &mut lease).await?;
            match opening {
                Opening::Ready(mut opened) if profile.suits(&opened) => {
                    if let Some((_, undecodable)) = undecodable {
                        opened.set_known_undecodable(undecodable);
                    }
                    return Ok((OpenFile { opened: *opened, scan, lease }, value_kinds));
                }
                _ => scan.cancel().await,
            }
        }
        let mut file = self.open_whole(file, request.input.clone(), kept, lease).await?;
        if let Some((encoding, undecodable)) = undecodable
            && encoding == file.opened.dialect.encoding
        {
            file.opened.set_known_undecodable(undecodable);
        }
        Ok((file, value_kinds))
    }

    /// Refuses a cut if the profile knows a record that exceeds a limit. The cut is accepted if it has no filter and
    /// its limit ends before this record.
    ///
    /// # Errors
    /// `unknown_column`, `bad_filter`; `malformed_csv` with the position of the record.
    pub(super) fn check_known_failure(
        &self,
        file: &FileRow,
        request: &CutRequest,
        profile: Option<&Profile>,
    ) -> Result<()> {
        let profile = profile.filter(|_| file.is_read_as_profiled(&request.input));
        let limit_bytes = self.storage.app.config.max_record_size_bytes;
        let failure = profile.and_then(|profile| profile.failure);
        let Some(failure) = failure.filter(|failure| failure.is_independent_of_mode(limit_bytes)) else {
            return Ok(());
        };
        if let Some(profile) = profile.filter(|profile| profile.dialect.is_some()) {
            request.plan(&profile.header()).map_err(request_problem)?;
        }
        let last_row = request.limit.map(|limit| request.offset.saturating_add(limit));
        let ends_before = request.filter.is_none() && last_row.is_some_and(|row| row < failure.record);
        if ends_before { Ok(()) } else { Err(csv_problem(failure.into())) }
    }

    /// Reads the start of the file until its dialect is known. `lease` becomes a lease for the header, for the data
    /// that a cut makes from the header, and for the digests. If all of them need little memory, `lease` becomes
    /// `None`.
    async fn read_opening(
        &self,
        scan: &mut FileScan,
        options: InputOptions,
        kept: &Kept,
        lease: &mut Option<Lease>,
    ) -> Result<Opening> {
        let limit = self.storage.app.config.max_record_size_bytes;
        let mut opening = CsvOpener::new(options, limit).map_err(csv_problem)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let opened = loop {
            piece.clear();
            if scan.read(&mut piece).await? == 0 {
                break opening.finish().map_err(csv_problem)?;
            }
            match opening.push(&piece) {
                Ok(OpeningStatus::NeedMore) => {}
                Ok(OpeningStatus::Ready(opened)) => break *opened,
                Err(error) => {
                    scan.cancel().await;
                    return Err(csv_problem(error));
                }
            }
            if opening.held_bytes() > LONG_RECORD_BYTES && !self.try_grow(lease, 2 * limit) {
                return Ok(Opening::NeedsMemory(2 * limit));
            }
        };
        let bytes = 2 * opened.header.memory_bytes() + kept.memory_bytes();
        if bytes <= SMALL_BYTES {
            *lease = None;
        } else if !self.try_grow(lease, bytes) {
            return Ok(Opening::NeedsMemory(bytes));
        }
        if let Some(lease) = lease {
            lease.shrink_to(Memory::wasm(bytes));
        }
        Ok(Opening::Ready(Box::new(opened)))
    }

    /// Checks a cut against the file's header before the cut writes anything. Leases `memory` before it reads the file.
    ///
    /// # Errors
    /// `unknown_column`, `bad_filter`, `malformed_csv`, `too_large` if the result would be too long, `unavailable` if
    /// the memory cannot be leased, or the errors of [`FileScan::open`].
    pub async fn prepare(
        &self,
        file: FileRow,
        mut request: CutRequest,
        memory: Memory,
    ) -> Result<PreparedCut> {
        let mut lease = self.storage.app.lease_memory(memory).await?;
        let is_profiled = file.row_count.is_some() && file.is_read_as_profiled(&request.input);
        // The recipe must say in which encoding the file was read.
        request.input = file.input(&request.input);
        let refuses_rows = request.strict
            || request.input.ragged == Some(Ragged::Refuse)
            || request.output.quote == OutQuote::None;
        let max_unanswered_bytes = if is_profiled && !refuses_rows { MAX_UNANSWERED_BYTES } else { u64::MAX };
        let recipe = recipe_of(&file, &request)?;
        let (OpenFile { opened, mut scan, lease: wide }, value_kinds) =
            self.open_planned(file, &request, recipe.text().len()).await?;
        lease.join(wide);
        let typed_by = if value_kinds.is_some() { "columns" } else { "cells" };
        let plan = match request.plan(&opened.header) {
            Ok(plan) => CutPlan { value_kinds, ..plan },
            Err(error) => {
                scan.cancel().await;
                return Err(request_problem(error));
            }
        };
        let mut details = json!({
            "encoding": opened.dialect.encoding.name(),
            "encodingSource": opened.dialect.encoding_source.name().to_lowercase(),
            "delimiter": opened.dialect.table.delimiter,
            "dialect": opened.dialect,
            "columns": opened.header.len(),
        });
        if request.output.typed {
            details["typedBy"] = json!(typed_by);
        }
        let processor = StreamingCsvProcessor::new(opened, plan);
        if let Err(problem) = check_estimate(scan.file(), &request, processor.row_overhead_bytes()) {
            scan.cancel().await;
            return Err(problem);
        }
        Ok(PreparedCut { recipe, details, scan, processor, lease, max_unanswered_bytes })
    }
}

/// Returns the memory of the regular expressions of a filter, in bytes.
pub(super) fn filter_memory_bytes(request: &CutRequest) -> usize {
    REGEX_MEMORY_BYTES * request.filter.as_ref().map_or(0, Filter::regex_count)
}

/// Returns the undecodable sequences of the file and the encoding of the file, if the profile knows both.
fn known_undecodable(
    file: &FileRow,
    request: &CutRequest,
    profile: Option<&Profile>,
) -> Option<(FileEncoding, Undecodable)> {
    let profile = profile.filter(|_| file.is_read_as_profiled(&request.input))?;
    Some((profile.dialect.as_ref()?.encoding, profile.undecodable()?))
}

/// Returns the SHA-256 of the recipe that the receipt of a cut will have, in hex.
///
/// # Errors
/// `too_large`.
pub fn recipe_sha256(file: &FileRow, request: &CutRequest) -> Result<String> {
    let request = CutRequest { input: file.input(&request.input), ..request.clone() };
    Ok(recipe_of(file, &request)?.sha256().to_owned())
}

/// Makes the recipe of a cut.
fn recipe_of(file: &FileRow, request: &CutRequest) -> Result<Arc<Recipe>> {
    let recipe = json!({
        "parent": file.id,
        "parentSha256": file.checksum,
        "cut": request.recipe(),
        "engine": ENGINE_VERSION,
    });
    let recipe = Recipe::new(file.id, &recipe);
    if recipe.is_too_long() {
        let detail = format!(
            "The recipe of this cut would have {} bytes, more than {MAX_RECIPE_BYTES}. Use fewer columns, or shorter \
             lists in the filter.",
            recipe.text().len()
        );
        return Err(Problem::new(Code::TooLarge, detail).with("limitBytes", MAX_RECIPE_BYTES as u64));
    }
    Ok(Arc::new(recipe))
}
