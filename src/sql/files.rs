//! files.

statements! {}

/// The listings.
pub fn listings() -> Vec<(String, String)> {
    Vec::new()
}
