//! Filters as text: in every route that takes filters, and `POST /api/filters/parse`.

use cutty::csv::filter::MAX_DEPTH;
use serde_json::{Value, json};

use crate::support::client::{get, post_json};
use crate::support::{On, TestApp};

const FILE: &str = "id,first name,city,age\n1,Zoë,Bern,34\n2,Ada,New York,36\n3,Noah,Basel,29\n4,Mia,,41\n";

struct Scene {
    app: TestApp,
    token: String,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", FILE).await;
        let id = file["id"].as_str().unwrap().to_owned();
        Self { app, token, id }
    }

    async fn parse(&self, body: &Value) -> Value {
        let response = self.app.send(post_json("/api/filters/parse", body).bearer(&self.token)).await;
        response.expect(200).json()
    }
}

#[tokio::test]
async fn every_route_that_takes_filters_takes_a_text() {
    let scene = Scene::new().await;
    let path = format!("/api/files/{}", scene.id);
    let filter = "%22first%20name%22%20%3D%20Zo%C3%AB%20OR%20city%20%3D%20%27New%20York%27";
    for route in ["cut", "process"] {
        let cut = get(&format!("{path}/{route}?columns=id&filter={filter}")).bearer(&scene.token);
        assert_eq!(scene.app.send(cut).await.expect(200).text(), "id\n1\n2\n");
    }
    let text = "\"first name\" = Zoë OR city = 'New York'";
    let body = json!({"columns": ["id"], "filter": text});
    let cut = post_json(&format!("{path}/cut"), &body).bearer(&scene.token);
    assert_eq!(scene.app.send(cut).await.expect(200).text(), "id\n1\n2\n");
    let save = post_json(&format!("{path}/save"), &body).bearer(&scene.token);
    let saved = scene.app.send(save).await.expect(201).json();
    assert_eq!(saved["file"]["rowCount"], 2);
    let estimate = get(&format!("{path}/estimate?filter={filter}&age__gte=30")).bearer(&scene.token);
    scene.app.send(estimate).await.expect(200);
    let both = get(&format!("{path}/cut?columns=id&filter={filter}&age__gte=35")).bearer(&scene.token);
    assert_eq!(scene.app.send(both).await.expect(200).text(), "id\n2\n");
    for (wrong, code) in [
        ("filter=city%20%3D%20New%20York", "bad_filter"),
        ("filter=town%20%3D%20x", "unknown_column"),
        ("filter=age%20%3E%20x", "bad_filter"),
        ("filter=a%3D1&filter=b%3D1", "bad_request"),
    ] {
        let call = get(&format!("{path}/cut?{wrong}")).bearer(&scene.token);
        let problem = scene.app.send(call).await.expect_problem(400, code);
        if wrong.contains("New") {
            assert_eq!(
                (&problem["position"], &problem["where"]),
                (&json!(11), &json!("the parameter filter")),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn a_text_and_a_tree_are_converted_to_each_other() {
    let scene = Scene::new().await;
    let parsed = scene.parse(&json!({"text": " age>=30 and (city=Bern or city in (Basel))"})).await;
    let tree = json!({"and": [
        {"column": "age", "op": "gte", "value": "30"},
        {"or": [{"column": "city", "op": "eq", "value": "Bern"}, {"column": "city", "op": "in", "value": ["Basel"]}]},
    ]});
    assert_eq!((&parsed["tree"], &parsed["errors"], &parsed["conditions"]), (&tree, &json!([]), &json!(3)));
    assert_eq!(parsed["text"], "age >= 30 AND (city = Bern OR city IN (Basel))");
    let back = scene.parse(&json!({"tree": tree})).await;
    assert_eq!((&back["tree"], &back["text"]), (&tree, &parsed["text"]));
    let digits = scene.parse(&json!({"tree": {"column": "age", "op": "=", "value": 1}})).await;
    assert_eq!(digits["text"], "age = 1");
    let blank = scene.parse(&json!({"text": " "})).await;
    assert_eq!((&blank["tree"], &blank["text"], &blank["errors"]), (&Value::Null, &Value::Null, &json!([])));
}

#[tokio::test]
async fn errors_say_where_and_what_to_write() {
    let scene = Scene::new().await;
    scene.app.faults.forget_calls();
    let parsed = scene.parse(&json!({"text": "city = New York"})).await;
    let error = &parsed["errors"][0];
    assert_eq!((&error["position"], &error["length"]), (&json!(11), &json!(0)));
    assert_eq!(error["expected"], json!(["AND", "OR", "end"]));
    assert!(error["detail"].as_str().unwrap().contains("'New York'"));
    assert_eq!((&parsed["tree"], &error["nearest"]), (&Value::Null, &Value::Null));
    assert_eq!(scene.app.faults.count(&On::objects()), 0);
    let wrong_tree = scene.parse(&json!({"tree": {"and": [{"column": "a", "op": "x", "value": 1}]}})).await;
    assert_eq!(wrong_tree["errors"][0]["pointer"], "/tree/and/0/op");

    let of_file = |text: &str| json!({"text": text, "fileId": scene.id});
    let parsed = scene.parse(&of_file("agee > 3 AND #4 < 9 AND \"Firstname\" = x AND zzz = 1")).await;
    let seen: Vec<_> = parsed["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (&error["position"], &error["length"], &error["nearest"]))
        .collect();
    assert_eq!(
        seen,
        [
            (&json!(0), &json!(4), &json!("age")),
            (&json!(24), &json!(11), &json!("first name")),
            (&json!(44), &json!(3), &Value::Null),
        ],
        "{parsed}"
    );
    assert!(parsed["tree"].is_object(), "the syntax is right, so there is a tree");
    let of_tree = json!({"tree": {"not": {"column": "agee", "op": "gt", "value": "3"}}, "fileId": scene.id});
    let parsed = scene.parse(&of_tree).await;
    assert_eq!((&parsed["text"], &parsed["errors"][0]["position"]), (&json!("NOT agee > 3"), &json!(4)));
    let kinds = scene.parse(&of_file("age > old")).await;
    assert!(kinds["errors"][0]["detail"].as_str().unwrap().contains("number"), "{kinds}");
    assert_eq!(scene.parse(&of_file("city = Bern AND age > 3")).await["errors"], json!([]));
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let scene = Scene::new().await;
    for body in
        [json!({}), json!({"text": "a = 1", "tree": {}}), json!({"text": 5}), json!({"text": "", "x": 1})]
    {
        let call = post_json("/api/filters/parse", &body).bearer(&scene.token);
        scene.app.send(call).await.expect_problem(400, "bad_request");
    }
    let missing = json!({"text": "a = 1", "fileId": "00000000-0000-4000-8000-000000000000"});
    for token in [&scene.token, &scene.app.user("bob")] {
        let call = post_json("/api/filters/parse", &missing).bearer(token);
        scene.app.send(call).await.expect_problem(404, "not_found");
    }
    let other = json!({"text": "a = 1", "fileId": scene.id});
    let call = post_json("/api/filters/parse", &other).bearer(&scene.app.user("eve"));
    scene.app.send(call).await.expect_problem(404, "not_found");
    scene.app.send(post_json("/api/filters/parse", &other)).await.expect_problem(401, "unauthenticated");
    let deep = format!("{}a = 1{}", "(".repeat(MAX_DEPTH + 9), ")".repeat(MAX_DEPTH + 9));
    assert_eq!(scene.parse(&json!({"text": deep})).await["errors"][0]["expected"], json!(["less"]));
}
