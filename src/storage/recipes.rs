//! Stores recipes and returns them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ids::{FileId, UserId};
use crate::domain::principal::Scope;
use crate::domain::recipe::Recipe;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, Statement, from_row};
use crate::sql;
use crate::storage::R2StorageService;

/// Maximum total length of one user's recipes, in bytes.
pub const RECIPE_SPACE_BYTES: u64 = 64 << 20;

/// Returns the statements that store a recipe. The caller adds these statements to the batch that stores the receipt or
/// the lineage. The receipt or the lineage names the recipe by its hash. If the user's recipes would be longer than
/// [`RECIPE_SPACE_BYTES`] in total, the statements first delete recipes that no saved cut names. If this does not free
/// enough space, the statements do not store the recipe.
pub fn keep_recipe(recipe: &Recipe, user: &UserId, now: Timestamp) -> [Statement; 2] {
    let (sha256, recipe_bytes) = (recipe.sha256(), recipe.text().len() as u64);
    let most_bytes = RECIPE_SPACE_BYTES;
    let insert = sql::recipes::Insert {
        sha256,
        user,
        file: recipe.parent(),
        recipe: recipe.text(),
        recipe_bytes,
        most_bytes,
        now,
    };
    [sql::recipes::MakeRoom { user, sha256, recipe_bytes, most_bytes }.statement(), insert.statement()]
}

/// A recipe as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecipeView {
    /// SHA-256 of the recipe, 64 hex digits. Null if an older version of Cutty stored the recipe.
    pub sha256: Option<String>,
    /// The recipe. `parent` is the id of the file that was cut, and `parentSha256` is the SHA-256 of this file. `cut`
    /// is a body for `POST /api/files/{id}/cut`. `engine` is the version that made the bytes.
    #[schema(value_type = Object)]
    pub recipe: Value,
}

#[derive(Deserialize)]
struct RecipeRow {
    sha256: Option<String>,
    recipe: Option<String>,
}

impl RecipeView {
    /// Reads a row.
    ///
    /// # Errors
    /// `gone` if the recipe is not stored any more.
    pub fn read(row: Row) -> Result<Self> {
        let row: RecipeRow = from_row(row)?;
        let recipe =
            row.recipe.as_deref().map(serde_json::from_str).transpose().map_err(Problem::internal)?;
        let gone = || {
            let detail = "The recipe is not stored any more: the file that was cut was deleted permanently, or newer \
                          recipes needed the space. Make the cut again.";
            Problem::new(Code::Gone, detail)
        };
        Ok(Self { sha256: row.sha256, recipe: recipe.ok_or_else(gone)? })
    }
}

impl R2StorageService {
    /// Returns the recipe of a saved cut.
    ///
    /// # Errors
    /// - `not_found`: the file does not exist or belongs to another owner.
    /// - `conflict`: the file is not a saved cut.
    /// - `gone`: the recipe is not stored any more.
    /// - `forbidden`.
    pub async fn recipe(&self, id: FileId) -> Result<RecipeView> {
        let user = self.allow(Scope::Read, Some(id))?;
        let get = sql::recipes::OfFile { file: id, user, tag: self.actor.tag() };
        let Some(row) = self.app.database.query(get.statement()).await?.pop() else {
            self.fetch(user, id).await?;
            let detail = "The file is not a saved cut, so it has no recipe.";
            return Err(Problem::new(Code::Conflict, detail));
        };
        RecipeView::read(row)
    }
}
