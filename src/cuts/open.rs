//! Opens a file as CSV and checks a cut against its header.

use std::sync::Arc;

use serde_json::{Value, json};

use super::output_budget::check_estimate;
use super::problems::{csv_problem, request_problem};
use super::scan::{FileScan, PlannedBytes};
use super::service::CutService;
use crate::body::stream::PIECE_BYTES;
use crate::csv::profile::{BlockDigests, Profile};
use crate::csv::request::CutRequest;
use crate::csv::{CsvOpener, InputOptions, OpenedCsv, OpeningStatus, StreamingCsvProcessor};
use crate::domain::recipe::{MAX_RECIPE_BYTES, Recipe};
use crate::error::{Code, Problem, Result};
use crate::memory::budget::{Lease, Memory};
use crate::storage::file::FileRow;

/// The version of the engine, stored in recipes. The same version makes the same bytes from a recipe.
pub const ENGINE_VERSION: &str = concat!("cutty-csv/", env!("CARGO_PKG_VERSION"));

/// Returns the digests in a profile, or `None` if there is no profile or it has no digests.
pub(super) fn digests_in(profile: Option<&Profile>) -> Option<Arc<BlockDigests>> {
    profile.and_then(|profile| profile.digests.clone())
}

/// A file opened as CSV.
pub struct OpenFile {
    /// The file's dialect, and the reader of its records.
    pub opened: OpenedCsv,
    /// The file's scan, positioned after the bytes that were read to open the file.
    pub scan: FileScan,
}

/// A cut that is checked and can start.
pub struct PreparedCut {
    pub(super) recipe: Arc<Recipe>,
    pub(super) details: Value,
    pub(super) scan: FileScan,
    pub(super) processor: StreamingCsvProcessor,
    pub(super) lease: Lease,
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
    /// Opens a file as CSV. With `digests`, the scan compares each digest block that it reads with its digest.
    ///
    /// # Errors
    /// `malformed_csv` if the first record is too long; the errors of [`FileScan::open`].
    pub async fn open(
        &self,
        file: Arc<FileRow>,
        asked: InputOptions,
        digests: Option<Arc<BlockDigests>>,
    ) -> Result<OpenFile> {
        let mut scan = FileScan::open(self.storage.clone(), file.clone(), digests, None).await?;
        let opened = self.read_opening(&mut scan, file.input(asked)).await?;
        Ok(OpenFile { opened, scan })
    }

    /// Reads the start of the file until its dialect is known.
    async fn read_opening(&self, scan: &mut FileScan, options: InputOptions) -> Result<OpenedCsv> {
        let limit = self.storage.app.config.max_record_size_bytes;
        let mut opening = CsvOpener::new(options, limit).map_err(csv_problem)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            piece.clear();
            if scan.read(&mut piece).await? == 0 {
                return opening.finish().map_err(csv_problem);
            }
            match opening.push(&piece) {
                Ok(OpeningStatus::NeedMore) => {}
                Ok(OpeningStatus::Ready(opened)) => return Ok(*opened),
                Err(error) => {
                    scan.cancel().await;
                    return Err(csv_problem(error));
                }
            }
        }
    }

    /// Checks a cut against the file's header before anything is written. Leases `memory` before it reads the file.
    ///
    /// # Errors
    /// `unknown_column`, `bad_filter`, `malformed_csv`, `too_large` if the result would be too long, `unavailable` if
    /// there is no memory, or the errors of [`FileScan::open`].
    pub async fn prepare(
        &self,
        file: FileRow,
        mut request: CutRequest,
        memory: Memory,
    ) -> Result<PreparedCut> {
        let lease = self.storage.app.lease_memory(memory).await?;
        // The recipe must say in which encoding the file was read.
        request.input = file.input(request.input);
        let recipe = recipe_of(&file, &request)?;
        let profile = self.storage.profile(&file).await;
        let file = Arc::new(file);
        let digests = digests_in(profile.as_deref());
        let plan = self.scan_plan(&file, &request, profile.as_deref())?;
        let planned = profile.filter(|_| plan.is_some());
        let mut scan = FileScan::open(self.storage.clone(), file.clone(), digests.clone(), plan).await?;
        let mut opened = self.read_opening(&mut scan, request.input).await?;
        if planned.is_some_and(|profile| !profile.suits(&opened)) {
            scan.cancel().await;
            let OpenFile { opened: again, scan: whole } = self.open(file, request.input, digests).await?;
            (opened, scan) = (again, whole);
        }
        let plan = match request.plan(&opened.header) {
            Ok(plan) => plan,
            Err(error) => {
                scan.cancel().await;
                return Err(request_problem(error));
            }
        };
        let details = json!({
            "encoding": opened.encoding.name(),
            "encodingSource": format!("{:?}", opened.encoding_source).to_lowercase(),
            "delimiter": char::from(opened.delimiter).to_string(),
            "columns": opened.header.len(),
        });
        let processor = StreamingCsvProcessor::new(opened, plan);
        if let Err(problem) = check_estimate(scan.file(), &request, processor.row_overhead_bytes()) {
            scan.cancel().await;
            return Err(problem);
        }
        Ok(PreparedCut { recipe, details, scan, processor, lease })
    }
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
