//! The number of calls that each operation makes to the database, the object store, named objects and the queue. A
//! snapshot of these numbers is committed, so a review shows every change. The numbers must agree with the API
//! description.

use super::scene::Scene;
use super::{CASES, Case, Operator};
use crate::support::On;
use crate::support::contract::operations;

/// Returns the number of calls that a case makes to the database, the object store, named objects and the queue.
async fn cost_of(case: &Case, other_files: usize) -> [usize; 4] {
    let scene = Scene::with_other_files(case, other_files).await;
    scene.app.faults.forget_calls();
    scene.app.send(scene.call(case)).await;
    [On::database(), On::objects(), On::named_objects(), On::queue()]
        .map(|port| scene.app.faults.count(&port))
}

#[tokio::test]
async fn each_operation_makes_the_number_of_calls_in_the_snapshot() {
    let mut table = String::new();
    for case in CASES {
        let [database, objects, named, queue] = cost_of(case, 0).await;
        table += &format!("{:<44} {database} D1, {objects} R2, {named} DO, {queue} queue\n", case.0);
    }
    insta::assert_snapshot!(table, @r"
    DELETE /api/auth/sessions                    2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/auth/sessions/{id}               2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/files/multipart/{id}             3 D1, 1 R2, 0 DO, 0 queue
    DELETE /api/files/{id}                       2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/files/{id}, if-match             3 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/files/{id}, permanent            2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/files/{id}, keyed                4 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/files/{id}, keyed, again         3 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/keys/{id}                        2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/recipes/{id}                     2 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/shared/{token}/uploads/{id}      2 D1, 0 R2, 2 DO, 0 queue
    DELETE /api/shares/{id}                      3 D1, 0 R2, 0 DO, 0 queue
    DELETE /api/uploads/{id}                     2 D1, 0 R2, 1 DO, 0 queue
    GET /api/admin/audit                         1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/audit, an export              1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/findings                      1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/health                        1 D1, 3 R2, 2 DO, 1 queue
    GET /api/admin/isolate                       0 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/mailbox                       1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/metrics/performance           1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/metrics/prometheus            1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/metrics/series                1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/metrics/summary               1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/sweeps                        1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/switches                      1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/usage                         1 D1, 0 R2, 0 DO, 1 queue
    GET /api/admin/users                         1 D1, 0 R2, 0 DO, 1 queue
    GET /api/auth/session                        1 D1, 0 R2, 0 DO, 0 queue
    GET /api/auth/sessions                       2 D1, 0 R2, 0 DO, 1 queue
    GET /api/auth/sign-ins                       2 D1, 0 R2, 0 DO, 1 queue
    GET /api/auth/user                           2 D1, 0 R2, 0 DO, 1 queue
    GET /api/cuts                                2 D1, 0 R2, 0 DO, 1 queue
    GET /api/cuts/{id}                           2 D1, 0 R2, 0 DO, 1 queue
    GET /api/cuts/{id}/recipe                    2 D1, 0 R2, 0 DO, 1 queue
    GET /api/downloads/{ticket}                  2 D1, 1 R2, 0 DO, 1 queue
    GET /api/downloads/{ticket}, a cut           4 D1, 2 R2, 2 DO, 0 queue
    GET /api/files                               2 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/multipart/{id}                3 D1, 0 R2, 0 DO, 0 queue
    GET /api/files/multipart/{id}/parts          3 D1, 0 R2, 0 DO, 0 queue
    GET /api/files/{id}                          2 D1, 1 R2, 0 DO, 1 queue
    GET /api/files/{id}, one range               2 D1, 1 R2, 0 DO, 1 queue
    GET /api/files/{id}, three ranges            2 D1, 3 R2, 0 DO, 1 queue
    GET /api/files/{id}, not modified            2 D1, 0 R2, 0 DO, 0 queue
    GET /api/files/{id}/columns                  2 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/cut                      4 D1, 2 R2, 2 DO, 0 queue
    GET /api/files/{id}/cut, whole               4 D1, 2 R2, 2 DO, 0 queue
    GET /api/files/{id}/count                    2 D1, 2 R2, 2 DO, 1 queue
    GET /api/files/{id}/estimate                 2 D1, 1 R2, 0 DO, 1 queue
    GET /api/files/{id}/fields                   2 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/history                  3 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/lineage                  3 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/metadata                 2 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/process                  4 D1, 2 R2, 2 DO, 0 queue
    GET /api/files/{id}/profile                  2 D1, 1 R2, 0 DO, 1 queue
    GET /api/files/{id}/recipe                   2 D1, 0 R2, 0 DO, 1 queue
    GET /api/files/{id}/rows                     2 D1, 2 R2, 0 DO, 1 queue
    GET /api/files/{id}/rows, with a filter      2 D1, 2 R2, 2 DO, 1 queue
    GET /api/keys                                2 D1, 0 R2, 0 DO, 1 queue
    GET /api/openapi.json                        0 D1, 0 R2, 0 DO, 0 queue
    GET /api/recipes                             2 D1, 0 R2, 0 DO, 1 queue
    GET /api/recipes, for a file                 3 D1, 0 R2, 0 DO, 1 queue
    GET /api/recipes/{id}                        2 D1, 0 R2, 0 DO, 1 queue
    GET /api/shared/{token}                      2 D1, 1 R2, 1 DO, 1 queue
    GET /api/shared/{token}, counted             2 D1, 0 R2, 1 DO, 0 queue
    GET /api/shared/{token}/info                 1 D1, 0 R2, 1 DO, 1 queue
    GET /api/shared/{token}/rows                 1 D1, 2 R2, 1 DO, 1 queue
    GET /api/shares                              2 D1, 0 R2, 0 DO, 1 queue
    GET /api/shares/{id}                         2 D1, 0 R2, 0 DO, 1 queue
    GET /api/usage                               3 D1, 0 R2, 0 DO, 1 queue
    GET /health                                  0 D1, 0 R2, 0 DO, 0 queue
    GET /health/ready                            1 D1, 3 R2, 0 DO, 0 queue
    GET /health/storage                          0 D1, 1 R2, 0 DO, 0 queue
    HEAD /api/files/{id}                         2 D1, 0 R2, 0 DO, 1 queue
    HEAD /api/shared/{token}/uploads/{id}        1 D1, 0 R2, 2 DO, 0 queue
    HEAD /api/uploads/{id}                       0 D1, 0 R2, 1 DO, 0 queue
    OPTIONS /api/shared/{token}/uploads          0 D1, 0 R2, 0 DO, 0 queue
    OPTIONS /api/shared/{token}/uploads/{id}     0 D1, 0 R2, 0 DO, 0 queue
    OPTIONS /api/uploads                         0 D1, 0 R2, 0 DO, 0 queue
    OPTIONS /api/uploads/{id}                    0 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/admin/switches                    1 D1, 0 R2, 0 DO, 1 queue
    PATCH /api/admin/users/{id}                  1 D1, 0 R2, 0 DO, 1 queue
    PATCH /api/auth/user                         3 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/files/{id}                        2 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/files/{id}, nothing               2 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/files/{id}, if-match              3 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/files/{id}, keyed                 4 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/files/{id}, keyed, again          3 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/keys/{id}                         2 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/recipes/{id}                      2 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/shared/{token}/uploads/{id}       3 D1, 5 R2, 2 DO, 0 queue
    PATCH /api/shares/{id}                       3 D1, 0 R2, 0 DO, 0 queue
    PATCH /api/uploads/{id}                      2 D1, 5 R2, 2 DO, 0 queue
    POST /api/admin/audit/verify                 6 D1, 1 R2, 0 DO, 1 queue
    POST /api/admin/findings/{id}/resolve        1 D1, 0 R2, 0 DO, 1 queue
    POST /api/admin/fsck                         47 D1, 2 R2, 0 DO, 1 queue
    POST /api/admin/sweeps                       40 D1, 2 R2, 0 DO, 1 queue
    POST /api/auth/email/verification            2 D1, 0 R2, 0 DO, 2 queue
    POST /api/auth/email/verify                  1 D1, 0 R2, 0 DO, 1 queue
    POST /api/auth/login                         2 D1, 0 R2, 2 DO, 1 queue
    POST /api/auth/logout                        1 D1, 0 R2, 0 DO, 0 queue
    POST /api/auth/password                      3 D1, 0 R2, 0 DO, 0 queue
    POST /api/auth/password/reset                0 D1, 0 R2, 0 DO, 2 queue
    POST /api/auth/password/reset, no account    0 D1, 0 R2, 0 DO, 2 queue
    POST /api/auth/password/reset/confirm        2 D1, 0 R2, 0 DO, 0 queue
    POST /api/auth/refresh                       1 D1, 0 R2, 0 DO, 1 queue
    POST /api/auth/register                      1 D1, 0 R2, 1 DO, 0 queue
    POST /api/auth/register, with an email       1 D1, 0 R2, 1 DO, 1 queue
    POST /api/auth/register, keyed               2 D1, 0 R2, 1 DO, 0 queue
    POST /api/auth/register, keyed, again        3 D1, 0 R2, 2 DO, 1 queue
    POST /api/auth/user/delete                   3 D1, 0 R2, 0 DO, 0 queue
    POST /api/downloads                          2 D1, 0 R2, 0 DO, 1 queue
    POST /api/downloads, a cut                   2 D1, 0 R2, 0 DO, 1 queue
    POST /api/files                              3 D1, 2 R2, 1 DO, 0 queue
    POST /api/files, a form                      4 D1, 2 R2, 1 DO, 0 queue
    POST /api/files, a form of 6 MiB             6 D1, 5 R2, 1 DO, 0 queue
    POST /api/files, refused                     1 D1, 0 R2, 1 DO, 1 queue
    POST /api/files, keyed                       5 D1, 2 R2, 1 DO, 0 queue
    POST /api/files, keyed, refused              3 D1, 0 R2, 1 DO, 1 queue
    POST /api/files, keyed, again                3 D1, 0 R2, 1 DO, 0 queue
    POST /api/files, keyed, response lost        3 D1, 0 R2, 1 DO, 0 queue
    POST /api/files/multipart                    2 D1, 1 R2, 1 DO, 0 queue
    POST /api/files/multipart/{id}/complete      4 D1, 1 R2, 0 DO, 1 queue
    POST /api/files/upload                       3 D1, 2 R2, 1 DO, 0 queue
    POST /api/files/{id}/cut                     4 D1, 2 R2, 2 DO, 0 queue
    POST /api/files/{id}/process                 4 D1, 2 R2, 2 DO, 0 queue
    POST /api/files/{id}/restore                 2 D1, 0 R2, 0 DO, 0 queue
    POST /api/files/{id}/restore, keyed          4 D1, 0 R2, 0 DO, 0 queue
    POST /api/files/{id}/save                    6 D1, 4 R2, 2 DO, 0 queue
    POST /api/files/{id}/save, keyed             8 D1, 4 R2, 2 DO, 0 queue
    POST /api/files/{id}/save, keyed, again      3 D1, 0 R2, 0 DO, 0 queue
    POST /api/files/{id}/share                   3 D1, 0 R2, 0 DO, 0 queue
    POST /api/files/{id}/share, a cut            7 D1, 4 R2, 2 DO, 0 queue
    POST /api/files/{id}/share, an account       4 D1, 0 R2, 0 DO, 0 queue
    POST /api/filters/parse                      2 D1, 0 R2, 0 DO, 0 queue
    POST /api/keys                               2 D1, 0 R2, 0 DO, 0 queue
    POST /api/keys/{id}/rotate                   2 D1, 0 R2, 0 DO, 0 queue
    POST /api/recipes                            2 D1, 0 R2, 0 DO, 0 queue
    POST /api/recipes/{id}/run                   5 D1, 2 R2, 2 DO, 0 queue
    POST /api/shared/{token}                     2 D1, 0 R2, 1 DO, 0 queue
    POST /api/shared/{token}, a file             3 D1, 2 R2, 1 DO, 0 queue
    POST /api/shared/{token}, a form             4 D1, 2 R2, 1 DO, 0 queue
    POST /api/shared/{token}/uploads             3 D1, 2 R2, 2 DO, 0 queue
    POST /api/shares                             2 D1, 0 R2, 0 DO, 0 queue
    POST /api/uploads                            3 D1, 2 R2, 2 DO, 0 queue
    POST /api/uploads, no bytes                  2 D1, 0 R2, 2 DO, 0 queue
    PUT /api/files/multipart/{id}/parts/{number} 3 D1, 1 R2, 1 DO, 0 queue
    ");
}

#[tokio::test]
async fn the_cost_of_a_route_does_not_depend_on_the_number_of_files() {
    for case in CASES.iter().filter(|case| case.is_usual() && case.1 != Operator) {
        assert_eq!(cost_of(case, 7).await, cost_of(case, 0).await, "{}", case.0);
    }
}

/// If a path contains one of these texts, the cost of its operations is not compared with the API description. These
/// are the paths of health, of the API description, of operators, and of uploads in several requests. `multipart.rs`
/// and `tus/storing.rs` test the cost of uploads in several requests.
const UNDESCRIBED_COSTS: [&str; 6] =
    ["/health", "/openapi.json", "/api/admin/", "/api/uploads", "/api/files/multipart", "{token}/uploads"];

/// Returns the number of R2 calls in the usual case. `cost` is the part of a description after "Costs". The text before
/// the first `;` or `.` is about the usual case.
fn calls_to_r2(cost: &str) -> usize {
    let usual = cost.split([';', '.']).next().unwrap_or_default();
    let words: Vec<_> = usual.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[1] == "R2").map(|pair| pair[0].parse::<usize>().unwrap()).sum()
}

#[test]
fn calls_to_r2_are_parsed_from_a_description() {
    for (cost, wanted) in [
        ("6 D1 calls, 2 R2 reads and 2 R2 puts (the file and its profile); parts of 8 MiB", 4),
        ("2 D1 reads; 1 R2 read more for a wide file", 0),
        ("3 D1 calls.", 0),
    ] {
        assert_eq!(calls_to_r2(cost), wanted, "{cost}");
    }
}

#[tokio::test]
async fn the_description_states_the_cost_of_each_route() {
    let mut said = 0;
    for case in CASES
        .iter()
        .filter(|case| case.is_usual() && !UNDESCRIBED_COSTS.iter().any(|route| case.0.contains(route)))
    {
        let [database, objects, ..] = cost_of(case, 0).await;
        let find = operations()
            .into_iter()
            .find(|operation| case.0 == format!("{} {}", operation.method, operation.template));
        let operation = find.unwrap_or_else(|| panic!("{} is not described", case.0)).spec;
        let text =
            ["summary", "description"].map(|part| operation[part].as_str().unwrap_or_default()).join("\n");
        let text = text.replace('\n', " ");
        let cost =
            text.split("Costs ").nth(1).unwrap_or_else(|| panic!("{}: the description has no cost", case.0));
        let number: usize = cost.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(number, database, "{}: {cost}", case.0);
        assert_eq!(calls_to_r2(cost), objects, "{}: {cost}", case.0);
        said += 1;
    }
    assert!(said > 20, "only {said} operations were compared");
}
