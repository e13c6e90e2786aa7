//! Preconditions of requests (RFC 9110 §13), such as `If-Match`, at every route for a file.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, delete, get, head, patch_json, post, post_json};

const CSV: &str = "a,b\n1,2\n3,4\n";

/// The time at which the file in a [`Scene`] was last changed, as an HTTP-date. [`BEFORE`] is one second earlier, and
/// [`AFTER`] is one second later. The file was created a day before `CHANGED`.
const CHANGED: &str = "Sat, 03 Jan 2026 03:04:05 GMT";
const BEFORE: &str = "Sat, 03 Jan 2026 03:04:04 GMT";
const AFTER: &str = "Sat, 03 Jan 2026 03:04:06 GMT";

/// Ada's file. A day after its creation, the file was renamed. For [`Kind::Restore`], the file was moved to the trash
/// instead.
struct Scene {
    app: TestApp,
    token: String,
    path: String,
    bytes_tag: String,
    metadata_tag: String,
}

impl Scene {
    async fn new(kind: Kind) -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        app.advance(TimeDelta::days(1));
        let change = match kind {
            Kind::Restore => delete(&path),
            _ => patch_json(&path, &json!({"filename": "b.csv"})),
        };
        let changed = app.send(change.bearer(&token)).await.expect(200);
        let bytes_tag = format!("\"{}\"", file["etag"].as_str().unwrap());
        let metadata_tag = changed.header("etag").to_owned();
        app.advance(TimeDelta::days(1));
        Self { app, token, path, bytes_tag, metadata_tag }
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn state(&self) -> (Value, BTreeMap<String, u64>) {
        let metadata = self.send(get(&format!("{}/metadata", self.path))).await;
        (metadata.json(), self.app.database.row_counts())
    }

    /// Returns the value of a precondition. In a list of tags, replaces `B` with the tag of the bytes, and `M` with the
    /// tag of the metadata.
    fn value(&self, name: &str, value: &str) -> String {
        match name.ends_with("since") {
            true => value.to_owned(),
            false => value.replace('B', &self.bytes_tag).replace('M', &self.metadata_tag),
        }
    }
}

/// The kind of a route. The kind decides the status of a request whose precondition is false.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The route reads the bytes, or makes a result from them.
    Bytes,
    /// The route reads the metadata.
    Metadata,
    /// The method of the route is neither `GET` nor `HEAD`.
    Change,
    /// The route restores a file from the trash.
    Restore,
}

type Route = (&'static str, Kind, fn(&str) -> Call, u16);

/// Every route with preconditions: its name, its kind, a function that makes a request, and the status without a
/// precondition.
const ROUTES: [Route; 15] = [
    ("GET bytes", Kind::Bytes, |path| get(path), 200),
    ("HEAD bytes", Kind::Bytes, |path| head(path), 200),
    ("GET metadata", Kind::Metadata, |path| get(&format!("{path}/metadata")), 200),
    ("HEAD metadata", Kind::Metadata, |path| head(&format!("{path}/metadata")), 200),
    ("GET rows", Kind::Bytes, |path| get(&format!("{path}/rows")), 200),
    ("GET cut", Kind::Bytes, |path| get(&format!("{path}/cut?a__eq=1")), 200),
    ("HEAD cut", Kind::Bytes, |path| head(&format!("{path}/cut")), 200),
    ("GET process", Kind::Bytes, |path| get(&format!("{path}/process")), 200),
    ("POST cut", Kind::Change, |path| post_json(&format!("{path}/cut"), &json!({})), 200),
    ("POST process", Kind::Change, |path| post_json(&format!("{path}/process"), &json!({})), 200),
    ("POST save", Kind::Change, |path| post_json(&format!("{path}/save"), &json!({})), 201),
    ("PATCH", Kind::Change, |path| patch_json(path, &json!({"tags": ["x"]})), 200),
    ("DELETE", Kind::Change, |path| delete(path), 200),
    ("DELETE permanently", Kind::Change, |path| delete(&format!("{path}?permanent=true")), 200),
    ("POST restore", Kind::Restore, |path| post(&format!("{path}/restore")), 200),
];

/// Stands in [`PRECONDITIONS`] for the status that the route returns without a precondition.
const OK: u16 = 0;

/// The preconditions of one request, and the expected statuses. The items are: (1) the names and values of the
/// preconditions, in the form that [`Scene::value`] reads; (2) three statuses: for [`Kind::Bytes`], for
/// [`Kind::Metadata`], and for all other kinds.
type Precondition = (&'static [(&'static str, &'static str)], [u16; 3]);

/// The combinations of preconditions that each route must evaluate.
const PRECONDITIONS: [Precondition; 26] = [
    (&[("if-match", "B")], [OK, OK, OK]),
    (&[("if-match", "M")], [OK, OK, OK]),
    (&[("if-match", "*")], [OK, OK, OK]),
    (&[("if-match", "\"zz\", B")], [OK, OK, OK]),
    (&[("if-match", "\"zz\"")], [412, 412, 412]),
    (&[("if-match", "\"r1\"")], [412, 412, 412]),
    (&[("if-match", "W/B")], [412, 412, 412]),
    (&[("if-match", "W/M")], [412, 412, 412]),
    (&[("if-none-match", "B")], [304, OK, 412]),
    (&[("if-none-match", "M")], [OK, 304, 412]),
    (&[("if-none-match", "W/B")], [304, OK, 412]),
    (&[("if-none-match", "*")], [304, 304, 412]),
    (&[("if-none-match", "\"zz\"")], [OK, OK, OK]),
    (&[("if-unmodified-since", CHANGED)], [OK, OK, OK]),
    (&[("if-unmodified-since", AFTER)], [OK, OK, OK]),
    (&[("if-unmodified-since", BEFORE)], [412, 412, 412]),
    (&[("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT")], [412, 412, 412]),
    (&[("if-modified-since", CHANGED)], [304, 304, OK]),
    (&[("if-modified-since", BEFORE)], [OK, OK, OK]),
    (&[("if-match", "B"), ("if-unmodified-since", BEFORE)], [OK, OK, OK]),
    (&[("if-match", "\"zz\""), ("if-unmodified-since", AFTER)], [412, 412, 412]),
    (&[("if-none-match", "\"zz\""), ("if-modified-since", CHANGED)], [OK, OK, OK]),
    (&[("if-none-match", "*"), ("if-modified-since", BEFORE)], [304, 304, 412]),
    (&[("if-match", "\"zz\""), ("if-none-match", "*")], [412, 412, 412]),
    (&[("if-match", "B"), ("if-none-match", "*")], [304, 304, 412]),
    (&[("if-unmodified-since", BEFORE), ("if-none-match", "*")], [412, 412, 412]),
];

#[tokio::test]
async fn each_route_evaluates_preconditions_and_a_false_precondition_prevents_the_change() {
    for (route, kind, call, usual) in ROUTES {
        for (fields, expected) in PRECONDITIONS {
            let scene = Scene::new(kind).await;
            let mut call = call(&scene.path);
            for (name, value) in fields {
                call = call.header(name, scene.value(name, value));
            }
            let before = scene.state().await;
            let response = scene.send(call).await;
            let place = match kind {
                Kind::Bytes => 0,
                Kind::Metadata => 1,
                Kind::Change | Kind::Restore => 2,
            };
            let expected = if expected[place] == OK { usual } else { expected[place] };
            assert_eq!(response.status.as_u16(), expected, "{route} {fields:?}: {response}");
            if expected >= 300 {
                assert_eq!(scene.state().await, before, "{route} {fields:?}");
            }
            if expected == 412 && !route.starts_with("HEAD") {
                response.expect_problem(412, "precondition_failed");
            } else if expected == 304 {
                assert!(response.body.is_empty(), "{route} {fields:?}");
            }
        }
    }
}

/// A request that fails, and the status of its response.
type Failing = (fn(&str) -> Call, u16);

#[tokio::test]
async fn a_failing_request_has_the_same_status_with_and_without_a_false_precondition() {
    let scene = Scene::new(Kind::Change).await;
    let missing = format!("/api/files/{}", uuid_of(&scene.path));
    let trashed = scene.app.upload(&scene.token, "c.csv", CSV).await;
    let trashed = format!("/api/files/{}", trashed["id"].as_str().unwrap());
    scene.send(delete(&trashed)).await.expect(200);
    let path = scene.path.clone();
    let at = |path: &str, rest: &str| format!("{path}{rest}");
    type Make = Box<dyn Fn() -> Call>;
    let mut cases: Vec<(Make, u16)> = Vec::new();
    for (route, kind, call, _) in ROUTES {
        let missing = missing.clone();
        cases.push((Box::new(move || call(&missing)), 404));
        let keeps_working = kind == Kind::Metadata || kind == Kind::Restore || route.starts_with("DELETE");
        if !keeps_working {
            let trashed = trashed.clone();
            cases.push((Box::new(move || call(&trashed)), 404));
        }
    }
    let more: [Failing; 8] = [
        (|path| post(&format!("{path}/restore")), 409),
        (|path| patch_json(path, &json!({"filename": "x/y"})), 422),
        (|path| patch_json(path, &json!({"zzz": 1})), 400),
        (|path| delete(&format!("{path}?permanent=perhaps")), 400),
        (|path| get(&format!("{path}/cut?zzz__eq=1")), 400),
        (|path| post_json(&format!("{path}/save"), &json!({"selectedColumns": ["zzz"]})), 400),
        (|path| post_json(&format!("{path}/save"), &json!({"compress": "gzip"})), 400),
        (|path| get(&format!("{path}/rows?columns=zzz")), 400),
    ];
    for (call, status) in more {
        let path = at(&path, "");
        cases.push((Box::new(move || call(&path)), status));
    }
    for (call, status) in &cases {
        let plain = scene.send(call()).await;
        let name = format!("{} {}", call().request.method(), call().request.uri());
        assert_eq!(plain.status.as_u16(), *status, "{name}: {plain}");
        for (field, value) in
            [("if-match", "\"zz\""), ("if-none-match", "*"), ("if-unmodified-since", BEFORE)]
        {
            let conditional = scene.send(call().header(field, value)).await;
            assert_eq!(conditional.status, plain.status, "{name} {field}: {conditional}");
        }
    }
    for (route, _, call, _) in ROUTES {
        let anonymous = scene.app.send(call(&scene.path).header("if-match", "\"zz\"")).await;
        assert_eq!(anonymous.status.as_u16(), 401, "{route}");
    }
}

/// Returns an id that is as long as the id in the path, but belongs to no file.
fn uuid_of(path: &str) -> String {
    let id = path.rsplit('/').next().unwrap();
    let (start, last) = id.split_at(id.len() - 1);
    format!("{start}{}", if last == "0" { "1" } else { "0" })
}

#[tokio::test]
async fn the_validators_of_a_response_are_accepted_at_the_same_url() {
    let scene = Scene::new(Kind::Change).await;
    for change in [json!({"tags": ["x"]}), json!({"archived": true})] {
        scene.app.advance(TimeDelta::days(1));
        let changed = scene.send(patch_json(&scene.path, &change)).await.expect(200);
        let (tag, time) = (changed.header("etag").to_owned(), changed.header("last-modified").to_owned());
        for method in [Method::GET, Method::HEAD] {
            let at_url = |name, value: &str| Call::new(method.clone(), &scene.path).header(name, value);
            scene.send(at_url("if-match", &tag)).await.expect(200);
            scene.send(at_url("if-unmodified-since", &time)).await.expect(200);
        }
    }
    for path in [scene.path.clone(), format!("{}/metadata", scene.path)] {
        let read = scene.send(get(&path)).await.expect(200);
        for (name, validator) in [("if-none-match", "etag"), ("if-modified-since", "last-modified")] {
            let again = scene.send(get(&path).header(name, read.header(validator))).await.expect(304);
            assert_eq!(again.header("etag"), read.header("etag"));
            assert_eq!(again.header("last-modified"), read.header("last-modified"));
        }
        let unmodified = patch_json(&scene.path, &json!({}));
        let unmodified = unmodified.header("if-unmodified-since", read.header("last-modified"));
        scene.send(unmodified).await.expect(200);
    }
}

#[tokio::test]
async fn a_304_response_has_the_new_name_of_a_renamed_file() {
    let scene = Scene::new(Kind::Change).await;
    let not_modified =
        scene.send(get(&scene.path).header("if-none-match", &scene.bytes_tag)).await.expect(304);
    assert_eq!(not_modified.header("content-disposition"), "attachment; filename=\"b.csv\"");
}

#[tokio::test]
async fn a_request_fails_if_another_request_changes_the_file_after_the_precondition_was_checked() {
    for (name, value) in [("if-match", "B"), ("if-none-match", "\"zz\""), ("if-unmodified-since", AFTER)] {
        for (route, _, call, _) in
            ROUTES.iter().filter(|route| ["PATCH", "DELETE", "DELETE permanently"].contains(&route.0))
        {
            let scene = Scene::new(Kind::Change).await;
            let value = scene.value(name, value);
            scene.app.faults.set_yield_before_calls(true);
            let guarded = scene.send(call(&scene.path).header(name, value));
            let other = scene.send(patch_json(&scene.path, &json!({"filename": "other.csv"})));
            let (guarded, other) = tokio::join!(guarded, other);
            scene.app.faults.set_yield_before_calls(false);
            other.expect(200);
            guarded.expect_problem(412, "precondition_failed");
            let file = scene.state().await.0["file"].clone();
            assert_eq!((&file["filename"], &file["userTags"]), (&json!("other.csv"), &json!([])), "{route}");
            assert_eq!(file["lifecycleStatus"], "active", "{route}");
        }
        let scene = Scene::new(Kind::Restore).await;
        let value = scene.value(name, value);
        let restore = || post(&format!("{}/restore", scene.path));
        scene.app.faults.set_yield_before_calls(true);
        let (guarded, other) = tokio::join!(scene.send(restore().header(name, value)), scene.send(restore()));
        scene.app.faults.set_yield_before_calls(false);
        other.expect(200);
        guarded.expect_problem(409, "conflict");
    }
}

#[tokio::test]
async fn other_routes_refuse_preconditions_of_changes_and_evaluate_preconditions_of_reads() {
    let scene = Scene::new(Kind::Change).await;
    let changing = [
        post("/api/files").bytes(CSV),
        post_json("/api/files/multipart", &json!({"filename": "x.csv", "size": 10})),
        post("/api/uploads").header("tus-resumable", "1.0.0").header("upload-length", 10),
        post_json("/api/auth/logout", &json!({"refresh_token": "x"})),
    ];
    let before = scene.state().await;
    for call in changing {
        for (name, value) in [("if-match", "*"), ("if-none-match", "*"), ("if-unmodified-since", AFTER)] {
            let request = call.request.clone();
            let again = Call { request, body: None }.header(name, value);
            let problem = scene.send(again).await.expect_problem(400, "bad_request");
            assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
        }
    }
    assert_eq!(scene.state().await, before);
    for path in ["/api/files".to_owned(), format!("{}/columns", scene.path), "/api/auth/user".to_owned()] {
        for (name, value, status) in [
            ("if-match", "*", 200),
            ("if-match", "\"zz\"", 412),
            ("if-none-match", "*", 304),
            ("if-none-match", "\"zz\"", 200),
            ("if-unmodified-since", BEFORE, 200),
            ("if-modified-since", AFTER, 200),
        ] {
            let response = scene.send(get(&path).header(name, value)).await;
            assert_eq!(response.status.as_u16(), status, "{path} {name}: {value}");
        }
    }
    let options = Call::new(Method::OPTIONS, "/api/uploads").header("if-match", "\"zz\"");
    scene.send(options).await.expect(204);
}

#[tokio::test]
async fn a_304_response_has_the_headers_for_caches_of_its_200() {
    let scene = Scene::new(Kind::Change).await;
    let path = &scene.path;
    let paths = [
        path.clone(),
        format!("{path}/metadata"),
        format!("{path}/rows"),
        format!("{path}/cut"),
        format!("{path}/columns"),
        "/api/auth/user".to_owned(),
    ];
    for path in &paths {
        let whole = scene.send(get(path)).await.expect(200);
        let not_modified = scene.send(get(path).header("if-none-match", "*")).await.expect(304);
        for name in ["cache-control", "vary", "content-location", "etag", "cross-origin-resource-policy"] {
            if path.ends_with("/metadata") && name == "etag" {
                continue;
            }
            assert_eq!(not_modified.header(name), whole.header(name), "{path}: {name}");
        }
    }
}

/// Returns the ETag of the metadata, after the time in which reads are counted and profiles are computed.
async fn current_metadata_tag(scene: &Scene) -> String {
    scene.app.deliver_twice().await;
    scene.send(get(&format!("{}/metadata", scene.path))).await.expect(200).header("etag").to_owned()
}

#[tokio::test]
async fn a_read_of_the_file_changes_the_tag_of_the_metadata_but_does_not_prevent_a_change() {
    let scene = Scene::new(Kind::Change).await;
    let before = current_metadata_tag(&scene).await;
    assert_eq!(current_metadata_tag(&scene).await, before);
    let metadata = format!("{}/metadata", scene.path);
    scene.send(get(&metadata).header("if-none-match", &before)).await.expect(304);
    scene.send(get(&format!("{}/cut", scene.path))).await.expect(200);
    let after = current_metadata_tag(&scene).await;
    assert_ne!(after, before, "accessCount has grown");
    scene.send(get(&metadata).header("if-none-match", &before)).await.expect(200);
    scene.send(get(&metadata).header("if-match", &before)).await.expect(200);
    let rename = || patch_json(&scene.path, &json!({"filename": "new.csv"}));
    scene.send(rename().header("if-none-match", &before)).await.expect_problem(412, "precondition_failed");
    scene
        .send(rename().header("if-match", format!("W/{before}")))
        .await
        .expect_problem(412, "precondition_failed");
    scene.send(rename().header("if-match", &before)).await.expect(200);
    scene.send(rename().header("if-match", &before)).await.expect_problem(412, "precondition_failed");
}
