//! Sessions whose refresh token is in a cookie.

use super::*;

const NAME: &str = "__Secure-cutty-refresh=";

async fn sign_in(app: &TestApp, path: &str) -> (Value, String) {
    let body = json!({"username": "ada", "password": PASSWORD, "session": "cookie"});
    let call = post_json(path, &body).header("sec-fetch-site", "same-origin");
    let response = send(app, call).await;
    assert!(response.status.is_success(), "{response}");
    assert!(!response.text().contains(&cookie_of(&response)[NAME.len()..]), "{response}");
    (response.json(), cookie_of(&response))
}

/// Returns the pair of the cookie, as a browser sends it back.
fn cookie_of(response: &TestResponse) -> String {
    let sent = response.header("set-cookie");
    let (pair, attributes) = sent.split_once("; ").unwrap();
    assert!(pair.starts_with(NAME), "{sent}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/api/auth"] {
        assert!(attributes.split("; ").any(|sent| sent == attribute), "{sent}");
    }
    pair.to_owned()
}

fn from_page(call: Call, cookie: &str) -> Call {
    call.header("cookie", cookie).header("sec-fetch-site", "same-origin")
}

async fn session(app: &TestApp, call: Call) -> Value {
    let response = send(app, call).await.expect(200);
    assert_eq!(response.header("cache-control"), "no-store");
    response.json()["session"].clone()
}

#[tokio::test]
async fn a_session_in_a_cookie_is_found_refreshed_and_ended_without_a_token_in_a_script() {
    let app = TestApp::new();
    let (registered, cookie) = sign_in(&app, "/api/auth/register").await;
    assert_eq!(registered["tokens"].get("refresh_token"), None);
    whoami(&app, access_token(&registered)).await.expect(200);

    let found = session(&app, from_page(get("/api/auth/session"), &cookie)).await;
    assert_eq!(found["user"], registered["user"]);
    whoami(&app, found["access_token"].as_str().unwrap()).await.expect(200);

    let refresh = from_page(post_json("/api/auth/refresh", &json!({})), &cookie);
    let refreshed = send(&app, refresh).await.expect(200);
    let body = refreshed.json();
    assert_eq!((body.get("refresh_token"), body["tokens"].get("refresh_token")), (None, None));
    assert_eq!(body["user"], registered["user"]);
    whoami(&app, body["access_token"].as_str().unwrap()).await.expect(200);
    let next = cookie_of(&refreshed);
    assert_ne!(next, cookie);
    // Another tab may still have the old cookie for a moment.
    assert!(!session(&app, from_page(get("/api/auth/session"), &cookie)).await.is_null());
    advance_seconds(&app, 31);
    assert!(session(&app, from_page(get("/api/auth/session"), &cookie)).await.is_null());

    let logout = from_page(post_json("/api/auth/logout", &json!({})), &next);
    let response = send(&app, logout).await.expect(200);
    let cleared = "Max-Age=0; Path=/api/auth; HttpOnly; Secure; SameSite=Strict";
    assert_eq!(response.header("set-cookie"), format!("{NAME}; {cleared}"));
    assert!(session(&app, from_page(get("/api/auth/session"), &next)).await.is_null());
}

#[tokio::test]
async fn a_first_visit_and_every_bad_cookie_get_no_session_and_no_error() {
    let app = TestApp::new();
    assert!(session(&app, get("/api/auth/session")).await.is_null());
    for cookie in ["", NAME, "__Secure-cutty-refresh=x", "__Secure-cutty-refresh=a.b.c", "other=1"] {
        assert!(session(&app, from_page(get("/api/auth/session"), cookie)).await.is_null(), "{cookie}");
        let refresh = from_page(post_json("/api/auth/refresh", &json!({})), cookie);
        send(&app, refresh).await.expect_problem(401, "unauthenticated");
        let logout = from_page(post_json("/api/auth/logout", &json!({})), cookie);
        let response = send(&app, logout).await.expect(200);
        assert!(response.header("set-cookie").starts_with(&format!("{NAME}; Max-Age=0")), "{cookie}");
    }
    send(&app, post_json("/api/auth/logout", &json!({}))).await.expect_problem(401, "unauthenticated");
    let bad = json!({"username": "ada", "password": PASSWORD, "session": "jar"});
    send(&app, post_json("/api/auth/login", &bad)).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn a_valid_session_is_found_among_several_cookies_and_any_bytes() {
    let app = TestApp::new();
    let (_, spent) = sign_in(&app, "/api/auth/register").await;
    let refresh = |cookie: &str| from_page(post_json("/api/auth/refresh", &json!({})), cookie);
    let mut good = cookie_of(&send(&app, refresh(&spent)).await.expect(200));
    advance_seconds(&app, 31);
    for others in [format!("{NAME}bad"), spent, "c=\u{e9}".to_owned()] {
        let cookies = format!("{others}; {good}");
        assert!(!session(&app, from_page(get("/api/auth/session"), &cookies)).await.is_null(), "{cookies}");
        good = cookie_of(&send(&app, refresh(&cookies)).await.expect(200));
    }
    let logout = from_page(post_json("/api/auth/logout", &json!({})), &format!("{NAME}bad; {good}"));
    send(&app, logout).await.expect(200);
    assert!(session(&app, from_page(get("/api/auth/session"), &good)).await.is_null());
}

#[tokio::test]
async fn another_site_cannot_use_or_set_the_cookie() {
    let app = TestApp::new();
    let (_, cookie) = sign_in(&app, "/api/auth/register").await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("accept", "*/*"),
    ] {
        for path in ["/api/auth/refresh", "/api/auth/logout"] {
            let call = post_json(path, &json!({})).header("cookie", &cookie).header(name, value);
            send(&app, call).await.expect_problem(403, "forbidden");
        }
        let body = json!({"username": "ada", "password": PASSWORD, "session": "cookie"});
        for path in ["/api/auth/register", "/api/auth/login"] {
            let call = post_json(path, &body).header(name, value);
            send(&app, call).await.expect_problem(403, "forbidden");
        }
        let call = get("/api/auth/session").header("cookie", &cookie).header(name, value);
        assert!(session(&app, call).await.is_null(), "{name}: {value}");
    }
    let (_, cookie) = sign_in(&app, "/api/auth/login").await;
    let origin = post_json("/api/auth/refresh", &json!({}))
        .header("cookie", cookie)
        .header("host", "cutty.example")
        .header("origin", "https://cutty.example");
    send(&app, origin).await.expect(200);
}

#[tokio::test]
async fn every_form_of_the_path_compares_the_whole_origin() {
    let app = TestApp::new();
    let (_, cookie) = sign_in(&app, "/api/auth/register").await;
    for path in ["/api/auth/logout", "/api/auth/logout/", "/api/v1/auth/logout"] {
        for (origin, status) in [("http://cutty.example", 403), ("https://cutty.example", 200)] {
            let call = post_json(&format!("https://cutty.example{path}"), &json!({}))
                .header("cookie", &cookie)
                .header("origin", origin);
            assert_eq!(send(&app, call).await.status, status, "{path} {origin}");
        }
    }
}
