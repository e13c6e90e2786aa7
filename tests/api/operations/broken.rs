//! Injects each fault into each call of every operation that changes something. The client must get a complete response
//! or an error that allows a retry. After the alarms and the sweeps have run, rows, objects and quotas must agree.
//! Other tests check the guarantees of single operations.

use chrono::TimeDelta;

use super::scene::Scene;
use super::{CASES, Case};
use crate::faults::sweep_up;
use crate::support::contract::{self, operations};
use crate::support::{Fault, On, TestApp};

/// Cases that are tested in addition to the usual request of each changing operation. A cut with `GET` writes a
/// receipt. The creation of an upload without bytes makes other calls than the creation of an upload with bytes.
const ALSO_BROKEN: [&str; 3] =
    ["GET /api/files/{id}/cut", "POST /api/auth/register, with an email", "POST /api/uploads, no bytes"];

fn is_broken(case: &Case) -> bool {
    let changes = |name: &str| ["GET", "HEAD", "OPTIONS"].iter().all(|safe| !name.starts_with(safe));
    case.is_usual() && changes(case.0) || ALSO_BROKEN.contains(&case.0)
}

/// Moves the clock forward and runs alarms and sweeps. Afterwards, all temporary rows and objects must be deleted.
async fn settle(app: &TestApp, case: &str) {
    for _ in 0..3 {
        app.advance(TimeDelta::hours(25));
        app.ring_alarms().await;
    }
    app.advance(TimeDelta::days(9));
    sweep_up(app, case).await;
}

/// Injects each fault into each call of one case. Returns the number of injected faults.
async fn break_each(case: &Case) -> usize {
    let scene = Scene::new(case).await;
    let request = scene.call(case);
    let operation = contract::operation_of(request.request.method(), request.request.uri().path());
    assert_eq!(operation.as_deref(), Some(case.operation()));
    let response = scene.app.send(request).await;
    assert!(response.status.is_success() && !response.broken, "{}, without a fault: {response}", case.0);
    let mut broken = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let scene = Scene::new(case).await;
            let app = &scene.app;
            let request = scene.call(case);
            app.faults.forget_calls();
            app.faults.inject(fault, On::any(), nth);
            let response = app.faults.until_crash(app.send(request)).await;
            if app.faults.fired() == 0 {
                break;
            }
            let call = app.faults.calls().swap_remove(nth - 1);
            let fault_case = format!("{}: {fault:?} at call {nth}, {call}", case.0);
            if let Some(response) = response {
                let may_come_again = response.status == 503 || response.broken;
                assert!(response.status.is_success() || may_come_again, "{fault_case}: {response}");
            }
            app.faults.clear();
            app.named_objects.evict();
            let again = app.send(scene.call(case)).await;
            assert!(
                !again.status.is_server_error() && !again.broken,
                "{fault_case}: the repeated request failed: {again}"
            );
            settle(app, &fault_case).await;
            broken += 1;
        }
    }
    broken
}

#[tokio::test]
async fn every_changing_operation_keeps_the_stores_consistent_after_any_fault() {
    for operation in operations().iter().filter(|operation| !operation.method.is_safe()) {
        let name = format!("{} {}", operation.method, operation.template);
        assert!(
            CASES.iter().any(|case| case.0 == name && is_broken(case)),
            "no fault is injected into {name}"
        );
    }
    let mut table = String::new();
    for case in CASES.iter().filter(|case| is_broken(case)) {
        let broken = break_each(case).await;
        assert!(broken >= Fault::ALL.len(), "{}: no fault was injected", case.0);
        table += &format!("{:<46} {broken}\n", case.0);
    }
    // The number of injected faults: four for each call that the operation makes.
    insta::assert_snapshot!(table, @r"
    DELETE /api/auth/sessions                      8
    DELETE /api/auth/sessions/{id}                 8
    DELETE /api/files/multipart/{id}               16
    DELETE /api/files/{id}                         8
    DELETE /api/keys/{id}                          8
    DELETE /api/recipes/{id}                       8
    DELETE /api/shared/{token}/uploads/{id}        16
    DELETE /api/shares/{id}                        12
    DELETE /api/uploads/{id}                       12
    GET /api/files/{id}/cut                        32
    PATCH /api/admin/switches                      8
    PATCH /api/admin/users/{id}                    8
    PATCH /api/auth/user                           12
    PATCH /api/files/{id}                          8
    PATCH /api/keys/{id}                           8
    PATCH /api/recipes/{id}                        8
    PATCH /api/shared/{token}/uploads/{id}         40
    PATCH /api/shares/{id}                         12
    PATCH /api/uploads/{id}                        36
    POST /api/admin/audit/verify                   32
    POST /api/admin/findings/{id}/resolve          8
    POST /api/admin/fsck                           200
    POST /api/admin/sweeps                         172
    POST /api/auth/email/verification              16
    POST /api/auth/email/verify                    8
    POST /api/auth/login                           20
    POST /api/auth/logout                          4
    POST /api/auth/password                        12
    POST /api/auth/password/reset                  8
    POST /api/auth/password/reset/confirm          8
    POST /api/auth/refresh                         8
    POST /api/auth/register                        8
    POST /api/auth/register, with an email         12
    POST /api/auth/user/delete                     12
    POST /api/downloads                            12
    POST /api/files                                24
    POST /api/files/multipart                      16
    POST /api/files/multipart/{id}/complete        24
    POST /api/files/upload                         24
    POST /api/files/{id}/cut                       32
    POST /api/files/{id}/process                   32
    POST /api/files/{id}/restore                   8
    POST /api/files/{id}/save                      48
    POST /api/files/{id}/share                     12
    POST /api/filters/parse                        8
    POST /api/keys                                 8
    POST /api/keys/{id}/rotate                     8
    POST /api/recipes                              8
    POST /api/recipes/{id}/run                     36
    POST /api/shared/{token}                       12
    POST /api/shared/{token}/uploads               28
    POST /api/shares                               8
    POST /api/uploads                              28
    POST /api/uploads, no bytes                    16
    PUT /api/files/multipart/{id}/parts/{number}   20
    ");
}
