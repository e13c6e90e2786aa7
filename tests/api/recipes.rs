//! Recipes: equal recipes are stored once, recipes have their own routes, and the recipes of each user have a limit in
//! bytes.

use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::client::{delete, get, post_json};

const CSV: &str = "a,b\n1,x\n2,y\n";

/// The limit for all recipes of a user, in bytes.
const SPACE: u64 = 64 << 20;

/// Returns the body of a cut whose recipe has about 1 MB. Different numbers make different recipes.
fn long_body(number: usize) -> Value {
    json!({"whereFilters": {"b": format!("IN (y,{number},{})", "z".repeat(1_000_000))}})
}

async fn saved(cutter: &Cutter, body: &Value) -> String {
    let saved = cutter.send(post_json(&format!("{}/save", cutter.path), body)).await.expect(201).json();
    format!("/api/files/{}", saved["file"]["id"].as_str().unwrap())
}

fn recipe_bytes(cutter: &Cutter) -> u64 {
    let stored = "SELECT coalesce(sum(length(recipe)), 0) AS bytes FROM recipes";
    let stored = cutter.app.database.value(stored).as_u64().unwrap();
    let counted = "SELECT coalesce(sum(recipe_bytes), 0) AS bytes FROM usage";
    assert_eq!(cutter.app.database.value(counted), stored);
    stored
}

/// Returns the number of bytes that the recipes, details and error texts of all cuts take up in the tables.
fn bytes_of_cuts(cutter: &Cutter) -> u64 {
    let bytes =
        "SELECT coalesce(sum(length(recipe) + length(details) + length(coalesce(error, ''))), 0) AS bytes";
    let bytes = |table: &str| cutter.app.database.value(&format!("{bytes} FROM {table}")).as_u64().unwrap();
    let lineage = "SELECT coalesce(sum(length(recipe)), 0) AS bytes FROM file_relationships";
    bytes("cuts") + cutter.app.database.value(lineage).as_u64().unwrap() + recipe_bytes(cutter)
}

#[tokio::test]
async fn equal_cuts_store_their_recipe_once() {
    let cutter = Cutter::new(CSV).await;
    for _ in 0..20 {
        assert_eq!(cutter.body(long_body(1)).await.expect(200).text(), "a,b\n2,y\n");
    }
    saved(&cutter, &long_body(1)).await;
    assert!(bytes_of_cuts(&cutter) < 1_100_000, "{}", bytes_of_cuts(&cutter));
    assert_eq!(cutter.app.database.row_counts()["recipes"], 1);
}

#[tokio::test]
async fn the_recipes_of_one_user_are_limited_and_the_newest_are_kept() {
    let cutter = Cutter::new(CSV).await;
    let child = saved(&cutter, &long_body(1000)).await;
    let mut receipts = Vec::new();
    for number in 0..80 {
        cutter.app.advance(chrono::TimeDelta::seconds(1));
        receipts.push(cutter.body(long_body(number)).await.expect(200).receipt_path());
        assert!(recipe_bytes(&cutter) <= SPACE);
    }
    let recipe = async |path: &str| cutter.send(get(&format!("{path}/recipe"))).await;
    recipe(&receipts[0]).await.expect_problem(410, "gone");
    assert_eq!(cutter.send(get(&receipts[0])).await.expect(200).json()["cut"]["complete"], true);
    recipe(&receipts[79]).await.expect(200);
    recipe(&child).await.expect(200);
    // If a cut uses a recipe that was deleted, the recipe is stored again.
    let again = cutter.body(long_body(0)).await.expect(200).receipt_path();
    let (first, again) = (recipe(&receipts[0]).await.expect(200), recipe(&again).await.expect(200));
    assert_eq!(first.json()["sha256"], again.json()["sha256"]);
}

#[tokio::test]
async fn a_cut_is_not_saved_if_the_recipes_of_saved_cuts_leave_no_space() {
    let cutter = Cutter::new(CSV).await;
    let first = saved(&cutter, &long_body(0)).await;
    cutter.app.database.execute(&format!("UPDATE usage SET recipe_bytes = {SPACE}"));
    let call = post_json(&format!("{}/save", cutter.path), &long_body(1));
    cutter.send(call).await.expect_problem(507, "quota_exceeded");
    assert_eq!(cutter.app.database.row_counts()["files"], 2);
    assert_eq!(cutter.app.database.row_counts()["recipes"], 1);
    // The service still runs the cut without saving it. It also still saves a cut whose recipe is already stored.
    cutter.body(long_body(1)).await.expect(200);
    saved(&cutter, &long_body(0)).await;
    assert_eq!(cutter.send(get(&format!("{first}/recipe"))).await.expect(200).json()["success"], true);
}

#[tokio::test]
async fn the_length_of_a_lineage_page_does_not_depend_on_the_length_of_the_recipes() {
    let cutter = Cutter::new(CSV).await;
    for number in 0..5 {
        saved(&cutter, &long_body(number)).await;
    }
    let page = cutter.send(get(&format!("{}/lineage", cutter.path))).await.expect(200);
    assert_eq!(page.json()["children"].as_array().unwrap().len(), 5);
    assert!(page.body.len() < 2500, "{}", page.body.len());
}

#[tokio::test]
async fn a_recipe_that_does_not_fit_into_a_row_is_refused() {
    let cutter = Cutter::new(CSV).await;
    // Each value has 2 bytes in the expression and 4 bytes in the recipe. So the recipe is too long although the
    // request body is not.
    let filters: serde_json::Map<String, Value> = (0..52)
        .map(|column| (format!("c{column}"), format!("IN ({}a)", "a,".repeat(9_900)).into()))
        .collect();
    let body = json!({"whereFilters": filters});
    for action in ["cut", "save"] {
        let call = post_json(&format!("{}/{action}", cutter.path), &body);
        cutter.send(call).await.expect_problem(413, "too_large");
    }
    assert_eq!(cutter.receipts().len(), 0);
}

#[tokio::test]
async fn a_recipe_is_deleted_when_no_receipt_and_no_lineage_names_it() {
    let cutter = Cutter::new(CSV).await;
    let child = saved(&cutter, &json!({"limit": 1})).await;
    cutter.query("limit=1").await.expect(200);
    let recipes = || cutter.app.database.row_counts()["recipes"];
    assert_eq!(recipes(), 1);
    cutter.app.database.execute("DELETE FROM cuts WHERE saved_file_id IS NULL");
    assert_eq!(recipes(), 1);
    cutter.app.database.execute("DELETE FROM cuts");
    assert_eq!(recipes(), 1, "the recipe must stay, because the lineage of the saved cut names it");
    let id = child.rsplit('/').next().unwrap();
    cutter.app.database.execute(&format!("DELETE FROM file_relationships WHERE child_file_id = '{id}'"));
    assert_eq!((recipes(), recipe_bytes(&cutter)), (0, 0));
    // A failed save leaves a receipt, and this receipt names the recipe.
    let empty = json!({"header": false, "limit": 0});
    cutter.send(post_json(&format!("{}/save", cutter.path), &empty)).await.expect(422);
    assert_eq!((recipes(), cutter.app.database.value("SELECT is_lineage FROM recipes")), (1, json!(0)));
    cutter.app.database.execute("UPDATE cuts SET recipe_sha256 = NULL");
    assert_eq!(recipes(), 0);
}

#[tokio::test]
async fn a_recipe_is_visible_only_to_its_owner() {
    let cutter = Cutter::new(CSV).await;
    let bob = cutter.app.user("bob");
    let child = saved(&cutter, &json!({})).await;
    let receipt = cutter.query("").await.expect(200).receipt_path();
    for path in [&child, &receipt] {
        let path = format!("{path}/recipe");
        cutter.send(get(&path)).await.expect(200);
        cutter.app.send(get(&path).bearer(&bob)).await.expect_problem(404, "not_found");
    }
    cutter.send(get(&format!("{}/recipe", cutter.path))).await.expect_problem(409, "conflict");
    cutter.send(delete(&format!("{child}?permanent=true"))).await.expect(200);
    cutter.send(get(&format!("{child}/recipe"))).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn recipes_that_an_older_version_stored_can_be_read() {
    let cutter = Cutter::new(CSV).await;
    let child = saved(&cutter, &json!({"limit": 1})).await;
    let receipt = cutter.query("limit=1").await.expect(200).receipt_path();
    let new = cutter.send(get(&format!("{child}/recipe"))).await.expect(200).json();
    cutter.app.database.execute(
        "UPDATE file_relationships SET recipe = (SELECT recipe FROM recipes);
         UPDATE cuts SET recipe = (SELECT recipe FROM recipes);
         UPDATE file_relationships SET recipe_sha256 = NULL;
         UPDATE cuts SET recipe_sha256 = NULL;",
    );
    assert_eq!(cutter.app.database.row_counts()["recipes"], 0);
    for path in [&child, &receipt] {
        let old = cutter.send(get(&format!("{path}/recipe"))).await.expect(200).json();
        assert_eq!((&old["recipe"], &old["sha256"]), (&new["recipe"], &Value::Null));
    }
}

#[tokio::test]
async fn a_user_has_at_most_ten_thousand_receipts_and_the_newest_are_kept() {
    let cutter = Cutter::new(CSV).await;
    let child = saved(&cutter, &json!({})).await;
    let first = cutter.query("limit=1").await.expect(200).receipt_path();
    // Inserts receipts in the form of an older version: the row of the receipt contains the recipe.
    cutter.app.database.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10100)
         INSERT INTO cuts (id, user_id, file_id, status, recipe, created_at)
         SELECT printf('%08d', n), 'ada', 'f', 'complete', '{}', strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-03', n || ' seconds')
         FROM n",
    );
    let receipts = "SELECT count(*) AS n FROM cuts WHERE saved_file_id IS NULL";
    assert_eq!(cutter.app.database.value(receipts), 10_000);
    cutter.send(get(&first)).await.expect_problem(404, "not_found");
    let saved = "SELECT count(*) AS n FROM cuts WHERE saved_file_id IS NOT NULL";
    assert_eq!(cutter.app.database.value(saved), 1, "the receipt of a saved cut must not count");
    cutter.app.clock.set("2026-02-01T00:00:00.000Z");
    let newest = cutter.query("").await.expect(200).receipt_path();
    cutter.send(get(&newest)).await.expect(200);
    assert_eq!(cutter.app.database.value(receipts), 10_000);
    assert_eq!(cutter.app.database.value("SELECT receipts FROM usage"), 10_000);
    cutter.send(get(&format!("{child}/recipe"))).await.expect(200);
    assert_eq!(cutter.app.database.row_counts()["recipes"], 1, "both cuts of the file must share one recipe");
}
