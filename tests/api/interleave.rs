//! Runs concurrent requests in thousands of orders. The requests share one file, one quota and a few idempotency keys.
//! In every order, the invariants must hold after the last request has ended. No response may report an effect that did
//! not happen.

use std::collections::BTreeSet;

use cutty::domain::time::Timestamp;
use cutty::idempotency::LEASE;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::TestApp;
use crate::support::client::{Call, Form, TestResponse, delete, get, patch_json, post, post_json, upload};
use crate::support::seeds::{Rng, for_each_seed};
use crate::support::turns::{PendingRequest, expect_ready, poll_once, run_interleaved};

/// Seeds that once failed. If you change the code that draws actions, these seeds draw other actions. In that case,
/// replace each seed by a test of the error that it found.
const REGRESSIONS: &[u64] = &[];

/// The number of seeds that each test tries. Each seed gives other actions and another order.
const SEEDS: u64 = 1000;

const CSV: &str = "a,b\n1,2\n3,4\n";

/// The quota in bytes. Three files like the first file have 36 bytes. A fourth file exceeds the quota.
const QUOTA: u64 = 40;

const KEY: &str = "one-and-the-same";

/// One of the concurrent actions.
#[derive(Debug, Clone, PartialEq)]
enum Action {
    Upload,
    Form,
    /// Uploads a file with an idempotency key. All `KeyedUpload` actions are the same request with the same key.
    KeyedUpload,
    Save,
    /// Saves a cut with an idempotency key. All `KeyedSave` actions are the same request with the same key.
    KeyedSave,
    /// Renames the file and sets the new name as its only tag.
    Rename(String),
    /// Renames the file if its revision is still 1: the request has `If-Match: "r1"`.
    RenameFirst(String),
    KeyedRename,
    Trash,
    TrashFirst,
    Purge,
    Restore,
    Read,
    Cut,
    List,
    Sweep,
    /// Moves the clock forward until the lease of every claim has ended.
    Wait,
}

impl Action {
    fn draw(rng: &mut Rng, index: usize) -> Self {
        let name = format!("n{index}.csv");
        match rng.below(22) {
            0 | 1 => Self::Upload,
            2 => Self::Form,
            3 | 4 => Self::KeyedUpload,
            5 => Self::Save,
            6 => Self::KeyedSave,
            7 => Self::Rename(name),
            8..=10 => Self::RenameFirst(name),
            11 | 12 => Self::KeyedRename,
            13 => Self::Trash,
            14 => Self::TrashFirst,
            15 => Self::Purge,
            16 => Self::Restore,
            17 => Self::Read,
            18 => rng.one(&[Self::Cut, Self::List]),
            19 | 20 => Self::Wait,
            _ => Self::Sweep,
        }
    }

    /// Returns the request of the action, if it has one.
    fn call(&self, path: &str) -> Option<Call> {
        let rename = |name: &str| patch_json(path, &json!({"filename": name, "tags": [name]}));
        let keyed = |call: Call, which: &str| call.header("idempotency-key", format!("{KEY}-{which}"));
        let save =
            || post_json(&format!("{path}/save"), &json!({"selectedColumns": ["a"], "filename": "s.csv"}));
        Some(match self {
            Self::Upload => upload("u.csv", CSV),
            Self::Form => Form::default().file("u.csv", CSV.as_bytes()).post(),
            Self::KeyedUpload => keyed(upload("keyed.csv", CSV), "upload"),
            Self::Save => save(),
            Self::KeyedSave => {
                let body = json!({"selectedColumns": ["a"], "filename": "keyed-save.csv"});
                keyed(post_json(&format!("{path}/save"), &body), "save")
            }
            Self::Rename(name) => rename(name),
            Self::RenameFirst(name) => rename(name).header("if-match", "\"r1\""),
            Self::KeyedRename => keyed(rename("keyed-name.csv"), "rename"),
            Self::Trash => delete(path),
            Self::TrashFirst => delete(path).header("if-match", "\"r1\""),
            Self::Purge => delete(&format!("{path}?permanent=true")),
            Self::Restore => post(&format!("{path}/restore")),
            Self::Read => get(path),
            Self::Cut => get(&format!("{path}/cut?columns=b")),
            Self::List => get("/api/files"),
            Self::Sweep | Self::Wait => return None,
        })
    }

    fn needs_the_first_version(&self) -> bool {
        matches!(self, Self::RenameFirst(_) | Self::TrashFirst)
    }

    fn is_keyed(&self) -> bool {
        matches!(self, Self::KeyedUpload | Self::KeyedSave | Self::KeyedRename)
    }

    fn brings_a_file(&self) -> bool {
        matches!(self, Self::Upload | Self::Form | Self::KeyedUpload | Self::Save | Self::KeyedSave)
    }
}

/// The result of an action: the response, if the action was a request.
type Outcome = Option<TestResponse>;

struct Scene {
    app: TestApp,
    token: String,
    id: String,
}

impl Scene {
    fn new() -> Self {
        let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", &QUOTA.to_string())]);
        let token = app.user("ada");
        let file = expect_ready(app.upload(&token, "first.csv", CSV));
        let id = file["id"].as_str().unwrap().to_owned();
        Self { app, token, id }
    }

    fn path(&self) -> String {
        format!("/api/files/{}", self.id)
    }

    fn send(&self, call: Call) -> TestResponse {
        expect_ready(self.app.send(call.bearer(&self.token)))
    }

    async fn perform(&self, action: &Action) -> Outcome {
        match action.call(&self.path()) {
            Some(call) => Some(self.app.send(call.bearer(&self.token)).await),
            None if *action == Action::Wait => {
                self.app.advance(LEASE);
                None
            }
            None => {
                let at: Timestamp = self.app.now();
                assert_eq!(self.app.sweep(at).await.unwrap().failed, 0);
                None
            }
        }
    }

    fn row(&self, sql: &str) -> cutty::ports::Row {
        self.app.database.rows(sql).pop().unwrap_or_default()
    }

    /// Returns the row of the first file, in any state.
    fn first(&self) -> cutty::ports::Row {
        self.row(&format!("SELECT * FROM files WHERE id = '{}'", self.id))
    }

    fn count(&self, sql: &str) -> u64 {
        self.app.database.value(&format!("SELECT count(*) AS n {sql}")).as_u64().unwrap()
    }
}

/// Whether an action may return `status`. No call fails in these tests, so only the other actions can cause a refusal.
fn may_return(action: &Action, status: u16) -> bool {
    match action {
        Action::Upload | Action::Form => [201, 507].contains(&status),
        Action::KeyedUpload => [201, 409, 507].contains(&status),
        Action::Save => [201, 404, 507].contains(&status),
        Action::KeyedSave => [201, 404, 409, 507].contains(&status),
        Action::Rename(_) | Action::Trash => [200, 404].contains(&status),
        // A repeated rename of a file that is gone is 410.
        Action::KeyedRename => [200, 404, 409, 410].contains(&status),
        Action::Restore => [200, 404, 409].contains(&status),
        Action::RenameFirst(_) | Action::TrashFirst => [200, 404, 412].contains(&status),
        Action::Purge | Action::Read | Action::Cut => [200, 404].contains(&status),
        Action::List => status == 200,
        Action::Sweep | Action::Wait => false,
    }
}

fn check(scene: &Scene, done: &[(Action, Option<Outcome>)]) {
    let responses: Vec<(&Action, &TestResponse)> =
        done.iter().filter_map(|(action, outcome)| Some((action, outcome.as_ref()?.as_ref()?))).collect();
    let crashed = done.iter().any(|(_, outcome)| outcome.is_none());
    for (action, response) in &responses {
        assert!(may_return(action, response.status.as_u16()), "{action:?}: {response}");
        assert!(!response.broken, "{action:?}: {response}");
    }
    scene.app.assert_consistent();
    check_quota(scene, crashed);
    check_first_version(&responses);
    check_history(scene, &responses, crashed);
    check_files(scene, &responses, crashed);
    check_keys(scene, &responses);
}

fn check_quota(scene: &Scene, crashed: bool) {
    let quota = scene.row("SELECT used_bytes, reserved_bytes FROM quotas");
    let (used, reserved) = (quota["used_bytes"].as_u64().unwrap(), quota["reserved_bytes"].as_u64().unwrap());
    assert!(used + reserved <= QUOTA, "{used} used and {reserved} reserved of {QUOTA}");
    let pending = scene.count("FROM files WHERE lifecycle_status = 'pending'");
    assert!(
        crashed || (reserved, pending) == (0, 0),
        "{reserved} bytes stay reserved by {pending} pending files"
    );
}

/// Checks that at most one request with `If-Match: "r1"` changed the file.
fn check_first_version(responses: &[(&Action, &TestResponse)]) {
    let won = responses
        .iter()
        .filter(|(action, response)| action.needs_the_first_version() && response.status == 200);
    assert!(won.count() <= 1, "two requests changed the first revision: {responses:?}");
}

/// Checks that each change of the first file has an audit entry and was acknowledged, and that name and tags come from
/// one change. If requests crashed, their changes may lack an acknowledgement.
fn check_history(scene: &Scene, responses: &[(&Action, &TestResponse)], crashed: bool) {
    let first = scene.first();
    let sql = format!(
        "FROM file_access_logs WHERE file_id = '{}' AND success = 1 AND action IN ('update', 'delete', 'restore')",
        scene.id
    );
    let audited = scene.count(&sql);
    assert_eq!(
        first["revision"].as_u64().unwrap(),
        1 + audited,
        "each change must increment the revision once and have one audit entry"
    );
    let changed = |(action, response): &&(&Action, &TestResponse)| {
        let changes = !action.brings_a_file() && !matches!(action, Action::Read | Action::Cut | Action::List);
        changes && response.status == 200 && response.header("idempotency-replayed").is_empty()
    };
    // A deletion of a file that is already in the trash changes nothing and returns the current revision. So all
    // deletions that returned the same revision count as one change. They do not count if another change returned this
    // revision.
    let (trashed, others): (Vec<_>, Vec<_>) =
        responses.iter().filter(changed).partition(|(action, _)| **action == Action::Trash);
    let revision = |(_, response): &(&Action, &TestResponse)| response.json()["file"]["revision"].as_u64();
    let known: BTreeSet<_> = others.iter().filter_map(revision).collect();
    let trashed: BTreeSet<_> = trashed.iter().filter_map(revision).collect();
    let acknowledged = (others.len() + trashed.difference(&known).count()) as u64;
    assert!(acknowledged <= audited, "{acknowledged} changes acknowledged, {audited} audited");
    assert!(crashed || acknowledged == audited, "{acknowledged} changes acknowledged, {audited} audited");
    let name = first["filename"].as_str().unwrap();
    let sql = format!(
        "SELECT group_concat(tag) AS t FROM file_tags WHERE kind = 'user' AND file_id = '{}'",
        scene.id
    );
    let tags = scene.app.database.value(&sql);
    // A permanent deletion erases the name and the tags.
    let expected = if ["first.csv", ""].contains(&name) { Value::Null } else { name.into() };
    assert_eq!(tags, expected, "name and tags must come from the same change");
}

/// Checks that each acknowledged file exists. For each of these files, exactly one response must be the original
/// response to the creation. All others must be replays. If requests crashed, the original response may be missing.
fn check_files(scene: &Scene, responses: &[(&Action, &TestResponse)], crashed: bool) {
    let made: Vec<&TestResponse> = responses
        .iter()
        .filter(|(action, response)| action.brings_a_file() && response.status == 201)
        .map(|t| t.1)
        .collect();
    let ids: BTreeSet<String> =
        made.iter().map(|response| response.json()["file"]["id"].as_str().unwrap().to_owned()).collect();
    for response in &made {
        let read = scene.send(get(response.header("location"))).expect(200);
        assert_eq!(read.body.len() as u64, response.json()["file"]["size"].as_u64().unwrap());
    }
    let anew = made.iter().filter(|response| response.header("idempotency-replayed").is_empty()).count();
    assert!(anew <= ids.len(), "{anew} new responses for {ids:?}");
    assert!(
        crashed || anew == ids.len(),
        "{anew} new responses for {ids:?}: a client received a replay, but no client received the original response"
    );
}

/// Checks that the actions that share a key took effect at most once.
fn check_keys(scene: &Scene, responses: &[(&Action, &TestResponse)]) {
    for name in ["keyed.csv", "keyed-save.csv"] {
        let sql = format!("FROM files WHERE filename = '{name}' AND lifecycle_status <> 'pending'");
        assert!(scene.count(&sql) <= 1, "{name} was created twice");
    }
    let renames = responses.iter().filter(|(action, response)| {
        **action == Action::KeyedRename
            && response.status == 200
            && response.header("idempotency-replayed").is_empty()
    });
    assert!(renames.count() <= 1, "two renames took effect under one key: {responses:?}");
}

fn run(seed: u64, crash_once_in: Option<usize>) {
    let mut rng = Rng::new(seed);
    let scene = Scene::new();
    let actions: Vec<Action> = (0..2 + rng.below(4)).map(|index| Action::draw(&mut rng, index)).collect();
    let work = actions.iter().map(|action| {
        let work: PendingRequest<'_, Outcome> = Box::pin(scene.perform(action));
        work
    });
    let outcomes = run_interleaved(&scene.app.faults, &mut rng, work.collect(), crash_once_in);
    let done: Vec<_> = actions.into_iter().zip(outcomes).collect();
    check(&scene, &done);
    settle_keys(&scene, &done);
    if crash_once_in.is_some() {
        expect_ready(sweep_up(&scene.app, "afterwards"));
    }
}

/// Repeats each keyed action after the leases have ended. Then all keyed uploads together must have made exactly one
/// file, and all keyed saves together at most one file.
fn settle_keys(scene: &Scene, done: &[(Action, Option<Outcome>)]) {
    let keyed: Vec<_> = done.iter().map(|(action, _)| action).filter(|action| action.is_keyed()).collect();
    scene.app.database.execute("UPDATE quotas SET quota_bytes = 1000");
    scene.app.advance(LEASE);
    for action in &keyed {
        let response = scene.send(action.call(&scene.path()).unwrap());
        assert!([200, 201, 404, 410].contains(&response.status.as_u16()), "{action:?}: {response}");
    }
    for (action, name) in [(Action::KeyedUpload, "keyed.csv"), (Action::KeyedSave, "keyed-save.csv")] {
        let sql = format!("FROM files WHERE filename = '{name}' AND lifecycle_status <> 'pending'");
        let made = scene.count(&sql);
        let wanted = u64::from(keyed.contains(&&action));
        assert!(made == wanted || (action == Action::KeyedSave && made == 0), "{name} exists {made} times");
    }
    scene.app.assert_consistent();
}

/// The service refuses a change because of the state of the file. The service then reads the file to find the reason.
/// Before this second call, another request changes the state.
#[test]
fn a_refused_change_reports_the_state_that_caused_the_refusal() {
    let cases = [
        (true, Action::Rename("x.csv".to_owned()), Action::Restore, 404),
        (false, Action::Restore, Action::Trash, 409),
    ];
    for (is_in_trash, refused, between, status) in cases {
        let scene = Scene::new();
        if is_in_trash {
            scene.send(Action::Trash.call(&scene.path()).unwrap()).expect(200);
        }
        scene.app.faults.set_yield_before_calls(true);
        let mut work = Box::pin(scene.perform(&refused));
        // The service reads the principal, tries the change, and then waits for the call that reads the reason.
        for _ in 0..3 {
            assert!(poll_once(work.as_mut()).is_pending());
        }
        scene.app.faults.set_yield_before_calls(false);
        scene.send(between.call(&scene.path()).unwrap()).expect(200);
        let response = expect_ready(work).unwrap();
        assert_eq!(response.status.as_u16(), status, "{response}");
    }
}

#[test]
fn concurrent_requests_keep_the_invariants() {
    for_each_seed("INTERLEAVE_SEED", REGRESSIONS, SEEDS, |seed| run(seed, None));
}

#[test]
fn concurrent_requests_that_may_crash_keep_the_invariants() {
    for_each_seed("INTERLEAVE_SEED", REGRESSIONS, SEEDS, |seed| run(seed ^ (1 << 40), Some(8)));
}
