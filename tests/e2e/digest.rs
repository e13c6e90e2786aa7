//! The checksum of an upload is its SHA-256 for all lengths, in particular near the boundaries of hash blocks and
//! buffers.
//!
//! With `LONG=1`, the test uses the full list of lengths: every length from 1 to 4,100 bytes; the lengths within 2
//! bytes of a multiple of 64 KiB, up to 1 MiB; and 1,000 random lengths up to 1 MiB, which come from a seed.
//!
//! By default, the test uses a shorter list. This list has every tenth random length. Of the lengths from 1 to 4,100
//! bytes, the list has only the lengths within 2 bytes of a multiple of 64 bytes, because a SHA-256 block has 64 bytes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::http::{sha256_hex, upload_call};
use super::samples::scramble;
use super::server::shared;

const KIB: usize = 1 << 10;
const MAX_BYTES: usize = KIB * KIB;
const SHORT_BYTES: usize = 4_100;
const SEEDED: u64 = 1_000;
/// The greatest distance from a boundary, in bytes.
const DISTANCE: usize = 2;

/// The number of concurrent uploads.
const CONNECTIONS: usize = 6;

fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

fn near_multiples_of(step: usize, most: usize) -> impl Iterator<Item = usize> {
    let round = move |edge: usize| edge.saturating_sub(DISTANCE).max(1)..=edge + DISTANCE;
    (0..=most / step).flat_map(move |multiple| round(multiple * step))
}

fn sizes(long: bool) -> Vec<usize> {
    let seeded = (0..SEEDED).map(|number| 1 + (scramble(0x51_2E5 + number) % MAX_BYTES as u64) as usize);
    let near_large = near_multiples_of(64 * KIB, MAX_BYTES).chain(near_multiples_of(256 * KIB, MAX_BYTES));
    let all: BTreeSet<_> = match long {
        true => near_large.chain(1..=SHORT_BYTES).chain(seeded).collect(),
        false => near_large.chain(near_multiples_of(64, SHORT_BYTES)).chain(seeded.step_by(10)).collect(),
    };
    all.into_iter().collect()
}

/// Returns a text. Each upload sends a byte range of this text.
fn text() -> Vec<u8> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz0123,\n";
    (0..2 * MAX_BYTES as u64).map(|at| LETTERS[(scramble(at) >> 59) as usize]).collect()
}

#[test]
fn the_checksum_of_an_upload_of_any_length_is_its_sha256() {
    let server = shared();
    let user = server.user();
    let (text, sizes) = (text(), sizes(is_long()));
    let (started, next) = (Instant::now(), AtomicUsize::new(0));
    let upload_next = || {
        while let Some(&size) = sizes.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = (scramble(size as u64) % (MAX_BYTES as u64 - 2)) as usize;
            let bytes = &text[start..start + size];
            let file = user.ask(upload_call("text.csv", bytes)).expect(201).json();
            assert_eq!(file["file"]["checksum"], sha256_hex(bytes), "{size} bytes from offset {start}");
            assert_eq!(file["file"]["size"], size, "{size} bytes from offset {start}");
        }
    };
    std::thread::scope(|scope| {
        (0..CONNECTIONS).for_each(|_| drop(scope.spawn(upload_next)));
    });
    println!("{} uploads in {:?}", sizes.len(), started.elapsed());
}

#[test]
fn the_full_list_and_the_default_list_have_the_described_lengths() {
    let (short, long) = (sizes(false), sizes(true));
    assert!((1..=SHORT_BYTES).all(|size| long.contains(&size)));
    assert!(short.iter().all(|size| long.contains(size) || *size > SHORT_BYTES));
    for edge in [64 * KIB, 128 * KIB, 256 * KIB, 960 * KIB, MAX_BYTES] {
        assert!((edge - DISTANCE..=edge + DISTANCE).all(|size| short.contains(&size)), "{edge}");
    }
    assert!(long.len() > 5_100 && short.len() < 600, "{} and {}", long.len(), short.len());
}
