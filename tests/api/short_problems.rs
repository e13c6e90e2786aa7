//! A problem document is short, even if the request was long.

use http::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, Form, get, patch_json, post_json, upload};
use crate::support::tus;

/// The longest allowed problem document, in bytes.
const FEW_KIB: usize = 10 << 10;

/// Returns a long text. If the letter has one byte, a JSON body with this text is shorter than the limit of 1 MiB for
/// JSON bodies.
fn long(letter: &str) -> String {
    letter.repeat((1 << 20) - 1000)
}

/// Returns an object with one member.
fn named(name: String, value: Value) -> Value {
    Value::Object([(name, value)].into_iter().collect())
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({"column": "a", "op": "eq", "value": "1"}), |inner, _| json!({"not": inner}))
}

#[tokio::test]
async fn problem_documents_are_short_for_long_requests() {
    let app = TestApp::new();
    let token = app.user("ada");
    let header: Vec<_> = (0..60).map(|number| format!("{number}{}", "c".repeat(2000))).collect();
    let file = app.upload(&token, "a.csv", format!("{}\n1,2\n", header.join(","))).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let cut = |body: Value| post_json(&format!("{path}/cut"), &body);
    let filter = |filter: Value| cut(json!({"filter": filter}));
    let query = |query: String| get(&format!("{path}/cut?{query}"));
    let z = "z".repeat(20_000);
    let quoted = "\\\"".repeat(100_000);
    let calls: Vec<(&str, Call)> = vec![
        ("a member", patch_json(&path, &named(long("z"), json!(1)))),
        ("a member name of quotes", patch_json(&path, &named(quoted.clone(), json!(1)))),
        ("a tag", patch_json(&path, &json!({"tags": [long("é")]}))),
        ("a metadata key", patch_json(&path, &json!({"metadata": named(long("k"), json!(1))}))),
        ("a value of another type", patch_json(&path, &json!({"tags": long("t")}))),
        ("a column", cut(json!({"selectedColumns": [long("c")]}))),
        ("a column name of quotes", cut(json!({"selectedColumns": [quoted]}))),
        ("an option", cut(named(long("o"), json!(1)))),
        ("an unknown query option", query(format!("{z}=1"))),
        ("a repeated option", query("columns=0&columns=0".to_owned())),
        ("an unknown operator in a query", query(format!("a__{z}=1"))),
        ("an unknown column in a query", query(format!("{z}__eq=1"))),
        ("a value for isempty", query(format!("a__isempty={z}"))),
        ("a filtered column", cut(json!({"whereFilters": named(long("w"), json!("= 1"))}))),
        ("an expression", cut(json!({"whereFilters": named(long("w"), json!("BETWEEN 1"))}))),
        ("a value of a wrong type", cut(json!({"whereFilters": named(long("w"), json!([1]))}))),
        ("nesting beyond the JSON parser's limit", filter(nested(200))),
        ("a filter with too many levels", filter(nested(125))),
        ("a filter's member", filter(named(long("m"), json!(1)))),
        ("an operator", filter(json!({"column": "a", "op": long("o"), "value": 1}))),
        ("an encoding", cut(json!({"encoding": long("e")}))),
        ("a format", cut(json!({"format": long("f")}))),
        (
            "an email",
            post_json("/api/auth/register", &json!({"username": "eve", "email": long("@"), "password": "x"})),
        ),
        ("a name", post_json("/api/files/multipart", &json!({"filename": long("n"), "size": 1}))),
        ("a sort", get(&format!("/api/files?sort={z}"))),
        ("a cursor", get(&format!("/api/files?cursor={z}"))),
        ("a part number", Call::new(Method::PUT, &format!("/api/files/multipart/{}/parts/{z}", tus_id()))),
        ("a path", get(&format!("/api/{z}"))),
        ("a media type", upload("a.csv", "a\n1\n").without("content-type").header("content-type", &z)),
        ("a coding", upload("a.csv", "a\n1\n").header("content-encoding", &z)),
        ("a tag in a header", upload("a.csv", "a\n1\n").header("x-file-tags", &z)),
        ("a field", Form::default().field(&"f".repeat(10_000), "x").file("a.csv", b"a\n1\n").post()),
        (
            "a key in Upload-Metadata",
            tus::create(9)
                .without("upload-metadata")
                .header("upload-metadata", format!("{0},{0}", "k".repeat(8000))),
        ),
    ];
    for (case, call) in calls {
        let (parts, body) = app.respond(call.bearer(&token)).await;
        let cutty::body::outgoing::ResponseBody::Bytes(bytes) = body else {
            panic!("{case}: the response has no document")
        };
        assert!(parts.status.is_client_error(), "{case}: {}", parts.status);
        assert!(bytes.len() <= FEW_KIB, "{case}: {} bytes", bytes.len());
        let problem: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(problem["detail"].as_str().unwrap().len() > 15, "{case}: {problem}");
    }
}

fn tus_id() -> &'static str {
    "01a20398-e9d4-74cd-9eee-b9e6e48c4ff4"
}
