//! The whole matrix of operations and credentials, over the real router. The expected status of each pair comes from the
//! rule of the operation. An operation without a rule fails the test.

use cutty::auth::keys::NewKey;
use cutty::domain::ids::{ApiKeyId, FileId, ShareId, UserId};
use cutty::domain::principal::{Principal, Scope, Scopes};
use cutty::routes::access::{Admits, RULES, rule_of};

use super::scene::Scene;
use super::{All, CASES, CSV, Case, Operator, User, With};
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::Call;
use crate::support::contract::operations;

const ID: &str = "018f0000-0000-7000-8000-000000000001";

/// The credentials of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Credential {
    None,
    Owner,
    OtherUser,
    Admin,
    Operator,
    /// A key of the owner with this scope.
    Key(Scope),
    /// A key of the owner with every scope. The owner has not the role `admin`.
    WholeKey,
    /// A key of an admin with every scope.
    AdminsKey,
    /// A key of the owner with every scope except `admin`, and with a tag that no file has.
    TaggedKey,
    /// A key of the owner that has expired.
    ExpiredKey,
    /// A key of the owner that was revoked.
    RevokedKey,
    /// A secret whose overlap after a rotation has ended.
    ReplacedKey,
    /// A key of the owner, whose account is disabled.
    KeyOfDisabled,
    /// A share of a file that the request is not about.
    Share,
}
use Credential::{
    Admin, AdminsKey, ExpiredKey, KeyOfDisabled, OtherUser, Owner, ReplacedKey, RevokedKey, Share, TaggedKey,
    WholeKey,
};

/// The tag of [`Credential::TaggedKey`].
const TAG: &str = "tag of the key";

impl Credential {
    fn all() -> Vec<Self> {
        let keys = Scope::ALL.into_iter().map(Self::Key);
        let others = [
            Self::None,
            Owner,
            OtherUser,
            Admin,
            Self::Operator,
            WholeKey,
            AdminsKey,
            TaggedKey,
            ExpiredKey,
            RevokedKey,
            ReplacedKey,
            KeyOfDisabled,
            Share,
        ];
        others.into_iter().chain(keys).collect()
    }

    /// Whether the service knows the sender.
    fn is_known(self, admits: Admits) -> bool {
        match self {
            Self::None | ExpiredKey | RevokedKey | ReplacedKey | KeyOfDisabled => false,
            // The operator token is no access token.
            Self::Operator => admits == Admits::Operator,
            _ => true,
        }
    }

    /// Whether a rule admits the credential.
    fn is_admitted(self, admits: Admits) -> bool {
        let has = |scope: &Scope| match self {
            Self::Key(own) => own == *scope,
            Share => *scope == Scope::Read,
            _ => self.is_known(admits),
        };
        match admits {
            Admits::Everyone => true,
            Admits::Account => matches!(self, Owner | OtherUser | Admin),
            Admits::Operator => matches!(self, Admin | Self::Operator | AdminsKey),
            Admits::All(scopes) | Admits::TokenOnly(scopes) => scopes.iter().all(has),
        }
    }

    /// Gives a request these credentials instead of its own.
    async fn apply(self, call: Call, scene: &Scene) -> Call {
        let call = call.without("authorization");
        let owner = UserId::parse("ada").unwrap();
        match self {
            Self::None => call,
            Owner if scene.access.is_empty() => call.bearer(&scene.token),
            Owner => call.bearer(&scene.access),
            OtherUser => call.bearer(&scene.app.user("bob")),
            Admin => call.bearer(&admin(scene)),
            Self::Operator => call.bearer(OPERATOR_TOKEN),
            Self::Key(scope) => call.bearer(&made(scene, &owner, Scopes::of([scope]), None).await.1),
            WholeKey => call.bearer(&made(scene, &owner, Scopes::all(), None).await.1),
            AdminsKey => {
                admin(scene);
                let admin = UserId::parse("root").unwrap();
                call.bearer(&made(scene, &admin, Scopes::all(), None).await.1)
            }
            TaggedKey => {
                let scopes = Scopes::all().without(Scope::Admin);
                call.bearer(&made(scene, &owner, scopes, Some(TAG)).await.1)
            }
            ExpiredKey | RevokedKey | ReplacedKey | KeyOfDisabled => {
                let (key, secret) = made(scene, &owner, Scopes::all(), None).await;
                let now = scene.app.now();
                match self {
                    RevokedKey => scene.app.keys().revoke(&owner, key, &Default::default()).await.unwrap(),
                    ReplacedKey => {
                        drop(scene.app.keys().rotate(&owner, key, 0, &Default::default()).await.unwrap())
                    }
                    ExpiredKey => {
                        scene.app.database.execute(&format!("UPDATE api_keys SET expires_at = '{now}'"))
                    }
                    _ => {
                        let disable = format!("UPDATE users SET disabled_at = '{now}' WHERE id = 'ada'");
                        scene.app.database.execute(&disable);
                    }
                }
                call.bearer(&secret)
            }
            Share => call.by(Principal::Share {
                id: ShareId::parse(ID).unwrap(),
                owner,
                file: FileId::parse(ID),
                scopes: Scopes::of([Scope::Read]),
            }),
        }
    }

    /// Whether files of Ada do not exist for these credentials.
    fn is_stranger(self) -> bool {
        matches!(self, OtherUser | Admin | Share | AdminsKey | TaggedKey)
    }
}

/// Returns the token of a user with the role `admin`.
fn admin(scene: &Scene) -> String {
    let token = scene.app.user("root");
    scene.app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'root'");
    token
}

/// Makes an API key. Returns its id and its secret.
async fn made(scene: &Scene, owner: &UserId, scopes: Scopes, tag: Option<&str>) -> (ApiKeyId, String) {
    let new = NewKey { name: "of the matrix", scopes: &scopes, tag, expires_at: None };
    let (key, secret) = scene.app.keys().make(owner, &new, &Default::default()).await.unwrap();
    (key.id, secret.as_str().to_owned())
}

#[test]
fn every_operation_has_one_rule_and_every_rule_has_an_operation() {
    let named = |method: &str, path: &str| format!("{method} {path}");
    let mut described: Vec<_> =
        operations().iter().map(|operation| named(operation.method.as_str(), operation.template)).collect();
    let mut ruled: Vec<_> = RULES.iter().map(|rule| named(rule.method, rule.path)).collect();
    described.sort();
    ruled.sort();
    assert_eq!(ruled, described);
}

#[test]
fn the_usual_case_of_each_operation_agrees_with_its_rule() {
    for Case(name, access, ..) in CASES.iter().filter(|case| case.is_usual()) {
        let (method, path) = name.split_once(' ').unwrap();
        let agrees = match (rule_of(method, path).unwrap().admits, *access) {
            (Admits::Everyone, All) | (Admits::Account, User) | (Admits::Operator, Operator) => true,
            (Admits::All(scopes) | Admits::TokenOnly(scopes), With(needed)) => scopes == needed,
            _ => false,
        };
        assert!(agrees, "{name}");
    }
}

#[tokio::test]
async fn each_operation_admits_exactly_the_credentials_of_its_rule() {
    let mut sent = 0;
    for case in CASES.iter().filter(|case| case.is_usual()) {
        let name = case.0;
        let (method, path) = name.split_once(' ').unwrap();
        let admits = rule_of(method, path).unwrap().admits;
        for credential in Credential::all() {
            let scene = Scene::new(case).await;
            let other = scene.app.upload(&scene.app.user("zoe"), "z.csv", CSV).await;
            let before = scene.app.database.row_counts();
            let call = credential.apply(case.3(&scene), &scene).await;
            let response = scene.app.send(call).await;
            let status = response.status.as_u16();
            let note = format!("{name} by {credential:?}: {response}");
            sent += 1;
            if admits == Admits::Everyone {
                assert!(![401, 403].contains(&status), "{note}");
            } else if !credential.is_admitted(admits) {
                assert_eq!(status, if credential.is_known(admits) { 403 } else { 401 }, "{note}");
                assert_eq!(scene.app.database.row_counts().get("files"), before.get("files"), "{note}");
            } else if credential == TaggedKey
                && (path.starts_with("/api/recipes") || name == "PATCH /api/files/{id}")
            {
                // Recipes belong to no file, and the new tags of the file do not have the tag of the key.
                assert_eq!(status, 403, "{note}");
            } else if credential == TaggedKey && ["/api/downloads", "/api/filters/parse"].contains(&path) {
                assert_eq!(status, 404, "{note}");
            } else if path.contains('{') && credential.is_stranger() && admits != Admits::Operator {
                assert!(status == 404 || (credential == Share && status == 403), "{note}");
            } else if matches!(credential, Owner | WholeKey | Credential::Key(_) | AdminsKey | TaggedKey)
                && !(credential == AdminsKey && !path.contains('{') && admits != Admits::Operator)
            {
                assert!(response.status.is_success() || status == 304, "{note}");
            }
            if credential == TaggedKey && !scene.subject.is_empty() {
                let id = scene.subject.rsplit('/').next().unwrap();
                let is_told = status == 200 && response.text().contains(id);
                assert!(admits == Admits::Everyone || !is_told, "{note}");
            }
            // Operators see the entries of every user.
            let is_told = response.text().contains(other["id"].as_str().unwrap());
            assert!(!is_told || path == "/api/admin/audit", "{note}");
        }
    }
    assert!(sent > 60 * 18, "{sent}");
}
