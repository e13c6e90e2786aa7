//! Operator actions on a running server (self-check, findings, scripts), and access to the blobs on its disk.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::http::{Call, Client};
use super::server::{OPERATOR_TOKEN, Server, root};

impl Server {
    /// Returns a client with the operator token.
    pub fn operator(&self) -> Client {
        self.client().with_token(OPERATOR_TOKEN)
    }

    /// Returns all violations that the self-check finds.
    pub fn fsck(&self, deep: bool) -> Vec<Value> {
        let operator = self.operator();
        let (mut violations, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let body = json!({"deep": deep, "cursor": cursor});
            let mut page = operator.post_json("/api/admin/fsck", &body).expect(200).json();
            let Value::Array(found) = page["violations"].take() else {
                panic!("the page has no violations member: {page}")
            };
            violations.extend(found);
            if page["complete"] == true {
                return violations;
            }
            cursor = page["cursor"].take();
        }
    }

    /// Returns the open findings.
    pub fn findings(&self) -> Vec<Value> {
        let mut response = self.operator().ask(Call::get("/api/admin/findings")).expect(200).json();
        let Value::Array(findings) = response["findings"].take() else {
            panic!("the response has no findings member: {response}")
        };
        findings
    }

    /// Returns the path of the blob on disk that holds the bytes of a file.
    pub fn blob_of(&self, file: &str) -> PathBuf {
        let blob = self.state().blob_of(file);
        let buckets = std::fs::read_dir(self.state_folder().join("v3/r2")).unwrap().flatten();
        let mut paths = buckets.map(|bucket| bucket.path().join("blobs").join(&blob));
        paths.find(|path| path.exists()).unwrap_or_else(|| panic!("no blob {blob}"))
    }

    /// Runs `scripts/NAME` against this server.
    pub fn script(&self, name: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(root().join("scripts").join(name));
        command.env("URL", format!("http://127.0.0.1:{}", self.port)).env("OPERATOR_TOKEN", OPERATOR_TOKEN);
        command.envs(variables.iter().copied()).output().unwrap()
    }
}
