//! What each route costs in calls to the database, the object store and the queue: a table that is committed, so that
//! a change of it is seen, and that agrees with what the description says.

use serde_json::json;

use super::form::long_csv;
use crate::support::client::{Call, Form, delete, get, head, patch_json, post, post_json, upload};
use crate::support::contract::operations;
use crate::support::{On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";

/// What a request is called, how it is made of the file's path, and what is done to the file before.
type Case = (&'static str, fn(&str) -> Call, Before);

#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Trash,
    Cut,
}
use Before::{Cut, Nothing, Trash};

const CASES: [Case; 27] = [
    ("POST /api/files", |_| upload("b.csv", CSV), Nothing),
    ("POST /api/files, a form", |_| Form::default().file("b.csv", CSV.as_bytes()).post(), Nothing),
    (
        "POST /api/files, a form of 6 MiB",
        |_| Form::default().file("b.csv", &long_csv(6 << 20)).post(),
        Nothing,
    ),
    ("POST /api/files, refused", |_| upload("b.csv", "\0"), Nothing),
    ("GET /api/files", |_| get("/api/files"), Nothing),
    ("GET /api/files/{id}", |path| get(path), Nothing),
    ("GET /api/files/{id}, one range", |path| get(path).header("range", "bytes=0-1"), Nothing),
    ("GET /api/files/{id}, three ranges", |path| get(path).header("range", "bytes=0-0,2-2,4-4"), Nothing),
    ("GET /api/files/{id}, not modified", |path| get(path).header("if-none-match", "*"), Nothing),
    ("HEAD /api/files/{id}", |path| head(path), Nothing),
    ("GET /api/files/{id}/metadata", |path| get(&format!("{path}/metadata")), Nothing),
    ("PATCH /api/files/{id}", |path| patch_json(path, &json!({"filename": "c.csv", "tags": ["x"]})), Nothing),
    ("PATCH /api/files/{id}, if-match", |path| patch_json(path, &json!({})).header("if-match", "*"), Nothing),
    ("DELETE /api/files/{id}", |path| delete(path), Nothing),
    ("DELETE /api/files/{id}, if-match", |path| delete(path).header("if-match", "*"), Nothing),
    ("DELETE /api/files/{id}, for good", |path| delete(&format!("{path}?permanent=true")), Nothing),
    ("POST /api/files/{id}/restore", |path| post(&format!("{path}/restore")), Trash),
    ("GET /api/files/{id}/lineage", |path| get(&format!("{path}/lineage")), Nothing),
    ("GET /api/files/{id}/columns", |path| get(&format!("{path}/columns")), Nothing),
    ("GET /api/files/{id}/fields", |path| get(&format!("{path}/fields")), Nothing),
    ("GET /api/files/{id}/rows", |path| get(&format!("{path}/rows")), Nothing),
    ("GET /api/files/{id}/cut", |path| get(&format!("{path}/cut")), Nothing),
    ("GET /api/files/{id}/cut, whole", |path| get(&format!("{path}/cut?streaming=false")), Nothing),
    ("POST /api/files/{id}/save", |path| post_json(&format!("{path}/save"), &json!({})), Nothing),
    ("GET /api/cuts/{id}", |cut| get(cut), Cut),
    ("GET /health", |_| get("/health"), Nothing),
    ("GET /health/ready", |_| get("/health/ready"), Nothing),
];

/// Calls to the database, the object store and the queue.
async fn cost_of((_, make, before): &Case) -> [usize; 3] {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let mut path = format!("/api/files/{}", file["id"].as_str().unwrap());
    match before {
        Nothing => {}
        Trash => drop(app.send(delete(&path).bearer(&token)).await.expect(200)),
        Cut => path = app.send(get(&format!("{path}/cut")).bearer(&token)).await.expect(200).receipt_path(),
    }
    app.faults.forget_calls();
    app.send(make(&path).bearer(&token)).await;
    [On::database(), On::objects(), On::queue()].map(|port| app.faults.count(&port))
}

#[tokio::test]
async fn each_route_costs_what_the_table_says() {
    let mut table = String::new();
    for case in &CASES {
        let [database, objects, queue] = cost_of(case).await;
        table += &format!("{:<36} {database} D1, {objects} R2, {queue} queue\n", case.0);
    }
    insta::assert_snapshot!(table, @r"
    POST /api/files                      3 D1, 1 R2, 0 queue
    POST /api/files, a form              4 D1, 1 R2, 0 queue
    POST /api/files, a form of 6 MiB     6 D1, 4 R2, 0 queue
    POST /api/files, refused             1 D1, 0 R2, 0 queue
    GET /api/files                       2 D1, 0 R2, 0 queue
    GET /api/files/{id}                  2 D1, 1 R2, 1 queue
    GET /api/files/{id}, one range       2 D1, 1 R2, 1 queue
    GET /api/files/{id}, three ranges    2 D1, 3 R2, 1 queue
    GET /api/files/{id}, not modified    2 D1, 0 R2, 0 queue
    HEAD /api/files/{id}                 2 D1, 0 R2, 0 queue
    GET /api/files/{id}/metadata         2 D1, 0 R2, 0 queue
    PATCH /api/files/{id}                2 D1, 0 R2, 0 queue
    PATCH /api/files/{id}, if-match      3 D1, 0 R2, 0 queue
    DELETE /api/files/{id}               3 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, if-match     3 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, for good     3 D1, 0 R2, 0 queue
    POST /api/files/{id}/restore         2 D1, 0 R2, 0 queue
    GET /api/files/{id}/lineage          3 D1, 0 R2, 0 queue
    GET /api/files/{id}/columns          2 D1, 1 R2, 0 queue
    GET /api/files/{id}/fields           2 D1, 1 R2, 0 queue
    GET /api/files/{id}/rows             2 D1, 1 R2, 0 queue
    GET /api/files/{id}/cut              4 D1, 1 R2, 0 queue
    GET /api/files/{id}/cut, whole       4 D1, 1 R2, 0 queue
    POST /api/files/{id}/save            6 D1, 2 R2, 0 queue
    GET /api/cuts/{id}                   2 D1, 0 R2, 0 queue
    GET /health                          0 D1, 0 R2, 0 queue
    GET /health/ready                    1 D1, 1 R2, 0 queue
    ");
}

#[tokio::test]
async fn the_description_says_what_a_route_costs() {
    let mut said = 0;
    for case in CASES
        .iter()
        .filter(|case| !case.0.contains(',') && !case.0.ends_with("/health") && !case.0.ends_with("ready"))
    {
        let [database, ..] = cost_of(case).await;
        let find = operations()
            .into_iter()
            .find(|operation| case.0 == format!("{} {}", operation.method, operation.template));
        let operation = find.unwrap_or_else(|| panic!("{} is not described", case.0)).said;
        let text =
            ["summary", "description"].map(|part| operation[part].as_str().unwrap_or_default()).join("\n");
        let text = text.replace('\n', " ");
        let cost =
            text.split("Costs ").nth(1).unwrap_or_else(|| panic!("{} does not say what it costs", case.0));
        let number: usize = cost.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(number, database, "{}: {cost}", case.0);
        said += 1;
    }
    assert_eq!(said, 15);
}
