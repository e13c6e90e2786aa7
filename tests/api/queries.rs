//! Query parameters: a route reads the parameters that its description names and refuses all others.

use http::Method;
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, get};
use crate::support::contract::{Operation, operations};

/// In the description, one parameter with this name stands for all filters. An example of a filter is `age__gt`.
const FILTERS: &str = "column__op";

/// Returns the query parameters that the description names.
fn named(operation: &Operation) -> Vec<String> {
    let parameters = operation.spec["parameters"].as_array().cloned().unwrap_or_default();
    let of_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
    of_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_route_refuses_parameters_that_its_description_does_not_name() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let id = file["id"].as_str().unwrap();
    let before = app.database.row_counts();
    for operation in operations() {
        let operation_name = format!("{} {}", operation.method, operation.template);
        assert!(operation.statuses().contains(&400), "{operation_name}");
        for (query, name) in [("limitt=1", "limitt"), ("=1", ""), ("l%69mitt=%zz", "limitt"), ("x", "x")] {
            let call = Call::new(operation.method.clone(), &format!("{}?{query}", operation.path(id)));
            let call = if operation.takes_json() { call.json(&json!({})) } else { call };
            let is_for_operators = operation.template.starts_with("/api/admin/");
            let token = if is_for_operators { OPERATOR_TOKEN } else { &token };
            let response = app.send(call.bearer(token).header("tus-resumable", "1.0.0")).await;
            assert_eq!(response.status, 400, "{operation_name}: {response}");
            if operation.method != Method::HEAD {
                let problem = response.expect_problem(400, "unknown_option");
                assert_eq!(problem["option"], name, "{operation_name}");
                let (known, named) = (&problem["known"], named(&operation));
                assert!(
                    named.contains(&FILTERS.to_owned()) || *known == json!(named),
                    "{operation_name}: {known}"
                );
            }
        }
    }
    assert_eq!(app.database.row_counts(), before, "a refused request must change nothing");
}

#[tokio::test]
async fn routes_accept_the_parameters_that_their_descriptions_name_and_refuse_a_repeated_parameter() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    for good in [
        "/api/files?l%69mit=1&q=a&tag=uploaded&status=active&sort=size&offset=0".to_owned(),
        "/api/files?".to_owned(),
        "/api/files?&".to_owned(),
        format!("{path}?"),
        format!("{path}/rows?offset=0&limit=1&columns=a&inputHeader=true&delimiter=,&encoding=utf-8"),
        format!("{path}/columns?inputHeader=true"),
        format!("{path}/fields?delimiter=;"),
        format!("{path}/lineage?limit=3"),
        format!("{path}/cut?a__eq=1&format=json"),
        format!("{path}/estimate?a__eq=1"),
    ] {
        app.send(get(&good).bearer(&token)).await.expect(200);
    }
    app.send(get("/api/files?limit=1&limit=2").bearer(&token)).await.expect_problem(400, "bad_request");
}
