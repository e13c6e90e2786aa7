//! Uploads that are accepted, and uploads that are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn allowed() -> Vec<String> {
    ["text/csv", "application/vnd.ms-excel", "application/csv", TEXT_TSV, "text/plain"]
        .map(String::from)
        .to_vec()
}

fn verdict(declared_type: Option<&str>, extension: Option<&str>, sample: &[u8]) -> SniffVerdict {
    let allowed_types = &allowed();
    check(&SniffedUpload { declared_type, allowed_types, extension, sample })
}

const CSV: SniffVerdict = SniffVerdict::Accept { content_type: TEXT_CSV, encoding: None, header: None };
const TSV: SniffVerdict = SniffVerdict::Accept { content_type: TEXT_TSV, encoding: None, header: None };

fn csv_in(encoding: &'static Encoding) -> SniffVerdict {
    SniffVerdict::Accept { content_type: TEXT_CSV, encoding: Some(encoding.into()), header: None }
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(encode).collect()
}

#[test]
fn text_is_accepted_as_csv_or_tsv_under_every_common_type() {
    for (declared, extension, expected) in [
        (None, None, CSV),
        (Some(""), Some("csv"), CSV),
        (Some("text/csv"), Some("csv"), CSV),
        (Some("Text/CSV; charset=windows-1252"), None, csv_in(encoding_rs::WINDOWS_1252)),
        (Some("text/csv; charset=us-ascii"), None, CSV),
        (Some("text/csv; charset=\"Unknown-8bit\""), None, CSV),
        (Some("application/x-www-form-urlencoded; charset=UTF-8"), None, CSV),
        (Some("application/vnd.ms-excel"), Some("csv"), CSV),
        (Some("application/octet-stream"), Some("TXT"), CSV),
        (Some("application/x-www-form-urlencoded"), None, CSV),
        (Some("text/plain"), Some("txt"), CSV),
        (Some("text/plain"), Some("tsv"), TSV),
        (Some("application/vnd.ms-excel"), Some("xls"), CSV),
        (Some("text/tab-separated-values"), Some("csv"), TSV),
        (None, Some("TSV"), TSV),
        (Some("text/csv"), Some("tsv"), CSV),
        (Some("text/comma-separated-values"), Some("tsv"), CSV),
        (Some("text/x-comma-separated-values"), None, CSV),
        (Some("text/x-csv; charset=windows-1252"), None, csv_in(encoding_rs::WINDOWS_1252)),
        (Some("application/x-csv"), None, CSV),
        (Some("*/*"), Some("tsv"), TSV),
        (Some("application/json"), None, CSV),
    ] {
        assert_eq!(verdict(declared, extension, b"a,b\n1,2\n"), expected, "{declared:?} {extension:?}");
    }
}

#[test]
fn types_that_are_not_allowed_are_refused_even_if_the_content_is_text() {
    for declared in
        ["image/png", "text/json", "text/html", "application/zip", "csv", "text/csv, text/csv", "text/*"]
    {
        assert!(
            matches!(verdict(Some(declared), Some("csv"), b"a,b\n"), SniffVerdict::Refuse(_)),
            "{declared}"
        );
    }
    let refused = verdict(Some("image/PNG; x=y"), None, b"a,b\n");
    assert_eq!(refused, SniffVerdict::Refuse(Refusal::TypeNotAllowed { declared: "image/png".into() }));
}

#[test]
fn another_name_of_csv_is_accepted_only_if_csv_is_accepted() {
    let allowed_types = &["text/plain".to_owned()];
    for declared_type in [Some("text/csv"), Some("text/x-csv")] {
        let upload = SniffedUpload { declared_type, allowed_types, extension: None, sample: b"a,b\n" };
        assert!(matches!(check(&upload), SniffVerdict::Refuse(Refusal::TypeNotAllowed { .. })));
    }
}

#[test]
fn json_declared_as_json_is_refused() {
    for sample in ["{\"a\": 1}", " \n[1, 2]", "\u{feff}[]"] {
        let refused = verdict(Some("application/json; charset=utf-8"), None, sample.as_bytes());
        assert!(
            matches!(refused, SniffVerdict::Refuse(Refusal::ForeignContent { format: "JSON", .. })),
            "{sample}"
        );
        assert_eq!(verdict(Some("text/csv"), None, sample.as_bytes()), CSV, "{sample}");
    }
}

#[test]
fn only_extensions_of_delimited_text_are_accepted() {
    let check = |name: &str| check_name(&Filename::parse(name).unwrap());
    assert_eq!(check("a.XLSX"), Err(Refusal::ForeignExtension { extension: "xlsx".into() }));
    for name in [
        "a.csv.gz",
        "x.exe",
        "x.exe\u{200b}",
        "x.e\u{200d}xe\u{fe0f}",
        "a.xls",
        "x.hta",
        "x.7z",
        ".exe",
        ".htaccess",
        ".user.ini",
        "a.bat.",
        "a.bat . .",
        "a.library-ms",
        "a.csv:b.hta",
        "a.hta::$DATA",
        "a.h",
        "a.123456789abcdefghij",
        "a.csv~",
    ] {
        assert!(matches!(check(name), Err(Refusal::ForeignExtension { .. })), "{name}");
        assert_eq!(check_result_name(&Filename::parse(name).unwrap()).is_ok(), name == "a.csv.gz", "{name}");
    }
    for name in [
        "a.csv",
        "a.tsv",
        "a.Tab",
        "a.txt",
        "a.psv",
        "a.dat",
        "xlsx",
        ".csv",
        "a.exe.csv",
        "a.csv.",
        "v1.2",
        "Dr. Who",
        "a.экз",
        "…",
        "2024.01-31",
    ] {
        assert_eq!(check(name), Ok(()), "{name}");
    }
}

#[test]
fn markup_and_scripts_are_refused_in_every_encoding() {
    let samples = [
        "<!-- x --><html>",
        "<!--",
        "<img src=x onerror=alert(1)>",
        "<IMG/src=x>",
        "<a href='x'>",
        "</p><script>",
        "<body>",
        "<iframe src=x>",
        "<svg/onload=alert(1)>",
        "<x onclick=alert(1)>",
        "<x/ONCLICK = alert(1)>",
        "<x a='b'onfocus=alert(1) autofocus>",
        "<y href=javascript:alert(1)>",
        "<?php echo 1",
        "<%@ page %>",
        "<![CDATA[",
        "#!/bin/sh\n",
        "#! /usr/bin/env python3\n",
        "@ECHO OFF\r\n",
        "@echo off&cls",
        "[InternetShortcut]\r\nURL=x",
        "Windows Registry Editor Version 5.00\r\n",
        "MIME-Version: 1.0\r\n",
        "%!PS-Adobe-3.0",
    ];
    for sample in samples {
        let marked = [b"\xef\xbb\xbf".as_slice(), b" \r\n\t", sample.as_bytes()].concat();
        let little = [b"\xff\xfe".as_slice(), &utf16(sample, u16::to_le_bytes)].concat();
        let big = [b"\xfe\xff".as_slice(), &utf16(sample, u16::to_be_bytes)].concat();
        for bytes in [sample.as_bytes(), &marked, &little, &big] {
            let verdict = verdict(Some("text/csv"), Some("csv"), bytes);
            assert!(matches!(verdict, SniffVerdict::Refuse(Refusal::ForeignContent { .. })), "{sample}");
        }
    }
}

#[test]
fn files_of_other_formats_are_recognized_by_their_content_and_refused() {
    let samples: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04\x14\0", "xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\x7fELF\x02", "program"),
        (b"MZ\x90\0\x03\0", "Windows program"),
        (b"\0asm\x01\0\0\0", "WebAssembly"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "RIFF"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "RIFF"),
        (b"RIFF\x24\0\0\0AVI LIST", "AVI"),
        (b"\0\0\0\x18ftypmp42", "MP4"),
        (b"SQLite format 3\0\x10", "SQLite"),
        (b"PAR1\x15\0\x15", "Parquet"),
        (b"<!DOCTYPE HTML>\n<html>", "HTML"),
        (b"\xef\xbb\xbf \n<?xml version=\"1.0\"?>", "XML"),
        (b"<svg xmlns=\"x\">", "SVG"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
    ];
    for (sample, name) in samples {
        let SniffVerdict::Refuse(refusal) = verdict(Some("text/csv"), Some("csv"), sample) else {
            unreachable!("{name} was accepted")
        };
        assert!(refusal.to_string().contains(name), "{refusal}");
    }
}

#[test]
fn csv_headers_that_start_like_a_signature_are_accepted() {
    for sample in [
        "MZ,intensity\n1,2\n",
        "PAR1,PAR2\n",
        "ID3;x\n",
        "BM,ORC\n",
        "RIFF,WAVE\n",
        "BZh,x\n",
        "<htmlx>,a\n",
        "<5,>7\n",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>\n",
        "<on>;<online=5>\n",
        "< 5 years,onset=1\n",
        "#id,name\n",
        "!id,name\n",
        "@echo,off\n",
        "id,<script>alert(1)</script>\n",
        "[1],[2]\n",
        "PK,id\n",
    ] {
        assert_eq!(verdict(None, None, sample.as_bytes()), CSV, "{sample}");
    }
}

#[test]
fn nul_bytes_are_refused_unless_the_content_is_utf16() {
    let text = "name,größe\nЮлия,1\n";
    let (little, big) = (utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes));
    for (bytes, encoding) in [(&little, UTF_16LE), (&big, UTF_16BE)] {
        assert_eq!(verdict(Some("text/csv"), None, bytes), CSV);
        assert!(matches!(
            verdict(Some("text/csv; charset=utf-8"), None, bytes),
            SniffVerdict::Refuse(Refusal::NotText { .. })
        ));
        assert_eq!(verdict(Some("text/csv; charset=utf-16"), None, bytes), csv_in(encoding));
        assert_eq!(verdict(Some("text/csv; charset=\"UCS-2\""), None, bytes), csv_in(encoding));
    }
    assert_eq!(verdict(None, None, &[b"\xff\xfe", little.as_slice()].concat()), CSV);
    assert_eq!(verdict(None, None, &[b"\xfe\xff", big.as_slice()].concat()), CSV);
    assert!(matches!(verdict(None, None, b"a,b\n1,\0\n"), SniffVerdict::Refuse(Refusal::NotText { .. })));
}

#[test]
fn bytes_after_the_sample_are_not_examined() {
    let mut bytes = vec![b'a'; SAMPLE_BYTES];
    bytes.push(0);
    assert_eq!(verdict(None, None, &bytes), CSV);
    bytes[SAMPLE_BYTES - 1] = 0;
    assert!(matches!(verdict(None, None, &bytes), SniffVerdict::Refuse(_)));
}

#[test]
fn legacy_encodings_are_accepted() {
    let text = "Städte,Größe,価格\nKöln,1,2\nÀ côté — “x”,3,4\n".repeat(20);
    for encoding in [
        encoding_rs::WINDOWS_1252,
        encoding_rs::MACINTOSH,
        encoding_rs::SHIFT_JIS,
        encoding_rs::GB18030,
        encoding_rs::ISO_2022_JP,
        encoding_rs::EUC_KR,
        encoding_rs::KOI8_R,
        encoding_rs::UTF_8,
    ] {
        let (bytes, ..) = encoding.encode(&text);
        assert_eq!(verdict(None, None, &bytes), CSV, "{}", encoding.name());
    }
    assert_eq!(verdict(None, None, b"a,b\r\n1,2\r\n\x1a"), CSV, "a DOS file ends with SUB");
    assert_eq!(verdict(None, None, b"a,b\n\x01\x02\x03,2\n"), CSV, "a few control characters are accepted");
}

#[test]
fn random_bytes_are_refused_with_and_without_a_utf16_bom() {
    let mut state = 7u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let without_nul: Vec<u8> = (0..4096).map(|_| noise().max(1)).collect();
    assert!(matches!(verdict(None, None, &without_nul), SniffVerdict::Refuse(Refusal::NotText { .. })));
    let with_bom: Vec<u8> = b"\xff\xfe".iter().copied().chain((0..4096).map(|_| noise())).collect();
    assert!(matches!(verdict(None, None, &with_bom), SniffVerdict::Refuse(Refusal::NotText { .. })));
}

proptest! {
    #[test]
    fn detection_never_panics(declared in "\\PC{0,20}", extension in "[a-zA-Z0-9]{0,5}", sample in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = verdict(Some(&declared), Some(&extension), &sample);
        let _ = verdict(Some("text/csv; charset=utf-16"), None, &sample);
    }

    #[test]
    fn printable_text_is_always_accepted(text in "[ -;=-z\u{e0}-\u{17f}\n\r\t]{1,200}") {
        prop_assume!(!["%PDF-", "GIF8", "{\\rtf", "#!", "%!"].iter().any(|start| text.starts_with(start)));
        prop_assert_eq!(verdict(None, None, text.as_bytes()), CSV);
    }
}
