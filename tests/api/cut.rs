//! Cuts as clients see them: output formats, refusals before the first byte, and broken transfers.

use std::io::Read;

use serde_json::{Value, json};

use super::form::long_csv;
use crate::support::client::{Call, TestResponse, get, head, post_json};
use crate::support::hashing::sha256_hex;
use crate::support::{Fault, On, TestApp};

const FLIGHTS: &str = "origin,dep_delay,carrier\nJFK,61,\"B6, Inc\"\nLGA,3,AA\nJFK,5,DL\nEWR,120,UA\n";

pub struct Cutter {
    pub app: TestApp,
    pub token: String,
    pub path: String,
}

impl Cutter {
    pub async fn new(bytes: impl Into<bytes::Bytes>) -> Self {
        Self::with(&[], bytes).await
    }

    pub async fn with(variables: &[(&str, &str)], bytes: impl Into<bytes::Bytes>) -> Self {
        let app = TestApp::with(variables);
        let token = app.user("ada");
        let file = app.upload(&token, "flights.csv", bytes).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        app.faults.forget_calls();
        Self { app, token, path }
    }

    pub async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    pub async fn query(&self, query: &str) -> TestResponse {
        self.send(get(&format!("{}/cut?{query}", self.path))).await
    }

    pub async fn body(&self, body: Value) -> TestResponse {
        self.send(post_json(&format!("{}/cut", self.path), &body)).await
    }

    pub async fn receipt(&self, response: &TestResponse) -> Value {
        self.send(get(&response.receipt_path())).await.expect(200).json()["cut"].clone()
    }

    /// Returns all receipts, including receipts that no response has named.
    pub fn receipts(&self) -> Vec<Value> {
        self.app.database.rows("SELECT * FROM cuts ORDER BY id").into_iter().map(Value::Object).collect()
    }
}

#[tokio::test]
async fn each_output_format_has_its_content_type_and_syntax() {
    let cutter = Cutter::new(FLIGHTS).await;
    let cases = [
        ("csv", "text/csv; charset=utf-8", "carrier,origin\n\"B6, Inc\",JFK\nDL,JFK\n"),
        ("tsv", "text/tab-separated-values; charset=utf-8", "carrier\torigin\n\"B6, Inc\"\tJFK\nDL\tJFK\n"),
        (
            "json",
            "application/json",
            "[{\"carrier\":\"B6, Inc\",\"origin\":\"JFK\"},{\"carrier\":\"DL\",\"origin\":\"JFK\"}]",
        ),
        (
            "ndjson",
            "application/x-ndjson",
            "{\"carrier\":\"B6, Inc\",\"origin\":\"JFK\"}\n{\"carrier\":\"DL\",\"origin\":\"JFK\"}\n",
        ),
    ];
    for (format, content_type, expected) in cases {
        let by_query = cutter.query(&format!("columns=carrier,origin&origin__eq=JFK&format={format}")).await;
        let by_body = json!({"selectedColumns": ["carrier", "origin"], "whereFilters": {"origin": "JFK"}, "outputFormat": format});
        let by_tree = json!({"columns": ["carrier", "origin"], "filter": {"column": "origin", "op": "eq", "value": "JFK"}, "format": format});
        for response in [by_query, cutter.body(by_body).await, cutter.body(by_tree).await] {
            let response = response.expect(200);
            assert_eq!(response.header("content-type"), content_type);
            assert_eq!(
                response.header("content-disposition"),
                format!("attachment; filename=\"flights-cut.{format}\"")
            );
            assert_eq!(
                (response.header("cache-control"), response.has("content-length")),
                ("private, no-cache", false)
            );
            match format {
                "json" => assert_eq!(response.json(), serde_json::from_str::<Value>(expected).unwrap()),
                _ => assert_eq!(response.text(), expected),
            }
        }
    }
}

#[tokio::test]
async fn each_cut_option_takes_effect() {
    let cutter = Cutter::new(FLIGHTS).await;
    let cases = [
        ("", FLIGHTS.to_owned()),
        ("columns=%231,%231&limit=1", "origin,origin\nJFK,JFK\n".to_owned()),
        ("columns=ORIGIN&limit=1&offset=1", "origin\nLGA\n".to_owned()),
        ("columns=origin&limit=1&header=false", "JFK\n".to_owned()),
        ("columns=origin&limit=1&newline=crlf&bom=true", "\u{feff}origin\r\nJFK\r\n".to_owned()),
        ("columns=origin&dep_delay__gt=60", "origin\nJFK\nEWR\n".to_owned()),
        ("columns=origin&dep_delay__between=3,5", "origin\nLGA\nJFK\n".to_owned()),
        ("columns=origin&carrier__contains=inc", "origin\nJFK\n".to_owned()),
        ("columns=origin&limit=0", "origin\n".to_owned()),
        ("columns=origin&origin__eq=NOPE", "origin\n".to_owned()),
        ("columns=%232&limit=1&typed=true&format=ndjson", "{\"dep_delay\":61}\n".to_owned()),
        ("columns=%231&inputHeader=false&limit=1&header=false", "origin\n".to_owned()),
        (
            "columns=origin&origin__in=%22JFK%22,EWR&dep_delay__lt=100&dep_delay__gte=61",
            "origin\nJFK\n".to_owned(),
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(cutter.query(query).await.expect(200).text(), expected, "{query}");
    }
    for (expression, rows) in
        [("> 60", 2), ("BETWEEN 3 AND 5", 2), ("IN (61, '120')", 2), ("NOT = 3", 3), ("", 4)]
    {
        let response = cutter.body(
            json!({"whereFilters": {"dep_delay": expression}, "columns": ["carrier"], "format": "ndjson"}),
        );
        assert_eq!(response.await.expect(200).text().lines().count(), rows, "{expression:?}");
    }
}

#[tokio::test]
async fn an_invalid_cut_is_refused_before_the_first_byte_and_leaves_no_receipt() {
    let cutter = Cutter::new(FLIGHTS).await;
    let queries = [
        ("columns=carrier,nope", "unknown_column"),
        ("nope__eq=1", "unknown_column"),
        ("columns=%239", "unknown_column"),
        ("dep_delay__about=1", "bad_filter"),
        ("dep_delay__between=1", "bad_filter"),
        ("colums=carrier", "unknown_option"),
        ("format=xml", "bad_request"),
        ("limit=-1", "bad_request"),
        ("limit=1&limit=2", "bad_request"),
        ("streaming=perhaps", "bad_request"),
        ("encoding=klingon", "bad_request"),
        ("delimiter=12345", "bad_request"),
    ];
    for (query, code) in queries {
        for streaming in ["", "&streaming=false"] {
            let query =
                if query.contains("streaming") { query.to_owned() } else { format!("{query}{streaming}") };
            cutter.query(&query).await.expect_problem(400, code);
        }
    }
    let bodies = [
        (json!({"whereFilters": {"dep_delay": ">= "}}), "bad_filter"),
        (json!({"whereFilters": {"dep_delay": "IN (1, 2"}}), "bad_filter"),
        (json!({"whereFilters": {"constructor": "1"}}), "unknown_column"),
        (json!({"filter": {"and": 7}}), "bad_filter"),
        (json!({"selectedColumn": ["a"]}), "unknown_option"),
        (json!({"selectedColumns": "carrier", "columns": ["origin"]}), "bad_request"),
    ];
    for (body, code) in bodies {
        let problem = cutter.body(body.clone()).await.expect_problem(400, code);
        if code == "bad_filter" {
            assert!(!problem["where"].is_null(), "{body}: {problem}");
        }
    }
    let problem = cutter.query("columns=nope").await.expect_problem(400, "unknown_column");
    assert_eq!(
        (&problem["column"], &problem["known"]),
        (&json!("nope"), &json!(["origin", "dep_delay", "carrier"]))
    );
    let positioned = cutter
        .body(json!({"whereFilters": {"dep_delay": "IN (1, 2"}}))
        .await
        .expect_problem(400, "bad_filter");
    assert!(positioned["position"].is_u64(), "{positioned}");
    assert_eq!(cutter.receipts(), Vec::<Value>::new());
}

#[tokio::test]
async fn process_is_an_alias_of_cut() {
    let cutter = Cutter::new(FLIGHTS).await;
    let get = cutter.send(get(&format!("{}/process?columns=origin&limit=1", cutter.path))).await.expect(200);
    let body = json!({"selectedColumns": ["origin"], "limit": 1});
    let post = cutter.send(post_json(&format!("{}/process/", cutter.path), &body)).await.expect(200);
    assert_eq!((get.text(), post.text()), ("origin\nJFK\n", "origin\nJFK\n"));
    assert_eq!(cutter.receipts().len(), 2);
}

#[tokio::test]
async fn a_head_request_returns_the_headers_of_a_cut_and_starts_no_cut() {
    let cutter = Cutter::new(FLIGHTS).await;
    let response = cutter.send(head(&format!("{}/cut?columns=origin", cutter.path))).await.expect(200);
    assert_eq!(response.header("content-type"), "text/csv; charset=utf-8");
    assert!(!response.has("content-length") && !response.has("link"), "{response}");
    cutter.send(head(&format!("{}/cut?columns=nope", cutter.path))).await.expect(400);
    assert_eq!(cutter.receipts().len(), 0);
}

#[tokio::test]
async fn a_cut_without_streaming_returns_a_content_length_or_a_problem() {
    let cutter = Cutter::new("a,b\n1,2\n3\n").await;
    let response = cutter.query("streaming=false&columns=b,a").await.expect(200);
    assert_eq!(response.text(), "b,a\n2,1\n,3\n");
    assert_eq!(response.header("content-length"), response.body.len().to_string());
    assert_eq!(cutter.receipt(&response).await["checksum"], sha256_hex(&response.body));

    let refused = cutter.query("streaming=false&strict=true").await.expect_problem(422, "malformed_csv");
    assert_eq!((&refused["record"], &refused["line"], &refused["byte"]), (&json!(2), &json!(3), &json!(8)));
}

#[tokio::test]
async fn a_malformed_record_at_the_start_gives_a_problem_instead_of_a_broken_transfer() {
    let wrong = [
        ("a,b\n1,2\n3\n", 2, 3),
        ("a,b\n1\n3,4\n", 1, 2),
        ("a,b\n1,2\n3,\"x\n", 2, 3),
        ("a,b\r\n1,\"x\"y\r\n", 1, 2),
    ];
    for (csv, record, line) in wrong {
        let cutter = Cutter::new(csv).await;
        for query in ["strict=true", "strict=true&format=json", "strict=true&compress=gzip"] {
            cutter.app.faults.forget_calls();
            let problem = cutter.query(query).await.expect_problem(422, "malformed_csv");
            assert_eq!((&problem["record"], &problem["line"]), (&json!(record), &json!(line)), "{csv:?}");
            let calls = [On::database(), On::objects()].map(|on| cutter.app.faults.count(&on));
            // After the first cut, the profile is in the cache. Then a cut makes only one call to R2.
            assert!(calls == [4, 2] || calls == [4, 1], "{csv:?}: {calls:?}");
            let failed = cutter.receipts().pop().unwrap();
            assert_eq!((&failed["status"], &failed["rows_rejected"]), (&json!("failed"), &json!(1)));
        }
        // Without strict mode, a cut returns malformed rows too. With `limit=0`, a cut reads no malformed row.
        for query in ["", "strict=true&limit=0"] {
            assert!(!cutter.query(query).await.expect(200).broken, "{csv:?} {query}");
        }
    }
}

#[tokio::test]
async fn a_malformed_record_after_the_start_breaks_the_transfer() {
    let mut csv = long_csv(1 << 20);
    csv.extend_from_slice(b"\"open\n");
    let cutter = Cutter::new(csv.clone()).await;
    let response = cutter.query("strict=true").await;
    assert!(response.broken && response.status == 200, "{}", response.status);
    assert!(csv.starts_with(&response.body));
    assert_eq!(cutter.receipt(&response).await["status"], "failed");
}

#[tokio::test]
async fn a_long_result_without_streaming_is_spooled_and_the_spool_is_deleted() {
    let csv = long_csv(20 << 20);
    let whole = csv[..csv.iter().rposition(|&byte| byte == b'\n').unwrap() + 1].to_vec();
    let cutter = Cutter::new(whole.clone()).await;
    let before = cutter.app.objects.keys();
    let response = cutter.query("streaming=false").await.expect(200);
    assert!(response.body == whole);
    assert_eq!(response.header("content-length"), whole.len().to_string());
    let on_temp = |method| On::objects().method(method).prefix("temp/processing/");
    assert_eq!(cutter.app.faults.count(&on_temp("put_part_buffer")), 4);
    assert_eq!(cutter.app.faults.count(&on_temp("get")), 1);
    assert_eq!(cutter.app.objects.keys(), before);
    assert_eq!(cutter.app.database.row_counts()["gc_queue"], 0);
    cutter.app.assert_consistent();

    // The spool is also deleted if the client disconnects or R2 fails.
    let call = || get(&format!("{}/cut?streaming=false", cutter.path)).bearer(&cutter.token);
    cutter.app.disconnect_after(call(), 0).await;
    for method in ["create_multipart", "put_part_buffer", "complete_multipart"] {
        cutter.app.faults.inject(Fault::Failed, on_temp(method), 1);
        cutter.app.send(call()).await.expect_problem(503, "unavailable");
    }
    assert_eq!(cutter.app.objects.keys(), before);
    assert_eq!(cutter.app.objects.open_uploads(), Vec::new());
    cutter.app.assert_consistent();
    super::faults::sweep_up(&cutter.app, "spool").await;
    assert_eq!(cutter.app.database.row_counts()["gc_queue"], 0);
}

#[tokio::test]
async fn a_cut_whose_object_cannot_be_read_to_its_end_breaks_and_its_receipt_has_the_status_failed() {
    let csv = long_csv(3 << 20);
    for at in [600_000, csv.len() - 1] {
        let cutter = Cutter::new(csv.clone()).await;
        cutter.app.objects.break_reads(&cutter.app.objects.keys()[0], at);
        let response = cutter.query("").await;
        assert!(response.status == 200 && response.broken, "{}", response.status);
        assert!(csv.starts_with(&response.body), "the bytes before the failure must be correct");
        let receipt = cutter.receipt(&response).await;
        assert_eq!(
            (&receipt["status"], &receipt["complete"], &receipt["checksum"]),
            (&json!("failed"), &json!(false), &Value::Null)
        );
        cutter.query("streaming=false").await.expect_problem(400, "bad_request");
        assert!(cutter.receipts().iter().all(|receipt| receipt["status"] == "failed"));
    }
}

#[tokio::test]
async fn a_truncated_or_replaced_object_is_an_integrity_error() {
    let csv = long_csv(1 << 20);
    let cutter = Cutter::new(csv.clone()).await;
    let key = cutter.app.objects.keys().swap_remove(0);
    cutter.app.objects.truncate(&key, 500_000);
    cutter.query("").await.expect_problem(500, "integrity_error");
    cutter.app.objects.plant(&key, csv);
    cutter.query("").await.expect(200);
    cutter.app.objects.plant(&key, "other,bytes\n1,2\n");
    cutter.query("").await.expect_problem(500, "integrity_error");
}

#[tokio::test]
async fn a_receipt_that_cannot_be_stored_breaks_the_transfer_before_the_last_byte() {
    for csv in [FLIGHTS.as_bytes().to_vec(), long_csv(1 << 20)] {
        let cutter = Cutter::new(csv.clone()).await;
        let finish = On::database().about("UPDATE cuts SET status = ?2");
        cutter.app.faults.always(Fault::Failed, finish);
        let response = cutter.query("").await;
        assert!(
            response.broken && response.body.len() < csv.len(),
            "{} of {}",
            response.body.len(),
            csv.len()
        );
        cutter.query("streaming=false").await.expect_problem(503, "unavailable");
        cutter.app.faults.clear();
        assert!(cutter.receipts().iter().all(|receipt| receipt["status"] == "running"));
        assert!(cutter.app.log.with("action", "process").iter().all(|line| line["success"] == false));
        cutter.app.sweep(cutter.app.now().plus(chrono::TimeDelta::hours(25))).await.unwrap();
        assert!(cutter.receipts().iter().all(|receipt| receipt["status"] == "failed"));
        cutter.query("").await.expect(200);
    }
}

#[tokio::test]
async fn a_cut_whose_receipt_cannot_be_created_does_not_start() {
    let cutter = Cutter::new(FLIGHTS).await;
    cutter.app.faults.always(Fault::Failed, On::database().about("INSERT INTO cuts"));
    cutter.query("").await.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn a_cut_stops_and_its_receipt_is_set_to_failed_if_the_client_disconnects() {
    let cutter = Cutter::new(long_csv(4 << 20)).await;
    let call = get(&format!("{}/cut", cutter.path)).bearer(&cutter.token);
    cutter.app.disconnect_after(call, 2).await;
    let receipts = cutter.receipts();
    assert_eq!((&receipts[0]["status"], receipts.len()), (&json!("failed"), 1));
    assert!(
        receipts[0]["bytes_in"].as_u64().unwrap() < 2 << 20,
        "the cut must not read much more than the client received: {receipts:?}"
    );
    let failed = "SELECT count(*) AS n FROM file_access_logs WHERE action = 'process' AND success = 0";
    assert_eq!(cutter.app.database.value(failed), 1);
    let logged = cutter.app.log.with("action", "process");
    assert_eq!((logged.len(), &logged[0]["success"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_cut_with_a_row_limit_stops_reading_early_and_is_complete() {
    let cutter = Cutter::new(long_csv(4 << 20)).await;
    let response = cutter.query("limit=3&columns=number").await.expect(200);
    assert_eq!(response.text(), "number\n0\n1\n2\n");
    let receipt = cutter.receipt(&response).await;
    assert_eq!((&receipt["complete"], &receipt["rowsOut"]), (&json!(true), &json!(3)));
    assert!(receipt["bytesIn"].as_u64().unwrap() < 1 << 20, "{receipt}");
}

#[tokio::test]
async fn a_record_over_the_size_limit_is_refused_with_its_position() {
    let csv = format!("a,b\n1,{}\n", "x".repeat(3000));
    let cutter = Cutter::with(&[("MAX_RECORD_SIZE", "2048")], csv).await;
    let problem = cutter.query("streaming=false").await.expect_problem(422, "malformed_csv");
    assert_eq!((&problem["record"], &problem["line"]), (&json!(1), &json!(2)));
    cutter.query("").await.expect_problem(422, "malformed_csv");
    let endless = Cutter::with(&[("MAX_RECORD_SIZE", "2048")], "x".repeat(1 << 20)).await;
    endless.query("").await.expect_problem(422, "malformed_csv");
}

fn unzipped(response: &TestResponse) -> Vec<u8> {
    gunzip(&response.body).unwrap()
}

/// Returns the content of a gzip stream, or an error if the stream is truncated.
fn gunzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).map(|_| plain)
}

#[tokio::test]
async fn gzip_content_coding_is_used_only_if_the_client_accepts_it() {
    let cutter = Cutter::new(FLIGHTS).await;
    let path = format!("{}/cut", cutter.path);
    let zipped = cutter.send(get(&path).header("accept-encoding", "br, gzip")).await.expect(200);
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert!(zipped.header("content-type").starts_with("text/csv"));
    assert_eq!(unzipped(&zipped), FLIGHTS.as_bytes());
    assert_eq!(cutter.receipt(&zipped).await["checksum"], sha256_hex(FLIGHTS.as_bytes()));
    let plain = cutter.send(get(&path).header("accept-encoding", "gzip;q=0")).await.expect(200);
    assert_eq!((plain.header("content-encoding"), plain.text()), ("", FLIGHTS));
}

#[tokio::test]
async fn the_option_compress_returns_a_gzip_file_without_a_content_coding() {
    let cutter = Cutter::new(FLIGHTS).await;
    for query in ["compress=gzip", "compress=gzip&streaming=false"] {
        let response = cutter.query(query).await.expect(200);
        assert_eq!(
            (response.header("content-type"), response.header("content-encoding")),
            ("application/gzip", "")
        );
        assert!(response.header("content-disposition").contains("flights-cut.csv.gz"), "{response}");
        assert_eq!(unzipped(&response), FLIGHTS.as_bytes());
    }
    let save = post_json(&format!("{}/save", cutter.path), &json!({"compress": "gzip"}));
    cutter.send(save).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn a_compressed_cut_that_fails_sends_a_truncated_gzip_stream() {
    let csv = long_csv(3 << 20);
    let cutter = Cutter::new(csv.clone()).await;
    cutter.app.objects.break_reads(&cutter.app.objects.keys()[0], csv.len() - 1);
    let response = cutter.query("compress=gzip").await;
    assert!(response.broken && gunzip(&response.body).is_err(), "{} bytes", response.body.len());
    let left = get(&format!("{}/cut?compress=gzip", cutter.path)).bearer(&cutter.token);
    cutter.app.disconnect_after(left, 1).await;
    assert!(cutter.receipts().iter().all(|receipt| receipt["status"] == "failed"));
}

#[tokio::test]
async fn requests_for_rows_columns_and_fields_create_no_receipt() {
    let cutter = Cutter::new("id,naïve,id\n1,a,x\n2,,\n\n3,\"c\nd\"\n").await;
    let call = |tail: &str| get(&format!("{}/{tail}", cutter.path));
    let columns = cutter.send(call("columns")).await.expect(200).json();
    assert_eq!(
        columns["columns"],
        json!([
            {"name": "id", "index": 1, "type": "integer"},
            {"name": "naïve", "index": 2, "type": "text"},
            {"name": "id_2", "index": 3, "type": "text"},
        ])
    );
    let fields = cutter.send(call("fields")).await.expect(200).json();
    assert_eq!(fields, json!({"success": true, "fields": ["id", "naïve", "id_2"], "rowCount": 3}));
    let rows = cutter.send(call("rows")).await.expect(200).json();
    let all = json!([["1", "a", "x"], ["2", "", ""], ["3", "c\nd", ""]]);
    assert_eq!(
        rows,
        json!({"success": true, "columns": ["id", "naïve", "id"], "rows": all, "rowNumbers": [1, 2, 3], "offset": 0, "total": 3, "hasMore": false, "failure": null})
    );
    let page = cutter.send(call("rows?offset=1&limit=1&columns=%233,%231")).await.expect(200).json();
    assert_eq!((&page["rows"], &page["columns"]), (&json!([["", "2"]]), &json!(["id", "id"])));
    assert_eq!((&page["total"], &page["hasMore"]), (&json!(3), &json!(true)));
    for (tail, code) in [
        ("rows?limit=0", "bad_request"),
        ("rows?limit=10001", "bad_request"),
        ("rows?columns=nope", "unknown_column"),
        ("rows?format=json", "unknown_option"),
        ("columns?limit=1", "unknown_option"),
        ("fields?id__eq=1", "unknown_option"),
    ] {
        cutter.send(call(tail)).await.expect_problem(400, code);
    }
    assert_eq!(cutter.receipts().len(), 0);
}

/// Returns a CSV file whose only column has a name of about 1 MiB.
fn file_with_a_long_name(rows: usize) -> Vec<u8> {
    let mut csv = vec![b'n'; (1 << 20) - 2];
    csv.push(b'\n');
    csv.extend(b"1\n".repeat(rows));
    csv
}

#[tokio::test]
async fn a_cut_that_will_certainly_exceed_the_output_limit_is_refused_before_its_first_byte() {
    let cutter = Cutter::new(file_with_a_long_name(3_000)).await;
    for query in ["format=json", "format=ndjson&streaming=false"] {
        let problem = cutter.query(query).await.expect_problem(413, "too_large");
        // The result would have 3,000 names of 1 MiB: about 3,145 million bytes.
        assert!(problem["detail"].as_str().unwrap().contains("3145"), "{problem}");
    }
    // A CSV result has the name of the column only once. With `limit=10`, an NDJSON result has only 10 names.
    cutter.query("format=csv").await.expect(200);
    cutter.query("format=ndjson&limit=10").await.expect(200);
}

#[tokio::test]
async fn a_cut_that_exceeds_the_output_limit_after_its_first_byte_breaks_the_transfer() {
    // With a filter, the number of rows is not known before the cut runs.
    let cutter = Cutter::new(file_with_a_long_name(200)).await;
    let response = cutter.query("format=ndjson&%231__eq=1").await;
    assert!(response.broken && response.status == 200, "{}", response.status);
    let receipt = cutter.receipt(&response).await;
    assert_eq!(receipt["status"], "failed");
    assert!(receipt["error"].as_str().unwrap().contains("may have at most"), "{receipt}");
    let spooled = cutter.query("format=ndjson&%231__eq=1&streaming=false").await;
    spooled.expect_problem(413, "too_large");
    cutter.app.assert_consistent();
}
