//! Requests at once on one file, one quota and one key, in thousands of orders: whatever the order, what holds in
//! every quiet moment holds, and nobody is told what did not happen.

use std::collections::BTreeSet;

use cutty::domain::time::Timestamp;
use cutty::idempotency::LEASE;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::TestApp;
use crate::support::client::{Call, Form, Reply, delete, get, patch_json, post, post_json, upload};
use crate::support::seeds::{Lots, for_each_seed};
use crate::support::turns::{UnderWay, at_once, poll_once, run_in_turns};

/// Seeds that once failed. When what is drawn changes, a seed means something else; what it found is then written down
/// as a test of its own.
const REGRESSIONS: &[u64] = &[];

/// How many orders are tried of each kind.
const SEEDS: u64 = 1000;

const CSV: &str = "a,b\n1,2\n3,4\n";

/// Room for the first file and two more of its size, and a little.
const QUOTA: u64 = 40;

const KEY: &str = "one-and-the-same";

/// One of the things done at once.
#[derive(Debug, Clone, PartialEq)]
enum Deed {
    Upload,
    Form,
    /// With a key that all of these share.
    KeyedUpload,
    Save,
    /// All of these are the same request under one key.
    KeyedSave,
    /// The name is also the only tag.
    Rename(String),
    /// Provided that nobody has changed the first version.
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
    /// So long that the lease on a key runs out.
    Wait,
}

impl Deed {
    fn draw(lots: &mut Lots, index: usize) -> Self {
        let name = format!("n{index}.csv");
        match lots.below(22) {
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
            18 => lots.one(&[Self::Cut, Self::List]),
            19 | 20 => Self::Wait,
            _ => Self::Sweep,
        }
    }

    /// The request, if it is one.
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

/// What came of one: the answer, if it was a request.
type Outcome = Option<Reply>;

struct Scene {
    app: TestApp,
    token: String,
    id: String,
}

impl Scene {
    fn new() -> Self {
        let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", &QUOTA.to_string())]);
        let token = app.user("ada");
        let file = at_once(app.upload(&token, "first.csv", CSV));
        let id = file["id"].as_str().unwrap().to_owned();
        Self { app, token, id }
    }

    fn path(&self) -> String {
        format!("/api/files/{}", self.id)
    }

    fn send(&self, call: Call) -> Reply {
        at_once(self.app.send(call.bearer(&self.token)))
    }

    async fn perform(&self, deed: &Deed) -> Outcome {
        match deed.call(&self.path()) {
            Some(call) => Some(self.app.send(call.bearer(&self.token)).await),
            None if *deed == Deed::Wait => {
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

    /// The file that all of this is about, in whatever state.
    fn first(&self) -> cutty::ports::Row {
        self.row(&format!("SELECT * FROM files WHERE id = '{}'", self.id))
    }

    fn count(&self, sql: &str) -> u64 {
        self.app.database.value(&format!("SELECT count(*) AS n {sql}")).as_u64().unwrap()
    }
}

/// What each kind of request may be told when nothing is broken and all that disturbs it is the others.
fn may_answer(deed: &Deed, status: u16) -> bool {
    match deed {
        Deed::Upload | Deed::Form => [201, 507].contains(&status),
        Deed::KeyedUpload => [201, 409, 507].contains(&status),
        Deed::Save => [201, 404, 507].contains(&status),
        Deed::KeyedSave => [201, 404, 409, 507].contains(&status),
        Deed::Rename(_) | Deed::Trash => [200, 404].contains(&status),
        Deed::KeyedRename | Deed::Restore => [200, 404, 409].contains(&status),
        Deed::RenameFirst(_) | Deed::TrashFirst => [200, 404, 412].contains(&status),
        Deed::Purge | Deed::Read | Deed::Cut => [200, 404].contains(&status),
        Deed::List => status == 200,
        Deed::Sweep | Deed::Wait => false,
    }
}

fn check(scene: &Scene, done: &[(Deed, Option<Outcome>)]) {
    let told: Vec<(&Deed, &Reply)> =
        done.iter().filter_map(|(deed, outcome)| Some((deed, outcome.as_ref()?.as_ref()?))).collect();
    let died = done.iter().any(|(_, outcome)| outcome.is_none());
    for (deed, reply) in &told {
        assert!(may_answer(deed, reply.status.as_u16()), "{deed:?}: {reply}");
        assert!(!reply.broken, "{deed:?}: {reply}");
    }
    scene.app.assert_consistent();
    check_quota(scene, died);
    check_first_version(&told);
    check_history(scene, &told, died);
    check_files(scene, &told, died);
    check_keys(scene, &told);
}

fn check_quota(scene: &Scene, died: bool) {
    let quota = scene.row("SELECT used_bytes, reserved_bytes FROM quotas");
    let (used, reserved) = (quota["used_bytes"].as_u64().unwrap(), quota["reserved_bytes"].as_u64().unwrap());
    assert!(used + reserved <= QUOTA, "{used} used and {reserved} reserved of {QUOTA}");
    let unborn = scene.count("FROM files WHERE lifecycle_status = 'pending'");
    assert!(
        died || (reserved, unborn) == (0, 0),
        "{reserved} bytes are reserved by {unborn} files of nobody"
    );
}

/// Of those who named one version, at most one has changed it.
fn check_first_version(told: &[(&Deed, &Reply)]) {
    let won = told.iter().filter(|(deed, reply)| deed.needs_the_first_version() && reply.status == 200);
    assert!(won.count() <= 1, "two changed the same version: {told:?}");
}

/// The file is in the state that those who were told so, or died over it, put it in.
fn check_history(scene: &Scene, told: &[(&Deed, &Reply)], died: bool) {
    let first = scene.first();
    let sql = format!(
        "FROM file_access_logs WHERE file_id = '{}' AND success = 1 AND action IN ('update', 'delete', 'restore')",
        scene.id
    );
    let audited = scene.count(&sql);
    assert_eq!(first["revision"].as_u64().unwrap(), 1 + audited, "each change is counted and audited once");
    let changed = |(deed, reply): &&(&Deed, &Reply)| {
        let changes = !deed.brings_a_file() && !matches!(deed, Deed::Read | Deed::Cut | Deed::List);
        changes && reply.status == 200 && reply.header("idempotency-replayed").is_empty()
    };
    // A deletion that finds the file in the trash changes nothing, and is told the revision that it found.
    let (trashed, others): (Vec<_>, Vec<_>) =
        told.iter().filter(changed).partition(|(deed, _)| **deed == Deed::Trash);
    let revision = |(_, reply): &(&Deed, &Reply)| reply.json()["file"]["revision"].as_u64();
    let known: BTreeSet<_> = others.iter().filter_map(revision).collect();
    let trashed: BTreeSet<_> = trashed.iter().filter_map(revision).collect();
    let acknowledged = (others.len() + trashed.difference(&known).count()) as u64;
    assert!(acknowledged <= audited, "{acknowledged} acknowledged, {audited} done");
    assert!(died || acknowledged == audited, "{acknowledged} acknowledged, {audited} done");
    let name = first["filename"].as_str().unwrap();
    let sql = format!(
        "SELECT group_concat(tag) AS t FROM file_tags WHERE kind = 'user' AND file_id = '{}'",
        scene.id
    );
    let tags = scene.app.database.value(&sql);
    let expected = if name == "first.csv" { Value::Null } else { name.into() };
    assert_eq!(tags, expected, "name and tags are of one change");
}

/// Each file acknowledged is there, and no other.
fn check_files(scene: &Scene, told: &[(&Deed, &Reply)], died: bool) {
    let made: Vec<&Reply> = told
        .iter()
        .filter(|(deed, reply)| deed.brings_a_file() && reply.status == 201)
        .map(|t| t.1)
        .collect();
    let ids: BTreeSet<String> =
        made.iter().map(|reply| reply.json()["file"]["id"].as_str().unwrap().to_owned()).collect();
    for reply in &made {
        let read = scene.send(get(reply.header("location"))).expect(200);
        assert_eq!(read.body.len() as u64, reply.json()["file"]["size"].as_u64().unwrap());
    }
    let anew = made.iter().filter(|reply| reply.header("idempotency-replayed").is_empty()).count();
    assert!(anew <= ids.len(), "{anew} answers for {ids:?}");
    assert!(died || anew == ids.len(), "{anew} answers for {ids:?}: an answer that nobody got was repeated");
}

/// What shares a key has happened at most once, and whoever was told so was told the same.
fn check_keys(scene: &Scene, told: &[(&Deed, &Reply)]) {
    for name in ["keyed.csv", "keyed-save.csv"] {
        let sql = format!("FROM files WHERE filename = '{name}' AND lifecycle_status <> 'pending'");
        assert!(scene.count(&sql) <= 1, "{name} was made twice");
    }
    let renames = told.iter().filter(|(deed, reply)| {
        **deed == Deed::KeyedRename && reply.status == 200 && reply.header("idempotency-replayed").is_empty()
    });
    assert!(renames.count() <= 1, "one key renamed twice: {told:?}");
}

fn run(seed: u64, dying_in: Option<usize>) {
    let mut lots = Lots::of(seed);
    let scene = Scene::new();
    let deeds: Vec<Deed> = (0..2 + lots.below(4)).map(|index| Deed::draw(&mut lots, index)).collect();
    let work = deeds.iter().map(|deed| {
        let work: UnderWay<'_, Outcome> = Box::pin(scene.perform(deed));
        work
    });
    let outcomes = run_in_turns(&scene.app.faults, &mut lots, work.collect(), dying_in);
    let done: Vec<_> = deeds.into_iter().zip(outcomes).collect();
    check(&scene, &done);
    settle_keys(&scene, &done);
    if dying_in.is_some() {
        at_once(sweep_up(&scene.app, "afterwards"));
    }
}

/// Everything that has a key and was not refused for good can be repeated, and has had one effect in the end.
fn settle_keys(scene: &Scene, done: &[(Deed, Option<Outcome>)]) {
    let keyed: Vec<_> = done.iter().map(|(deed, _)| deed).filter(|deed| deed.is_keyed()).collect();
    scene.app.database.execute("UPDATE quotas SET quota_bytes = 1000");
    scene.app.advance(LEASE);
    for deed in &keyed {
        let reply = scene.send(deed.call(&scene.path()).unwrap());
        assert!([200, 201, 404].contains(&reply.status.as_u16()), "{deed:?}: {reply}");
    }
    for (deed, name) in [(Deed::KeyedUpload, "keyed.csv"), (Deed::KeyedSave, "keyed-save.csv")] {
        let sql = format!("FROM files WHERE filename = '{name}' AND lifecycle_status <> 'pending'");
        let made = scene.count(&sql);
        let wanted = u64::from(keyed.contains(&&deed));
        assert!(made == wanted || (deed == Deed::KeyedSave && made == 0), "{name} is there {made} times");
    }
    scene.app.assert_consistent();
}

/// A change that is refused for the state the file is in, and a file that is in another before that is explained.
#[test]
fn a_refusal_tells_what_was_true_when_it_was_made() {
    let cases = [
        (true, Deed::Rename("x.csv".to_owned()), Deed::Restore, 404),
        (false, Deed::Restore, Deed::Trash, 409),
    ];
    for (is_in_trash, refused, between, status) in cases {
        let scene = Scene::new();
        if is_in_trash {
            scene.send(Deed::Trash.call(&scene.path()).unwrap()).expect(200);
        }
        scene.app.faults.take_turns(true);
        let mut work = Box::pin(scene.perform(&refused));
        // Who asks; the change; and then the look at why it was refused, which waits.
        for _ in 0..3 {
            assert!(poll_once(work.as_mut()).is_pending());
        }
        scene.app.faults.take_turns(false);
        scene.send(between.call(&scene.path()).unwrap()).expect(200);
        let reply = at_once(work).unwrap();
        assert_eq!(reply.status.as_u16(), status, "{reply}");
    }
}

#[test]
fn requests_at_once_leave_everything_in_order() {
    for_each_seed("INTERLEAVE_SEED", REGRESSIONS, SEEDS, |seed| run(seed, None));
}

#[test]
fn requests_at_once_of_which_some_die_leave_everything_in_order() {
    for_each_seed("INTERLEAVE_SEED", REGRESSIONS, SEEDS, |seed| run(seed ^ (1 << 40), Some(8)));
}
