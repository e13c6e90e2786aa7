//! The whole matrix of operations and credentials, over the real router. The expected status of each pair comes from the
//! rule of the operation. An operation without a rule fails the test.

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
    /// A key of the owner with every scope.
    WholeKey,
    /// A share of a file that the request is not about.
    Share,
}

impl Credential {
    fn all() -> Vec<Self> {
        let keys = Scope::ALL.into_iter().map(Self::Key);
        let others = [
            Self::None,
            Self::Owner,
            Self::OtherUser,
            Self::Admin,
            Self::Operator,
            Self::WholeKey,
            Self::Share,
        ];
        others.into_iter().chain(keys).collect()
    }

    /// Whether a rule admits the credential.
    fn is_admitted(self, admits: Admits) -> bool {
        let has = |scope: &Scope| match self {
            Self::Key(own) => own == *scope,
            Self::Share => *scope == Scope::Read,
            Self::Owner | Self::OtherUser | Self::Admin | Self::WholeKey => true,
            Self::None | Self::Operator => false,
        };
        match admits {
            Admits::Everyone => true,
            Admits::Account => matches!(self, Self::Owner | Self::OtherUser | Self::Admin),
            Admits::Operator => matches!(self, Self::Admin | Self::Operator),
            Admits::All(scopes) | Admits::TokenOnly(scopes) => scopes.iter().all(has),
            Admits::Any(scopes) => scopes.iter().any(has),
        }
    }

    /// Gives a request these credentials instead of its own.
    fn apply(self, call: Call, scene: &Scene) -> Call {
        let call = call.without("authorization");
        let owner = || UserId::parse("ada").unwrap();
        let key = |scopes| Principal::ApiKey { id: ApiKeyId::parse(ID).unwrap(), owner: owner(), scopes };
        match self {
            Self::None => call,
            Self::Owner if scene.access.is_empty() => call.bearer(&scene.token),
            Self::Owner => call.bearer(&scene.access),
            Self::OtherUser => call.bearer(&scene.app.user("bob")),
            Self::Admin => {
                let token = scene.app.user("root");
                scene.app.database.execute("UPDATE users SET role = 'admin' WHERE id = 'root'");
                call.bearer(&token)
            }
            Self::Operator => call.bearer(OPERATOR_TOKEN),
            Self::Key(scope) => call.by(key(Scopes::of([scope]))),
            Self::WholeKey => call.by(key(Scopes::all())),
            Self::Share => call.by(Principal::Share {
                id: ShareId::parse(ID).unwrap(),
                owner: owner(),
                file: FileId::parse(ID).unwrap(),
                scopes: Scopes::of([Scope::Read]),
            }),
        }
    }

    /// Whether files of Ada do not exist for these credentials.
    fn is_stranger(self) -> bool {
        matches!(self, Self::OtherUser | Self::Admin | Self::Share)
    }
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
            (Admits::Any(scopes), With(needed)) => needed.iter().all(|scope| scopes.contains(scope)),
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
            let call = credential.apply(case.3(&scene), &scene);
            let response = scene.app.send(call).await;
            let status = response.status.as_u16();
            let note = format!("{name} by {credential:?}: {response}");
            sent += 1;
            if admits == Admits::Everyone {
                assert!(![401, 403].contains(&status), "{note}");
            } else if !credential.is_admitted(admits) {
                // The operator token is no access token.
                let is_unknown = credential == Credential::None
                    || (credential == Credential::Operator && admits != Admits::Operator)
                    || (admits == Admits::Operator
                        && matches!(
                            credential,
                            Credential::Key(_) | Credential::WholeKey | Credential::Share
                        ));
                assert_eq!(status, if is_unknown { 401 } else { 403 }, "{note}");
                assert_eq!(scene.app.database.row_counts().get("files"), before.get("files"), "{note}");
            } else if path.contains('{') && credential.is_stranger() && admits != Admits::Operator {
                assert!(status == 404 || (credential == Credential::Share && status == 403), "{note}");
            } else if credential != Credential::Share
                && matches!(credential, Credential::Owner | Credential::WholeKey)
            {
                assert!(response.status.is_success() || status == 304, "{note}");
            }
            assert!(!response.text().contains(other["id"].as_str().unwrap()), "{note}");
        }
    }
    assert!(sent > 60 * 12, "{sent}");
}
