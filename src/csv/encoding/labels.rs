//! The names of encodings.

use super::file_encoding::{CodePage, FileEncoding};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use encoding_rs::Encoding;

/// A saved encoding is its name, which is also a label.
impl FileEncoding {
    pub(in crate::csv) fn save(self, state: &mut StateWriter) {
        state.text(self.name());
    }

    pub(in crate::csv) fn restore(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        encoding_for_label(state.text()?).ok_or(StateError::Damaged)
    }
}

/// Returns the encoding that `label` names. Accepts the labels of the Encoding Standard, and other names that programs
/// and people use, such as `cp932`, `ansi`, `macroman` or `cp850`. Ignores case, and reads `_` and blanks as `-`. Returns
/// `None` for an unknown label, and for encodings that the standard refuses to decode.
pub fn encoding_for_label(label: &str) -> Option<FileEncoding> {
    let known_as = label.trim().to_ascii_lowercase().replace([' ', '_'], "-");
    let standard = standard_encoding(label.trim(), &known_as).map(FileEncoding::Standard);
    standard.or_else(|| CodePage::for_label(&known_as).map(FileEncoding::CodePage))
}

fn standard_encoding(label: &str, known_as: &str) -> Option<&'static Encoding> {
    if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
        return Some(encoding);
    }
    let standard = match known_as {
        "mac-roman" | "macroman" | "x-mac-roman" | "cp10000" => "macintosh",
        "mac-cyrillic" | "maccyrillic" | "cp10007" => "x-mac-cyrillic",
        "utf-8-sig" | "utf-8-bom" | "utf8-bom" | "utf8mb4" | "cp65001" | "65001" => "utf-8",
        "utf16" | "utf-16-le" | "utf16le" | "utf16-le" | "cp1200" => "utf-16le",
        "utf-16-be" | "utf16be" | "utf16-be" | "cp1201" => "utf-16be",
        "ansi" | "cp-1252" | "latin-1" | "win1252" | "win-1252" => "windows-1252",
        "latin-2" => "iso-8859-2",
        "latin-3" => "iso-8859-3",
        "latin-4" => "iso-8859-4",
        "latin-5" => "windows-1254",
        "latin9" | "latin-9" | "latin0" => "iso-8859-15",
        "latin10" | "latin-10" => "iso-8859-16",
        "cp932" | "ms932" | "windows-932" | "windows932" | "shiftjis" | "s-jis" => "shift_jis",
        "eucjp" | "ujis" => "euc-jp",
        "iso2022jp" => "iso-2022-jp",
        "cp936" | "ms936" | "windows-936" | "euc-cn" | "euccn" => "gbk",
        "cp54936" => "gb18030",
        "cp949" | "ms949" | "uhc" | "euckr" => "euc-kr",
        "cp950" | "ms950" | "windows-950" => "big5",
        "cp874" | "tis620" => "windows-874",
        "koi8r" => "koi8-r",
        "koi8u" => "koi8-u",
        other => {
            match other.strip_prefix("windows").or(other.strip_prefix("win-")).or(other.strip_prefix("win")) {
                // windows1250, "Windows 1250", win1250 and win-1250.
                Some(page) => {
                    let standard = format!("windows-{}", page.trim_start_matches('-'));
                    return Encoding::for_label_no_replacement(standard.as_bytes());
                }
                None => other,
            }
        }
    };
    Encoding::for_label_no_replacement(standard.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{
        BIG5, EUC_KR, GBK, ISO_8859_15, MACINTOSH, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_874,
        WINDOWS_1250, WINDOWS_1252, WINDOWS_1254,
    };

    #[test]
    fn labels_of_the_standard_and_other_common_names_are_known() {
        for (label, encoding) in [
            ("utf-8", UTF_8),
            ("utf8", UTF_8),
            ("UTF_8", UTF_8),
            (" UTF-8-SIG ", UTF_8),
            ("latin1", WINDOWS_1252),
            ("Latin-1", WINDOWS_1252),
            ("iso-8859-1", WINDOWS_1252),
            ("CP1252", WINDOWS_1252),
            ("windows1252", WINDOWS_1252),
            ("Windows 1250", WINDOWS_1250),
            ("win1254", WINDOWS_1254),
            ("ANSI", WINDOWS_1252),
            ("latin9", ISO_8859_15),
            ("Mac Roman", MACINTOSH),
            ("mac_roman", MACINTOSH),
            ("macroman", MACINTOSH),
            ("x-mac-roman", MACINTOSH),
            ("cp932", SHIFT_JIS),
            ("cp936", GBK),
            ("cp949", EUC_KR),
            ("cp950", BIG5),
            ("cp874", WINDOWS_874),
            ("utf-16", UTF_16LE),
            ("UTF16", UTF_16LE),
            ("utf-16be", UTF_16BE),
            ("utf_16_be", UTF_16BE),
        ] {
            assert_eq!(encoding_for_label(label), Some(encoding.into()), "{label}");
        }
        for (label, name) in [
            ("cp850", "IBM850"),
            ("CP437", "IBM437"),
            ("IBM-850", "IBM850"),
            ("ibm00858", "IBM00858"),
            ("dos_852", "IBM852"),
            ("cp866", "IBM866"),
        ] {
            assert_eq!(encoding_for_label(label).map(FileEncoding::name), Some(name), "{label}");
        }
        for label in ["klingon", "windows", "win-", "cp0", ""] {
            assert_eq!(encoding_for_label(label), None, "{label}");
        }
        assert_eq!(encoding_for_label("iso-2022-kr"), None, "the standard refuses to decode this encoding");
    }
}
