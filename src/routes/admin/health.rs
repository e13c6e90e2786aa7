//! The health of every service and the switches, for operators.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{OperatorAct, report_read};
use crate::app::SharedApp;
use crate::audit::action::Action;
use crate::audit::security::AdminView;
use crate::domain::caller::Caller;
use crate::domain::switch::Switch;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::health::{self, Health, ServiceHealth};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::table::{Routes, route};
use crate::switches::{SwitchChange, SwitchState};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(get_service_health)).route(route!(get_switches, patch_switches))
}

/// The health of the whole service.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceHealthResponse {
    success: bool,
    health: HealthReport,
}

/// State of each service, and the switches.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthReport {
    /// When the checks were made.
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
    /// `unhealthy` if the database or the object store does not work; `degraded` if another service does not.
    status: Health,
    /// State of each service: `d1`, `r2`, `queue`, `scanner`, `email`, `redis`, and each class of Durable Objects. The
    /// state of `queue` is the outcome of the last message that this isolate sent.
    services: BTreeMap<&'static str, ServiceHealth>,
    switches: Switches,
    /// Version of the Worker.
    version: &'static str,
}

/// The switches.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Switches {
    cache_enabled: SwitchView,
    uploads_enabled: SwitchView,
    cuts_enabled: SwitchView,
    shares_enabled: SwitchView,
    read_only: SwitchView,
}

/// A switch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SwitchView {
    /// Whether the switch is on.
    value: bool,
    /// Who decides: the variable, or an operator at run time.
    source: SwitchSource,
    /// When an operator set the switch; null if its variable decides. The audit log shows who did
    /// (`action=change_switches`).
    #[schema(value_type = Option<String>, format = DateTime)]
    changed_at: Option<Timestamp>,
}

/// Who decides the position of a switch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SwitchSource {
    /// The variable.
    Variable,
    /// An operator.
    Operator,
}

impl Switches {
    fn of(states: &[SwitchState]) -> Self {
        let view = |switch: Switch| {
            let state = states.iter().find(|state| state.switch == switch);
            let changed_at = state.and_then(|state| state.changed_at);
            SwitchView {
                value: state.is_some_and(|state| state.is_on),
                source: if changed_at.is_some() { SwitchSource::Operator } else { SwitchSource::Variable },
                changed_at,
            }
        };
        Self {
            cache_enabled: view(Switch::Cache),
            uploads_enabled: view(Switch::Uploads),
            cuts_enabled: view(Switch::Cuts),
            shares_enabled: view(Switch::Shares),
            read_only: view(Switch::ReadOnly),
        }
    }
}

/// Checks every service. The response is 200 even if a service does not work. A service that has not responded after 5
/// seconds counts as unhealthy. Costs 1 D1 read, 1 R2 head, 1 call to each class of Durable Objects, at most 1 R2 put and 1
/// R2 delete in 30 seconds, and 1 D1 read if the operator signed in with an account. While the database is down, only the
/// operator token gives access.
#[utoipa::path(get, path = "/api/admin/health", tag = "admin",
    responses((status = 200, body = ServiceHealthResponse), (status = 401), (status = 403)))]
async fn get_service_health(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
) -> Result<Json<ServiceHealthResponse>> {
    let read = async {
        app.refresh_switches().await;
        let services = app.service_health().await;
        let health = HealthReport {
            checked_at: app.now(),
            status: health::overall(&services),
            services,
            switches: Switches::of(&app.known_switch_states()),
            version: env!("CARGO_PKG_VERSION"),
        };
        Ok(Json(ServiceHealthResponse { success: true, health }))
    };
    report_read(&app, operator, &caller, AdminView::Health, read).await
}

/// The switches.
#[derive(Debug, Serialize, ToSchema)]
struct SwitchesResponse {
    success: bool,
    switches: Switches,
}

/// Shows the switches. Costs 1 D1 read, and 1 more if the operator signed in with an account.
#[utoipa::path(get, path = "/api/admin/switches", tag = "admin",
    responses((status = 200, body = SwitchesResponse), (status = 401), (status = 403)))]
async fn get_switches(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
) -> Result<Json<SwitchesResponse>> {
    let read = async {
        let switches = Switches::of(&app.switch_states().await?);
        Ok(Json(SwitchesResponse { success: true, switches }))
    };
    report_read(&app, operator, &caller, AdminView::Switches, read).await
}

/// A change of switches. An absent member changes nothing. Null gives a switch back to its variable.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SwitchesChange {
    /// Whether FileCache keeps profiles and counts (`CACHE_ENABLED`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    cache_enabled: Option<Option<bool>>,
    /// Whether files can be uploaded (`UPLOADS_ENABLED`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    uploads_enabled: Option<Option<bool>>,
    /// Whether files can be cut, counted and shown as rows (`CUTS_ENABLED`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    cuts_enabled: Option<Option<bool>>,
    /// Whether links work and files can be shared (`SHARES_ENABLED`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    shares_enabled: Option<Option<bool>>,
    /// Whether changes are refused (`READ_ONLY`).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    read_only: Option<Option<bool>>,
}

/// Reads a member that may be null. It is `None` only if it is absent.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<bool>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl SwitchesChange {
    fn changes(&self) -> Vec<SwitchChange> {
        let members = [
            (Switch::Cache, self.cache_enabled),
            (Switch::Uploads, self.uploads_enabled),
            (Switch::Cuts, self.cuts_enabled),
            (Switch::Shares, self.shares_enabled),
            (Switch::ReadOnly, self.read_only),
        ];
        members.into_iter().filter_map(|(switch, change)| Some((switch, change?))).collect()
    }
}

/// Turns parts of the service off or on. The change takes effect everywhere within 10 seconds, and stays until an operator
/// changes it. A refused request gets 503 `switched_off` with `Retry-After`. A request that has begun is not interrupted.
/// Costs 1 D1 call, and 1 more if the operator signed in with an account.
#[utoipa::path(patch, path = "/api/admin/switches", tag = "admin", request_body = SwitchesChange,
    responses((status = 200, body = SwitchesResponse), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415)))]
async fn patch_switches(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<SwitchesChange>,
) -> Result<Json<SwitchesResponse>> {
    let act =
        OperatorAct { app: &app, operator: &operator.0, caller: &caller, action: Action::ChangeSwitches };
    let changes = body.changes();
    let summary: Vec<_> = changes
        .iter()
        .map(|(switch, position)| {
            let position = position.map_or("variable", |is_on| if is_on { "on" } else { "off" });
            format!("{}={position}", switch.name())
        })
        .collect();
    let change = async {
        if changes.is_empty() {
            let detail = "Send at least one of cacheEnabled, uploadsEnabled, cutsEnabled, sharesEnabled and readOnly: \
                true, false, or null for the value of the variable.";
            return Err(Problem::new(Code::BadRequest, detail));
        }
        app.change_switches(&changes).await
    };
    let states = act.log(Some(&summary.join(" ")), change).await?;
    Ok(Json(SwitchesResponse { success: true, switches: Switches::of(&states) }))
}
