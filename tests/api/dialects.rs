//! Files in unusual dialects: what is detected, what a request or the owner sets, and what is shown.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{get, patch_json, post, post_json};

struct Scene {
    app: TestApp,
    token: String,
    id: String,
    uploaded: Value,
}

impl Scene {
    async fn new(content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let upload = post("/api/files")
            .header("content-type", content_type)
            .header("x-file-name", "list.csv")
            .bytes(bytes.into())
            .bearer(&token);
        let uploaded = app.send(upload).await.expect(201).json()["file"].clone();
        let id = uploaded["id"].as_str().unwrap().to_owned();
        Self { app, token, id, uploaded }
    }

    async fn cut(&self, query: &str) -> String {
        let call = get(&format!("/api/files/{}/cut?{query}", self.id)).bearer(&self.token);
        self.app.send(call).await.expect(200).text().to_owned()
    }

    async fn profile(&self) -> Value {
        let call = || get(&format!("/api/files/{}/profile", self.id)).bearer(&self.token);
        if self.app.send(call()).await.status == 409 {
            self.app.deliver().await;
        }
        self.app.send(call()).await.expect(200).json()["profile"].clone()
    }

    async fn patch(&self, dialect: Value) -> Value {
        let path = format!("/api/files/{}", self.id);
        let call = patch_json(&path, &json!({ "dialect": dialect })).bearer(&self.token);
        self.app.send(call).await.expect(200).json()["file"].clone()
    }
}

#[tokio::test]
async fn files_as_programs_write_them_are_read_without_options() {
    for (content_type, file, cut) in [
        ("text/csv", "sep=;\r\nName;City;Sum\r\nAnna;Bern;15\r\n", "Name,City,Sum\nAnna,Bern,15\n"),
        (
            "text/csv",
            "Kontoauszug 2024\nKonto: DE12\n\nDatum;Text;Betrag\n01.02.2024;Miete;-700,00\n",
            "Datum,Text,Betrag\n01.02.2024,Miete,\"-700,00\"\n",
        ),
        ("text/tab-separated-values", "# made by x\nid\tname\n1\ta\n2\tb\n", "id,name\n1,a\n2,b\n"),
        ("text/csv; header=absent", "1,2\n3,4\n", "column_1,column_2\n1,2\n3,4\n"),
        ("text/csv", "a,b\n1,2\n\u{1a}", "a,b\n1,2\n"),
        ("text/csv", "a,b\n1,2\u{1a}", "a,b\n1,2\n"),
        ("text/csv", "a,b\n1,2\n   \n", "a,b\n1,2\n"),
        ("text/csv", "Name\nDoe, John\nRoe, Jane\n", "Name\n\"Doe, John\"\n\"Roe, Jane\"\n"),
        ("text/csv", "\"a\", \"b\"\n\"1\", \"x, y\"\n", "\"a\",\"b\"\n\"1\",\"x, y\"\n"),
        ("text/csv", "'a','b'\n'1','x, y'\n", "\"a\",\"b\"\n\"1\",\"x, y\"\n"),
    ] {
        let scene = Scene::new(content_type, file).await;
        assert_eq!(scene.cut("").await, cut, "{file:?}");
        let profile = scene.profile().await;
        assert_eq!(profile["rowCount"], cut.lines().count() - 1, "{file:?}");
        assert_eq!(profile["dialect"], scene.uploaded["dialect"], "{file:?}");
    }
}

#[tokio::test]
async fn the_owner_changes_the_dialect_and_all_readers_follow() {
    let scene = Scene::new("text/csv", "a,b\n1;2,x\nNA,\"y\"\n").await;
    assert_eq!(scene.uploaded["dialect"]["delimiter"], ",");
    let file = scene.patch(json!({"delimiter": ";", "inputHeader": false, "nullValues": ["NA"]})).await;
    assert_eq!(
        file["dialectOptions"],
        json!({"delimiter": "semicolon", "inputHeader": false, "nullValues": ["NA"]})
    );
    assert_eq!((&file["rowCount"], &file["dialect"]), (&Value::Null, &Value::Null));
    let profile = scene.profile().await;
    assert_eq!(profile["dialect"]["delimiter"], ";");
    assert_eq!(profile["rowCount"], 3);
    assert_eq!(scene.cut("columns=%231").await, "column_1\n\"a,b\"\n1\n\"NA,\"\"y\"\"\"\n");
    assert_eq!(scene.cut("delimiter=comma&inputHeader=true&columns=a").await, "a\n1;2\n\"\"\n");
    let file = scene.patch(Value::Null).await;
    assert_eq!(file.get("dialectOptions"), None);
    assert_eq!(scene.profile().await["dialect"]["delimiter"], ",");
    assert_eq!(scene.cut("columns=a").await, "a\n1;2\nNA\n");
}

#[tokio::test]
async fn a_bad_dialect_is_refused_and_changes_nothing() {
    let scene = Scene::new("text/csv", "a,b\n1,2\n").await;
    for dialect in [
        json!([]),
        json!("x"),
        json!({"delimiter": "12345"}),
        json!({"format": "csv"}),
        json!({"skipRows": -1}),
    ] {
        let path = format!("/api/files/{}", scene.id);
        let call = patch_json(&path, &json!({ "dialect": dialect })).bearer(&scene.token);
        assert_eq!(scene.app.send(call).await.status, 400, "{dialect}");
    }
    assert_eq!(scene.cut("").await, "a,b\n1,2\n");
}

#[tokio::test]
async fn names_are_never_null_values_and_no_character_has_two_meanings() {
    let scene = Scene::new("text/csv", "id,NA\n1,NA\n2,x\n").await;
    scene.patch(json!({"nullValues": ["NA"]})).await;
    assert_eq!(scene.cut("columns=NA,id").await, "NA,id\n,1\nx,2\n");
    for dialect in [
        json!({"delimiter": "\\", "escape": "backslash"}),
        json!({"delimiter": "'", "quote": "'"}),
        json!({"delimiter": "#", "comment": "#"}),
        json!({"comment": "\\", "escape": "backslash"}),
    ] {
        let path = format!("/api/files/{}", scene.id);
        let call = patch_json(&path, &json!({ "dialect": dialect })).bearer(&scene.token);
        scene.app.send(call).await.expect_problem(400, "bad_request");
    }
    let cut = get(&format!("/api/files/{}/cut?delimiter=%23&comment=%23", scene.id)).bearer(&scene.token);
    scene.app.send(cut).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn options_that_say_what_holds_anyway_are_accepted_in_every_format() {
    let scene = Scene::new("text/csv", "a,b\n1,2\n").await;
    for format in ["csv", "tsv", "json", "ndjson"] {
        let defaults = "header=true&bom=false&newline=lf&outQuote=minimal&spreadsheetSafe=false&typed=false";
        scene.cut(&format!("format={format}&{defaults}&strict=false&streaming=true")).await;
    }
    for query in
        ["format=json&header=false", "typed=true", "format=tsv&outDelimiter=;", "format=json&bom=true"]
    {
        let cut = get(&format!("/api/files/{}/cut?{query}", scene.id)).bearer(&scene.token);
        scene.app.send(cut).await.expect_problem(400, "bad_request");
    }
    for query in ["quote='", "quoteCharacter='"] {
        let rows = get(&format!("/api/files/{}/rows?{query}", scene.id)).bearer(&scene.token);
        scene.app.send(rows).await.expect(200);
    }
}

#[tokio::test]
async fn a_stray_quote_does_not_change_which_records_are_left_out() {
    for (file, query, cut) in [
        ("sku,size\nA,5\" pipe\nB,3\nTotal,2\n", "skipFooter=1", "sku,size\nA,\"5\"\" pipe\"\nB,3\n"),
        ("id,x\n1,\"a\"b\nid,x\n3,4\nid,x\n", "repeatedHeaders=skip", "id,x\n1,ab\n3,4\n"),
        ("a,b\n1,2\nTotal,12\n\u{1a}", "skipFooter=1", "a,b\n1,2\n"),
        ("a,b\n1,2\nTotal,12\n   \n", "skipFooter=1", "a,b\n1,2\n"),
        ("a,b\n1,2\n3,4\n", "skipFooter=50", "a,b\n"),
    ] {
        let scene = Scene::new("text/csv", file).await;
        assert_eq!(scene.cut(query).await, cut, "{file:?}");
    }
}

#[tokio::test]
async fn files_whose_first_lines_look_unusual_keep_their_header_and_cells() {
    for (file, header, rows) in [
        ("Datum;Text;PLZ\n\"a, b, c\";'t Hof;1\n\"d, e, f\";'x';2\n", "Datum,Text,PLZ", 2),
        ("x,y\n1,NA,5\n2,3,6\n3,4,7\n", "x,y", 3),
        ("id,name,score\n1,Ann,n/a,\n2,Bob,5,\n3,Cy,6,\n4,Di,6,\n", "id,name,score", 4),
        ("a,b\n1,2,3,4\n5,6,7,8\n", "a,b", 2),
        ("Address\n1 Main St, Springfield, IL\n2 Oak Ave, Portland, OR\n", "Address", 2),
        ("Tags\nred,green,blue\nred,white,pink\n", "Tags", 2),
        ("City\nParis, n.a.\nRome, 5\nBern, 6\nOslo, 7\nGraz, 8\nLinz, 9\n", "City", 6),
        ("#id,score\n1,n/a\n2,5\n3,6\n4,7\n5,8\n", "#id,score", 5),
        ("# colours\nhex,name\n#FF0000,red\n#00FF00,green\n# end\n#0000FF,blue\n", "hex,name", 4),
        ("code,desc\n\"x, \"\"y\"\"\",  indented\n\"z, \"\"w\"\"\",\ttab\n", "code,desc", 2),
        ("a1\na2\na3\na4\na5\n\nid,x,y\n1,2,3\n4,5,6\n7,8,9\n", "id,x,y", 3),
        ("Name;Preis, EUR;Menge, kg\nx;1,5;2,5\ny;3,5;4,5\n", "Name,\"Preis, EUR\",\"Menge, kg\"", 2),
        ("country,2019,2020\nCH,1,2\nDE,3,4\n", "country,2019,2020", 2),
    ] {
        let scene = Scene::new("text/csv", file).await;
        let cut = scene.cut("").await;
        assert_eq!((cut.lines().next().unwrap(), cut.lines().count() - 1), (header, rows), "{file:?}\n{cut}");
    }
    let mysql = Scene::new("text/csv", "id,a,b\n1,\"x \\\"y\\\", z\",\\N\n2,\"p\",\"q\"\n").await;
    assert_eq!(mysql.cut("columns=b").await, "b\n\\N\n\"q\"\n");
    assert_eq!(mysql.cut("columns=b&nullValues=%5CN").await, "b\n\"\"\n\"q\"\n");
}

#[tokio::test]
async fn a_header_that_needs_quotes_is_refused_and_a_notice_needs_no_other_options() {
    let scene = Scene::new("text/csv", "\"a,b\",c\n1,2,3\n").await;
    let call = get(&format!("/api/files/{}/cut?outQuote=none", scene.id)).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(422, "malformed_csv");
    assert_eq!(scene.cut("outQuote=none&header=false").await, "1,2\n");
    for query in [
        "delimiter=,",
        "delimiter=comma",
        "inputHeader=true",
        "skipRows=0",
        "ragged=keep",
        "encoding=utf-8",
        "comment=none",
    ] {
        let call = get(&format!("/api/files/{}/cut?{query}", scene.id)).bearer(&scene.token);
        let response = scene.app.send(call).await.expect(200);
        assert!(response.header("x-cutty-notice").starts_with("rows-long=1"), "{query}");
    }
}

#[tokio::test]
async fn a_changed_dialect_is_no_reason_for_not_modified() {
    let scene = Scene::new("text/csv", "1,2\n3,4\n").await;
    let tag = format!("\"{}\"", scene.uploaded["etag"].as_str().unwrap());
    let ask = || {
        get(&format!("/api/files/{}/cut", scene.id)).bearer(&scene.token).header("if-none-match", tag.clone())
    };
    assert_eq!(scene.app.send(ask()).await.status, 304);
    scene.patch(json!({"inputHeader": false})).await;
    assert_eq!(scene.app.send(ask()).await.expect(200).text(), "column_1,column_2\n1,2\n3,4\n");
}

#[tokio::test]
async fn a_saved_cut_is_no_way_to_store_what_an_upload_refuses() {
    let scene = Scene::new("text/csv", "x,y\n<script>alert(1)</script>,1\n").await;
    let save = json!({"selectedColumns": ["x"], "header": false});
    let call = post_json(&format!("/api/files/{}/save", scene.id), &save).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(415, "unsupported_type");
    scene.app.assert_consistent();
}

#[tokio::test]
async fn a_cut_says_before_its_body_which_rows_need_attention() {
    let scene = Scene::new("text/csv", "a,b\n1,2,3\n4\n\"x\"y,5\n").await;
    let call = get(&format!("/api/files/{}/cut", scene.id)).bearer(&scene.token);
    let response = scene.app.send(call).await.expect(200);
    let notice = response.header("x-cutty-notice").to_owned();
    assert!(notice.starts_with("rows-long=1; rows-short=1; rows-malformed=1"), "{notice}");
    let rows = get(&format!("/api/files/{}/rows", scene.id)).bearer(&scene.token);
    assert_eq!(scene.app.send(rows).await.expect(200).header("x-cutty-notice"), notice);
    let save = post_json(&format!("/api/files/{}/save", scene.id), &json!({})).bearer(&scene.token);
    assert_eq!(scene.app.send(save).await.expect(201).header("x-cutty-notice"), notice);
    let other = get(&format!("/api/files/{}/cut?delimiter=tab", scene.id)).bearer(&scene.token);
    assert!(!scene.app.send(other).await.expect(200).headers.contains_key("x-cutty-notice"));
}

#[tokio::test]
async fn ragged_rows_are_kept_refused_or_padded() {
    let scene = Scene::new("text/csv", "a,b\n1,2,3\n4\n").await;
    assert_eq!(scene.cut("").await, "a,b\n1,2\n4,\n");
    assert_eq!(scene.cut("ragged=pad").await, "a,b,column_3\n1,2,3\n4,,\n");
    let call = get(&format!("/api/files/{}/cut?ragged=refuse", scene.id)).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(422, "malformed_csv");
    let rows = |query: &str| get(&format!("/api/files/{}/rows?{query}", scene.id)).bearer(&scene.token);
    scene.app.send(rows("ragged=refuse")).await.expect_problem(422, "malformed_csv");
    scene.patch(json!({"ragged": "refuse"})).await;
    scene.profile().await;
    scene.app.send(rows("")).await.expect_problem(422, "malformed_csv");
    let kept = scene.app.send(rows("ragged=keep")).await.expect(200).json();
    assert_eq!(kept["rows"], json!([["1", "2"], ["4", ""]]));
}

#[tokio::test]
async fn what_only_the_whole_file_shows_is_suggested_and_applied_by_the_owner() {
    let joined = "id,amount\n1,10\n2,20\n3,30\n";
    for (file, suggestion, cut) in [
        (
            "1,10.5,2024-01-01\n2,20.5,2024-01-02\n",
            json!({"reason": "noHeader", "records": 0, "dialect": {"inputHeader": false}}),
            "column_1,column_2,column_3\n1,10.5,2024-01-01\n2,20.5,2024-01-02\n".to_owned(),
        ),
        (
            &format!("{joined}Total,60\n"),
            json!({"reason": "footer", "records": 1, "dialect": {"skipFooter": 1}}),
            joined.to_owned(),
        ),
        (
            &format!("{joined},\n(3 rows)\n"),
            json!({"reason": "footer", "records": 2, "dialect": {"skipFooter": 2}}),
            joined.to_owned(),
        ),
        (
            &format!("{joined},\n\"\", \n"),
            json!({"reason": "footer", "records": 2, "dialect": {"skipFooter": 2}}),
            joined.to_owned(),
        ),
        (
            &format!("{joined}{}", joined.replace("id", "\"id\"")),
            json!({"reason": "repeatedHeaders", "records": 1, "dialect": {"repeatedHeaders": "skip"}}),
            format!("{joined}1,10\n2,20\n3,30\n"),
        ),
    ] {
        let scene = Scene::new("text/csv", file).await;
        let suggestions = scene.profile().await["suggestions"].clone();
        assert_eq!(suggestions, json!([suggestion]), "{file:?}");
        scene.patch(suggestions[0]["dialect"].clone()).await;
        assert_eq!(scene.cut("").await, cut, "{file:?}");
        let profile = scene.profile().await;
        assert_eq!(profile["suggestions"], json!([]), "{file:?}");
        assert_eq!(profile["rowCount"], cut.lines().count() - 1, "{file:?}");
    }
}

#[tokio::test]
async fn clean_files_have_no_suggestions() {
    let rows: String = (0..500).map(|row| format!("Toronto {row},{row},\n")).collect();
    for file in [
        "country,2019,2020\nCH,1,2\nDE,3,4\n",
        "a,b\n1,2\n",
        "name\nAnn\nTom\n",
        "a,b\n",
        &format!("city,n,note\n{rows}"),
    ] {
        let scene = Scene::new("text/csv", file).await;
        assert_eq!(scene.profile().await["suggestions"], json!([]), "{file:.80}");
    }
}

#[tokio::test]
async fn output_has_the_requested_delimiter_and_quotes() {
    let scene = Scene::new("text/csv", "a,b\n1,\"x;y\"\n").await;
    assert_eq!(scene.cut("outDelimiter=;").await, "a;b\n1;\"x;y\"\n");
    assert_eq!(scene.cut("outQuote=all").await, "\"a\",\"b\"\n\"1\",\"x;y\"\n");
    assert_eq!(scene.cut("outQuote=none").await, "a,b\n1,x;y\n");
    let call = get(&format!("/api/files/{}/cut?outQuote=none&outDelimiter=;", scene.id)).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(422, "malformed_csv");
}

#[tokio::test]
async fn comments_below_the_header_are_left_out_and_counted() {
    let mut csv = "# made by x\nid,tag\n".to_owned();
    for id in 0..9000 {
        csv += &format!("{id},aaaaaaaaaaaaaaaaaaaaaaaaaa\n{}", if id % 50 == 0 { "# page\n" } else { "" });
    }
    csv += "#9,real\n";
    let scene = Scene::new("text/csv", csv.as_str()).await;
    let path = format!("/api/files/{}", scene.id);
    let profile =
        scene.app.send(get(&format!("{path}/profile")).bearer(&scene.token)).await.expect(200).json();
    assert_eq!(
        (&profile["profile"]["rowCount"], &profile["profile"]["commentLines"]),
        (&json!(9000), &json!(181))
    );
    let cut = scene.app.send(get(&format!("{path}/cut")).bearer(&scene.token)).await.expect(200);
    assert!(cut.header("x-cutty-notice").contains("comment-lines=181"), "{}", cut.header("x-cutty-notice"));
    let receipt = format!("/api/cuts/{}", cut.header("x-cut-id"));
    let receipt = scene.app.send(get(&receipt).bearer(&scene.token)).await.expect(200).json();
    assert_eq!(receipt["cut"]["details"]["commentLines"], 181);
    let change = patch_json(&path, &json!({"dialect": {"comment": "none"}})).bearer(&scene.token);
    scene.app.send(change).await.expect(200);
    let all =
        scene.app.send(get(&format!("{path}/cut")).bearer(&scene.token)).await.expect(200).text().to_owned();
    assert!(all.ends_with("#9,real\n"));
}

#[tokio::test]
async fn a_first_record_with_missing_values_may_be_a_row() {
    for (csv, reason) in [
        ("1,NA,5.5\n2,3,6.6\n3,4,7.1\n4,9,2.2\n", "noHeader"),
        ("1,,5.5\n2,3,6.6\n3,4,7.1\n4,9,2.2\n", "noHeader"),
        ("true,x\nfalse,y\ntrue,x\nfalse,z\n", "noHeader"),
        ("1,-,5.5\n2,3,6.6\n3,4,7.1\n4,9,2.2\n", "noHeader"),
        ("01.02.2024;Miete;-700,00\n02.02.2024;Lohn;2500,00\n03.02.2024;Auto;-81,50\n", "noHeader"),
        ("Ada;+49 30 123456\nBob;+49 40 6543\nCid;+49 89 777\n", "noHeader"),
        ("Ada,ada@example.com\nBob,bob@example.org\n", "noHeader"),
        ("date;text\n01.02.2024;Miete\n02.02.2024;Lohn\n", ""),
        ("name;2024/25\nA;x\nB;y\n", ""),
        ("name,contact@\nA,a@example.com\n", ""),
        ("on,x\ntrue,y\nfalse,z\n", ""),
        ("NA,n\n1,2\n3,4\n", ""),
    ] {
        let scene = Scene::new("text/csv", csv).await;
        let call = get(&format!("/api/files/{}/profile", scene.id)).bearer(&scene.token);
        let profile = scene.app.send(call).await.expect(200).json();
        let suggestions = profile["profile"]["suggestions"].as_array().unwrap().clone();
        let reasons: Vec<_> =
            suggestions.iter().map(|suggestion| suggestion["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons.join(" "), reason, "{csv:?}");
    }
}

#[tokio::test]
async fn no_route_reads_a_file_whose_header_exceeds_a_limit() {
    let scene = Scene::new("text/csv", format!("a,\"{}\"\n1,2\n", "x".repeat(5 << 20))).await;
    for route in ["columns", "fields", "rows", "cut", "estimate"] {
        let call = get(&format!("/api/files/{}/{route}", scene.id)).bearer(&scene.token);
        scene.app.send(call).await.expect_problem(422, "malformed_csv");
    }
}
