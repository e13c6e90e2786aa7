//! The service acknowledges or retries each queue message of a batch separately.

use cutty::audit::action::Action;
use cutty::audit::entry::Entry;
use cutty::domain::ids::{AttemptId, UserId};
use cutty::domain::principal::Principal;
use cutty::jobs::JOBS;
use cutty::jobs::job::DeliveryOutcome::{Acknowledge, Retry};
use cutty::jobs::message::{ProfileFile, RecordRead, encode};
use serde_json::{Value, json};

use crate::support::{Fault, On, TestApp};

fn read_by(app: &TestApp, user: &str) -> Value {
    let user = Principal::user(UserId::parse(user).unwrap());
    let operation = Entry::new(app, Some(&user), Action::View, &Default::default());
    encode(&RecordRead { operation }).unwrap()
}

fn learn(app: &TestApp) -> Value {
    encode(&ProfileFile { attempt: app.fresh_id::<AttemptId>() }).unwrap()
}

fn logged(app: &TestApp) -> u64 {
    app.database.row_counts()["file_access_logs"]
}

#[tokio::test]
async fn a_failed_message_does_not_block_the_other_messages() {
    let app = TestApp::new();
    app.database.execute(
        "CREATE TRIGGER no_eve BEFORE INSERT ON file_access_logs WHEN NEW.user_id = 'eve'
         BEGIN SELECT RAISE(ABORT, 'eve'); END",
    );
    let messages = vec![
        read_by(&app, "ada"),
        json!({"job": "record_read"}),
        read_by(&app, "eve"),
        learn(&app),
        json!({"job": "no such job"}),
        Value::Null,
        read_by(&app, "bob"),
    ];
    let outcomes = app.do_jobs(messages).await;
    assert_eq!(
        outcomes,
        [Acknowledge, Retry, Retry, Acknowledge, Retry, Retry, Acknowledge],
        "Eve's message and the messages that this version cannot read must be retried"
    );
    assert_eq!(logged(&app), 2);
    assert_eq!(app.log.with("message", "a message cannot be read; the queue delivers it again").len(), 1);
    let failed: Vec<_> =
        app.log.with("message", "a job failed").iter().map(|line| line["job"].clone()).collect();
    assert_eq!(failed, ["record_read", "no such job", ""]);
}

#[tokio::test]
async fn a_message_with_values_of_a_newer_version_is_retried() {
    let app = TestApp::new();
    let message = read_by(&app, "ada");
    let key =
        json!({"kind": "api_key", "id": app.fresh_id::<AttemptId>(), "owner": "ada", "scopes": ["export"]});
    for (field, value) in [
        ("action", json!("teleport")),
        ("principal", json!({"kind": "team", "id": "x"})),
        ("principal", key),
        ("id", json!(7)),
    ] {
        let mut newer = message.clone();
        newer["operation"][field] = value;
        assert_eq!(app.do_jobs(vec![newer.clone()]).await, [Retry], "{newer}");
    }
    assert_eq!(app.do_jobs(vec![json!({"job": "learn_file", "attempt": 5})]).await, [Retry]);
    assert_eq!(logged(&app), 0);
    assert_eq!(app.log.with("message", "a message cannot be read; the queue delivers it again").len(), 5);
}

#[tokio::test]
async fn a_failed_profile_job_is_logged_and_the_queue_does_not_retry_it() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a\n1\n").await;
    app.database.execute("UPDATE files SET profile_bytes = NULL");
    app.faults.always(Fault::Failed, On::objects());
    assert_eq!(app.do_jobs(vec![json!({"job": "learn_file", "attempt": file["etag"]})]).await, [Acknowledge]);
    let failed = app.log.with("message", "a job failed");
    assert_eq!((failed.len(), &failed[0]["job"]), (1, &json!("learn_file")));
}

#[tokio::test]
async fn the_outcomes_of_finished_jobs_are_kept_if_another_job_crashes() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a\n1\n").await;
    app.database.execute("UPDATE files SET profile_bytes = NULL");
    let learn = json!({"job": "learn_file", "attempt": file["etag"]});
    let mut settled = Vec::new();
    app.faults.inject(Fault::CrashBefore, On::objects(), 1);
    let jobs =
        app.app.do_jobs(vec![learn, read_by(&app, "bob")], |place, outcome| settled.push((place, outcome)));
    assert_eq!(app.faults.until_crash(jobs).await, None);
    assert_eq!(settled, [(1, Acknowledge)]);
    assert_eq!(app.database.rows("SELECT 1 FROM file_access_logs WHERE user_id = 'bob'").len(), 1);
}

#[tokio::test]
async fn only_the_jobs_that_need_the_database_are_retried_during_a_database_outage() {
    let app = TestApp::new();
    app.faults.always(Fault::Failed, On::database().about("file_access_logs"));
    let messages = vec![read_by(&app, "ada"), learn(&app), read_by(&app, "bob")];
    assert_eq!(app.do_jobs(messages.clone()).await, [Retry, Acknowledge, Retry]);
    assert_eq!(
        app.faults.count(&On::database().about("file_access_logs")),
        1,
        "the database must not be called again during the outage"
    );
    app.faults.clear();
    assert_eq!(app.do_jobs(messages).await, [Acknowledge, Acknowledge, Acknowledge]);
    assert_eq!(logged(&app), 2);
}

#[tokio::test]
async fn a_full_batch_stays_within_the_budget_of_one_event() {
    let app = TestApp::new();
    let messages: Vec<_> = (0..100).map(|_| learn(&app)).collect();
    let outcomes = app.do_jobs(messages).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Acknowledge));
    assert_eq!(app.queue.take().len(), 96, "the service must run four jobs and send the others again");
    assert!(app.faults.count(&On::any()) < 1_000);
}

#[tokio::test]
async fn the_queue_retries_a_message_that_the_service_cannot_send_again() {
    let app = TestApp::new();
    app.faults.always(Fault::Failed, On::queue());
    let outcomes = app.do_jobs((0..6).map(|_| learn(&app)).collect()).await;
    assert_eq!(outcomes, [Acknowledge, Acknowledge, Acknowledge, Acknowledge, Retry, Retry]);
}

#[test]
fn no_two_jobs_share_a_name() {
    let mut names: Vec<_> = JOBS.iter().map(|job| job.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), JOBS.len());
}

#[tokio::test]
async fn the_audit_entry_in_a_message_from_an_older_version_is_written() {
    let app = TestApp::new();
    let id = app.fresh_id::<AttemptId>();
    let message = json!({"job": "record_read", "operation": {
        "id": id, "timestamp": app.now(), "user_id": "ada", "file_id": null, "action": "view", "success": true,
        "error_code": null, "error_message": null, "bytes_transferred": null, "duration_ms": 3,
        "caller": {"request_id": "r", "ip_address": null, "user_agent": null},
    }});
    assert_eq!(app.do_jobs(vec![message]).await, [Acknowledge]);
    let rows = app.database.rows("SELECT user_id, action, duration_ms FROM file_access_logs");
    assert_eq!(
        rows,
        [json!({"user_id": "ada", "action": "view", "duration_ms": 3}).as_object().unwrap().clone()]
    );
}
