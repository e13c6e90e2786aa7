//! Recipes. Each recipe is stored once. Triggers delete a recipe when no receipt and no saved cut names it any more.
//! The triggers also update the total length of each user's recipes in the table `usage`.

use super::restriction::is_within_tag;
use super::statement::statements;
use crate::domain::ids::{CutId, FileId, UserId};
use crate::domain::time::Timestamp;

statements! {
    /// Makes room for a new recipe of `:recipe_bytes`: deletes recipes of `:user` until the new recipe and the
    /// remaining recipes together have at most `:most_bytes`. Deletes at most 100 recipes, and only recipes that no
    /// saved cut names. The first deleted recipe is the one whose last use is longest ago. Does nothing if the recipe
    /// `:sha256` is stored already.
    MakeRoom<'a> { user: &'a UserId, sha256: &'a str, recipe_bytes: u64, most_bytes: u64 } =
        "DELETE FROM recipes WHERE NOT EXISTS (SELECT 1 FROM recipes WHERE sha256 = :sha256) AND sha256 IN
            (SELECT sha256 FROM (SELECT sha256,
                    sum(recipe_bytes) OVER (ORDER BY used_at, sha256) - recipe_bytes AS freed_before
                FROM (SELECT sha256, used_at, recipe_bytes FROM recipes
                    WHERE user_id = :user AND is_lineage = 0 ORDER BY used_at LIMIT 100))
            WHERE freed_before < (SELECT recipe_bytes FROM usage WHERE user_id = :user)
                + :recipe_bytes - :most_bytes)";
    /// Inserts a recipe (JSON) if all recipes of `:user`, including the new recipe, have at most `:most_bytes` in
    /// total. If the recipe is stored already, sets only the time of its last use.
    Insert<'a> {
        sha256: &'a str,
        user: &'a UserId,
        file: FileId,
        recipe: &'a str,
        recipe_bytes: u64,
        most_bytes: u64,
        now: Timestamp,
    } = "INSERT INTO recipes (sha256, user_id, file_id, recipe, recipe_bytes, used_at)
        SELECT :sha256, :user, :file, :recipe, :recipe_bytes, :now
        WHERE coalesce((SELECT recipe_bytes FROM usage WHERE user_id = :user), 0) + :recipe_bytes <= :most_bytes
            OR EXISTS (SELECT 1 FROM recipes WHERE sha256 = :sha256)
        ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at";
    /// Selects the recipe of a cut of `:user`; NULL if the recipe is not stored any more. A receipt that an older
    /// version of Cutty wrote contains the recipe itself.
    OfCut<'a> { cut: CutId, user: &'a UserId, tag: Option<&'a str> } = concat!("SELECT recipe_sha256 AS sha256, CASE WHEN recipe_sha256 IS NULL
            THEN nullif(recipe, '{}')
            ELSE (SELECT recipe FROM recipes WHERE sha256 = recipe_sha256 AND user_id = :user) END AS recipe
        FROM cuts WHERE id = :cut AND user_id = :user AND ", is_within_tag!("cuts.file_id"));
    /// Selects the recipe of a saved cut of `:user`. A row of the lineage that an older version of Cutty wrote contains
    /// the recipe itself.
    OfFile<'a> { file: FileId, user: &'a UserId, tag: Option<&'a str> } = concat!("SELECT recipe_sha256 AS sha256, CASE WHEN recipe_sha256 IS NULL
            THEN nullif(recipe, '{}')
            ELSE (SELECT recipe FROM recipes WHERE sha256 = recipe_sha256 AND user_id = :user) END AS recipe
        FROM file_relationships WHERE child_file_id = :file AND EXISTS (SELECT 1 FROM files
            WHERE id = :file AND user_id = :user AND lifecycle_status IN ('active', 'archived', 'deleted')
                AND ", is_within_tag!("files.id"), ")
        ORDER BY parent_file_id LIMIT 1");
}
