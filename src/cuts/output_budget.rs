//! The maximum length of the result of a cut. Without this limit, a small request could make gigabytes from a small
//! file.

use crate::csv::request::CutRequest;
use crate::csv::shortened;
use crate::error::{Code, Problem, Result};
use crate::storage::file::FileRow;

/// Number of bytes that a result may always have, even if the file is empty.
const BASE_BYTES: u64 = 64 << 20;

/// Number of additional bytes that a result may have for each byte of the file. JSON repeats the names of the columns
/// in each row. With names of 60 characters and cells of one character, the result is 35 times as long as the file.
const FACTOR: u64 = 40;

/// Returns the maximum number of bytes that a cut of the file may make.
pub fn max_output_bytes(file: &FileRow) -> u64 {
    file.file_size.saturating_mul(FACTOR).saturating_add(BASE_BYTES)
}

/// Refuses a cut whose result would certainly be too long. If a cut has no filter, the number of its rows is known
/// before the start. The function refuses this cut if its rows would exceed the limit even if all cells were empty. The
/// function does not refuse a cut with a filter, because this cut may write fewer rows.
///
/// # Errors
/// `too_large`.
pub fn check_estimate(file: &FileRow, request: &CutRequest, row_overhead_bytes: usize) -> Result<()> {
    let Some(rows) = file.row_count.filter(|_| request.filter.is_none()) else { return Ok(()) };
    let rows = rows.saturating_sub(request.offset).min(request.limit.unwrap_or(u64::MAX));
    let least = rows.saturating_mul(row_overhead_bytes as u64);
    match least > max_output_bytes(file) {
        true => Err(too_long(file, Some(least))),
        false => Ok(()),
    }
}

/// Returns the problem for a result that is too long.
pub fn too_long(file: &FileRow, estimate: Option<u64>) -> Problem {
    let limit = max_output_bytes(file);
    let size = estimate.map_or_else(|| "more".to_owned(), |bytes| format!("at least {bytes} bytes"));
    let detail = format!(
        "The result of {:?} may have at most {limit} bytes, but it would have {size}. Pick fewer columns, set a \
         limit, or use CSV, which does not repeat the names of the columns in each row.",
        shortened(&file.filename)
    );
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit)
}
