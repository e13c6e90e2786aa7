//! The mailbox of a development server, for operators.

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{AdminPage, report_read};
use crate::app::SharedApp;
use crate::audit::security::AdminView;
use crate::auth::mailbox::MailboxMessage;
use crate::domain::caller::Caller;
use crate::error::Result;
use crate::routes::extract::identity::OperatorOnly;
use crate::routes::extract::params::Params;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(list_mailbox))
}

/// Query of the mailbox.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MailboxParams {
    /// Number of messages on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// Messages, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MailboxResponse {
    success: bool,
    messages: Vec<MailboxMessage>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists the messages that a development server kept instead of sending them, newest first. The newest 200 messages are
/// kept, for one day. A service that sends email, or none, has no mailbox. Costs 1 D1 read, and 1 more if the operator
/// signed in with an account.
#[utoipa::path(get, path = "/api/admin/mailbox", tag = "admin", params(MailboxParams),
    responses((status = 200, body = MailboxResponse), (status = 400), (status = 401), (status = 403),
        (status = 404, description = "not_found: the service has no mailbox")))]
async fn list_mailbox(
    State(app): State<SharedApp>,
    operator: OperatorOnly,
    Extension(caller): Extension<Caller>,
    Params(params): Params<MailboxParams>,
) -> Result<Json<MailboxResponse>> {
    let read = async {
        let page = AdminPage::read(params.limit.as_deref(), params.cursor.as_deref())?;
        let messages = app.mailbox(page.before.as_deref(), page.limit + 1).await?;
        let (messages, next_cursor) = page.split(messages, |message| message.id.to_string());
        Ok(Json(MailboxResponse { success: true, messages, has_more: next_cursor.is_some(), next_cursor }))
    };
    report_read(&app, operator, &caller, AdminView::Mailbox, read).await
}
