//! Passwords: argon2id hashes (RFC 9106) in PHC string form, and older hashes from Django. At the first sign-in that
//! succeeds, an argon2id hash replaces the Django hash.

use std::cell::RefCell;
use std::hint::black_box;

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{
    Algorithm, Argon2, Block, CustomizedPasswordHasher, Params, PasswordHash, PasswordHasher,
    PasswordVerifier, Version,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::error::{Code, Problem, Result};
use crate::ports::Random;

/// Costs of a new hash: 7 MiB, five passes, one lane. OWASP's Password Storage Cheat Sheet lists these costs as one of
/// five equally strong choices. Cutty takes the one that needs the least of an isolate's memory.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;

/// Greatest costs of a stored hash. A hash with greater costs is unusable. Earlier versions of Cutty made hashes with
/// 19 MiB and two passes.
const MAX_MEMORY_KIB: u32 = 19 * 1024;
const MAX_PASSES: u32 = 8;
const MAX_LANES: u32 = 8;

/// Greatest number of PBKDF2 iterations of a stored hash. Django 6 uses 1,200,000 iterations. A hash with more
/// iterations than `MAX_ITERATIONS` is unusable.
pub const MAX_ITERATIONS: u32 = 2_000_000;

const SALT_BYTES: usize = 16;
const MIN_CHARACTERS: usize = 8;
const MAX_BYTES: usize = 1024;

/// The result of comparing a password with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// The password is wrong, or there is no usable hash.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but the hash should be replaced by one with the current costs.
    RightButOutdated,
}

/// Hashes a password for storage.
///
/// # Errors
/// `internal` if there is not enough memory.
pub fn hash(password: &str, random: &dyn Random) -> Result<String> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    let hash: PasswordHash =
        Hasher.hash_password_with_salt(password.as_bytes(), &salt).map_err(Problem::internal)?;
    Ok(hash.to_string())
}

/// Compares a password with a stored hash, argon2id or Django's PBKDF2.
///
/// A wrong password always costs the same work: one run of argon2id, and `django_iterations` iterations of PBKDF2.
/// `django_iterations` is the greatest number of iterations of any stored Django hash, or 0 if there is no Django hash.
/// The response time therefore shows neither whether an account exists nor which kind of hash it has. There is one
/// exception: if the parameters of an argon2id hash differ from those of [`hash`], the time depends on the parameters
/// of the stored hash.
///
/// # Errors
/// `internal` if there is not enough memory.
pub fn verify(password: &str, stored: Option<&str>, django_iterations: u32) -> Result<PasswordVerdict> {
    compare(password, stored, django_iterations, &mut HashingWork::default())
}

/// The work that a comparison has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashingWork {
    /// Runs of argon2id.
    pub argon2id_runs: u32,
    /// Iterations of PBKDF2.
    pub pbkdf2_iterations: u32,
}

/// Does the same as [`verify`], and counts the work of the comparison in `work`.
///
/// # Errors
/// `internal` if there is not enough memory.
pub fn compare(
    password: &str,
    stored: Option<&str>,
    django_iterations: u32,
    work: &mut HashingWork,
) -> Result<PasswordVerdict> {
    let usable = stored.filter(|_| password.len() <= MAX_BYTES);
    let verdict = match (usable.and_then(DjangoHash::parse), usable.and_then(parse_argon2id)) {
        (Some(hash), _) if hash.matches(password, work) => PasswordVerdict::RightButOutdated,
        (None, Some((hash, params))) => verify_argon2id(password, &hash, &params, work)?,
        _ => PasswordVerdict::Wrong,
    };
    if verdict == PasswordVerdict::Wrong {
        do_remaining_work(password, django_iterations, work)?;
    }
    Ok(verdict)
}

/// Does the rest of the work that every wrong password must cost (see [`verify`]).
fn do_remaining_work(password: &str, django_iterations: u32, work: &mut HashingWork) -> Result<()> {
    let bytes = &password.as_bytes()[..password.len().min(MAX_BYTES)];
    let mut out = [0; 32];
    if work.argon2id_runs == 0 {
        work.argon2id_runs += 1;
        run_argon2(&argon2id()?, bytes, &[0; SALT_BYTES], &mut out).map_err(Problem::internal)?;
        black_box(out);
    }
    let missing = django_iterations.min(MAX_ITERATIONS).saturating_sub(work.pbkdf2_iterations);
    if missing > 0 {
        pbkdf2_sha256(bytes, &[0; SALT_BYTES], missing, &mut out, work);
        black_box(out);
    }
    Ok(())
}

fn pbkdf2_sha256(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8; 32], work: &mut HashingWork) {
    work.pbkdf2_iterations += iterations;
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, out);
}

/// Refuses passwords that are easy to guess.
///
/// # Errors
/// `weak_password`, with advice for a better password.
pub fn check_strength(password: &str, username: &str, email: Option<&str>) -> Result<()> {
    let weak = |detail: &str| Err(Problem::new(Code::WeakPassword, detail).with("field", "password"));
    let folded = password.to_lowercase();
    let mut characters = folded.chars();
    let first = characters.next();
    if password.chars().count() < MIN_CHARACTERS {
        return weak("Use at least 8 characters, for example a few words.");
    }
    if password.len() > MAX_BYTES {
        return weak("Use at most 1,024 bytes in UTF-8.");
    }
    if password.bytes().all(|byte| byte.is_ascii_digit()) {
        return weak("Digits alone are easy to guess. Add letters or words.");
    }
    if characters.all(|character| Some(character) == first) {
        return weak("One repeated character is easy to guess. Use different characters.");
    }
    if is_own_name_or_email(&folded, username, email) {
        return weak("Choose a password that is not your username or email.");
    }
    if COMMON.contains(&folded.as_str()) {
        return weak("This is a common password. Choose another one.");
    }
    Ok(())
}

fn is_own_name_or_email(folded: &str, username: &str, email: Option<&str>) -> bool {
    let email = email.unwrap_or_default().to_lowercase();
    let mailbox = email.split('@').next().unwrap_or_default();
    folded == username.to_lowercase() || folded == email || folded == mailbox
}

fn argon2id() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Problem::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

thread_local! {
    /// The memory in which argon2 makes hashes with the current costs. It is not freed after a hash. If it were freed,
    /// other requests would use a part of the free memory. Then the next hash would need a new place, and the memory
    /// of wasm would grow. The memory of wasm never shrinks.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

fn run_argon2(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], out: &mut [u8]) -> argon2::Result<()> {
    let count = argon2.params().block_count();
    if argon2.params().m_cost() > MEMORY_KIB {
        // An old hash. The caller replaces it, so its memory is needed only once.
        return argon2.hash_password_into_with_memory(
            password,
            salt,
            out,
            &mut vec![Block::default(); count],
        );
    }
    BLOCKS.with_borrow_mut(|blocks| {
        if blocks.len() < count {
            blocks.resize(count, Block::default());
        }
        argon2.hash_password_into_with_memory(password, salt, out, &mut blocks[..count])
    })
}

/// Hashes passwords with argon2id in the memory of `BLOCKS`.
struct Hasher;

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(
        &self,
        password: &[u8],
        salt: &[u8],
    ) -> argon2::password_hash::Result<PasswordHash> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        self.hash_password_customized(password, salt, None, None, params)
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> argon2::password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let mut buffer = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let out = buffer.get_mut(..length).ok_or(argon2::password_hash::Error::OutputSize)?;
        let text = ParamsString::try_from(&params)?;
        run_argon2(&Argon2::new(algorithm, version, params), password, salt, out)?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: text,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(out)?),
        })
    }
}

/// Parses an argon2id hash. Returns `None` for other formats, and for a hash whose costs exceed `MAX_MEMORY_KIB`,
/// `MAX_PASSES` or `MAX_LANES`.
fn parse_argon2id(stored: &str) -> Option<(PasswordHash, Params)> {
    let hash = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES
        && hash.algorithm.as_str() == "argon2id"
        && hash.hash.is_some();
    bounded.then_some((hash, params))
}

fn verify_argon2id(
    password: &str,
    hash: &PasswordHash,
    params: &Params,
    work: &mut HashingWork,
) -> Result<PasswordVerdict> {
    use argon2::password_hash::Error;
    work.argon2id_runs += 1;
    match Hasher.verify_password(password.as_bytes(), hash) {
        Ok(()) if (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES) => {
            Ok(PasswordVerdict::Right)
        }
        Ok(()) => Ok(PasswordVerdict::RightButOutdated),
        Err(Error::PasswordInvalid) => Ok(PasswordVerdict::Wrong),
        Err(error) => Err(Problem::internal(error)),
    }
}

/// A hash of Django's `PBKDF2PasswordHasher`: `pbkdf2_sha256$<iterations>$<salt>$<base64 of 32 bytes>`.
struct DjangoHash<'a> {
    iterations: u32,
    salt: &'a str,
    expected: [u8; 32],
}

impl<'a> DjangoHash<'a> {
    fn parse(stored: &'a str) -> Option<Self> {
        let mut parts = stored.strip_prefix("pbkdf2_sha256$")?.split('$');
        let (iterations, salt, encoded) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = digits.then(|| iterations.parse().ok()).flatten()?;
        let expected = STANDARD.decode(encoded).ok()?.try_into().ok()?;
        let usable = (1..=MAX_ITERATIONS).contains(&iterations) && !salt.is_empty() && parts.next().is_none();
        usable.then_some(Self { iterations, salt, expected })
    }

    fn matches(&self, password: &str, work: &mut HashingWork) -> bool {
        let mut derived = [0; 32];
        pbkdf2_sha256(password.as_bytes(), self.salt.as_bytes(), self.iterations, &mut derived, work);
        derived.ct_eq(&self.expected).into()
    }
}

/// Passwords of eight or more characters from the top of published lists of stolen passwords, in lower case.
const COMMON: &[&str] = &[
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "1qaz@wsx",
    "a1b2c3d4",
    "aa123456",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "abcdefghi",
    "admin123",
    "administrator",
    "asdf1234",
    "asdfasdf",
    "asdfghjk",
    "asdfghjkl",
    "baseball",
    "butterfly",
    "changeme",
    "changeme123",
    "charlie1",
    "chocolate",
    "computer",
    "corvette",
    "cutty123",
    "default1",
    "dragon123",
    "football",
    "football1",
    "hello123",
    "iloveyou",
    "iloveyou1",
    "internet",
    "jennifer",
    "jordan23",
    "letmein1",
    "letmein123",
    "liverpool",
    "login123",
    "master123",
    "michelle",
    "midnight",
    "monkey123",
    "p@ssw0rd",
    "p@ssword",
    "pass1234",
    "passw0rd",
    "password",
    "password!",
    "password1",
    "password12",
    "password123",
    "password1234",
    "passwort",
    "princess",
    "q1w2e3r4",
    "qazwsxedc",
    "qwer1234",
    "qwerty12",
    "qwerty123",
    "qwerty1234",
    "qwertyui",
    "qwertyuiop",
    "secret123",
    "shadow123",
    "starwars",
    "summer2024",
    "sunshine",
    "sunshine1",
    "superman",
    "test1234",
    "testtest",
    "trustno1",
    "welcome1",
    "welcome123",
    "whatever",
    "winter2024",
    "zaq12wsx",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct CountingRandom;

    impl Random for CountingRandom {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
        }
    }

    // Made with Python's hashlib.pbkdf2_hmac, which Django's hasher calls.
    const DJANGO: &str = "pbkdf2_sha256$1000$Zq3nT8xWc1Lr$i7SQQXStdnB8jZ6+5QjJ2dOU5zysHOYiwjDGEArD5XQ=";

    #[test]
    fn a_new_hash_has_the_documented_costs_and_matches_only_its_password() {
        let stored = hash("correct horse battery", &CountingRandom).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=7168,t=5,p=1$AQIDBAUGBwgJCgsMDQ4PEA$"), "{stored}");
        assert_eq!(verify("correct horse battery", Some(&stored), 0).unwrap(), PasswordVerdict::Right);
        for wrong in ["", "correct horse batter", "Correct horse battery", "correct horse battery\0"] {
            assert_eq!(verify(wrong, Some(&stored), 0).unwrap(), PasswordVerdict::Wrong, "{wrong:?}");
        }
    }

    #[test]
    fn a_django_hash_matches_its_password_and_is_outdated() {
        assert_eq!(
            verify("correct horse battery", Some(DJANGO), 0).unwrap(),
            PasswordVerdict::RightButOutdated
        );
        assert_eq!(verify("correct horse batterx", Some(DJANGO), 0).unwrap(), PasswordVerdict::Wrong);
    }

    #[test]
    fn a_hash_with_other_costs_matches_its_password_and_is_outdated() {
        for (memory, passes) in [(64, 1), (19 * 1024, 2)] {
            let params = Params::new(memory, passes, 1, None).unwrap();
            let other = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let stored: PasswordHash = other.hash_password_with_salt(b"some words here", &[7; 16]).unwrap();
            let stored = stored.to_string();
            assert_eq!(
                verify("some words here", Some(&stored), 0).unwrap(),
                PasswordVerdict::RightButOutdated
            );
            assert_eq!(verify("some words there", Some(&stored), 0).unwrap(), PasswordVerdict::Wrong);
        }
    }

    #[test]
    fn unusable_hashes_match_no_password() {
        let argon = hash("correct horse battery", &CountingRandom).unwrap();
        let cases = [
            String::new(),
            "!unusable".to_owned(),
            "correct horse battery".to_owned(),
            DJANGO.replace("$1000$", "$2000001$"),
            DJANGO.replace("$1000$", "$99999999999999999999$"),
            DJANGO.replace("$1000$", "$0$"),
            DJANGO.replace("$1000$", "$+1000$"),
            DJANGO.replace("pbkdf2_sha256", "pbkdf2_sha1"),
            format!("{DJANGO}$x"),
            DJANGO.trim_end_matches('=').to_owned(),
            argon.replace("m=7168", "m=4000000"),
            argon.replace("t=5", "t=4000"),
            argon.replace("argon2id", "argon2i"),
            "$argon2id$v=19$m=7168,t=5,p=1".to_owned(),
        ];
        for stored in cases {
            assert_eq!(
                verify("correct horse battery", Some(&stored), 0).unwrap(),
                PasswordVerdict::Wrong,
                "{stored}"
            );
        }
    }

    #[test]
    fn a_password_that_is_too_long_is_wrong_and_only_its_beginning_is_hashed() {
        let long = "x".repeat(1_000_000);
        let stored = hash(&long, &CountingRandom).unwrap();
        assert_eq!(verify(&long, Some(&stored), 0).unwrap(), PasswordVerdict::Wrong);
        assert_eq!(verify(&long, None, 0).unwrap(), PasswordVerdict::Wrong);
    }

    /// Compares a password and returns the verdict and the work.
    fn cost(password: &str, stored: Option<&str>, django_iterations: u32) -> (PasswordVerdict, HashingWork) {
        let mut work = HashingWork::default();
        let verdict = compare(password, stored, django_iterations, &mut work).unwrap();
        (verdict, work)
    }

    #[test]
    fn a_wrong_password_costs_the_same_work_for_every_stored_hash() {
        let argon = hash("correct horse battery", &CountingRandom).unwrap();
        let fewer = DJANGO.replace("$1000$", "$700$");
        let too_many = DJANGO.replace("$1000$", "$2000001$");
        let long = "x".repeat(MAX_BYTES + 1);
        for django_iterations in [0, 1000, 1500] {
            // `django_iterations` is never less than the iterations of a stored Django hash.
            let iterations = |own: u32| django_iterations.max(own);
            for (stored, own) in [
                (None, 0),
                (Some(""), 0),
                (Some("!unusable"), 0),
                (Some(argon.as_str()), 0),
                (Some(too_many.as_str()), 0),
                (Some(DJANGO), 1000),
                (Some(fewer.as_str()), 700),
            ] {
                let wanted = HashingWork { argon2id_runs: 1, pbkdf2_iterations: iterations(own) };
                assert_eq!(
                    cost("wrong", stored, iterations(own)),
                    (PasswordVerdict::Wrong, wanted),
                    "{stored:?}"
                );
                let longest = HashingWork { argon2id_runs: 1, pbkdf2_iterations: iterations(own) };
                assert_eq!(
                    cost(&long, stored, iterations(own)),
                    (PasswordVerdict::Wrong, longest),
                    "{stored:?}"
                );
            }
        }
    }

    #[test]
    fn the_work_for_a_wrong_password_is_limited() {
        let (_, work) = cost("wrong", None, u32::MAX);
        assert_eq!(work, HashingWork { argon2id_runs: 1, pbkdf2_iterations: MAX_ITERATIONS });
    }

    #[test]
    fn guessable_passwords_are_refused_with_a_reason() {
        let cases = [
            ("short", "at least 8"),
            ("äöüäöüä", "at least 8"),
            ("8675309867", "Digits"),
            ("aaaaaaaaaaaa", "repeated"),
            ("Password123", "common"),
            ("SomeUser_1", "username"),
            ("some.one@example.com", "username"),
            ("Some.One", "username"),
        ];
        for (password, reason) in cases {
            let problem = check_strength(password, "someuser_1", Some("some.one@example.com")).unwrap_err();
            assert_eq!(problem.code(), Code::WeakPassword);
            assert!(problem.detail().contains(reason), "{password}: {}", problem.detail());
        }
        let too_long = "long words ".repeat(100);
        assert!(check_strength(&too_long, "u", None).unwrap_err().detail().contains("1,024"));
        for good in ["correct horse battery", "pässwörd-ünï", "x7#kQ9!z"] {
            assert!(check_strength(good, "u", None).is_ok(), "{good}");
        }
    }

    #[test]
    fn every_listed_password_has_eight_characters_and_is_in_lower_case() {
        for password in COMMON {
            assert!(password.chars().count() >= MIN_CHARACTERS && *password == password.to_lowercase());
        }
    }
}
