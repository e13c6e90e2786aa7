//! A table of all operations of the API. For each operation, tests check three things: the callers that the operation
//! allows, the number of calls that it makes to ports, and the state after a failed call. A test fails if a route has
//! no line in the table, or if a line has no route.

mod broken;
mod cost;
mod degraded;
mod description;
mod headers;
mod matrix;
mod principals;
mod record;
mod scene;
mod schemas;

use cutty::domain::principal::Scope::{self, Cut, Read, Share, Write};
use http::Method;
use serde_json::json;

use self::scene::Setup::{
    self, Account, BothParts, File, Finding, Forgotten, HalfShared, HalfUpload, Key, Link, LostResponse,
    Nothing, Receipt, Recipe, Repeat, Saved, Ticket, Trashed, Unverified, UploadLink,
};
use self::scene::{Scene, eve};
use super::form::long_csv;
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, Form, delete, get, head, patch_json, post, post_json, upload};
use crate::support::parts::{complete, create as create_in_parts, part};
use crate::support::tus::{CHUNK, create, create_with, patch, tus};

const CSV: &str = "a,b\n1,2\n3,4\n";

/// The callers that an operation allows.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    /// Every client.
    All,
    /// A signed-in user, for their own account.
    User,
    /// A principal with all of these scopes.
    With(&'static [Scope]),
    /// An operator.
    Operator,
}
use Access::{All, Operator, User, With};

/// One request of an operation. The fields are: (1) the name of the case; (2) the callers that the operation allows;
/// (3) the state before the request; (4) a function that makes the request.
///
/// The name of the usual request is the method and path of the operation. The name of each other request adds a comma
/// and the special property of the request, such as `DELETE /api/files/{id}, permanent`.
struct Case(&'static str, Access, Setup, fn(&Scene) -> Call);

impl Case {
    /// Returns the method and path of the operation, without the special property.
    fn operation(&self) -> &'static str {
        self.0.split(',').next().unwrap_or_default()
    }

    /// Whether this is the usual request of its operation.
    fn is_usual(&self) -> bool {
        self.0 == self.operation()
    }
}

fn keyed(call: Call) -> Call {
    call.header("idempotency-key", "k")
}

fn session(action: &str, scene: &Scene) -> Call {
    post_json(&format!("/api/auth/{action}"), &json!({"refresh_token": scene.subject}))
}

const CASES: &[Case] = &[
    Case("DELETE /api/auth/sessions", User, Account, |on| delete("/api/auth/sessions").bearer(&on.access)),
    Case("DELETE /api/auth/sessions/{id}", User, Account, |on| {
        delete(&format!("/api/auth/sessions/{}", on.session)).bearer(&on.access)
    }),
    Case("DELETE /api/files/multipart/{id}", With(&[Write]), BothParts, |on| delete(&on.subject)),
    Case("DELETE /api/files/{id}", With(&[Write]), File, |on| delete(&on.subject)),
    Case("DELETE /api/files/{id}, if-match", With(&[Read, Write]), File, |on| {
        delete(&on.subject).header("if-match", "*")
    }),
    Case("DELETE /api/files/{id}, permanent", With(&[Write]), File, |on| {
        delete(&format!("{}?permanent=true", on.subject))
    }),
    Case("DELETE /api/files/{id}, keyed", With(&[Write]), File, |on| keyed(delete(&on.subject))),
    Case("DELETE /api/files/{id}, keyed, again", With(&[Write]), Repeat, |on| keyed(delete(&on.subject))),
    Case("DELETE /api/keys/{id}", User, Key, |on| delete(&on.subject)),
    Case("DELETE /api/recipes/{id}", With(&[Write]), Recipe, |on| delete(&on.subject)),
    Case("DELETE /api/shared/{token}/uploads/{id}", All, HalfShared, |on| tus(delete(&on.subject))),
    Case("DELETE /api/shares/{id}", With(&[Share]), Link, |on| delete(on.share())),
    Case("DELETE /api/uploads/{id}", With(&[Write]), HalfUpload, |on| tus(delete(&on.subject))),
    Case("GET /api/admin/audit", Operator, File, |_| get("/api/admin/audit").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/audit, an export", Operator, File, |_| {
        get("/api/admin/audit?format=csv").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/findings", Operator, Finding, |_| get("/api/admin/findings").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/health", Operator, Nothing, |_| get("/api/admin/health").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/isolate", Operator, Nothing, |_| get("/api/admin/isolate").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/mailbox", Operator, Unverified, |_| {
        get("/api/admin/mailbox").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/metrics/performance", Operator, Nothing, |_| {
        get("/api/admin/metrics/performance").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/metrics/prometheus", Operator, Nothing, |_| {
        get("/api/admin/metrics/prometheus").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/metrics/series", Operator, Nothing, |_| {
        get("/api/admin/metrics/series").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/metrics/summary", Operator, Nothing, |_| {
        get("/api/admin/metrics/summary").bearer(OPERATOR_TOKEN)
    }),
    Case("GET /api/admin/sweeps", Operator, Nothing, |_| get("/api/admin/sweeps").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/switches", Operator, Nothing, |_| get("/api/admin/switches").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/usage", Operator, File, |_| get("/api/admin/usage").bearer(OPERATOR_TOKEN)),
    Case("GET /api/admin/users", Operator, File, |_| get("/api/admin/users").bearer(OPERATOR_TOKEN)),
    Case("GET /api/auth/session", All, Account, |on| {
        get("/api/auth/session")
            .header("cookie", format!("__Secure-cutty-refresh={}", on.subject))
            .header("sec-fetch-site", "same-origin")
    }),
    Case("GET /api/auth/sessions", User, Account, |on| get("/api/auth/sessions").bearer(&on.access)),
    Case("GET /api/auth/sign-ins", User, Account, |on| get("/api/auth/sign-ins").bearer(&on.access)),
    Case("GET /api/auth/user", User, Nothing, |_| get("/api/auth/user")),
    Case("GET /api/cuts", With(&[Read]), Receipt, |_| get("/api/cuts")),
    Case("GET /api/cuts/{id}", With(&[Read]), Receipt, |on| get(&on.subject)),
    Case("GET /api/cuts/{id}/recipe", With(&[Read]), Receipt, |on| get(&format!("{}/recipe", on.subject))),
    Case("GET /api/downloads/{ticket}", All, Ticket, |on| get(&on.subject)),
    Case("GET /api/downloads/{ticket}, a cut", All, Ticket, |on| get(&on.subject)),
    Case("GET /api/files", With(&[Read]), File, |_| get("/api/files")),
    Case("GET /api/files/multipart/{id}", With(&[Write]), BothParts, |on| get(&on.subject)),
    Case("GET /api/files/multipart/{id}/parts", With(&[Write]), BothParts, |on| {
        get(&format!("{}/parts", on.subject))
    }),
    Case("GET /api/files/{id}", With(&[Read]), File, |on| get(&on.subject)),
    Case("GET /api/files/{id}, one range", With(&[Read]), File, |on| {
        get(&on.subject).header("range", "bytes=0-1")
    }),
    Case("GET /api/files/{id}, three ranges", With(&[Read]), File, |on| {
        get(&on.subject).header("range", "bytes=0-0,2-2,4-4")
    }),
    Case("GET /api/files/{id}, not modified", With(&[Read]), File, |on| {
        get(&on.subject).header("if-none-match", "*")
    }),
    Case("GET /api/files/{id}/columns", With(&[Read]), File, |on| get(&format!("{}/columns", on.subject))),
    Case("GET /api/files/{id}/cut", With(&[Cut]), File, |on| get(&format!("{}/cut", on.subject))),
    Case("GET /api/files/{id}/cut, whole", With(&[Cut]), File, |on| {
        get(&format!("{}/cut?streaming=false", on.subject))
    }),
    Case("GET /api/files/{id}/count", With(&[Cut]), File, |on| get(&format!("{}/count?a__eq=1", on.subject))),
    Case("GET /api/files/{id}/estimate", With(&[Cut]), File, |on| {
        get(&format!("{}/estimate?a__eq=1", on.subject))
    }),
    Case("GET /api/files/{id}/fields", With(&[Read]), File, |on| get(&format!("{}/fields", on.subject))),
    Case("GET /api/files/{id}/history", With(&[Share]), File, |on| get(&format!("{}/history", on.subject))),
    Case("GET /api/files/{id}/lineage", With(&[Read]), File, |on| get(&format!("{}/lineage", on.subject))),
    Case("GET /api/files/{id}/metadata", With(&[Read]), File, |on| get(&format!("{}/metadata", on.subject))),
    Case("GET /api/files/{id}/process", With(&[Cut]), File, |on| get(&format!("{}/process", on.subject))),
    Case("GET /api/files/{id}/profile", With(&[Read]), File, |on| get(&format!("{}/profile", on.subject))),
    Case("GET /api/files/{id}/recipe", With(&[Read]), Saved, |on| get(&format!("{}/recipe", on.subject))),
    Case("GET /api/files/{id}/rows", With(&[Read]), File, |on| get(&format!("{}/rows", on.subject))),
    Case("GET /api/files/{id}/rows, with a filter", With(&[Read]), File, |on| {
        get(&format!("{}/rows?a__eq=1", on.subject))
    }),
    Case("GET /api/keys", User, Key, |_| get("/api/keys")),
    Case("GET /api/openapi.json", All, Nothing, |_| get("/api/openapi.json")),
    Case("GET /api/recipes", With(&[Read]), Recipe, |_| get("/api/recipes")),
    Case("GET /api/recipes, for a file", With(&[Read]), Recipe, |on| {
        get(&format!("/api/recipes?fileId={}", on.parts[0].as_str().unwrap()))
    }),
    Case("GET /api/recipes/{id}", With(&[Read]), Recipe, |on| get(&on.subject)),
    Case("GET /api/shared/{token}", All, Link, |on| get(&on.subject)),
    Case("GET /api/shared/{token}, counted", All, Link, |on| get(&on.subject)),
    Case("GET /api/shared/{token}/info", All, Link, |on| get(&format!("{}/info", on.subject))),
    Case("GET /api/shared/{token}/rows", All, Link, |on| get(&format!("{}/rows", on.subject))),
    Case("GET /api/shares", With(&[Share]), Link, |_| get("/api/shares")),
    Case("GET /api/shares/{id}", With(&[Share]), Link, |on| get(on.share())),
    Case("GET /api/usage", User, Nothing, |_| get("/api/usage")),
    Case("GET /health", All, Nothing, |_| get("/health")),
    Case("GET /health/ready", All, Nothing, |_| get("/health/ready")),
    Case("GET /health/storage", All, Nothing, |_| get("/health/storage")),
    Case("HEAD /api/files/{id}", With(&[Read]), File, |on| head(&on.subject)),
    Case("HEAD /api/shared/{token}/uploads/{id}", All, HalfShared, |on| tus(head(&on.subject))),
    Case("HEAD /api/uploads/{id}", With(&[Write]), HalfUpload, |on| tus(head(&on.subject))),
    Case("OPTIONS /api/shared/{token}/uploads", All, UploadLink, |on| {
        Call::new(Method::OPTIONS, &format!("{}/uploads", on.subject))
    }),
    Case("OPTIONS /api/shared/{token}/uploads/{id}", All, HalfShared, |on| {
        Call::new(Method::OPTIONS, &on.subject)
    }),
    Case("OPTIONS /api/uploads", All, Nothing, |_| Call::new(Method::OPTIONS, "/api/uploads")),
    Case("OPTIONS /api/uploads/{id}", All, HalfUpload, |on| Call::new(Method::OPTIONS, &on.subject)),
    Case("PATCH /api/admin/switches", Operator, Nothing, |_| {
        patch_json("/api/admin/switches", &json!({"readOnly": true})).bearer(OPERATOR_TOKEN)
    }),
    Case("PATCH /api/admin/users/{id}", Operator, File, |_| {
        let body = json!({"role": "user", "disabled": false, "quotaBytes": 1_000_000, "quotaFiles": 10, "budgetUsd": 2.5});
        patch_json("/api/admin/users/ada", &body).bearer(OPERATOR_TOKEN)
    }),
    Case("PATCH /api/auth/user", User, Account, |on| {
        let body = json!({
            "username": "Evelyn", "email": "evelyn@example.com", "current_password": "correct horse battery",
        });
        patch_json("/api/auth/user", &body).bearer(&on.access)
    }),
    Case("PATCH /api/files/{id}", With(&[Write]), File, |on| {
        patch_json(&on.subject, &json!({"filename": "c.csv", "tags": ["x"]}))
    }),
    Case("PATCH /api/files/{id}, nothing", With(&[Write]), File, |on| patch_json(&on.subject, &json!({}))),
    Case("PATCH /api/files/{id}, if-match", With(&[Read, Write]), File, |on| {
        patch_json(&on.subject, &json!({})).header("if-match", "*")
    }),
    Case("PATCH /api/files/{id}, keyed", With(&[Write]), File, |on| {
        keyed(patch_json(&on.subject, &json!({"tags": ["x"]})))
    }),
    Case("PATCH /api/files/{id}, keyed, again", With(&[Write]), Repeat, |on| {
        keyed(patch_json(&on.subject, &json!({"tags": ["x"]})))
    }),
    Case("PATCH /api/keys/{id}", User, Key, |on| {
        patch_json(&on.subject, &json!({"name": "other", "expiresAt": null}))
    }),
    Case("PATCH /api/recipes/{id}", With(&[Write]), Recipe, |on| {
        patch_json(&on.subject, &json!({"name": "other"}))
    }),
    Case("PATCH /api/shared/{token}/uploads/{id}", All, HalfShared, |on| {
        let rest = &CSV.as_bytes()[CSV.len() / 2..];
        patch(&on.subject, CSV.len() / 2).bytes(rest.to_vec())
    }),
    Case("PATCH /api/shares/{id}", With(&[Share]), Link, |on| {
        patch_json(on.share(), &json!({"expiresIn": 60}))
    }),
    Case("PATCH /api/uploads/{id}", With(&[Write]), HalfUpload, |on| {
        let rest = &CSV.as_bytes()[CSV.len() / 2..];
        let call = tus(Call::new(Method::PATCH, &on.subject)).header("upload-offset", CSV.len() / 2);
        call.header("content-type", CHUNK).bytes(rest.to_vec())
    }),
    Case("POST /api/admin/audit/verify", Operator, File, |_| {
        post("/api/admin/audit/verify").bearer(OPERATOR_TOKEN)
    }),
    Case("POST /api/admin/findings/{id}/resolve", Operator, Finding, |on| {
        post(&format!("{}/resolve", on.subject)).bearer(OPERATOR_TOKEN)
    }),
    Case("POST /api/admin/fsck", Operator, File, |_| {
        post_json("/api/admin/fsck", &json!({})).bearer(OPERATOR_TOKEN)
    }),
    Case("POST /api/admin/sweeps", Operator, Trashed, |_| post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)),
    Case("POST /api/auth/email/verification", User, Unverified, |on| {
        post("/api/auth/email/verification").bearer(&on.access)
    }),
    Case("POST /api/auth/email/verify", All, Unverified, |on| {
        post_json("/api/auth/email/verify", &json!({"token": on.subject}))
    }),
    Case("POST /api/auth/login", All, Account, |_| post_json("/api/auth/login", &eve())),
    Case("POST /api/auth/logout", All, Account, |on| session("logout", on)),
    Case("POST /api/auth/password", User, Account, |on| {
        let body =
            json!({"current_password": "correct horse battery", "new_password": "battery horse correct"});
        post_json("/api/auth/password", &body).bearer(&on.access)
    }),
    Case("POST /api/auth/password/reset", All, Unverified, |_| {
        post_json("/api/auth/password/reset", &json!({"email": "eve@example.com"}))
    }),
    Case("POST /api/auth/password/reset, no account", All, Nothing, |_| {
        post_json("/api/auth/password/reset", &json!({"email": "nobody@example.com"}))
    }),
    Case("POST /api/auth/password/reset/confirm", All, Forgotten, |on| {
        let body = json!({"token": on.subject, "new_password": "battery horse correct"});
        post_json("/api/auth/password/reset/confirm", &body)
    }),
    Case("POST /api/auth/refresh", All, Account, |on| session("refresh", on)),
    Case("POST /api/auth/register", All, Nothing, |_| post_json("/api/auth/register", &eve())),
    Case("POST /api/auth/register, with an email", All, Nothing, |_| {
        let mut body = eve();
        body["email"] = json!("eve@example.com");
        post_json("/api/auth/register", &body)
    }),
    Case("POST /api/auth/register, keyed", All, Nothing, |_| keyed(post_json("/api/auth/register", &eve()))),
    Case("POST /api/auth/register, keyed, again", All, Repeat, |_| {
        keyed(post_json("/api/auth/register", &eve()))
    }),
    Case("POST /api/auth/user/delete", User, Account, |on| {
        let body = json!({"current_password": "correct horse battery"});
        post_json("/api/auth/user/delete", &body).bearer(&on.access)
    }),
    Case("POST /api/downloads", With(&[Read]), File, |on| {
        post_json("/api/downloads", &json!({"fileId": on.subject.trim_start_matches("/api/files/")}))
    }),
    Case("POST /api/downloads, a cut", With(&[Read, Cut]), File, |on| {
        let id = on.subject.trim_start_matches("/api/files/");
        post_json("/api/downloads", &json!({"fileId": id, "recipe": {"columns": ["a"]}}))
    }),
    Case("POST /api/files", With(&[Write]), Nothing, |_| upload("b.csv", CSV)),
    Case("POST /api/files, a form", With(&[Write]), Nothing, |_| {
        Form::default().file("b.csv", CSV.as_bytes()).post()
    }),
    Case("POST /api/files, a form of 6 MiB", With(&[Write]), Nothing, |_| {
        Form::default().file("b.csv", &long_csv(6 << 20)).post()
    }),
    Case("POST /api/files, refused", With(&[Write]), Nothing, |_| upload("b.csv", "\0")),
    Case("POST /api/files, keyed", With(&[Write]), Nothing, |_| keyed(upload("b.csv", CSV))),
    Case("POST /api/files, keyed, refused", With(&[Write]), Nothing, |_| keyed(upload("b.csv", "\0"))),
    Case("POST /api/files, keyed, again", With(&[Write]), Repeat, |_| keyed(upload("b.csv", CSV))),
    Case("POST /api/files, keyed, response lost", With(&[Write]), LostResponse, |_| {
        keyed(upload("b.csv", CSV))
    }),
    Case("POST /api/files/multipart", With(&[Write]), Nothing, |_| create_in_parts(CSV.len())),
    Case("POST /api/files/multipart/{id}/complete", With(&[Write]), BothParts, |on| {
        complete(&on.subject, &on.parts)
    }),
    Case("POST /api/files/upload", With(&[Write]), Nothing, |_| post("/api/files/upload").bytes(CSV)),
    Case("POST /api/files/{id}/cut", With(&[Cut]), File, |on| {
        post_json(&format!("{}/cut", on.subject), &json!({}))
    }),
    Case("POST /api/files/{id}/process", With(&[Cut]), File, |on| {
        post_json(&format!("{}/process", on.subject), &json!({}))
    }),
    Case("POST /api/files/{id}/restore", With(&[Write]), Trashed, |on| {
        post(&format!("{}/restore", on.subject))
    }),
    Case("POST /api/files/{id}/restore, keyed", With(&[Write]), Trashed, |on| {
        keyed(post(&format!("{}/restore", on.subject)))
    }),
    Case("POST /api/files/{id}/save", With(&[Cut, Write]), File, |on| {
        post_json(&format!("{}/save", on.subject), &json!({}))
    }),
    Case("POST /api/files/{id}/save, keyed", With(&[Cut, Write]), File, |on| {
        keyed(post_json(&format!("{}/save", on.subject), &json!({})))
    }),
    Case("POST /api/files/{id}/save, keyed, again", With(&[Cut, Write]), Repeat, |on| {
        keyed(post_json(&format!("{}/save", on.subject), &json!({})))
    }),
    Case("POST /api/files/{id}/share", With(&[Share]), File, |on| {
        post_json(&format!("{}/share", on.subject), &json!({"kind": "download"}))
    }),
    Case("POST /api/files/{id}/share, a cut", With(&[Share, Cut, Write]), File, |on| {
        post_json(&format!("{}/share", on.subject), &json!({"kind": "cut", "recipe": {"columns": ["a"]}}))
    }),
    Case("POST /api/files/{id}/share, an account", With(&[Share]), File, |on| {
        post_json(&format!("{}/share", on.subject), &json!({"kind": "account", "username": "ben"}))
    }),
    Case("POST /api/filters/parse", With(&[Read]), File, |on| {
        let id = on.subject.trim_start_matches("/api/files/");
        post_json("/api/filters/parse", &json!({"text": "name = x", "fileId": id}))
    }),
    Case("POST /api/keys", User, Nothing, |_| {
        post_json("/api/keys", &json!({"name": "script", "scopes": ["read", "cut"]}))
    }),
    Case("POST /api/keys/{id}/rotate", User, Key, |on| {
        post_json(&format!("{}/rotate", on.subject), &json!({"overlap": 60}))
    }),
    Case("POST /api/recipes", With(&[Write]), File, |_| {
        post_json("/api/recipes", &json!({"name": "r", "cut": {"columns": ["a"]}}))
    }),
    Case("POST /api/recipes/{id}/run", With(&[Cut]), Recipe, |on| {
        post_json(&format!("{}/run", on.subject), &json!({"fileId": on.parts[0]}))
    }),
    Case("POST /api/shared/{token}", All, Link, |on| post_json(&on.subject, &json!({}))),
    Case("POST /api/shared/{token}, a file", All, UploadLink, |on| post(&on.subject).bytes(CSV)),
    Case("POST /api/shared/{token}, a form", All, UploadLink, |on| {
        Form::default().file("b.csv", CSV.as_bytes()).post_to(&on.subject)
    }),
    Case("POST /api/shared/{token}/uploads", All, UploadLink, |on| on.create_shared(CSV.as_bytes())),
    Case("POST /api/shares", With(&[Share]), Nothing, |_| {
        post_json("/api/shares", &json!({"kind": "upload"}))
    }),
    Case("POST /api/uploads", With(&[Write]), Nothing, |_| create_with(CSV.len(), CSV.as_bytes())),
    Case("POST /api/uploads, no bytes", With(&[Write]), Nothing, |_| create(CSV.len())),
    Case("PUT /api/files/multipart/{id}/parts/{number}", With(&[Write]), BothParts, |on| {
        part(&on.subject, 2, b"3,4\n5,6\n")
    }),
];
