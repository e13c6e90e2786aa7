//! Counts the bytes that enter wasm. No byte of a download enters wasm. The first piece of an upload enters wasm twice.
//! Every other byte of the upload enters wasm once. In a cut, each byte that pruning does not skip enters wasm once.

use super::http::{Call, upload_call};
use super::metered::metered;
use super::samples::Orders;

/// Length of the first piece of an upload. The first piece enters wasm when its content is checked, and enters wasm a
/// second time when the whole body is stored.
const PEEKED_BYTES: u64 = 256 << 10;

/// Maximum number of extra bytes that a cut with a filter on a sorted column reads, because a cut always reads whole
/// digest blocks of 256 KiB. The cut reads two byte ranges. Cutty extends the first byte range at its end, and the
/// second byte range at both ends.
const EXTENDED_BYTES: u64 = 3 * (256 << 10);

#[test]
fn no_byte_of_a_download_enters_wasm() {
    let metered = metered();
    let (user, large) = (&metered.user, &metered.large);
    let path = format!("/api/files/{}", large.id);
    let entered = metered.bytes_into_wasm_during(|| {
        assert_eq!(user.count_bytes(&path), large.size_bytes);
        let ranged = |ranges: &str| user.ask(Call::get(&path).header("range", ranges)).expect(206);
        assert_eq!(ranged("bytes=1000000-53428799").body.len(), 50 << 20);
        assert_eq!(ranged("bytes=-1048576").body.len(), 1 << 20);
        let several = ranged("bytes=0-20971519,100000000-120971519,299000000-299000009");
        assert!(several.header("content-type").starts_with("multipart/byteranges"));
        assert!(several.body.len() > 41_943_040 + 10, "{}", several.body.len());
        let signed = user.ask(Call::get(&path).header("if-none-match", "\"another\""));
        assert_eq!(signed.expect(200).body.len() as u64, large.size_bytes);
    });
    assert_eq!(entered, 0);
}

#[test]
fn each_byte_after_the_first_piece_of_an_upload_enters_wasm_once() {
    let metered = metered();
    let bytes = Orders::file(21, 20 << 20, 0).0;
    let size = bytes.len() as u64;
    let entered = metered.bytes_into_wasm_during(|| {
        metered.user.ask(upload_call("once.csv", &bytes)).expect(201);
    });
    println!("an upload of {size} bytes: {} additional bytes entered wasm", entered - size);
    assert!((size..=size + PEEKED_BYTES).contains(&entered), "{entered} of {size}");
}

#[test]
fn a_cut_reads_only_zones_that_can_match_and_reads_each_such_zone_once() {
    let metered = metered();
    let (user, large) = (&metered.user, &metered.large);
    // Returns the number of rows of a cut, and the number of bytes that its response reports as read.
    let cut = |query: &str| {
        let path = format!("/api/files/{}/cut?columns=id&header=false&{query}", large.id);
        let response = user.ask(Call::get(&path)).expect(200);
        let number = |name: &str| response.header(name).parse::<u64>().unwrap();
        assert_eq!(number("x-bytes-scanned") + number("x-bytes-skipped"), large.size_bytes);
        (response.text().lines().count() as u64, number("x-bytes-scanned"))
    };
    // The first cut of an isolate also reads the sidecar.
    cut("id__lt=0");
    // The amounts are not sorted, so no zone can be pruned.
    let mut found = (0, 0);
    let entered = metered.bytes_into_wasm_during(|| found = cut("amount__gt=900"));
    assert_eq!((found, entered), ((large.over_900, large.size_bytes), large.size_bytes));

    let (first, rows) = (large.rows / 2, large.rows / 100);
    let query = format!("id__between={first},{}", first + rows - 1);
    let entered = metered.bytes_into_wasm_during(|| found = cut(&query));
    let (found_rows, scanned) = found;
    println!(
        "1 % of a sorted column: {:.2} % of the bytes",
        scanned as f64 * 100.0 / large.size_bytes as f64
    );
    assert_eq!(found_rows, rows);
    assert!((scanned..=scanned + EXTENDED_BYTES).contains(&entered), "{entered} of {scanned}");
    assert!(scanned * 100 <= large.size_bytes * 3, "{scanned} of {}", large.size_bytes);
}
