//! What enters wasm: none of a download's bytes, a cut's once, and only those its index does not rule out.

use super::http::{Call, upload_call};
use super::metered::metered;
use super::samples::Orders;

/// The first piece of an upload, which is judged before anything is stored, comes in once more with the rest.
const PEEKED_BYTES: u64 = 256 << 10;

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
fn an_upload_enters_wasm_once() {
    let metered = metered();
    let bytes = Orders::file(21, 20 << 20, 0).0;
    let size = bytes.len() as u64;
    let entered = metered.bytes_into_wasm_during(|| {
        metered.user.ask(upload_call("once.csv", &bytes)).expect(201);
    });
    println!("an upload of {size} bytes: {} more entered wasm", entered - size);
    assert!((size..=size + PEEKED_BYTES).contains(&entered), "{entered} of {size}");
}

#[test]
fn a_cut_reads_what_its_index_does_not_rule_out_and_reads_it_once() {
    let metered = metered();
    let (user, large) = (&metered.user, &metered.large);
    // How many rows a cut has, and how many bytes it says that it read.
    let cut = |query: &str| {
        let path = format!("/api/files/{}/cut?columns=id&header=false&{query}", large.id);
        let answer = user.ask(Call::get(&path)).expect(200);
        let number = |name: &str| answer.header(name).parse::<u64>().unwrap();
        assert_eq!(number("x-bytes-scanned") + number("x-bytes-skipped"), large.size_bytes);
        (answer.text().lines().count() as u64, number("x-bytes-scanned"))
    };
    // The index is read once by each isolate.
    cut("id__lt=0");
    // The amounts are in no order, so nothing is ruled out.
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
    assert_eq!((found_rows, entered), (rows, scanned));
    assert!(scanned * 100 <= large.size_bytes * 3, "{scanned} of {}", large.size_bytes);
}
