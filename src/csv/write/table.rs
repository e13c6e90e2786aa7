//! Writes rows of texts that are no cut, such as exports for operators.

use super::delimited::{push_doubling_quotes, reads_as_formula};

/// Appends a row of CSV. Puts an apostrophe before each cell that a spreadsheet would read as a formula, and quotes around
/// each cell with a comma, a quote or a line break.
pub fn append_safe_row<'a>(cells: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let is_quoted = cell.contains([',', '"', '\r', '\n']);
        if is_quoted {
            out.push(b'"');
        }
        if reads_as_formula(cell.as_bytes()) {
            out.push(b'\'');
        }
        push_doubling_quotes(cell.as_bytes(), out);
        if is_quoted {
            out.push(b'"');
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_made_harmless() {
        let mut out = Vec::new();
        append_safe_row(["=1+1", "-5", "a,\"b\"", "", "+x\n"], &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "'=1+1,-5,\"a,\"\"b\"\"\",,\"'+x\n\"\n");
    }
}
