//! Compares the wasm engine with the natively compiled engine, which uses other vector instructions and loops. For
//! random files, well-formed and malformed, both engines must compute the same profiles and write the same cuts.

use cutty::csv::profile::Profiler;
use cutty::csv::request::CutRequest;
use cutty::csv::{CsvOpener, CutProgress, OpeningStatus, StreamingCsvProcessor};
use serde_json::{Value, json};

use super::http::Call;
use super::server;

/// Length of a random file. It is longer than one piece of the byte path, so that pieces end at arbitrary positions.
const FILE_BYTES: usize = 400_000;

/// Lists of fragments. A random file is made from one list; a fragment that the list repeats is more frequent.
const MIXTURES: [&[&str]; 6] = [
    &["a", "b", "7", "-", "é", ",", ",", "\n"],
    &["1", "2", ",", "3", "\n", "4", ","],
    &["text ", "word", "0", ",", "\"quoted, \"\" text\"", ",\"\n\r\",", "\n"],
    &["x", "\"", ",", "\n", "\r\n", "\r", "y"],
    &["long text without an end ", "and more of it ", "ß", ",", "\n"],
    &["a", ",", ",", ",", ",", ",", ",", ",", "b", "\n", "\"c\""],
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn random_file(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mixture = MIXTURES[seed as usize % MIXTURES.len()];
    let mut file = b"first,second,third,fourth,fifth\n".to_vec();
    while file.len() < FILE_BYTES {
        file.extend_from_slice(mixture[random.below(mixture.len())].as_bytes());
    }
    file
}

fn native_cut(file: &[u8], request: &Value) -> Vec<u8> {
    let request = CutRequest::from_json(request).unwrap();
    let mut opening = CsvOpener::new(request.input.clone(), 4 << 20).unwrap();
    let opened = match opening.push(file).unwrap() {
        OpeningStatus::Ready(opened) => *opened,
        OpeningStatus::NeedMore => opening.finish().unwrap(),
    };
    let plan = request.plan(&opened.header).unwrap();
    let mut processor = StreamingCsvProcessor::new(opened, plan);
    let mut out = Vec::new();
    while let CutProgress::Full { .. } = processor.push(&[], &mut out).unwrap() {}
    while processor.finish(&mut out).unwrap() != CutProgress::Done {}
    out
}

#[test]
fn wasm_and_native_code_compute_the_same_profiles() {
    let user = server::shared().user();
    let numbers: String = (0..30_011_u64)
        .map(|row| {
            format!(
                "{row},{},-{}.5,2024-01-{:02},v{}\n",
                row * 7_919 % 1_000_003,
                row % 97,
                row % 28 + 1,
                row % 40
            )
        })
        .collect();
    let numbers = format!("first,second,third,fourth,fifth\n{numbers}").into_bytes();
    for bytes in (0..MIXTURES.len() as u64).map(random_file).chain([numbers]) {
        let file = user.upload("random.csv", &bytes);
        let path = format!("/api/files/{}/profile", file["id"].as_str().unwrap());
        let mut found = user.ask(Call::get(&path)).expect(200).json();
        let mut profiler = Profiler::new(4 << 20);
        profiler.push(&bytes);
        let mut wanted = serde_json::to_value(profiler.finish()).unwrap();
        let columns = wanted["columns"].as_array_mut().unwrap();
        for (found, wanted) in found["profile"]["columns"].as_array_mut().unwrap().iter_mut().zip(columns) {
            // The last digits of a mean of long numbers depend on the order of addition.
            let [found, wanted] = [&mut found["mean"], &mut wanted["mean"]].map(|mean| mean.take().as_f64());
            assert_eq!(found.is_some(), wanted.is_some());
            let (found, wanted) = (found.unwrap_or_default(), wanted.unwrap_or_default());
            assert!((found - wanted).abs() <= wanted.abs() * 1e-12, "{found} and {wanted}");
        }
        assert_eq!(found["profile"]["columns"], wanted["columns"]);
        assert_eq!(found["profile"]["rowCount"], wanted["rowCount"]);
        assert_eq!(found["profile"]["rejects"], wanted["rejects"]);
    }
}

#[test]
fn wasm_and_native_code_compute_the_same_cuts() {
    let user = server::shared().user();
    let requests = [
        json!({"delimiter": "comma"}),
        json!({"delimiter": "comma", "selectedColumns": ["third", "first"], "whereFilters": {"second": "CONTAINS a"}}),
        json!({"delimiter": "comma", "filter": {"column": "first", "op": "gt", "value": 20}, "outputFormat": "ndjson"}),
    ];
    for seed in 0..MIXTURES.len() as u64 * 2 {
        let bytes = random_file(seed);
        let file = user.upload("random.csv", &bytes);
        let path = format!("/api/files/{}/cut", file["id"].as_str().unwrap());
        for request in &requests {
            let found = user.post_json(&path, request).expect(200).body;
            let wanted = native_cut(&bytes, request);
            let differs = found.iter().zip(&wanted).position(|(found, wanted)| found != wanted);
            assert!(
                found == wanted,
                "seed {seed}, {request}: wasm wrote {} bytes, native code {} bytes; first difference at {differs:?}",
                found.len(),
                wanted.len()
            );
        }
    }
}
