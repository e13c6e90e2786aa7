//! A file opened as CSV, and a cut checked against its header.

use serde_json::{Value, json};

use super::problems::{csv_problem, request_problem};
use super::scan::{FileScan, PlannedBytes};
use super::service::CutService;
use crate::body::stream::PIECE_BYTES;
use crate::csv::request::CutRequest;
use crate::csv::{InputOptions, OpenedCsv, Opening, Readiness, StreamingCsvProcessor};
use crate::error::Result;
use crate::storage::file::FileRow;

/// Which engine made a file, for its recipe: a recipe's bytes can be made again by the same version.
pub const ENGINE_VERSION: &str = concat!("cutty-csv/", env!("CARGO_PKG_VERSION"));

/// A file opened for reading as CSV, and the bytes behind what opening it took in.
pub struct OpenFile {
    /// Encoding, dialect and header.
    pub opened: OpenedCsv,
    /// The rest.
    pub scan: FileScan,
}

/// A cut that is checked and may begin.
pub struct PreparedCut {
    pub(super) request: CutRequest,
    pub(super) details: Value,
    pub(super) scan: FileScan,
    pub(super) processor: StreamingCsvProcessor,
}

impl PreparedCut {
    /// Gives up before the beginning.
    pub async fn cancel(mut self) {
        self.scan.cancel().await;
    }

    /// All it takes to make its bytes again, as JSON.
    pub(super) fn recipe(&self) -> Value {
        json!({
            "parent": self.scan.file().id,
            "parentSha256": self.scan.file().checksum,
            "cut": self.request.recipe(),
            "engine": ENGINE_VERSION,
        })
    }

    /// How much of the file it will read.
    pub fn planned(&self) -> PlannedBytes {
        self.scan.planned()
    }
}

impl CutService {
    /// Opens a file as CSV.
    ///
    /// # Errors
    /// `malformed_csv` when its first record is out of bounds; those of reading it.
    pub async fn open(&self, file: &FileRow, asked: InputOptions) -> Result<OpenFile> {
        let mut scan = FileScan::open(self.storage.clone(), file.clone(), None).await?;
        let opened = self.read_opening(&mut scan, file.input(asked)).await?;
        Ok(OpenFile { opened, scan })
    }

    /// Reads on until encoding, dialect and header are known.
    async fn read_opening(&self, scan: &mut FileScan, options: InputOptions) -> Result<OpenedCsv> {
        let limit = self.storage.app.config.max_record_size_bytes;
        let mut opening = Opening::new(options, limit).map_err(csv_problem)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            piece.clear();
            if scan.read(&mut piece).await? == 0 {
                return opening.finish().map_err(csv_problem);
            }
            match opening.push(&piece) {
                Ok(Readiness::NeedMore) => {}
                Ok(Readiness::Ready(opened)) => return Ok(*opened),
                Err(error) => {
                    scan.cancel().await;
                    return Err(csv_problem(error));
                }
            }
        }
    }

    /// Checks a cut against the file's header, before anything is written anywhere.
    ///
    /// # Errors
    /// `unknown_column`, `malformed_csv`, or those of reading the file.
    pub async fn prepare(&self, file: FileRow, mut request: CutRequest) -> Result<PreparedCut> {
        // So that the recipe says how the file was read.
        request.input = file.input(request.input);
        let known = self.scan_plan(&file, &request).await?;
        let (profile, plan) = known.unzip();
        let mut scan = FileScan::open(self.storage.clone(), file, plan).await?;
        let mut opened = self.read_opening(&mut scan, request.input).await?;
        if profile.is_some_and(|profile| !profile.suits(&opened)) {
            scan.cancel().await;
            let OpenFile { opened: again, scan: whole } = self.open(scan.file(), request.input).await?;
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
        Ok(PreparedCut { request, details, scan, processor })
    }
}
