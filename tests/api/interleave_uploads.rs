//! Runs concurrent requests on one tus upload and one upload in parts, in many orders. Each upload must end with its
//! complete file or with no file, and the responses must agree with the result.

use chrono::TimeDelta;

use crate::support::TestBody;
use crate::support::client::{Call, TestResponse, delete, get, head};
use crate::support::parts::{self, complete, part};
use crate::support::seeds::{Rng, for_each_seed};
use crate::support::turns::{PendingRequest, expect_ready, run_interleaved};
use crate::support::tus::{self, patch, sha1_of, tus};
use crate::support::uploader::{PART, Uploader, csv};

const SEEDS: u64 = 200;

#[derive(Debug, Clone, PartialEq)]
enum Action {
    /// Asks for the offset and sends `bytes` bytes from this offset on, in pieces of `piece` bytes. If `checked`, the
    /// request has a checksum. If `breaks`, the connection breaks after half of the bytes.
    Write {
        bytes: usize,
        piece: usize,
        checked: bool,
        breaks: bool,
    },
    Ask,
    Terminate,
    PutPart(usize),
    Complete,
    Abort,
    Sweep,
    /// Moves the clock forward by this many minutes and runs the due alarms.
    Ring(i64),
}

impl Action {
    fn draw(rng: &mut Rng) -> Self {
        match rng.below(20) {
            0..=6 => Self::Write {
                bytes: 1 + rng.below(3 * PART),
                piece: 1 + rng.below(PART + 3),
                checked: rng.once_in(4),
                breaks: rng.once_in(5),
            },
            7 => Self::Ask,
            8 => Self::Terminate,
            9..=12 => Self::PutPart(1 + rng.below(3)),
            13..=15 => Self::Complete,
            16 => Self::Abort,
            17 => Self::Sweep,
            _ => Self::Ring(rng.one(&[1, 1, 1, 24 * 60, 7 * 24 * 60])),
        }
    }
}

struct Scene {
    uploader: Uploader<'static>,
    bytes: Vec<u8>,
    tus: String,
    parts: String,
}

impl Scene {
    fn new(rng: &mut Rng) -> Self {
        let uploader = Uploader::alone();
        let bytes = csv(rng.one(&[PART, 2 * PART, 2 * PART + 9]));
        let tus = expect_ready(uploader.begin_by(tus::create(bytes.len())));
        let parts = expect_ready(uploader.begin_by(parts::create(bytes.len())));
        expect_ready(uploader.put_parts(&parts, &bytes, 1..=rng.below(bytes.len().div_ceil(PART)) + 1));
        Self { uploader, bytes, tus, parts }
    }

    async fn perform(&self, action: &Action) -> Option<TestResponse> {
        let call = match *action {
            Action::Write { bytes, piece, checked, breaks } => {
                let head_response = self.uploader.send(tus(head(&self.tus))).await;
                if head_response.status != 200 {
                    return Some(head_response);
                }
                let offset: usize = head_response.header("upload-offset").parse().unwrap();
                let end = self.bytes.len().min(offset + bytes);
                let chunk = &self.bytes[offset..end];
                let body = match breaks {
                    true => TestBody::broken(chunk, chunk.len() / 2),
                    false => TestBody::in_pieces_of(chunk, piece),
                };
                let call =
                    patch(&self.tus, offset).header("content-length", chunk.len()).stream(body.lingering());
                if checked { call.header("upload-checksum", sha1_of(chunk)) } else { call }
            }
            Action::Ask => tus(head(&self.tus)),
            Action::Terminate => tus(delete(&self.tus)),
            Action::PutPart(number) => {
                let bytes = self.bytes.chunks(PART).nth(number - 1)?;
                part(&self.parts, number, bytes)
            }
            Action::Complete => {
                let listed = self.uploader.send(get(&format!("{}/parts", self.parts))).await;
                if listed.status != 200 {
                    return Some(listed);
                }
                complete(&self.parts, listed.json()["parts"].as_array().unwrap())
            }
            Action::Abort => delete(&self.parts),
            Action::Sweep => {
                let app = self.uploader.app;
                assert_eq!(app.sweep(app.now()).await.unwrap().failed, 0);
                return None;
            }
            Action::Ring(minutes) => {
                self.uploader.app.advance(TimeDelta::minutes(minutes));
                self.uploader.app.ring_alarms().await;
                return None;
            }
        };
        Some(self.uploader.send(call).await)
    }

    fn send(&self, call: Call) -> TestResponse {
        expect_ready(self.uploader.send(call))
    }

    /// Sends the missing bytes of the tus upload if the upload is still open.
    fn finish(&self) {
        for _ in 0..10 {
            let head_response = self.send(tus(head(&self.tus)));
            if head_response.status != 200 || head_response.has("x-file-id") {
                return;
            }
            let offset: usize = head_response.header("upload-offset").parse().unwrap();
            self.send(patch(&self.tus, offset).bytes(self.bytes[offset..].to_vec())).expect(204);
        }
        panic!("the upload does not end");
    }
}

fn may_return(action: &Action, status: u16) -> bool {
    let allowed: &[u16] = match action {
        Action::Write { .. } => &[204, 400, 404, 409, 410, 503],
        Action::Ask => &[200, 404, 410],
        Action::Terminate => &[204, 404, 409, 410],
        Action::PutPart(_) => &[200, 409, 410, 503],
        Action::Complete => &[201, 409, 410, 503],
        Action::Abort => &[204, 409, 410],
        Action::Sweep | Action::Ring(_) => &[],
    };
    allowed.contains(&status)
}

fn run(seed: u64) {
    let mut rng = Rng::new(seed);
    let scene = Scene::new(&mut rng);
    let app = scene.uploader.app;
    let actions: Vec<Action> = (0..3 + rng.below(5)).map(|_| Action::draw(&mut rng)).collect();
    let work = actions.iter().map(|action| {
        let work: PendingRequest<'_, Option<TestResponse>> = Box::pin(scene.perform(action));
        work
    });
    let outcomes = run_interleaved(&app.faults, &mut rng, work.collect(), None);
    let responses: Vec<(&Action, TestResponse)> =
        actions.iter().zip(outcomes).filter_map(|(action, outcome)| Some((action, outcome??))).collect();
    for (action, response) in &responses {
        let status = response.status.as_u16();
        let is_write = matches!(action, Action::Write { .. }) && status == 200;
        assert!(is_write || may_return(action, status), "{action:?} of {actions:?}: {response}");
    }
    app.assert_consistent();
    scene.finish();
    let got = |wanted: &Action, status: u16| {
        responses.iter().any(|(action, response)| *action == wanted && response.status == status)
    };
    let made_by = |path: &str| {
        let id = path.rsplit('/').next().unwrap();
        let sql =
            format!("SELECT count(*) AS n FROM files WHERE attempt = '{id}' AND lifecycle_status = 'active'");
        app.database.value(&sql).as_u64().unwrap()
    };
    assert!(!got(&Action::Terminate, 204) || made_by(&scene.tus) == 0, "{actions:?}");
    assert!(!got(&Action::Abort, 204) || made_by(&scene.parts) == 0, "{actions:?}");
    assert!(!got(&Action::Complete, 201) || made_by(&scene.parts) == 1, "{actions:?}");
    for (_, response) in responses.iter().filter(|(_, response)| response.has("x-file-id")) {
        let path = format!("/api/files/{}", response.header("x-file-id"));
        assert!(scene.send(get(&path)).expect(200).body == scene.bytes);
    }
    for file in expect_ready(scene.uploader.files()) {
        expect_ready(scene.uploader.assert_file_is(&file["id"], &scene.bytes));
    }
    assert_eq!(expect_ready(app.deliver()), 0);
    expect_ready(scene.uploader.assert_nothing_is_left("after all actions"));
}

#[test]
fn concurrent_requests_make_the_complete_file_or_no_file() {
    for_each_seed("UPLOADS_SEED", &[], SEEDS, run);
}
