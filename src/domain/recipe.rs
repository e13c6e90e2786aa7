//! Recipes of cuts.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ids::FileId;

/// Maximum length of a recipe, in bytes. A row of the database holds at most 2 MB.
pub const MAX_RECIPE_BYTES: usize = 1_500_000;

/// Everything that is needed to make the bytes of a cut again. Equal recipes are stored once, under their SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    parent: FileId,
    text: String,
    sha256: String,
}

impl Recipe {
    /// Creates a recipe from its JSON value. `parent` is the file that the recipe cuts.
    pub fn new(parent: FileId, recipe: &Value) -> Self {
        let text = recipe.to_string();
        let sha256 = hex::encode(Sha256::digest(&text));
        Self { parent, text, sha256 }
    }

    /// Returns the id of the file that is cut.
    pub fn parent(&self) -> FileId {
        self.parent
    }

    /// Returns the recipe as JSON text, in the form in which it is stored.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the SHA-256 of the text, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether the recipe is longer than [`MAX_RECIPE_BYTES`].
    pub fn is_too_long(&self) -> bool {
        self.text.len() > MAX_RECIPE_BYTES
    }
}
