//! Lists of files: pages, filters and orders.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{delete, get, patch_json, upload};

async fn list(app: &TestApp, token: &str, query: &str) -> Value {
    app.send(get(&format!("/api/files?{query}")).bearer(token)).await.expect(200).json()
}

fn names(page: &Value) -> Vec<String> {
    page["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["filename"].as_str().unwrap().to_owned())
        .collect()
}

/// Creates the files `f0.csv` to `f{count - 1}.csv` with 3, 1, 2, 3, … bytes. Every third file (`f1.csv`, `f4.csv`, …)
/// has the same time as the file before it. Each other file is created 1 ms after the file before it.
async fn with_files(count: usize) -> (TestApp, String) {
    let app = TestApp::new();
    let token = app.user("ada");
    for index in 0..count {
        let bytes = vec![b'x'; [3, 1, 2][index % 3]];
        let call = upload(&format!("f{index}.csv"), bytes)
            .bearer(&token)
            .header("x-file-tags", format!("t{}", index % 2));
        app.send(call).await.expect(201);
        if index % 3 != 0 {
            app.advance(TimeDelta::milliseconds(1));
        }
    }
    (app, token)
}

/// Reads all pages of a list by cursor and returns the names of the files.
async fn pages(app: &TestApp, token: &str, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = list(app, token, &format!("{query}{cursor}")).await;
        found.extend(names(&page));
        let next = page["nextCursor"].as_str();
        assert_eq!(page["hasMore"], next.is_some(), "{page}");
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn all_pages_together_are_the_whole_list_in_every_sort_order() {
    let (app, token) = with_files(11).await;
    let mut by_default = Vec::new();
    for sort in ["createdAt", "-createdAt", "filename", "-filename", "size", "-size"] {
        let whole = names(&list(&app, &token, &format!("sort={sort}")).await);
        assert_eq!(whole.len(), 11);
        for limit in [1, 2, 3, 10, 11] {
            assert_eq!(
                pages(&app, &token, &format!("sort={sort}&limit={limit}")).await,
                whole,
                "{sort} {limit}"
            );
        }
        let reversed = match sort.strip_prefix('-') {
            Some(name) => name.to_owned(),
            None => format!("-{sort}"),
        };
        let mut backwards = names(&list(&app, &token, &format!("sort={reversed}")).await);
        backwards.reverse();
        assert_eq!(backwards, whole, "{sort}");
        if sort == "-createdAt" {
            by_default = whole;
        }
    }
    assert_eq!(names(&list(&app, &token, "").await), by_default);
    assert!(
        by_default[..2].contains(&"f10.csv".to_owned()),
        "the two newest files must come first, f9.csv and f10.csv: {by_default:?}"
    );
    let by_name = names(&list(&app, &token, "sort=filename&limit=4").await);
    assert_eq!(by_name, ["f0.csv", "f1.csv", "f10.csv", "f2.csv"]);
}

#[tokio::test]
async fn paging_neither_skips_nor_repeats_a_file_while_files_are_added_and_deleted() {
    let (app, token) = with_files(9).await;
    let first = list(&app, &token, "limit=3").await;
    assert_eq!(names(&first), ["f8.csv", "f7.csv", "f6.csv"]);
    app.advance(TimeDelta::seconds(1));
    app.upload(&token, "new.csv", "a\n1\n").await;
    // Deletes the last file of the first page (the cursor names this file) and a file of a later page.
    for gone in [&first["files"][2], &list(&app, &token, "q=f4").await["files"][0]] {
        app.send(delete(&format!("/api/files/{}", gone["id"].as_str().unwrap())).bearer(&token))
            .await
            .expect(200);
    }
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = list(&app, &token, &format!("limit=3&cursor={cursor}")).await;
    assert_eq!(names(&second), ["f5.csv", "f3.csv", "f2.csv"]);
}

#[tokio::test]
async fn lists_can_be_filtered_and_the_total_is_the_number_of_files_on_all_pages() {
    let (app, token) = with_files(7).await;
    let page = list(&app, &token, "tag=t1&limit=2&sort=filename").await;
    assert_eq!((names(&page), &page["total"]), (vec!["f1.csv".to_owned(), "f3.csv".to_owned()], &json!(3)));
    for (query, total) in [
        ("", 7),
        ("tag=t0", 4),
        ("tag=t", 0),
        ("tag=uploaded", 7),
        ("q=F3", 1),
        ("q=.csv", 7),
        ("q=%25", 0),
        ("q=_", 0),
        ("tag=t0&q=f2", 1),
    ] {
        let page = list(&app, &token, query).await;
        assert_eq!((&page["total"], names(&page).len()), (&json!(total), total), "{query}");
    }
    let page = list(&app, &token, "offset=5&limit=1&sort=filename").await;
    assert_eq!((names(&page), &page["hasMore"]), (vec!["f5.csv".to_owned()], &json!(true)));
}

#[tokio::test]
async fn each_lifecycle_status_has_its_own_list() {
    let (app, token) = with_files(3).await;
    let ids: Vec<String> = list(&app, &token, "sort=filename").await["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["id"].as_str().unwrap().to_owned())
        .collect();
    let archive = patch_json(&format!("/api/files/{}", ids[0]), &json!({"archived": true}));
    app.send(archive.bearer(&token)).await.expect(200);
    app.send(delete(&format!("/api/files/{}", ids[1])).bearer(&token)).await.expect(200);
    for (status, name) in [("archived", "f0.csv"), ("deleted", "f1.csv"), ("active", "f2.csv")] {
        let page = list(&app, &token, &format!("status={status}")).await;
        assert_eq!(names(&page), [name]);
        assert_eq!(page["files"][0]["lifecycleStatus"], status);
    }
}

#[tokio::test]
async fn an_expired_file_is_not_listed_even_before_the_sweep() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", "a\n").bearer(&token).header("x-file-expires", "2026-01-03T00:00:00Z");
    app.send(call).await.expect(201);
    assert_eq!(list(&app, &token, "").await["total"], 1);
    app.advance(TimeDelta::days(1));
    assert_eq!(list(&app, &token, "").await["total"], 0);
}

#[tokio::test]
async fn users_do_not_see_the_files_of_other_users() {
    let (app, _) = with_files(3).await;
    let bob = app.user("bob");
    app.upload(&bob, "bobs.csv", "a\n").await;
    for query in ["", "tag=t1", "q=csv", "sort=size", "limit=1"] {
        let seen: BTreeSet<_> = names(&list(&app, &bob, query).await).into_iter().collect();
        assert!(seen.is_subset(&BTreeSet::from(["bobs.csv".to_owned()])), "{query}: {seen:?}");
    }
}

#[tokio::test]
async fn invalid_list_parameters_are_refused_and_a_cursor_reveals_no_files_of_another_user() {
    let (app, token) = with_files(3).await;
    let cursor = list(&app, &token, "limit=1").await["nextCursor"].as_str().unwrap().to_owned();
    let refused = [
        ("limit=0".to_owned(), "bad_request"),
        ("limit=1001".to_owned(), "bad_request"),
        ("limit=x".to_owned(), "bad_request"),
        ("offset=-1".to_owned(), "bad_request"),
        ("sort=id".to_owned(), "bad_request"),
        ("status=dead".to_owned(), "bad_request"),
        ("status=pending".to_owned(), "bad_request"),
        ("cursor=x".to_owned(), "bad_cursor"),
        ("limit=1&limit=2".to_owned(), "bad_request"),
        (format!("cursor={cursor}&sort=size"), "bad_cursor"),
        (format!("cursor={cursor}&tag=t1"), "bad_cursor"),
        (format!("cursor={cursor}&sort=createdAt"), "bad_cursor"),
    ];
    for (query, code) in refused {
        let response = app.send(get(&format!("/api/files?{query}")).bearer(&token)).await;
        assert_eq!(response.status.as_u16(), 400, "{query}: {response}");
        response.expect_problem(400, code);
    }
    let own = list(&app, &token, &format!("limit=1&cursor={cursor}")).await;
    assert_eq!(names(&own).len(), 1);
    let foreign = app.user("bob");
    let stolen = list(&app, &foreign, &format!("limit=1&cursor={cursor}")).await;
    assert_eq!(names(&stolen).len(), 0, "a cursor must not reveal the files of another user");
}

#[tokio::test]
async fn a_page_with_much_metadata_has_fewer_files_than_its_limit_allows() {
    let (app, token) = with_files(200).await;
    let note = "n".repeat(8_000);
    for file in list(&app, &token, "limit=1000").await["files"].as_array().unwrap() {
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        let change = patch_json(&path, &json!({"metadata": {"note": note}})).bearer(&token);
        app.send(change).await.expect(200);
    }
    for sort in ["createdAt", "-createdAt", "filename", "-filename", "size", "-size"] {
        let page = list(&app, &token, &format!("limit=1000&sort={sort}")).await;
        let (shown, total) = (names(&page).len(), page["total"].as_u64());
        assert_eq!((shown, total), (131, Some(200)), "{sort}: a page ends when its files reach 1 MiB");
        let found: BTreeSet<String> =
            pages(&app, &token, &format!("limit=1000&sort={sort}")).await.into_iter().collect();
        assert_eq!(found.len(), 200, "{sort}");
    }
    let by_offset = list(&app, &token, "limit=1000&sort=filename&offset=150").await;
    assert_eq!((names(&by_offset).len(), &by_offset["hasMore"]), (50, &json!(false)));
}
