//! Cuts of stored files: opened, checked against the file's header, streamed or saved, and accounted for by a receipt.
//!
//! The cut itself is [`crate::csv`]; here it meets the store, the database and the client.

pub mod estimate;
pub mod gzip;
pub mod pages;
pub mod receipt;
pub mod scan;
pub mod spool;
pub mod stream;

use serde_json::{Value, json};

use crate::csv::filter::FilterError;
use crate::csv::request::{CutRequest, RequestError};
use crate::csv::{CsvError, InputOptions, Opened, Opening, Readiness, StreamingCsvProcessor};
use crate::error::{Code, Problem, Result, sentence};
use crate::ids::CutId;
use crate::ports::{ByteSource, PIECE_BYTES, Statement};
use crate::sql;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::part_writer::PartWriter;
use crate::storage::protocol::{NewFile, Origin};
use scan::{PlannedBytes, Scan};
use stream::CutStream;

/// Which engine made a file, for its recipe: a recipe's bytes can be made again by the same version.
pub const ENGINE_VERSION: &str = concat!("cutty-csv/", env!("CARGO_PKG_VERSION"));

/// Cuts a user's files.
#[derive(Clone)]
pub struct CutService {
    storage: R2StorageService,
}

/// A file opened for reading as CSV, and the bytes behind what opening it took in.
pub struct OpenFile {
    /// Encoding, dialect and header.
    pub opened: Opened,
    /// The rest.
    pub scan: Scan,
}

/// A cut that is checked and may begin.
pub struct PreparedCut {
    request: CutRequest,
    details: Value,
    scan: Scan,
    processor: StreamingCsvProcessor,
}

impl PreparedCut {
    /// Gives up before the beginning.
    pub async fn cancel(mut self) {
        self.scan.cancel().await;
    }

    /// How much of the file it will read.
    pub fn planned(&self) -> PlannedBytes {
        self.scan.planned()
    }
}

impl CutService {
    /// Cuts the files of this service.
    pub fn new(storage: R2StorageService) -> Self {
        Self { storage }
    }

    /// Opens a file as CSV.
    ///
    /// # Errors
    /// `malformed_csv` when its first record is out of bounds; those of reading it.
    pub async fn open(&self, file: &FileRow, asked: InputOptions) -> Result<OpenFile> {
        let mut scan = Scan::open(self.storage.clone(), file.clone(), None).await?;
        let opened = self.read_opening(&mut scan, file.input(asked)).await?;
        Ok(OpenFile { opened, scan })
    }

    /// Reads on until encoding, dialect and header are known.
    async fn read_opening(&self, scan: &mut Scan, options: InputOptions) -> Result<Opened> {
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
        let mut scan = Scan::open(self.storage.clone(), file, plan).await?;
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

    /// Begins a prepared cut: its receipt says `running` from now on.
    ///
    /// # Errors
    /// The receipt could not be stored.
    pub async fn begin(&self, prepared: PreparedCut) -> Result<CutStream> {
        let app = &self.storage.app;
        let id = CutId::fresh(app.clock.as_ref(), app.random.as_ref());
        let start = Statement::new(sql::cuts::START)
            .bind(id.to_string())
            .bind(self.storage.actor.user.as_str())
            .bind(prepared.scan.file().id.to_string())
            .bind(recipe(&prepared).to_string())
            .bind(prepared.details.to_string())
            .bind(app.now());
        app.database.query(start).await?;
        Ok(CutStream::new(app.clone(), self.storage.actor.clone(), id, prepared))
    }

    /// Stores a cut as a file of its own, which knows where it came from.
    ///
    /// # Errors
    /// Those of the cut and of storing a file; then nothing of the file stays.
    pub async fn save(&self, prepared: PreparedCut, mut new: NewFile) -> Result<(CutId, FileRow)> {
        new.origin = Origin::Cut { parent: prepared.scan.file().id, recipe: recipe(&prepared) };
        let mut stream = self.begin(prepared).await?;
        stream.leave_receipt_to_caller();
        match self.store(&mut stream, new).await {
            Ok(row) => Ok((stream.id(), row)),
            Err(problem) => {
                stream.fail(&problem).await;
                Err(problem)
            }
        }
    }

    /// Moves a cut into a new file, whose commit carries the receipt.
    async fn store(&self, stream: &mut CutStream, new: NewFile) -> Result<FileRow> {
        let mut writer = self.storage.begin_cut_file(new).await?;
        if let Err(problem) = copy(stream, &mut writer).await {
            writer.discard().await;
            return Err(problem);
        }
        let (mut attempt, stored) = writer.finish().await?;
        let (statements, operation) = stream.completion();
        attempt.settle_also(statements);
        attempt.saves(stream.id());
        let row = attempt.commit(&stored).await?;
        self.storage.app.metrics().log(&operation);
        Ok(row)
    }
}

async fn copy(stream: &mut CutStream, writer: &mut PartWriter) -> Result<()> {
    let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
    while stream.read(&mut piece).await? > 0 {
        writer.write(&piece).await?;
        piece.clear();
    }
    Ok(())
}

/// All it takes to make a cut's bytes again.
fn recipe(prepared: &PreparedCut) -> Value {
    json!({
        "parent": prepared.scan.file().id,
        "parentSha256": prepared.scan.file().checksum,
        "cut": prepared.request.recipe(),
        "engine": ENGINE_VERSION,
    })
}

/// A request for a cut that cannot be understood, as clients see it.
pub fn request_problem(error: RequestError) -> Problem {
    let detail = error.to_string();
    match error {
        RequestError::BadFilter(error) => filter_problem(&error),
        RequestError::UnknownColumn { reference, known, total } => Problem::new(Code::UnknownColumn, detail)
            .with("column", reference)
            .with("known", known)
            .with("total", total),
        RequestError::UnknownOption { name, known, .. } => {
            Problem::new(Code::UnknownOption, detail).with("option", name).with("known", known)
        }
        RequestError::BadOption { .. }
        | RequestError::RepeatedOption { .. }
        | RequestError::NotAnObject { .. } => Problem::new(Code::BadRequest, detail),
    }
}

fn filter_problem(error: &FilterError) -> Problem {
    let problem =
        Problem::new(Code::BadFilter, error.to_string()).with("where", format!("{:?}", error.place));
    match error.position {
        Some(position) => problem.with("position", position),
        None => problem,
    }
}

/// A file that cannot be cut, as clients see it.
pub fn csv_problem(error: CsvError) -> Problem {
    match error {
        CsvError::Malformed(fault) => Problem::new(
            Code::MalformedCsv,
            format!("{} Mend the file and upload it again.", sentence(&fault)),
        )
        .with("record", fault.record)
        .with("line", fault.line)
        .with("byte", fault.byte),
        CsvError::BadDelimiter(_) | CsvError::BadEncoding(_) => {
            Problem::new(Code::BadRequest, sentence(&error))
        }
    }
}
