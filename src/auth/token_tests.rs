#![allow(clippy::unwrap_used)]
use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

// Made with Python's hmac, json and base64, with the claims in the order of simplejwt.
const SIMPLEJWT_NUMBER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzY3MzIzMTAwLCJpYXQiOjE3NjczMjIyMDAsImp0aSI6IjBmNWI3YzFkMmUzYTRiNWM4ZDllMGYxYTJiM2M0ZDVlIiwidXNlcl9pZCI6NDJ9.6ZEyQDZvN6_V1FzGYp-AL_XH4g7Y6ssLNtqu9s7cVaQ";
const SIMPLEJWT_TEXT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzY3MzIzMTAwLCJpYXQiOjE3NjczMjIyMDAsImp0aSI6IjBmNWI3YzFkMmUzYTRiNWM4ZDllMGYxYTJiM2M0ZDVlIiwidXNlcl9pZCI6IjQyIn0.-nii5eXjhMI7GgqOS4GQQbnlhrWkissm6Z1ynxqE3z8";
const SIMPLEJWT_HS512: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjoxNzY3MzIzMTAwLCJpYXQiOjE3NjczMjIyMDAsImp0aSI6IjBmNWI3YzFkMmUzYTRiNWM4ZDllMGYxYTJiM2M0ZDVlIiwidXNlcl9pZCI6NDJ9.a4nikI27RrrXVip5XgXo0y4m4g20OW0KogHkwv7bqJFAvUDTaeHXHJ-wFSdj498B3C-Pb178Fx3lIl6B_OVfAQ";
/// Time of issue of the three tokens above, in Unix seconds. The tokens expire 900 s later.
const ISSUED_S: i64 = 1_767_322_200;

fn config(pairs: &[(&str, &str)]) -> Config {
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Config::parse(&move |name: &str| {
        let set = pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        set.or_else(|| (name == "JWT_SECRET").then(|| KEY.to_owned()))
    })
    .unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(chrono::DateTime::from_timestamp(seconds, 0).unwrap())
}

fn verify(token: &str) -> std::result::Result<Claims, TokenError> {
    Keyring::new(&config(&[])).verify(token, TokenKind::Access, at(ISSUED_S))
}

/// Makes a token from any header and any payload, with a correct signature.
fn forge(header: &str, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mac = Key { id: "", secret: KEY.as_bytes() }.mac(&signed).unwrap().finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn claims() -> Claims {
    Claims {
        kind: TokenKind::Access,
        expires_at_s: ISSUED_S + 900,
        issued_at_s: Some(ISSUED_S),
        id: "j".to_owned(),
        user: UserId::parse("42").unwrap(),
        session: None,
        not_before_s: None,
        audience: None,
    }
}

#[test]
fn simplejwt_tokens_are_accepted_with_a_number_or_text_as_user_id() {
    for token in [SIMPLEJWT_NUMBER, SIMPLEJWT_TEXT] {
        let claims = verify(token).unwrap();
        assert_eq!(claims.user.as_str(), "42");
        assert_eq!(claims.expires_at_s, ISSUED_S + 900);
    }
}

#[test]
fn a_signed_token_is_accepted_and_has_only_the_claims_of_simplejwt() {
    let config = config(&[]);
    let keys = Keyring::new(&config);
    let token = keys.sign(&claims()).unwrap();
    assert_eq!(keys.verify(&token, TokenKind::Access, at(ISSUED_S)).unwrap(), claims());
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let expected = serde_json::json!({
        "token_type": "access", "exp": ISSUED_S + 900, "iat": ISSUED_S, "jti": "j", "user_id": "42",
    });
    assert_eq!(payload, expected);
}

#[test]
fn a_token_expires_at_the_time_in_exp() {
    let config = config(&[]);
    let keys = Keyring::new(&config);
    let expired = |seconds| {
        matches!(keys.verify(SIMPLEJWT_NUMBER, TokenKind::Access, at(seconds)), Err(TokenError::Expired(_)))
    };
    assert!(!expired(ISSUED_S + 899));
    assert!(expired(ISSUED_S + 900));
    assert!(expired(ISSUED_S + 1_000_000));
}

#[test]
fn a_token_of_the_other_kind_is_refused() {
    let config = config(&[]);
    let verdict = Keyring::new(&config).verify(SIMPLEJWT_NUMBER, TokenKind::Refresh, at(ISSUED_S));
    assert_eq!(verdict, Err(TokenError::Invalid("wrong token_type")));
}

#[test]
fn a_token_cannot_choose_its_algorithm() {
    let payload = SIMPLEJWT_NUMBER.split('.').nth(1).unwrap();
    let none = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
    assert_eq!(verify(&none), Err(TokenError::Invalid("wrong alg")));
    assert_eq!(verify(SIMPLEJWT_HS512), Err(TokenError::Invalid("wrong alg")));
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for alg in ["NONE", "none", "hs256", "HS384", "RS256", ""] {
        let token = forge(&format!(r#"{{"alg":"{alg}"}}"#), &payload);
        assert_eq!(verify(&token), Err(TokenError::Invalid("wrong alg")), "{alg}");
    }
}

#[test]
fn a_token_with_any_byte_changed_is_refused() {
    for position in 0..SIMPLEJWT_NUMBER.len() {
        let mut bytes = SIMPLEJWT_NUMBER.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        assert!(matches!(verify(&token), Err(TokenError::Invalid(_))), "byte {position}");
    }
}

#[test]
fn a_token_that_is_not_three_strict_base64url_parts_is_refused() {
    let (signed, signature) = SIMPLEJWT_NUMBER.rsplit_once('.').unwrap();
    let cases = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{SIMPLEJWT_NUMBER}="),
        format!("{SIMPLEJWT_NUMBER}.x"),
        format!(" {SIMPLEJWT_NUMBER}"),
        format!("{SIMPLEJWT_NUMBER}\n"),
        format!("{signed}.{}", signature.get(..20).unwrap()),
        format!("{SIMPLEJWT_NUMBER}, {SIMPLEJWT_NUMBER}"),
        "é.é.é".to_owned(),
        "x".repeat(5000),
    ];
    for token in cases {
        assert!(matches!(verify(&token), Err(TokenError::Invalid(_))), "{token:?}");
    }
}

#[test]
fn signed_tokens_with_invalid_claims_are_refused() {
    let cases = [
        r#"{"token_type":"access","jti":"j","user_id":42}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j"}"#,
        r#"{"token_type":"access","exp":1767323100,"user_id":42}"#,
        r#"{"exp":1767323100,"jti":"j","user_id":42}"#,
        r#"{"token_type":"sliding","exp":1767323100,"jti":"j","user_id":42}"#,
        r#"{"token_type":"access","exp":"1767323100","jti":"j","user_id":42}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":-1}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":4.5}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":true}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":null}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":"a/../b"}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"user_id":1}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"aud":"another"}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"nbf":1767322201}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"aud":null}"#,
        r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"x":1,"x":1}"#,
        r#"["access",1767323100,1767322200,"j",42]"#,
        r#"["access",1767323100,1767322200,"j",42,null,null]"#,
        "[]",
        "",
    ];
    for payload in cases {
        let verdict = verify(&forge(r#"{"alg":"HS256"}"#, payload));
        assert!(matches!(verdict, Err(TokenError::Invalid(_))), "{payload}");
    }
    for (name, value) in [(&b"x"[..], &b"\xe9"[..]), (b"\xff", b"y"), (b"jti", b"\xc3")] {
        let start = br#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,""#;
        let payload = [&start[..], name, b"\":\"", value, b"\"}"].concat();
        let verdict = verify(&forge(r#"{"alg":"HS256"}"#, payload));
        assert_eq!(verdict, Err(TokenError::Invalid("unreadable claims")), "{name:?}");
    }
    let unknown = r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42,"email":"a@b.c"}"#;
    assert!(verify(&forge(r#"{"alg":"HS256"}"#, unknown)).is_ok());
}

#[test]
fn unsupported_token_headers_are_refused() {
    let payload = r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42}"#;
    let headers = [
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"["HS256","JWT",null,null]"#,
        r#"["HS256"]"#,
        r#"{"alg":"HS256","x":1,"x":2}"#,
        r#"{"alg":"HS256","typ":"JWE"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        "{}",
    ];
    for header in headers {
        assert!(matches!(verify(&forge(header, payload)), Err(TokenError::Invalid(_))), "{header}");
    }
}

#[test]
fn old_tokens_are_accepted_and_the_new_key_signs_new_tokens_after_a_key_rotation() {
    let before = config(&[("JWT_KEY_ID", "2025")]);
    let after = config(&[
        ("JWT_SECRET", OTHER_KEY),
        ("JWT_KEY_ID", "2026"),
        ("JWT_PREVIOUS_SECRET", KEY),
        ("JWT_PREVIOUS_KEY_ID", "2025"),
    ]);
    let gone = config(&[("JWT_SECRET", OTHER_KEY), ("JWT_KEY_ID", "2026")]);
    let old = Keyring::new(&before).sign(&claims()).unwrap();
    let new = Keyring::new(&after).sign(&claims()).unwrap();
    let accepted = |config: &Config, token: &str| {
        Keyring::new(config).verify(token, TokenKind::Access, at(ISSUED_S)).is_ok()
    };
    assert!(accepted(&after, &old) && accepted(&after, &new));
    assert!(accepted(&after, SIMPLEJWT_NUMBER), "a token without `kid` is verified with every key");
    assert!(!accepted(&before, &new));
    assert!(!accepted(&gone, &old) && !accepted(&gone, SIMPLEJWT_NUMBER));
}

#[test]
fn a_token_with_a_key_id_is_verified_only_with_the_key_that_has_this_id() {
    let payload = r#"{"token_type":"access","exp":1767323100,"jti":"j","user_id":42}"#;
    assert!(verify(&forge(r#"{"alg":"HS256","kid":"main"}"#, payload)).is_ok());
    for kid in ["previous", "", "../../dev/null", "MAIN"] {
        let token = forge(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), payload);
        assert_eq!(verify(&token), Err(TokenError::Invalid("no configured key made the signature")), "{kid}");
    }
}
