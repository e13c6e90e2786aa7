//! Receipts: the rows and bytes of a cut, and whether the cut is complete.

use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::client::get;
use crate::support::hashing::sha256_hex;

#[tokio::test]
async fn a_receipt_counts_every_row_and_byte() {
    let csv = "a,b\n1,2\n3\n4,5,6\n\n7,8\n";
    let cutter = Cutter::new(csv).await;
    let response = cutter.query("columns=b&a__gt=1").await.expect(200);
    assert_eq!(response.text(), "b\n\"\"\n5\n8\n");
    assert_eq!(response.header("x-cut-id"), response.receipt_path().rsplit('/').next().unwrap());
    let receipt = cutter.receipt(&response).await;
    let file_id = cutter.path.rsplit('/').next().unwrap();
    let expected = json!({
        "id": response.header("x-cut-id"), "fileId": file_id, "status": "complete", "complete": true,
        "rowsIn": 4, "rowsOut": 3, "bytesIn": csv.len(), "bytesOut": response.body.len(),
        "checksum": sha256_hex(&response.body), "rowsRagged": 2, "rowsRejected": 0, "error": null,
        "createdAt": "2026-01-02T03:04:05.678Z", "finishedAt": "2026-01-02T03:04:05.678Z",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(receipt[name], *value, "{name}: {receipt}");
    }
    assert_eq!((&receipt["details"]["rowsShort"], &receipt["details"]["rowsLong"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&receipt["details"]["encoding"], &receipt["details"]["delimiter"]),
        (&json!("UTF-8"), &json!(","))
    );
    let kept = cutter.send(get(&format!("{}/recipe", response.receipt_path()))).await.expect(200).json();
    assert_eq!((&kept["sha256"], &kept["recipe"]["parent"]), (&receipt["recipeSha256"], &file_id.into()));
    assert_eq!(kept["recipe"]["parentSha256"], sha256_hex(csv.as_bytes()));
}

#[tokio::test]
async fn a_receipt_has_the_status_running_until_the_last_byte_is_ready() {
    let cutter = Cutter::new(super::form::long_csv(2 << 20)).await;
    let call = get(&format!("{}/cut", cutter.path)).bearer(&cutter.token);
    let (parts, body) = cutter.app.respond(call).await;
    let cutty::body::outgoing::ResponseBody::Generated(mut source) = body else {
        panic!("the response is not generated")
    };
    let link = parts.headers["link"].to_str().unwrap();
    let path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let mut pieces = 0;
    let mut last = Value::Null;
    loop {
        let seen = cutter.send(get(&path)).await.expect(200).json()["cut"].clone();
        let mut piece = Vec::new();
        if source.read(&mut piece).await.unwrap() == 0 {
            break;
        }
        pieces += 1;
        assert_eq!((&seen["status"], &seen["complete"]), (&json!("running"), &json!(false)));
        last = cutter.send(get(&path)).await.expect(200).json()["cut"].clone();
    }
    assert!(pieces > 2, "{pieces}");
    assert_eq!(last["complete"], true, "the receipt must be stored before the last piece is sent");
}

#[tokio::test]
async fn a_complete_cut_counts_as_a_read_of_its_file() {
    let cutter = Cutter::new("a,b\n1,2\nx,y,z\n").await;
    cutter.query("").await.expect(200);
    cutter.query("strict=true").await.expect_problem(422, "malformed_csv");
    let file =
        cutter.send(get(&format!("{}/metadata", cutter.path))).await.expect(200).json()["file"].clone();
    assert_eq!(file["accessCount"], 1);
    let logged = cutter
        .app
        .database
        .rows("SELECT success, error_code FROM file_access_logs WHERE action = 'process' ORDER BY success");
    assert_eq!(
        json!(logged),
        json!([{"success": 0, "error_code": "malformed_csv"}, {"success": 1, "error_code": null}])
    );
}

#[tokio::test]
async fn only_the_owner_can_read_a_receipt_and_the_receipt_stays_when_the_file_is_deleted() {
    let cutter = Cutter::new("a\n1\n").await;
    let response = cutter.query("").await.expect(200);
    let bob = cutter.app.user("bob");
    cutter.app.send(get(&response.receipt_path()).bearer(&bob)).await.expect_problem(404, "not_found");
    let gone = crate::support::client::delete(&format!("{}?permanent=true", cutter.path));
    cutter.send(gone).await.expect(200);
    assert_eq!(cutter.receipt(&response).await["complete"], true);
}
