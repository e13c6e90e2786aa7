//! Requests at once on one upload by tus and one part by part, in many orders: what comes of each is the file that was
//! sent or nothing, and nobody is told otherwise.

use chrono::TimeDelta;

use crate::support::TestBody;
use crate::support::client::{Call, Reply, delete, get, head};
use crate::support::parts::{self, complete, part};
use crate::support::seeds::{Lots, for_each_seed};
use crate::support::turns::{UnderWay, at_once, run_in_turns};
use crate::support::tus::{self, patch, sha1_of, tus};
use crate::support::uploader::{PART, Uploader, csv};

const SEEDS: u64 = 200;

#[derive(Debug, Clone, PartialEq)]
enum Deed {
    /// Asks for the offset and brings so many bytes from there, in pieces of such a length.
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
    /// The alarms ring, so many minutes later.
    Ring(i64),
}

impl Deed {
    fn draw(lots: &mut Lots) -> Self {
        match lots.below(20) {
            0..=6 => Self::Write {
                bytes: 1 + lots.below(3 * PART),
                piece: 1 + lots.below(PART + 3),
                checked: lots.once_in(4),
                breaks: lots.once_in(5),
            },
            7 => Self::Ask,
            8 => Self::Terminate,
            9..=12 => Self::PutPart(1 + lots.below(3)),
            13..=15 => Self::Complete,
            16 => Self::Abort,
            17 => Self::Sweep,
            _ => Self::Ring(lots.one(&[1, 1, 1, 24 * 60, 7 * 24 * 60])),
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
    fn new(lots: &mut Lots) -> Self {
        let uploader = Uploader::alone();
        let bytes = csv(lots.one(&[PART, 2 * PART, 2 * PART + 9]));
        let tus = at_once(uploader.begin_by(tus::create(bytes.len())));
        let parts = at_once(uploader.begin_by(parts::create(bytes.len())));
        at_once(uploader.put_parts(&parts, &bytes, 1..=lots.below(bytes.len().div_ceil(PART)) + 1));
        Self { uploader, bytes, tus, parts }
    }

    async fn perform(&self, deed: &Deed) -> Option<Reply> {
        let call = match *deed {
            Deed::Write { bytes, piece, checked, breaks } => {
                let asked = self.uploader.send(tus(head(&self.tus))).await;
                if asked.status != 200 {
                    return Some(asked);
                }
                let offset: usize = asked.header("upload-offset").parse().unwrap();
                let end = self.bytes.len().min(offset + bytes);
                let brought = &self.bytes[offset..end];
                let body = match breaks {
                    true => TestBody::broken(brought, brought.len() / 2),
                    false => TestBody::in_pieces_of(brought, piece),
                };
                let call =
                    patch(&self.tus, offset).header("content-length", brought.len()).stream(body.lingering());
                if checked { call.header("upload-checksum", sha1_of(brought)) } else { call }
            }
            Deed::Ask => tus(head(&self.tus)),
            Deed::Terminate => tus(delete(&self.tus)),
            Deed::PutPart(number) => {
                let bytes = self.bytes.chunks(PART).nth(number - 1)?;
                part(&self.parts, number, bytes)
            }
            Deed::Complete => {
                let listed = self.uploader.send(get(&format!("{}/parts", self.parts))).await;
                if listed.status != 200 {
                    return Some(listed);
                }
                complete(&self.parts, listed.json()["parts"].as_array().unwrap())
            }
            Deed::Abort => delete(&self.parts),
            Deed::Sweep => {
                let app = self.uploader.app;
                assert_eq!(app.sweep(app.now()).await.unwrap().failed, 0);
                return None;
            }
            Deed::Ring(minutes) => {
                self.uploader.app.advance(TimeDelta::minutes(minutes));
                self.uploader.app.ring_alarms().await;
                return None;
            }
        };
        Some(self.uploader.send(call).await)
    }

    fn send(&self, call: Call) -> Reply {
        at_once(self.uploader.send(call))
    }

    /// Brings what is missing of the upload by tus, if it still can be.
    fn go_on(&self) {
        for _ in 0..10 {
            let asked = self.send(tus(head(&self.tus)));
            if asked.status != 200 || asked.has("x-file-id") {
                return;
            }
            let offset: usize = asked.header("upload-offset").parse().unwrap();
            self.send(patch(&self.tus, offset).bytes(self.bytes[offset..].to_vec())).expect(204);
        }
        panic!("the upload never ends");
    }
}

fn may_answer(deed: &Deed, status: u16) -> bool {
    let allowed: &[u16] = match deed {
        Deed::Write { .. } => &[204, 400, 404, 409, 410, 503],
        Deed::Ask => &[200, 404, 410],
        Deed::Terminate => &[204, 404, 409, 410],
        Deed::PutPart(_) => &[200, 409, 410, 503],
        Deed::Complete => &[201, 409, 410, 503],
        Deed::Abort => &[204, 409, 410],
        Deed::Sweep | Deed::Ring(_) => &[],
    };
    allowed.contains(&status)
}

fn run(seed: u64) {
    let mut lots = Lots::of(seed);
    let scene = Scene::new(&mut lots);
    let app = scene.uploader.app;
    let deeds: Vec<Deed> = (0..3 + lots.below(5)).map(|_| Deed::draw(&mut lots)).collect();
    let work = deeds.iter().map(|deed| {
        let work: UnderWay<'_, Option<Reply>> = Box::pin(scene.perform(deed));
        work
    });
    let outcomes = run_in_turns(&app.faults, &mut lots, work.collect(), None);
    let told: Vec<(&Deed, Reply)> =
        deeds.iter().zip(outcomes).filter_map(|(deed, outcome)| Some((deed, outcome??))).collect();
    for (deed, reply) in &told {
        let status = reply.status.as_u16();
        let asked = matches!(deed, Deed::Write { .. }) && status == 200;
        assert!(asked || may_answer(deed, status), "{deed:?} of {deeds:?}: {reply}");
    }
    app.assert_consistent();
    scene.go_on();
    let was_told = |wanted: &Deed, status: u16| {
        told.iter().any(|(deed, reply)| *deed == wanted && reply.status == status)
    };
    let made_by = |path: &str| {
        let id = path.rsplit('/').next().unwrap();
        let sql =
            format!("SELECT count(*) AS n FROM files WHERE attempt = '{id}' AND lifecycle_status = 'active'");
        app.database.value(&sql).as_u64().unwrap()
    };
    assert!(!was_told(&Deed::Terminate, 204) || made_by(&scene.tus) == 0, "{deeds:?}");
    assert!(!was_told(&Deed::Abort, 204) || made_by(&scene.parts) == 0, "{deeds:?}");
    assert!(!was_told(&Deed::Complete, 201) || made_by(&scene.parts) == 1, "{deeds:?}");
    for (_, reply) in told.iter().filter(|(_, reply)| reply.has("x-file-id")) {
        let path = format!("/api/files/{}", reply.header("x-file-id"));
        assert!(scene.send(get(&path)).expect(200).body == scene.bytes);
    }
    for file in at_once(scene.uploader.files()) {
        at_once(scene.uploader.assert_file_is(&file["id"], &scene.bytes));
    }
    assert_eq!(at_once(app.deliver()), 0);
    at_once(scene.uploader.assert_nothing_is_left("afterwards"));
}

#[test]
fn requests_at_once_on_one_upload_leave_its_file_or_nothing() {
    for_each_seed("UPLOADS_SEED", &[], SEEDS, run);
}
