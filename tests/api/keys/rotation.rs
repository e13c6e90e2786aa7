//! Rotation: a key gets another secret, and the service gets another `JWT_SECRET`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Scene, path_in, secret_in};
use crate::support::client::{get, post, post_json};
use crate::support::{Fault, On, TestApp};

#[tokio::test]
async fn the_older_secret_works_until_the_overlap_has_ended() {
    for (body, overlap) in [
        (json!({}), TimeDelta::days(1)),
        (json!({"overlap": 60}), TimeDelta::seconds(60)),
        (json!({"overlap": 604_800}), TimeDelta::days(7)),
        (json!({"overlap": 0}), TimeDelta::zero()),
    ] {
        let scene = Scene::new();
        let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
        let (path, old) = (path_in(&made), secret_in(&made));
        let response = scene.send(post_json(&format!("{path}/rotate"), &body)).await.expect(200);
        assert_eq!(response.header("cache-control"), "no-store");
        let rotated = response.json();
        let new = secret_in(&rotated);
        let ends_at = scene.app.now().plus(overlap);
        let shown = if overlap.is_zero() { Value::Null } else { json!(ends_at) };
        assert_eq!((&rotated["key"]["hint"], &rotated["key"]["overlapEndsAt"]), (&json!(&new[38..]), &shown));
        assert_eq!(rotated["key"]["id"], made["key"]["id"]);
        assert_eq!(scene.status_of(&new).await, 200);
        if !overlap.is_zero() {
            scene.app.advance(overlap - TimeDelta::milliseconds(1));
            assert_eq!(scene.status_of(&old).await, 200, "{body}");
            scene.app.advance(TimeDelta::milliseconds(1));
        }
        assert_eq!((scene.status_of(&old).await, scene.status_of(&new).await), (401, 200), "{body}");
        let listed = scene.send(get("/api/keys")).await.expect(200).json();
        assert_eq!(listed["keys"][0]["overlapEndsAt"], Value::Null);
    }
}

#[tokio::test]
async fn a_rotation_after_a_lost_response_does_not_end_the_secret_in_use() {
    let scene = Scene::new();
    let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
    let (path, in_use) = (format!("{}/rotate", path_in(&made)), secret_in(&made));
    scene.app.faults.inject(Fault::DoneButReportedFailed, On::database(), 2);
    scene.send(post(&path)).await.expect_problem(503, "unavailable");
    scene.app.faults.clear();
    scene.app.advance(TimeDelta::hours(1));
    let new = secret_in(&scene.send(post(&path)).await.expect(200).json());
    assert_eq!((scene.status_of(&in_use).await, scene.status_of(&new).await), (200, 200));
    scene.app.advance(TimeDelta::hours(23));
    assert_eq!((scene.status_of(&in_use).await, scene.status_of(&new).await), (401, 200));
}

#[tokio::test]
async fn a_key_has_at_most_five_secrets_and_a_rotation_without_overlap_ends_all_older_ones() {
    let scene = Scene::new();
    let made = scene.make(&json!({"name": "k", "scopes": ["read"]})).await;
    let (path, mut secrets) = (format!("{}/rotate", path_in(&made)), vec![secret_in(&made)]);
    for _ in 0..6 {
        scene.app.advance(TimeDelta::seconds(1));
        secrets.push(secret_in(&scene.send(post(&path)).await.expect(200).json()));
    }
    let statuses = async || {
        let mut statuses = Vec::new();
        for secret in &secrets {
            statuses.push(scene.status_of(secret).await);
        }
        statuses
    };
    assert_eq!(statuses().await, [401, 401, 200, 200, 200, 200, 200]);
    let last = secret_in(&scene.send(post_json(&path, &json!({"overlap": 0}))).await.expect(200).json());
    assert_eq!(statuses().await, [401; 7]);
    assert_eq!(scene.status_of(&last).await, 200);
    assert_eq!(scene.app.database.row_counts()["api_key_secrets"], 1);
}

const OLD: &str = "the old secret of the service, long enough";
const NEW: &str = "the new secret of the service, long enough";

#[tokio::test]
async fn keys_that_are_used_while_the_previous_jwt_secret_is_set_survive_its_removal() {
    let app = TestApp::with(&[("JWT_SECRET", OLD)]);
    let token = app.user("ada");
    let mut secrets = Vec::new();
    for name in ["used", "unused"] {
        let made = post_json("/api/keys", &json!({"name": name, "scopes": ["read"]})).bearer(&token);
        secrets.push(secret_in(&app.send(made).await.expect(201).json()));
    }
    let status =
        async |app: &TestApp, secret: &str| app.send(get("/api/files").bearer(secret)).await.status.as_u16();
    // The key was used in this minute already. Its hash is replaced nevertheless.
    assert_eq!(status(&app, &secrets[0]).await, 200);
    let app = app.reconfigured(&[("JWT_SECRET", NEW), ("JWT_PREVIOUS_SECRET", OLD)]);
    assert_eq!((status(&app, &secrets[0]).await, status(&app, &secrets[0]).await), (200, 200));
    let app = app.reconfigured(&[("JWT_SECRET", NEW)]);
    assert_eq!((status(&app, &secrets[0]).await, status(&app, &secrets[1]).await), (200, 401));
}
