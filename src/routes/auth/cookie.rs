//! The refresh token of a session in a cookie.
//!
//! The cookie has the prefix `__Secure-` and the attributes `HttpOnly`, `Secure`, `SameSite=Strict` and
//! `Path=/api/auth`. So no script can read it, and browsers send it only to the routes of sessions, and never with a
//! request that another site caused. [`check_same_origin`] refuses such requests too, for browsers that do not know
//! `SameSite`.

use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use crate::error::{Code, Problem, Result};

const NAME: &str = "__Secure-cutty-refresh";

/// Maximum number of tokens that a request may have in cookies. Further ones are not tried, because each token may cost
/// a D1 call.
const MOST_TOKENS: usize = 4;

const ATTRIBUTES: &str = "Path=/api/auth; HttpOnly; Secure; SameSite=Strict";

/// Returns the value of `Set-Cookie` for a refresh token that is valid for this number of seconds.
pub(super) fn with_token(token: &str, max_age_s: u32) -> Result<HeaderValue> {
    let cookie = format!("{NAME}={token}; Max-Age={max_age_s}; {ATTRIBUTES}");
    let mut value = HeaderValue::from_str(&cookie).map_err(Problem::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the value of `Set-Cookie` that deletes the cookie.
pub(super) fn cleared() -> HeaderValue {
    const CLEARED: &str =
        "__Secure-cutty-refresh=; Max-Age=0; Path=/api/auth; HttpOnly; Secure; SameSite=Strict";
    HeaderValue::from_static(CLEARED)
}

/// Returns the refresh tokens in the cookies of a request (RFC 6265 §5.4), at most [`MOST_TOKENS`]. A request may have
/// several cookies with the same name, for example if an old cookie has another path. Other cookies may have any bytes.
pub(super) fn tokens(headers: &HeaderMap) -> Vec<String> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    let tokens = pairs.filter(|(name, token)| *name == NAME && !token.is_empty());
    tokens.map(|(_, token)| token.to_owned()).take(MOST_TOKENS).collect()
}

/// Checks that a page of this origin sent the request: by `Sec-Fetch-Site`, or by `Origin` if the browser does not send
/// `Sec-Fetch-Site`.
///
/// # Errors
/// `forbidden` if another site, or no page, sent the request.
pub(super) fn check_same_origin(headers: &HeaderMap, uri: &Uri) -> Result<()> {
    let is_same = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => has_own_origin(headers, uri),
    };
    if is_same {
        return Ok(());
    }
    let detail = "A session in a cookie is only for pages of this origin. Other clients get refresh_token in the \
        response, and send it in the body.";
    Err(Problem::new(Code::Forbidden, detail))
}

/// Whether `Origin` is the origin of this request.
fn has_own_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some((scheme, authority)) = text(ORIGIN).and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let host = uri.authority().map(|host| host.as_str()).or_else(|| text(HOST));
    host == Some(authority) && uri.scheme_str().is_none_or(|own| own == scheme)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        for (sent, found) in [
            ("__Secure-cutty-refresh=abc", &["abc"][..]),
            ("a=b; __Secure-cutty-refresh=x.y.z; c=d", &["x.y.z"]),
            ("__Secure-cutty-refresh=a; __Secure-cutty-refresh=;__Secure-cutty-refresh=b", &["a", "b"]),
            ("__Secure-cutty-refresh=", &[]),
            ("x__Secure-cutty-refresh=abc", &[]),
            ("abc", &[]),
        ] {
            assert_eq!(tokens(&headers(&[("cookie", sent)])), found, "{sent}");
        }
        assert!(tokens(&HeaderMap::new()).is_empty());
        let many = [("cookie", "__Secure-cutty-refresh=abc"); 5];
        assert_eq!(tokens(&headers(&many)).len(), MOST_TOKENS);
    }

    #[test]
    fn other_cookies_may_have_any_bytes() {
        let sent = [&b"c=\xc3\xa9; l=\xe9; "[..], NAME.as_bytes(), b"=abc"].concat();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&sent).unwrap())]);
        assert_eq!(tokens(&headers), ["abc"]);
    }

    #[test]
    fn only_pages_of_the_same_origin_may_use_the_cookie() {
        let uri: Uri = "https://cutty.example/api/auth/refresh".parse().unwrap();
        for (sent, is_allowed) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://cutty.example")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://cutty.example")], true),
            (&[("origin", "http://cutty.example")], false),
            (&[("origin", "https://cutty.example:444")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://evil.example"), ("host", "evil.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            assert_eq!(check_same_origin(&headers(sent), &uri).is_ok(), is_allowed, "{sent:?}");
        }
    }
}
