//! Decides whether bytes are UTF-8 text, even if some of them are damaged.

/// The number of valid characters beyond ASCII must be at least this many times the number of invalid sequences.
const VALID_PER_INVALID: usize = 2;

/// Whether the sample is UTF-8. Some invalid sequences are allowed if there are many more valid characters beyond
/// ASCII, because text in another encoding seldom has valid UTF-8 sequences. If `whole` is `false`, the sample may end
/// inside a character.
pub(super) fn is_utf8(sample: &[u8], whole: bool) -> bool {
    let (mut valid, mut invalid) = (0, 0);
    for chunk in sample.utf8_chunks() {
        valid += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        let is_whole = !chunk.invalid().is_empty();
        invalid += usize::from(is_whole);
    }
    let halves = surrogates(sample);
    // `utf8_chunks` reports each byte of a surrogate as an invalid sequence.
    invalid -= 3 * halves;
    valid += halves;
    if !whole && invalid > 0 && ends_inside_character(sample) {
        invalid -= 1;
    }
    invalid == 0 || valid >= VALID_PER_INVALID * invalid
}

/// Returns the number of surrogates that are written as three bytes each. CESU-8 writes each character beyond U+FFFF as
/// two such surrogates.
fn surrogates(sample: &[u8]) -> usize {
    memchr::memchr_iter(0xED, sample)
        .filter(|&at| matches!(sample.get(at + 1..at + 3), Some([0xA0..=0xBF, 0x80..=0xBF])))
        .count()
}

fn ends_inside_character(sample: &[u8]) -> bool {
    let last = &sample[sample.len().saturating_sub(3)..];
    std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none())
        || (1..last.len()).any(|from| {
            std::str::from_utf8(&last[from..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_utf8_stays_utf8_if_valid_characters_dominate() {
        for (bytes, expected) in [
            (&b"caf\xC3\xA9"[..], true),
            (b"id,name\n1,Zo\xC3\xAB\n2,\xC5\x81ukasz\n3,Jos\xC3\xA9\n4,Ren\xE9\n", true),
            (b"1,Zo\xC3\xAB\n2,Zo\xC3\xAB\n3,Ren\xC3", true),
            (b"1,\xED\xA0\xBD\xED\xB8\x80\n", true),
            (b"1,Zo\xC3\xAB\n2,\xE2\x82\n3,Zo\xC3\xAB\n", true),
            (b"caf\xE9", false),
            (b"1,Zo\xC3\xAB\n2,Ren\xE9\n3,Jos\xE9\n", false),
            (b"\xC4\xE3\xBA\xC3", false),
        ] {
            assert_eq!(is_utf8(bytes, true), expected, "{bytes:?}");
        }
    }

    #[test]
    fn only_a_sample_of_a_longer_file_may_end_inside_a_character() {
        let text = "name;Zo\u{eb}".as_bytes();
        assert!(is_utf8(&text[..text.len() - 1], false));
        assert!(!is_utf8(&text[..text.len() - 1], true));
        assert!(is_utf8(&"a\u{20AC}".as_bytes()[..3], false));
    }
}
