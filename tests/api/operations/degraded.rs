//! Every operation while ports fail: one by one, and in pairs. Each response is either complete, or a 503 with
//! `Retry-After`. When the ports work again, the repeated request succeeds.

use std::collections::BTreeSet;

use super::CASES;
use super::scene::Scene;
use crate::support::{Fault, On};

/// The ports that can fail, with the names of the platform's products.
fn ports() -> [(&'static str, On); 4] {
    [
        ("D1", On::database()),
        ("R2", On::objects()),
        ("queue", On::queue()),
        ("Durable Objects", On::named_objects()),
    ]
}

/// Sends the request of every case while these ports fail. Returns the names of the cases that the service refused.
async fn refused_without(down: &[(&str, On)]) -> BTreeSet<&'static str> {
    let mut refused = BTreeSet::new();
    for case in CASES {
        let scene = Scene::new(case).await;
        let app = &scene.app;
        for (_, port) in down {
            app.faults.always(Fault::Failed, port.clone());
        }
        let response = app.send(scene.call(case)).await;
        let healthy = Scene::new(case).await;
        let healthy = healthy.app.send(healthy.call(case)).await.status;
        let names: Vec<_> = down.iter().map(|(name, _)| *name).collect();
        let names = format!("{} without {names:?}", case.0);
        match response.status.as_u16() {
            503 => {
                assert!(
                    response.has("retry-after") || case.0.starts_with("GET /health"),
                    "{names}: {response}"
                );
                refused.insert(case.0);
            }
            // The transfer has begun, and the client sees that it is not complete.
            200 if response.broken => drop(refused.insert(case.0)),
            _ => assert!(response.status == healthy && !response.broken, "{names}: {response}"),
        }
        app.faults.clear();
        app.named_objects.evict();
        if refused.contains(case.0) {
            let again = app.send(scene.call(case)).await;
            assert!(again.status.as_u16() < 500 && !again.broken, "{names}, afterwards: {again}");
        }
    }
    refused
}

fn lines<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    names.into_iter().map(|name| format!("{name}\n")).collect()
}

#[tokio::test]
async fn without_the_database_only_operations_that_need_no_row_respond() {
    let refused = refused_without(&ports()[..1]).await;
    let answered: Vec<_> = CASES.iter().map(|case| case.0).filter(|name| !refused.contains(name)).collect();
    insta::assert_snapshot!(lines(&answered), @r"
    GET /api/admin/health
    GET /api/admin/isolate
    GET /api/openapi.json
    GET /health
    GET /health/storage
    HEAD /api/uploads/{id}
    OPTIONS /api/shared/{token}/uploads
    OPTIONS /api/shared/{token}/uploads/{id}
    OPTIONS /api/uploads
    OPTIONS /api/uploads/{id}
    POST /api/auth/password/reset
    POST /api/auth/password/reset, no account
    ");
}

#[tokio::test]
async fn without_the_object_store_lists_and_metadata_respond() {
    insta::assert_snapshot!(lines(&refused_without(&ports()[1..2]).await), @r"
    GET /api/downloads/{ticket}
    GET /api/downloads/{ticket}, a cut
    GET /api/files/{id}
    GET /api/files/{id}, one range
    GET /api/files/{id}, three ranges
    GET /api/files/{id}/count
    GET /api/files/{id}/cut
    GET /api/files/{id}/cut, whole
    GET /api/files/{id}/estimate
    GET /api/files/{id}/process
    GET /api/files/{id}/profile
    GET /api/files/{id}/rows
    GET /api/files/{id}/rows, with a filter
    GET /api/shared/{token}
    GET /api/shared/{token}/rows
    GET /health/ready
    GET /health/storage
    PATCH /api/shared/{token}/uploads/{id}
    PATCH /api/uploads/{id}
    POST /api/admin/audit/verify
    POST /api/admin/fsck
    POST /api/files
    POST /api/files, a form
    POST /api/files, a form of 6 MiB
    POST /api/files, keyed
    POST /api/files/multipart
    POST /api/files/multipart/{id}/complete
    POST /api/files/upload
    POST /api/files/{id}/cut
    POST /api/files/{id}/process
    POST /api/files/{id}/save
    POST /api/files/{id}/save, keyed
    POST /api/files/{id}/share, a cut
    POST /api/recipes/{id}/run
    POST /api/shared/{token}, a file
    POST /api/shared/{token}, a form
    POST /api/shared/{token}/uploads
    POST /api/uploads
    PUT /api/files/multipart/{id}/parts/{number}
    ");
}

#[tokio::test]
async fn without_the_queue_every_operation_responds() {
    insta::assert_snapshot!(lines(&refused_without(&ports()[2..3]).await), @r"
    POST /api/auth/password/reset
    POST /api/auth/password/reset, no account
    ");
}

#[tokio::test]
async fn without_durable_objects_only_their_features_are_refused() {
    insta::assert_snapshot!(lines(&refused_without(&ports()[3..]).await), @r"
    DELETE /api/shared/{token}/uploads/{id}
    DELETE /api/uploads/{id}
    GET /api/shared/{token}
    GET /api/shared/{token}, counted
    GET /api/shared/{token}/info
    GET /api/shared/{token}/rows
    HEAD /api/shared/{token}/uploads/{id}
    HEAD /api/uploads/{id}
    PATCH /api/shared/{token}/uploads/{id}
    PATCH /api/uploads/{id}
    POST /api/shared/{token}
    POST /api/shared/{token}, a file
    POST /api/shared/{token}, a form
    POST /api/shared/{token}/uploads
    POST /api/uploads
    POST /api/uploads, no bytes
    ");
}

#[tokio::test]
async fn two_failing_ports_refuse_what_one_of_them_refuses() {
    let ports = ports();
    let mut alone = Vec::new();
    for port in &ports {
        alone.push(refused_without(std::slice::from_ref(port)).await);
    }
    for first in 0..ports.len() {
        for second in first + 1..ports.len() {
            let both = refused_without(&[ports[first].clone(), ports[second].clone()]).await;
            let either = &alone[first] | &alone[second];
            assert_eq!(both, either, "{} and {}", ports[first].0, ports[second].0);
        }
    }
}
