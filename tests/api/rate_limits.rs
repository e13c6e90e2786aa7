//! The rate limits in Durable Objects: how much they admit, what their responses say, and what happens if the objects
//! fail.

use chrono::TimeDelta;
use cutty::domain::ids::{ApiKeyId, UserId};
use cutty::domain::principal::{OperatorToken, Principal, Scopes};
use cutty::domain::read_meter::ReadMeter;
use cutty::ports::{NamedObjects, ObjectClass};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::support::client::{Call, TestResponse, get, post_json, upload};
use crate::support::tus::{create, patch, tus};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "city,n\nBern,1\nOslo,2\n";
const PASSWORD: &str = "correct horse battery";

/// The limits with their default values.
const DEFAULTS: [(&str, &str); 6] = [
    ("CUTS_PER_MINUTE", "120"),
    ("SCAN_BYTES_PER_HOUR", "100000000000"),
    ("UPLOADS_PER_MINUTE", "600"),
    ("SIGN_UPS_PER_HOUR", "20"),
    ("SIGN_IN_FREE_FAILURES", "3"),
    ("SHARES_PER_MINUTE", "60"),
];

struct Scene {
    app: TestApp,
    token: String,
    file: String,
}

impl Scene {
    async fn new(variables: &[(&str, &str)]) -> Self {
        Self::with(variables, CSV.to_owned()).await
    }

    async fn with(variables: &[(&str, &str)], csv: String) -> Self {
        let app = TestApp::with(variables);
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", csv).await["id"].as_str().unwrap().to_owned();
        app.faults.forget_calls();
        app.log.take();
        Self { app, token, file }
    }

    fn cut(&self) -> Call {
        get(&format!("/api/files/{}/cut", self.file)).bearer(&self.token)
    }

    async fn link(&self) -> String {
        let path = format!("/api/files/{}/share", self.file);
        let call = post_json(&path, &json!({"kind": "download"})).bearer(&self.token);
        let url = self.app.send(call).await.expect(201).json()["share"]["url"].clone();
        url.as_str().unwrap().split_once("/api/").map(|(_, path)| format!("/api/{path}")).unwrap()
    }

    /// Returns the bytes that a principal may still scan.
    async fn scan_left(&self, object: &str) -> u64 {
        let capacity = self.app.config.limits.scan_bytes_per_hour;
        let ask = json!({"limit": "scan", "policy": {"capacity": capacity, "window_s": 3600}, "tokens": 0});
        let command = json!({"command": "reserve", "asks": [ask], "reservation": null});
        let objects = &self.app.named_objects;
        let reply = objects.call(ObjectClass::RateLimiter, object, command, None).await.unwrap();
        reply["buckets"][0]["remaining"].as_u64().unwrap()
    }
}

#[track_caller]
fn expect_limited(response: TestResponse, limit: &str, wait_s: &str) -> Value {
    assert_eq!(response.header("retry-after"), wait_s, "{response}");
    let problem = response.expect_problem(429, "rate_limited");
    assert_eq!(problem["limit"], limit);
    assert!(problem["detail"].as_str().unwrap().contains(&format!("Wait {wait_s} seconds")), "{problem}");
    problem
}

#[tokio::test]
async fn the_exact_number_of_cuts_is_admitted_and_each_response_says_what_is_left() {
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "3"), ("SCAN_BYTES_PER_HOUR", "3600")]).await;
    for (left, reset) in [(2, 20), (1, 40), (0, 60)] {
        let response = scene.app.send(scene.cut()).await.expect(200);
        let policy = "\"cuts\";q=3;w=60, \"scan\";q=3600;w=3600;qu=\"content-bytes\"";
        assert_eq!(response.header("ratelimit-policy"), policy);
        let state = format!("\"cuts\";r={left};t={reset}, \"scan\";r=");
        assert!(response.header("ratelimit").starts_with(&state), "{response}");
        assert_eq!(response.header("x-ratelimit-limit"), "3");
        assert_eq!(response.header("x-ratelimit-remaining"), left.to_string());
        assert_eq!(response.header("x-ratelimit-reset"), reset.to_string());
    }
    scene.app.faults.forget_calls();
    let refused = scene.app.send(scene.cut()).await;
    assert!(refused.header("ratelimit").starts_with("\"cuts\";r=0;t=60"), "{refused}");
    assert!(refused.has("ratelimit-policy"));
    let problem = expect_limited(refused, "cuts", "20");
    assert!(problem["detail"].as_str().unwrap().contains("3 cuts, counts and filtered pages"), "{problem}");
    assert_eq!(scene.app.faults.count(&On::objects()), 0, "a refused cut must not read an object");
    scene.app.advance(TimeDelta::milliseconds(19_999));
    expect_limited(scene.app.send(scene.cut()).await, "cuts", "1");
    scene.app.advance(TimeDelta::milliseconds(1));
    scene.app.send(scene.cut()).await.expect(200);
    expect_limited(scene.app.send(scene.cut()).await, "cuts", "20");
}

#[tokio::test]
async fn all_operations_that_scan_a_file_share_one_limit() {
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "9")]).await;
    let file = format!("/api/files/{}", scene.file);
    let recipe = post_json("/api/recipes", &json!({"name": "r", "cut": {"columns": ["n"]}}));
    let recipe = scene.app.send(recipe.bearer(&scene.token)).await.expect(201).json();
    let run = format!("/api/recipes/{}/run", recipe["recipe"]["id"].as_str().unwrap());
    let ticket = json!({"fileId": scene.file, "recipe": {"columns": ["n"]}});
    let ticket = scene.app.send(post_json("/api/downloads", &ticket).bearer(&scene.token)).await.json();
    let calls = || {
        [
            get(&format!("{file}/cut")),
            post_json(&format!("{file}/cut"), &json!({})),
            get(&format!("{file}/process")),
            post_json(&format!("{file}/save"), &json!({})),
            post_json(&format!("{file}/share"), &json!({"kind": "cut", "recipe": {"columns": ["n"]}})),
            get(&format!("{file}/count?n__eq=1")),
            get(&format!("{file}/rows?n__eq=1")),
            post_json(&run, &json!({"fileId": scene.file})),
            get(ticket["download"]["url"].as_str().unwrap()),
        ]
    };
    for (number, call) in calls().into_iter().enumerate() {
        let response = scene.app.send(call.bearer(&scene.token)).await;
        assert!(response.status.is_success(), "{number}: {response}");
        assert_eq!(
            response.header("x-ratelimit-remaining"),
            (8 - number).to_string(),
            "{number}: {response}"
        );
    }
    for (number, call) in calls().into_iter().enumerate() {
        let response = scene.app.send(call.bearer(&scene.token)).await;
        match number {
            // The count is cached, so it scans nothing.
            5 => drop(response.expect(200)),
            _ => drop(expect_limited(response, "cuts", "7")),
        }
    }
    for unlimited in ["", "/rows", "/columns", "/profile", "/metadata", "/estimate?n__eq=1", "/count"] {
        scene.app.send(get(&format!("{file}{unlimited}")).bearer(&scene.token)).await.expect(200);
    }
}

#[tokio::test]
async fn of_a_hundred_concurrent_reservations_exactly_as_many_succeed_as_the_limit_says() {
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "40"), ("SCAN_BYTES_PER_HOUR", "100000")]).await;
    let (app, ada) = (&scene.app, Principal::user(UserId::parse("ada").unwrap()));
    app.faults.set_yield_before_calls(true);
    let reserve_and_settle = async |bytes: usize| {
        let meter = ReadMeter::default();
        let Ok(granted) = app.reserve_cut(&ada, 2_000, &meter).await else { return false };
        meter.add(bytes);
        app.settle(granted.unsettled.unwrap()).await;
        true
    };
    let outcomes = join_all((0..100).map(|_| reserve_and_settle(7))).await;
    assert_eq!(outcomes.iter().filter(|admitted| **admitted).count(), 40);
    assert_eq!(scene.scan_left("user:ada").await, 100_000 - 40 * 7);
}

#[tokio::test]
async fn of_a_hundred_concurrent_cuts_as_many_are_admitted_as_the_limit_says() {
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "40"), ("SCAN_BYTES_PER_HOUR", "100000")]).await;
    scene.app.faults.set_yield_before_calls(true);
    let began = scene.app.now();
    let responses = join_all((0..100).map(|_| scene.app.send(scene.cut()))).await;
    assert!(responses.iter().all(|response| [200, 429].contains(&response.status.as_u16())));
    // Cuts that wait for memory move the clock, so the buckets refill meanwhile.
    let waited_ms = (scene.app.now().instant() - began.instant()).num_milliseconds() as u64;
    let admitted = responses.iter().filter(|response| response.status == 200).count() as u64;
    assert!((40..=40 + 40 * waited_ms / 60_000).contains(&admitted), "{admitted} in {waited_ms} ms");
    let used = 100_000 - scene.scan_left("user:ada").await;
    let scanned = admitted * CSV.len() as u64;
    assert!((scanned - 100 * waited_ms / 3_600 - 1..=scanned).contains(&used), "{used} of {scanned}");
}

#[tokio::test]
async fn a_refused_cut_takes_from_no_bucket() {
    let bytes = (CSV.len() + 1).to_string();
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "10"), ("SCAN_BYTES_PER_HOUR", &bytes)]).await;
    scene.app.send(scene.cut()).await.expect(200);
    for _ in 0..3 {
        let refused = scene.app.send(scene.cut()).await;
        let state = format!("\"cuts\";r=9;t=6, \"scan\";r=1;t={}", CSV.len() * 3600 / (CSV.len() + 1) + 1);
        assert_eq!(refused.header("ratelimit"), state);
        let problem = refused.expect_problem(429, "rate_limited");
        assert!(problem["detail"].as_str().unwrap().contains("bytes an hour"), "{problem}");
    }
}

#[tokio::test]
async fn a_cut_that_fails_or_whose_client_leaves_is_charged_what_it_read() {
    let rows: String = (0..300_000).map(|n| format!("city {n},{n}\n")).collect();
    let csv = format!("city,n\n{rows}");
    let size = csv.len() as u64;
    assert!(size > 4 << 20, "{size}");
    let scene = Scene::with(&[("SCAN_BYTES_PER_HOUR", "100000000")], csv).await;
    let charged = async || 100_000_000 - scene.scan_left("user:ada").await;

    let unknown = get(&format!("/api/files/{}/cut?columns=x", scene.file)).bearer(&scene.token);
    scene.app.send(unknown).await.expect_problem(400, "unknown_column");
    let failed = charged().await;
    assert!((1..size / 4).contains(&failed), "{failed}");

    scene.app.disconnect_after(scene.cut(), 1).await;
    let left = charged().await - failed;
    assert!((1..size / 2).contains(&left), "{left}");

    let before = charged().await;
    scene.app.faults.inject(Fault::Failed, On::database().about("UPDATE cuts"), 1);
    let broken = scene.app.send(scene.cut()).await;
    assert!(broken.broken, "{}", broken.status);
    assert_eq!(charged().await - before, size);
    scene.app.faults.clear();

    scene.app.faults.inject(Fault::Failed, On::named_objects().about("settle"), 1);
    let before = charged().await;
    scene.app.send(scene.cut()).await.expect(200);
    assert_eq!(charged().await - before, size, "a reservation that is not settled stays charged");
    assert_eq!(scene.app.log.with("message", "a rate limit was not settled").len(), 1);
}

#[tokio::test]
async fn a_repeated_settlement_changes_nothing_and_an_eviction_loses_nothing() {
    let scene = Scene::new(&[("SCAN_BYTES_PER_HOUR", "1000")]).await;
    let policy = json!({"capacity": 1000, "window_s": 3600});
    let reserve = json!({"command": "reserve", "reservation": "one",
        "asks": [{"limit": "scan", "policy": policy, "tokens": 600}]});
    let settle = json!({"command": "settle", "reservation": "one", "used": [["scan", 100]]});
    let call = async |command: &Value| {
        let objects = &scene.app.named_objects;
        objects.call(ObjectClass::RateLimiter, "user:ada", command.clone(), None).await.unwrap()
    };
    call(&reserve).await;
    scene.app.named_objects.evict();
    assert_eq!(scene.scan_left("user:ada").await, 400);
    for _ in 0..3 {
        call(&settle).await;
        scene.app.named_objects.evict();
        assert_eq!(scene.scan_left("user:ada").await, 900);
    }
}

#[tokio::test]
async fn an_object_whose_buckets_are_full_deletes_its_rows() {
    let scene = Scene::new(&[]).await;
    scene.app.send(scene.cut()).await.expect(200);
    let login = json!({"username": "nobody", "password": PASSWORD});
    scene.app.send(post_json("/api/auth/login", &login)).await.expect(401);
    let with_rows = || scene.app.named_objects.with_rows(ObjectClass::RateLimiter);
    assert_eq!(with_rows(), 2);
    scene.app.advance(TimeDelta::hours(2));
    scene.app.ring_alarms().await;
    assert_eq!(with_rows(), 1, "the failed sign-in attempt counts for a day");
    scene.app.advance(TimeDelta::hours(25));
    scene.app.ring_alarms().await;
    assert_eq!(with_rows(), 0);
    scene.app.send(scene.cut()).await.expect(200);
    assert_eq!(with_rows(), 1);
}

#[tokio::test]
async fn uploads_are_limited_for_each_principal_before_anything_else_happens() {
    let app = TestApp::with(&[("UPLOADS_PER_MINUTE", "3")]);
    let (ada, ben) = (app.user("ada"), app.user("ben"));
    app.send(upload("a.csv", CSV).bearer(&ada)).await.expect(201);
    let created = app.send(create(CSV.len()).bearer(&ada)).await.expect(201);
    assert_eq!(created.header("ratelimit"), "\"uploads\";r=1;t=40");
    let location = created.header("location").to_owned();
    let append = || patch(&location, 0).bytes(CSV).bearer(&ada);
    app.send(append()).await.expect(204);
    app.faults.forget_calls();
    for call in [upload("b.csv", CSV).header("idempotency-key", "k"), create(CSV.len())] {
        expect_limited(app.send(call.bearer(&ada)).await, "uploads", "20");
    }
    // One call identifies the user; the second is the limit.
    assert_eq!(app.faults.count(&On::database()), 2);
    assert_eq!(app.faults.count(&On::named_objects()), 2);
    expect_limited(app.send(append()).await, "uploads", "20");
    app.send(tus(Call::new(Method::HEAD, &location)).bearer(&ada)).await.expect(200);
    app.send(get("/api/files").bearer(&ada)).await.expect(200);
    app.send(upload("b.csv", CSV).bearer(&ben)).await.expect(201);
    let key = |id: &str| Principal::ApiKey {
        id: ApiKeyId::parse(id).unwrap(),
        owner: UserId::parse("ada").unwrap(),
        scopes: Scopes::all().without(cutty::domain::principal::Scope::Admin),
        tag: None,
    };
    // More keys admit no more: they share the limit of their owner.
    for id in ["018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"] {
        expect_limited(app.send(upload("k.csv", CSV).by(key(id))).await, "uploads", "20");
    }
}

fn register(name: &str, address: &str) -> Call {
    post_json("/api/auth/register", &json!({"username": name, "password": PASSWORD}))
        .header("cf-connecting-ip", address)
}

fn login(password: &str, address: &str) -> Call {
    post_json("/api/auth/login", &json!({"username": "ada", "password": password}))
        .header("cf-connecting-ip", address)
}

#[tokio::test]
async fn registrations_are_limited_for_each_address() {
    let app = TestApp::with(&[("SIGN_UPS_PER_HOUR", "2")]);
    app.send(register("ada", "2001:db8::1")).await.expect(201);
    let again = || register("ben", "2001:db8::2").header("idempotency-key", "k");
    app.send(again()).await.expect(201);
    expect_limited(app.send(register("cy", "2001:db8::3")).await, "sign-ups", "1800");
    expect_limited(
        app.send(register("cy", "2001:db8::3").header("idempotency-key", "c")).await,
        "sign-ups",
        "1800",
    );
    // A repeated registration makes no account, so it is a sign-in.
    app.send(again()).await.expect(201);
    app.send(register("cy", "192.0.2.1")).await.expect(201);
    app.advance(TimeDelta::minutes(30));
    app.send(register("dee", "2001:db8::4")).await.expect(201);
}

#[tokio::test]
async fn the_delay_after_failed_sign_ins_grows_and_locks_nobody_else_out() {
    let app = TestApp::with(&[("SIGN_IN_FREE_FAILURES", "3")]);
    app.send(register("ada", "192.0.2.1")).await.expect(201);
    let wrong = || login("wrong horse battery", "198.51.100.1");
    for _ in 0..4 {
        app.send(wrong()).await.expect(401);
    }
    app.faults.forget_calls();
    expect_limited(app.send(login(PASSWORD, "198.51.100.1")).await, "sign-ins", "1");
    assert_eq!(app.faults.count(&On::database()), 0);
    app.send(login(PASSWORD, "192.0.2.1")).await.expect(200);
    for delay in [1, 2, 4] {
        app.advance(TimeDelta::seconds(delay));
        app.send(wrong()).await.expect(401);
        expect_limited(app.send(wrong()).await, "sign-ins", &(2 * delay).to_string());
    }
    app.advance(TimeDelta::seconds(8));
    app.send(login(PASSWORD, "198.51.100.1")).await.expect(200);
    for _ in 0..4 {
        app.send(wrong()).await.expect(401);
    }
    expect_limited(app.send(wrong()).await, "sign-ins", "1");
}

#[tokio::test]
async fn a_sign_in_that_could_not_be_checked_counts_neither_as_failure_nor_as_success() {
    let app = TestApp::with(&[("SIGN_IN_FREE_FAILURES", "1")]);
    app.send(register("ada", "192.0.2.1")).await.expect(201);
    let wrong = || login("wrong horse battery", "192.0.2.1");
    app.send(wrong()).await.expect(401);
    app.faults.always(Fault::Failed, On::database());
    for _ in 0..3 {
        app.send(login(PASSWORD, "192.0.2.1")).await.expect_problem(503, "unavailable");
    }
    app.faults.clear();
    app.send(wrong()).await.expect(401);
    expect_limited(app.send(wrong()).await, "sign-ins", "1");
}

#[tokio::test]
async fn requests_with_a_link_are_limited_and_a_changed_link_makes_no_object() {
    let scene = Scene::new(&[("SHARES_PER_MINUTE", "3")]).await;
    let link = scene.link().await;
    scene.app.send(get(&format!("{link}/info"))).await.expect(200);
    scene.app.send(get(&format!("{link}/rows"))).await.expect(200);
    let last = scene.app.send(get(&link)).await.expect(200);
    assert_eq!(last.header("ratelimit"), "\"shares\";r=0;t=60");
    scene.app.faults.forget_calls();
    expect_limited(scene.app.send(get(&link)).await, "shares", "20");
    assert_eq!(scene.app.faults.count(&On::database()), 0);
    let other = scene.link().await;
    scene.app.send(get(&format!("{other}/info"))).await.expect(200);
    scene.app.faults.forget_calls();
    scene.app.send(get(&format!("{link}x/info"))).await.expect(404);
    scene.app.send(get("/api/shared/s1.abc")).await.expect(404);
    assert_eq!(scene.app.faults.count(&On::named_objects()), 0);
}

#[tokio::test]
async fn rows_that_a_link_scans_are_charged_to_the_share_and_not_to_its_owner() {
    let scene = Scene::new(&[("SCAN_BYTES_PER_HOUR", "50")]).await;
    let link = scene.link().await;
    scene.app.send(get(&format!("{link}/rows"))).await.expect(200);
    let share = scene.app.database.value("SELECT 'share:' || id FROM shares");
    let share = share.as_str().unwrap();
    assert_eq!(scene.scan_left(share).await, 50, "a page that the index finds is not charged");
    // A file without a profile has no index.
    scene.app.database.execute("UPDATE files SET row_count = NULL");
    for left in [50 - CSV.len() as u64, 50 - 2 * CSV.len() as u64] {
        scene.app.send(get(&format!("{link}/rows"))).await.expect(200);
        assert_eq!(scene.scan_left(share).await, left);
    }
    let refused = scene.app.send(get(&format!("{link}/rows"))).await;
    assert_eq!(refused.expect_problem(429, "rate_limited")["limit"], "scan");
    scene.app.send(scene.cut()).await.expect(200);
    scene.app.faults.always(Fault::Failed, On::named_objects().about("\"scan\""));
    scene.app.send(get(&format!("{link}/rows"))).await.expect_problem(503, "unavailable");
}

#[tokio::test]
async fn operators_meet_no_limit() {
    let scene = Scene::new(&[("CUTS_PER_MINUTE", "1"), ("UPLOADS_PER_MINUTE", "1")]).await;
    scene.app.database.execute("UPDATE users SET role = 'admin'");
    for _ in 0..3 {
        let response = scene.app.send(scene.cut()).await.expect(200);
        assert!(!response.has("ratelimit") && !response.has("ratelimit-policy"));
        scene.app.send(upload("b.csv", CSV).bearer(&scene.token)).await.expect(201);
    }
    assert_eq!(scene.app.faults.count(&On::named_objects()), 0);
    assert!(Principal::Operator { token: OperatorToken::Current }.is_exempt_from_limits());
}

#[tokio::test]
async fn a_limit_of_zero_is_off() {
    let off: Vec<_> = DEFAULTS.iter().map(|(name, _)| (*name, "0")).collect();
    let scene = Scene::new(&[&off[..], &[("SIGN_IN_MAX_DELAY", "0")]].concat()).await;
    let link = scene.link().await;
    let response = scene.app.send(scene.cut()).await.expect(200);
    assert!(!response.has("ratelimit"));
    scene.app.send(get(&format!("{link}/info"))).await.expect(200);
    scene.app.send(register("eve", "192.0.2.1")).await.expect(201);
    scene.app.send(login("wrong horse battery", "192.0.2.1")).await.expect(401);
    scene.app.send(upload("b.csv", CSV).bearer(&scene.token)).await.expect(201);
    assert_eq!(scene.app.faults.count(&On::named_objects()), 0);
}

#[tokio::test]
async fn the_requests_of_a_page_meet_no_limit() {
    let scene = Scene::new(&DEFAULTS).await;
    let file = format!("/api/files/{}", scene.file);
    let of_page = [
        "/api/files".to_owned(),
        format!("{file}/metadata"),
        format!("{file}/rows"),
        format!("{file}/columns"),
        format!("{file}/profile"),
        "/api/usage".to_owned(),
        "/api/auth/user".to_owned(),
        "/api/recipes".to_owned(),
        format!("{file}/lineage"),
        "/api/cuts".to_owned(),
    ];
    for path in of_page.iter().cycle().take(100) {
        scene.app.send(get(path).bearer(&scene.token)).await.expect(200);
    }
    assert_eq!(scene.app.faults.count(&On::named_objects()), 0);
    // A page also shows filtered rows and counts them while somebody types a filter.
    for n in 0..100 {
        scene.app.send(get(&format!("{file}/rows?n__gt={n}")).bearer(&scene.token)).await.expect(200);
    }
}

/// What a request gets if the objects of its limits fail.
struct Outage {
    name: &'static str,
    status: u16,
    /// The message of the log line, if the request goes on.
    log: Option<&'static str>,
    call: fn(&Scene, &str) -> Call,
}

const OUTAGES: [Outage; 7] = [
    Outage {
        name: "a cut",
        status: 200,
        log: Some("a rate limit was not checked"),
        call: |scene, _| scene.cut(),
    },
    Outage {
        name: "filtered rows",
        status: 200,
        log: Some("a rate limit was not checked"),
        call: |scene, _| get(&format!("/api/files/{}/rows?n__eq=1", scene.file)).bearer(&scene.token),
    },
    Outage {
        name: "an upload",
        status: 201,
        log: Some("a rate limit was not checked"),
        call: |scene, _| upload("b.csv", CSV).bearer(&scene.token),
    },
    Outage {
        name: "a registration",
        status: 201,
        log: Some("a rate limit was not checked"),
        call: |_, _| register("eve", "192.0.2.1"),
    },
    Outage {
        name: "a sign-in",
        status: 401,
        log: Some("a sign-in attempt had no delay"),
        call: |_, _| login(PASSWORD, "192.0.2.1"),
    },
    Outage { name: "a download with a link", status: 503, log: None, call: |_, link| get(link) },
    Outage {
        name: "the rows of a link",
        status: 503,
        log: None,
        call: |_, link| get(&format!("{link}/rows")),
    },
];

#[tokio::test]
async fn an_outage_of_the_objects_stops_only_the_requests_of_unknown_senders() {
    for Outage { name, status, log, call } in OUTAGES {
        let scene = Scene::new(&[]).await;
        let link = scene.link().await;
        scene.app.log.take();
        scene.app.faults.always(Fault::Failed, On::named_objects());
        let response = scene.app.send(call(&scene, &link)).await;
        assert_eq!(response.status, status, "{name}: {response}");
        assert!(!response.has("ratelimit"), "{name}");
        match log {
            Some(message) => assert_eq!(scene.app.log.with("message", message).len(), 1, "{name}"),
            None => assert_eq!(response.header("retry-after"), "5", "{name}"),
        }
    }
}

#[tokio::test]
async fn names_of_objects_and_commands_contain_no_address_and_no_username() {
    let app = TestApp::new();
    app.send(register("secretname", "192.0.2.77")).await.expect(201);
    app.send(login(PASSWORD, "192.0.2.77")).await.expect(401);
    for call in app.faults.calls().iter().filter(|call| format!("{call}").starts_with("NamedObjects")) {
        let text = call.subject.to_string();
        assert!(!text.contains("192.0.2") && !text.contains("secretname"), "{text}");
    }
}
