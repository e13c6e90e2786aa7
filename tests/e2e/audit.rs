//! The audit log in the runtime: entries of every kind, the chain, and changes of the database.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::http::{Call, upload_call};
use super::server::{Entry, OPERATOR_TOKEN, Server};
use super::state::find_database;

const TABLES: [&str; 3] = ["file_access_logs", "audit_seals", "audit_chain"];

fn verify(server: &Server) -> Value {
    let call = Call::post("/api/admin/audit/verify", b"{}").header("content-type", "application/json");
    let result = server.client().with_token(OPERATOR_TOKEN).ask(call).expect(200).json();
    assert_eq!(result["complete"], true, "{result}");
    result
}

fn seal(server: &Server) {
    let call = Call::post("/api/admin/sweeps", b"");
    server.client().with_token(OPERATOR_TOKEN).ask(call).expect(200);
}

/// Returns a change of the sealed entry `seq`. `n` selects the kind of the change.
fn tampering(n: usize, seq: i64, last: i64) -> String {
    let other = 1 + seq % last;
    match n % 7 {
        0 => format!("UPDATE file_access_logs SET user_id = 'eve' WHERE seq = {seq}"),
        1 => format!("DELETE FROM file_access_logs WHERE seq = {seq}"),
        2 => format!("UPDATE file_access_logs SET ip_address = '198.51.100.1' WHERE seq = {seq}"),
        3 => format!(
            "INSERT INTO file_access_logs (id, user_id, action, success, metadata, timestamp, code)
             SELECT 'f18f0000-0000-7000-8000-000000000001', user_id, action, success, metadata, timestamp, code
             FROM file_access_logs WHERE seq = {seq}"
        ),
        4 => format!(
            "UPDATE file_access_logs SET seq = -1 WHERE seq = {seq};
             UPDATE file_access_logs SET seq = {seq} WHERE seq = {other};
             UPDATE file_access_logs SET seq = {other} WHERE seq = -1"
        ),
        5 => format!("UPDATE file_access_logs SET success = 1 - success WHERE seq = {seq}"),
        _ => format!("UPDATE file_access_logs SET timestamp = '2020-01-01T00:00:00.000Z' WHERE seq = {seq}"),
    }
}

#[test]
fn each_change_of_the_database_at_50_places_is_found() {
    let server = Server::start(Entry::Product, &[]);
    let user = server.user();
    let wrong = json!({"username": "nobody", "password": "wrong horse battery"}).to_string();
    let mut expected = 0;
    for n in 0..8 {
        let file = user.ask(upload_call(&format!("{n}.csv"), b"a,b\n1,2\n")).expect(201).json();
        let path = format!("/api/files/{}", file["file"]["id"].as_str().unwrap());
        user.ask(Call::get(&path)).expect(200);
        user.ask(Call::get(&format!("{path}/metadata"))).expect(200);
        user.ask(Call::get(&format!("{path}/cut?a__eq=1"))).expect(200);
        user.ask(Call::get("/api/admin/users")).expect(403);
        user.ask(Call::delete(&path)).expect(200);
        server.client().ask(Call::get("/api/files")).expect(401);
        let login =
            Call::post("/api/auth/login", wrong.as_bytes()).header("content-type", "application/json");
        server.client().ask(login).expect(401);
        expected += 6;
    }
    let listed = server.eventually("the entries of all requests", || {
        let call = Call::get(&format!("/api/admin/audit?limit=1000&user={}", user.id));
        let entries = server.client().with_token(OPERATOR_TOKEN).ask(call).expect(200).json();
        let count = entries["entries"].as_array().unwrap().len();
        // The registration is an entry too.
        (count > expected).then_some(count)
    });
    assert_eq!(listed, expected + 1);
    seal(&server);
    let result = verify(&server);
    assert_eq!(result["valid"], true, "{result}");
    let last = result["lastSeq"].as_i64().unwrap();
    assert!(last > i64::try_from(expected).unwrap());

    let database =
        Connection::open(find_database(&server.state_folder().join("v3/d1/miniflare-D1DatabaseObject")))
            .unwrap();
    database.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    for table in TABLES {
        database.execute_batch(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).unwrap();
    }
    for n in 0..50_usize {
        let seq = 1 + i64::try_from(n * 7).unwrap() % last;
        let sql = tampering(n, seq, last);
        database.execute_batch(&format!("BEGIN IMMEDIATE; {sql}; COMMIT")).unwrap();
        let result = verify(&server);
        assert_eq!(result["valid"], false, "{sql}");
        assert!(result["firstBroken"]["reason"].is_string(), "{sql}: {result}");
        let restore = TABLES
            .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};"));
        database.execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT", restore.concat())).unwrap();
    }
    assert_eq!(verify(&server)["valid"], true);
}
