//! Saved recipes: cuts that a user has given a name.

use super::statement::statements;
use crate::domain::ids::{RecipeId, UserId};
use crate::domain::time::Timestamp;

statements! {
    /// Inserts a recipe, unless `:user` has a recipe with this name or already has `:most` recipes.
    Insert<'a> {
        recipe: RecipeId,
        user: &'a UserId,
        name: &'a str,
        cut: &'a str,
        columns: &'a str,
        most: u64,
        now: Timestamp,
    } = "INSERT INTO saved_recipes (id, user_id, name, cut, columns, created_at, updated_at)
        SELECT :recipe, :user, :name, :cut, :columns, :now, :now
        WHERE (SELECT count(*) FROM saved_recipes WHERE user_id = :user) < :most
        ON CONFLICT (user_id, name) DO NOTHING";
    /// Selects the recipe of `:user` with this name.
    Named<'a> { user: &'a UserId, name: &'a str } =
        "SELECT id, name, cut, columns, created_at, updated_at FROM saved_recipes
        WHERE user_id = :user AND name = :name";
    /// Selects a recipe of `:user`.
    Get<'a> { recipe: RecipeId, user: &'a UserId } =
        "SELECT id, name, cut, columns, created_at, updated_at FROM saved_recipes
        WHERE id = :recipe AND user_id = :user";
    /// Changes a recipe of `:user`. A value that is NULL is not changed. Does nothing if another recipe of `:user` has
    /// the new name.
    Change<'a> {
        recipe: RecipeId,
        user: &'a UserId,
        name: Option<&'a str>,
        cut: Option<&'a str>,
        columns: Option<&'a str>,
        now: Timestamp,
    } = "UPDATE saved_recipes SET name = coalesce(:name, name), cut = coalesce(:cut, cut),
            columns = coalesce(:columns, columns), updated_at = :now
        WHERE id = :recipe AND user_id = :user AND NOT EXISTS (SELECT 1 FROM saved_recipes AS other
            WHERE other.user_id = :user AND other.name = :name AND other.id <> :recipe)
        RETURNING id, name, cut, columns, created_at, updated_at";
    /// Deletes a recipe of `:user`. Returns its id.
    Delete<'a> { recipe: RecipeId, user: &'a UserId } =
        "DELETE FROM saved_recipes WHERE id = :recipe AND user_id = :user RETURNING id";
    /// Selects at most `:limit` recipes of `:user` whose names contain `:name_part`, ordered by name. The page begins
    /// after the name `:after_name`, and ends with the recipe with which the page has `:most_bytes` bytes. `found` is
    /// the number of recipes without the limit in bytes.
    List<'a> {
        user: &'a UserId,
        name_part: Option<&'a str>,
        after_name: &'a str,
        most_bytes: u64,
        limit: u64,
    } = "SELECT id, name, cut, columns, created_at, updated_at, found FROM (
            SELECT *, count(*) OVER () AS found,
                sum(length(cut) + length(columns)) OVER (ORDER BY name) - length(cut) - length(columns) AS bytes_before
            FROM (SELECT * FROM saved_recipes WHERE user_id = :user AND name > :after_name
                AND (:name_part IS NULL OR instr(lower(name), lower(:name_part)) > 0)
                ORDER BY name LIMIT :limit))
        WHERE bytes_before < :most_bytes ORDER BY name";
}
