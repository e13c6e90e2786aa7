//! Whether a client accepts gzip (`Accept-Encoding`, RFC 9110 §12.5.3).

/// Whether an `Accept-Encoding` header accepts gzip: it names `gzip`, `x-gzip` or `*` with a weight above zero. Returns
/// false if the header is absent. The RFC allows any coding in this case, but Cutty sends plain bytes to a client that
/// did not ask for gzip.
pub fn accepts_gzip(header: Option<&str>) -> bool {
    let Some(header) = header else { return false };
    let mut any = false;
    for coding in header.split(',') {
        let mut parts = coding.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let accepted = parts.all(|parameter| !is_zero_weight(parameter));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return accepted;
        }
        any |= name == "*" && accepted;
    }
    any
}

fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_only_with_a_weight_above_zero() {
        for accepted in ["gzip", "br, gzip;q=0.5", "GZIP", "x-gzip", "*", "identity, *;q=0.1", "gzip ; q=1"] {
            assert!(accepts_gzip(Some(accepted)), "{accepted}");
        }
        for refused in ["", "br", "identity", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "deflate"] {
            assert!(!accepts_gzip(Some(refused)), "{refused}");
        }
        assert!(!accepts_gzip(None));
    }
}
