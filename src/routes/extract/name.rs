//! Names that users give to their shares, API keys and recipes.

use crate::error::{Code, Problem, Result};
use crate::http::filename::visible_line;

/// Returns the name without blanks at both ends and without invisible characters. `if_empty` is what to do if nothing
/// is left of the name.
///
/// # Errors
/// `bad_name` if the name is empty, has more than `max_bytes` bytes of UTF-8, or contains a control character.
pub fn checked_name(text: &str, max_bytes: usize, if_empty: &str) -> Result<String> {
    let refused = |detail: String| Problem::new(Code::BadName, detail).with("field", "name");
    let name = visible_line(text).map_err(|code| {
        refused(format!("The name contains the control character U+{code:04X}. Remove it."))
    })?;
    match name.len() {
        0 => Err(refused(format!("The name is empty. {if_empty}"))),
        bytes if bytes > max_bytes => Err(refused(format!(
            "The name has {bytes} bytes of UTF-8, but at most {max_bytes} are allowed. Shorten it."
        ))),
        _ => Ok(name),
    }
}
