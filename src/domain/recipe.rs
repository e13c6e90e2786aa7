//! Recipes of cuts.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ids::FileId;

/// Maximum length of a recipe, in bytes. A row of the database holds 2 MB.
pub const MAX_RECIPE_BYTES: usize = 1_500_000;

/// Everything that is needed to make the bytes of a cut again. It is stored once, under its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    parent: FileId,
    text: String,
    sha256: String,
}

impl Recipe {
    /// The recipe of a cut of `parent`. Its text is `recipe` as JSON.
    pub fn new(parent: FileId, recipe: &Value) -> Self {
        let text = recipe.to_string();
        let sha256 = hex::encode(Sha256::digest(&text));
        Self { parent, text, sha256 }
    }

    /// The file that is cut.
    pub fn parent(&self) -> FileId {
        self.parent
    }

    /// The recipe as JSON: a stored contract.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the text, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether the recipe is longer than [`MAX_RECIPE_BYTES`].
    pub fn is_too_long(&self) -> bool {
        self.text.len() > MAX_RECIPE_BYTES
    }
}
