//! Saved recipes: cuts that a user has given a name, to run them on other files.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problems::request_problem;
use super::service::CutService;
use crate::audit::action::Action;
use crate::csv::filter::text;
use crate::csv::request::CutRequest;
use crate::csv::{Header, InputOptions};
use crate::domain::ids::{FileId, RecipeId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Row, from_row};
use crate::sql;

/// Maximum number of saved recipes of one user.
pub const MAX_RECIPES: u64 = 1_000;
/// Maximum length of the cut in a saved recipe, in bytes of JSON.
pub const MAX_CUT_BYTES: usize = 64 << 10;
/// A page of a list ends when its cuts have this number of bytes.
const MAX_LIST_BYTES: u64 = 512 << 10;

/// A saved recipe.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedRecipe {
    /// The id, a UUID.
    pub id: String,
    /// The name, unique among your recipes.
    pub name: String,
    /// The cut: a body for `POST /api/files/{id}/cut`.
    #[schema(value_type = Object)]
    pub cut: Value,
    /// The filter of the cut as text; null if the cut keeps all rows.
    pub filter: Option<String>,
    /// Every column that the cut names.
    pub columns: Vec<String>,
    /// When the recipe was saved first.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the recipe was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Whether the file of the request has every column that the cut names. Absent if the request names no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suits: Option<bool>,
    /// The columns that the file of the request does not have. Absent if the request names no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
}

/// One page of saved recipes.
pub struct RecipePage {
    /// The recipes, ordered by name.
    pub recipes: Vec<SavedRecipe>,
    /// Whether there are more recipes after the page.
    pub has_more: bool,
}

/// What a page of saved recipes contains.
pub struct RecipeQuery<'a> {
    /// Only recipes whose name contains this text. ASCII letters match in upper and lower case.
    pub name_part: Option<&'a str>,
    /// The name of the last recipe before the page; empty for the first page.
    pub after_name: &'a str,
    /// Maximum number of recipes.
    pub limit: u64,
    /// The file with whose columns the recipes are compared.
    pub file: Option<FileId>,
}

/// The new values of a saved recipe; `None` changes nothing.
#[derive(Debug, Default)]
pub struct RecipeChange {
    /// The name.
    pub name: Option<String>,
    /// The cut.
    pub cut: Option<CheckedCut>,
}

/// A cut that can be saved.
#[derive(Debug)]
pub struct CheckedCut {
    cut: Value,
    text: String,
    columns: String,
}

impl CheckedCut {
    /// Checks the length of a cut. `request` is the parsed `cut`.
    ///
    /// # Errors
    /// `too_large`.
    pub fn new(cut: &Value, request: &CutRequest) -> Result<Self> {
        let text = cut.to_string();
        if text.len() > MAX_CUT_BYTES {
            let detail = format!(
                "The cut has {} bytes of JSON, more than {MAX_CUT_BYTES}. Use fewer columns, or shorter lists in the \
                 filter.",
                text.len()
            );
            return Err(Problem::new(Code::TooLarge, detail).with("limitBytes", MAX_CUT_BYTES as u64));
        }
        let columns = serde_json::to_string(&request.named_columns()).map_err(Problem::internal)?;
        Ok(Self { cut: cut.clone(), text, columns })
    }
}

#[derive(Deserialize)]
struct SavedRecipeRow {
    id: String,
    name: String,
    cut: String,
    columns: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl SavedRecipe {
    fn read(row: Row) -> Result<Self> {
        let row: SavedRecipeRow = from_row(row)?;
        let cut: Value = serde_json::from_str(&row.cut).map_err(Problem::internal)?;
        let request = CutRequest::from_json(&cut).map_err(request_problem)?;
        Ok(Self {
            filter: request.filter.as_ref().map(text::render),
            cut,
            columns: serde_json::from_str(&row.columns).map_err(Problem::internal)?,
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
            suits: None,
            missing: None,
        })
    }

    fn compare(&mut self, header: &Header) {
        let missing = self.columns.iter().filter(|name| header.resolve(name).is_err());
        let missing: Vec<String> = missing.cloned().collect();
        (self.suits, self.missing) = (Some(missing.is_empty()), Some(missing));
    }
}

impl CutService {
    /// Saves a cut under a name. If the user has a recipe with the same name and the same cut, returns that recipe. So
    /// a repeated request has no second effect.
    ///
    /// # Errors
    /// `conflict` if the name belongs to another cut, or if there are too many recipes; `forbidden`.
    pub async fn save_recipe(&self, name: &str, cut: &CheckedCut) -> Result<SavedRecipe> {
        let (app, user) = (&self.storage.app, self.storage.actor.allow_account(Scope::Write)?);
        let recipe = app.fresh_id::<RecipeId>();
        let entry = self.storage.entry(Action::SaveRecipe).about(recipe);
        let insert = sql::saved_recipes::Insert {
            recipe,
            user,
            name,
            cut: &cut.text,
            columns: &cut.columns,
            most: MAX_RECIPES,
            now: app.now(),
        };
        let named = sql::saved_recipes::Named { user, name };
        let batch = vec![insert.statement(), entry.statement_if_changed(app)?, named.statement()];
        let mut results = app.database.batch(batch).await?;
        let Some(row) = results.pop().and_then(|mut rows| rows.pop()) else {
            let detail =
                format!("You have {MAX_RECIPES} recipes. Delete one with DELETE /api/recipes/{{id}}.");
            return Err(Problem::new(Code::Conflict, detail).with("limit", MAX_RECIPES));
        };
        let recipe = SavedRecipe::read(row)?;
        if recipe.cut != cut.cut {
            return Err(name_is_taken(&recipe));
        }
        if entry.subject.as_deref() == Some(recipe.id.as_str()) {
            app.audit().log(&entry);
        }
        Ok(recipe)
    }

    /// Returns a saved recipe. The principal needs `scope`: [`Scope::Read`] to see it, or [`Scope::Cut`] to run it.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn saved_recipe(&self, scope: Scope, id: &str) -> Result<SavedRecipe> {
        let user = self.storage.actor.allow_account(scope)?;
        let get = sql::saved_recipes::Get { recipe: recipe_id(id)?, user };
        let row = self.storage.app.database.query(get.statement()).await?.pop();
        SavedRecipe::read(row.ok_or_else(no_such_recipe)?)
    }

    /// Changes a saved recipe.
    ///
    /// # Errors
    /// `not_found`; `conflict` if another recipe has the new name; `forbidden`.
    pub async fn change_recipe(&self, id: &str, change: &RecipeChange) -> Result<SavedRecipe> {
        let (app, user) = (&self.storage.app, self.storage.actor.allow_account(Scope::Write)?);
        let recipe = recipe_id(id)?;
        let statement = sql::saved_recipes::Change {
            recipe,
            user,
            name: change.name.as_deref(),
            cut: change.cut.as_ref().map(|cut| cut.text.as_str()),
            columns: change.cut.as_ref().map(|cut| cut.columns.as_str()),
            now: app.now(),
        };
        let get = sql::saved_recipes::Get { recipe, user };
        let entry = self.storage.entry(Action::ChangeRecipe).about(recipe);
        let batch = vec![get.statement(), statement.statement(), entry.statement_if_changed(app)?];
        let mut results = app.database.batch(batch).await?.into_iter().map(|rows| rows.into_iter().next());
        let (found, changed) = (results.next().flatten(), results.next().flatten());
        match (changed, found) {
            (Some(row), _) => {
                app.audit().log(&entry);
                SavedRecipe::read(row)
            }
            (None, Some(_)) => {
                let detail = "Another recipe has this name. Choose another name, or delete the other recipe.";
                Err(Problem::new(Code::Conflict, detail).with("field", "name"))
            }
            (None, None) => Err(no_such_recipe()),
        }
    }

    /// Deletes a saved recipe.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_recipe(&self, id: &str) -> Result<()> {
        let (app, user) = (&self.storage.app, self.storage.actor.allow_account(Scope::Write)?);
        let recipe = recipe_id(id)?;
        let entry = self.storage.entry(Action::DeleteRecipe).about(recipe);
        let delete = sql::saved_recipes::Delete { recipe, user };
        let batch = vec![delete.statement(), entry.statement_if_changed(app)?];
        let deleted = app.database.batch(batch).await?.into_iter().next().unwrap_or_default();
        if deleted.is_empty() {
            return Err(no_such_recipe());
        }
        app.audit().log(&entry);
        Ok(())
    }

    /// Returns one page of the user's saved recipes. If the query names a file, compares the recipes with its columns.
    ///
    /// # Errors
    /// `forbidden`; `not_found` if there is no such file; the errors of [`Self::columns`].
    pub async fn saved_recipes(&self, query: &RecipeQuery<'_>) -> Result<RecipePage> {
        let user = self.storage.actor.allow_account(Scope::Read)?;
        let header = match query.file {
            None => None,
            Some(id) => Some(self.header_of(id).await?),
        };
        let list = sql::saved_recipes::List {
            user,
            name_part: query.name_part,
            after_name: query.after_name,
            most_bytes: MAX_LIST_BYTES,
            // The extra recipe shows that there is another page.
            limit: query.limit + 1,
        };
        let rows = self.storage.app.database.query(list.statement()).await?;
        let found = rows.first().and_then(|row| row.get("found")).and_then(Value::as_u64).unwrap_or(0);
        let has_more = found > query.limit.min(rows.len() as u64);
        let shown = rows.into_iter().take(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let mut recipes = shown.map(SavedRecipe::read).collect::<Result<Vec<_>>>()?;
        if let Some(header) = &header {
            recipes.iter_mut().for_each(|recipe| recipe.compare(header));
        }
        Ok(RecipePage { recipes, has_more })
    }

    async fn header_of(&self, id: FileId) -> Result<Header> {
        let file = self.storage.find_undamaged(Scope::Read, id).await?;
        let columns = self.columns(&file, InputOptions::default()).await?.columns;
        Ok(Header::new(columns.iter().map(|(name, _)| name.into_owned()).collect()))
    }
}

fn recipe_id(text: &str) -> Result<RecipeId> {
    RecipeId::parse(text).ok_or_else(no_such_recipe)
}

fn no_such_recipe() -> Problem {
    Problem::new(Code::NotFound, "There is no such recipe, or it is not yours. GET /api/recipes lists yours.")
}

fn name_is_taken(recipe: &SavedRecipe) -> Problem {
    let detail = format!(
        "You have a recipe with this name and another cut. Choose another name, or change it with PATCH \
         /api/recipes/{}.",
        recipe.id
    );
    Problem::new(Code::Conflict, detail).with("field", "name").with("id", recipe.id.as_str())
}
