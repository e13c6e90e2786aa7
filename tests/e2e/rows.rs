//! Pages of rows from any position in a large file are correct. To make a page, Cutty reads the rows of the page and at
//! most 2 MiB more.

use serde_json::{Value, json};

use super::http::Call;
use super::metered::metered;

/// Maximum number of bytes that are read for a page in addition to the rows of the page: 1 MiB before these rows and 1
/// MiB after them. The row index has an entry for each zone of about 1 MiB.
const EXTRA_BYTES: u64 = 2 << 20;

#[test]
fn a_page_of_a_large_file_reads_at_most_two_mebibytes_more_than_the_rows_of_the_page() {
    let metered = metered();
    let large = &metered.large;
    let page_at = |offset: u64, limit: usize| {
        let path = format!("/api/files/{}/rows?offset={offset}&limit={limit}", large.id);
        metered.user.ask(Call::get(&path)).expect(200).json()
    };
    // The first page of an isolate also reads the index.
    page_at(0, 1);
    let mut most = 0;
    for (offset, limit) in [
        (0, 100),
        (1, 1),
        (large.rows / 3, 100),
        (large.rows / 2, 10_000),
        (large.rows - 101, 1000),
        (large.rows - 1, 1),
    ] {
        let mut page = Value::Null;
        let read = metered.bytes_into_wasm_during(|| page = page_at(offset, limit));
        let wanted = large.lines(offset, limit.min((large.rows - offset) as usize));
        let cells: Vec<Vec<_>> = wanted.iter().map(|line| line.split(',').collect()).collect();
        assert_eq!(page["rows"], json!(cells), "{offset}");
        assert_eq!((&page["total"], &page["offset"]), (&json!(large.rows), &json!(offset)));
        assert_eq!(page["hasMore"], offset + (limit as u64) < large.rows);
        let page_bytes: u64 = wanted.iter().map(|line| line.len() as u64 + 1).sum();
        most = most.max(read - page_bytes.min(read));
        assert!(read <= EXTRA_BYTES + page_bytes, "at {offset}: {read} bytes for {page_bytes}");
    }
    println!("a page of a file of {} MB reads at most {most} additional bytes", large.size_bytes / 1_000_000);
    assert_eq!(page_at(large.rows, 10)["rows"], json!([]));
}
