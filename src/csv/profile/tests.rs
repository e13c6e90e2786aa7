//! Tests the profiles of whole files. Many tests save and restore the state of the profiler in the middle of a file,
//! and check that this does not change the profile.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::csv::checkpoint::{Section, resealed};
use crate::csv::error::Defect;
use crate::csv::open::options::InputOptions;
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

const MAX_RECORD_BYTES: usize = 4 << 20;

fn profile_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Profile {
    let mut profiler = Profiler::new(MAX_RECORD_BYTES);
    for piece in pieces {
        profiler.push(piece);
    }
    profiler.finish()
}

fn profiled_bytes() -> ProfiledBytes {
    ProfiledBytes { attempt: "attempt-1".to_owned(), size_bytes: 123, etag: "\"abc\"".to_owned() }
}

const SMALL: &[u8] = "\u{FEFF}id;price;day;at;flag;city;note;gone\r\n\
    1;1.5;2024-01-31;2024-01-31 12:00;true;Bern;\"a;\r\nb\";\r\n\
    2;-2;2023-12-01;2024-01-30T23:30-02:00;FALSE;Bern;zip;\r\n\
    \r\n\
    3;1e2;2024-02-29;2024-01-31;true;Z\u{fc}rich;00501\r\n\
    4;n\"o;2024-01-01;2024-01-31;true;Bern;x;;y\r\n"
    .as_bytes();

#[test]
fn a_profile_describes_the_rows_and_columns_of_a_file() {
    let profile = profile_of([SMALL]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&profile).unwrap());
    let start = RowStart { byte: 40, row: 0, line: 2 };
    assert_eq!(profile.locate_row(3), Some(start));
    assert_eq!(&SMALL[40..44], b"1;1.");
    assert_eq!(profile.locate_row(4), None);
}

/// Profiles one column of quoted cells. Returns its type and its number of exceptions.
fn type_of(cells: &[&str]) -> (ColumnType, u64) {
    let file = std::iter::once("x").chain(cells.iter().copied()).flat_map(|cell| ["\"", cell, "\"\n"]);
    let profile = profile_of([file.collect::<String>().as_bytes()]);
    let statistics = profile.columns[0].statistics.as_ref().unwrap();
    (statistics.column_type, statistics.exceptions)
}

#[test]
fn the_type_of_a_column_follows_the_documented_rule() {
    use ColumnType::*;
    let padded = |cell: &'static str, times: usize| [&["1"; 19][..], &vec![cell; times]].concat();
    for (cells, wanted) in [
        (vec![], (Empty, 0)),
        (vec!["", ""], (Empty, 0)),
        (vec!["1", "", "-2", "+3"], (Integer, 0)),
        (vec!["1", "2.5"], (Decimal, 0)),
        (vec!["1e3"], (Decimal, 0)),
        (padded("n/a", 1), (Integer, 0)),
        (padded("n/a", 19), (Integer, 0)),
        (padded("x", 1), (Integer, 1)),
        (padded("2.5", 1), (Decimal, 0)),
        (padded("x", 2), (Categorical, 0)),
        (vec!["NA", "-"], (Text, 0)),
        (vec!["00501", "00502"], (Text, 0)),
        (vec!["00501"; 4], (Categorical, 0)),
        (vec!["2024-01-31", "2024-02-29"], (Date, 0)),
        (vec!["2024-01-31", "2024-02-29 10:00"], (Datetime, 0)),
        (vec!["true", "False"], (Boolean, 0)),
        (vec!["a", "b", "a", "b"], (Categorical, 0)),
        (vec!["a", "b", "a"], (Text, 0)),
    ] {
        assert_eq!(type_of(&cells), wanted, "{cells:?}");
    }
}

#[test]
fn a_file_without_rows_has_a_profile() {
    for (file, columns) in [(&b""[..], 0), (b"\n\r\n", 0), (b"a,b", 2), (b"a,b\n", 2)] {
        let profile = profile_of([file]);
        assert_eq!((profile.size_bytes, profile.columns.len()), (file.len() as u64, columns));
        assert_eq!((profile.row_count, profile.failure), (0, None));
        assert_eq!(profile.locate_row(0), None);
        let binding = ProfiledBytes { size_bytes: profile.size_bytes, ..profiled_bytes() };
        assert_eq!(Profile::decode(&profile.encode(&binding), &binding), Ok(profile));
    }
}

#[test]
fn only_bytes_are_counted_after_a_record_that_exceeds_a_limit() {
    let mut profiler = Profiler::new(20);
    let file = [b"a,b\n1,2\n3,4\n", "x".repeat(40).as_bytes(), b"\n5,6\n"].concat();
    profiler.push(&file);
    profiler.push(&vec![b'y'; 300_000]);
    let state = profiler.save().unwrap();
    let profile = profiler.finish();
    assert_eq!(profile.size_bytes, file.len() as u64 + 300_000);
    assert_eq!((profile.row_count, profile.columns.len()), (2, 2));
    let failure = profile.failure.unwrap();
    assert_eq!((failure.record, failure.line, failure.byte), (3, 4, 12));
    assert_eq!((&profile.index, &profile.zones), (&None, &None));
    assert_eq!(Profiler::restore(&state).unwrap().finish(), profile);
}

#[test]
fn only_the_size_is_known_if_the_first_record_exceeds_a_limit() {
    let mut profiler = Profiler::new(20);
    profiler.push(&vec![b'y'; 300_000]);
    profiler.push(b"\n1,2\n");
    let profile = profiler.finish();
    assert_eq!((profile.size_bytes, profile.dialect, profile.row_count), (300_005, None, 0));
    assert!(profile.failure.is_some());
}

#[test]
fn wide_files_are_profiled_up_to_the_column_limits() {
    let row = |cell: &str| vec![cell; 1_500].join(",") + "\n";
    let file: String = [row("name"), row("1"), row("2")].concat();
    let profile = profile_of([file.as_bytes()]);
    assert_eq!(profile.columns.len(), 1_500);
    assert_eq!(profile.columns.iter().filter(|column| column.statistics.is_some()).count(), 1_000);
    assert_eq!(profile.columns.iter().filter(|column| column.is_zoned).count(), 256);
    assert_eq!(profile.zones.as_ref().unwrap().columns(), 256);
    let json = serde_json::to_value(&profile).unwrap();
    assert_eq!(json["columns"][1_200], json!({"name": "name", "isZoned": false}));
}

#[test]
fn missing_cells_of_short_rows_count_as_empty() {
    let rows = (0..400_000).map(|row| ["1\n", "1,2\n", "1,2,3\n", ",,\n"][row % 4]);
    let file = std::iter::once("a,b,c\n").chain(rows).collect::<String>();
    let whole = profile_of([file.as_bytes()]);
    let index = whole.index.as_ref().unwrap();
    assert!(index.entries().len() > 1, "the file must have more than one zone");
    let empties: Vec<u64> =
        whole.columns.iter().map(|column| column.statistics.as_ref().unwrap().empties).collect();
    assert_eq!((empties, whole.rows_short), (vec![100_000, 200_000, 300_000], 200_000));
    for at in [(1 << 20) - 7, (1 << 20) + 40_001, file.len() - 3] {
        assert_eq!(profile_saved_at(file.as_bytes(), at), whole, "{at}");
    }
}

/// Returns `text` in UTF-8 and in several other encodings.
fn encoded(text: &str) -> Vec<Vec<u8>> {
    let utf16 = |bom: u16, bytes: fn(u16) -> [u8; 2]| {
        std::iter::once(bom).chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    vec![
        text.as_bytes().to_vec(),
        utf16(0xFEFF, u16::to_le_bytes),
        utf16(0xFEFF, u16::to_be_bytes),
        encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
        encoding_rs::SHIFT_JIS.encode(text).0.into_owned(),
        encoding_rs::GBK.encode(text).0.into_owned(),
        encoding_rs::EUC_JP.encode(text).0.into_owned(),
        encoding_rs::EUC_KR.encode(text).0.into_owned(),
        encoding_rs::BIG5.encode(text).0.into_owned(),
    ]
}

/// Profiles a file. Saves and restores the state of the profiler after `at` bytes.
fn profile_saved_at(file: &[u8], at: usize) -> Profile {
    let mut profiler = Profiler::new(MAX_RECORD_BYTES);
    profiler.push(&file[..at]);
    let state = profiler.save().expect("the state is small enough to be saved");
    let mut profiler = Profiler::restore(&state).unwrap();
    assert_eq!(profiler.save().unwrap().len(), state.len());
    profiler.push(&file[at..]);
    profiler.finish()
}

#[test]
fn saving_the_state_anywhere_in_a_small_file_does_not_change_the_profile() {
    let text = String::from_utf8(SMALL.to_vec()).unwrap() + "5;日本語 𠀀;;;;Ä;\"\"\"q\"\"\";\n";
    for file in encoded(text.trim_start_matches('\u{FEFF}')) {
        let whole = profile_of([&file[..]]);
        for at in 0..=file.len() {
            assert_eq!(profile_saved_at(&file, at), whole, "{at}");
        }
    }
}

#[test]
fn saving_the_state_anywhere_in_the_rows_does_not_change_the_profile() {
    let start: String = (0..14_000).map(|i| format!("{i};\"v{}\";日本𠀀é{}\r\n", i % 7, i % 1_000)).collect();
    let end = "7;\"a \"\"b\"\" \r\n c\";𠀀日\r\n\r\nshort\r\n8;st\"ray;9;10\r\n9;\"open\r\n";
    for file in encoded(&format!("id;名;text\r\n{start}{end}")) {
        let whole = profile_of([&file[..]]);
        assert!(whole.row_count > 14_000);
        let (before, last) = file.split_at(file.len() - 100);
        let mut profiler = Profiler::new(MAX_RECORD_BYTES);
        profiler.push(before);
        let state = profiler.save().unwrap();
        for at in 0..=last.len() {
            let mut profiler = Profiler::restore(&state).unwrap();
            profiler.push(&last[..at]);
            let state = profiler.save().unwrap();
            let mut profiler = Profiler::restore(&state).unwrap();
            assert_eq!(profiler.save().unwrap().len(), state.len());
            profiler.push(&last[at..]);
            assert_eq!(profiler.finish(), whole, "{at}");
        }
    }
}

#[test]
fn the_state_can_be_saved_within_a_header_that_is_longer_than_the_sample() {
    let text = "x".repeat(300_000) + "日é,b\r\n1,2\r\n";
    for file in encoded(&text).into_iter().take(2) {
        let whole = profile_of([&file[..]]);
        for at in [262_143, 262_144, 280_001, file.len() - 14, file.len() - 9] {
            assert_eq!(profile_saved_at(&file, at), whole, "{at}");
        }
    }
}

#[test]
fn a_state_can_be_restored_if_the_text_of_the_file_is_longer_in_utf_8_than_in_the_file() {
    let row = format!("{},1\r\n", "日".repeat(40));
    let text = format!("\u{FEFF}名,n\r\n{}", row.repeat(20_000));
    let file: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(profile_saved_at(&file, file.len() - 30), profile_of([&file[..]]));
}

#[test]
fn blank_lines_before_the_header_are_not_part_of_the_state() {
    for blank in ["\n", "\r\n", "\r"] {
        for after in 0..3 {
            let before = blank.repeat(400_000);
            let file = [&before[..], "a,b\n1,2\n3\n"].concat();
            let whole = profile_of([file.as_bytes()]);
            assert_eq!((whole.row_count, whole.rejects[0].line), (2, 400_003));
            assert_eq!(whole.rejects[0].byte as usize, before.len() + 8);
            let at = before.len() - after;
            let mut profiler = Profiler::new(MAX_RECORD_BYTES);
            profiler.push(&file.as_bytes()[..at]);
            let digests_and_block = BlockDigests::stored_bytes(at as u64) as usize + at % DIGEST_BLOCK_BYTES;
            assert!(profiler.save().unwrap().len() < digests_and_block + 1_200);
            assert_eq!(profile_saved_at(file.as_bytes(), at), whole, "{blank:?} {after}");
        }
    }
}

#[test]
fn a_state_of_more_than_the_maximum_size_is_not_saved() {
    let mut profiler = Profiler::new(16 << 20);
    profiler.push(b"a,b\n\"");
    profiler.push(&vec![b'x'; 9 << 20]);
    assert_eq!(profiler.save(), None);
}

#[test]
fn states_of_other_versions_and_damaged_states_are_refused() {
    let mut state = Profiler::new(MAX_RECORD_BYTES).save().unwrap();
    let wanted = "435554730600254355546807008080800200000000000000000000000000000000000000804649f82d505e04006863c6606669657f";
    assert_eq!(hex::encode(&state), wanted);
    state[4] = 0xFF;
    assert_eq!(Profiler::restore(&state).err(), Some(crate::csv::StateError::OtherVersion));
    state[4] = 6;
    state[7] ^= 1;
    assert_eq!(Profiler::restore(&state).err(), Some(crate::csv::StateError::Damaged));
}

#[test]
fn append_only_state_can_be_saved_in_parts() {
    let row = |number: usize| format!("{number},{}\n", "x".repeat(300_000));
    let mut profiler =
        Profiler::with_bounds(1 << 20, b"a,b\n0,y\n", RowIndex::with_bounds(8, INDEX_STRIDE_BYTES), 7);
    let (mut grown, mut growths) = (AppendOnlyCounts::default(), Vec::new());
    let mut sizes = Vec::new();
    for number in 1..60 {
        profiler.push(row(number).as_bytes());
        let saved = profiler.save_since(grown).unwrap();
        if saved.grown.epoch() != grown.epoch() {
            growths.clear();
        }
        sizes.push(saved.growth.len());
        growths.push(saved.growth);
        grown = saved.grown;
        let restored = Profiler::restore_appended(&saved.head, &growths).unwrap();
        assert_eq!(restored.grown(), grown);
        let [found, wanted] =
            [&restored, &profiler].map(|it| it.save_since(AppendOnlyCounts::default()).unwrap());
        assert_eq!(found.growth, wanted.growth, "{number}");
        assert_eq!(found.head.len(), wanted.head.len(), "{number}");
    }
    assert!(grown.epoch() > 2, "the index must be halved, and entries must be merged");
    // If no zone has ended, a growth has only the seal (14 bytes), three lengths (1 byte each), and the digests of at
    // most two completed digest blocks (8 bytes each).
    assert!(
        sizes.iter().filter(|&&size| size <= 14 + 3 + 2 * 8).count() > 30,
        "between two zone ends, only digests must be added"
    );
    let missing = profiler.save_since(AppendOnlyCounts::default()).unwrap();
    assert!(Profiler::restore_appended::<&[u8]>(&missing.head, &[]).is_err());
}

/// Changes a few bytes of a saved state or a sidecar, and computes the checksum of the changed bytes.
fn changed(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    resealed(bytes, |body| {
        for (place, value) in changes {
            let place = place.index(body.len());
            body[place] = *value;
        }
    })
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let value = prop_oneof![Just(0), Just(1), Just(0x7F), Just(0xFF), any::<u8>()];
    proptest::collection::vec((any::<prop::sample::Index>(), value), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_state_never_makes_the_profiler_panic(
        changes in changes(), in_growth in any::<bool>(), in_rows in any::<bool>(), at in 0..244_usize,
    ) {
        static AMONG_ROWS: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let mut profiler = Profiler::new(MAX_RECORD_BYTES);
            profiler.push(&b"a;b\r\n1;2\r\n".repeat(25_000));
            profiler.save().unwrap()
        });
        let mut profiler = match in_rows {
            true => Profiler::restore(&AMONG_ROWS).unwrap(),
            false => Profiler::new(MAX_RECORD_BYTES),
        };
        let (start, end) = SMALL.split_at(at);
        profiler.push(start);
        let SavedState { mut head, mut growth, .. } = profiler.save_since(AppendOnlyCounts::default()).unwrap();
        match in_growth && !growth.is_empty() {
            true => growth = changed(&growth, &changes),
            false => head = changed(&head, &changes),
        }
        if let Ok(mut profiler) = Profiler::restore_appended(&head, &[growth]) {
            profiler.push(end);
            profiler.push(&b"1;2\r\n".repeat(100));
            profiler.save();
            profiler.finish();
        }
    }

    #[test]
    fn a_damaged_sidecar_never_makes_the_reader_panic(changes in changes(), row in any::<u64>()) {
        let sidecar = Profile::with_bounds(SMALL, RowIndex::with_bounds(8, 64), 40).encode(&profiled_bytes());
        if let Ok(profile) = Profile::decode(&changed(&sidecar, &changes), &profiled_bytes()) {
            profile.locate_row(row);
            let header = profile.header();
            let filter = crate::csv::filter::query::parse("#1__gt", "5").unwrap();
            if let Ok(predicate) = filter.compile(&header) {
                profile.scan_plan(&predicate);
            }
        }
    }
}

const STORED: &[u8] = b"id,name\n1,a\n2,\n3,\"x\"y\n";

#[test]
fn the_stored_form_of_a_profile_does_not_change() {
    insta::assert_snapshot!(hex::encode(profile_of([STORED]).encode(&profiled_bytes())));
}

#[test]
fn a_sidecar_of_another_version_is_not_read() {
    assert_eq!(Profile::decode(b"CUTp and more", &profiled_bytes()), Err(SidecarError::OtherVersion));
}

/// Builds a sidecar that has a section with an unknown tag, and then the sections of `profile`. The sections of
/// `profile` get the versions `versions`.
fn sidecar_of(profile: &Profile, versions: [u64; 7]) -> Vec<u8> {
    let mut state = super::sidecar::CONTAINER.writer();
    state.text(&profiled_bytes().attempt);
    state.number(profiled_bytes().size_bytes);
    state.text(&profiled_bytes().etag);
    state.section(Section { tag: 1_000, version: 1 }, |state| state.raw(b"of a newer version"));
    // The profile has no comments, so it has no section for their number.
    let is_written = |section: &Section| section.tag != 7;
    for (section, version) in super::sidecar::SECTIONS.into_iter().filter(is_written).zip(versions) {
        state.section(Section { version, ..section }, |state| profile.save_section(section, state));
    }
    state.sealed()
}

#[test]
fn a_section_with_an_unknown_tag_or_version_is_skipped() {
    let profile = profile_of([STORED]);
    let decoded = |versions| Profile::decode(&sidecar_of(&profile, versions), &profiled_bytes());
    assert_eq!(decoded([3, 1, 2, 1, 1, 1, 1]), Ok(profile.clone()));
    assert_eq!(
        decoded([1, 1, 2, 1, 1, 1, 1]),
        Err(SidecarError::OtherVersion),
        "the statistics section is required"
    );
    assert_eq!(decoded([3, 1, 1, 1, 1, 1, 1]), Ok(Profile { zones: None, ..profile.clone() }));
    assert_eq!(decoded([3, 1, 2, 2, 1, 1, 1]), Ok(Profile { digests: None, ..profile.clone() }));
    assert_eq!(decoded([3, 1, 2, 1, 2, 1, 1]), Ok(Profile { undecodable_places: None, ..profile.clone() }));
    assert_eq!(decoded([3, 1, 2, 1, 1, 2, 1]), Ok(Profile { suggestions: Vec::new(), ..profile.clone() }));
    let mut without_values = profile.clone();
    for column in without_values.columns.iter_mut().filter_map(|column| column.statistics.as_mut()) {
        (column.histogram, column.top_values) = (None, None);
    }
    assert_ne!(without_values, profile);
    assert_eq!(decoded([3, 1, 2, 1, 1, 1, 2]), Ok(without_values));
    // Zone maps cannot be used without the index.
    assert_eq!(decoded([3, 2, 2, 1, 1, 1, 1]), Ok(Profile { index: None, zones: None, ..profile.clone() }));
}

#[test]
fn a_sidecar_with_a_wrong_number_of_digests_is_damaged() {
    let profile = profile_of([STORED]);
    let two_blocks =
        Arc::new(profile_of([&[b'a'; DIGEST_BLOCK_BYTES + 1][..]]).digests.unwrap().as_ref().clone());
    let damaged = Profile { digests: Some(two_blocks), ..profile };
    assert_eq!(
        Profile::decode(&damaged.encode(&profiled_bytes()), &profiled_bytes()),
        Err(SidecarError::Damaged)
    );
}

#[test]
fn saving_the_state_within_a_digest_block_does_not_change_the_digests() {
    let file: Vec<u8> = (0..160_000).flat_map(|row| format!("{row},{}\n", row % 97).into_bytes()).collect();
    let whole = profile_of([&file[..]]);
    for at in
        [1, DIGEST_BLOCK_BYTES - 1, DIGEST_BLOCK_BYTES, DIGEST_BLOCK_BYTES + 1, 1_000_000, file.len() - 1]
    {
        assert_eq!(profile_saved_at(&file, at), whole, "{at}");
    }
}

#[test]
fn a_sidecar_is_decoded_only_for_the_bytes_that_it_describes() {
    let profile = profile_of([SMALL]);
    let sidecar = profile.encode(&profiled_bytes());
    assert_eq!(Profile::decode(&sidecar, &profiled_bytes()), Ok(profile));
    for other in [
        ProfiledBytes { attempt: "attempt-2".to_owned(), ..profiled_bytes() },
        ProfiledBytes { size_bytes: 124, ..profiled_bytes() },
        ProfiledBytes { etag: String::new(), ..profiled_bytes() },
    ] {
        assert_eq!(Profile::decode(&sidecar, &other), Err(SidecarError::OtherBytes));
    }
    let mut newer = sidecar.clone();
    newer[4] += 1;
    assert_eq!(Profile::decode(&newer, &profiled_bytes()), Err(SidecarError::OtherVersion));
    assert_eq!(Profile::decode(&sidecar[..sidecar.len() - 1], &profiled_bytes()), Err(SidecarError::Damaged));
    assert_eq!(Profile::decode(b"", &profiled_bytes()), Err(SidecarError::Damaged));
}

#[test]
fn undecodable_sequences_are_counted_with_their_places() {
    let damaged = b"na\xEFme,b\r\n1,\"x\ny\xE9\"\n\n2,\xC3\xA9\xE2\x82\n3,\xC3";
    let place = |record, line, byte| UndecodablePlace { record, line, byte };
    let expected = [place(0, 1, 2), place(1, 2, 15), place(2, 5, 23), place(3, 6, 28)];
    for piece_bytes in 1..=damaged.len() {
        let profile = profile_declared(damaged.chunks(piece_bytes), Some(encoding_rs::UTF_8.into()));
        assert_eq!(profile.undecodable, 4, "{piece_bytes}");
        assert_eq!(profile.undecodable_places.as_deref(), Some(&expected[..]), "{piece_bytes}");
        assert_eq!(Profile::decode(&profile.encode(&profiled_bytes()), &profiled_bytes()), Ok(profile));
    }
    // In a UTF-16 file, `byte` is a position in the text of the file as UTF-8.
    let mut utf16: Vec<u8> = "a,b\n1,é".encode_utf16().flat_map(u16::to_le_bytes).collect();
    utf16.extend_from_slice(b"\x00\xDC\n\x002\x00");
    for piece_bytes in 1..=utf16.len() {
        let profile = profile_declared(utf16.chunks(piece_bytes), Some(encoding_rs::UTF_16LE.into()));
        assert_eq!((profile.row_count, profile.undecodable), (2, 1), "{piece_bytes}");
        assert_eq!(profile.undecodable_places, Some(vec![place(1, 2, 8)]), "{piece_bytes}");
    }
}

fn profile_declared<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    encoding: Option<crate::csv::FileEncoding>,
) -> Profile {
    let mut profiler = Profiler::new(MAX_RECORD_BYTES);
    profiler.declare(InputOptions { encoding, ..InputOptions::DETECT });
    for piece in pieces {
        profiler.push(piece);
        // Saving and restoring the state changes nothing.
        profiler = Profiler::restore(&profiler.save().unwrap()).unwrap();
    }
    profiler.finish()
}

#[test]
fn only_the_first_hundred_places_are_listed_and_all_sequences_are_counted() {
    let mut file = b"id,name\n".to_vec();
    for row in 0..60_000 {
        file.extend(format!("{row},Ren").into_bytes());
        file.extend(if row % 2 == 0 { &b"\xC3\xA9\n"[..] } else { b"\xE9\n" });
    }
    for piece_bytes in [1000, 1 << 18, file.len()] {
        let mut profiler = Profiler::new(MAX_RECORD_BYTES);
        profiler.declare(InputOptions { encoding: Some(encoding_rs::UTF_8.into()), ..InputOptions::DETECT });
        file.chunks(piece_bytes).for_each(|piece| profiler.push(piece));
        let profile = profiler.finish();
        assert_eq!((profile.row_count, profile.undecodable), (60_000, 30_000));
        let places = profile.undecodable_places.unwrap();
        assert_eq!(places.len(), 100);
        assert_eq!((places[99].record, places[99].line), (200, 201));
    }
}

#[test]
fn the_header_is_judged_like_a_row() {
    for (file, reason) in
        [(&b"\"a,b\n1,2\n3,4\n"[..], Defect::UnclosedQuote), (b"\n\"a\"x,b\n1,2\n", Defect::StrayQuote)]
    {
        let profile = profile_of([file]);
        let line = if file[0] == b'\n' { 2 } else { 1 };
        let byte = line - 1;
        assert_eq!(profile.rejects, [MalformedCsv { record: 0, line, byte, reason }]);
        assert_eq!(profile.rows_malformed, 1);
    }
    assert_eq!(profile_of([&b"\"a\",\"b \"\"c\"\"\"\n1,2\n"[..]]).rejects, []);
}
