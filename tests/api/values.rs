//! How filters, profiles and typed results read the values of cells: dates, numbers, identifiers and missing values.

use http::Method;
use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::client::{Call, get, post_json};

/// Cuts `file` with a query and returns the text of the result.
async fn cut(file: &str, query: &str) -> String {
    Cutter::new(file.to_owned()).await.query(query).await.expect(200).text().to_owned()
}

/// Asserts that a cut and an estimate with this query are refused with the same `detail`, and returns this `detail`.
async fn refused(cutter: &Cutter, query: &str) -> String {
    let problem = cutter.query(query).await.expect_problem(400, "bad_filter");
    let estimate = cutter.send(get(&format!("{}/estimate?{query}", cutter.path))).await;
    assert_eq!(estimate.expect_problem(400, "bad_filter")["detail"], problem["detail"]);
    problem["detail"].as_str().unwrap().to_owned()
}

async fn column(file: &str) -> Value {
    let cutter = Cutter::new(file.to_owned()).await;
    let profile = cutter.send(get(&format!("{}/profile", cutter.path))).await.expect(200).json();
    profile["profile"]["columns"][0].clone()
}

#[tokio::test]
async fn every_offset_of_iso_8601_is_part_of_a_date() {
    let times = [
        "2024-06-01 10:00:00+00",
        "2024-06-01T10:00:00+0000",
        "2024-06-01T10:00:00+00:00",
        "2024-06-01 10:00:00 UTC",
        "2024-06-01 10:00:00 Z",
        "2024-06-01t10:00:00z",
        "2024-06-01T10:00:00,5Z",
    ];
    for time in times {
        let file = format!("id,at\n1,{}\n2,\"{time}\"\n", "2024-01-01 10:00:00+00");
        let kept = cut(&file, "at__gte=2024-05-01&columns=id").await;
        assert_eq!(kept, "id\n2\n", "{time}");
    }
}

#[tokio::test]
async fn a_date_without_a_time_is_a_whole_day() {
    let cutter =
        Cutter::new("d\n2024-12-30T23:59:59\n2024-12-31\n2024-12-31T18:30\n2025-01-01T00:00:00Z\n").await;
    let [before, day, evening, after] =
        ["2024-12-30T23:59:59\n", "2024-12-31\n", "2024-12-31T18:30\n", "2025-01-01T00:00:00Z\n"];
    for (query, wanted) in [
        ("d__lte=2024-12-31", [before, day, evening].concat()),
        ("d__gt=2024-12-31", after.to_owned()),
        ("d__gte=2024-12-31", [day, evening, after].concat()),
        ("d__lt=2024-12-31", before.to_owned()),
        ("d__between=2024-12-30,%202024-12-31", [before, day, evening].concat()),
        ("d__on=2024-12-31", [day, evening].concat()),
        ("d__noton=2024-12-31", [before, after].concat()),
        ("d__eq=2024-12-31", day.to_owned()),
        ("d__lte=2024-12-31T18:00", [before, day].concat()),
    ] {
        assert_eq!(cutter.query(query).await.expect(200).text(), format!("d\n{wanted}"), "{query}");
    }
}

#[tokio::test]
async fn an_operand_of_another_kind_is_refused_unless_texts_are_compared() {
    let numbers = Cutter::new("n\n2\n5\n999\n1500\n").await;
    let detail = refused(&numbers, "n__gt=1,000").await;
    assert!(detail.contains("numbers, such as 2 and 1500") && detail.contains("as=text"), "{detail}");
    let save = |body: Value| post_json(&format!("{}/save", numbers.path), &body);
    let body = json!({"whereFilters": {"n": "> 1,000"}});
    numbers.body(body.clone()).await.expect_problem(400, "bad_filter");
    numbers.send(save(body)).await.expect_problem(400, "bad_filter");
    assert_eq!(numbers.query("n__gt=1,000&as=text").await.expect(200).text(), "n\n2\n5\n999\n1500\n");
    assert_eq!(numbers.query("n__gt=2&as=text").await.expect(200).text(), "n\n5\n999\n");
    assert_eq!(numbers.query("n__gt=1000").await.expect(200).text(), "n\n1500\n");
    numbers.query("as=number").await.expect_problem(400, "bad_request");
    // If a request reads the file in another dialect, Cutty does not check the operands against the profile.
    numbers.query("n__gt=1,000&delimiter=tab").await.expect(200);

    let dates = Cutter::new("d\n2023-05-01\n2024-05-01\n").await;
    for operand in ["31.12.2023", "12/31/2023", "2024-5-1", "2024", "2024-02-30", "2024-01-01T10:00+02:00"] {
        let detail = refused(&dates, &format!("d__lt={operand}")).await;
        assert!(detail.contains("dates, such as 2023-05-01 and 2024-05-01"), "{detail}");
        assert_eq!(detail.contains("%2B"), operand.contains('+'), "{detail}");
    }
    assert_eq!(dates.query("d__lt=2023-12-31").await.expect(200).text(), "d\n2023-05-01\n");
}

#[tokio::test]
async fn the_receipt_counts_cells_that_could_not_be_compared() {
    let cutter = Cutter::new("m\n1\nx\n\n\"\"\n2024-01-01\n7\n").await;
    for (query, wanted) in [("m__gt=5", 2), ("m__gt=w", 0), ("m__numeq=7", 2), ("m__gt=5&as=text", 0)] {
        let response = cutter.query(query).await.expect(200);
        assert_eq!(cutter.receipt(&response).await["details"]["notComparable"], wanted, "{query}");
    }
}

#[tokio::test]
async fn names_that_cutty_gives_are_references() {
    let cutter = Cutter::new("id,name,name,\n1,Ann,Smith,x\n").await;
    for (query, wanted) in [
        ("columns=name_2", "name\nSmith\n"),
        ("columns=%233", "name\nSmith\n"),
        ("columns=column_4,name", ",name\nx,Ann\n"),
        ("columns=id&name_2__eq=Smith", "id\n1\n"),
        ("columns=id&name__eq=Smith", "id\n"),
    ] {
        assert_eq!(cutter.query(query).await.expect(200).text(), wanted, "{query}");
    }
    for how in ["", "?delimiter=comma"] {
        let fields = cutter.send(get(&format!("{}/fields{how}", cutter.path))).await.expect(200).json();
        assert_eq!(fields["fields"], json!(["id", "name", "name_2", "column_4"]));
        let columns = cutter.send(get(&format!("{}/columns{how}", cutter.path))).await.expect(200).json();
        assert_eq!(columns["columns"][2]["name"], "name_2");
        assert_eq!(columns["columns"][3]["name"], "column_4");
    }
}

#[tokio::test]
async fn the_three_forms_have_the_same_operators() {
    let cutter = Cutter::new("name,price\nSmith,1.50\nSmythe,1.5\nJones,9\n").await;
    for (query, filters) in [
        ("name__startswith=sm", json!({"whereFilters": {"name": "STARTSWITH sm"}})),
        ("name__endswith=E", json!({"whereFilters": {"name": "ENDSWITH E"}})),
        ("name__ne=Jones", json!({"whereFilters": {"name": "<> Jones"}})),
        ("name__isnull=", json!({"whereFilters": {"name": "IS NULL"}})),
        ("name__nlike=S%25", json!({"whereFilters": {"name": "NOT LIKE 'S%'"}})),
        ("name__in=Smith, Jones", json!({"whereFilters": {"name": "IN (Smith, Jones)"}})),
        ("name__iin=smith", json!({"filter": {"column": "name", "op": "iin", "value": ["SMITH"]}})),
        ("name__ieq=smith", json!({"whereFilters": {"name": "IEQ SMITH"}})),
        ("name__regex=^Sm[iy]th", json!({"whereFilters": {"name": "REGEX ^Sm[iy]th"}})),
        ("price__numeq=1.5", json!({"filter": {"column": "price", "op": "numeq", "value": 1.50}})),
        ("q=MYT", json!({"q": "myt"})),
        ("q=MYT", json!({"filter": {"or": [{"q": "myt"}]}})),
    ] {
        let from_query = cutter.query(&query.replace(' ', "%20")).await.expect(200);
        let from_query = from_query.text();
        assert_eq!(cutter.body(filters.clone()).await.expect(200).text(), from_query, "{query} {filters}");
    }
    for text in ["ILIKE s%", "≥ 5", "=> 5", "Smith OR Jones", "~ Sm", "gte 5"] {
        cutter.body(json!({"whereFilters": {"name": text}})).await.expect_problem(400, "bad_filter");
    }
    assert_eq!(
        cutter.query("price__numeq=1.5&columns=name").await.expect(200).text(),
        "name\nSmith\nSmythe\n"
    );
}

#[tokio::test]
async fn a_number_in_json_keeps_its_digits() {
    let cutter = Cutter::new("price\n1.50\n1.5\n").await;
    let call = |body: &str| {
        let post = Call::new(Method::POST, &format!("{}/cut", cutter.path));
        post.header("content-type", "application/json").bytes(body.to_owned())
    };
    for body in [
        r#"{"whereFilters":{"price":1.50}}"#,
        r#"{"filter":{"column":"price","op":"eq","value":1.50}}"#,
        r#"{"filter":{"column":"price","op":"in","value":[1.50]}}"#,
    ] {
        assert_eq!(cutter.send(call(body)).await.expect(200).text(), "price\n1.50\n", "{body}");
    }
}

#[tokio::test]
async fn typed_json_follows_the_type_of_the_column() {
    for (file, wanted) in [
        ("sku\n12A4\n12E5\n12F6\n", r#"{"sku":"12A4"} {"sku":"12E5"} {"sku":"12F6"}"#),
        ("zip\n10001\n02134\n94110\n", r#"{"zip":"10001"} {"zip":"02134"} {"zip":"94110"}"#),
        ("id\n123456789012345\n1234567890123456\n", r#"{"id":"123456789012345"} {"id":"1234567890123456"}"#),
        ("n\n1\n2.50\n\"\"\nNA\n", r#"{"n":1} {"n":2.50} {"n":null} {"n":"NA"}"#),
        ("b\ntrue\nFALSE\n\"\"\n", r#"{"b":true} {"b":false} {"b":null}"#),
        ("t\ntrue\nyes\n5\n", r#"{"t":"true"} {"t":"yes"} {"t":"5"}"#),
    ] {
        let text = cut(file, "format=ndjson&typed=true").await;
        assert_eq!(text.trim_end().replace('\n', " "), wanted);
    }
    // Without a profile of this dialect, each cell decides.
    let cutter = Cutter::new("t\ntrue\nyes\n5\n").await;
    let response = cutter.query("format=ndjson&typed=true&delimiter=tab").await.expect(200);
    assert_eq!(response.text(), "{\"t\":true}\n{\"t\":\"yes\"}\n{\"t\":5}\n");
    assert_eq!(cutter.receipt(&response).await["details"]["typedBy"], "cells");
}

#[tokio::test]
async fn the_minimum_and_the_maximum_of_long_numbers_are_exact() {
    for (cells, min, max) in [
        (["89410000000000000003", "89410000000000000001", "89410000000000000004"], 1, 2),
        (["0.12345678901234567893", "0.12345678901234567892", "0.12345678901234567891"], 2, 0),
        (["1e400", "1e401", "1e399"], 2, 1),
        (["-9007199254740993", "-9007199254740992", "-9007199254740994"], 2, 1),
    ] {
        let column = column(&format!("n\n{}\n", cells.join("\n"))).await;
        assert_eq!((&column["min"], &column["max"]), (&json!(cells[min]), &json!(cells[max])), "{column}");
    }
}

#[tokio::test]
async fn the_number_of_distinct_values_is_at_most_the_number_of_filled_cells() {
    for count in [33, 300, 1_000] {
        let members: String = (0..count).map(|id| format!("member{id:05}@list.example\n")).collect();
        let column = column(&format!("e\n{members}")).await;
        assert!(column["distinct"].as_u64().unwrap() <= count, "{column}");
    }
}

#[tokio::test]
async fn words_for_missing_values_do_not_change_the_type_of_a_column() {
    let words = ["NA", "N/A", "n/a", "NaN", "null", "NULL", "none", "-", "?"];
    for word in words {
        let column = column(&format!("n\n1\n{word}\n2\n{word}\n3\n")).await;
        assert_eq!(column["type"], "integer", "{column}");
        assert_eq!((&column["naLike"], &column["exceptions"]), (&json!(2), &json!(0)), "{column}");
        assert_eq!(
            (&column["min"], &column["max"], &column["mean"]),
            (&json!("1"), &json!("3"), &json!(2.0))
        );
    }
    let text = column(&format!("t\n{}\nx\n", words.join("\n"))).await;
    assert_eq!((&text["naLike"], &text["exceptions"]), (&json!(9), &json!(0)), "{text}");
}

#[tokio::test]
async fn identifiers_have_no_mean() {
    for (cells, is_identifier) in [
        ("10001\n".repeat(30) + "02134\n", true),
        ("123456789012345\n".to_owned(), true),
        ("+4915112345678\n+4915112345679\n".to_owned(), true),
        ("12345678901234\n".to_owned(), false),
        ("+5\n7\n".to_owned(), false),
    ] {
        let column = column(&format!("id\n{cells}")).await;
        assert_eq!(column["type"], "integer", "{column}");
        assert_eq!(column["isIdentifier"], is_identifier, "{column}");
        assert_eq!(column["mean"].is_null(), is_identifier, "{column}");
    }
}
