//! Usage by month: what users did and stored, and what it costs.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::app::{OPERATOR_TOKEN, break_every_call};
use crate::support::client::{Call, TestResponse, delete, get, patch_json, post, post_json, upload};
use crate::support::seeds::{Rng, for_each_seed};
use crate::support::turns::{PendingRequest, expect_ready, run_interleaved};

/// The model of one user.
#[derive(Default)]
struct Model {
    /// Count, failures and bytes of each month and action.
    operations: BTreeMap<(String, String), (u64, u64, u64)>,
    /// Size, source and whether the file is in the trash, by path.
    files: BTreeMap<String, (u64, &'static str, bool)>,
    /// The highest number of stored bytes of each day.
    peaks: BTreeMap<String, u64>,
    /// Bytes that cuts read in each month.
    scanned: BTreeMap<String, u64>,
}

impl Model {
    fn used(&self) -> u64 {
        self.files.values().map(|(size, ..)| size).sum()
    }

    fn kind(&self, wanted: impl Fn(&str, bool) -> bool) -> Value {
        let of_kind: Vec<_> =
            self.files.values().filter(|(_, source, trashed)| wanted(source, *trashed)).collect();
        json!({"bytes": of_kind.iter().map(|(size, ..)| size).sum::<u64>(), "files": of_kind.len()})
    }

    fn kinds(&self) -> Value {
        json!({
            "uploads": self.kind(|source, trashed| source == "upload" && !trashed),
            "derived": self.kind(|source, trashed| source == "cut" && !trashed),
            "trash": self.kind(|_, trashed| trashed),
            "imports": self.kind(|_, _| false),
        })
    }
}

/// An application with two users, and their models.
struct Scene {
    app: TestApp,
    tokens: [String; 2],
    models: [Model; 2],
}

const USERS: [&str; 2] = ["ada", "ben"];

impl Scene {
    fn new() -> Self {
        let app = TestApp::new();
        app.clock.set("2026-01-29T22:00:00.000Z");
        let tokens = USERS.map(|name| app.user(name));
        Self { app, tokens, models: Default::default() }
    }

    fn day(&self) -> String {
        self.app.now().to_string()[..10].to_owned()
    }

    async fn send(&self, user: usize, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.tokens[user])).await
    }

    fn count(&mut self, user: usize, action: &str, success: bool, bytes: usize) {
        let month = self.day()[..7].to_owned();
        let counted = self.models[user].operations.entry((month, action.to_owned())).or_default();
        counted.0 += 1;
        counted.1 += u64::from(!success);
        counted.2 += bytes as u64;
    }

    /// Notes what a user stores at this moment.
    fn note_storage(&mut self) {
        let day = self.day();
        for model in &mut self.models {
            let used = model.used();
            let peak = model.peaks.entry(day.clone()).or_default();
            *peak = (*peak).max(used);
        }
    }

    /// Moves the clock, and notes what each day begins with.
    fn advance(&mut self, delta: TimeDelta) {
        let end = self.app.now().plus(delta);
        while self.app.now() < end {
            let step = TimeDelta::hours(1).min(end.instant() - self.app.now().instant());
            self.app.advance(step);
            self.note_storage();
        }
    }

    async fn step(&mut self, rng: &mut Rng) {
        let user = rng.below(2);
        let paths: Vec<String> = self.models[user].files.keys().cloned().collect();
        let path = if paths.is_empty() { None } else { Some(rng.one(&paths)) };
        match (rng.below(10), path) {
            (0..=2, _) | (_, None) => {
                let rows = 1 + rng.below(50);
                let csv = format!("a,b\n{}", "1,2\n".repeat(rows));
                let size = csv.len();
                let file = self.send(user, upload("a.csv", csv)).await.expect(201).json();
                let path = format!("/api/files/{}", file["file"]["id"].as_str().unwrap());
                self.models[user].files.insert(path, (size as u64, "upload", false));
                self.count(user, "upload", true, size);
            }
            (3, Some(path)) => {
                let response = self.send(user, get(&path)).await;
                let length = if response.status == 200 { response.body.len() } else { 0 };
                self.count(user, "download", response.status == 200, length);
            }
            (4, Some(path)) => {
                let cut = self.send(user, get(&format!("{path}/cut?a__eq=1"))).await;
                let length = if cut.status == 200 { cut.body.len() } else { 0 };
                self.count(user, "process", cut.status == 200, length);
                if cut.status == 200 {
                    let receipt = self.send(user, get(&cut.receipt_path())).await.expect(200).json();
                    self.count(user, "view", true, 0);
                    let month = self.day()[..7].to_owned();
                    *self.models[user].scanned.entry(month).or_default() +=
                        receipt["cut"]["bytesIn"].as_u64().unwrap();
                }
            }
            (5, Some(path)) => {
                let saved = self.send(user, post_json(&format!("{path}/save"), &json!({}))).await;
                if saved.status != 201 {
                    self.count(user, "save", false, 0);
                } else {
                    let saved = saved.json();
                    let size = saved["file"]["size"].as_u64().unwrap();
                    let new = format!("/api/files/{}", saved["file"]["id"].as_str().unwrap());
                    self.models[user].files.insert(new, (size, "cut", false));
                    self.count(user, "save", true, size as usize);
                    self.count(user, "process", true, size as usize);
                    let receipt = format!("/api/cuts/{}", saved["cutId"].as_str().unwrap());
                    let receipt = self.send(user, get(&receipt)).await.expect(200).json();
                    self.count(user, "view", true, 0);
                    let month = self.day()[..7].to_owned();
                    *self.models[user].scanned.entry(month).or_default() +=
                        receipt["cut"]["bytesIn"].as_u64().unwrap();
                }
            }
            (6, Some(path)) => {
                // The client leaves before the first byte.
                if !self.models[user].files[&path].2 {
                    self.app.disconnect_after(get(&path).bearer(&self.tokens[user]), 0).await;
                    self.count(user, "download", false, 0);
                }
            }
            (7, Some(path)) => {
                self.send(user, delete(&path)).await.expect(200);
                let file = self.models[user].files.get_mut(&path).unwrap();
                let was_trashed = std::mem::replace(&mut file.2, true);
                if !was_trashed {
                    self.count(user, "delete", true, 0);
                }
            }
            (8, Some(path)) => {
                let restored = self.send(user, post(&format!("{path}/restore"))).await;
                self.count(user, "restore", restored.status == 200, 0);
                if restored.status == 200 {
                    self.models[user].files.get_mut(&path).unwrap().2 = false;
                }
            }
            (_, Some(path)) => {
                self.send(user, delete(&format!("{path}?permanent=true"))).await.expect(200);
                self.note_storage();
                self.models[user].files.remove(&path);
                self.count(user, "delete", true, 0);
            }
        }
        self.note_storage();
        self.app.deliver_twice().await;
    }

    /// Compares the rows, the rollups and the model.
    async fn check(&mut self) {
        self.compare().await;
        // The comparison has read the usage of each user.
        for user in 0..USERS.len() {
            self.count(user, "view", true, 0);
        }
        self.app.deliver_twice().await;
    }

    async fn compare(&self) {
        for (user, name) in USERS.iter().enumerate() {
            let model = &self.models[user];
            let usage = self.send(user, get("/api/usage")).await.expect(200).json()["usage"].clone();
            let used = self.app.database.value(&format!(
                "SELECT coalesce(sum(file_size), 0) FROM files
                 WHERE user_id = '{name}' AND lifecycle_status IN ('active', 'archived', 'deleted')"
            ));
            assert_eq!((&usage["usedBytes"], &used), (&json!(model.used()), &json!(model.used())), "{name}");
            assert_eq!((&usage["kinds"], &usage["reservedBytes"]), (&model.kinds(), &json!(0)), "{name}");
            let mut rows = BTreeMap::new();
            for row in self.app.database.rows(&format!(
                "SELECT substr(timestamp, 1, 7) AS month, action, count(*) AS n, sum(success = 0) AS failed,
                    coalesce(sum(bytes_transferred), 0) AS bytes
                 FROM file_access_logs WHERE user_id = '{name}' GROUP BY 1, 2"
            )) {
                let text = |column: &str| row[column].as_str().unwrap().to_owned();
                let number = |column: &str| row[column].as_u64().unwrap();
                rows.insert(
                    (text("month"), text("action")),
                    (number("n"), number("failed"), number("bytes")),
                );
            }
            assert_eq!(rows, model.operations, "the audit log of {name}");
            let mut rollups = BTreeMap::new();
            for month in usage["months"].as_array().unwrap() {
                let name_of_month = month["month"].as_str().unwrap();
                for (action, counts) in month["operations"].as_object().unwrap() {
                    let number = |member: &str| counts[member].as_u64().unwrap();
                    rollups.insert(
                        (name_of_month.to_owned(), action.clone()),
                        (number("count"), number("failed")),
                    );
                }
                let of_month = || model.operations.iter().filter(|((month, _), _)| month == name_of_month);
                let bytes = |stored: bool| {
                    let counted = of_month()
                        .filter(|((_, action), _)| ["upload", "save"].contains(&action.as_str()) == stored);
                    json!(counted.map(|(_, (.., bytes))| bytes).sum::<u64>())
                };
                assert_eq!((&month["bytesIn"], &month["bytesOut"]), (&bytes(true), &bytes(false)), "{month}");
                let peaks = || model.peaks.iter().filter(|(day, _)| day.starts_with(name_of_month));
                let byte_days: u64 = peaks().map(|(_, bytes)| bytes).sum();
                assert_eq!(month["storageByteDays"], byte_days, "{name}: {month} {:?}", model.peaks);
                let peak = peaks().map(|(_, bytes)| *bytes).max().unwrap_or(0);
                assert_eq!(month["storagePeakBytes"], peak, "{month}");
                let scanned = model.scanned.get(name_of_month).copied().unwrap_or(0);
                assert_eq!(month["bytesScanned"], scanned, "{month}");
                let cost = |member: &str| month["costUsd"][member].as_f64().unwrap();
                assert!((cost("storage") + cost("operations") - cost("total")).abs() < 1e-9, "{month}");
                assert!(cost("operations") > 0.0 || of_month().count() == 0, "{month}");
            }
            let counts: BTreeMap<_, _> = model
                .operations
                .iter()
                .map(|(key, (count, failed, _))| (key.clone(), (*count, *failed)))
                .collect();
            assert_eq!(rollups, counts, "the rollups of {name}");
            let path = format!("/api/admin/usage?user={name}");
            let all = self.app.send(get(&path).bearer(OPERATOR_TOKEN)).await.expect(200).json();
            let months: Vec<Value> = all["usage"].as_array().unwrap().iter().map(without_user).collect();
            assert_eq!(json!(months), usage["months"], "operators see the same months");
        }
        self.app.assert_consistent();
    }
}

/// Returns a month of a user without the members that name the user.
fn without_user(month: &Value) -> Value {
    let mut month = month.clone();
    for member in ["userId", "username"] {
        month.as_object_mut().unwrap().remove(member);
    }
    month
}

#[test]
fn a_month_of_operations_gives_the_same_usage_from_rows_rollups_and_a_model() {
    for_each_seed("MONTHS_SEED", &[], 3, |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut rng = Rng::new(seed);
            let mut scene = Scene::new();
            for _ in 0..100 {
                scene.step(&mut rng).await;
                let hours = rng.one(&[0, 0, 1, 3, 20]);
                scene.advance(TimeDelta::hours(hours));
            }
            scene.check().await;
            // Days and months without a change keep what was stored before them.
            scene.advance(TimeDelta::days(45));
            scene.check().await;
        });
    });
}

#[tokio::test]
async fn usage_is_kept_for_two_years_and_deleted_with_the_account() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let count = |table: &str| app.database.row_counts()[table];
    assert_eq!((count("usage_months"), count("storage_days")), (1, 1));
    app.advance(TimeDelta::days(750));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(
        (count("usage_months"), count("storage_days")),
        (1, 1),
        "24 months before the current month are kept"
    );
    app.advance(TimeDelta::days(20));
    app.sweep(app.now()).await.unwrap();
    assert_eq!((count("usage_months"), count("storage_days")), (0, 0));
    let usage = app.send(get("/api/usage").bearer(&token)).await.expect(200).json()["usage"].clone();
    let months = usage["months"].as_array().unwrap();
    assert_eq!(months.len(), 13, "the file is still stored");
    assert_eq!((&months[1]["storageByteDays"], &months[1]["operations"]), (&json!(8 * 31), &json!({})));
    app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    assert_eq!((count("usage_months"), count("storage_days")), (1, 1));
    app.database.execute(
        "UPDATE users SET deleted_at = created_at, disabled_at = created_at, erase_at = created_at WHERE id = 'ada'",
    );
    app.run_sweep("close_accounts").await.unwrap();
    assert_eq!((count("usage_months"), count("storage_days")), (0, 0));
}

#[tokio::test]
async fn bytes_in_infrequent_access_have_their_own_price() {
    let prices = json!({
        "readOn": "2026-01-01", "source": "a test", "storageStandardPerGbMonth": 3100,
        "storageInfrequentAccessPerGbMonth": 310, "classAPerMillion": 0, "classBPerMillion": 0,
        "workerRequestsPerMillion": 1, "d1RowsReadPerMillion": 0, "d1RowsWrittenPerMillion": 0,
        "queueOperationsPerMillion": 0, "durableObjectRequestsPerMillion": 0,
    });
    let app = TestApp::with(&[("PRICES", &prices.to_string())]);
    let token = app.user("ada");
    let csv = format!("a,b\n{}", "1,2\n".repeat(249_999));
    app.upload(&token, "a.csv", csv.clone()).await;
    let cold = upload("a.csv", csv).header("x-file-storage-class", "InfrequentAccess").bearer(&token);
    app.send(cold).await.expect(201);
    app.advance(TimeDelta::days(1));
    let usage = app.send(get("/api/usage").bearer(&token)).await.expect(200).json()["usage"].clone();
    assert_eq!(
        (&usage["estimate"], &usage["pricesReadOn"], &usage["pricesSource"]),
        (&json!(true), &json!("2026-01-01"), &json!("a test"))
    );
    // Two days with 1 MB in each class: 0.1 dollars a day for the first, 0.01 for the second.
    let month = &usage["months"][0];
    assert_eq!(month["storageByteDays"], 4_000_000);
    assert_eq!(month["costUsd"], json!({"storage": 0.22, "operations": 0.000_002, "total": 0.220_002}));
    app.assert_consistent();
}

#[tokio::test]
async fn operators_list_the_usage_of_all_users_in_pages_as_json_and_csv() {
    let app = TestApp::new();
    for name in ["ada", "ben", "cyd", "dan"] {
        let token = app.user(name);
        if name != "cyd" {
            app.upload(&token, "a.csv", "a,b\n1,2\n").await;
        }
    }
    app.database.execute("UPDATE users SET username = '=ada,1' WHERE id = 'ada'");
    let send =
        async |query: &str| app.send(get(&format!("/api/admin/usage{query}")).bearer(OPERATOR_TOKEN)).await;
    let all = send("").await.expect(200).json();
    let ids = |page: &Value| {
        page["usage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|month| month["userId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&all), ["ada", "ben", "dan"]);
    assert_eq!((&all["usage"][0]["month"], &all["hasMore"]), (&json!("2026-01"), &json!(false)));
    assert_eq!(all["usage"][0]["operations"], json!({"upload": {"count": 1, "failed": 0}}));
    let first = send("?limit=2&month=2026-01").await.expect(200);
    let next = first.json()["nextCursor"].as_str().unwrap().to_owned();
    let link = format!("</api/admin/usage?month=2026-01&limit=2&cursor={next}>; rel=\"next\"");
    assert_eq!(
        (ids(&first.json()), first.header("link")),
        (vec!["ada".to_owned(), "ben".to_owned()], link.as_str())
    );
    let rest = send(&format!("?limit=2&month=2026-01&cursor={next}")).await.expect(200);
    assert_eq!((ids(&rest.json()), rest.has("link")), (vec!["dan".to_owned()], false));
    assert!(ids(&send("?month=2025-12").await.expect(200).json()).is_empty());
    // Without `month`, the next page is of the same month, also after the month has ended.
    let first = send("?limit=1").await.expect(200).json();
    app.advance(TimeDelta::days(40));
    let next = format!("?limit=1&cursor={}", first["nextCursor"].as_str().unwrap());
    assert_eq!(send(&next).await.expect(200).json()["usage"][0]["month"], "2026-01");

    let csv = send("?month=2026-01&format=csv").await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text().lines().collect();
    assert!(lines[0].starts_with("userId,username,month,operations,failed,bytesIn,"), "{}", lines[0]);
    assert!(lines[1].starts_with("ada,\"'=ada,1\",2026-01,1,0,8,0,0,"), "{}", lines[1]);
    assert_eq!(lines.len(), 4);
    for (query, code) in [
        ("?month=2026-13", "bad_request"),
        ("?format=xml", "bad_request"),
        ("?user=%20", "bad_request"),
        ("?limit=0", "bad_request"),
        ("?cursor=x", "bad_cursor"),
        ("?quarter=1", "unknown_option"),
        (&format!("?month=2026-02&cursor={}", first["nextCursor"].as_str().unwrap()), "bad_cursor"),
    ] {
        send(query).await.expect_problem(400, code);
    }
    let ben = app.token_of("ben");
    app.send(get("/api/admin/usage").bearer(&ben)).await.expect_problem(403, "forbidden");
}

async fn change(app: &TestApp, body: Value) -> Value {
    let call = patch_json("/api/admin/users/ada", &body).bearer(OPERATOR_TOKEN);
    app.send(call).await.expect(200).json()["user"].clone()
}

#[tokio::test]
async fn an_admin_sets_limits_of_one_user() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "100")]);
    let (ada, ben) = (app.user("ada"), app.user("ben"));
    let limits = json!({"quotaFiles": 1, "purgeAllowanceBytes": 10, "quotaBytes": 50});
    let user = change(&app, limits.clone()).await;
    for (name, value) in limits.as_object().unwrap() {
        assert_eq!(&user[name], value);
    }
    let send =
        async |token: &str, bytes: usize| app.send(upload("a.csv", "a".repeat(bytes)).bearer(token)).await;
    let file = send(&ada, 40).await.expect(201).json();
    let refused = send(&ada, 1).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("as many files"), "{refused}");
    refused.expect_problem(507, "quota_exceeded");
    for _ in 0..3 {
        send(&ben, 10).await.expect(201);
    }
    let path = format!("/api/files/{}?permanent=true", file["file"]["id"].as_str().unwrap());
    app.send(delete(&path).bearer(&ada)).await.expect(200);
    // 40 bytes wait for the purge. Quota and allowance are 60 bytes together.
    let refused = send(&ada, 21).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("wait for their purge"), "{refused}");
    send(&ada, 20).await.expect(201);
    let usage = app.send(get("/api/usage").bearer(&ada)).await.expect(200).json()["usage"].clone();
    let found = ["quotaBytes", "quotaFiles", "purgeAllowanceBytes", "purgeBytes", "purgeFiles", "maxFiles"]
        .map(|name| &usage[name]);
    assert_eq!(found, [&json!(50), &json!(1), &json!(10), &json!(40), &json!(1), &json!(1)]);
    let user = change(&app, json!({"quotaFiles": null, "purgeAllowanceBytes": null})).await;
    assert_eq!((&user["quotaFiles"], &user["quotaBytes"]), (&json!(null), &json!(50)));
    send(&ada, 1).await.expect(201);
    for body in [
        json!({"quotaFiles": -1}),
        json!({"purgeAllowanceBytes": 9_007_199_254_740_992_u64}),
        json!({"budgetUsd": -1}),
        json!({"budgetUsd": 0.000_000_1}),
        json!({"budgetUsd": 1e300}),
        json!({"budgetUsd": "5"}),
        json!({"whenBudgetSpent": "refuse"}),
    ] {
        let call = patch_json("/api/admin/users/ada", &body).bearer(OPERATOR_TOKEN);
        app.send(call).await.expect_problem(400, "bad_request");
    }
    app.assert_consistent();
}

#[tokio::test]
async fn a_spent_budget_warns_or_refuses_until_it_is_raised_or_the_month_ends() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let send = async |call: Call| app.send(call.bearer(&token)).await;
    let calls = || {
        [
            get(&format!("{path}/cut")),
            get(&format!("{path}/count?a__eq=1")),
            post_json(&format!("{path}/save"), &json!({})),
            post_json("/api/downloads", &json!({"fileId": file["id"], "recipe": {}})),
            upload("b.csv", "a\n1\n"),
            crate::support::tus::create(8),
            crate::support::parts::create(8),
        ]
    };
    let refused = async || {
        let mut refused = Vec::new();
        for call in calls() {
            let response = send(call).await;
            if response.status == 507 {
                let problem = response.expect_problem(507, "quota_exceeded");
                assert!(problem["detail"].as_str().unwrap().contains("budget"), "{problem}");
                refused.push(true);
            } else {
                assert!(response.status.is_success(), "{response}");
                refused.push(false);
            }
        }
        refused
    };
    let spent = async || send(get("/api/usage")).await.expect(200).json()["usage"]["budgetSpent"].clone();
    let lines = || {
        (
            app.log.with("message", "a user has spent the budget of the month").len(),
            app.log.with("message", "the budget of a user is not spent any more").len(),
        )
    };
    let (none, cuts, all) = (vec![false; 7], [[true; 4].as_slice(), &[false; 3]].concat(), vec![true; 7]);

    let user = change(&app, json!({"budgetUsd": 0.000_01})).await;
    assert_eq!(
        (&user["budgetUsd"], &user["whenBudgetSpent"], &user["budgetSpent"]),
        (&json!(0.000_01), &json!("warn"), &json!(false))
    );
    assert_eq!((spent().await, refused().await), (json!(false), none.clone()));
    for _ in 0..2 {
        app.run_sweep("watch_budgets").await.unwrap();
    }
    assert_eq!((spent().await, refused().await, lines()), (json!(true), none.clone(), (1, 0)));
    change(&app, json!({"whenBudgetSpent": "refuseCuts"})).await;
    assert_eq!(refused().await, cuts);
    change(&app, json!({"whenBudgetSpent": "refuseChanges"})).await;
    assert_eq!(refused().await, all);
    send(get(&path)).await.expect(200);
    send(delete(&path)).await.expect(200);
    send(post(&format!("{path}/restore"))).await.expect(200);
    app.run_sweep("watch_budgets").await.unwrap();
    // A raised budget has an effect with the next run of the sweep.
    change(&app, json!({"budgetUsd": 5})).await;
    assert_eq!(refused().await, all);
    app.run_sweep("watch_budgets").await.unwrap();
    assert_eq!((spent().await, refused().await, lines()), (json!(false), none.clone(), (1, 1)));
    change(&app, json!({"budgetUsd": 0.000_01})).await;
    app.run_sweep("watch_budgets").await.unwrap();
    assert_eq!((refused().await, lines()), (all.clone(), (2, 1)));
    // In a new month, the mark has no effect, also before the sweep removes it.
    app.clock.set("2026-02-01T00:00:00.000Z");
    assert_eq!((spent().await, refused().await), (json!(false), none.clone()));
    change(&app, json!({"budgetUsd": null})).await;
    app.run_sweep("watch_budgets").await.unwrap();
    assert_eq!(lines(), (2, 2));
    change(&app, json!({"budgetUsd": 0})).await;
    app.run_sweep("watch_budgets").await.unwrap();
    assert_eq!(refused().await, all, "a budget of 0 is spent from the start");
    app.assert_consistent();
}

#[tokio::test]
async fn the_budgets_of_many_users_are_watched_page_by_page() {
    let app = TestApp::new();
    app.database.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
         INSERT INTO quotas (user_id, budget_micros, updated_at)
         SELECT printf('u%05d', n), 0, '2026-01-02T03:04:05.678Z' FROM n",
    );
    let marked = "SELECT count(*) FROM quotas WHERE budget_spent_month = '2026-01'";
    for count in [500, 1000, 1200, 1200] {
        app.run_sweep("watch_budgets").await.unwrap();
        assert_eq!(app.database.value(marked), count);
    }
    assert_eq!(app.log.with("message", "a user has spent the budget of the month").len(), 1200);
}

/// 100 uploads run concurrently, in an order that the seed decides, at the edge of a quota.
#[test]
fn concurrent_uploads_at_the_edge_of_a_quota_never_pass_it_and_settle_exactly() {
    const CSV: &str = "a,b\n1,2\n";
    const UPLOADS: usize = 100;
    for_each_seed("QUOTA_SEED", &[], 6, |seed| {
        let mut rng = Rng::new(seed);
        let fit = 1 + rng.below(UPLOADS - 1) as u64;
        let limits = match seed % 3 {
            0 => json!({"quotaBytes": fit * CSV.len() as u64 + rng.below(CSV.len()) as u64}),
            1 => json!({"quotaFiles": fit}),
            _ => json!({"quotaBytes": fit * CSV.len() as u64, "quotaFiles": fit}),
        };
        let crashes = seed >= 3;
        let app = TestApp::new();
        let token = app.user("ada");
        expect_ready(change(&app, limits.clone()));
        let work: Vec<PendingRequest<'_, TestResponse>> = (0..UPLOADS)
            .map(|_| {
                Box::pin(app.send(upload("a.csv", CSV).bearer(&token))) as PendingRequest<'_, TestResponse>
            })
            .collect();
        let outcomes = run_interleaved(&app.faults, &mut rng, work, crashes.then_some(40));
        let mut accepted = 0;
        for response in outcomes.into_iter().flatten() {
            match response.status.as_u16() {
                201 => accepted += 1,
                507 => drop(response.expect_problem(507, "quota_exceeded")),
                // The request waited too long for memory.
                _ => drop(response.expect_problem(503, "unavailable")),
            }
        }
        let kept = || {
            let count = "SELECT count(*) FROM files WHERE lifecycle_status = 'active'";
            app.database.value(count).as_u64().unwrap()
        };
        assert!(kept() <= fit, "{limits}: {} files are stored", kept());
        assert!(accepted == kept() || crashes && accepted < kept(), "{limits}: {accepted} of {}", kept());
        app.assert_consistent();
        app.advance(TimeDelta::hours(50));
        expect_ready(app.sweep(app.now())).unwrap();
        // Requests that crashed or waited too long have left no reservation, so the rest of the quota can be used.
        while expect_ready(app.send(upload("a.csv", CSV).bearer(&token))).status == 201 {}
        assert_eq!(kept(), fit, "{limits}");
        let usage =
            expect_ready(app.send(get("/api/usage").bearer(&token))).expect(200).json()["usage"].clone();
        let bytes = kept() * CSV.len() as u64;
        assert_eq!((&usage["usedBytes"], &usage["reservedBytes"]), (&json!(bytes), &json!(0)), "{limits}");
        assert_eq!(usage["months"][0]["operations"]["upload"]["count"], kept(), "{limits}");
        app.assert_consistent();
    });
}

#[tokio::test]
async fn a_failed_call_of_the_sweep_leaves_no_wrong_mark() {
    let prepare = async || {
        let app = TestApp::new();
        app.user("ada");
        change(&app, json!({"budgetUsd": 0, "whenBudgetSpent": "refuseChanges"})).await;
        app
    };
    let work = async |app: &TestApp| drop(app.run_sweep("watch_budgets").await);
    let broken = break_every_call(prepare, work, async |app: &TestApp, fault: &str| {
        app.run_sweep("watch_budgets").await.unwrap();
        let mark = "SELECT budget_spent_month FROM quotas";
        assert_eq!(app.database.value(mark), "2026-01", "{fault}");
        app.assert_consistent();
    });
    assert_eq!(broken.await, 16);
}
