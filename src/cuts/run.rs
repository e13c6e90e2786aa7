//! Starts a prepared cut: as a stream or as a new file.

use super::open::PreparedCut;
use super::service::CutService;
use super::stream::CutStream;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::domain::ids::{AttemptId, CutId, FileId};
use crate::domain::principal::Scope;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::sniff;
use crate::ports::Statement;
use crate::sql;
use crate::storage::file::FileRow;
use crate::storage::part_writer::{PartWriter, STREAM_PART_BYTES};
use crate::storage::protocol::{Leftover, NewFile, Origin};
use crate::storage::recipes::keep_recipe;

/// Returns the statements that the batch which stores a file also runs, for the id of the file and of its attempt.
pub type AddToCommit<'a> = dyn Fn(FileId, AttemptId) -> Result<Vec<Statement>> + Sync + 'a;

impl CutService {
    /// Starts a prepared cut and stores its receipt as `running`.
    ///
    /// # Errors
    /// `forbidden`; `unavailable` if the receipt cannot be stored.
    pub async fn begin(&self, prepared: PreparedCut) -> Result<CutStream> {
        let app = &self.storage.app;
        let id = app.fresh_id::<CutId>();
        let user = self.storage.allow(Scope::Cut, Some(prepared.scan.file().id))?;
        let now = app.now();
        let start = sql::cuts::Start {
            cut: id,
            user,
            file: prepared.scan.file().id,
            recipe_sha256: prepared.recipe.sha256(),
            details: &prepared.details.to_string(),
            now,
        };
        let mut statements = Vec::from(keep_recipe(&prepared.recipe, user, now));
        statements.push(start.statement());
        app.database.batch(statements).await?;
        Ok(CutStream::new(app.clone(), self.storage.actor.clone(), id, prepared))
    }

    /// Saves a cut as a file, with its lineage.
    ///
    /// # Errors
    /// `forbidden`; the errors of the cut and of storing a file. If there is an error, no file is stored.
    pub async fn save(&self, prepared: PreparedCut, new: NewFile) -> Result<(CutId, FileRow)> {
        self.save_with(prepared, new, &|_, _| Ok(Vec::new())).await
    }

    /// Does the same as [`Self::save`]. The batch that stores the file also runs the statements that `add` returns for the
    /// id of the file and the id of its attempt.
    ///
    /// # Errors
    /// The errors of [`Self::save`] and of `add`.
    pub async fn save_with(
        &self,
        prepared: PreparedCut,
        mut new: NewFile,
        add: &AddToCommit<'_>,
    ) -> Result<(CutId, FileRow)> {
        if let Err(problem) = self.storage.allow(Scope::Write, None) {
            prepared.cancel().await;
            return Err(problem);
        }
        new.origin = Origin::Cut { recipe: prepared.recipe.clone() };
        let mut stream = self.begin(prepared).await?;
        stream.leave_receipt_to_caller();
        match self.store(&mut stream, new, add).await {
            Ok(row) => Ok((stream.id(), row)),
            Err(problem) => {
                stream.fail(&problem).await;
                Err(problem)
            }
        }
    }

    /// Writes the output of a cut into a new file. The commit of the file completes the receipt.
    async fn store(&self, stream: &mut CutStream, new: NewFile, add: &AddToCommit<'_>) -> Result<FileRow> {
        let mut writer = self.storage.begin_streamed_file(new, STREAM_PART_BYTES).await?;
        if let Err(problem) = copy(stream, &mut writer).await {
            writer.discard().await;
            return Err(problem);
        }
        let (mut attempt, stored) = writer.finish().await?;
        match add(attempt.file(), attempt.id()) {
            Ok(statements) => attempt.add_to_commit(statements),
            Err(problem) => {
                attempt.abandon(Leftover::Perhaps).await;
                return Err(problem);
            }
        }
        let (statements, entry) = match stream.completion() {
            Ok(completion) => completion,
            Err(problem) => {
                attempt.abandon(Leftover::Perhaps).await;
                return Err(problem);
            }
        };
        attempt.add_to_commit(statements);
        let (file, user) = (attempt.file(), attempt.owner());
        let saved = sql::cuts::MarkSaved { cut: stream.id(), user, file }.statement();
        attempt.add_to_commit(vec![saved]);
        attempt.set_saved_cut(stream.id());
        let row = attempt.commit(&stored).await?;
        self.storage.app.audit().log(&entry);
        Ok(row)
    }
}

async fn copy(stream: &mut CutStream, writer: &mut PartWriter) -> Result<()> {
    let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
    let mut is_first = true;
    while stream.read(&mut piece).await? > 0 {
        if std::mem::take(&mut is_first) {
            let checked = sniff::check_result_content(&piece);
            checked.map_err(|refusal| Problem::new(Code::UnsupportedType, sentence(&refusal)))?;
        }
        writer.write(&piece).await?;
        piece.clear();
    }
    Ok(())
}
