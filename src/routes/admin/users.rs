//! The accounts, for operators.

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{OperatorAct, report_read};
use crate::app::SharedApp;
use crate::audit::action::Action;
use crate::audit::security::AdminView;
use crate::auth::accounts::{AccountChange, AccountFacts, AccountQuery};
use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::prices::{MAX_DOLLARS, Micros};
use crate::domain::principal::Role;
use crate::domain::spending::WhenBudgetSpent;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::pagination::{self, Cursor, ListFingerprint, MAX_SAFE_INTEGER};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::PathText;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(list_users)).route(route!(patch_user))
}

/// Query of the list of accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UserParams {
    /// Only accounts whose username or email contains this text; the case of ASCII letters is ignored.
    q: Option<String>,
    /// Number of accounts on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// Accounts, ordered by username.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsersResponse {
    success: bool,
    users: Vec<AccountFacts>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists the accounts by username. With `q`, Cutty looks at all accounts. Costs 1 D1 read, and 1 more if the operator
/// signed in with an account.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", params(UserParams),
    responses((status = 200, body = UsersResponse), (status = 400), (status = 401), (status = 403)))]
async fn list_users(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<UserParams>,
) -> Result<Json<UsersResponse>> {
    let read = async {
        let limit = pagination::parse_limit(params.limit.as_deref())?;
        let fingerprint = ListFingerprint::of(&["users", params.q.as_deref().unwrap_or_default()]);
        let cursor = params.cursor.as_deref().map(|cursor| Cursor::decode(cursor, fingerprint, false));
        let cursor = cursor.transpose().map_err(|error| Problem::new(Code::BadCursor, sentence(&error)))?;
        let query = AccountQuery {
            part: params.q.as_deref(),
            after: cursor.as_ref().map_or("", |cursor| cursor.sort_key.as_str()),
            limit: u64::from(limit) + 1,
        };
        let mut users = app.accounts().list(&query).await?;
        let has_more = users.len() > limit as usize;
        users.truncate(limit as usize);
        let next_cursor = users.last().filter(|_| has_more).and_then(|last| {
            let (sort_key, id) = (last.username.clone(), last.id.to_string());
            Cursor { sort_key, id, descending: false, fingerprint }.encode()
        });
        Ok(Json(UsersResponse { success: true, users, has_more, next_cursor }))
    };
    report_read(&app, operator, &caller, AdminView::Users, read).await
}

/// A change of an account. An absent member changes nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UserChange {
    /// The new role.
    role: Option<Role>,
    /// Whether the account is disabled. A disabled account cannot sign in, its sessions end, and its links and uploads are
    /// refused within 60 seconds. Its files stay.
    disabled: Option<bool>,
    /// The new quota in bytes; null for the default (`DEFAULT_QUOTA_BYTES`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>, maximum = 9007199254740991_u64)]
    quota_bytes: Option<Option<u64>>,
    /// The new greatest number of files; null for the default (`MAX_FILES_PER_USER`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>, maximum = 9007199254740991_u64)]
    quota_files: Option<Option<u64>>,
    /// The new allowance in bytes for permanently deleted files that wait for their purge; null for the default
    /// (`WAITING_QUOTA_PERCENT` of the quota).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>, maximum = 9007199254740991_u64)]
    purge_allowance_bytes: Option<Option<u64>>,
    /// The new monthly budget in US dollars, with at most 6 decimals; null for none. If the budget is 0, it is spent from
    /// the start.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1_000_000_000)]
    budget_usd: Option<Option<f64>>,
    /// What happens when the budget of a month is spent: `warn` (the usage shows it), `refuseCuts` (cuts and saved cuts are
    /// refused) or `refuseChanges` (uploads are refused too). The default is `warn`.
    when_budget_spent: Option<WhenBudgetSpent>,
}

impl UserChange {
    /// Returns the changed members, for the audit log.
    fn summary(&self) -> String {
        let role = self.role.map(|role| format!(" role={}", role.name()));
        let disabled = self.disabled.map(|disabled| format!(" disabled={disabled}"));
        let number = |name: &str, number: Option<Option<f64>>| {
            let text =
                number.map(|number| number.map_or_else(|| "default".to_owned(), |number| number.to_string()));
            text.map(|text| format!(" {name}={text}"))
        };
        #[allow(clippy::cast_precision_loss)]
        let whole = |name: &str, value: Option<Option<u64>>| {
            number(name, value.map(|value| value.map(|value| value as f64)))
        };
        let limits = [
            whole("quotaBytes", self.quota_bytes),
            whole("quotaFiles", self.quota_files),
            whole("purgeAllowanceBytes", self.purge_allowance_bytes),
            number("budgetUsd", self.budget_usd),
        ];
        let spent = self.when_budget_spent.map(|when| format!(" whenBudgetSpent={}", when.name()));
        [role, disabled].into_iter().chain(limits).chain([spent]).flatten().collect()
    }

    /// Checks the numbers and returns the change.
    ///
    /// # Errors
    /// `bad_request`, which names the member.
    fn checked(&self) -> Result<AccountChange> {
        let refuse = |name: &str, wanted: &str| {
            let detail = format!("{name} must be {wanted}, or null.");
            Problem::new(Code::BadRequest, detail).with("field", name)
        };
        for (name, number) in [
            ("quotaBytes", self.quota_bytes),
            ("quotaFiles", self.quota_files),
            ("purgeAllowanceBytes", self.purge_allowance_bytes),
        ] {
            if number.flatten().is_some_and(|number| number > MAX_SAFE_INTEGER) {
                return Err(refuse(name, &format!("a whole number from 0 to {MAX_SAFE_INTEGER}")));
            }
        }
        let wanted = format!("a number of dollars from 0 to {MAX_DOLLARS} with at most 6 decimals");
        let parse = |dollars: f64| Micros::from_dollars(dollars).ok_or_else(|| refuse("budgetUsd", &wanted));
        Ok(AccountChange {
            role: self.role,
            disabled: self.disabled,
            quota_bytes: self.quota_bytes,
            quota_files: self.quota_files,
            purge_allowance_bytes: self.purge_allowance_bytes,
            budget: self.budget_usd.map(|dollars| dollars.map(parse).transpose()).transpose()?,
            when_budget_spent: self.when_budget_spent,
        })
    }
}

/// Reads a member that may be null. It is `None` only if it is absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUserResponse)]
struct UserChanged {
    success: bool,
    user: AccountFacts,
}

/// Changes the role, the limits or the monthly budget of an account, disables it, or enables it again. A changed budget
/// has an effect within 5 minutes. Costs 1 D1 call, and 1 more if the operator signed in with an account.
#[utoipa::path(patch, path = "/api/admin/users/{id}", tag = "admin", request_body = UserChange,
    params(("id" = String, Path, description = "Id of the user")),
    responses((status = 200, body = UserChanged), (status = 400), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "conflict: operators cannot disable their own account or give up their own role"),
        (status = 413), (status = 415)))]
async fn patch_user(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
    JsonBody(body): JsonBody<UserChange>,
) -> Result<Json<UserChanged>> {
    let act = OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::ChangeUser };
    let change = async {
        let no_such_user = || {
            Problem::new(Code::NotFound, "There is no such account. GET /api/admin/users lists the accounts.")
        };
        let user = UserId::parse(&id).ok_or_else(no_such_user)?;
        let gives_up = body.disabled == Some(true) || body.role == Some(Role::User);
        if operator.0.owner() == Some(&user) && gives_up {
            let detail =
                "You cannot disable your own account or give up your own role. Ask another operator.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let change = body.checked()?;
        app.accounts().change(&user, &change).await?.ok_or_else(no_such_user)
    };
    let user = act.log(Some(&format!("{id}{}", body.summary())), change).await?;
    Ok(Json(UserChanged { success: true, user }))
}
