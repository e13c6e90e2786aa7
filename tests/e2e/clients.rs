//! Clients that disconnect, and many concurrent clients.

use std::io::Write;

use serde_json::json;

use super::crash::sweep_away_what_is_left;
use super::http::{Call, read_head, sha256_hex};
use super::oracle;
use super::samples::{Orders, flights};
use super::server::{exclusive, shared};

#[test]
fn an_upload_that_ends_before_its_announced_length_stores_nothing() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(5, 1 << 20, 0).0;
    let mut stream = user.raw("POST /api/files");
    let head = "x-file-name: short.csv\r\ncontent-type: text/csv\r\nx-trace-calls: truncated";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n", bytes.len() + 1000).unwrap();
    stream.write_all(&bytes).unwrap();
    server.logged("CALL truncated 3 FILES_BUCKET.put");
    drop(stream);
    assert_eq!(server.logged("ENDED truncated "), "400");
    sweep_away_what_is_left(&server);
    assert_eq!(user.files(), [""; 0]);
    assert_eq!(server.state().quota(&user.id).used, 0);
}

#[test]
fn a_running_upload_that_a_sweep_ends_stores_nothing() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(11, 2 << 20, 0).0;
    let mut slow = user.raw("POST /api/files");
    let head = "x-file-name: slow.csv\r\ncontent-type: text/csv\r\nx-trace-calls: tardy";
    write!(slow, "{head}\r\ncontent-length: {}\r\n\r\n", bytes.len()).unwrap();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    slow.write_all(first).unwrap();
    server.logged("CALL tardy 3 FILES_BUCKET.put");
    assert_eq!(server.state().reserved(), bytes.len() as i64);
    server.sweep_after_hours(25);
    assert_eq!(server.state().reserved(), 0);
    for dribble in rest.chunks(rest.len() / 8) {
        slow.write_all(dribble).unwrap();
    }
    assert!(read_head(&mut slow).starts_with("HTTP/1.1 503"));
    assert_eq!(user.files(), [""; 0]);
    sweep_away_what_is_left(&server);
    assert_eq!(server.state().quota(&user.id).used, 0);
}

#[test]
fn a_client_that_disconnects_during_a_download_does_not_affect_other_clients() {
    let server = exclusive();
    let user = server.user();
    let bytes = std::fs::read(flights()).unwrap();
    let id = user.upload("flights.csv", &bytes)["id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let mut leaving = user.raw(&format!("GET /api/files/{id}"));
        write!(leaving, "\r\n").unwrap();
        assert!(read_head(&mut leaving).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(sha256_hex(&user.download(&id)), sha256_hex(&bytes));
    // The log distinguishes the three broken downloads from the complete one.
    let logged = |success: bool| {
        let (file, success) = (format!("\"file_id\":\"{id}\""), format!("\"success\":{success}"));
        let is_one =
            |line: &&str| line.contains("\"download\"") && line.contains(&file) && line.contains(&success);
        server.log().lines().filter(is_one).count()
    };
    server.eventually("three broken downloads", || (logged(false) == 3).then_some(()));
    assert_eq!(logged(true), 1);
    user.ask(Call::get("/health/ready")).expect(200);
}

#[test]
fn a_cut_whose_client_disconnects_has_a_failed_receipt() {
    let server = exclusive();
    let user = server.user();
    let bytes = std::fs::read(flights()).unwrap();
    let id = user.upload("flights.csv", &bytes)["id"].as_str().unwrap().to_owned();
    let mut leaving = user.raw(&format!("GET /api/files/{id}/cut?format=json"));
    write!(leaving, "\r\n").unwrap();
    let head = read_head(&mut leaving);
    drop(leaving);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let cut = head.lines().find_map(|line| line.strip_prefix("x-cut-id: ")).unwrap().trim();

    // A sweep marks a running cut as failed if the end of the cut was not recorded within a day.
    server.sweep_after_hours(25);
    let receipt = user.ask(Call::get(&format!("/api/cuts/{cut}"))).expect(200).json();
    assert_eq!((&receipt["cut"]["status"], &receipt["cut"]["complete"]), (&json!("failed"), &json!(false)));
    user.ask(Call::get("/health/ready")).expect(200);
    sweep_away_what_is_left(&server);
}

#[test]
fn forty_concurrent_cuts_are_all_correct() {
    let server = shared();
    let user = server.user();
    let (bytes, _) = Orders::file(6, 1 << 20, 0);
    let id = user.upload("orders.csv", &bytes)["id"].as_str().unwrap().to_owned();
    let rows = oracle::rows(&bytes);
    let over = |amount: usize| {
        let ids = rows[1..].iter().filter(|row| row[2].parse::<f64>().unwrap() > amount as f64);
        ids.map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let cut = |amount: usize| {
            let (user, id) = (&user, &id);
            move || {
                user.ask(Call::get(&format!(
                    "/api/files/{id}/cut?columns=id&amount__gt={amount}&header=false"
                )))
            }
        };
        let cuts: Vec<_> = (0..40).map(|cut_number| scope.spawn(cut(cut_number * 25))).collect();
        for (cut_number, cut) in cuts.into_iter().enumerate() {
            let found = cut.join().unwrap().expect(200);
            assert_eq!(found.text().lines().collect::<Vec<_>>(), over(cut_number * 25));
        }
    });
}
