//! Detects the encoding of a file from its first bytes.

use super::file_encoding::FileEncoding;
use super::guess::guess;
use super::source::EncodingSource;
use super::utf8::is_utf8;
use super::utf16::utf16_without_mark;
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8};
use memchr::memmem;

/// The encoding of a file, and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) struct Detected {
    pub(in crate::csv) encoding: FileEncoding,
    pub(in crate::csv) source: EncodingSource,
    /// Length of the byte order marks in bytes; 0 if the file has none.
    pub(in crate::csv) bom_bytes: usize,
}

/// Detects the encoding from the first bytes of a file. `whole` is `true` if the sample is the whole file.
///
/// A byte order mark decides. If the file has none, the declared encoding is used. Without a declared encoding,
/// `detect` tries in this order: UTF-16 without a mark, ISO-2022-JP, UTF-8 (some damaged characters are allowed), and a
/// guess ([`super::guess`]).
pub(in crate::csv) fn detect(sample: &[u8], whole: bool, declared: Option<FileEncoding>) -> Detected {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(sample) {
        let (mark, _) = sample.split_at(mark_bytes);
        // Some programs add a mark to a text that already has one, so a file may start with several marks.
        let marks = sample.chunks(mark_bytes).take_while(|bytes| *bytes == mark).count();
        let encoding = encoding.into();
        return Detected { encoding, source: EncodingSource::ByteOrderMark, bom_bytes: marks * mark_bytes };
    }
    if let Some(encoding) = declared {
        return Detected { encoding, source: EncodingSource::Declared, bom_bytes: 0 };
    }
    let (encoding, source) = match utf16_without_mark(sample) {
        Some(encoding) => (encoding, EncodingSource::Detected),
        None if is_iso_2022_jp(sample) => (ISO_2022_JP, EncodingSource::Detected),
        None if sample.is_ascii() => (UTF_8, EncodingSource::Assumed),
        None if is_utf8(sample, whole) => (UTF_8, EncodingSource::Detected),
        None => (guess(sample, whole), EncodingSource::Detected),
    };
    Detected { encoding: encoding.into(), source, bom_bytes: 0 }
}

/// Whether the sample is ASCII with the escape sequences of ISO-2022-JP.
fn is_iso_2022_jp(sample: &[u8]) -> bool {
    let has_escape = [b"\x1B$B", b"\x1B$@"].iter().any(|escape| memmem::find(sample, *escape).is_some());
    has_escape && sample.is_ascii() && !ISO_2022_JP.decode_without_bom_handling(sample).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253};

    fn detected(sample: &[u8]) -> &'static Encoding {
        match detect(sample, true, None).encoding {
            FileEncoding::Standard(encoding) => encoding,
            FileEncoding::CodePage(page) => unreachable!("{page:?} is never detected"),
        }
    }

    #[test]
    fn a_byte_order_mark_has_precedence_over_the_declared_encoding() {
        let detected = detect(b"\xFE\xFF\0a", true, Some(WINDOWS_1252.into()));
        assert_eq!((detected.encoding, detected.bom_bytes), (UTF_16BE.into(), 2));
        assert_eq!(detected.source, EncodingSource::ByteOrderMark);
    }

    #[test]
    fn all_byte_order_marks_at_the_start_are_found() {
        for (sample, encoding, bom_bytes) in [
            (&b"\xEF\xBB\xBF\xEF\xBB\xBFid\n"[..], UTF_8, 6),
            (b"\xEF\xBB\xBF\xEF\xBB\xBF", UTF_8, 6),
            (b"\xEF\xBB\xBF\xEF\xBB", UTF_8, 3),
            (b"\xFF\xFE\xFF\xFEi\0", UTF_16LE, 4),
        ] {
            let detected = detect(sample, true, None);
            assert_eq!((detected.encoding, detected.bom_bytes), (encoding.into(), bom_bytes), "{sample:?}");
        }
    }

    #[test]
    fn a_declared_encoding_is_not_detected() {
        let utf16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(detect(&utf16, true, Some(WINDOWS_1250.into())).source, EncodingSource::Declared);
        assert_eq!(
            (detected(&utf16), detect(&utf16, true, None).source),
            (UTF_16LE, EncodingSource::Detected)
        );
        assert_eq!(detect(b"a,b\n", true, None).source, EncodingSource::Assumed);
    }

    #[test]
    fn iso_2022_jp_is_detected_by_its_escape_sequences() {
        let (bytes, ..) = ISO_2022_JP.encode("\u{540d}\u{524d},b\n1,2\n");
        assert_eq!(detected(&bytes), ISO_2022_JP);
        assert_eq!(detected(b"a\x1B$B,b\n"), UTF_8);
    }

    #[test]
    fn symbols_of_windows_1252_stay_symbols() {
        for text in [
            "item,price (£)\nTea,£1.20\nMilk,£0.95\n",
            "site,PM10 (µg/m³)\nA,12\n",
            "name,note\nAcme®,5 ±1\nWidget™,\"«x»\"\n",
        ] {
            let (bytes, ..) = WINDOWS_1252.encode(text);
            assert_eq!(detected(&bytes), WINDOWS_1252, "{text}");
        }
        let mut wrong = Vec::new();
        for symbol in "£¥®±³µ¶«»¼½¾¬¡¿¹²¦¯°§©€™–’“”¢×÷ªº·".chars() {
            for cell in
                [format!("{symbol}"), format!("x ({symbol})"), format!("5 {symbol}"), format!("{symbol} 5")]
            {
                let text = format!("a,b\n1,{cell}\n");
                let (bytes, ..) = WINDOWS_1252.encode(&text);
                let read = detected(&bytes).decode_without_bom_handling(&bytes).0;
                if read != text {
                    wrong.push(read.into_owned());
                }
            }
        }
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn text_in_capitals_is_recognized_by_its_letters() {
        for (encoding, words) in [
            (
                WINDOWS_1253,
                "ΓΕΩΡΓΙΟΥ ΠΑΠΑΔΟΠΟΥΛΟΣ ΝΙΚΟΛΑΟΥ ΑΘΗΝΑ ΠΑΤΡΑ ΒΟΛΟΣ ΘΕΣΣΑΛΟΝΙΚΗ ΚΑΛΑΜΑΤΑ ΜΑΡΙΑ ΕΛΕΝΗ ΛΑΡΙΣΑ",
            ),
            (
                WINDOWS_1251,
                "ИВАНОВ ПЕТРОВА СМИРНОВ МОСКВА КАЗАНЬ САМАРА ЕКАТЕРИНБУРГ АЛЕКСАНДР ЕЛЕНА ОЛЬГА СЕРГЕЙ",
            ),
        ] {
            let (bytes, ..) = encoding.encode(words);
            let file = [
                b"a;b\n",
                &bytes.iter().map(|&byte| if byte == b' ' { b'\n' } else { byte }).collect::<Vec<_>>()[..],
            ]
            .concat();
            assert_eq!(detected(&file), encoding, "{words}");
        }
    }

    #[test]
    fn letters_of_another_code_page_are_letters() {
        let text = "imi\u{119},miasto\nPawe\u{142},\u{141}\u{f3}d\u{17a}\nMa\u{142}gorzata,Gda\u{144}sk\n";
        let (bytes, ..) = WINDOWS_1250.encode(text);
        assert_eq!(detected(&bytes), WINDOWS_1250);
    }
}
