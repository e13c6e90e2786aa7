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
    /// A session, whose refresh token stands in for the path.
    Session,
    /// The same request, answered.
    Repeat,
    /// The same request, whose answer was lost.
    LostAnswer,
}
use Before::{Cut, LostAnswer, Nothing, Repeat, Session, Trash};

const PASSWORD: &str = "correct horse battery";

fn keyed(call: Call) -> Call {
    call.header("idempotency-key", "k")
}

fn register() -> Call {
    post_json("/api/auth/register", &json!({"username": "eve", "password": PASSWORD}))
}

fn save(path: &str) -> Call {
    post_json(&format!("{path}/save"), &json!({}))
}

const CASES: [Case; 53] = [
    ("POST /api/files", |_| upload("b.csv", CSV), Nothing),
    ("POST /api/files, a form", |_| Form::default().file("b.csv", CSV.as_bytes()).post(), Nothing),
    (
        "POST /api/files, a form of 6 MiB",
        |_| Form::default().file("b.csv", &long_csv(6 << 20)).post(),
        Nothing,
    ),
    ("POST /api/files, refused", |_| upload("b.csv", "\0"), Nothing),
    ("POST /api/files, keyed", |_| keyed(upload("b.csv", CSV)), Nothing),
    ("POST /api/files, keyed, refused", |_| keyed(upload("b.csv", "\0")), Nothing),
    ("POST /api/files, keyed, again", |_| keyed(upload("b.csv", CSV)), Repeat),
    ("POST /api/files, keyed, answer lost", |_| keyed(upload("b.csv", CSV)), LostAnswer),
    ("POST /api/files/upload", |_| post("/api/files/upload").bytes(CSV), Nothing),
    ("GET /api/files", |_| get("/api/files"), Nothing),
    ("GET /api/files/{id}", |path| get(path), Nothing),
    ("GET /api/files/{id}, one range", |path| get(path).header("range", "bytes=0-1"), Nothing),
    ("GET /api/files/{id}, three ranges", |path| get(path).header("range", "bytes=0-0,2-2,4-4"), Nothing),
    ("GET /api/files/{id}, not modified", |path| get(path).header("if-none-match", "*"), Nothing),
    ("HEAD /api/files/{id}", |path| head(path), Nothing),
    ("GET /api/files/{id}/metadata", |path| get(&format!("{path}/metadata")), Nothing),
    ("PATCH /api/files/{id}", |path| patch_json(path, &json!({"filename": "c.csv", "tags": ["x"]})), Nothing),
    ("PATCH /api/files/{id}, if-match", |path| patch_json(path, &json!({})).header("if-match", "*"), Nothing),
    ("PATCH /api/files/{id}, keyed", |path| keyed(patch_json(path, &json!({"tags": ["x"]}))), Nothing),
    ("PATCH /api/files/{id}, keyed, again", |path| keyed(patch_json(path, &json!({"tags": ["x"]}))), Repeat),
    ("DELETE /api/files/{id}", |path| delete(path), Nothing),
    ("DELETE /api/files/{id}, if-match", |path| delete(path).header("if-match", "*"), Nothing),
    ("DELETE /api/files/{id}, for good", |path| delete(&format!("{path}?permanent=true")), Nothing),
    ("DELETE /api/files/{id}, keyed", |path| keyed(delete(path)), Nothing),
    ("DELETE /api/files/{id}, keyed, again", |path| keyed(delete(path)), Repeat),
    ("POST /api/files/{id}/restore, keyed", |path| keyed(post(&format!("{path}/restore"))), Trash),
    ("POST /api/files/{id}/restore", |path| post(&format!("{path}/restore")), Trash),
    ("GET /api/files/{id}/lineage", |path| get(&format!("{path}/lineage")), Nothing),
    ("GET /api/files/{id}/columns", |path| get(&format!("{path}/columns")), Nothing),
    ("GET /api/files/{id}/fields", |path| get(&format!("{path}/fields")), Nothing),
    ("GET /api/files/{id}/rows", |path| get(&format!("{path}/rows")), Nothing),
    ("GET /api/files/{id}/profile", |path| get(&format!("{path}/profile")), Nothing),
    ("GET /api/files/{id}/estimate", |path| get(&format!("{path}/estimate?a__eq=1")), Nothing),
    ("GET /api/files/{id}/cut", |path| get(&format!("{path}/cut")), Nothing),
    ("GET /api/files/{id}/cut, whole", |path| get(&format!("{path}/cut?streaming=false")), Nothing),
    ("POST /api/files/{id}/cut", |path| post_json(&format!("{path}/cut"), &json!({})), Nothing),
    ("GET /api/files/{id}/process", |path| get(&format!("{path}/process")), Nothing),
    ("POST /api/files/{id}/process", |path| post_json(&format!("{path}/process"), &json!({})), Nothing),
    ("POST /api/files/{id}/save", save, Nothing),
    ("POST /api/files/{id}/save, keyed", |path| keyed(save(path)), Nothing),
    ("POST /api/files/{id}/save, keyed, again", |path| keyed(save(path)), Repeat),
    ("GET /api/cuts/{id}", |cut| get(cut), Cut),
    ("POST /api/auth/register", |_| register(), Nothing),
    ("POST /api/auth/register, keyed", |_| keyed(register()), Nothing),
    ("POST /api/auth/register, keyed, again", |_| keyed(register()), Repeat),
    (
        "POST /api/auth/login",
        |_| post_json("/api/auth/login", &json!({"username": "eve", "password": PASSWORD})),
        Session,
    ),
    (
        "POST /api/auth/refresh",
        |token| post_json("/api/auth/refresh", &json!({"refresh_token": token})),
        Session,
    ),
    (
        "POST /api/auth/logout",
        |token| post_json("/api/auth/logout", &json!({"refresh_token": token})),
        Session,
    ),
    ("GET /api/auth/user", |_| get("/api/auth/user"), Nothing),
    ("GET /api/openapi.json", |_| get("/api/openapi.json"), Nothing),
    ("GET /health", |_| get("/health"), Nothing),
    ("GET /health/ready", |_| get("/health/ready"), Nothing),
    ("GET /health/storage", |_| get("/health/storage"), Nothing),
];

/// Calls to the database, the object store and the queue.
async fn cost_of((_, make, before): &Case, other_files: usize) -> [usize; 3] {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..other_files {
        app.upload(&token, "a.csv", CSV).await;
    }
    let file = app.upload(&token, "a.csv", CSV).await;
    let mut path = format!("/api/files/{}", file["id"].as_str().unwrap());
    match before {
        Nothing => {}
        Trash => drop(app.send(delete(&path).bearer(&token)).await.expect(200)),
        Cut => path = app.send(get(&format!("{path}/cut")).bearer(&token)).await.expect(200).receipt_path(),
        Session => {
            let session = app.send(register()).await.expect(201).json();
            path = session["tokens"]["refresh_token"].as_str().unwrap().to_owned();
        }
        Repeat | LostAnswer => {
            let first = app.send(make(&path).bearer(&token)).await;
            assert!(first.status.is_success(), "{first}");
            if *before == LostAnswer {
                app.database.execute("UPDATE idempotency_keys SET status = NULL, response = NULL");
            }
        }
    }
    app.faults.forget_calls();
    app.send(make(&path).bearer(&token)).await;
    [On::database(), On::objects(), On::queue()].map(|port| app.faults.count(&port))
}

#[tokio::test]
async fn each_route_costs_what_the_table_says() {
    let mut table = String::new();
    for case in &CASES {
        let [database, objects, queue] = cost_of(case, 0).await;
        table += &format!("{:<41} {database} D1, {objects} R2, {queue} queue\n", case.0);
    }
    insta::assert_snapshot!(table, @r"
    POST /api/files                           3 D1, 2 R2, 0 queue
    POST /api/files, a form                   4 D1, 2 R2, 0 queue
    POST /api/files, a form of 6 MiB          6 D1, 5 R2, 0 queue
    POST /api/files, refused                  1 D1, 0 R2, 0 queue
    POST /api/files, keyed                    5 D1, 2 R2, 0 queue
    POST /api/files, keyed, refused           3 D1, 0 R2, 0 queue
    POST /api/files, keyed, again             2 D1, 0 R2, 0 queue
    POST /api/files, keyed, answer lost       3 D1, 0 R2, 0 queue
    POST /api/files/upload                    3 D1, 2 R2, 0 queue
    GET /api/files                            2 D1, 0 R2, 0 queue
    GET /api/files/{id}                       2 D1, 1 R2, 1 queue
    GET /api/files/{id}, one range            2 D1, 1 R2, 1 queue
    GET /api/files/{id}, three ranges         2 D1, 3 R2, 1 queue
    GET /api/files/{id}, not modified         2 D1, 0 R2, 0 queue
    HEAD /api/files/{id}                      2 D1, 0 R2, 0 queue
    GET /api/files/{id}/metadata              2 D1, 0 R2, 0 queue
    PATCH /api/files/{id}                     2 D1, 0 R2, 0 queue
    PATCH /api/files/{id}, if-match           3 D1, 0 R2, 0 queue
    PATCH /api/files/{id}, keyed              4 D1, 0 R2, 0 queue
    PATCH /api/files/{id}, keyed, again       2 D1, 0 R2, 0 queue
    DELETE /api/files/{id}                    2 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, if-match          3 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, for good          2 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, keyed             4 D1, 0 R2, 0 queue
    DELETE /api/files/{id}, keyed, again      2 D1, 0 R2, 0 queue
    POST /api/files/{id}/restore, keyed       4 D1, 0 R2, 0 queue
    POST /api/files/{id}/restore              2 D1, 0 R2, 0 queue
    GET /api/files/{id}/lineage               3 D1, 0 R2, 0 queue
    GET /api/files/{id}/columns               2 D1, 0 R2, 0 queue
    GET /api/files/{id}/fields                2 D1, 0 R2, 0 queue
    GET /api/files/{id}/rows                  2 D1, 1 R2, 0 queue
    GET /api/files/{id}/profile               2 D1, 1 R2, 0 queue
    GET /api/files/{id}/estimate              2 D1, 1 R2, 0 queue
    GET /api/files/{id}/cut                   4 D1, 1 R2, 0 queue
    GET /api/files/{id}/cut, whole            4 D1, 1 R2, 0 queue
    POST /api/files/{id}/cut                  4 D1, 1 R2, 0 queue
    GET /api/files/{id}/process               4 D1, 1 R2, 0 queue
    POST /api/files/{id}/process              4 D1, 1 R2, 0 queue
    POST /api/files/{id}/save                 6 D1, 3 R2, 0 queue
    POST /api/files/{id}/save, keyed          8 D1, 3 R2, 0 queue
    POST /api/files/{id}/save, keyed, again   2 D1, 0 R2, 0 queue
    GET /api/cuts/{id}                        2 D1, 0 R2, 0 queue
    POST /api/auth/register                   1 D1, 0 R2, 0 queue
    POST /api/auth/register, keyed            2 D1, 0 R2, 0 queue
    POST /api/auth/register, keyed, again     3 D1, 0 R2, 0 queue
    POST /api/auth/login                      2 D1, 0 R2, 0 queue
    POST /api/auth/refresh                    1 D1, 0 R2, 0 queue
    POST /api/auth/logout                     1 D1, 0 R2, 0 queue
    GET /api/auth/user                        2 D1, 0 R2, 0 queue
    GET /api/openapi.json                     0 D1, 0 R2, 0 queue
    GET /health                               0 D1, 0 R2, 0 queue
    GET /health/ready                         1 D1, 1 R2, 0 queue
    GET /health/storage                       0 D1, 1 R2, 0 queue
    ");
}

#[tokio::test]
async fn no_route_costs_more_when_there_are_more_files() {
    for case in CASES.iter().filter(|case| !case.0.contains(',')) {
        assert_eq!(cost_of(case, 7).await, cost_of(case, 0).await, "{}", case.0);
    }
}

/// Routes that ask neither store for anybody.
const UNSAID: [&str; 4] = ["/health", "/health/ready", "/health/storage", "/openapi.json"];

#[test]
fn the_table_has_every_route() {
    // These have a table of their own, beside what they do.
    let elsewhere = ["/api/admin/", "/api/uploads", "/api/files/multipart"];
    let is_here = |template: &str| !elsewhere.iter().any(|prefix| template.starts_with(prefix));
    for operation in operations().into_iter().filter(|operation| is_here(operation.template)) {
        let name = format!("{} {}", operation.method, operation.template);
        let is_of_it = |case: &Case| case.0.split(',').next() == Some(name.as_str());
        assert!(CASES.iter().any(is_of_it), "{name} is missing");
    }
}

/// How many calls to R2 a description tells of, before it goes on to cases that cost more.
fn calls_to_r2(cost: &str) -> usize {
    let usual = cost.split([';', '.']).next().unwrap_or_default();
    let words: Vec<_> = usual.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[1] == "R2").map(|pair| pair[0].parse::<usize>().unwrap()).sum()
}

#[test]
fn calls_to_r2_are_read_from_a_description() {
    for (cost, wanted) in [
        ("6 D1 calls, 1 R2 read and 2 R2 puts (the file and its profile); parts of 8 MiB", 3),
        ("2 D1 reads; 1 R2 read more for a wide file", 0),
        ("3 D1 calls.", 0),
    ] {
        assert_eq!(calls_to_r2(cost), wanted, "{cost}");
    }
}

#[tokio::test]
async fn the_description_says_what_a_route_costs() {
    let mut said = 0;
    for case in CASES
        .iter()
        .filter(|case| !case.0.contains(',') && !UNSAID.iter().any(|route| case.0.ends_with(route)))
    {
        let [database, objects, _] = cost_of(case, 0).await;
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
        assert_eq!(calls_to_r2(cost), objects, "{}: {cost}", case.0);
        said += 1;
    }
    assert_eq!(said, 26);
}
