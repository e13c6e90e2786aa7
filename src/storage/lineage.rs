//! Lineage: the files that a file was made from, and the files that were made from it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::FileId;
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::ports::from_row;
use crate::sql;
use crate::storage::R2StorageService;

/// A parent or a child of a file, and how the child was made.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Relative {
    /// The id of the parent or child.
    pub file_id: String,
    /// The name of the parent or child; null if the name is not known.
    pub filename: Option<String>,
    /// `active`, `archived`, `deleted` (in the trash), or `purged` after permanent deletion; null if the status is not
    /// known.
    pub lifecycle_status: Option<String>,
    /// How the child was made; always `cut`.
    pub relationship_type: String,
    /// SHA-256 of the recipe, 64 hex digits; null if an older version of Cutty saved the cut. To get the recipe, send
    /// `GET /api/files/{id}/recipe` with the id of the child.
    pub recipe_sha256: Option<String>,
    /// When the child was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
struct RelativeRow {
    file_id: String,
    filename: Option<String>,
    lifecycle_status: Option<String>,
    relationship_type: String,
    recipe_sha256: Option<String>,
    created_at: Timestamp,
}

impl From<RelativeRow> for Relative {
    fn from(row: RelativeRow) -> Self {
        Self {
            file_id: row.file_id,
            filename: row.filename,
            lifecycle_status: row.lifecycle_status.map(public_status),
            relationship_type: row.relationship_type,
            recipe_sha256: row.recipe_sha256,
            created_at: row.created_at,
        }
    }
}

/// Returns the status that clients see. A `dead` row is shown as `purged`: its bytes wait for the purge, but no request
/// can read them.
fn public_status(status: String) -> String {
    if status == "dead" { "purged".to_owned() } else { status }
}

/// A file's parents, and a page of its children.
pub struct Lineage {
    /// The files that this file was made from.
    pub parents: Vec<Relative>,
    /// The files that were made from this file, oldest first.
    pub children: Vec<Relative>,
    /// Whether there are more children after this page.
    pub has_more: bool,
}

impl R2StorageService {
    /// Returns the parents of a file and a page of its children. The page has at most `limit` children and begins after
    /// the child with the creation time and the id in `after`.
    ///
    /// # Errors
    /// `not_found` if the file does not exist or belongs to another owner; `forbidden`.
    pub async fn lineage(
        &self,
        id: FileId,
        after: Option<(Timestamp, String)>,
        limit: u64,
    ) -> Result<Lineage> {
        let user = self.allow(Scope::Read, Some(id))?;
        self.fetch(user, id).await?;
        let (after_time, after_id) =
            after.map_or((String::new(), String::new()), |(t, id)| (t.to_string(), id));
        let parents = sql::files::Parents { file: id, user, tag: self.actor.tag() };
        let children = sql::files::Children {
            file: id,
            user,
            tag: self.actor.tag(),
            after_time: &after_time,
            after_id: &after_id,
            limit: limit + 1,
        };
        let batch = vec![parents.statement(), children.statement()];
        let mut results = self.app.database.batch(batch).await?.into_iter();
        let mut relatives = || -> Result<Vec<Relative>> {
            let rows = results.next().unwrap_or_default();
            rows.into_iter().map(|row| from_row::<RelativeRow>(row).map(Relative::from)).collect()
        };
        let (parents, mut children) = (relatives()?, relatives()?);
        let has_more = children.len() as u64 > limit;
        children.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Lineage { parents, children, has_more })
    }
}
